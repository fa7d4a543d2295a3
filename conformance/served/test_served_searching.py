"""Searches: every kind of clause, every order with ties, NaN and missing values, page after page."""

import json
import time

import pytest

import records
from worlds import Request

API = "/api/2.0/mlflow/"


@pytest.fixture(scope="module")
def searched(session_pair):
    """Runs, models and experiments of all kinds in the experiment `found`."""
    pair = session_pair
    records.experiment(pair, "found")
    labels = [f"run {idx}" for idx in range(8)]
    for idx, label in enumerate(labels):
        tags = [{"key": "t", "value": str(idx % 3)}] if idx % 2 else [{"key": "T.x/y z", "value": "Äb%_"}]
        records.run(pair, label, "found", start_time=1000 + idx, tags=tags, user_id="uU"[idx % 2])
    records.tied_runs(pair, [f"tied {idx}" for idx in range(4)], "found")
    labels += [f"tied {idx}" for idx in range(4)]
    values = [1, "NaN", -1.5, "Infinity", 0, 2, 2, None, 1, 1, None, "-Infinity"]
    for idx, (label, value) in enumerate(zip(labels, values)):
        metrics = [] if value is None else [{"key": "m", "value": value, "timestamp": 1, "step": 0}]
        metrics += [{"key": "a/b", "value": idx // 4, "timestamp": 2, "step": idx}]
        params = [{"key": "p", "value": str(idx % 4)}] if idx % 3 else [{"key": "lr", "value": "1e-3"}]
        batch = {"run_id": f"<<{label}>>", "metrics": metrics, "params": params, "tags": []}
        pair.json("POST", API + "runs/log-batch", batch)
    pair.json("POST", API + "runs/update", {"run_id": "<<run 1>>", "status": "FINISHED", "end_time": 2000})
    pair.json("POST", API + "runs/update", {"run_id": "<<run 2>>", "status": "FAILED", "end_time": 2000})
    pair.json("POST", API + "runs/update", {"run_id": "<<run 5>>", "status": "KILLED", "end_time": 1500})
    for idx, context in [(0, "train"), (0, "eval"), (3, "train"), (4, None)]:
        tags = [] if context is None else [{"key": "mlflow.data.context", "value": context}]
        dataset = {"name": f"data{idx}", "digest": str(idx), "source_type": "local", "source": "s", "schema": "{}"}
        inputs = {"run_id": f"<<run {idx}>>", "datasets": [{"dataset": dataset, "tags": tags}]}
        pair.json("POST", API + "runs/log-inputs", inputs)
    pair.json("POST", API + "runs/delete", {"run_id": "<<run 6>>"})
    models(pair)
    registered(pair)
    return pair


def models(pair):
    for idx in range(6):
        # Models of the same millisecond would be ordered by their random ids.
        time.sleep(0.005)
        more = {"name": f"model{idx // 2}", "model_type": ["a", "b", ""][idx % 3], "source_run_id": f"<<run {idx}>>"}
        more["tags"] = [{"key": "t", "value": str(idx % 2)}]
        more["params"] = [{"key": "p", "value": str(idx % 3)}, {"key": "q r", "value": "x"}]
        records.logged_model(pair, f"lm {idx}", "found", **more)
        if idx != 4:
            value = [1, "NaN", 3, 3, None, 0.5][idx]
            metric = {"run_id": f"<<run {idx}>>", "key": "acc", "value": value, "timestamp": 5, "step": idx}
            more = {"model_id": f"<<lm {idx}>>"}
            if idx in (0, 3):
                more |= {"dataset_name": f"data{idx}", "dataset_digest": str(idx)}
            pair.json("POST", API + "runs/log-metric", {**metric, **more})
    pair.json("PATCH", API + "logged-models/<<lm 1>>", {"model_id": "<<lm 1>>", "status": "LOGGED_MODEL_READY"})
    pair.json("DELETE", API + "logged-models/<<lm 5>>")


def registered(pair):
    for idx in range(5):
        name = f"found_{'abcab'[idx]}{idx}"
        tags = [{"key": "team", "value": str(idx % 2)}] if idx < 4 else []
        pair.json("POST", API + "registered-models/create", {"name": name, "tags": tags})
        for number in range(idx):
            version = {"name": name, "source": f"s3://b/{number}", "tags": [{"key": "v", "value": str(number)}]}
            if number == 1:
                version |= {"run_id": "<<run 1>>", "source": "runs:/<<run 1>>/other"}
            pair.json("POST", API + "model-versions/create", version)


RUN_FILTERS = """
metrics.m > 1
metrics.m >= 1 and metrics.`a/b` = 0
metric.m < 1
metrics.m != 1
metrics.m = 1
metrics.m <= 1.7e308
metrics.missing != 3
metrics."a/b" > 0 AND params.p = "1"
metrics.m > -1e400
metrics.m = nan
metrics.m > 'x'
metrics.m LIKE '1'
metrics.m IN (1)
metrics.m IS NULL
params.p = '1'
params.p != '1'
params.p LIKE '%'
parameter.p ILIKE '1'
params.p IS NULL
params.p IS NOT NULL
params.lr = '1e-3'
params.lr = 0.001
params.p > '1'
params.p IN ('1','2')
tags.t = '1'
tag.t != '1'
tags.`T.x/y z` LIKE 'Ä%'
tags.`T.x/y z` ILIKE 'äB%'
tags.`T.x/y z` ILIKE 'Äb\\%\\_'
tags.`T.x/y z` LIKE '%_'
tags.t IS NULL
tags.t IS NOT NULL AND tags.t != '0'
tags.mlflow.runName = 'run 1'
attributes.status = 'RUNNING'
status = 'running'
status != 'RUNNING'
attribute.status LIKE 'F%'
attr.status ILIKE 'f%'
run.status = 'FINISHED'
run_name = 'run 1'
run_name LIKE 'run %'
run_name ILIKE 'RUN %'
`Run name` = 'run 2'
"run name" = 'run 2'
user_id = 'u'
user_id != 'u'
user_id ILIKE 'U'
artifact_uri LIKE 'mlflow-artifacts:/%'
start_time > 1003
start_time = 500
start_time >= 1000 AND start_time < 1003
start_time > '1003'
start_time != 500
created > 1003
Created <= 1003
end_time > 1600
end_time = 0
run_id IN ('<<run 1>>', '<<run 3>>')
run_id NOT IN ('<<run 1>>', '<<run 3>>')
run_id = '<<run 2>>'
run_id LIKE '<<run 2>>%'
run_id IN ()
run_id IN ('a',)
status IN ('RUNNING')
dataset.name = 'data0'
datasets.digest = '3'
dataset.name LIKE 'data%' AND dataset.context = 'train'
dataset.context = 'eval'
dataset.context != 'eval'
dataset.name IN ('data0', 'data4')
dataset.name NOT IN ('data0')
dataset.context IN ('train','eval')
dataset.profile = 'x'
dataset.name IS NULL
metrics.m > 1 OR metrics.m < 0
NOT metrics.m > 1
(metrics.m > 1)
metrics.m > 1 AND
AND metrics.m > 1
metrics.m > 1 AND AND params.p = '1'
metrics.m > 1; metrics.m < 3
metrics.m BETWEEN 1 AND 2
metrics.m
metrics.
.m > 1
metrics.m >
metrics.m == 1
metrics.m <> 1
metrics.m > 1 metrics.m < 2
unknown.m > 1
lifecycle_stage = 'active'
experiment_id = '1'
params.p = 1
params.p = 'it''s'
params.p = "it's"
params.p = '1
tags.t = ''
tags.t LIKE ''
tags.t = null
1 = 1
'a' = 'a'
metrics.m > metrics.n
tags.t = 't' -- comment
tags.t = 't' /* comment */
metrics.m>1
metrics.m>=1AND params.p='1'
  metrics.m   >   1
tags.group IS NULL
params.order IS NULL
metrics.user > 1
metrics.timestamp > 1
tags.a.b.c IS NULL
tags.`a` IS NULL
tags.'t' = '1'
tags."t" = '1'
tags.é IS NULL
tags.a-b IS NULL
tags.t is not null
tags.t Is Null
""".strip("\n").split("\n")  # fmt: skip

RUN_ORDERS = [
    [], ["metrics.m"], ["metrics.m DESC"], ["metrics.m ASC"], ["metrics.`a/b` DESC", "metrics.m"], ["params.p"],
    ["params.p DESC"], ["tags.t", "params.p DESC"], ["start_time"], ["start_time DESC"], ["attributes.start_time ASC"],
    ["status"], ["status DESC", "start_time"], ["run_name"], ["end_time"],
    ["end_time DESC"], ["user_id", "run_name DESC"], ["created DESC"], ["Created"], ["`Run name`"],
    ["metrics.missing"], ["metrics.missing DESC", "start_time ASC"], ["metrics.m", "metrics.m"],
    ["metrics.m", "metrics.m DESC"], ["start_time", "attribute.start_time DESC"], [""], ["metrics.m desc"],
    ["metrics.m  DESC "], ["metrics.m DOWN"], ["metrics.m, start_time"], ["unknown.m"], ["m"], ["metrics.m DESC DESC"],
    ["dataset.name"], ["lifecycle_stage"], ["experiment_id"], ["tags.`T.x/y z`"], ["DESC"], ["tags.a b"], ["1"],
    ["metrics.m;"], ["metrics.m NULLS FIRST"], ["`metrics`.`m`"], ["'start_time'"],
]  # fmt: skip


def pages(pair, method, path, content, key="runs", most=20):
    """Follows the pages of a search to their end."""
    token = None
    for _ in range(most):
        asked = content if token is None else {**content, "page_token": token}
        in_query = {"query": asked} if method == "GET" else {"content": asked}
        stock = pair.compare(Request(method, path, **in_query))
        token = stock.body.get("next_page_token") if stock.status == 200 else None
        if token is None:
            return
    raise AssertionError(f"more than {most} pages of {content}")


def search_runs(pair, **content):
    pages(pair, "POST", API + "runs/search", {"experiment_ids": ["<<found>>"], "max_results": 100, **content})


def test_filters_of_runs(searched, pair):
    for text in RUN_FILTERS:
        search_runs(pair, filter=text, order_by=["run_name", "run_id"])


def test_orders_of_runs(searched, pair):
    for order in RUN_ORDERS:
        search_runs(pair, order_by=order)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 12])
