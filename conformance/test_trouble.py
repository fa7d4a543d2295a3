"""Foreign, locked, read-only and full stores give a clear error, and the records stay consistent."""

import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

import invariants
from herd import BINARY, Herd, ended, environment, promotion, training

NOBODY = 65534


def refused_with(answer, code, *parts):
    assert answer.status == 2, answer
    assert answer.error["code"] == code
    for part in parts:
        assert part in answer.error["message"], answer


@pytest.mark.parametrize("content", [b"not a database, but long enough to have a header" * 4, bytes(8192)])
def test_file_that_is_no_database_is_left_as_it_is(herd, content):
    herd.database.write_bytes(content)
    refused_with(herd.run(*training(), "--json"), "store_schema", "mlflow.db")
    assert herd.database.read_bytes() == content


@pytest.mark.parametrize(
    ("sql", "way_out"),
    [
        ("CREATE TABLE orders (id INTEGER)", "choose another one with"),
        ("CREATE TABLE alembic_version (version_num TEXT);"
         "INSERT INTO alembic_version VALUES ('0584bdc529eb');", "mlflow db upgrade"),
    ],
)
def test_unknown_schema_is_not_migrated(herd, sql, way_out):
    with closing(sqlite3.connect(herd.database)) as connection:
        connection.executescript(sql)
    before = herd.contents()
    refused_with(herd.run(*training(), "--json"), "store_schema", way_out)
    assert herd.contents() == before


def test_folder_where_mlflow_would_use_files_is_refused(herd):
    experiment = herd.folder / "mlruns" / "0"
    experiment.mkdir(parents=True)
    (experiment / "meta.yaml").write_text("name: Default\n")
    refused_with(herd.run(*training(), "--json"), "invalid_input", "file store", "--tracking-uri")
    assert not herd.database.exists()


def test_database_elsewhere_is_used_where_it_was_asked_for(herd):
    elsewhere = herd.folder / "elsewhere"
    elsewhere.mkdir()
    uri = f"sqlite:///{elsewhere / 'other.db'}"
    answer = herd.run(*training(), "--tracking-uri", uri)
    assert answer.status == 0 and uri in answer.stderr, answer
    assert not herd.database.exists()
    assert Herd(elsewhere).run("list", "--tracking-uri", "sqlite:///other.db").status == 0


def test_reading_where_there_is_no_store_makes_none(herd):
    assert herd.refused("list")["code"] == "not_found"
    assert list(herd.folder.iterdir()) == []


@pytest.fixture
def in_beta(herd):
    herd.train()
    herd.promote(1, "beta")
    return herd


