"""The calls of the original on a database file, a real PostgreSQL and a stock ``mlflow server``."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import herdbook
from conftest import BARS
from herdbook import MLflowManager


@pytest.fixture(params=["sqlite", "postgresql", "server"])
def uri(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The tracking URI of a store. All tests share the server."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder}/mlflow.db"
    elif request.param == "server":
        yield os.environ["HERDBOOK_TEST_SERVER"]
    else:
        server, name = os.environ["HERDBOOK_TEST_POSTGRES"], f"herd_{uuid.uuid4().hex}"
        on_server(server, f"CREATE DATABASE {name}")
        yield f"{server}/{name}"
        on_server(server, f"DROP DATABASE {name} WITH (FORCE)")


def on_server(server: str, sql: str) -> None:
    import psycopg2  # type: ignore[import-untyped]

    with contextlib.closing(psycopg2.connect(f"{server}/postgres")) as connection:
        connection.autocommit = True
        connection.cursor().execute(sql)


@pytest.fixture
def base_file(past: Path, folder: Path) -> Path:
    """A model file outside the store."""
    model = herdbook.load_parent("latest", timeframe="1H", tracking_uri=f"sqlite:///{past}/mlflow.db")
    return Path(shutil.copy(model, folder / "mine.zip"))


def test_originals_calls_work_on_every_store(uri: str, folder: Path, base_file: Path) -> None:
    import mlflow

    manager = MLflowManager("originals", uri, "1H")
    run = manager.start_run("the first", tags={"note": "n"})
    base = run.info.run_id
    manager.log_params({"gamma": 0.99})
    manager.log_metrics({"final/mean_reward": 1.0, "current_run_timesteps": 2048}, step=2048)
    (folder / "notes.txt").write_text("hello")
    manager.log_artifact(folder / "notes.txt", "texts")
    version = manager.register_model_version(base_file)
    manager.end_run()
    assert manager.get_run(base).info.status == "FINISHED"
    assert manager.find_latest_model() == (base, f"runs:/{base}/models/1H/model.zip")
    assert Path(herdbook.load_parent("latest", timeframe="1H", tracking_uri=uri)).read_bytes() == (
        base_file.read_bytes()
    )
    name = "1H_trading_model"
    with pytest.raises(herdbook.ForbiddenTransitionError, match="beta"):
        manager.promote_model(name, version, "champion")
    with pytest.raises(herdbook.ConflictError, match="herdbook's rules protect it"):
        manager.update_model_tags(base, {"promotion_stage": "champion"})
    assert manager.update_model_tags(base, {"author": "ada"}) is True
    manager.promote_model(name, version, "beta", "tested")
    manager.promote_model(name, version, "champion", "the best")
    assert manager.get_model_stage(name, version) == "champion"

    # A run of MLflow itself, in this process and on this store, becomes the first one's child.
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_name="theirs")
    child = MLflowManager("originals", timeframe="1H", model_type="continued")
    assert child.tracking_uri == uri
    with mlflow.start_run(tags={"enhancement_type": "continued"}) as theirs:
        mlflow.log_metrics({"final/mean_reward": 1.5, "current_run_timesteps": 2048}, step=2048)
        found = child.log_enhancement_metrics(base)
        assert found["improvement_final/mean_reward"] == pytest.approx(50)
        second = child.register_model_version(base_file, base_run_id=base)
    assert int(second) == int(version) + 1
    assert mlflow.get_run(theirs.info.run_id).data.tags["version_type"] == "latest"
    assert mlflow.get_run(base).data.tags["version_type"] == "old"
    assert child.find_best_model("continued", "final/mean_reward", min_timesteps=1)[0] == theirs.info.run_id
    child.promote_model(name, second, "beta")
    child.promote_model(name, second, "champion", "better")
    client = mlflow.MlflowClient()
    assert int(client.get_model_version_by_alias(name, "champion").version) == int(second)
    assert [found["version"] for found in manager.find_models_by_stage("champion", timeframe="1H")] == [int(second)]
    herdbook.rollback("1H", reason="it was not", tracking_uri=uri)
    assert int(client.get_model_version_by_alias(name, "champion").version) == int(version)
    assert manager.get_model_stage(name, second) == "archived"
    diagnosis = herdbook.doctor(tracking_uri=uri)
    assert diagnosis.healthy, diagnosis.breaches
    herdbook.verify(tracking_uri=uri)


def test_curves_grow_in_mlflow_while_training_runs(uri: str) -> None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    seen: list[int] = []

    def look(progress: herdbook.Progress) -> None:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        for run in client.search_runs(experiments, "attributes.status = 'RUNNING'"):
            seen.append(len(client.get_metric_history(run.info.run_id, "training/policy_loss")))

    result = herdbook.train(
        "1H", BARS, timesteps=300 * 2048, tracking_uri=uri, model="live", progress=look
    )
    whole = len(client.get_metric_history(result.run_id, "training/policy_loss"))
    assert whole == 300
    assert len({length for length in seen if 0 < length < whole}) > 1, seen
