"""stable-baselines3: the vectorised environment, and the callback that records trainings."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import BARS

sb3 = pytest.importorskip("stable_baselines3")
pytestmark = pytest.mark.sb3

import gymnasium
import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecMonitor, VecNormalize

import herdbook
from herdbook import TradingEnv, TradingVecEnv
from herdbook.sb3 import LifecycleCallback

N_ENVS = 4


@pytest.fixture(scope="module")
def base() -> TradingEnv:
    return TradingEnv(BARS, "1H", symbol="EURUSD")


def vec(base: TradingEnv, n_envs: int = N_ENVS) -> TradingVecEnv:
    return TradingVecEnv(n_envs, arena=base.arena)


def dummy(base: TradingEnv, n_envs: int = N_ENVS) -> DummyVecEnv:
    return DummyVecEnv([lambda: TradingEnv(arena=base.arena) for _ in range(n_envs)])


def ppo(env: Any, **options: Any) -> PPO:
    torch.set_num_threads(1)
    return PPO("MlpPolicy", env, n_steps=256, seed=7, device="cpu", **options)


def test_environment_passes_the_checker_of_stable_baselines3(base: TradingEnv) -> None:
    check_env(base, warn=True, skip_render_check=True)


def test_every_step_is_that_of_a_dummy_vec_env(base: TradingEnv) -> None:
    ours: Any = vec(base)
    theirs: Any = dummy(base)
    ours.seed(11)
    theirs.seed(11)
    assert np.asarray(ours.reset()).tobytes() == np.asarray(theirs.reset()).tobytes()
    rng = np.random.default_rng(0)
    n_ended = 0
    for _ in range(1_200):
        actions = rng.integers(0, 3, N_ENVS)
        (obs, rewards, dones, infos), other = ours.step(actions), theirs.step(actions)
        assert obs.tobytes() == other[0].tobytes() and obs.dtype == other[0].dtype
        assert rewards.tobytes() == other[1].tobytes() and rewards.dtype == other[1].dtype
        assert dones.tolist() == other[2].tolist() and dones.dtype == other[2].dtype
        for mine, its in zip(infos, other[3]):
            assert mine.keys() == its.keys()
            for key, value in mine.items():
                assert np.array_equal(value, its[key]), key
        n_ended += int(dones.sum())
    assert n_ended == 2 * N_ENVS


def weights(model: PPO) -> dict[str, bytes]:
    buffer = io.BytesIO()
    model.save(buffer)
    with zipfile.ZipFile(buffer) as file:
        return {name: file.read(name) for name in file.namelist() if name.endswith(".pth")}


def test_ppo_learns_the_same_bytes_on_both(base: TradingEnv) -> None:
    ours = ppo(vec(base)).learn(3 * 256 * N_ENVS)
    theirs = ppo(dummy(base)).learn(3 * 256 * N_ENVS)
    mine, its = weights(ours), weights(theirs)
    assert {"policy.pth", "policy.optimizer.pth"} <= mine.keys()
    assert mine == its
    assert ours._last_obs.tobytes() == theirs._last_obs.tobytes()  # type: ignore[union-attr]


def test_observations_are_not_changed_by_later_steps(base: TradingEnv) -> None:
    env: Any = vec(base)
    kept = [env.reset()]
    copies = [kept[0].copy()]
    for _ in range(30):
        obs = env.step(np.ones(N_ENVS, int))[0]
        kept.append(obs)
        copies.append(obs.copy())
    assert all(one.tobytes() == other.tobytes() for one, other in zip(kept, copies))


def test_wrappers_of_stable_baselines3_work_around_it(base: TradingEnv) -> None:
    env = VecMonitor(vec(base))
    model = ppo(env).learn(2_048)
    assert len(model.ep_info_buffer or []) == N_ENVS


def test_invalid_actions_are_refused(base: TradingEnv) -> None:
    env = vec(base)
    with pytest.raises(herdbook.InvalidInputError, match="call `reset` first"):
        env.step(np.ones(N_ENVS, int))
    env.reset()
    for actions, says in [
        (np.ones(N_ENVS - 1, int), "3 actions for 4 environments"),
        (np.ones(N_ENVS), "dtype float64"),
        (np.ones((N_ENVS, 1), int), r"shape \[4, 1\]"),
        (np.full(N_ENVS, 3), "is not an action"),
    ]:
        with pytest.raises(herdbook.InvalidInputError, match=says):
            env.step(actions)
    with pytest.raises(herdbook.InvalidInputError, match="0 environments"):
        TradingVecEnv(0, arena=base.arena)


class Fail(BaseCallback):
    """Fails in the middle of a training."""

    def _on_step(self) -> bool:
        if self.num_timesteps > 300:
            raise RuntimeError("the market broke")
        return True


def test_training_is_registered_and_its_model_runs_in_herdbook(folder: Path, base: TradingEnv) -> None:
    callback = LifecycleCallback()
    ppo(vec(base)).learn(4_096, callback=callback)
    assert callback.version == 1
    model = herdbook.show("1H", 1)
    assert (model.model_type, model.promotion_stage, model.honesty) == ("base", "development", "clean")
    assert model.tags["total_timesteps"] == "4096"
    names = {"evaluation/mean_reward", "evaluation/best_mean_reward", "final/mean_reward",
             "portfolio/sharpe_ratio", "portfolio/total_return", "training/approx_kl"}  # fmt: skip
    assert names <= model.metrics.keys(), names - model.metrics.keys()
    assert list(folder.glob("mlruns/1/*/artifacts/models/1H/best_model_*.zip"))
    tested = herdbook.backtest("1H", BARS, 1, from_=model.windows["test"]["start"])  # type: ignore[index]
    assert tested.metrics["total_return"] == model.metrics["portfolio/total_return"]
    herdbook.promote("1H", 1, "beta")
    assert herdbook.enhance("1H", 1, BARS, symbol="EURUSD", timesteps=2048, progress=False).version == 2
    diagnosis = herdbook.doctor()
    assert diagnosis.healthy, diagnosis.breaches


def test_child_makes_its_parent_old(folder: Path, base: TradingEnv) -> None:
    herdbook.train("1H", BARS, symbol="EURUSD", timesteps=4_096, progress=False)
    parent = herdbook.load_parent("best", timeframe="1H")
    callback = LifecycleCallback(parent=parent)
    env = vec(base)
    with callback:
        PPO.load(parent, env=env, device="cpu", n_steps=256).learn(2_048, callback=callback)
    assert callback.registered is not None
    child = herdbook.show("1H", callback.version or 0)
    assert (child.model_type, child.tags["previous_timesteps"], child.tags["total_timesteps"]) == (
        "continued", "4096", "6144",
    )  # fmt: skip
    assert child.honesty == "clean" and callback.registered["improvement_basis"] == "same_windows"
    assert "improvement_final/mean_reward" in child.metrics
    assert herdbook.show("1H", 1).version_type == "old"


def test_training_that_raises_leaves_its_parent_unchanged(folder: Path, base: TradingEnv) -> None:
    herdbook.train("1H", BARS, symbol="EURUSD", timesteps=2_048, progress=False)
    parent = herdbook.load_parent("latest", timeframe="1H")
    callback = LifecycleCallback(parent=parent)
    with pytest.raises(RuntimeError, match="the market broke"), callback:
        ppo(vec(base)).learn(4_096, callback=[callback, Fail()])
    assert herdbook.show("1H", 1).version_type == "latest"
    assert len(herdbook.list_models()) == 1
    (ended,) = [event for event in herdbook.history(run=callback.run_id) if event.kind == "run_ended"]
    assert ended.to_state == "FAILED" and "the market broke" in (ended.reason or "")


def test_run_of_a_garbage_collected_callback_is_failed(folder: Path, base: TradingEnv) -> None:
    def broken() -> str:
        callback = LifecycleCallback()
        try:
            ppo(vec(base)).learn(4_096, callback=[callback, Fail()])
        except RuntimeError:
            pass
        return callback.run_id or ""

    import gc

    run_id = broken()
    gc.collect()
    assert herdbook.history(run=run_id)[-1].to_state == "FAILED"


def test_model_saved_without_the_callback_knows_its_environment(folder: Path, base: TradingEnv) -> None:
    for name, env in [("one", base), ("many", vec(base)), ("dummy", dummy(base, 1)), ("monitored", VecMonitor(vec(base)))]:
        file = folder / f"{name}.zip"
        ppo(env).learn(256 * N_ENVS).save(file)
        taken = herdbook.import_model(file, "1H")
        assert taken.usable and taken.algorithm == "PPO", taken.obstacle
        assert herdbook.backtest("1H", BARS, taken.version).metrics
    # What a wrapper made of the observations is not what herdbook would give the model.
    for name, env in [("normalized", VecNormalize(dummy(base, 1))), ("stacked", VecFrameStack(dummy(base, 1), 2))]:
        file = folder / f"{name}.zip"
        ppo(env).learn(256).save(file)
        assert not herdbook.import_model(file, "1H").usable
    with pytest.raises(herdbook.InvalidInputError, match="timeframe"):
        herdbook.import_model(folder / "one.zip", "4H")


class Walk(gymnasium.Env[Any, Any]):
    """An environment that is not herdbook's."""

    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t, self.worth = 0, 100.0
        return np.zeros(3, np.float32), {"portfolio_value": self.worth}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.t += 1
        self.worth *= 1.01 if action else 0.99
        obs = np.full(3, self.t / 20, np.float32)
        return obs, float(action), False, self.t == 20, {"portfolio_value": self.worth}


def test_foreign_environment_and_algorithm_are_recorded_too(folder: Path) -> None:
    callback = LifecycleCallback("D", eval_env=Walk(), test_env=Walk(), model="walker")
    with pytest.warns(herdbook.HerdbookWarning, match="cannot run or enhance"):
        A2C("MlpPolicy", Walk(), seed=1, device="cpu").learn(400, callback=callback)
    model = herdbook.show("D", model="walker")
    assert model.name == "D_walker" and model.honesty == "unknown"
    assert {"evaluation/mean_reward", "final/mean_reward", "portfolio/total_return"} <= model.metrics.keys()
    with pytest.raises(herdbook.InvalidInputError, match="give `timeframe`"):
        A2C("MlpPolicy", Walk(), device="cpu").learn(10, callback=LifecycleCallback())
