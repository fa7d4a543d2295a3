"""Compares ``TradingVecEnv`` with the same environment in numpy, in environment steps per second on one core.

    python env_speed.py EURUSD.csv [n_envs]
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

# Use one core. This must be set before numpy and torch are imported.
os.environ["OMP_NUM_THREADS"] = "1"
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import numpy as np
import pandas as pd

import herdbook

N_STEPS = 20_000
N_REPEATS = 5
COST = 1e-4


class NumpyEnvs:
    """The trading environment, vectorised in numpy. It repeats one episode on the same window."""

    def __init__(self, n: int, features: Any, opens: Any, closes: Any) -> None:
        self.n, self.features, self.opens, self.closes = n, features, opens, closes
        self.reset()

    def reset(self) -> Any:
        n = self.n
        self.t = 0
        self.position = np.zeros(n, np.int64)
        self.units, self.entry_price = np.zeros(n), np.zeros(n)
        self.base, self.entry_equity = np.full(n, 1e4), np.full(n, 1e4)
        self.equity, self.held = np.full(n, 1e4), np.zeros(n, np.int64)
        return self.observe()

    def observe(self) -> Any:
        obs = np.empty((self.n, self.features.shape[1] + 3), np.float32)
        obs[:, :-3] = self.features[self.t]
        unrealised = np.where(self.position == 0, 0.0, self.equity / self.entry_equity - 1.0)
        obs[:, -3] = self.position
        obs[:, -2] = np.clip((100.0 * unrealised).astype(np.float32), -5.0, 5.0)
        obs[:, -1] = np.minimum(np.log1p(self.held.astype(np.float32)), 5.0)
        return obs

    def step(self, actions: Any) -> tuple[Any, Any, Any]:
        before = self.equity
        price, close = self.opens[self.t + 1], self.closes[self.t + 1]
        target = actions - 1
        fill = target != self.position
        worth = self.base + self.units * (price - self.entry_price)
        after_leaving = worth - COST * np.abs(self.units) * price
        entered = after_leaving / (1.0 + COST) * np.abs(target)
        self.entry_equity = np.where(fill, after_leaving, self.entry_equity)
        self.base = np.where(fill, after_leaving - COST * entered, self.base)
        self.units = np.where(fill, target * entered / price, self.units)
        self.entry_price = np.where(fill, price, self.entry_price)
        self.held = np.where(fill, 0, self.held) + (target != 0)
        self.position = target
        self.equity = self.base + self.units * (close - self.entry_price)
        rewards = (100.0 * np.log(np.clip(self.equity / before, 0.01, 100.0))).astype(np.float32)
        self.t += 1
        done = self.t + 1 >= len(self.closes)
        obs = self.reset() if done else self.observe()
        return obs, rewards, np.full(self.n, done)


def numpy_envs(path: str, n: int, test: Any) -> NumpyEnvs:
    """Takes the features from observations of a flat account, and the prices from the file."""
    obs, _ = test.reset(seed=0)
    rows, ended = [obs[:-3]], False
    while not ended:
        obs, _, terminated, truncated, _ = test.step(1)
        rows.append(obs[:-3])
        ended = terminated or truncated
    bars = pd.read_csv(path)
    names = {name.lower(): name for name in bars.columns}
    prices = [bars[names[name]].to_numpy(float)[-len(rows) :] for name in ("open", "close")]
    return NumpyEnvs(n, np.array(rows), *prices)


def speed(env: Any, actions: Any) -> float:
    """The best of several repeats, in environment steps per second of CPU time, because the machine may be busy."""
    best = 0.0
    for _ in range(N_REPEATS):
        env.reset()
        began = time.process_time()
        for row in actions:
            env.step(row)
        best = max(best, actions.size / (time.process_time() - began))
    return best


def main() -> None:
    path, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 64
    test = herdbook.TradingEnv(path, "1H", window="test")
    theirs = numpy_envs(path, n, test)
    ours = herdbook.TradingVecEnv(n, arena=test.arena, window="test")
    actions = np.random.default_rng(0).integers(0, 3, (N_STEPS, n))
    same = ours.reset().tobytes() == theirs.reset().tobytes()
    worst = 0.0
    for row in actions[:3_000]:
        mine, its = ours.step(row), theirs.step(row)
        same = same and bool(np.allclose(mine[0], its[0], rtol=0, atol=1e-5))
        worst = max(worst, float(np.abs(mine[1] - its[1]).max()))
    print(f"{n} environments, one core, {N_STEPS:,} steps each, best of {N_REPEATS}")
    print(f"same observations: {same}, largest difference of a reward: {worst:.1e}")
    rates = {"TradingVecEnv": speed(ours, actions), "numpy": speed(theirs, actions)}
    for name, rate in rates.items():
        print(f"{name:<14} {rate:>12,.0f} environment steps/s")
    print(f"{'':<14} {rates['TradingVecEnv'] / rates['numpy']:>11.1f} times as fast")


if __name__ == "__main__":
    main()