def test_pages_of_runs(searched, pair, size):
    for order in RUN_ORDERS[:17]:
        search_runs(pair, order_by=order, max_results=size)
    search_runs(pair, filter="metrics.m != 1", order_by=["metrics.m"], max_results=size)


def test_views_and_experiments_of_runs(searched, pair):
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL", 1, 2, 3):
        search_runs(pair, run_view_type=view)
    for experiments in ([], ["999999"], ["<<found>>", "<<found>>"], ["0", "<<found>>"], ["x"], [""], ["1", "abc"]):
        search_runs(pair, experiment_ids=experiments)


def test_order_by_ids(searched, pair):
    """The ids of the two servers differ, so each answer is looked at alone."""
    for world in pair.both:
        for column, key in (("run_id", "run_id"), ("artifact_uri", "artifact_uri"), ("run_id DESC", "run_id")):
            content = {"experiment_ids": ["<<found>>"], "order_by": [column], "max_results": 100}
            runs = world.json("POST", API + "runs/search", content)["runs"]
            values = [run["info"][key] for run in runs]
            assert len(values) > 5 and values == sorted(values, reverse="DESC" in column), (world.name, column)
        for column, key in (("model_id", "model_id"), ("source_run_id", "source_run_id")):
            content = {"experiment_ids": ["<<found>>"], "order_by": [{"field_name": column}]}
            found = world.json("POST", API + "logged-models/search", content)["models"]
            values = [model["info"][key] for model in found]
            assert len(values) > 3 and values == sorted(values), (world.name, column)


