"""The endpoints of MLflow's REST API with their parameters, and a request to each that succeeds."""

from dataclasses import dataclass

API = "/api/2.0/mlflow/"


@dataclass
class Endpoint:
    """A call. `fields` gives the type of each parameter; `base` the values of a request that succeeds."""

    method: str
    path: str
    fields: dict
    base: dict
    # Makes the records that the base request needs, again after each request that used them up.
    prepare: str = None
    # Parameters in the path, not in the query or body.
    in_path: tuple = ()

    @property
    def name(self):
        return f"{self.method} {self.path}"

    @property
    def in_query(self):
        return self.method == "GET"


TAG = {"key": "str", "value": "str"}
METRIC = {
    **{"key": "str", "value": "f64", "timestamp": "i64", "step": "i64", "model_id": "str"},
    **{"dataset_name": "str", "dataset_digest": "str", "run_id": "str"},
}
DATASET = {
    **{"name": "str", "digest": "str", "source_type": "str", "source": "str", "schema": "str", "profile": "str"},
}
DATASET_INPUT = {"tags": [TAG], "dataset": DATASET}
A_TAG = {"key": "k", "value": "v"}
A_METRIC = {"key": "m", "value": 1.5, "timestamp": 5, "step": 0}
A_DATASET = {
    "tags": [{"key": "mlflow.data.context", "value": "train"}],
    "dataset": {"name": "d", "digest": "1", "source_type": "local", "source": "s"},
}


