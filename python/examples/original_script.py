"""A script written for Stock AI Predictor's manager. Only the import has changed.

    python original_script.py EURUSD.csv
"""

from __future__ import annotations

import sys

import mlflow

import herdbook
from herdbook import MLflowManager

# A model to start from; `PPO.save` of stable-baselines3 writes such files.
herdbook.train("1H", sys.argv[1], timesteps=10_000, progress=False)

manager = MLflowManager(experiment_name="stock_trading_rl", timeframe="1H", model_type="continued")
base_run_id, model_path = manager.find_best_model(model_type="base", metric="final/mean_reward")
if base_run_id is None or model_path is None:
    sys.exit("train a base model first")
parent = mlflow.artifacts.download_artifacts(model_path, tracking_uri=manager.tracking_uri)

run = manager.start_run(tags={"enhancement_type": "continued"})
manager.log_params({"learning_rate": 3e-4, "gamma": 0.99})
# ... the training ...
manager.log_metrics({"final/mean_reward": 1.25, "portfolio/sharpe_ratio": 0.8}, step=10_000)
mlflow.log_metric("by_mlflow_itself", 1.0)
print(manager.log_enhancement_metrics(base_run_id))
manager.log_artifact(parent, "models/1H")
version = manager.register_model_version("model.zip", base_run_id=base_run_id)
manager.end_run()
print("registered version", version)

manager.promote_model("1H_trading_model", version, "beta", reason="better than its parent")
for model in manager.find_models_by_stage("beta", timeframe="1H"):
    print(model["name"], "version", model["version"], model["promotion_stage"])
