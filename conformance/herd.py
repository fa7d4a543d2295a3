"""A herd: one folder with one store, and the real `herdbook` run in it as a user would."""

import gzip
import json
import os
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

# Absolute: commands run in folders of their own.
BINARY = Path(os.environ.get("HERDBOOK_BIN", "")).resolve()
MODEL = "1H_trading_model"
# Two rollouts: the least that has a learning curve.
TIMESTEPS = 4096
SAMPLES = Path(__file__).resolve().parent.parent / "testdata"
# No command of the suite takes longer, even on a machine that is busy with something else.
PATIENCE_S = 120


@dataclass
class Answer:
    """What a command said, and how it ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def error(self):
        """The error object that `--json` prints."""
        return strict_json(self.stdout)["error"]


class Herd:
    patience_s = PATIENCE_S

    def __init__(self, folder, binary=BINARY):
        self.folder = Path(folder)
        self.binary = str(binary)
        self.database = self.folder / "mlflow.db"
        self.uri = f"sqlite:///{self.database}"

    def start(self, *arguments, **options):
        """Starts a command and does not wait for it."""
        return subprocess.Popen(
            [self.binary, *map(str, arguments)],
            cwd=self.folder,
            env={**environment(), **self.variables()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def variables(self):
        """Variables of the environment that say which store is used; here the folder does."""
        return {}

    def records(self):
        """One consistent view of the records, as an SQLite connection, past herdbook and MLflow."""
        connection = sqlite3.connect(self.database, timeout=30)
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        return connection

    def run(self, *arguments, **options):
        """Runs a command to its end, whichever end that is."""
        with self.start(*arguments, **options) as process:
            return ended(process, self.patience_s)

    def ask(self, *arguments):
        """The JSON answer of a command that must succeed."""
        answer = self.run(*arguments, "--json")
        assert answer.status == 0, (arguments, answer)
        return strict_json(answer.stdout)

    def refused(self, *arguments):
        """The error object of a command that must be refused, with exit status 1."""
        answer = self.run(*arguments, "--json")
        assert answer.status == 1, (arguments, answer)
        return answer.error

    def refused_after_data(self, *arguments):
        """The data of a command that prints it and fails all the same, as `doctor` does."""
        answer = self.run(*arguments, "--json")
        assert answer.status == 1, (arguments, answer)
        return strict_json(answer.stdout)

    def train(self, *arguments, timeframe="1H"):
        return self.ask(*training(*arguments, timeframe=timeframe))

    def promote(self, version, stage, reason="tested", *arguments):
        return self.ask(*promotion(version, stage, reason), *arguments)

    def crown(self, version, reason="tested"):
        """Promotes a version in development to beta and on to champion."""
        self.promote(version, "beta", reason)
        return self.promote(version, "champion", reason)

    def versions(self, *arguments):
        """The list, by version number."""
        listed = self.ask("list", "--timeframe", "1H", *arguments)
        return {entry["version"]: entry for entry in listed}

    def rows(self, sql, *values):
        """Rows of the database, read past herdbook and MLflow."""
        with closing(self.records()) as connection:
            return [tuple(row) for row in connection.execute(sql, values)]

    def rows_written(self, sql, *values):
        """Writes past herdbook and MLflow."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            connection.execute(sql, values)

    def contents(self):
        """Everything the store holds: the database as text, and the names of all artifacts."""
        if not self.database.exists():
            return None
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            database = list(connection.iterdump())
        artifacts = sorted(str(path) for path in (self.folder / "mlruns").rglob("*"))
        return database, artifacts

    def client(self):
        """Stock MLflow on the same database, its module functions too."""
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient()


def environment():
    """A user's environment: which store is used, the folder decides. MLflow in this process sets variables."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_URI")}
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
    """JSON as the standard has it: no NaN, no infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def wait_until(condition, what, patience_s=PATIENCE_S):
    """What the condition answers as soon as that is true."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise AssertionError(f"waited in vain for {what}")


def hourly_bars(count=None):
    """Header and rows of the real EURUSD hourly bars."""
    with gzip.open(SAMPLES / "eurusd_1h_2017.csv.gz", "rt") as file:
        header, *rows = file.read().splitlines()
    return header, rows[:count]


def bars_file(folder, name, count=None):
    """The real EURUSD hourly bars as a file, the first so many of them."""
    header, rows = hourly_bars(count)
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path
