"""Fixtures of the suite, which runs on the built wheel: folders, bars, and stores with models."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# What herdbook remembers of the stores of a run of tests ends with it.
_state = tempfile.TemporaryDirectory(prefix="herdbook-state-")
os.environ["XDG_STATE_HOME"] = _state.name
os.environ.pop("MLFLOW_TRACKING_URI", None)

import pytest

import herdbook

SAMPLES = Path(__file__).resolve().parents[2] / "testdata"
BARS = SAMPLES / "eurusd_1h_2017.csv.gz"
# Two rollouts, the fewest that give a learning curve.
TIMESTEPS = 4096


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sb3: needs stable-baselines3 and torch")
    installed = Path(herdbook.__file__).resolve()
    if Path(__file__).resolve().parents[1] in installed.parents:
        raise pytest.UsageError(f"tests run on an installed wheel, not on {installed.parent}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("stable_baselines3") is not None:
        return
    for item in items:
        if item.get_closest_marker("sb3"):
            item.add_marker(pytest.mark.skip(reason="stable-baselines3 is not installed"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the working directory of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def mlflow_forgets() -> Iterator[None]:
    """Resets MLflow after each test."""
    yield
    if mlflow := sys.modules.get("mlflow"):
        while mlflow.active_run() is not None:
            mlflow.end_run()
        mlflow.set_tracking_uri(None)


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that tests must not change: version 1 is a base model and champion, version 2 its child."""
    folder = tmp_path_factory.mktemp("past")
    uri = f"sqlite:///{folder}/mlflow.db"
    before = Path.cwd()
    os.chdir(folder)
    try:
        herdbook.train("1H", BARS, timesteps=TIMESTEPS, tracking_uri=uri, progress=False)
        herdbook.enhance("1H", "best", BARS, timesteps=TIMESTEPS, tracking_uri=uri, progress=False)
        herdbook.promote("1H", 1, "beta", tracking_uri=uri)
        herdbook.promote("1H", 1, "champion", reason="the first one", tracking_uri=uri)
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def herd(past: Path, folder: Path) -> Iterator[str]:
    """Tracking URI of the store of ``past``, which tests must not change."""
    yield f"sqlite:///{past}/mlflow.db"


@pytest.fixture
def own_herd(folder: Path) -> str:
    """Tracking URI of a new store with one base model."""
    uri = f"sqlite:///{folder}/mlflow.db"
    herdbook.train("1H", BARS, timesteps=TIMESTEPS, tracking_uri=uri, progress=False)
    return uri


