"""Stock `mlflow ui`, started in the folder with only a host and a port, shows the records of herdbook."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

import invariants
from herd import MODEL, Herd, environment, wait_until


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    def __init__(self, herd, port):
        self.herd = herd
        self.url = f"http://127.0.0.1:{port}"

    def answers(self):
        try:
            return requests.get(f"{self.url}/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    def get(self, endpoint, **query):
        answer = requests.get(f"{self.url}/api/2.0/mlflow/{endpoint}", params=query, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, endpoint, **body):
        answer = requests.post(f"{self.url}/api/2.0/mlflow/{endpoint}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def experiment(self):
        name = "stock_trading_rl_1H"
        return self.get("experiments/get-by-name", experiment_name=name)["experiment"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server on a herd with a champion and its child in beta."""
    herd = Herd(tmp_path_factory.mktemp("served"))
    herd.train()
    herd.train("--enhance", "latest")
    herd.crown(1)
    herd.promote(2, "beta")
    port = free_port()
    # With several workers, the supervisor kills those that do not answer within five seconds.
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # A process group of its own, so that the workers can be killed too.
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "ui", *options],
        cwd=herd.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=(herd.folder / "server.log").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        server = Server(herd, port)
        wait_until(lambda: server.answers() or process.poll() is not None, "the server")
        assert process.poll() is None, (herd.folder / "server.log").read_text()
        yield server
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run_ids(server):
    return {version: entry["run_id"] for version, entry in server.herd.versions().items()}


def as_dict(entries):
    return {entry["key"]: entry["value"] for entry in entries}


def test_page_is_served(server):
    page = requests.get(server.url, timeout=30)
    assert page.status_code == 200 and "MLflow" in page.text


def test_experiment_and_its_runs_are_listed(server):
    experiments = server.post("experiments/search", max_results=10)["experiments"]
    assert {e["name"] for e in experiments} == {"Default", "stock_trading_rl_1H"}
    found = server.post("runs/search", experiment_ids=[server.experiment()["experiment_id"]])
    runs = {run["info"]["run_id"]: run for run in found["runs"]}
    assert set(runs) == set(run_ids(server).values())
    for version, run_id in run_ids(server).items():
        told = server.herd.ask("show", "--timeframe", "1H", "--model-version", version)
        assert as_dict(runs[run_id]["data"]["params"]) == told["run"]["params"]
        assert as_dict(runs[run_id]["data"]["metrics"]) == told["metrics"]
        assert runs[run_id]["info"]["status"] == "FINISHED"


def test_metric_history_is_there_for_charts(server):
    query = {"run_id": run_ids(server)[1], "metric_key": "training/policy_loss"}
    points = server.get("metrics/get-history", **query)["metrics"]
    assert [point["step"] for point in points] == [2048, 4096]


def test_registered_model_is_listed_with_its_versions_and_its_champion(server):
    (model,) = server.get("registered-models/search")["registered_models"]
    assert model["name"] == MODEL
    versions = server.get("model-versions/search", filter=f"name = '{MODEL}'")["model_versions"]
    assert {v["version"]: v["run_id"] for v in versions} == {
        str(version): run_id for version, run_id in run_ids(server).items()
    }
    alias = server.get("registered-models/alias", name=MODEL, alias="champion")
    assert alias["model_version"]["version"] == "1"
    assert as_dict(alias["model_version"]["tags"])["promotion_stage"] == "champion"


def test_model_file_is_listed_and_served(server):
    run_id = run_ids(server)[1]
    listed = server.get("artifacts/list", run_id=run_id, path="models/1H")
    (file,) = [file for file in listed["files"] if file["path"] == "models/1H/model.zip"]
    query = {"run_uuid": run_id, "path": file["path"]}
    served = requests.get(f"{server.url}/get-artifact", params=query, timeout=30)
    assert served.status_code == 200
    on_disk = Path(listed["root_uri"].removeprefix("file://")) / file["path"]
    assert hashlib.sha256(served.content).digest() == hashlib.sha256(on_disk.read_bytes()).digest()


def test_client_over_http_reads_what_the_client_on_the_database_reads(server):
    import mlflow

    run_id = run_ids(server)[2]
    over_http = mlflow.MlflowClient(server.url, server.url)
    on_database = server.herd.client()
    assert over_http.get_run(run_id).data.to_dictionary() == on_database.get_run(run_id).data.to_dictionary()
    ours, theirs = (c.get_model_version(MODEL, "2") for c in (on_database, over_http))
    assert (ours.tags, ours.current_stage) == (theirs.tags, theirs.current_stage)