TOKENS = ["", "x", "eyJvZmZzZXQiOiAxfQ==", "eyJvZmZzZXQiOiAwfQ==", "eyJvZmZzZXQiOiAtMX0=", "e30=", "bm8=", "W10=",
          "eyJvZmZzZXQiOiAiMSJ9", "eyJvZmZzZXQiOiAxLjV9", "eyJvZmZzZXQiOiAxfQ", "eyJvZmZzZXQiOiB0cnVlfQ==",
          "eyJvZmZzZXQiOiBudWxsfQ==", "eyJvZmZzZXQiOiA5OTk5OTk5OTk5OTk5OTk5OTk5OTl9", "!!!!", "é", "////", "MQ=="]  # fmt: skip


def test_broken_page_tokens(searched, pair):
    for token in TOKENS:
        search_runs(pair, page_token=token)
        for kind in ("registered-models", "model-versions"):
            pair.compare(Request("GET", f"{API}{kind}/search", query={"page_token": token, "max_results": 2}))
        experiments = {"page_token": token, "max_results": 2, "order_by": ["experiment_id"]}
        pair.compare(Request("POST", API + "experiments/search", content=experiments))
        history = {"run_id": "<<run 0>>", "metric_key": "m", "page_token": token, "max_results": 2}
        pair.compare(Request("GET", API + "metrics/get-history", query=history))
        models = {"experiment_ids": ["<<found>>"], "page_token": token, "max_results": 2}
        pair.compare(Request("POST", API + "logged-models/search", content=models))


