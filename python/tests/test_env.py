"""``TradingEnv``, the trainer's environment for Gymnasium."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import BARS

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env

import herdbook
from herdbook import TradingEnv


@pytest.fixture(scope="module")
def env() -> TradingEnv:
    return TradingEnv(BARS, "1H")


def test_environment_passes_the_checker_of_gymnasium(env: TradingEnv) -> None:
    check_env(env, skip_render_check=True)


def test_registered_id_creates_the_environment() -> None:
    made = gymnasium.make("herdbook/Trading-v0", data=str(BARS), timeframe="1H", window="test")
    obs, info = made.reset(seed=1)
    assert obs.shape == (35,) and info["equity"] == 10_000
    assert isinstance(made.unwrapped, TradingEnv)


@pytest.mark.parametrize("order", ["gymnasium, herdbook", "herdbook, gymnasium"])
def test_id_is_registered_in_any_order_of_imports(order: str) -> None:
    code = f"import {order}; print(gymnasium.make('herdbook/Trading-v0').reset(seed=0)[0].shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "(35,)\n", done.stderr


def test_seed_decides_where_an_episode_begins(env: TradingEnv) -> None:
    first, _ = env.reset(seed=5)
    other, _ = env.reset(seed=6)
    again, _ = env.reset(seed=5)
    assert first.tobytes() == again.tobytes() != other.tobytes()
    following, _ = env.reset()
    assert following.tobytes() != first.tobytes(), "without a seed the random numbers continue"


def test_training_episodes_are_truncated_after_512_bars(env: TradingEnv) -> None:
    env.reset(seed=1)
    n_steps, ended = 0, False
    while not ended:
        _, _, terminated, truncated, _ = env.step(1)
        n_steps, ended = n_steps + 1, terminated or truncated
    assert (n_steps, terminated, truncated) == (512, False, True)
    with pytest.raises(herdbook.InvalidInputError, match="call `reset` first"):
        env.step(1)


def test_observations_are_not_changed_by_later_steps(env: TradingEnv) -> None:
    kept: list[Any] = [env.reset(seed=2)[0]]
    copies = [kept[0].copy()]
    for step in range(50):
        obs = env.step(step % 3)[0]
        kept.append(obs)
        copies.append(obs.copy())
    assert all(one.tobytes() == other.tobytes() for one, other in zip(kept, copies))
    addresses = {one.__array_interface__["data"][0] for one in kept}
    assert len(addresses) == len(kept)
    assert all(one.flags.writeable and one.flags.c_contiguous for one in kept)


def test_rewards_add_up_to_the_accounts_growth(env: TradingEnv) -> None:
    env.reset(seed=3)
    total, info = 0.0, {"equity": 0.0}
    for step in range(200):
        _, reward, _, _, info = env.step((step // 7) % 3)
        total += reward
    assert total == pytest.approx(100 * np.log(info["equity"] / 10_000), abs=1e-4)


def test_invalid_actions_are_refused(env: TradingEnv) -> None:
    env.reset(seed=1)
    for action in (3, -1, 2**40):
        with pytest.raises(herdbook.InvalidInputError, match="0 .short., 1 .flat. or 2 .long."):
            env.step(action)
    with pytest.raises((TypeError, ValueError)):
        env.step("long")


def test_invalid_environments_are_refused_with_the_reason() -> None:
    with pytest.raises(herdbook.InvalidInputError, match="expected `train`"):
        TradingEnv(BARS, window="live")  # type: ignore[arg-type]
    with pytest.raises(herdbook.InvalidInputError, match="timeframe"):
        TradingEnv(BARS, "2H")
    with pytest.raises(herdbook.InvalidInputError, match="episode of 0 bars"):
        TradingEnv(BARS, episode_bars=0)
    with pytest.raises(herdbook.InvalidInputError, match="between 0 and 1000"):
        TradingEnv(BARS, cost_bps=-1)


def test_model_earns_on_the_test_window_what_its_training_measured(herd: str) -> None:
    """A registered model, run with ONNX in Python, reaches the trainer's result bit for bit."""
    onnxruntime = pytest.importorskip("onnxruntime")
    parent = herdbook.load_parent("latest", timeframe="1H", tracking_uri=herd)
    session = onnxruntime.InferenceSession(str(Path(parent).with_name("model.onnx")))
    measured = herdbook.show("1H", parent.version, tracking_uri=herd).metrics
    env = TradingEnv(BARS, "1H", window="test")
    obs, info = env.reset(seed=0)
    ended = False
    while not ended:
        action = session.run(["action"], {session.get_inputs()[0].name: obs[None]})[0][0]
        obs, _, terminated, truncated, info = env.step(action)
        ended = terminated or truncated
    assert info["equity"] / 10_000 - 1 == measured["portfolio/total_return"], "to the last bit"


def test_windows_follow_one_another(env: TradingEnv) -> None:
    lengths = {}
    for window in ("validation", "test", "all"):
        on = env.on(window)  # type: ignore[arg-type]
        on.reset()
        n_steps, ended = 0, False
        while not ended:
            _, _, terminated, truncated, _ = on.step(1)
            n_steps, ended = n_steps + 1, terminated or truncated
        lengths[window] = n_steps
    assert 0 < lengths["validation"] < lengths["test"] < lengths["all"]
