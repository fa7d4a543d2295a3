"""``MLflowManager``: the calls of the original on herdbook's records."""

from __future__ import annotations

import pickle
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import herdbook
from herdbook import MLflowManager

MODEL = "1H_trading_model"


@pytest.fixture
def manager(own_herd: str) -> MLflowManager:
    """A manager on a store with a base model."""
    return MLflowManager(tracking_uri=own_herd, timeframe="1H")


def base_run(manager: MLflowManager) -> str:
    run_id, path = manager.find_latest_model()
    assert run_id is not None and path is not None
    return run_id


def base_file(manager: MLflowManager) -> Path:
    return Path(
        herdbook.load_parent("latest", timeframe="1H", tracking_uri=manager.tracking_uri)
    )


def test_run_is_logged_to_as_in_the_original(folder: Path) -> None:
    manager = MLflowManager("stock_trading_rl", None, "1H", "base")
    run = manager.start_run("my run", tags={"note": "first", "version_type": "latest"})
    manager.log_params({"gamma": np.float32(0.5), "layers": np.array([64, 64]), "name": "x"})
    manager.log_metrics({"final/mean_reward": np.float64(1.5), "not a number": "x"}, step=7)  # type: ignore[dict-item]
    (folder / "notes.txt").write_text("hello")
    manager.log_artifact(folder / "notes.txt", "texts")
    seen = manager.get_run(run.info.run_id)
    assert seen.info.run_name == "my run" and seen.info.status == "RUNNING"
    assert seen.data.params == {"gamma": "0.5", "layers": "[64, 64]", "name": "x"}
    assert seen.data.metrics == {"final/mean_reward": 1.5}
    assert seen.data.tags["note"] == "first" and "version_type" not in seen.data.tags
    assert (folder / "mlruns/1" / run.info.run_id / "artifacts/texts/notes.txt").read_text() == "hello"
    manager.end_run()
    assert manager.get_run(run.info.run_id).info.status == "FINISHED"
    assert manager.find_latest_model() == (None, None)


def test_run_whose_tag_is_refused_is_not_started(folder: Path) -> None:
    manager = MLflowManager("stock_trading_rl", None, "1H", "base")
    with pytest.raises(herdbook.ConflictError):
        manager.start_run("mine", tags={"note": "n", "promotion_stage": "champion"})
    with pytest.raises(herdbook.InvalidInputError, match="at most 8000"):
        manager.start_run("mine", tags={"note": "n" * 8001})
    assert manager.current_run is None
    assert not (folder / "mlruns").exists() or not list((folder / "mlruns").rglob("artifacts"))
    with closing(sqlite3.connect(folder / "mlflow.db")) as records:
        assert records.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_missing_model_is_a_pair_of_nones(folder: Path) -> None:
    manager = MLflowManager(timeframe="4H")
    assert manager.find_latest_model(model_type="base", version_type="latest") == (None, None)
    assert manager.find_best_model("continued", "final/mean_reward", min_timesteps=5) == (None, None)
    assert manager.find_models_by_stage("champion") == []
    assert manager.get_model_stage("4H_trading_model", "1") is None


def test_models_are_found_in_the_shapes_of_the_original(manager: MLflowManager) -> None:
    run_id = base_run(manager)
    expected = (run_id, f"runs:/{run_id}/models/1H/model.zip")
    assert manager.find_latest_model(model_type="base", version_type="latest") == expected
    assert manager.find_best_model(metric="final/mean_reward") == expected
    assert manager.find_model("base", "best") == expected
    with pytest.warns(herdbook.HerdbookWarning, match="no `replay` model at 1H"):
        assert manager.find_best_model(model_type="replay") == expected
    (found,) = manager.find_models_by_stage("development", timeframe="1H")
    keys = {"name", "version", "stage", "promotion_stage", "creation_timestamp", "last_updated_timestamp"}
    assert keys <= found.keys()
    assert (found["name"], found["version"], found["stage"]) == (MODEL, 1, "Staging")
    assert found["run_id"] == run_id and found["creation_timestamp"] > 1_600_000_000_000
    assert manager.find_models_by_stage("development", timeframe="D") == []


