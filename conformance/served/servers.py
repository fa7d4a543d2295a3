"""The servers of the comparison: stock `mlflow server`, and `herdbook serve` or a second stock server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import requests

from herd import BINARY, environment, wait_until
from stock import free_port

# `stock` compares stock MLflow with itself: no difference may be left.
AGAINST = os.environ.get("HERDBOOK_SERVED", "herdbook")
# MLflow takes minutes to start on a busy machine.
START_S = 600


class Server:
    """A server in a folder of its own, on an SQLite file, with its artifact proxy."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.folder = Path(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def command(self):
        address = ("--host", "127.0.0.1", "--port", str(self.port))
        if self.kind == "herdbook":
            database = ("--tracking-uri", f"sqlite:///{self.folder}/mlflow.db")
            return [str(BINARY), "serve", *address, *database, "--artifacts-destination", f"{self.folder}/mlartifacts"]
        return [
            *(sys.executable, "-m", "mlflow", "server", *address, "--workers", "1"),
            *("--uvicorn-opts", "--timeout-worker-healthcheck 120"),
        ]

    def start(self):
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={**environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A process group of its own, so that the workers can be stopped too.
                start_new_session=True,
            )
        return self

    def wait(self):
        begun = lambda: self.answers() or self.process.poll() is not None  # noqa: E731
        wait_until(begun, f"the {self.kind} server", patience_s=START_S)
        assert self.process.poll() is None, self.log()
        return self

    def answers(self):
        try:
            return requests.get(f"{self.url}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def log(self):
        return (self.folder / "server.log").read_text()

    def stop(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