MODEL_FILTERS = """
name = 'model1'
name != 'model1'
name LIKE 'model%'
name ILIKE 'MODEL1'
name LIKE 'Model%'
name IN ('model0','model2')
name NOT IN ('model0')
attributes.name = 'model1'
attribute.name = 'model1'
model_id = '<<lm 1>>'
model_id IN ('<<lm 1>>')
model_type = 'a'
model_type = ''
model_type IN ('a','b')
status = 'READY'
status = '2'
status = 'PENDING'
status = 'LOGGED_MODEL_READY'
status = 2
status = 1
source_run_id = '<<run 2>>'
creation_timestamp > 0
creation_time > 0
creation_timestamp < 0
last_updated_timestamp >= 5
creation_timestamp > '5'
metrics.acc > 1
metrics.acc != 3
metrics.acc = 3
metrics.acc >= 0 AND params.p = '0'
metrics.missing > 0
params.p = '1'
params.p != '1'
params.p = 1
params.p LIKE '%'
params.`q r` = 'x'
tags.t = '1'
tags.t != '1'
tags.t ILIKE '1'
tags.`t` = '1'
tags.missing = '1'
tags.t IS NULL
tag.t = '1'
param.p = '1'
metric.acc > 0
name = "model1"
name = model1
experiment_id = '1'
experiment_id = 1
lifecycle_stage = 'deleted'
artifact_location LIKE '%'
status_message = 'x'
foo = 'x'
foo.bar = 'x'
name = 'model1' OR name = 'model2'
name = 'model1' AND
name
name > 'a'
tags.t = '1' AND tags.t = '0'
metrics.acc > 'x'
params.p = '1' AND metrics.acc > 0 AND tags.t = '0' AND name LIKE 'model%'
""".strip("\n").split("\n")  # fmt: skip

MODEL_ORDERS = [
    None, [{"field_name": "name"}], [{"field_name": "name", "ascending": False}], [{"field_name": "creation_timestamp"}],
    [{"field_name": "creation_time"}], [{"field_name": "last_updated_timestamp", "ascending": False}],
    [{"field_name": "metrics.acc"}], [{"field_name": "metrics.acc", "ascending": False}],
    [{"field_name": "metrics.acc", "dataset_name": "data0"}],
    [{"field_name": "metrics.acc", "dataset_name": "data0", "dataset_digest": "0"}],
    [{"field_name": "metrics.acc", "dataset_digest": "0"}], [{"field_name": "metrics.missing"}],
    [{"field_name": "model_type"}, {"field_name": "name", "ascending": False}],
    [{"field_name": "status"}], [{"field_name": "params.p"}],
    [{"field_name": "tags.t"}], [{"field_name": "foo"}], [{"field_name": ""}], [{}], [{"ascending": True}],
    [{"field_name": "name"}, {"field_name": "name"}], [{"field_name": "attributes.name"}],
    [{"field_name": "metrics.`acc`"}], [{"field_name": "name DESC"}], [{"field_name": "experiment_id"}],
    [{"field_name": "lifecycle_stage"}],
]  # fmt: skip