def test_promotion_is_refused_with_the_legal_stages(manager: MLflowManager) -> None:
    assert manager.get_model_stage(MODEL, 1) == "development"
    with pytest.raises(herdbook.ForbiddenTransitionError) as refused:
        manager.promote_model(MODEL, "1", "champion", "no")
    assert "may go to `beta` or `archived`" in str(refused.value)
    assert manager.get_model_stage(MODEL, 1) == "development"
    assert manager.promote_model(MODEL, "1", "beta", reason="on trial") is True
    assert manager.promote_model(MODEL, 1, "champion") is True
    assert manager.get_model_stage(MODEL, "1") == "champion"
    with pytest.raises(herdbook.InvalidInputError, match="`production` is not a stage|production"):
        manager.promote_model(MODEL, 1, "production")
    with pytest.raises(herdbook.NotFoundError, match="newest is version 1"):
        manager.promote_model(MODEL, 9, "beta")


def test_refusal_is_an_mlflow_exception_once_mlflow_is_loaded(own_herd: str) -> None:
    manager = MLflowManager(tracking_uri=own_herd, timeframe="1H")
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as refused:
        manager.promote_model(MODEL, 1, "champion")
    assert isinstance(refused.value, herdbook.ForbiddenTransitionError)
    assert getattr(refused.value, "error_code") == "INVALID_STATE"
    assert "beta" in refused.value.message
    again = pickle.loads(pickle.dumps(refused.value))
    assert str(again) == str(refused.value) and again.code == "forbidden_transition"


def test_managed_tags_cannot_be_changed(manager: MLflowManager) -> None:
    run_id = base_run(manager)
    for tags in (
        {"promotion_stage": "champion"},
        {"version_type": "old"},
        {"honesty": "clean "},
        {"model_type": "replay"},
        {"promotion_20250101_0000": "beta -> champion"},
        {"note": "a", "promotion_stage": "beta"},
    ):
        with pytest.raises(herdbook.ConflictError, match="herdbook's rules protect it"):
            manager.update_model_tags(run_id, tags)
    assert "note" not in manager.get_run(run_id).data.tags
    assert manager.update_model_tags(run_id, {"note": "b", "version_type": "latest"}) is True
    assert manager.get_run(run_id).data.tags["note"] == "b"
    assert herdbook.doctor(tracking_uri=manager.tracking_uri).healthy


def test_child_is_registered_and_its_parent_turns_old_in_one_act(manager: MLflowManager) -> None:
    parent = base_run(manager)
    metrics = manager.fetch_model_metrics(parent)
    child = MLflowManager(tracking_uri=manager.tracking_uri, timeframe="1H", model_type="continued")
    run = child.start_run(tags={"enhancement_type": "continued"})
    better = {name: value + abs(value) / 10 for name, value in metrics.items() if "/" in name}
    child.log_metrics({**better, "current_run_timesteps": 2048}, step=2048)
    found = child.log_enhancement_metrics(parent)
    assert found["improvement_final/mean_reward"] == pytest.approx(10)
    assert set(found) <= child.fetch_model_metrics(run.info.run_id).keys()
    path = base_file(manager).with_name("copy.zip")
    path.write_bytes(base_file(manager).read_bytes())
    version = child.register_model_version(
        str(path),
        base_run_id=parent,
        tags={"author": "ada", "base_model_run_id": parent, "promotion_stage": "development"},
    )
    assert version == 2
    model = herdbook.show("1H", 2, tracking_uri=manager.tracking_uri)
    assert model.tags["author"] == "ada" and model.tags["total_timesteps"] == "6144"
    assert (model.model_type, model.version_type) == ("continued", "latest")
    assert child.get_run(parent).data.tags["version_type"] == "old"
    assert child.update_model_tags(parent, {"version_type": "old"}), "the value that a tag already has is accepted"
    assert child.find_latest_model("continued") == (
        run.info.run_id,
        f"runs:/{run.info.run_id}/models/1H/model.zip",
    )
    child.log_metrics({"afterwards": 1.0})
    child.end_run()
    assert child.get_run(run.info.run_id).info.status == "FINISHED"
    diagnosis = herdbook.doctor(tracking_uri=manager.tracking_uri)
    assert diagnosis.healthy, diagnosis.breaches
    herdbook.verify(tracking_uri=manager.tracking_uri)


