"""What users do with MLflow's client. Each scenario gets a `Use` and returns what the client gave back.

A scenario runs once against each server. Names and times in it are fixed, so that equal servers give equal results.
"""

import json
import os
import time

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, RunTag, ViewType
from mlflow.tracking import MlflowClient

SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


class Use:
    """A client of one server, in an experiment of its own."""

    def __init__(self, world, folder, name):
        self.world = world
        self.folder = folder
        self.name = name
        self.client = MlflowClient()
        self.experiment = mlflow.set_experiment(name)
        world.learn(f"experiment {name}", f"experiment-{self.experiment.experiment_id}")

    def raised(self, call, *arguments, **named):
        """The error of a call, or its result."""
        try:
            return plain(call(*arguments, **named))
        except Exception as error:  # noqa: BLE001
            return [type(error).__name__, getattr(error, "error_code", None), str(error)]

    def run(self, name, **more):
        run = self.client.create_run(self.experiment.experiment_id, start_time=1000, run_name=name, **more)
        self.world.learn(name, run.info.run_id)
        return run.info.run_id


# Attributes that depend on the process or the moment, and are compared elsewhere.
LEFT_OUT = {"mlflow.source.name", "mlflow.log-model.history", "mlflow.source.git.commit", "mlflow.user"}


def plain(value):
    """The value as JSON has it."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items() if key not in LEFT_OUT}
    if isinstance(value, (list, tuple, set)) or type(value).__name__ in ("PagedList", "RepeatedScalarContainer"):
        return [plain(item) for item in value]
    if isinstance(value, (str, int, bool)) or value is None:
        return value
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, pd.DataFrame):
        return plain(json.loads(value.to_json(orient="records", default_handler=str)))
    if isinstance(value, pd.Series):
        return plain(value.to_list())
    if hasattr(value, "to_dictionary"):
        return plain(value.to_dictionary())
    try:
        return {name: plain(item) for name, item in dict(value).items() if name not in LEFT_OUT}
    except (TypeError, ValueError):
        return str(type(value).__name__)


@scenario
def fluent_run_with_everything(use):
    with mlflow.start_run(run_name="outer", tags={"a": "b"}, description="text") as run:
        use.world.learn("outer", run.info.run_id)
        mlflow.log_param("p", 1)
        mlflow.log_params({"q": "x", "r": 1.5, "long": "y" * 7000})
        for step in range(5):
            mlflow.log_metric("m", step / 3, step=step, timestamp=step)
        mlflow.log_metrics({"n": float("nan"), "i": float("inf"), "j": float("-inf")}, step=2, timestamp=9)
        mlflow.set_tag("t", "é")
        mlflow.set_tags({"u": 1, "long": "z" * 9000})
        mlflow.log_text("hello", "texts/hello.txt")
        mlflow.log_dict({"a": [1, 2]}, "d.json")
        mlflow.log_dict({"a": [1, 2]}, "d.yaml")
        mlflow.log_table({"a": [1, 2], "b": ["x", "y"]}, "table.json")
        mlflow.log_table({"a": [3], "b": ["z"]}, "table.json")
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "image.png")
        with mlflow.start_run(run_name="inner", nested=True) as inner:
            use.world.learn("inner", inner.info.run_id)
            mlflow.log_metric("k", 1, timestamp=1)
        mlflow.delete_tag("t")
    parent = mlflow.get_parent_run(inner.info.run_id)
    return [
        plain(mlflow.get_run(run.info.run_id)),
        plain(mlflow.get_run(inner.info.run_id)),
        parent.info.run_id,
        plain(use.client.get_metric_history(run.info.run_id, "m")),
        plain(use.client.get_metric_history(run.info.run_id, "n")),
        listed(use.client, run.info.run_id),
        mlflow.artifacts.load_text(run.info.artifact_uri + "/texts/hello.txt"),
        mlflow.artifacts.load_dict(run.info.artifact_uri + "/d.json"),
        plain(mlflow.load_table("table.json", run_ids=[run.info.run_id])),
    ]


def listed(client, run_id, path=None):
    """All files of a run with their sizes."""
    found = []
    for file in client.list_artifacts(run_id, path):
        # Images of a table have names with random numbers and times.
        found.append([file.path, file.is_dir, file.file_size])
        if file.is_dir:
            found += listed(client, run_id, file.path)
    return found


@scenario
def failed_and_killed_runs(use):
    results = []
    try:
        with mlflow.start_run(run_name="fails") as run:
            use.world.learn("fails", run.info.run_id)
            raise ValueError("for the test")
    except ValueError:
        results.append(plain(mlflow.get_run(run.info.run_id)))
    mlflow.start_run(run_name="killed")
    use.world.learn("killed", mlflow.active_run().info.run_id)
    killed = mlflow.active_run().info.run_id
    mlflow.end_run("KILLED")
    results.append(plain(mlflow.get_run(killed)))
    with mlflow.start_run(run_id=killed):
        mlflow.log_metric("again", 1, timestamp=1)
        results.append(mlflow.active_run().info.status)
    results.append(plain(mlflow.get_run(killed)))
    use.client.set_terminated(killed, "FAILED", end_time=77)
    results.append(plain(use.client.get_run(killed)))
    use.client.update_run(killed, status="SCHEDULED", name="new name")
    results.append(plain(use.client.get_run(killed)))
    return results


@scenario
def batches_larger_than_one_request(use):
    run_id = use.run("batched")
    metrics = [Metric(f"m{idx % 7}", idx, idx, idx) for idx in range(2500)]
    params = [Param(f"p{idx}", str(idx)) for idx in range(230)]
    tags = [RunTag(f"t{idx}", str(idx)) for idx in range(210)]
    results = [use.raised(use.client.log_batch, run_id, metrics=metrics[:1001])]
    results.append(use.raised(use.client.log_batch, run_id, params=params[:101]))
    results.append(use.raised(use.client.log_batch, run_id, tags=tags[:101]))
    with mlflow.start_run(run_id=run_id):
        mlflow.log_params({param.key: param.value for param in params})
        mlflow.set_tags({tag.key: tag.value for tag in tags})
        mlflow.log_metrics({f"x{idx}": idx for idx in range(1500)}, step=1, timestamp=1)
    use.client.log_batch(run_id, metrics=metrics[:1000])
    results.append(plain(use.client.get_run(run_id)))
    results.append(plain(use.client.get_metric_history(run_id, "m3")))
    return results


@scenario
def logging_in_the_background(use):
    with mlflow.start_run(run_name="background") as run:
        use.world.learn("background", run.info.run_id)
        for step in range(300):
            mlflow.log_metric("loss", 1 / (step + 1), step=step, timestamp=step, synchronous=False)
        mlflow.log_params({"a": 1}, synchronous=False)
        mlflow.set_tag("b", 2, synchronous=False)
        mlflow.flush_async_logging()
    return [plain(mlflow.get_run(run.info.run_id)), plain(use.client.get_metric_history(run.info.run_id, "loss"))]


@scenario
def params_do_not_change(use):
    run_id = use.run("constant")
    client = use.client
    return [
        use.raised(client.log_param, run_id, "p", 1),
        use.raised(client.log_param, run_id, "p", 1),
        use.raised(client.log_param, run_id, "p", 2),
        use.raised(client.log_batch, run_id, params=[Param("q", "1"), Param("p", "2")]),
        use.raised(client.log_batch, run_id, params=[Param("q", "1"), Param("q", "2")]),
        use.raised(client.log_batch, run_id, params=[Param("q", "1"), Param("q", "1")]),
        plain(client.get_run(run_id)),
    ]


@scenario
def errors_that_users_see(use):
    client, run_id = use.client, use.run("errors")
    calls = [
        (client.get_run, "0" * 32), (client.get_run, "x"), (client.get_run, ""), (client.get_experiment, "99999"),
        (client.get_experiment, "x"), (client.get_experiment_by_name, "none"), (client.delete_run, "0" * 32),
        (client.restore_run, "0" * 32), (client.create_run, "99999"), (client.create_experiment, use.name),
        (client.create_experiment, ""), (client.create_experiment, "x" * 501), (client.rename_experiment, "99999", "y"),
        (client.delete_experiment, "99999"), (client.log_metric, run_id, "a//b", 1), (client.log_metric, run_id, "", 1),
        (client.log_metric, run_id, "x" * 251, 1), (client.log_metric, run_id, "m", "text"),
        (client.log_param, run_id, "../x", 1), (client.log_param, run_id, "a b:c-d/e.f_g", 1),
        (client.set_tag, run_id, "k" * 251, "v"), (client.set_tag, run_id, "k", "v" * 9000),
        (client.delete_tag, run_id, "none"), (client.log_metric, "0" * 32, "m", 1), (client.set_tag, "0" * 32, "k", "v"),
        (client.get_metric_history, run_id, "none"), (client.get_metric_history, "0" * 32, "m"),
        (client.get_registered_model, "none"), (client.get_model_version, "none", "1"),
        (client.create_registered_model, "a/b"), (client.create_registered_model, ""),
        (client.create_model_version, "none", "s3://x"), (client.delete_registered_model, "none"),
        (client.get_model_version_by_alias, "none", "a"), (client.set_registered_model_alias, "none", "a", 1),
        (client.search_runs, ["0"], "metrics.m > 'x'"), (client.search_runs, ["0"], "foo = 1"),
        (client.search_runs, ["0"], "", 1, 50001), (client.search_experiments, 1, 0), (client.get_logged_model, "m-none"),
        (client.search_registered_models, "foo = 1"), (client.search_model_versions, "foo = 1"),
        (client.search_logged_models, ["0"], "foo >"), (client.list_artifacts, "0" * 32),
        (client.download_artifacts, run_id, "none"), (client.update_run, run_id, "NOPE"),
        (client.set_terminated, run_id, "NOPE"), (client.set_experiment_tag, "99999", "k", "v"),
        (client.delete_experiment_tag, use.experiment.experiment_id, "none"),
        (mlflow.load_table, "none.json", [run_id]), (mlflow.pyfunc.load_model, "models:/none/1"),
        (mlflow.pyfunc.load_model, "models:/none@a"), (mlflow.pyfunc.load_model, "models:/m-none"),
        (mlflow.pyfunc.load_model, f"runs:/{run_id}/none"), (mlflow.register_model, f"runs:/{run_id}/none", "x"),
    ]  # fmt: skip
    return [[call.__name__, *map(str, arguments), use.raised(call, *arguments)] for call, *arguments in calls]


@scenario
def deleted_runs_and_experiments(use):
    client, results = use.client, []
    run_ids = [use.run(f"deleted {idx}") for idx in range(3)]
    client.delete_run(run_ids[0])
    client.delete_run(run_ids[0])
    results.append(plain(client.get_run(run_ids[0])))
    for call in (
        lambda: client.log_metric(run_ids[0], "m", 1), lambda: client.log_param(run_ids[0], "p", 1),
        lambda: client.set_tag(run_ids[0], "t", 1), lambda: client.set_terminated(run_ids[0]),
        lambda: client.log_batch(run_ids[0], tags=[RunTag("t", "1")]), lambda: client.delete_tag(run_ids[0], "t"),
        lambda: client.log_text(run_ids[0], "x", "x.txt"),
    ):  # fmt: skip
        results.append(use.raised(call))
    name = f"{use.name} deleted"
    experiment = client.create_experiment(name, tags={"a": "b"})
    use.world.learn("run of deleted", client.create_run(experiment, start_time=5, run_name="x").info.run_id)
    client.delete_experiment(experiment)
    results.append(use.raised(client.delete_experiment, experiment))
    results.append(plain(client.get_experiment(experiment)))
    results.append(plain(client.get_experiment_by_name(name)))
    results.append(use.raised(client.create_experiment, name))
    results.append(use.raised(client.create_run, experiment))
    results.append(use.raised(client.rename_experiment, experiment, "y"))
    results.append(use.raised(client.set_experiment_tag, experiment, "k", "v"))
    results.append(use.raised(mlflow.set_experiment, name))
    for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL):
        found = client.search_runs([use.experiment.experiment_id, experiment], run_view_type=view, order_by=["run_name"])
        results.append([run.info.run_name for run in found])
        results.append(plain(client.search_experiments(view_type=view, filter_string=f"name LIKE '{use.name}%'")))
    client.restore_experiment(experiment)
    results.append(use.raised(client.restore_experiment, experiment))
    client.restore_run(run_ids[0])
    client.rename_experiment(experiment, f"{name} again")
    results.append(plain(client.get_experiment(experiment)))
    results.append(plain(client.search_runs([experiment])))
    results.append(use.raised(client.rename_experiment, experiment, use.name))
    return results


@scenario
def datasets_of_runs(use):
    frame = pd.DataFrame({"x": [1, 2], "y": [0.5, 1.5]})
    dataset = mlflow.data.from_pandas(frame, source="https://example.com/d.csv", name="frame", targets="y")
    array = mlflow.data.from_numpy(np.ones((2, 3)), name="array")
    with mlflow.start_run(run_name="with data") as run:
        use.world.learn("with data", run.info.run_id)
        mlflow.log_input(dataset, context="training")
        mlflow.log_input(array, context="testing", tags={"k": "v"})
        mlflow.log_input(dataset, context="again")
    other = use.run("other data")
    inputs = [DatasetInput(Dataset("frame", "digest", "local", "s"), [InputTag("mlflow.data.context", "training")])]
    use.client.log_inputs(other, inputs)
    results = [plain(mlflow.get_run(run.info.run_id).inputs), plain(use.client.get_run(other).inputs)]
    for text in ("dataset.name = 'frame'", "dataset.context = 'training'", "dataset.name = 'array'",
                 f"dataset.digest = '{dataset.digest}'", "dataset.context = 'testing' AND dataset.name = 'frame'"):  # fmt: skip
        found = use.client.search_runs([use.experiment.experiment_id], text, order_by=["run_name"])
        results.append([entry.info.run_name for entry in found])
    return results


@scenario
def searches_as_frames(use):
    for idx in range(6):
        run_id = use.run(f"found {idx}", tags={"n": str(idx)})
        use.client.log_metric(run_id, "m", [3, 1, float("nan"), 2, 1, 0][idx], timestamp=1)
        use.client.log_param(run_id, "p", idx % 2)
        use.client.set_terminated(run_id, end_time=2000 + idx)
    results = []
    for order in (["metrics.m DESC", "tags.n"], ["params.p", "tags.n DESC"], ["attributes.start_time", "run_name"]):
        frame = mlflow.search_runs([use.experiment.experiment_id], "params.p = '1' OR" * 0, order_by=order)
        results.append(sorted(frame.columns))
        results.append(plain(frame[["run_id", "metrics.m", "params.p", "tags.n"]]))
    results.append(plain(mlflow.search_runs(experiment_names=[use.name], output_format="list", order_by=["tags.n"])))
    token, names = None, []
    while True:
        page = use.client.search_runs([use.experiment.experiment_id], max_results=2, order_by=["tags.n"], page_token=token)
        names.append([run.info.run_name for run in page])
        token = page.token
        if not token:
            break
    return [*results, names]


@scenario
def logged_models_of_the_client(use):
    client = use.client
    with mlflow.start_run(run_name="makes models") as run:
        use.world.learn("makes models", run.info.run_id)
        model = mlflow.initialize_logged_model(name="first", model_type="agent", tags={"a": "b"}, params={"lr": 1})
        use.world.learn("first", model.model_id)
        mlflow.log_model_params({"more": 2}, model.model_id)
        external = mlflow.create_external_model(name="outside", params={"x": "y"})
        use.world.learn("outside", external.model_id)
        dataset = mlflow.data.from_numpy(np.ones(3), name="numbers")
        mlflow.log_metric("acc", 0.5, step=1, timestamp=5, model_id=model.model_id, dataset=dataset)
        mlflow.log_metrics({"f1": 0.25, "nan": float("nan")}, step=2, timestamp=6, model_id=model.model_id)
        mlflow.log_outputs(models=[LoggedModelOutput(external.model_id, 3)])
        mlflow.log_inputs(models=None, datasets=[dataset], contexts=["c"], tags_list=[None])
    mlflow.set_logged_model_tags(model.model_id, {"c": "d", "a": "changed"})
    mlflow.delete_logged_model_tag(model.model_id, "c")
    results = [plain(mlflow.get_logged_model(model.model_id)), plain(mlflow.get_logged_model(external.model_id))]
    results.append(use.raised(mlflow.delete_logged_model_tag, model.model_id, "c"))
    results.append(use.raised(mlflow.log_model_params, {"lr": 3}, model.model_id))
    mlflow.finalize_logged_model(model.model_id, "FAILED")
    results.append(plain(client.get_logged_model(model.model_id)))
    ids = [use.experiment.experiment_id]
    for text in (None, "metrics.acc > 0.4", "params.lr = '1'", "tags.a = 'changed'", "name = 'outside'", "status = 'READY'"):
        found = client.search_logged_models(ids, text, order_by=[{"field_name": "name"}])
        results.append([plain(entry) for entry in found])
    found = client.search_logged_models(ids, order_by=[{"field_name": "metrics.acc", "ascending": False}], max_results=1)
    results += [plain(found), found.token is not None]
    frame = mlflow.search_logged_models(ids, order_by=[{"field_name": "name"}])
    results.append(sorted(frame.columns))
    results.append(plain(mlflow.get_run(run.info.run_id)))
    client.delete_logged_model(external.model_id)
    results.append(use.raised(client.get_logged_model, external.model_id))
    results.append([entry.name for entry in client.search_logged_models(ids)])
    return results


@scenario
def registry_of_the_client(use):
    client, results = use.client, []
    name = use.name.replace(" ", "_")
    results.append(plain(client.create_registered_model(name, tags={"a": "b"}, description="text")))
    results.append(use.raised(client.create_registered_model, name))
    run_id = use.run("registers")
    for idx in range(4):
        version = client.create_model_version(name, f"s3://b/{idx}", tags={"n": idx}, description=f"d{idx}")
        results.append(plain(version))
    results.append(use.raised(client.create_model_version, name, f"runs:/{run_id}/model", run_id=run_id))
    results.append(use.raised(client.create_model_version, name, "/etc/passwd"))
    results.append(use.raised(client.create_model_version, name, "file:///etc/passwd"))
    results.append(use.raised(client.create_model_version, name, "mlflow-artifacts:/1/2/../../x"))
    for stage in ("Staging", "production", "ARCHIVED", "None", "foo"):
        results.append(use.raised(client.transition_model_version_stage, name, "1", stage))
    client.transition_model_version_stage(name, "2", "Production")
    results.append(plain(client.transition_model_version_stage(name, "3", "Production", archive_existing_versions=True)))
    results.append(plain(client.get_latest_versions(name)))
    results.append(plain(client.get_latest_versions(name, ["Production", "archived"])))
    results.append(use.raised(client.get_latest_versions, name, ["nope"]))
    for alias in ("champion", "Best_1", "latest", "v1", "a b", "x" * 256, ""):
        results.append(use.raised(client.set_registered_model_alias, name, alias, "2"))
    results.append(plain(client.get_model_version_by_alias(name, "champion")))
    results.append(use.raised(client.set_registered_model_alias, name, "none", "99"))
    client.set_registered_model_alias(name, "champion", 3)
    client.delete_registered_model_alias(name, "Best_1")
    client.delete_registered_model_alias(name, "Best_1")
    client.set_model_version_tag(name, "1", "k", "v" * 5000)
    client.set_registered_model_tag(name, "k", "v")
    client.delete_registered_model_tag(name, "a")
    client.delete_registered_model_tag(name, "a")
    client.delete_model_version_tag(name, "1", "n")
    client.update_model_version(name, "1", "new text")
    client.update_registered_model(name, "other text")
    results += [plain(client.get_registered_model(name)), plain(client.get_model_version(name, "1"))]
    results.append(client.get_model_version_download_uri(name, "1"))
    client.delete_model_version(name, "3")
    results.append(use.raised(client.get_model_version, name, "3"))
    results.append(use.raised(client.delete_model_version, name, "3"))
    results.append(plain(client.create_model_version(name, "s3://b/5")))
    results.append(plain(client.copy_model_version(f"models:/{name}/1", f"{name}_copy")))
    client.rename_registered_model(name, f"{name}_renamed")
    results.append(use.raised(client.rename_registered_model, f"{name}_renamed", f"{name}_copy"))
    results.append(plain(client.search_model_versions(f"name = '{name}_renamed'")))
    results.append(plain(client.search_registered_models(f"name LIKE '{name}%'", order_by=["name DESC"])))
    results.append(plain(client.get_registered_model(f"{name}_renamed")))
    client.delete_registered_model(f"{name}_renamed")
    results.append(use.raised(client.get_registered_model, f"{name}_renamed"))
    return results


@scenario
def prompts(use):
    name = use.name.replace(" ", "_")
    first = mlflow.genai.register_prompt(name=name, template="Say {{x}}", commit_message="one", tags={"a": "b"})
    mlflow.genai.register_prompt(name=name, template="Tell {{x}}")
    mlflow.genai.set_prompt_alias(name, "live", 2)
    loaded = mlflow.genai.load_prompt(f"prompts:/{name}@live")
    found = use.client.search_registered_models(f"name = '{name}'")
    prompts = mlflow.genai.search_prompts(f"name = '{name}'")
    return [first.version, loaded.version, loaded.template, len(found), [prompt.name for prompt in prompts]]


@scenario
def files_of_all_kinds(use):
    folder = use.folder / "files"
    for path in ("a.txt", "d/with space.txt", "d/ä漢.bin", "d/e/%41.txt", "d/e/plus+.txt", "d/e/.hidden", "empty"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"" if path == "empty" else os.urandom(0) + path.encode() * 1000)
    run_id = use.run("files")
    use.client.log_artifacts(run_id, folder, "all")
    use.client.log_artifact(run_id, folder / "a.txt")
    results = [listed(use.client, run_id)]
    down = use.folder / "down"
    down.mkdir()
    path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="all", dst_path=down)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            copy = down / "all" / file.relative_to(folder)
            results.append([str(file.relative_to(folder)), copy.exists() and copy.read_bytes() == file.read_bytes()])
    results.append(os.path.basename(path.rstrip("/")))
    results.append(use.raised(mlflow.artifacts.download_artifacts, run_id=run_id, artifact_path="all/none"))
    results.append([file.path for file in mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path="all/d")])
    results.append([file.path for file in mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path="a.txt")])
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(mlflow.get_run(run_id).info.artifact_uri)
    repository.delete_artifacts("all/d")
    results.append(listed(use.client, run_id))
    return results


class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[float], params=None):
        return [2 * value for value in model_input]


@scenario
def model_of_python_code(use):
    with mlflow.start_run(run_name="pyfunc") as run:
        use.world.learn("pyfunc", run.info.run_id)
        info = mlflow.pyfunc.log_model(name="doubling", python_model=Doubling(), pip_requirements=["mlflow"])
        use.world.learn("doubling", info.model_id)
    return loaded_each_way(use, run, info, "doubling", [1.0, 2.0])


@scenario
def model_of_scikit_learn(use):
    from sklearn.linear_model import LinearRegression

    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
    model = LinearRegression().fit(x, y)
    with mlflow.start_run(run_name="sklearn") as run:
        use.world.learn("sklearn", run.info.run_id)
        mlflow.log_metric("before", 1, timestamp=1)
        info = mlflow.sklearn.log_model(
            model, name="line", input_example=x, pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
        )
        use.world.learn("line", info.model_id)
    return loaded_each_way(use, run, info, "line", x)


@scenario
def model_of_onnx(use):
    import onnx
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    with mlflow.start_run(run_name="onnx") as run:
        use.world.learn("onnx", run.info.run_id)
        info = mlflow.onnx.log_model(model, name="twice", pip_requirements=["onnxruntime"])
        use.world.learn("twice", info.model_id)
    return loaded_each_way(use, run, info, "twice", np.ones((1, 2), dtype=np.float32))


def loaded_each_way(use, run, info, name, example):
    """Registers a model and loads it by each kind of URI."""
    registered = use.name.replace(" ", "_")
    first = mlflow.register_model(f"models:/{info.model_id}", registered, tags={"a": "b"})
    second = mlflow.register_model(f"runs:/{run.info.run_id}/{name}", registered)
    use.client.set_registered_model_alias(registered, "live", 2)
    results = [plain(first), plain(second), plain(use.client.get_registered_model(registered))]
    uris = [f"models:/{registered}/1", f"models:/{registered}@live", f"models:/{registered}/latest",
            f"models:/{info.model_id}", f"runs:/{run.info.run_id}/{name}"]  # fmt: skip
    for uri in uris:
        results.append(plain(mlflow.pyfunc.load_model(uri).predict(example)))
    results.append(plain(mlflow.get_logged_model(info.model_id)))
    results.append(plain(mlflow.get_run(run.info.run_id)))
    repository = mlflow.artifacts.list_artifacts(artifact_uri=f"models:/{info.model_id}")
    results.append([file.path for file in repository])
    results.append(mlflow.models.get_model_info(f"models:/{registered}/1").flavors.keys().__len__())
    results.append(plain(use.client.search_model_versions(f"name = '{registered}'")))
    results.append(plain(use.client.copy_model_version(f"models:/{registered}@live", f"{registered}_copy")))
    return results


@scenario
def model_registered_while_it_is_logged(use):
    registered = use.name.replace(" ", "_")
    with mlflow.start_run(run_name="at once") as run:
        use.world.learn("at once", run.info.run_id)
        info = mlflow.pyfunc.log_model(
            name="m", python_model=Doubling(), pip_requirements=["mlflow"], registered_model_name=registered
        )
        use.world.learn("m", info.model_id)
    versions = use.client.search_model_versions(f"name = '{registered}'")
    return [info.registered_model_version, plain(versions), plain(mlflow.get_logged_model(info.model_id))]


@scenario
def autologging_with_scikit_learn(use):
    from sklearn.linear_model import LogisticRegression

    mlflow.sklearn.autolog(log_models=True, silent=True)
    try:
        x = np.array([[0.0], [1.0], [2.0], [3.0]])
        model = LogisticRegression().fit(x, [0, 0, 1, 1])
        model.score(x, [0, 0, 1, 1])
        run = mlflow.last_active_run()
        use.world.learn("autologged", run.info.run_id)
        models = use.client.search_logged_models([use.experiment.experiment_id])
        for model in models:
            use.world.learn("autologged model", model.model_id)
    finally:
        mlflow.end_run()
        mlflow.sklearn.autolog(disable=True)
    run = use.client.get_run(run.info.run_id)
    files = [entry[:2] for entry in listed(use.client, run.info.run_id)]
    return [plain(run.data), plain(run.inputs), plain(run.outputs), files, len(models)]


@scenario
def experiments_of_the_client(use):
    client, results = use.client, []
    ids = [client.create_experiment(f"{use.name} {idx}", tags={"n": str(idx)}) for idx in range(4)]
    client.set_experiment_tag(ids[0], "k", "v")
    client.set_experiment_tag(ids[0], "k", "v" * 5000)
    results.append(use.raised(client.set_experiment_tag, ids[0], "k", "v" * 20001))
    client.delete_experiment_tag(ids[0], "n")
    results.append(plain(client.get_experiment(ids[0])))
    located = client.create_experiment(f"{use.name} located", artifact_location="s3://bucket/x")
    results.append(plain(client.get_experiment(located)))
    for location in ("runs:/x", "s3://b/x#f", "x" * 2049, "s3://b/../x", "http://host/x", "file:///tmp/x"):
        results.append(use.raised(client.create_experiment, f"{use.name} at {location[:20]}", location))
    named = f"name LIKE '{use.name}%'"
    for order in (["name DESC"], ["experiment_id"], ["last_update_time", "name"]):
        results.append(plain(client.search_experiments(filter_string=named, order_by=order)))
    page = client.search_experiments(filter_string=named, max_results=2, order_by=["name"])
    results += [plain(page), plain(client.search_experiments(filter_string=named, max_results=2, order_by=["name"],
                                                             page_token=page.token))]  # fmt: skip
    return results


@scenario
def loss_of_a_keras_like_loop(use):
    """What most training loops do: one metric at a time, then the best by a search."""
    for trial in range(4):
        with mlflow.start_run(run_name=f"trial {trial}") as run:
            use.world.learn(f"trial {trial}", run.info.run_id)
            mlflow.log_params({"lr": 10.0**-trial, "trial": trial})
            for step in range(20):
                mlflow.log_metric("val/loss", (trial - 1.5) ** 2 + 1 / (step + 1), step=step, timestamp=step)
    ids = [use.experiment.experiment_id]
    best = use.client.search_runs(ids, "metrics.`val/loss` < 10", order_by=["metrics.`val/loss` ASC"], max_results=1)
    return [plain(best), plain(use.client.get_metric_history(best[0].info.run_id, "val/loss"))]


@scenario
def threads_that_log_to_one_run(use):
    from concurrent.futures import ThreadPoolExecutor

    run_id = use.run("threads")

    def log(number):
        for step in range(20):
            use.client.log_metric(run_id, f"m{number}", step, timestamp=step, step=step)
        use.client.set_tag(run_id, f"t{number}", "x")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log, range(8)))
    run = use.client.get_run(run_id)
    return [plain(run), [len(use.client.get_metric_history(run_id, f"m{number}")) for number in range(8)]]


@scenario
def traces_are_exported(use):
    """A server without traces may refuse them; the client must go on working."""

    @mlflow.trace
    def traced(x):
        return x + 1

    result = traced(1)
    mlflow.flush_trace_async_logging()
    time.sleep(0.1)
    return [result]
