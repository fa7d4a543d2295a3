"""The cost of ``import herdbook``, and the content of the wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import herdbook


def python(code: str, folder: Path, *flags: str) -> str:
    """The output of a new interpreter."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_import_loads_neither_mlflow_nor_numpy(folder: Path) -> None:
    loaded = python("import herdbook, sys, json; print(json.dumps(list(sys.modules)))", folder)
    heavy = {"mlflow", "numpy", "pandas", "torch", "gymnasium", "stable_baselines3"}
    assert heavy & set(json.loads(loaded)) == set()


def test_manager_and_functions_load_neither(folder: Path) -> None:
    code = (
        "from herdbook import MLflowManager, train, status; import sys\n"
        "m = MLflowManager(timeframe='1H'); m.start_run(); m.end_run(); status()\n"
        "print(*({'mlflow', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    assert python(code, folder).strip() == ""


def test_every_public_name_exists() -> None:
    pytest.importorskip("gymnasium")
    for name in herdbook.__all__:
        if name != "TradingVecEnv":
            assert getattr(herdbook, name) is not None, name
    assert set(herdbook.__all__) <= set(dir(herdbook))
    with pytest.raises(AttributeError, match="no attribute 'trains'"):
        herdbook.trains  # type: ignore[attr-defined]


def test_wheel_contains_the_command_line(folder: Path) -> None:
    command = Path(sys.executable).parent / "herdbook"
    run = lambda *args: subprocess.run([command, *args], capture_output=True, text=True)  # noqa: E731
    assert run("--version").stdout.strip() == f"herdbook {herdbook.__version__}"
    trained = run("train", "--timeframe", "1H", "--timesteps", "2048", "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["version"] == 1
    missing = run("champion", "--timeframe", "1H", "--json")
    assert missing.returncode == 1
    assert json.loads(missing.stdout)["error"]["code"] == "not_found"
    wrong = run("promote")
    assert wrong.returncode == 2 and "--timeframe" in wrong.stderr


def test_history_records_python_as_the_channel(folder: Path) -> None:
    with herdbook.MLflowManager(timeframe="1H", actor="ada") as manager:
        manager.start_run()
    first, last = herdbook.history("1H")
    assert (first.kind, first.channel, first.actor) == ("run_started", "python", "ada")
    assert (last.kind, last.to_state) == ("run_ended", "FINISHED")


def test_types_are_shipped() -> None:
    package = Path(herdbook.__file__).parent
    assert (package / "py.typed").is_file() and (package / "_native.pyi").is_file()
    assert not (package.parent / "tests").exists()
    assert os.access(package, os.R_OK)