def search_models(pair, **content):
    asked = {"experiment_ids": ["<<found>>"], **content}
    pages(pair, "POST", API + "logged-models/search", {k: v for k, v in asked.items() if v is not None})


def test_filters_of_logged_models(searched, pair):
    for text in MODEL_FILTERS:
        search_models(pair, filter=text)


def test_orders_of_logged_models(searched, pair):
    for order in MODEL_ORDERS:
        search_models(pair, order_by=order)
        search_models(pair, order_by=order, max_results=2)


def test_datasets_of_logged_models(searched, pair):
    for datasets in (
        [{"dataset_name": "data0"}], [{"dataset_name": "data0", "dataset_digest": "0"}],
        [{"dataset_name": "data0", "dataset_digest": "9"}], [{"dataset_name": "data0"}, {"dataset_name": "data3"}],
        [{"dataset_digest": "0"}], [{"dataset_name": ""}], [{}], [],
    ):  # fmt: skip
        for text in ("", "metrics.acc > 0", "metrics.acc > 2", "params.p = '0'"):
            search_models(pair, datasets=datasets, filter=text)
            search_models(pair, datasets=datasets, filter=text, order_by=[{"field_name": "metrics.acc"}])


def test_token_of_logged_models_belongs_to_its_search(searched, pair):
    first = {"experiment_ids": ["<<found>>"], "max_results": 1, "filter": "name LIKE 'model%'"}
    first["order_by"] = [{"field_name": "name"}]
    stock = pair.compare(Request("POST", API + "logged-models/search", content=first))
    token = stock.body["next_page_token"]
    for change in (
        {"filter": ""}, {"filter": "name LIKE '%'"}, {"order_by": []}, {"order_by": [{"field_name": "model_id"}]},
        {"experiment_ids": ["0"]}, {"experiment_ids": ["<<found>>", "0"]}, {"max_results": 2},
        {"order_by": [{"field_name": "name", "ascending": True}]},
        {"order_by": [{"field_name": "name", "ascending": False}]}, {"datasets": [{"dataset_name": "data0"}]},
    ):  # fmt: skip
        request = {**first, "page_token": token, **change}
        pair.compare(Request("POST", API + "logged-models/search", content=request))


REGISTERED_FILTERS = """
name = 'found_a0'
name LIKE 'found%'
name ILIKE 'FOUND%'
name LIKE 'FOUND%'
name != 'found_a0' AND name LIKE 'found%'
name IN ('found_a0', 'found_b1')
name NOT IN ('found_a0') AND name LIKE 'found%'
attribute.name = 'found_a0'
attributes.name = 'found_a0'
tag.team = '1'
tags.team = '0' AND name LIKE 'found%'
tags.team != '0'
tags.team LIKE '%'
tags.team ILIKE '1'
tags.team = '0' AND tags.team = '1'
tags.team = '0' AND tags.other = '1'
tags.team IS NULL
name LIKE 'found%' AND tag.`mlflow.prompt.is_prompt` != 'true'
tag.`mlflow.prompt.is_prompt` = 'true'
name > 'a'
name = 1
timestamp > 1
last_updated_timestamp > 1
description = 'x'
run_id = 'x'
name
name = 'a' OR name = 'b'
""".strip("\n").split("\n")

