"""Loads models of herdbook in stable-baselines3 and back: actions, optimizer and counters must agree."""

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.policies import ActorCriticPolicy

import invariants
from herd import MODEL, hourly_bars

OBS_LEN = 35
POSITIONS = ["short", "flat", "long"]


class Noise(gymnasium.Env):
    """An environment with the spaces of herdbook's, and constant rewards."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (OBS_LEN,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.look(), {}

    def look(self):
        return self.np_random.normal(size=OBS_LEN).astype(np.float32)

    def step(self, action):
        return self.look(), float(action == 1), False, bool(self.np_random.random() < 0.05), {}


def model_zip(herd, run_id):
    (path,) = (herd.folder / "mlruns").rglob(f"{run_id}/**/model.zip")
    return path


def probabilities(model, observation):
    distribution = model.policy.get_distribution(torch.as_tensor(observation[None]))
    return distribution.distribution.probs.detach().numpy()[0]


@pytest.mark.parametrize("config", ["", 'net_arch = { pi = [48], vf = [16, 8] }\nactivation = "relu"\n'])
def test_model_acts_in_stable_baselines3_as_it_does_here(herd, tmp_path, config):
    (tmp_path / "ppo.toml").write_text(config)
    run_id = herd.train("--config", tmp_path / "ppo.toml")["run_id"]
    model = PPO.load(model_zip(herd, run_id), device="cpu")
    header, rows = hourly_bars()
    for count in [400, 1500, 2600, 3700, 4800]:
        bars = tmp_path / "bars.csv"
        bars.write_text("\n".join([header, *rows[:count]]) + "\n")
        here = herd.ask("predict", "latest", "--timeframe", "1H", "--data", bars)
        observation = np.array(here["observation"], dtype=np.float32)
        action, _ = model.predict(observation, deterministic=True)
        assert POSITIONS[int(action)] == here["action"]
        expected = [here["probabilities"][position] for position in POSITIONS]
        found = probabilities(model, observation)
        np.testing.assert_allclose(np.log(found), np.log(expected), atol=1e-5)


def test_learning_goes_on_there_with_optimizer_and_counters_and_comes_back(herd, tmp_path):
    run_id = herd.train()["run_id"]
    zip_here = model_zip(herd, run_id)
    model = PPO.load(zip_here, env=Noise(), device="cpu")
    before = model.policy.optimizer.state_dict()
    # Two rollouts of 2,048 timesteps, ten epochs of 32 minibatches each.
    assert model.num_timesteps == 4096 and model._n_updates == 20
    assert {float(state["step"]) for state in before["state"].values()} == {640.0}
    assert before["param_groups"][0]["lr"] == 3e-4 and before["param_groups"][0]["eps"] == 1e-5
    moments = [state["exp_avg_sq"].clone() for state in before["state"].values()]
    assert all((moment > 0).any() for moment in moments)

    # Saved without training, the model is the same bit for bit.
    model.save(tmp_path / "unchanged.zip")
    again = PPO.load(tmp_path / "unchanged.zip", device="cpu")
    for name, tensor in model.policy.state_dict().items():
        assert torch.equal(tensor, again.policy.state_dict()[name])

    model.learn(2048, reset_num_timesteps=False)
    assert model.num_timesteps == 6144
    model.save(tmp_path / "there.zip")
    taken_in = herd.ask("import-model", tmp_path / "there.zip", "--timeframe", "1H", "--symbol", "EURUSD")
    assert taken_in["usable"] and taken_in["total_timesteps"] == 6144
    # Which checkpoint is best depends on random numbers over there.
    child = herd.train("--enhance", taken_in["version"], "--register", "last")
    assert child["previous_timesteps"] == 6144 and child["honesty"] == "unknown"
    back = PPO.load(model_zip(herd, child["run_id"]), device="cpu")
    steps = {float(state["step"]) for state in back.policy.optimizer.state_dict()["state"].values()}
    assert steps == {640.0 + 320.0 + 640.0}
    invariants.assert_hold(herd)


def test_model_of_an_unknown_environment_is_enhanced_where_its_networks_fit(herd, tmp_path):
    model = PPO("MlpPolicy", Noise(), n_steps=256, device="cpu", seed=1)
    model.learn(256)
    model.save(tmp_path / "own.zip")
    answer = herd.ask("import-model", tmp_path / "own.zip", "--timeframe", "1H")
    assert not answer["usable"] and "does not describe its environment" in answer["obstacle"]
    herd.crown(1)
    assert answer["enhanceable"]
    child = herd.train("--enhance", 1)
    assert child["previous_timesteps"] == 256 and child["honesty"] == "unknown"
    assert child["improvement_basis"] == "logged" and child["improvement"] == {}
    assert herd.refused("import-model", tmp_path / "own.zip", "--timeframe", "1H")["code"] == "conflict"
    assert MODEL == answer["model_name"]


class SeveralChoices(Noise):
    """An environment whose action has two parts."""

    action_space = gymnasium.spaces.MultiDiscrete([3, 2])

    def step(self, action):
        return super().step(action[0])


def test_model_of_several_choices_joins_the_register_and_is_no_parent(herd, tmp_path):
    model = PPO("MlpPolicy", SeveralChoices(), n_steps=256, device="cpu", seed=1)
    model.learn(256)
    model.save(tmp_path / "choices.zip")
    answer = herd.ask("import-model", tmp_path / "choices.zip", "--timeframe", "1H")
    assert not answer["usable"] and not answer["enhanceable"] and "[3, 2]" in answer["obstacle"]
    assert herd.refused("train", "--timeframe", "1H", "--enhance", 1)["code"] == "conflict"


class Continuous(Noise):
    """An environment with an action that is a number."""

    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def step(self, action):
        return super().step(0)


class OwnPolicy(ActorCriticPolicy):
    """A policy class that herdbook does not know."""


OFF_POLICY = {"learning_starts": 10, "buffer_size": 200}


@pytest.mark.parametrize(
    ("algorithm", "env", "options", "name"),
    [
        (A2C, Noise, {"use_rms_prop": False}, "A2C"),
        (A2C, Noise, {}, "A2C"),
        (DQN, Noise, OFF_POLICY, "DQN"),
        (SAC, Continuous, OFF_POLICY, "SAC"),
        (TD3, Continuous, OFF_POLICY, "TD3"),
        (DDPG, Continuous, OFF_POLICY, "DDPG"),
        (PPO, Continuous, {"n_steps": 32, "batch_size": 32}, "PPO"),
    ],
)
def test_model_of_another_algorithm_or_kind_joins_the_register_as_what_it_is(herd, tmp_path, algorithm, env, options, name):
    model = algorithm("MlpPolicy", env(), device="cpu", seed=1, **options)
    model.learn(64)
    model.save(tmp_path / "other.zip")
    answer = herd.ask("import-model", tmp_path / "other.zip", "--timeframe", "1H")
    assert answer["algorithm"] == name and not answer["usable"] and not answer["enhanceable"]
    assert answer["total_timesteps"] == model.num_timesteps
    params = dict(map(tuple, herd.rows("SELECT key, value FROM params WHERE run_uuid = ?", answer["run_id"])))
    assert params["algorithm"] == name
    assert name == "PPO" or not {"clip_range", "n_epochs"} & params.keys()
    assert herd.refused("train", "--timeframe", "1H", "--enhance", 1)["code"] == "conflict"


def test_schedules_are_recorded_as_such_and_own_policies_are_named(herd, tmp_path):
    model = PPO("MlpPolicy", Noise(), n_steps=32, batch_size=32, device="cpu", learning_rate=lambda left: 1e-3 * left)
    model.learn(64)
    model.save(tmp_path / "scheduled.zip")
    answer = herd.ask("import-model", tmp_path / "scheduled.zip", "--timeframe", "1H")
    (rate,) = herd.rows("SELECT value FROM params WHERE key = 'learning_rate'")
    assert tuple(rate) == ("schedule",) and answer["enhanceable"]
    own = PPO(OwnPolicy, Noise(), n_steps=32, batch_size=32, device="cpu")
    own.learn(64)
    own.save(tmp_path / "own.zip")
    answer = herd.ask("import-model", tmp_path / "own.zip", "--timeframe", "1H")
    # A class that is stored by its name alone may belong to any algorithm with the attributes of PPO.
    assert answer["algorithm"] is None and "OwnPolicy" in answer["obstacle"]
