"""stable-baselines3 in `cargo xtask bench sb3`: the same dynamics and the same measurements.

    python stable_baselines3_side.py check FOLDER              every recorded step is the same here
    python stable_baselines3_side.py speed FOLDER N_ENVS       timesteps per second in the trading environment
    python stable_baselines3_side.py curve FOLDER TASK SEED TIMESTEPS
                                                               the learning curve of one seed

FOLDER holds what the bench wrote: the market, and steps taken in both environments. Answers are JSON on stdout.
"""

import json
import math
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

BASIS_POINT = 1e-4
# Rollouts between evaluations of the deterministic policy, and episodes of each.
EVALUATE_EVERY, EVALUATION_EPISODES = 5, 10


class Market:
    """Features, opens and closes of the training window, as herdbook computed them."""

    def __init__(self, folder):
        about = json.loads((folder / "market.json").read_text())
        rows, width = about["rows"], about["features"]
        self.features = np.fromfile(folder / "features.f32", "<f4").reshape(rows, width)
        self.opens = np.fromfile(folder / "opens.f64", "<f8").tolist()
        self.closes = np.fromfile(folder / "closes.f64", "<f8").tolist()
        self.costs = about["cost_bps"] * BASIS_POINT
        self.episode_bars = about["episode_bars"]
        self.rows = rows


class Trading(gymnasium.Env):
    """herdbook's trading environment, implemented independently from its documentation."""

    def __init__(self, market):
        self.market = market
        width = market.features.shape[1] + 3
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        last = max(self.market.rows - self.market.episode_bars - 1, 0)
        return self.start(int(self.np_random.integers(last + 1))), {}

    def start(self, row):
        self.row = row
        self.end = min(row + self.market.episode_bars + 1, self.market.rows)
        self.sign = self.bars_held = 0
        self.units = self.entry_price = 0.0
        self.equity = self.base = self.entry_equity = 10_000.0
        self.ruined = False
        return self.observe()

    def step(self, action):
        before, market = self.equity, self.market
        self.row += 1
        self.fill(int(action) - 1, market.opens[self.row])
        if self.sign != 0:
            self.bars_held += 1
            self.mark(market.closes[self.row])
        reward = 100.0 * math.log(min(max(self.equity / before, 0.01), 100.0))
        truncated = not self.ruined and self.row + 1 >= self.end
        return self.observe(), reward, self.ruined, truncated, {}

    def fill(self, sign, price):
        if sign == self.sign or self.ruined:
            return
        self.mark(price)
        if self.ruined:
            return
        costs = self.market.costs
        self.entry_equity = self.equity - abs(self.units) * price * costs
        entered = max(self.entry_equity, 0.0) / (1.0 + costs) * abs(sign)
        self.base = self.entry_equity - entered * costs
        self.units = sign * entered / price
        self.sign, self.entry_price, self.bars_held = sign, price, 0
        self.mark(price)

    def mark(self, price):
        self.equity = self.base + self.units * (price - self.entry_price)
        if self.equity <= 0.0:
            self.sign = self.bars_held = 0
            self.units = self.base = self.equity = 0.0
            self.ruined = True

    def observe(self):
        unrealised = 100.0 * (self.equity / self.entry_equity - 1.0) if self.sign != 0 else 0.0
        account = [self.sign, min(max(unrealised, -5.0), 5.0), min(math.log1p(self.bars_held), 5.0)]
        return np.concatenate([self.market.features[self.row], np.array(account, np.float32)])


class Curve(BaseCallback):
    """Records the mean reward of the episodes that ended in each rollout, and of regular deterministic evaluations."""

    def __init__(self, make_env):
        super().__init__()
        self.make_env = make_env
        self.ended, self.rollouts, self.evaluations = [], [], []

    def _on_step(self):
        self.ended += [info["episode"]["r"] for info in self.locals["infos"] if "episode" in info]
        return True

    def _on_rollout_start(self):
        if self.rollouts and len(self.rollouts) % EVALUATE_EVERY == 0:
            self.evaluate()

    def _on_rollout_end(self):
        self.rollouts.append([self.num_timesteps, float(np.mean(self.ended)) if self.ended else None])
        self.ended = []

    def _on_training_end(self):
        self.evaluate()

    def evaluate(self):
        env, total = self.make_env(), 0.0
        for episode in range(EVALUATION_EPISODES):
            observation, _ = env.reset(seed=1_000_000 + episode)
            over = False
            while not over:
                action, _ = self.model.predict(observation, deterministic=True)
                observation, reward, terminated, truncated, _ = env.step(int(action))
                total += reward
                over = terminated or truncated
        self.evaluations.append([self.num_timesteps, total / EVALUATION_EPISODES])


def maker(folder, task):
    if task == "cart_pole":
        return lambda: gymnasium.make("CartPole-v1")
    market = Market(folder)
    return lambda: Trading(market)


def check(folder):
    """Repeats the recorded steps and returns the largest difference."""
    recorded, worst, n_steps = json.loads((folder / "steps.json").read_text()), 0.0, 0
    pole, trading = gymnasium.make("CartPole-v1").unwrapped, maker(folder, "trading")()
    pole.reset()
    for episode in recorded["cart_pole"] + recorded["trading"]:
        if isinstance(episode["start"], list):
            env = pole
            env.state, env.steps_beyond_terminated = tuple(episode["start"]), None
        else:
            env = trading
            env.start(episode["start"])
        for step in episode["steps"]:
            observation, reward, terminated, _, _ = env.step(step["action"])
            expected = np.array([*step["observation"], step["reward"]])
            found = np.array([*observation, reward], np.float64)
            worst = max(worst, float(np.abs(found - expected).max()))
            assert terminated == step["terminated"], step
            n_steps += 1
    return {"steps": n_steps, "worst": worst}


def speed(folder, n_envs):
    env = DummyVecEnv([maker(folder, "trading")] * n_envs)
    model = PPO("MlpPolicy", env, device="cpu", seed=0)
    model.learn(1)
    begun, timesteps = time.perf_counter(), model.num_timesteps
    model.learn(2 * 2048 * n_envs if n_envs == 1 else 2048 * n_envs)
    return {"timesteps_per_second": model.num_timesteps / (time.perf_counter() - begun), "warm_up": timesteps}


def curve(folder, task, seed, timesteps):
    make_env = maker(folder, task)
    model = PPO("MlpPolicy", Monitor(make_env()), device="cpu", seed=seed)
    callback = Curve(make_env)
    model.learn(timesteps, callback)
    return {"task": task, "seed": seed, "rollouts": callback.rollouts, "evaluations": callback.evaluations}


def main():
    # One thread, like herdbook here; small networks do not gain from more.
    torch.set_num_threads(1)
    verb, folder, *rest = sys.argv[1:]
    folder = Path(folder)
    match verb:
        case "check":
            answer = check(folder)
        case "speed":
            answer = speed(folder, int(rest[0]))
        case "curve":
            answer = curve(folder, rest[0], int(rest[1]), int(rest[2]))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