VERSION_FILTERS = """
name = 'found_b4'
name LIKE 'found%'
name ILIKE 'FOUND%'
name IN ('found_b1', 'found_b4')
name NOT IN ('found_b4') AND name LIKE 'found%'
run_id = '<<run 1>>'
run_id != '<<run 1>>' AND name LIKE 'found%'
run_id IN ('<<run 1>>', 'x')
run_id IN ('x')
run_id IN ()
run_id IN (1)
run_id LIKE '%'
source_path = 'runs:/<<run 1>>/other'
source_path LIKE 's3://b/%' AND name LIKE 'found%'
source_path IN ('runs:/<<run 1>>/other')
source = 'runs:/<<run 1>>/other'
version_number = 1
version_number > 1 AND name = 'found_b4'
version_number = '1'
version_number >= '2'
version_number LIKE '1'
version_number = 'x'
version_number = 1.5
version = 1
tags.v = '0'
tag.v != '0' AND name LIKE 'found%'
tags.v LIKE '%' AND tags.v = '1'
tags.v IS NULL
current_stage = 'None'
name = 'found_b4' AND version_number = 2 AND tags.v = '1'
tag.`mlflow.prompt.is_prompt` = 'true'
model_id = 'x'
name
""".strip("\n").split("\n")

REGISTERED_ORDERS = [
    [], ["name"], ["name DESC"], ["timestamp"], ["last_updated_timestamp DESC"], ["timestamp DESC", "name"], ["foo"],
    ["name", "name"], ["name ASC", "name DESC"], [""], ["creation_timestamp"], ["description"], ["attribute.name"],
    ["tags.team"],
]  # fmt: skip
VERSION_ORDERS = [
    [], ["name"], ["name DESC", "version_number"], ["version_number DESC"], ["creation_timestamp"],
    ["last_updated_timestamp"], ["last_updated_timestamp DESC", "name"], ["foo"], ["name", "name"], ["source"],
    ["run_id"], ["version"], ["tags.v"], [""],
]  # fmt: skip


@pytest.mark.parametrize("kind", ["registered-models", "model-versions"])
def test_searches_of_the_registry(searched, pair, kind):
    path = f"{API}{kind}/search"
    is_models = kind == "registered-models"
    for text in REGISTERED_FILTERS if is_models else VERSION_FILTERS:
        pair.compare(Request("GET", path, query={"filter": text, "order_by": "name"}))
    found = "name LIKE 'found%'"
    for order in REGISTERED_ORDERS if is_models else VERSION_ORDERS:
        for size in (2, 3, 100):
            pages(pair, "GET", path, {"filter": found, "order_by": order, "max_results": size})


EXPERIMENT_FILTERS = """
name = 'Default'
name LIKE 'found%'
name ILIKE 'FOUND%'
name != 'Default' AND name LIKE 'found%'
attribute.name = 'Default'
attributes.name = 'Default'
experiment_id = '<<found>>'
experiment_id IN ('0', '<<found>>')
experiment_id NOT IN ('0') AND name LIKE 'found%'
experiment_id = 0
experiment_id IN ('x')
experiment_id LIKE '0'
creation_time > 0 AND name = 'Default'
creation_time < 0
last_update_time >= 0 AND name = 'Default'
creation_time > '0'
tags.k = 'v'
tag.k = 'v'
tags.k IS NULL AND name = 'Default'
tags.k IS NOT NULL AND name = 'Default'
tags.`a b` LIKE '%'
lifecycle_stage = 'active'
artifact_location = 'x'
name
name = 'a' OR name = 'b'
name IN ('Default')
""".strip("\n").split("\n")


def test_searches_of_experiments(searched, pair):
    path = API + "experiments/search"
    for text in EXPERIMENT_FILTERS:
        pair.compare(Request("POST", path, content={"filter": text, "max_results": 5, "order_by": ["experiment_id"]}))
    for order in (
        [], ["name"], ["name DESC"], ["experiment_id"], ["experiment_id DESC"], ["creation_time"],
        ["last_update_time DESC"], ["foo"], ["tags.k"], ["name", "name"], ["attribute.name"], [""],
    ):  # fmt: skip
        found = {"filter": "name LIKE 'found%'", "max_results": 2, "order_by": order}
        pages(pair, "POST", path, found)
        pages(pair, "GET", path, found)


