"""Trains a base model with stable-baselines3 and registers it.

    python ppo_base.py EURUSD.csv
"""

from __future__ import annotations

import sys

from stable_baselines3 import PPO

import herdbook
from herdbook.sb3 import LifecycleCallback

env = herdbook.TradingVecEnv(8, sys.argv[1], "1H")
model = PPO("MlpPolicy", env, n_steps=256, seed=0, device="cpu")
with LifecycleCallback() as callback:
    model.learn(8_192, callback=callback)
print(f"version {callback.version} is registered")
