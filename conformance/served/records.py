"""The records that requests of the suite name by labels."""

import itertools

from worlds import Request

API = "/api/2.0/mlflow/"
_numbers = itertools.count(1)


def unused(pair):
    """A name that no record has."""
    pair.learn("unused", [f"unused-{number}" for number in [next(_numbers)] * 2])


def experiment(pair, label):
    """An experiment with the same id on both servers: the numbers are part of locations and messages."""
    name = f"{label} {next(_numbers)}"
    made = pair.json("POST", API + "experiments/create", {"name": name})
    ids = [int(answer["experiment_id"]) for answer in made]
    while ids[0] != ids[1]:
        behind = 0 if ids[0] < ids[1] else 1
        filler = {"name": f"filler {next(_numbers)}"}
        ids[behind] = int(pair.both[behind].json("POST", API + "experiments/create", filler)["experiment_id"])
    pair.learn(label, [str(number) for number in ids])


def run(pair, label="run", experiment="experiment", **more):
    content = {"experiment_id": f"<<{experiment}>>", "run_name": label, "start_time": 1000, "user_id": "u", **more}
    made = pair.json("POST", API + "runs/create", content)
    pair.learn(label, [answer["run"]["info"]["run_id"] for answer in made])


def logged_model(pair, label="model", experiment="experiment", **more):
    content = {"experiment_id": f"<<{experiment}>>", "name": label.replace(" ", "_"), **more}
    made = pair.json("POST", API + "logged-models", content)
    pair.learn(label, [answer["model"]["info"]["model_id"] for answer in made])


def registered(pair, name, versions=1):
    for world in pair.both:
        world.ask(Request("POST", API + "registered-models/create", content={"name": name}))
        for idx in range(versions):
            source = {"name": name, "source": f"s3://bucket/{idx}"}
            world.ask(Request("POST", API + "model-versions/create", content=source))


# By the name that an endpoint gives.


def spare_experiment(pair):
    unused(pair)
    experiment(pair, "spare")


def deleted_experiment(pair):
    experiment(pair, "spare")
    pair.json("POST", API + "experiments/delete", {"experiment_id": "<<spare>>"})


def experiment_tag(pair):
    tag = {"experiment_id": "<<experiment>>", "key": "k", "value": "v"}
    pair.json("POST", API + "experiments/set-experiment-tag", tag)


def run_tag(pair):
    pair.json("POST", API + "runs/set-tag", {"run_id": "<<run>>", "key": "k", "value": "v"})


def model_tag(pair):
    pair.json("PATCH", API + "logged-models/<<model>>/tags", {"tags": [{"key": "k", "value": "v"}]})


def spare_model(pair):
    logged_model(pair, "spare model")


def spare_registered(pair):
    unused(pair)
    number = next(_numbers)
    pair.learn("spare", [f"spare{number}"] * 2)
    registered(pair, f"spare{number}")


def standing(pair, group):
    """The records that stay during a test of one group of endpoints."""
    experiment(pair, "experiment")
    run(pair)
    if group == "registry":
        registered(pair, "reg", 3)
        registered(pair, "reg2")
        for world in pair.both:
            world.json("POST", API + "registered-models/alias", {"name": "reg", "alias": "kept", "version": "2"})
        return
    run(pair, "other run")
    experiment(pair, "searched")
    full_run(pair)
    for idx in range(5):
        more = {"tags": [{"key": "n", "value": str(idx)}], "start_time": 1000 + idx}
        run(pair, f"searched {idx}", "searched", **more)
        metric = {"run_id": f"<<searched {idx}>>", "key": "m", "value": [1.5, "NaN", -1, 3, 2][idx], "timestamp": 1}
        pair.json("POST", API + "runs/log-metric", metric)
    if group == "logged_models" or group == "tracking":
        logged_model(pair)
    if group == "logged_models":
        for idx in range(4):
            tags = [{"key": "t", "value": str(idx % 2)}]
            logged_model(pair, f"searched model {idx}", "searched", tags=tags, params=[{"key": "p", "value": str(idx)}])


def full_run(pair):
    """A run with some of everything."""
    run(pair, "full run")
    metrics = [
        {"key": "m", "value": value, "timestamp": timestamp, "step": step}
        for value, timestamp, step in [(1, 1, 0), (2.5, 2, 1), ("NaN", 2, 2), (2, 3, 3), (7, 3, 3), (0.1, 9, -4)]
    ]
    batch = {
        "run_id": "<<full run>>",
        "metrics": metrics,
        "params": [{"key": "p", "value": "1"}, {"key": "a/b", "value": ""}],
        "tags": [{"key": "t", "value": "é"}],
    }
    pair.json("POST", API + "runs/log-batch", batch)
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "s"}
    inputs = {"run_id": "<<full run>>", "datasets": [{"dataset": dataset, "tags": [{"key": "c", "value": "v"}]}]}
    pair.json("POST", API + "runs/log-inputs", inputs)
    root = "/api/2.0/mlflow-artifacts/artifacts/<<experiment>>/<<full run>>/artifacts/"
    for path in ("a.txt", "d/b.json", "d/e/c.bin"):
        for world in pair.both:
            status, _, body = world.ask(Request("PUT", root + path, body=b"content"))
            assert status == 200, (world.name, path, status, body)


def tied_runs(pair, labels, experiment, **content):
    """Runs that differ in their ids only. The labels follow the order of the ids on each server."""
    sent = {"experiment_id": f"<<{experiment}>>", "run_name": "tied", "start_time": 500, **content}
    made = [pair.json("POST", API + "runs/create", sent) for _ in labels]
    for world, answers in zip(pair.both, zip(*made)):
        for label, run_id in zip(labels, sorted(answer["run"]["info"]["run_id"] for answer in answers)):
            world.learn(label, run_id)