def test_registering_is_refused_before_anything_is_written(manager: MLflowManager) -> None:
    parent = base_run(manager)
    manager.start_run()
    uri = manager.tracking_uri
    events = len(herdbook.history(tracking_uri=uri))
    with pytest.raises(herdbook.NotFoundError, match="save it first"):
        manager.register_model_version("nowhere.zip")
    path = base_file(manager)
    with pytest.raises(herdbook.ConflictError, match="a promotion changes it"):
        manager.register_model_version(path, promotion_stage="champion")
    with pytest.raises(herdbook.NotFoundError, match="no run"):
        manager.register_model_version(path, base_run_id="0" * 32)
    with pytest.raises(herdbook.InvalidInputError, match="not a run id"):
        manager.register_model_version(path, base_run_id="x")
    assert len(herdbook.history(tracking_uri=uri)) == events
    assert manager.get_run(parent).data.tags["version_type"] == "latest"
    with pytest.raises(herdbook.ConflictError, match="already registered"):
        manager.register_model_version(f"runs:/{parent}/models/1H/model.zip")


def test_enhanced_model_without_a_parent_is_refused(own_herd: str) -> None:
    manager = MLflowManager(tracking_uri=own_herd, timeframe="1H", model_type="replay")
    manager.start_run()
    with pytest.raises(herdbook.InvalidInputError, match="base_run_id"):
        manager.register_model_version(base_file(manager))


def test_run_of_a_live_mlflow_is_registered_and_promoted(folder: Path, past: Path) -> None:
    import mlflow

    uri = f"sqlite:///{folder}/live.db"
    mlflow.set_tracking_uri(uri)
    try:
        mlflow.set_experiment(experiment_name="theirs")
        model = past / "base.zip"
        model.write_bytes(
            Path(
                herdbook.load_parent("latest", timeframe="1H", tracking_uri=f"sqlite:///{past}/mlflow.db")
            ).read_bytes()
        )
        manager = MLflowManager(timeframe="1H")
        assert manager.tracking_uri == uri, "the store that was set in MLflow"
        with mlflow.start_run() as run:
            mlflow.log_metric("final/mean_reward", 2.0)
            mlflow.log_artifact(str(model), "models/1H")
            version = manager.register_model_version("base.zip")
        assert mlflow.get_run(run.info.run_id).info.status == "FINISHED"
        manager.promote_model(MODEL, version, "beta")
        manager.promote_model(MODEL, version, "champion", "the only one")
        client = mlflow.MlflowClient()
        champion = client.get_model_version_by_alias(MODEL, "champion")
        assert (champion.run_id, champion.current_stage) == (run.info.run_id, "Production")
        loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
        answer = loaded.predict(np.zeros((2, 35), np.float32))
        assert answer["action"].shape == (2,)
        assert manager.find_best_model(metric="final/mean_reward")[0] == run.info.run_id
        diagnosis = herdbook.doctor(tracking_uri=uri)
        assert diagnosis.healthy, diagnosis.breaches
    finally:
        mlflow.set_tracking_uri(None)


def test_run_started_here_is_mlflows_active_run_too(folder: Path) -> None:
    import mlflow

    try:
        manager = MLflowManager(tracking_uri=f"sqlite:///{folder}/m.db", timeframe="1H")
        run = manager.start_run()
        mlflow.log_param("by", "mlflow")
        active = mlflow.active_run()
        assert active is not None and active.info.run_id == run.info.run_id
        manager.log_metrics({"a": 1.0})
        manager.end_run()
        assert mlflow.active_run() is None
        data = mlflow.get_run(run.info.run_id).data
        assert (data.params["by"], data.metrics["a"]) == ("mlflow", 1.0)
    finally:
        mlflow.end_run()
        mlflow.set_tracking_uri(None)