def tracking():
    def call(method, path, fields, base, **more):
        return Endpoint(method, API + path, fields, base, **more)

    run = {"run_id": "str", "run_uuid": "str"}
    page = {"max_results": "i64", "page_token": "str"}
    yield call("GET", "experiments/get", {"experiment_id": "str"}, {"experiment_id": "<<experiment>>"})
    yield call("GET", "experiments/get-by-name", {"experiment_name": "str"}, {"experiment_name": "Default"})
    yield call(
        "POST", "experiments/create", {"name": "str", "artifact_location": "str", "tags": [TAG]},
        {"name": "<<unused>>", "tags": [A_TAG]}, prepare="unused",
    )  # fmt: skip
    search = {**page, "filter": "str", "order_by": ["str"], "view_type": "view"}
    yield call("POST", "experiments/search", search, {"max_results": 3, "order_by": ["experiment_id"]})
    yield call("GET", "experiments/search", search, {"max_results": 3, "order_by": ["experiment_id"]})
    one = {"experiment_id": "str"}
    yield call("POST", "experiments/delete", one, {"experiment_id": "<<spare>>"}, prepare="spare_experiment")
    yield call("POST", "experiments/restore", one, {"experiment_id": "<<spare>>"}, prepare="deleted_experiment")
    yield call(
        "POST", "experiments/update", {**one, "new_name": "str"},
        {"experiment_id": "<<spare>>", "new_name": "<<unused>>"}, prepare="spare_experiment",
    )  # fmt: skip
    yield call(
        "POST", "experiments/set-experiment-tag", {**one, **TAG}, {"experiment_id": "<<experiment>>", **A_TAG}
    )
    yield call(
        "POST", "experiments/delete-experiment-tag", {**one, "key": "str"},
        {"experiment_id": "<<experiment>>", "key": "k"}, prepare="experiment_tag",
    )  # fmt: skip

    yield call(
        "POST", "runs/create",
        {"experiment_id": "str", "user_id": "str", "run_name": "str", "start_time": "i64", "tags": [TAG]},
        {"experiment_id": "<<experiment>>", "user_id": "u", "run_name": "n", "start_time": 7, "tags": [A_TAG]},
    )  # fmt: skip
    yield call(
        "POST", "runs/update", {**run, "status": "status", "end_time": "i64", "run_name": "str"},
        {"run_id": "<<run>>", "status": "FINISHED", "end_time": 9, "run_name": "n"},
    )  # fmt: skip
    yield call("POST", "runs/delete", {"run_id": "str"}, {"run_id": "<<other run>>"})
    yield call("POST", "runs/restore", {"run_id": "str"}, {"run_id": "<<other run>>"})
    yield call(
        "POST", "runs/log-metric",
        {**run, "key": "str", "value": "f64", "timestamp": "i64", "step": "i64", "model_id": "str",
         "dataset_name": "str", "dataset_digest": "str"},
        {"run_id": "<<run>>", **A_METRIC},
    )  # fmt: skip
    yield call("POST", "runs/log-parameter", {**run, **TAG}, {"run_id": "<<run>>", **A_TAG}, prepare="run")
    yield call("POST", "runs/set-tag", {**run, **TAG}, {"run_id": "<<run>>", **A_TAG})
    yield call(
        "POST", "runs/delete-tag", {"run_id": "str", "key": "str"}, {"run_id": "<<run>>", "key": "k"},
        prepare="run_tag",
    )  # fmt: skip
    yield call("GET", "runs/get", run, {"run_id": "<<full run>>"})
    yield call(
        "POST", "runs/search",
        {"experiment_ids": ["str"], "filter": "str", "run_view_type": "view", "max_results": "i32",
         "order_by": ["str"], "page_token": "str"},
        {"experiment_ids": ["<<searched>>"], "max_results": 2, "order_by": ["metrics.m DESC"]},
    )  # fmt: skip
    yield call(
        "POST", "runs/log-batch", {"run_id": "str", "metrics": [METRIC], "params": [TAG], "tags": [TAG]},
        {"run_id": "<<run>>", "metrics": [A_METRIC], "params": [A_TAG], "tags": [A_TAG]}, prepare="run",
    )  # fmt: skip
    yield call(
        "POST", "runs/log-model", {"run_id": "str", "model_json": "str"},
        {"run_id": "<<run>>", "model_json": '{"artifact_path": "a", "flavors": {}, "utc_time_created": "t", '
         '"run_id": "<<run>>"}'},
    )  # fmt: skip
    yield call(
        "POST", "runs/log-inputs",
        {"run_id": "str", "datasets": [DATASET_INPUT], "models": [{"model_id": "str"}]},
        {"run_id": "<<run>>", "datasets": [A_DATASET], "models": [{"model_id": "<<model>>"}]},
    )  # fmt: skip
    yield call(
        "POST", "runs/outputs", {"run_id": "str", "models": [{"model_id": "str", "step": "i64"}]},
        {"run_id": "<<run>>", "models": [{"model_id": "<<model>>", "step": 3}]}, prepare="run",
    )  # fmt: skip
    yield call(
        "GET", "metrics/get-history", {**run, "metric_key": "str", "page_token": "str", "max_results": "i32"},
        {"run_id": "<<full run>>", "metric_key": "m"},
    )  # fmt: skip
    yield call(
        "GET", "metrics/get-history-bulk-interval",
        {"run_ids": ["str"], "metric_key": "str", "start_step": "i32", "end_step": "i32", "max_results": "i32"},
        {"run_ids": ["<<full run>>"], "metric_key": "m", "max_results": 2},
    )  # fmt: skip
    yield call(
        "GET", "artifacts/list", {**run, "path": "str", "page_token": "str"}, {"run_id": "<<full run>>", "path": "d"}
    )


def logged_models():
    def call(method, path, fields, base, **more):
        return Endpoint(method, f"{API}logged-models{path}", fields, base, **more)

    yield call(
        "POST", "",
        {"experiment_id": "str", "name": "str", "model_type": "str", "source_run_id": "str", "params": [TAG],
         "tags": [TAG]},
        {"experiment_id": "<<experiment>>", "name": "n", "model_type": "t", "source_run_id": "<<run>>",
         "params": [A_TAG], "tags": [A_TAG]},
    )  # fmt: skip
    status = {"model_id": "str", "status": "model_status"}
    yield call("PATCH", "/<<model>>", status, {"model_id": "<<model>>", "status": "LOGGED_MODEL_READY"})
    yield call("GET", "/<<model>>", {"allow_deleted": "bool"}, {})
    yield call("DELETE", "/<<spare model>>", {"model_id": "str"}, {}, prepare="spare_model")
    yield call(
        "POST", "/search",
        {"experiment_ids": ["str"], "filter": "str", "datasets": [{"dataset_name": "str", "dataset_digest": "str"}],
         "max_results": "i32", "page_token": "str",
         "order_by": [{"field_name": "str", "ascending": "bool", "dataset_name": "str", "dataset_digest": "str"}]},
        {"experiment_ids": ["<<searched>>"], "max_results": 2, "order_by": [{"field_name": "name"}]},
    )  # fmt: skip
    yield call("PATCH", "/<<model>>/tags", {"model_id": "str", "tags": [TAG]}, {"tags": [A_TAG]})
    yield call(
        "DELETE", "/<<model>>/tags/k", {"model_id": "str", "tag_key": "str"}, {}, prepare="model_tag"
    )
    yield call(
        "GET", "/<<model>>/artifacts/directories", {"artifact_directory_path": "str", "page_token": "str"}, {}
    )
    yield call(
        "POST", "/<<spare model>>/params", {"model_id": "str", "params": [TAG]},
        {"model_id": "<<spare model>>", "params": [A_TAG]},
        prepare="spare_model",
    )  # fmt: skip


