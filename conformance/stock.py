"""A stock `mlflow server` with its artifact proxy, and a herd that uses it as its store."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import requests

import invariants
from herd import Herd, environment, wait_until

WORKERS = 2
EVENT = (
    "id, act_id, at_ms, actor, channel, kind, name, version, run_id, from_state, to_state, reason,"
    " parent_run_id, details, previous_hash, hash"
)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class StockServer:
    """`mlflow server` on its own SQLite file. It can be killed and started again on the same port."""

    def __init__(self, folder, workers=WORKERS):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.port = free_port()
        self.workers = workers
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
                    *("--port", str(self.port), "--workers", str(self.workers)),
                    # On a busy machine a worker can answer its parent late, which would then kill it.
                    *("--uvicorn-opts", "--timeout-worker-healthcheck 120"),
                ],
                cwd=self.folder,
                # Without this, MLflow starts more processes for jobs that are not used here.
                env={**environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A process group of its own, so that the workers can be killed too.
                start_new_session=True,
            )
        # On a busy machine it takes minutes to import MLflow.
        begun = lambda: self.answers() or self.process.poll() is not None  # noqa: E731
        wait_until(begun, "the server", patience_s=600)
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        return self

    def answers(self):
        try:
            return requests.get(f"{self.url}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def kill(self):
        """Kills the server and its workers at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def get(self, call, **query):
        answer = requests.get(f"{self.url}/api/2.0/mlflow/{call}", params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, call, **body):
        answer = requests.post(f"{self.url}/api/2.0/mlflow/{call}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()


# Commands that take `--model`.
OF_A_MODEL = "train promote rollback champion evaluate backtest predict compare show import-model".split()


class RemoteHerd(Herd):
    """A herd that uses a server as its store, with its own registered model there."""

    # A server that was killed can take minutes to start again.
    patience_s = 900

    def __init__(self, folder, server, family="trading_model"):
        super().__init__(folder)
        self.folder.mkdir(exist_ok=True)
        self.server = server
        self.uri = server.url
        self.family = family
        self.model = f"1H_{family}"
        self.database = self.folder / "snapshot.db"

    def start(self, *arguments, **options):
        if arguments[0] in OF_A_MODEL and "--resume" not in arguments:
            arguments = (*arguments, "--model", self.family)
        return super().start(*arguments, "--tracking-uri", self.uri, **options)

    def versions(self):
        listed = self.ask("list", "--timeframe", "1H")
        return {entry["version"]: entry for entry in listed if entry["name"] == self.model}

    def stages(self):
        return {version: entry["promotion_stage"] for version, entry in self.versions().items()}

    def alias(self):
        answer = self.server.get("registered-models/alias", name=self.model, alias="champion")
        return int(answer["model_version"]["version"])

    def assert_invariants(self):
        """Checks the invariants in the server's database and in the journal, without herdbook."""
        self.take_snapshot()
        invariants.assert_hold(self)

    def take_snapshot(self):
        self.database.unlink(missing_ok=True)
        with (
            closing(sqlite3.connect(self.server.folder / "mlflow.db", timeout=30)) as source,
            closing(sqlite3.connect(self.database)) as copy,
        ):
            source.backup(copy)
            copy.executescript(
                "CREATE TABLE herdbook_events (id INTEGER PRIMARY KEY, act_id, at_ms, actor, channel,"
                " kind, name, version, run_id, from_state, to_state, reason, parent_run_id, details,"
                " previous_hash, hash);"
                "CREATE TABLE herdbook_leases (run_uuid);"
            )
            copy.executemany(
                f"INSERT INTO herdbook_events ({EVENT}) VALUES ({','.join('?' * 16)})",
                [event_row(event) for event in events(copy)],
            )
            copy.execute(
                "INSERT INTO herdbook_leases SELECT run_uuid FROM tags WHERE key = 'herdbook.lease'"
            )
            root = self.server.folder / "mlartifacts"
            copy.execute(
                "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, length('mlflow-artifacts:') + 1)",
                [str(root)],
            )
            # A version that the journal has not registered does not belong to herdbook.
            copy.execute(
                "DELETE FROM model_versions WHERE EXISTS (SELECT 1 FROM model_version_tags t"
                " WHERE t.name = model_versions.name AND t.version = model_versions.version"
                "  AND t.key = 'herdbook.pending')"
            )
            copy.execute(
                "DELETE FROM model_version_tags WHERE NOT EXISTS (SELECT 1 FROM model_versions v"
                " WHERE v.name = model_version_tags.name AND v.version = model_version_tags.version)"
            )
            copy.commit()


def acts(connection):
    """The acts of the journal, in order."""
    found = connection.execute(
        "SELECT t.value FROM experiment_tags t JOIN experiments e USING (experiment_id)"
        " WHERE e.name = 'herdbook.journal' AND t.key = 'herdbook.journal.run'"
    ).fetchone()
    if found is None:
        return
    params = dict(connection.execute("SELECT key, value FROM params WHERE run_uuid = ?", found))
    place = 1
    while value := params.get(f"act.{place}"):
        act = json.loads(value)
        if "parts" in act:
            parts = [params[f"part.{act['sha256'][:32]}.{part}"] for part in range(act["parts"])]
            act = json.loads("".join(parts))
        yield act
        place += 1


def events(connection):
    return [event for act in acts(connection) for event in act["events"]]


def event_row(event):
    from datetime import datetime, timezone

    fields = ("id", "act_id", "at", "actor", "channel", "kind", "name", "version", "run_id", "from", "to")
    fields += ("reason", "parent", "details", "previous_hash", "hash")
    row = [event[field] for field in fields]
    at = datetime.fromisoformat(event["at"].replace("Z", "+00:00"))
    row[2] = round((at - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds() * 1000)
    return row
