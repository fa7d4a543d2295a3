"""Imports complete stores from files, old databases and a server; some imports are killed on the way."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

import invariants
from herd import Herd, environment, wait_until
from old_stores import ZONE, fill, imported, kinds, unpack
from test_server import Server, free_port

KILLS = 60
# Findings about the contradictory model of each old store; `alias_differs` from MLflow 2.3 on.
FOUND = [
    "duplicate_registration",
    "latest_with_children",
    "model_file_missing",
    "old_without_children",
    "parent_missing",
    "parent_timeframe",
    "run_left_running",
    "stage_without_history",
    "tags_differ",
    "two_champions",
    "unknown_word",
    "version_gap",
]


def metrics_of(database):
    """Every logged value, by run id."""
    with closing(sqlite3.connect(database)) as connection:
        columns = "run_uuid, key, value, timestamp, step, is_nan"
        return sorted(connection.execute(f"SELECT {columns} FROM metrics").fetchall())


def contents(herd):
    """The records that an import wrote, without random ids and the time of the import."""
    tables = {
        "runs": "run_uuid, name, status, start_time, end_time, lifecycle_stage, experiment_id",
        "tags": "run_uuid, key, value",
        "params": "run_uuid, key, value",
        "metrics": "run_uuid, key, value, timestamp, step",
        "model_versions": "name, version, creation_time, current_stage, run_id",
        "model_version_tags": "name, version, key, value",
        "herdbook_events": "id, at_ms, kind, name, version, run_id, from_state, to_state, reason",
    }
    rows = {}
    for table, columns in tables.items():
        found = herd.rows(f"SELECT {columns} FROM {table}")
        # The time at which the import archived the second champion.
        now = max((row[1] for row in found), default=0) if table == "herdbook_events" else None
        rows[table] = sorted(map(str, (tuple("now" if now and value == now else value for value in row) for row in found)))
    rows["model_version_tags"] = [row for row in rows["model_version_tags"] if "4H" not in row]
    root = herd.folder / "mlruns"
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return rows, files


@pytest.mark.parametrize("name", ["1.30.0-sqlite", "2.9.2-files", "2.22.2-sqlite", "3.1.4-sqlite"])
def test_imported_store_keeps_every_invariant_and_opens_in_mlflow(tmp_path, name):
    old = unpack(name, tmp_path / "old")
    source = old / ("mlflow.db" if name.endswith("sqlite") else "mlruns")
    herd, report = imported(tmp_path / "new", source)
    invariants.assert_hold(herd)
    assert [kind for kind in kinds(report) if kind != "alias_differs"] == FOUND
    if name.endswith("sqlite"):
        assert metrics_of(herd.database) == metrics_of(source)
    client = herd.client()
    runs = json.loads((old / "runs.json").read_text())
    assert client.get_model_version_by_alias("1H_trading_model", "champion").run_id == runs["second"]
    assert client.get_model_version_by_alias("4H_trading_model", "champion").run_id == runs["rival"]
    run = client.get_run(runs["base"])
    assert run.data.params == {"learning_rate": "0.0003", "net_arch": "[64, 64]"}
    history = client.get_metric_history(runs["base"], "evaluation/mean_reward")
    assert [(value.step, value.value) for value in history] == [(2048, 0.25), (4096, 0.5), (6144, 0.75), (8192, 1.0)]
    path = client.download_artifacts(runs["base"], "models/1H/model.zip", str(tmp_path))
    with open(path, "rb") as file:
        assert file.read() == b"a model" + runs["base"].encode()


def test_imported_store_lives_on(tmp_path):
    old = unpack("2.9.2-sqlite", tmp_path / "old")
    herd, _ = imported(tmp_path / "new", f"sqlite:///{old / 'mlflow.db'}")
    champion = herd.ask("champion", "--timeframe", "1H", "--at", "2025-06-05")
    assert (champion["version"], champion["since"]) == (1, "2025-06-03T08:00:00Z")
    (tree,) = [t for t in herd.ask("lineage") if t["name"] == "1H_trading_model"]
    assert [child["version"] for child in tree["children"] if child["name"] == tree["name"]] == [2]
    history = herd.ask("history", "--timeframe", "1H")
    assert history[0]["details"]["imported"]["from"] == f"sqlite:///{old / 'mlflow.db'}"
    assert {event["actor"] for event in history} == {"conformance"}
    assert herd.ask("find", "best", "--timeframe", "1H", "--model-type", "replay")["version"] == 3
    herd.promote(3, "champion", "better")
    assert herd.ask("rollback", "--timeframe", "1H", "--reason", "worse")["version"] == 2
    assert herd.train()["version"] == 4
    report = herd.ask("import", old / "mlflow.db", *ZONE)
    assert [report[what]["added"] for what in ("experiments", "runs", "models", "versions")] == [0] * 4
    invariants.assert_hold(herd)
    found = herd.refused_after_data("doctor")
    # One imported version never had a model file.
    assert [breach["kind"] for breach in found["breaches"]] == ["orphan_parent", "model_file"]


def test_dry_run_reads_everything_and_writes_nothing(tmp_path):
    old = unpack("2.22.2-files", tmp_path / "old")
    herd, report = imported(tmp_path / "new", old / "mlruns", "--dry-run")
    assert (report["runs"]["added"], report["versions"]["added"]) == (16, 13)
    assert kinds(report) == sorted([*FOUND, "alias_differs"])
    assert list(herd.folder.iterdir()) == []


def test_mlruns_in_the_working_directory_is_imported_beside_itself(tmp_path):
    herd = Herd(unpack("2.22.2-files", tmp_path / "old"))
    refused = herd.run("list", "--json")
    assert refused.status == 2 and "import it with `herdbook import ./mlruns`" in refused.error["message"]
    answer = herd.run("import", "./mlruns", *ZONE)
    assert answer.status == 0, answer
    assert "mv mlruns mlruns.old" in answer.stderr
    (herd.folder / "mlruns").rename(herd.folder / "mlruns.old")
    invariants.assert_hold(herd)
    assert len(herd.ask("list")) == 13


def test_killed_import_is_begun_again_and_ends_as_if_it_had_not_been(tmp_path, rng):
    old = unpack("2.22.2-files", tmp_path / "old") / "mlruns"
    begun = time.monotonic()
    whole, _ = imported(tmp_path / "whole", old)
    latest_s = 1.1 * (time.monotonic() - begun)
    wanted = contents(whole)
    killed = 0
    for round_no in range(KILLS):
        folder = tmp_path / f"killed{round_no}"
        folder.mkdir()
        herd = Herd(folder)
        for _ in range(rng.randint(1, 3)):
            process = herd.start("import", old, *ZONE)
            try:
                process.wait(timeout=rng.uniform(0, latest_s))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
            if herd.database.exists() and herd.rows("SELECT 1 FROM sqlite_schema WHERE name = 'herdbook_events'"):
                invariants.assert_hold(herd)
        herd.ask("import", old, *ZONE)
        invariants.assert_hold(herd)
        assert contents(herd) == wanted
    print(f"{killed} kills")
    assert killed > KILLS / 2


@pytest.fixture
def served(tmp_path):
    """A stock MLflow server with an artifact proxy and the content of the old stores."""
    folder = tmp_path / "served"
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers", "1", "--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./mlartifacts"),
        ],
        cwd=folder,
        # Without the job queue, which would start five more processes.
        env={**environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdin=subprocess.DEVNULL,
        stdout=(folder / "server.log").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        server = Server(None, port)
        wait_until(lambda: server.answers() or process.poll() is not None, "the server")
        assert process.poll() is None, (folder / "server.log").read_text()
        fill(server.url, folder)
        yield server.url, folder
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_server_is_imported_as_its_database_is(tmp_path, served):
    url, folder = served
    over_http, by_server = imported(tmp_path / "http", url)
    from_file, by_file = imported(tmp_path / "file", folder / "mlflow.db")
    assert by_server["runs"] == by_file["runs"] and by_server["runs"]["added"] == 16
    assert by_server["artifacts"] == by_file["artifacts"]
    # The versions were registered just now, their changes in 2025.
    wanted = sorted([*FOUND, "alias_differs", "before_registration"])
    assert kinds(by_server) == kinds(by_file) == wanted
    assert metrics_of(over_http.database) == metrics_of(from_file.database)
    assert contents(over_http)[1] == contents(from_file)[1]
    for herd in (over_http, from_file):
        invariants.assert_hold(herd)
        # One parent and one model file were never there.
        assert "in 2 places" in herd.refused("verify")["message"]
    again = over_http.ask("import", url, *ZONE)
    assert [again[what]["added"] for what in ("experiments", "runs", "models", "versions")] == [0] * 4


def test_server_that_is_none_is_named(tmp_path):
    herd = Herd(tmp_path)
    answer = herd.run("import", f"http://127.0.0.1:{free_port()}", "--json")
    assert answer.status == 2 and answer.error["message"].startswith("cannot import from `http://127.0.0.1")
    assert list(tmp_path.iterdir()) == []


OUR_INDEXES = "SELECT name, sql FROM sqlite_schema WHERE name LIKE 'herdbook%' ORDER BY name"


def test_database_with_our_tables_survives_mlflows_upgrade(tmp_path):
    """MLflow's own migrations upgrade the database from 3.10 to 3.17.2."""
    herd = Herd(unpack("3.10.1-sqlite", tmp_path / "old"))
    with closing(sqlite3.connect(herd.database)) as connection:
        # With two champions every command except `doctor` and `import` refuses the store.
        connection.execute(
            "UPDATE model_version_tags SET value = 'archived' WHERE name = '4H_trading_model'"
            " AND version = 1 AND key = 'promotion_stage'"
        )
        connection.execute(
            "UPDATE runs SET artifact_uri = replace(artifact_uri, '/tmp/fx/3.10.1-sqlite', ?)",
            (str(herd.folder),),
        )
        connection.commit()
    uri = ("--tracking-uri", herd.uri)
    herd.promote(3, "champion", "before the upgrade", *uri)
    before, indexes = herd.ask("history", *uri), herd.rows(OUR_INDEXES)
    revision = "SELECT version_num FROM alembic_version"
    assert herd.rows(revision) == [("1b5f0d9ad7c1",)]
    upgrade = [sys.executable, "-m", "mlflow", "db", "upgrade", herd.uri]
    subprocess.run(upgrade, env=environment(), check=True, capture_output=True)
    assert herd.rows(revision) == [("dc11669786a5",)]
    herd.run("doctor", *uri)
    assert herd.rows(OUR_INDEXES) == indexes
    assert herd.ask("history", *uri) == before
    found = herd.refused_after_data("doctor", *uri)
    kinds = {breach["kind"] for breach in found["breaches"]}
    # herdbook never registered these versions, and not all have a model file.
    assert kinds == {"orphan_parent", "model_file", "no_history"}
    herd.promote(2, "beta", "after it", *uri)
    herd.promote(2, "champion", "after it", *uri)
    client = herd.client()
    assert client.get_model_version_by_alias("1H_trading_model", "champion").version == 2
    with pytest.raises(Exception, match="UNIQUE constraint failed"):
        client.set_model_version_tag("1H_trading_model", "1", "promotion_stage", "champion")


@pytest.mark.parametrize("name", ["1.30.0-sqlite", "2.9.2-sqlite", "2.22.2-sqlite", "3.1.4-sqlite"])
def test_older_database_is_refused_with_the_command_that_upgrades_it(tmp_path, name):
    herd = Herd(unpack(name, tmp_path / "old"))
    (herd.folder / "mlruns").rename(herd.folder / "artifacts")
    before = herd.database.read_bytes()
    commands = [
        ("list",),
        ("doctor",),
        ("train", "--timeframe", "1H"),
        ("promote", "--timeframe", "1H", "--model-version", 1, "--target-stage", "beta"),
    ]
    for command in commands:
        answer = herd.run(*command, "--json")
        assert answer.status == 2 and answer.error["code"] == "store_schema", answer
        assert f"run `mlflow db upgrade {herd.uri}` with MLflow 3.17" in answer.error["message"]
    assert herd.database.read_bytes() == before