def test_improvements_are_percent_of_the_base_value(folder: Path) -> None:
    manager = MLflowManager(timeframe="1H")
    found = manager.calculate_improvement(
        {"final/mean_reward": -2.0, "portfolio/win_rate": 0.0, "other": 1.0},
        {"final/mean_reward": -1.0, "portfolio/win_rate": 0.5, "other": 2.0},
    )
    assert found == {"improvement_final/mean_reward": 50.0}


def test_invalid_entries_are_refused_and_nothing_is_logged(folder: Path) -> None:
    manager = MLflowManager(timeframe="1H")
    with pytest.raises(herdbook.InvalidInputError, match="call `start_run` first"):
        manager.log_metrics({"a": 1.0})
    run = manager.start_run()
    manager.log_params({"a": 1})
    with pytest.raises(herdbook.InvalidInputError, match="params never change"):
        manager.log_params({"b": 2, "a": 3})
    with pytest.raises(herdbook.InvalidInputError, match="6000"):
        manager.log_params({"long": "x" * 6001})
    with pytest.raises(herdbook.InvalidInputError, match="metric"):
        manager.log_metrics({"a;b": 1.0, "fine": 1.0})
    with pytest.raises(herdbook.InvalidInputError, match=re.escape("without `..`")):
        manager.log_artifact(__file__, "../..")
    with pytest.raises(herdbook.InvalidInputError, match="cannot read"):
        manager.log_artifact("nowhere.txt")
    assert manager.get_run(run.info.run_id).data.params == {"a": "1"}
    manager.log_metrics({"bad": float("nan"), "worse": float("inf")})


def test_closed_manager_refuses_calls(folder: Path) -> None:
    manager = MLflowManager(timeframe="1H")
    manager.close()
    with pytest.raises(herdbook.InvalidInputError, match="records are closed"):
        manager.find_latest_model()


def test_manager_without_a_timeframe_says_what_is_missing(folder: Path) -> None:
    manager = MLflowManager()
    assert manager.find_models_by_stage("beta") == []
    with pytest.raises(herdbook.InvalidInputError, match='timeframe="1H"'):
        manager.start_run()
    with pytest.raises(herdbook.InvalidInputError, match="timeframe"):
        MLflowManager(timeframe="2H").find_latest_model()


def test_other_tracking_uris_are_refused_by_name(folder: Path) -> None:
    with pytest.raises(herdbook.InvalidInputError, match="ftp://host"):
        MLflowManager(tracking_uri="ftp://host", timeframe="1H")
    (folder / "text.db").write_text("no database" * 100)
    with pytest.raises(herdbook.StoreSchemaError, match="not an SQLite database"):
        MLflowManager(tracking_uri="sqlite:///text.db", timeframe="1H")


@pytest.mark.parametrize(
    ("ending", "status"), [("", "FINISHED"), ("raise ValueError", "FAILED"), ("os._exit(1)", "RUNNING")]
)
def test_run_left_open_by_a_script_gets_the_right_status(
    folder: Path, ending: str, status: str
) -> None:
    code = (
        "import os\nfrom herdbook import MLflowManager\n"
        f"MLflowManager(timeframe='1H').start_run()\nm = MLflowManager(timeframe='1H')\n"
        f"print(m.start_run().info.run_id, flush=True)\n{ending}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    run_id = done.stdout.strip()
    manager = MLflowManager(timeframe="1H")
    assert manager.get_run(run_id).info.status == status, done.stderr
    while status == "RUNNING" and manager.get_run(run_id).info.status != "FAILED":
        # Succeeds once the process of the run has ended.
        herdbook.doctor(repair=True)


def test_with_statement_ends_the_run_after_an_exception(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        with MLflowManager(timeframe="1H") as manager:
            run_id = manager.start_run().info.run_id
            raise KeyboardInterrupt
    assert MLflowManager(timeframe="1H").get_run(run_id).info.status == "KILLED"
