"""Makes the zips of this folder: members `data` and `_stable_baselines3_version` of models of each algorithm, without weights.

Made with stable-baselines3 2.9.2 and sb3-contrib 2.9.2: python make.py FOLDER
"""

import io
import sys
import zipfile
from pathlib import Path

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib import ARS, QRDQN, TQC, TRPO, CrossQ, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor

MEMBERS = ["data", "_stable_baselines3_version"]
VECTOR = spaces.Box(-np.inf, np.inf, (35,), np.float32)


class Noise(gymnasium.Env):
    def __init__(self, actions=None, observations=VECTOR):
        self.observation_space = observations
        self.action_space = actions or spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.1, False, bool(self.np_random.random() < 0.1), {}

    def action_masks(self):
        return np.ones(3, bool)


class MyPolicy(ActorCriticPolicy):
    pass


class MyExtractor(FlattenExtractor):
    pass


def continuous():
    return Noise(spaces.Box(-1, 1, (1,), np.float32))


ON = {"device": "cpu", "seed": 0, "n_steps": 32}
PPO_ON = ON | {"batch_size": 32}
OFF = {"device": "cpu", "seed": 0, "learning_starts": 10, "buffer_size": 200}
DICT = spaces.Dict({"a": spaces.Box(-1, 1, (4,), np.float32)})


def ppo(env=None, policy="MlpPolicy", **kwargs):
    return PPO(policy, env or Noise(), policy_kwargs=kwargs or None, **PPO_ON)


MODELS = {
    "a2c_rms": lambda: A2C("MlpPolicy", Noise(), **ON),
    "a2c_custom": lambda: A2C(MyPolicy, Noise(), use_rms_prop=False, **ON),
    "dqn": lambda: DQN("MlpPolicy", Noise(), **OFF),
    "qrdqn": lambda: QRDQN("MlpPolicy", Noise(), **OFF),
    "sac": lambda: SAC("MlpPolicy", continuous(), **OFF),
    "td3": lambda: TD3("MlpPolicy", continuous(), **OFF),
    "ddpg": lambda: DDPG("MlpPolicy", continuous(), **OFF),
    "recurrent_ppo": lambda: RecurrentPPO("MlpLstmPolicy", Noise(), **PPO_ON),
    "maskable_ppo": lambda: MaskablePPO("MlpPolicy", Noise(), **PPO_ON),
    "trpo": lambda: TRPO("MlpPolicy", Noise(), **PPO_ON),
    "tqc": lambda: TQC("MlpPolicy", continuous(), **OFF),
    "crossq": lambda: CrossQ("MlpPolicy", continuous(), **OFF),
    "ars": lambda: ARS("LinearPolicy", Noise(), n_delta=1, device="cpu", seed=0),
    "ppo_custom_policy": lambda: ppo(policy=MyPolicy),
    "ppo_custom_extractor": lambda: ppo(features_extractor_class=MyExtractor),
    "ppo_elu": lambda: ppo(activation_fn=torch.nn.ELU),
    "ppo_sgd": lambda: ppo(optimizer_class=torch.optim.SGD),
    "ppo_box": lambda: ppo(continuous()),
    "ppo_binary": lambda: ppo(Noise(spaces.MultiBinary(3))),
    "ppo_start": lambda: ppo(Noise(spaces.Discrete(3, start=-1))),
    "ppo_dict": lambda: ppo(Noise(observations=DICT), policy="MultiInputPolicy"),
}

for name, make in MODELS.items():
    model = make()
    model.learn(64)
    whole = io.BytesIO()
    model.save(whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(Path(sys.argv[1]) / f"{name}.zip", "w") as target:
        for member in MEMBERS:
            info = zipfile.ZipInfo(member)
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, source.read(member))
