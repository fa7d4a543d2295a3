"""Programs of others that keep their records in MLflow: Optuna's storage, and a script of stable-baselines3."""

import json
import os
import subprocess
import sys

import mlflow
import pytest

from worlds import Request


@pytest.fixture(autouse=True)
def client_state():
    yield
    mlflow.set_tracking_uri(None)


def test_optuna_keeps_its_studies(pair):
    optuna = pytest.importorskip("optuna", reason="conformance/served/requirements.txt is not installed")
    from mlflow.optuna.storage import MlflowStorage

    def objective(trial):
        x, kind = trial.suggest_float("x", -10, 10), trial.suggest_categorical("kind", ["a", "b"])
        for step in range(3):
            trial.report((x - 2) ** 2 + step, step)
            if trial.should_prune():
                raise optuna.TrialPruned()
        trial.set_user_attr("note", f"{kind}é")
        return (x - 2) ** 2 + (kind == "b")

    results = []
    for world in pair.both:
        mlflow.set_tracking_uri(world.url)
        experiment = mlflow.set_experiment("optuna")
        storage = MlflowStorage(experiment_id=experiment.experiment_id)
        sampler = optuna.samplers.TPESampler(seed=5)
        study = optuna.create_study(study_name="s", storage=storage, sampler=sampler, direction="minimize")
        study.set_user_attr("who", "conformance")
        study.optimize(objective, n_trials=8)
        again = optuna.load_study(study_name="s", storage=storage)
        results.append([shown(again), again.user_attrs])
    pair.note(Request("CLIENT", "optuna"), *results)


def shown(study):
    trials = [
        [trial.number, trial.state.name, trial.value, trial.params, trial.user_attrs, trial.intermediate_values]
        for trial in study.trials
    ]
    return [trials, study.best_params, study.best_value, study.direction.name]


SCRIPT = """
import sys
import mlflow, numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.logger import HumanOutputFormat, KVWriter, Logger

class MLflowOutputFormat(KVWriter):
    def write(self, key_values, key_excluded, step=0):
        for (key, value), (_, excluded) in zip(sorted(key_values.items()), sorted(key_excluded.items())):
            if excluded is not None and "mlflow" in excluded:
                continue
            if isinstance(value, np.ScalarType) and not isinstance(value, str):
                mlflow.log_metric(key, value, step)

    def close(self):
        pass

with mlflow.start_run(run_name="ppo") as run:
    model = PPO("MlpPolicy", "CartPole-v1", seed=3, n_steps=128, device="cpu", verbose=2)
    mlflow.log_params({"n_steps": model.n_steps, "gamma": model.gamma})
    model.set_logger(Logger(folder=None, output_formats=[HumanOutputFormat(sys.stderr), MLflowOutputFormat()]))
    model.learn(total_timesteps=256, log_interval=1)
    model.save("model.zip")
    mlflow.log_artifact("model.zip", "models")
print(run.info.run_id)
"""
# These depend on the speed of the machine.
OF_TIME = ("time/fps", "time/time_elapsed")


def test_script_of_stable_baselines3_logs_unchanged(pair, tmp_path):
    packages = os.environ.get("HERDBOOK_TORCH_PACKAGES")
    if packages is None:
        pytest.skip("HERDBOOK_TORCH_PACKAGES names no folder with stable-baselines3")
    results = []
    for world in pair.both:
        folder = tmp_path / world.name
        folder.mkdir()
        environment = {**os.environ, "MLFLOW_TRACKING_URI": world.url, "PYTHONPATH": packages, "OMP_NUM_THREADS": "1"}
        environment["MLFLOW_EXPERIMENT_NAME"] = "stable-baselines3"
        command = [sys.executable, "-c", SCRIPT]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        mlflow.set_tracking_uri(world.url)
        client = mlflow.MlflowClient()
        run = client.get_run(done.stdout.split()[-1])
        metrics = {key: value for key, value in run.data.metrics.items() if key not in OF_TIME}
        lengths = {key: len(client.get_metric_history(run.info.run_id, key)) for key in run.data.metrics}
        model = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="models/model.zip")
        assert open(model, "rb").read() == (folder / "model.zip").read_bytes()
        results.append([metrics, lengths, run.data.params, run.info.status])
    assert len(results[0][0]) > 5
    pair.note(Request("CLIENT", "stable-baselines3"), *json.loads(json.dumps(results)))