def test_champion_is_loaded_as_a_python_function_through_the_server(server):
    import mlflow
    import numpy as np

    observations = np.random.default_rng(1).normal(size=(64, 35)).astype(np.float32)
    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    served = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion").predict(observations)
    server.herd.client()
    local = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion").predict(observations)
    assert served["action"].tolist() == local["action"].tolist()
    assert set(served["action"]) <= {0, 1, 2}


def test_server_goes_on_reading_and_writing_while_herdbook_promotes(server):
    """While a thread promotes and demotes version 2, every answer of the server has at most one champion."""
    failures = []

    def promote_in_turns():
        try:
            for _ in range(10):
                server.herd.promote(2, "champion")
                server.herd.promote(2, "beta")
        except Exception as failure:
            failures.append(failure)

    promoter = threading.Thread(target=promote_in_turns)
    promoter.start()
    run_id = run_ids(server)[2]
    reads = 0
    while promoter.is_alive() or reads == 0:
        versions = server.get("model-versions/search", filter=f"name = '{MODEL}'")["model_versions"]
        stages = [as_dict(version["tags"])["promotion_stage"] for version in versions]
        assert stages.count("champion") <= 1
        server.post("runs/set-tag", run_id=run_id, key="read", value=str(reads))
        reads += 1
    promoter.join()
    assert not failures, failures
    invariants.assert_hold(server.herd)


def test_herdbook_and_server_write_at_once_and_neither_loses_anything(server):
    """Writes runs, metrics and tags through the server during trainings and promotions, and finds them all."""
    herd = server.herd
    before = set(herd.versions())
    experiment = server.post("experiments/create", name="beside")["experiment_id"]
    written, failures, is_over = {}, [], threading.Event()

    def write_through_the_server():
        try:
            while not is_over.is_set() or not written:
                run = server.post("runs/create", experiment_id=experiment, start_time=1)["run"]
                run_id = run["info"]["run_id"]
                for step in range(3):
                    server.post("runs/log-metric", run_id=run_id, key="m", value=step, timestamp=1, step=step)
                server.post("runs/set-tag", run_id=run_id, key="who", value="server")
                written[run_id] = 3
        except Exception as failure:
            failures.append(failure)

    writers = [threading.Thread(target=write_through_the_server) for _ in range(3)]
    for writer in writers:
        writer.start()
    n_changes = len(herd.rows("SELECT 1 FROM herdbook_events WHERE kind = 'stage_changed'"))
    for _ in range(5):
        herd.train("--enhance", "latest")
        herd.promote(1, "beta")
        herd.promote(1, "champion")
    is_over.set()
    for writer in writers:
        writer.join()
    assert not failures, failures
    assert len(set(herd.versions()) - before) == 5
    changes = herd.rows("SELECT count(*) FROM herdbook_events WHERE kind = 'stage_changed'")
    assert changes == [(n_changes + 10,)]
    for run_id, n_metrics in written.items():
        history = server.get("metrics/get-history", run_id=run_id, metric_key="m")["metrics"]
        assert len(history) == n_metrics
        assert as_dict(server.get("runs/get", run_id=run_id)["run"]["data"]["tags"])["who"] == "server"
    invariants.assert_hold(herd)


def test_second_champion_through_the_server_is_refused_by_the_database(server):
    herd = server.herd
    if not herd.ask("list", "--stage", "champion"):
        herd.crown(1)
    (champion,) = herd.ask("list", "--stage", "champion")
    other = next(version for version in herd.versions() if version != champion["version"])
    body = {"name": MODEL, "version": str(other), "key": "promotion_stage", "value": "champion"}
    url = f"{server.url}/api/2.0/mlflow/model-versions/set-tag"
    answer = requests.post(url, json=body, timeout=30)
    assert answer.status_code >= 400, answer.text
    assert "UNIQUE constraint failed" in answer.text
    assert [entry["version"] for entry in herd.ask("list", "--stage", "champion")] == [champion["version"]]
    invariants.assert_hold(herd)


def test_champion_deleted_through_the_server_does_not_block_the_next(server):
    herd = server.herd
    if not herd.ask("list", "--stage", "champion"):
        herd.crown(1)
    (champion,) = herd.ask("list", "--stage", "champion")
    body = {"name": MODEL, "version": str(champion["version"])}
    answer = requests.delete(f"{server.url}/api/2.0/mlflow/model-versions/delete", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    newest = herd.train()["version"]
    herd.promote(newest, "beta")
    assert herd.promote(newest, "champion")["displaced"] is None
    alias = server.get("registered-models/alias", name=MODEL, alias="champion")
    assert alias["model_version"]["version"] == str(newest)
    invariants.assert_hold(herd)
