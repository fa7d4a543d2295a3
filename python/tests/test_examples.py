"""The examples run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BARS

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NEED_SB3 = {"ppo_base.py", "ppo_enhance.py"}


def run(name: str, folder: Path, *args: str) -> str:
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *args], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_life_cycle_without_stable_baselines3(folder: Path) -> None:
    shown = run("life_cycle.py", folder, str(BARS))
    assert "champion: version 2" in shown and "refused:" in shown


def test_original_script_runs_beside_mlflow(folder: Path) -> None:
    shown = run("original_script.py", folder, str(BARS))
    assert "version 2" in shown and "beta" in shown


@pytest.mark.sb3
def test_scripts_of_stable_baselines3_register_their_models(folder: Path) -> None:
    assert "version 1 is registered" in run("ppo_base.py", folder, str(BARS))
    shown = run("ppo_enhance.py", folder, str(BARS))
    assert "version 2 is registered" in shown and "improvement" in shown


def test_every_example_is_run() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert all(example.name in here for example in EXAMPLES.glob("*.py"))
