"""Stores that were moved or copied: recognised, relocated after a check of their files, and read by MLflow afterwards.

A copy never writes into its original. A history that was changed behind herdbook's back is noticed."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from herd import BINARY, MODEL, Herd, environment, promotion, training

MOVED = "herdbook relocate"


@pytest.fixture
def state(tmp_path_factory, monkeypatch):
    """A folder for the remembered ends of histories, of this test alone."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A store in which version 1 is the champion and version 2 its child. Only its copies are used."""
    herd = Herd(tmp_path_factory.mktemp("made") / "a")
    herd.folder.mkdir()
    herd.train()
    herd.train("--enhance", "best", "--enhance-type", "continued")
    herd.crown(1)
    return herd


@pytest.fixture
def home(made, tmp_path, state):
    """A store of this test in the folder `home`."""
    return placed(made, tmp_path / "home")


def placed(made, folder):
    """A store like `made` that was made in another folder: its records name that folder."""
    shutil.copytree(made.folder, folder)
    herd = Herd(folder)
    herd.ask("relocate", "--copy")
    return herd


def moved(herd, folder):
    folder.parent.mkdir(parents=True, exist_ok=True)
    herd.folder.rename(folder)
    return Herd(folder)


def fingerprint(folder):
    """Names and hashes of all files below a folder."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def locations(herd):
    """All artifact locations in MLflow's records."""
    return [
        text
        for sql in (
            "SELECT artifact_location FROM experiments",
            "SELECT artifact_uri FROM runs",
            "SELECT source FROM model_versions",
            "SELECT storage_location FROM model_versions",
        )
        for (text,) in herd.rows(sql)
    ]


