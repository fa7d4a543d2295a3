"""Makes samples with stable-baselines3: models with `MultiDiscrete` actions and their outputs, and a model whose file
lacks what continuing its training would need.

    python make.py FOLDER        (the environment of conformance/sb3/requirements.txt)
"""

import json
import sys
from pathlib import Path

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

CASES = {
    "multi_discrete_tanh": ([3, 2], 7, {}),
    "multi_discrete_relu": (
        [2, 5, 3, 4],
        4,
        {"net_arch": {"pi": [48, 16], "vf": [24]}, "activation_fn": torch.nn.ReLU},
    ),
}


class Noise(gymnasium.Env):
    """Observes noise, and gives a reward that depends on every choice of the action."""

    def __init__(self, dims, obs_len):
        self.action_space = gymnasium.spaces.MultiDiscrete(dims)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (obs_len,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.look(), {}

    def look(self):
        self.seen = self.np_random.normal(size=self.observation_space.shape).astype(np.float32)
        return self.seen

    def step(self, action):
        reward = float(np.sum(action * np.sign(self.seen[: len(action)])))
        return self.look(), reward, False, bool(self.np_random.random() < 0.1), {}


def main(folder):
    torch.manual_seed(0)
    for name, (dims, obs_len, policy_kwargs) in CASES.items():
        model = PPO(
            "MlpPolicy", Noise(dims, obs_len), n_steps=64, batch_size=32, n_epochs=4, seed=5, device="cpu",
            learning_rate=1e-2, policy_kwargs=policy_kwargs,
        )
        model.learn(512)
        model.save(folder / f"{name}.zip")
        generator, cases = np.random.default_rng(1), []
        for scale in [0.1, 1.0, 1.0, 3.0, 10.0, 1.0, 0.5, 2.0]:
            obs = (scale * generator.normal(size=obs_len)).astype(np.float32)
            action, _ = model.predict(obs, deterministic=True)
            with torch.no_grad():
                value, log_prob, entropy = model.policy.evaluate_actions(
                    torch.as_tensor(obs[None]), torch.as_tensor(action[None])
                )
            cases.append({
                "obs": obs.tolist(), "action": action.tolist(), "value": value.item(),
                "log_prob": log_prob.item(), "entropy": entropy.item(),
            })
        about = {"dims": dims, "num_timesteps": model.num_timesteps, "cases": cases}
        (folder / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
    make_incomplete(folder / "normalized_scheduled.zip")


def make_incomplete(path):
    """The zip has no statistics of `VecNormalize`, and its schedules are Python functions, which are not executed."""
    env = VecNormalize(DummyVecEnv([lambda: gymnasium.make("CartPole-v1")]))
    model = PPO(
        "MlpPolicy", env, n_steps=64, device="cpu", seed=1, policy_kwargs={"net_arch": [8]},
        learning_rate=lambda left: 1e-3 * left, clip_range=lambda left: 0.1 + 0.1 * left,
    )
    model.learn(64)
    model.save(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