def registry():
    def call(method, path, fields, base, **more):
        return Endpoint(method, API + path, fields, base, **more)

    name = {"name": "str"}
    model = "registered-models/"
    yield call(
        "POST", model + "create", {**name, "tags": [TAG], "description": "str", "deployment_job_id": "str"},
        {"name": "<<unused>>", "tags": [A_TAG], "description": "d"}, prepare="unused",
    )  # fmt: skip
    yield call(
        "POST", model + "rename", {**name, "new_name": "str"}, {"name": "<<spare>>", "new_name": "<<unused>>"},
        prepare="spare_registered",
    )  # fmt: skip
    yield call(
        "PATCH", model + "update", {**name, "description": "str", "deployment_job_id": "str"},
        {"name": "reg", "description": "d"},
    )  # fmt: skip
    yield call("DELETE", model + "delete", name, {"name": "<<spare>>"}, prepare="spare_registered")
    yield call("GET", model + "get", name, {"name": "reg"})
    search = {"filter": "str", "max_results": "i64", "order_by": ["str"], "page_token": "str"}
    yield call(
        "GET", model + "search", search, {"max_results": 2, "order_by": ["name DESC"], "filter": "name LIKE 'reg%'"}
    )
    stages = {**name, "stages": ["str"]}
    yield call("POST", model + "get-latest-versions", stages, {"name": "reg", "stages": ["None"]})
    yield call("GET", model + "get-latest-versions", stages, {"name": "reg", "stages": ["None"]})
    yield call("POST", model + "set-tag", {**name, **TAG}, {"name": "reg", **A_TAG})
    yield call("DELETE", model + "delete-tag", {**name, "key": "str"}, {"name": "reg", "key": "k"})
    alias = {**name, "alias": "str"}
    yield call("POST", model + "alias", {**alias, "version": "str"}, {"name": "reg", "alias": "a", "version": "1"})
    yield call("GET", model + "alias", alias, {"name": "reg", "alias": "kept"})
    yield call("DELETE", model + "alias", alias, {"name": "reg", "alias": "a"})

    version = {**name, "version": "str"}
    one = {"name": "reg", "version": "1"}
    of = "model-versions/"
    yield call(
        "POST", of + "create",
        {**name, "source": "str", "run_id": "str", "tags": [TAG], "run_link": "str", "description": "str",
         "model_id": "str"},
        {"name": "reg2", "source": "s3://bucket/path", "tags": [A_TAG], "description": "d", "run_link": "l"},
    )  # fmt: skip
    yield call("PATCH", of + "update", {**version, "description": "str"}, {**one, "description": "d"})
    yield call(
        "POST", of + "transition-stage", {**version, "stage": "str", "archive_existing_versions": "bool"},
        {**one, "stage": "Staging", "archive_existing_versions": False},
    )  # fmt: skip
    yield call(
        "DELETE", of + "delete", version, {"name": "<<spare>>", "version": "1"}, prepare="spare_registered"
    )
    yield call("GET", of + "get", version, one)
    yield call(
        "GET", of + "search", search,
        {"max_results": 2, "order_by": ["version_number ASC"], "filter": "name = 'reg'"},
    )  # fmt: skip
    yield call("GET", of + "get-download-uri", version, one)
    yield call("POST", of + "set-tag", {**version, **TAG}, {**one, **A_TAG})
    yield call("DELETE", of + "delete-tag", {**version, "key": "str"}, {**one, "key": "k"})


GROUPS = {"tracking": tracking, "logged_models": logged_models, "registry": registry}


def every():
    return [endpoint for group in GROUPS.values() for endpoint in group()]