def load_champion(herd):
    """Loads the champion with stock MLflow, in a process of its own."""
    program = (
        "import sys, mlflow\n"
        "mlflow.set_tracking_uri(sys.argv[1])\n"
        f"model = mlflow.pyfunc.load_model('models:/{MODEL}@champion')\n"
        "client = mlflow.MlflowClient()\n"
        "path = mlflow.artifacts.download_artifacts(\n"
        "    run_id=model.metadata.run_id, artifact_path='models/1H/model.zip')\n"
        "print(model.metadata.run_id)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, herd.uri], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def assert_refused(herd, *arguments):
    error = herd.refused(*arguments)
    assert error["code"] == "conflict"
    assert MOVED in error["hint"], error
    return error


@pytest.mark.parametrize("name", ["moved", "with space", "größe 中", "a+b&c=d", "under/other"])
def test_moved_store_is_recognised_and_relocated(home, tmp_path, name):
    run_of_champion = home.versions()[1]["run_id"]
    there = moved(home, tmp_path / name)
    assert there.versions().keys() == {1, 2}
    for refused in (
        promotion(2, "beta"),
        training(),
        ("rollback", "--timeframe", "1H", "--reason", "x"),
    ):
        error = assert_refused(there, *refused)
        assert str(home.folder) in error["message"] and str(there.folder) in error["message"]
    assert MOVED in there.refused("verify")["hint"]
    found = there.refused_after_data("doctor")["breaches"]
    assert {breach["kind"] for breach in found} == {"place", "model_file", "evidence_file"}
    assert all(MOVED in breach["message"] for breach in found)
    assert not home.folder.exists(), "nothing is written at the former place"

    before = there.contents()
    planned = there.ask("relocate", "--dry-run")
    assert planned["is_needed"] and planned["n_files"] >= 2 and planned["problems"] == []
    assert there.contents() == before
    done = there.ask("relocate")
    assert done["moves"] == [{"from": str(home.folder), "to": str(there.folder)}]
    assert there.ask("doctor")["healthy"]
    assert not any(str(home.folder) in text for text in locations(there))
    assert load_champion(there) == run_of_champion
    there.promote(2, "beta")
    event = there.ask("history")[-2]
    assert event["kind"] == "relocated" and event["details"]["files_checked"] == planned["n_files"]
    assert there.ask("relocate")["is_needed"] is False


def test_copy_never_writes_into_its_original(home, tmp_path):
    copy = Herd(tmp_path / "copy")
    shutil.copytree(home.folder, copy.folder)
    before = fingerprint(home.folder)
    for refused in (promotion(2, "beta"), training(), ("doctor", "--repair")):
        if refused[0] == "doctor":
            assert copy.refused_after_data(*refused)["breaches"][0]["kind"] == "place"
        else:
            assert "--copy" in assert_refused(copy, *refused)["hint"]
    assert copy.versions().keys() == {1, 2}
    # A copy with the id of its original would be taken for it.
    assert "--copy" in assert_refused(copy, "relocate")["hint"]
    copy.ask("relocate", "--copy")
    copy.promote(2, "beta")
    copy.train()
    load_champion(copy)
    assert fingerprint(home.folder) == before
    assert home.ask("doctor")["healthy"] and copy.ask("doctor")["healthy"]
    home.promote(2, "beta")
    places = [herd.rows("SELECT store_id, place FROM herdbook_place")[0] for herd in (home, copy)]
    assert places[0][0] != places[1][0]
    assert [place for _, place in places] == [str(herd.database) for herd in (home, copy)]


def test_copy_without_its_files_stays_a_copy(home, tmp_path):
    copy = Herd(tmp_path / "copy")
    copy.folder.mkdir()
    shutil.copy(home.database, copy.database)
    assert_refused(copy, *promotion(2, "beta"))
    error = copy.refused("relocate", "--copy")
    assert "was not copied" in error["message"]


def test_link_to_the_folder_is_the_same_place(home, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(home.folder)
    Herd(link).promote(2, "beta")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/one.db").symlink_to(home.database)
    answer = home.run("promote", "--timeframe", "1H", "--model-version", 2, "--target-stage",
                      "development", "--tracking-uri", f"sqlite:///{tmp_path}/data/one.db")
    assert answer.status == 0, answer


def test_hard_link_of_the_database_is_only_read(home, tmp_path):
    link = Herd(tmp_path / "link")
    shutil.copytree(home.folder, link.folder, copy_function=os.link)
    assert link.versions().keys() == {1, 2}
    assert_refused(link, *promotion(2, "beta"))
    assert "hard link" in link.refused("relocate", "--copy")["message"]
    home.promote(2, "beta")


def test_database_alone_may_be_moved(home, tmp_path):
    there = Herd(tmp_path / "elsewhere")
    there.folder.mkdir()
    home.database.rename(there.database)
    before = locations(there)
    there.promote(2, "beta")
    load_champion(there)
    assert there.refused_after_data("doctor")["breaches"][0]["kind"] == "place"
    there.ask("relocate")
    assert locations(there) == before
    assert there.ask("doctor")["healthy"]


def test_artifacts_alone_may_be_moved(home, tmp_path):
    (home.folder / "mlruns").rename(tmp_path / "artifacts")
    error = home.refused("verify")
    assert MOVED in error["hint"]
    done = home.ask("relocate", "--to", tmp_path / "artifacts")
    assert done["moves"] == [{"from": str(home.folder / "mlruns"), "to": str(tmp_path / "artifacts")}]
    assert home.ask("doctor")["healthy"]
    load_champion(home)


def test_database_and_artifacts_may_be_moved_apart(home, tmp_path):
    there = Herd(tmp_path / "elsewhere")
    there.folder.mkdir()
    (home.folder / "mlruns").rename(tmp_path / "artifacts")
    home.database.rename(there.database)
    assert_refused(there, *promotion(2, "beta"))
    answer = there.run("relocate", "--from", home.folder / "mlruns")
    assert answer.status == 2 and "pairs" in answer.stderr
    there.ask("relocate", "--from", home.folder / "mlruns", "--to", tmp_path / "artifacts")
    assert there.ask("doctor")["healthy"]
    load_champion(there)


@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_damaged_file_prevents_a_relocation(home, tmp_path, damage):
    there = moved(home, tmp_path / "moved")
    file = next((there.folder / "mlruns").rglob("models/1H/model.zip"))
    file.write_bytes(b"x") if damage == "altered" else file.unlink()
    before = there.contents()
    error = there.refused("relocate")
    assert str(file) in error["message"] and damage in error["message"]
    assert there.refused_after_data("relocate", "--dry-run")["problems"]
    assert there.contents() == before
    there.ask("relocate", "--force", "--reason", "the file was lost before")
    event = there.ask("history")[-1]
    assert event["reason"] == "the file was lost before" and event["details"]["overridden"]


def test_uris_keep_their_form(home, tmp_path):
    client = home.client()
    odd = home.folder / "mlruns" / "odd ü"
    experiment = client.create_experiment("odd", artifact_location=odd.as_uri())
    run = client.create_run(experiment).info.run_id
    client.log_text(run, "hello", "note.txt")
    elsewhere = client.create_experiment("remote", artifact_location="s3://bucket/a")
    there = moved(home, tmp_path / "moved ü")
    there.ask("relocate")
    client = there.client()
    uri = (there.folder / "mlruns" / "odd ü").as_uri()
    assert client.get_experiment(experiment).artifact_location == uri
    assert client.get_experiment(elsewhere).artifact_location == "s3://bucket/a"
    assert [file.path for file in client.list_artifacts(run)] == ["note.txt"]


def forget_place(herd):
    """Leaves a store as a build without places made it."""
    with closing(sqlite3.connect(herd.database)) as connection, connection:
        connection.execute("DROP TABLE herdbook_place")
        connection.execute("DELETE FROM herdbook_schema WHERE version > 2")


def test_store_of_an_older_build_that_was_moved_is_recognised(home, tmp_path):
    forget_place(home)
    there = moved(home, tmp_path / "moved")
    assert_refused(there, *promotion(2, "beta"))
    there.ask("relocate")
    assert there.ask("doctor")["healthy"]


@pytest.mark.parametrize("first", ["original", "copy"])
def test_copy_of_a_store_of_an_older_build_is_recognised(home, tmp_path, first):
    forget_place(home)
    copy = Herd(tmp_path / "copy")
    shutil.copytree(home.folder, copy.folder)
    for herd in (home, copy) if first == "original" else (copy, home):
        herd.ask("list")
    assert_refused(copy, *promotion(2, "beta"))
    copy.ask("relocate", "--copy")
    home.promote(2, "beta")
    copy.promote(2, "beta")


def test_store_that_mlflow_made_can_move(tmp_path, state):
    import mlflow

    herd = Herd(tmp_path / "made by mlflow")
    herd.folder.mkdir()
    client = herd.client()
    location = (herd.folder / "mlruns" / "x").as_uri()
    run = client.create_run(client.create_experiment("x", artifact_location=location)).info.run_id
    client.log_text(run, "hello", "note.txt")
    assert mlflow.get_tracking_uri() == herd.uri
    there = moved(herd, tmp_path / "moved")
    there.ask("relocate")
    assert [file.path for file in there.client().list_artifacts(run)] == ["note.txt"]
    there.train()
    assert there.ask("doctor")["healthy"]


def test_read_only_artifacts_can_be_relocated(home, tmp_path):
    there = moved(home, tmp_path / "moved")
    folders = [path for path in (there.folder / "mlruns").rglob("*") if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        there.ask("relocate")
        load_champion(there)
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_killed_relocation_is_done_or_not(home, tmp_path, rng):
    there = moved(home, tmp_path / "moved")
    for _ in range(12):
        with there.start("relocate") as process:
            try:
                process.wait(rng.uniform(0.0, 0.05))
            except subprocess.TimeoutExpired:
                process.kill()
        former = [text for text in locations(there) if str(home.folder) in text]
        assert len(former) in (0, len(locations(there)))
        recorded = there.rows("SELECT place FROM herdbook_place")[0][0]
        assert (recorded == str(there.database)) == (not former)
    there.ask("relocate")
    assert there.ask("doctor")["healthy"]


# The remembered history


def damage(herd, *statements):
    with closing(sqlite3.connect(herd.database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def drop_our_tables(herd):
    with closing(sqlite3.connect(herd.database)) as connection, connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'herdbook%'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f"DROP TABLE {table}")


def rewrite_history(herd):
    """Changes the actor of the first event, and computes all hashes again, as a careful forger would."""
    import json

    with closing(sqlite3.connect(herd.database)) as connection, connection:
        columns = ("id, act_id, at_ms, actor, channel, kind, name, version, run_id, from_state, "
                   "to_state, reason, parent_run_id, details")
        previous = "0" * 64
        for row in connection.execute(f"SELECT {columns} FROM herdbook_events ORDER BY id").fetchall():
            row = [*row]
            if row[0] == 1:
                row[3] = "mallory"
            text = json.dumps([*row, previous], separators=(",", ":"), ensure_ascii=False)
            digest = hashlib.sha256(text.encode()).hexdigest()
            connection.execute(
                "UPDATE herdbook_events SET actor = ?, previous_hash = ?, hash = ? WHERE id = ?",
                (row[3], previous, digest, row[0]),
            )
            previous = digest


CHANGES = {
    "shortened": lambda herd: damage(herd, "DELETE FROM herdbook_events WHERE id > 4"),
    "emptied": lambda herd: damage(herd, "DELETE FROM herdbook_events"),
    "dropped": lambda herd: damage(herd, "DROP TABLE herdbook_events"),
    "all dropped": drop_our_tables,
    "rewritten": rewrite_history,
    "id changed": lambda herd: damage(
        herd, "DELETE FROM herdbook_events", "UPDATE herdbook_place SET store_id = 'x'"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_history_is_noticed_by_the_next_command(home, change):
    home.ask("list")
    CHANGES[change](home)
    listed = home.run("list", "--quiet")
    assert listed.status == 0 and "warning:" in listed.stderr, listed
    error = home.refused(*promotion(2, "beta"))
    assert error["code"] == "conflict" and "--accept-history" in error["hint"], error
    assert "last seen" in error["message"]
    kinds = {breach["kind"] for breach in home.refused_after_data("doctor")["breaches"]}
    assert "remembered_history" in kinds
    assert home.refused("verify")["code"] == "conflict"
    assert home.run("verify", "--accept-history").status == 2
    accepted = home.ask("verify", "--accept-history", "--reason", "a test did this")
    assert accepted["accepted"] is True
    event = home.ask("history")[-1]
    assert event["kind"] == "history_accepted" and event["reason"] == "a test did this"
    assert "warning:" not in home.run("list").stderr
    home.promote(2, "beta")


def test_older_backup_is_noticed(home, tmp_path):
    backup = tmp_path / "backup.db"
    home.ask("list")
    shutil.copy(home.database, backup)
    home.promote(2, "beta")
    shutil.copy(backup, home.database)
    assert home.refused(*promotion(2, "beta"))["code"] == "conflict"
    home.ask("verify", "--accept-history", "--reason", "restored the backup")
    home.promote(2, "beta")


def test_new_store_at_the_place_of_another_is_announced(home):
    home.ask("list")
    home.database.unlink()
    answer = home.run(*training())
    assert answer.status == 0 and "was at" in answer.stderr, answer
    assert "warning" not in home.run("list").stderr


def test_two_stores_and_many_processes_raise_no_alarm(made, tmp_path, state):
    herds = [placed(made, tmp_path / name) for name in ("one", "two")]
    running = [
        herd.start("promote", "--timeframe", "1H", "--model-version", 2, "--target-stage", stage)
        for _ in range(6)
        for herd in herds
        for stage in ("beta", "development")
    ]
    running += [herd.start("list") for _ in range(12) for herd in herds]
    for process in running:
        _, stderr = process.communicate()
        assert "warning" not in stderr and "last seen" not in stderr, stderr
    for herd in herds:
        assert herd.ask("doctor")["healthy"]


@pytest.mark.parametrize("kind", ["a file", "read-only"])
def test_unusable_state_folder_is_announced_and_harmless(home, tmp_path, kind, monkeypatch):
    folder = tmp_path / "unusable"
    if kind == "a file":
        folder.write_text("")
    else:
        folder = Path("/proc/herdbook")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    answer = home.run("promote", "--timeframe", "1H", "--model-version", 2, "--target-stage", "beta")
    assert answer.status == 0, answer
    assert answer.stderr.count("may go unnoticed") == 1, answer
