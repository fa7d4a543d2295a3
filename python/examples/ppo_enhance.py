"""Enhances the best model with stable-baselines3 and registers the child.

    python ppo_enhance.py EURUSD.csv
"""

from __future__ import annotations

import sys

from stable_baselines3 import PPO

import herdbook
from herdbook.sb3 import LifecycleCallback

env = herdbook.TradingVecEnv(8, sys.argv[1], "1H")
parent = herdbook.load_parent("best", timeframe="1H")
model = PPO.load(parent, env=env, n_steps=256, device="cpu")
with LifecycleCallback(parent=parent) as callback:
    model.learn(8_192, callback=callback)

child = herdbook.show("1H", callback.version or "latest")
print(f"version {child.version} is registered, its parent is {parent.version}")
for name, percent in child.metrics.items():
    if name.startswith("improvement_"):
        print(f"{name}: {percent:+.2f} %")
