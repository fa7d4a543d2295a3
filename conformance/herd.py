"""A herd: a folder with a store, in which the real `herdbook` runs as a user would run it."""

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

# Absolute, because commands run in other folders.
BINARY = Path(os.environ.get("HERDBOOK_BIN", "")).resolve()
MODEL = "1H_trading_model"
# Two rollouts, the minimum for a learning curve.
TIMESTEPS = 4096
SAMPLES = Path(__file__).resolve().parent.parent / "testdata"
# No command of the suite takes longer, even on a busy machine.
PATIENCE_S = 120


@dataclass
class Answer:
    """Output and exit status of a command."""

    status: int
    stdout: str
    stderr: str

    @property
    def error(self):
        """The error object that `--json` prints."""
        return strict_json(self.stdout)["error"]


def forget_histories():
    """Forgets the last event seen of each store: a test that puts an older state of a store back is no attack."""
    shutil.rmtree(Path(os.environ["XDG_STATE_HOME"]) / "herdbook", ignore_errors=True)


class Herd:
    patience_s = PATIENCE_S

    def __init__(self, folder, binary=BINARY):
        self.folder = Path(folder)
        self.binary = str(binary)
        self.database = self.folder / "mlflow.db"
        self.uri = f"sqlite:///{self.database}"

    def start(self, *arguments, **options):
        """Starts a command without waiting for it."""
        return subprocess.Popen(
            [self.binary, *map(str, arguments)],
            cwd=self.folder,
            env={**environment(), **self.variables()},
            stdin=subprocess.DEVNULL,
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )

    def variables(self):
        """Environment variables that select the store; none here, because the working directory selects it."""
        return {}

    def records(self):
        """A consistent snapshot of the records as an SQLite connection, without herdbook or MLflow."""
        connection = sqlite3.connect(self.database, timeout=30)
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        return connection

    def run(self, *arguments, **options):
        """Runs a command and returns its output, whether it succeeds or fails."""
        with self.start(*arguments, **options) as process:
            return ended(process, self.patience_s)

    def ask(self, *arguments):
        """Runs a command that must succeed and returns its JSON output."""
        answer = self.run(*arguments, "--json")
        assert answer.status == 0, (arguments, answer)
        return strict_json(answer.stdout)

    def refused(self, *arguments):
        """Runs a command that must be refused (exit status 1) and returns its error object."""
        answer = self.run(*arguments, "--json")
        assert answer.status == 1, (arguments, answer)
        return answer.error

    def refused_after_data(self, *arguments):
        """Runs a command that prints data and ends with exit status 1, as `doctor` can, and returns the data."""
        answer = self.run(*arguments, "--json")
        assert answer.status == 1, (arguments, answer)
        return strict_json(answer.stdout)

    def train(self, *arguments, timeframe="1H"):
        return self.ask(*training(*arguments, timeframe=timeframe))

    def promote(self, version, stage, reason="tested", *arguments):
        return self.ask(*promotion(version, stage, reason), *arguments)

    def crown(self, version, reason="tested"):
        """Promotes a version from development to beta and then to champion."""
        self.promote(version, "beta", reason)
        return self.promote(version, "champion", reason)

    def versions(self, *arguments):
        """The output of `list`, by version number."""
        listed = self.ask("list", "--timeframe", "1H", *arguments)
        return {entry["version"]: entry for entry in listed}

    def rows(self, sql, *values):
        """Reads rows from the database, without herdbook or MLflow."""
        with closing(self.records()) as connection:
            return [tuple(row) for row in connection.execute(sql, values)]

    def rows_written(self, sql, *values):
        """Writes to the database, without herdbook or MLflow."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            connection.execute(sql, values)

    def contents(self):
        """The complete content of the store: the database as text, and the names of all artifacts."""
        if not self.database.exists():
            return None
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            database = list(connection.iterdump())
        artifacts = sorted(str(path) for path in (self.folder / "mlruns").rglob("*"))
        return database, artifacts

    def client(self):
        """A client of stock MLflow on the same database. MLflow's module functions use it too."""
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient()


def environment():
    """A user's environment, without the variables by which MLflow in this process selects a store, and without the width of
    a terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_URI") and name != "COLUMNS"}
    return {**kept, "HERDBOOK_ACTOR": "conformance"}


def training(*arguments, timeframe="1H"):
    return ("train", "--timeframe", timeframe, "--timesteps", TIMESTEPS, *arguments)


def promotion(version, stage, reason="tested", timeframe="1H"):
    named = ("promote", "--timeframe", timeframe, "--model-version", version)
    return (*named, "--target-stage", stage, "--reason", reason)


def ended(process, patience_s=PATIENCE_S):
    stdout, stderr = process.communicate(timeout=patience_s)
    return Answer(process.returncode, stdout, stderr)


def strict_json(text):
    """Parses JSON and refuses NaN and infinity, which the standard does not have."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def wait_until(condition, what, patience_s=PATIENCE_S):
    """Waits until the condition returns a true value, and returns it."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise AssertionError(f"waited in vain for {what}")


def hourly_bars(count=None):
    """The header and the rows of the EURUSD hourly bars."""
    with gzip.open(SAMPLES / "eurusd_1h_2017.csv.gz", "rt") as file:
        header, *rows = file.read().splitlines()
    return header, rows[:count]


def bars_file(folder, name, count=None):
    """Writes the first `count` EURUSD hourly bars (all by default) to a file."""
    header, rows = hourly_bars(count)
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path