def test_histories(searched, pair):
    path = API + "metrics/get-history"
    run = {"run_id": "<<run 0>>"}
    points = [(step, step % 3, [1, 1, 2, "NaN", "Infinity", -1][step % 6]) for step in range(-3, 20)]
    metrics = [{"key": "h", "value": value, "timestamp": time, "step": step} for step, time, value in points]
    pair.json("POST", API + "runs/log-batch", {**run, "metrics": metrics})
    for size in (None, 1, 4, 100):
        pages(pair, "GET", path, {**run, "metric_key": "h", **({"max_results": size} if size else {})}, most=40)
    for key in ("missing", "h/x", "", "m"):
        pair.compare(Request("GET", path, query={**run, "metric_key": key}))
    interval = API + "metrics/get-history-bulk-interval"
    for query in (
        {"max_results": 3}, {"max_results": 1}, {"max_results": 0}, {"max_results": 2501}, {}, {"max_results": 5,
         "start_step": 0, "end_step": 10}, {"start_step": 3}, {"end_step": 3}, {"start_step": 5, "end_step": 1},
        {"max_results": 100, "start_step": -3, "end_step": 0}, {"max_results": 320},
    ):  # fmt: skip
        for runs in (["<<run 0>>"], ["<<run 0>>", "<<run 1>>"], ["missing"]):
            pair.compare(Request("GET", interval, query={"run_ids": runs, "metric_key": "h", **query}))
    runs = [f"r{idx}" for idx in range(101)]
    pair.compare(Request("GET", interval, query={"run_ids": runs, "metric_key": "h", "max_results": 1}))


def test_helpers_of_the_web_page(searched, pair):
    ajax = "/ajax-api/2.0/mlflow/"
    bulk = ajax + "metrics/get-history-bulk"
    for query in (
        {"run_id": ["<<run 0>>", "<<run 1>>"], "metric_key": "m"}, {"run_id": "<<run 0>>", "metric_key": "a/b"},
        {"run_id": "<<run 0>>"}, {"metric_key": "m"}, {}, {"run_id": "missing", "metric_key": "m"},
        {"run_id": "<<run 0>>", "metric_key": "h", "max_results": "2"},
        {"run_id": "<<run 0>>", "metric_key": "h", "max_results": "x"},
        {"run_id": "<<run 0>>", "metric_key": "h", "max_results": "0"},
        {"run_id": [f"r{idx}" for idx in range(101)], "metric_key": "m"},
    ):  # fmt: skip
        pair.compare(Request("GET", bulk, query=query))
    datasets = ajax + "experiments/search-datasets"
    for content in (
        {"experiment_ids": ["<<found>>"]}, {"experiment_ids": []}, {}, {"experiment_ids": ["x"]},
        {"experiment_ids": [str(idx) for idx in range(21)]}, {"experiment_ids": "1"}, {"experiment_ids": [1]},
    ):  # fmt: skip
        pair.compare(Request("POST", datasets, content=content))


def test_everything_that_was_written_is_equal(searched, pair):
    """What all tests before have left behind, seen as a whole."""
    ordered = {"max_results": 1000, "order_by": ["experiment_id"], "view_type": "ALL"}
    pages(pair, "POST", API + "experiments/search", ordered)
    pages(pair, "GET", API + "registered-models/search", {"max_results": 100, "order_by": "name"})
    pages(pair, "GET", API + "model-versions/search", {"max_results": 1000, "order_by": ["name", "version_number"]})
    for idx in range(8):
        pair.compare(Request("GET", API + "runs/get", query={"run_id": f"<<run {idx}>>"}))
        pair.compare(Request("GET", API + f"logged-models/<<lm {idx}>>"))
        pair.compare(Request("GET", API + f"logged-models/<<lm {idx}>>", query={"allow_deleted": "true"}))


def test_json_text_of_tokens_is_equal(searched, pair):
    """A token is opaque, but clients store it: one of either server works on the other."""
    content = {"experiment_ids": ["<<found>>"], "max_results": 1}
    stock, ours = pair.json("POST", API + "runs/search", content)
    assert json.dumps(stock["next_page_token"]) == json.dumps(ours["next_page_token"])
