"""Stores as the original project leaves them, made with the real MLflow: runs with models and tags, and no versions."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from herd import Herd

ZIPS = Path(__file__).parent.parent / "crates/herdbook-ppo/tests/data"
PPO = ZIPS / "gym_1_8.zip"
A2C = ZIPS / "a2c_adam.zip"
MISSING = "f" * 32
EXPERIMENT = "stock_trading_rl_1H"


class Original:
    """A store that scripts of the original project wrote."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.uri = f"sqlite:///{folder}/old.db"
        self.client = MlflowClient(self.uri, self.uri)
        self.experiment = self.client.create_experiment(EXPERIMENT, f"{folder}/mlruns/1")

    def run(self, name, model=PPO, timeframe="1H", status="FINISHED", **tags):
        run = self.client.create_run(self.experiment, run_name=name, tags=tags).info.run_id
        self.client.log_metric(run, "evaluation/best_mean_reward", 1.5, step=100)
        if model:
            file = self.folder / "model.zip"
            shutil.copy(model, file)
            self.client.log_artifact(run, file, f"models/{timeframe}")
        self.client.set_terminated(run, status)
        return run


@pytest.fixture
def original(tmp_path):
    return Original(tmp_path / "original")


@pytest.fixture
def herd(tmp_path):
    folder = tmp_path / "herd"
    folder.mkdir()
    return Herd(folder)


def take_in(herd, original, *flags):
    return herd.ask("import", original.uri, "--timezone", "UTC", *flags)


def test_runs_become_versions_with_their_lineage_once(herd, original):
    first = original.run("first", timeframe="1H", model_type="continued")
    path = f"runs:/{first}/models/1H/model.zip"
    second = original.run("second", model_type="continued", enhancement_type="continued", base_model_path=path)
    orphan = original.run("orphan", model_type="continued", enhancement_type="continued", base_model_run_id=MISSING)
    original.run("failed", status="FAILED", model_type="base")
    original.run("without a model", model=None, model_type="base")
    other = original.run("another algorithm", model=A2C, model_type="base")

    dry = take_in(herd, original, "--register-runs", "--dry-run")
    assert dry["registered_runs"]["added"] == 4 and dry["experiments"]["added"] == 2
    plain = take_in(herd, original)
    assert plain["registered_runs"] is None and plain["versions"]["found"] == 0
    report = take_in(herd, original, "--register-runs")
    assert report["registered_runs"] == {"found": 4, "added": 4, "present": 0, "completed": 0}
    assert take_in(herd, original, "--register-runs")["registered_runs"]["present"] == 4

    said = {finding["run_id"]: finding["message"] for finding in report["audit"] if finding["kind"] == "registered_run"}
    assert said[first] == "its tag `model_type` is `continued`, but it names no parent: it is a base model"
    assert MISSING in said[orphan] and "a model of A2C" in said[other]
    versions = {version["run_id"]: version for version in herd.versions().values()}
    assert set(versions) == {first, second, orphan, other}
    assert (versions[first]["model_type"], versions[first]["version_type"]) == ("base", "old")
    assert (versions[second]["model_type"], versions[second]["version_type"]) == ("continued", "latest")
    tags = herd.client().get_model_version("1H_trading_model", str(versions[first]["version"])).tags
    assert tags["imported_model_type"] == "continued"
    tags = herd.client().get_model_version("1H_trading_model", str(versions[second]["version"])).tags
    assert tags["base_model_run_id"] == first
    assert herd.ask("find", "latest", "--timeframe", "1H", "--model-type", "base")["run_id"] == other


def test_one_run_is_registered_by_name_after_its_parent(herd, original):
    parent = original.run("parent", model_type="base")
    child = original.run("child", model_type="continued", enhancement_type="continued", base_model_run_id=parent)
    bare = original.run("bare", model=None)
    take_in(herd, original)
    error = herd.refused("register", child)
    assert error["code"] == "not_found" and f"`herdbook register {parent}`" in error["hint"]
    assert herd.ask("register", parent)["version"] == 1
    answer = herd.ask("register", child)
    assert answer["model_type"] == "continued" and len(answer["superseded"]) == 1
    assert herd.refused("register", child)["code"] == "conflict"
    assert "no model file" in herd.refused("register", bare)["message"]
    assert herd.refused("register", MISSING)["code"] == "not_found"