@pytest.fixture
def lock(in_beta):
    """Holds the write lock of another process until it is rolled back."""
    with closing(sqlite3.connect(in_beta.database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def test_locked_store_is_waited_for_up_to_a_limit(in_beta, lock):
    answer = in_beta.run(*promotion(1, "champion"), "--lock-timeout", "1", "--json")
    refused_with(answer, "store_busy", "locked by another process", "1 s")
    assert "--lock-timeout" in answer.error["hint"]
    assert in_beta.versions()[1]["promotion_stage"] == "beta"


def test_store_that_is_unlocked_in_time_is_written(in_beta, lock):
    process = in_beta.start(*promotion(1, "champion"), "--lock-timeout", "60", "--json")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    lock.execute("ROLLBACK")
    assert ended(process).status == 0
    invariants.assert_hold(in_beta)


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_new_file_that_another_process_holds_is_waited_for(herd, begin):
    """As another first command does while it reads the file or creates the tables."""
    with closing(sqlite3.connect(herd.database, isolation_level=None)) as holder:
        holder.execute("PRAGMA user_version = 1")
        holder.execute(begin)
        holder.execute("SELECT * FROM sqlite_schema").fetchall()
        process = herd.start(*training(), "--lock-timeout", "60", "--json")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        holder.execute("ROLLBACK")
        answer = ended(process)
    assert answer.status == 0, answer
    invariants.assert_hold(herd)


@pytest.fixture
def readable():
    """A herd and a binary that every user can read, and a user without permission to write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    binary = folder / "herdbook"
    shutil.copy(BINARY, binary)
    work = folder / "work"
    work.mkdir()
    yield Herd(work, binary)
    for path in [work, *work.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


def make_read_only(herd):
    for path in [*herd.folder.rglob("*"), herd.folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def as_reader():
    """Root can write anywhere, so the command runs as another user."""
    if os.geteuid() != 0:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def test_folder_that_cannot_be_written_is_named(readable):
    make_read_only(readable)
    answer = readable.run(*training(), "--json", **as_reader())
    assert answer.status == 2, answer
    assert "mlflow.db" in answer.error["message"], answer
    assert list(readable.folder.iterdir()) == []


def test_read_only_store_is_read_and_not_written(readable):
    readable.train()
    before = readable.contents()
    make_read_only(readable)
    listed = readable.run("list", "--json", **as_reader())
    assert listed.status == 0, listed
    for command in (promotion(1, "beta"), training()):
        answer = readable.run(*command, "--json", **as_reader())
        refused_with(answer, "store_failed", "read-only", "mlflow.db")
    assert readable.contents() == before


def limited_to(n_bytes):
    """Limits the size of files: for a writer this is the same as a full disk."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    return {"preexec_fn": limit}


@pytest.mark.parametrize("n_bytes", [0, 4096, 100_000, 400_000])
def test_full_disk_at_the_first_training_is_named_and_leaves_a_usable_folder(herd, n_bytes):
    answer = herd.run(*training(), "--json", **limited_to(n_bytes))
    assert answer.status == 2, answer
    assert answer.error["code"] == "store_failed"
    assert str(herd.folder) in answer.error["message"], answer
    herd.train()
    invariants.assert_hold(herd)


def test_full_disk_at_any_later_moment_leaves_whole_records(herd):
    """Raises the limit step by step from the first write of a command to its last."""
    herd.train()
    largest = max(path.stat().st_size for path in herd.folder.rglob("*") if path.is_file())
    statuses = []
    for n_bytes in range(0, 2 * largest, largest // 8):
        answer = herd.run(*training("--enhance", "best"), "--json", **limited_to(n_bytes))
        statuses.append(answer.status)
        assert answer.status in (0, 2), answer
        invariants.assert_hold(herd)
    assert statuses[0] == 2 and statuses[-1] == 0, statuses


@pytest.mark.parametrize("kind", ["promote", "rollback"])
def test_full_disk_at_any_moment_of_a_change_of_stage_leaves_whole_records(herd, kind):
    herd.train()
    herd.train()
    herd.crown(1)
    herd.promote(2, "beta")
    if kind == "rollback":
        herd.promote(2, "champion")
    command = {
        "promote": promotion(2, "champion"),
        "rollback": ("rollback", "--timeframe", "1H", "--reason", "tested"),
    }[kind]
    size = herd.database.stat().st_size
    statuses = []
    # The WAL file begins small and grows by pages of 4 KiB; the database exists already.
    for n_bytes in [*range(0, 200_000, 8_192), 2 * size]:
        answer = herd.run(*command, "--json", **limited_to(n_bytes))
        invariants.assert_hold(herd)
        statuses.append(answer.status)
        if answer.status == 0:
            break
        refused_with(answer, "store_failed", "mlflow.db")
    assert statuses[0] == 2 and statuses[-1] == 0, statuses


OUTPUTS = ["mlflow.db", "./mlflow.db", "mlflow.db-journal", "mlflow.db-wal", "mlruns/export.jsonl"]


@pytest.mark.parametrize("name", OUTPUTS)
def test_export_never_replaces_a_file_of_the_store(in_beta, name):
    before = in_beta.contents()
    for overwrite in [(), ("--overwrite",)]:
        answer = in_beta.run("history", "--export", name, *overwrite, "--json")
        refused_with(answer, "invalid_input", name, "--export")
    assert in_beta.contents() == before
    invariants.assert_hold(in_beta)


def test_act_whose_output_is_lost_succeeds(in_beta):
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [*map(str, (BINARY, *promotion(1, "champion")))], cwd=in_beta.folder, env=environment(),
            stdout=full, stderr=subprocess.PIPE, text=True,
        )
    assert process.returncode == 0 and "the act was done" in process.stderr, process
    assert in_beta.versions()[1]["promotion_stage"] == "champion"


def test_silent_hosts_are_announced_and_given_up(herd):
    """A host that accepts connections and never answers, as a wrong port may. The commands wait at the same time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "%s:%s" % listener.getsockname()
        began = time.monotonic()
        waiting = [
            herd.start(*command)
            for command in (
                ("list", "--tracking-uri", f"http://{address}"),
                ("list", "--tracking-uri", f"https://{address}"),
                ("list", "--tracking-uri", f"postgresql://ada:s3cret@{address}/db"),
                ("list", "--tracking-uri", f"postgresql://ada:s3cret@{address}/db?sslmode=require"),
                ("import", f"http://{address}"),
            )
        ]
        interrupted = herd.start("list", "--tracking-uri", f"http://{address}")
        assert "waiting for" in interrupted.stderr.readline()
        interrupted.send_signal(signal.SIGINT)
        interrupted.communicate(timeout=10)
        for process in waiting:
            _, stderr = process.communicate()
            assert process.returncode == 2, stderr
            assert f"waiting for " in stderr and address in stderr and "s3cret" not in stderr, stderr
            assert "error: " in stderr and "hint: " in stderr or "import" in stderr, stderr
        assert 8 < time.monotonic() - began < 45
