"""Kills the PostgreSQL server with -9 in the middle of acts and starts it again on the same data."""

import getpass
import os
import pwd
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2
import pytest

import invariants
from herd import promotion, wait_until
from postgres_herd import PostgresHerd
from stock import free_port

PROGRAMS = Path(os.environ.get("HERDBOOK_POSTGRES_PROGRAMS", ""))
KILLS = 10


class Server:
    """A PostgreSQL server for this test, with durable commits (the default)."""

    def __init__(self, folder):
        # PostgreSQL refuses to run as root.
        self.user = unprivileged() if os.geteuid() == 0 else getpass.getuser()
        self.folder, self.port, self.process = Path(folder), free_port(), None
        self.uri = f"postgresql://herd@localhost:{self.port}"
        account = pwd.getpwnam(self.user)
        os.chown(folder, account.pw_uid, account.pw_gid)
        options = ("--auth=trust", "--username=herd", "--encoding=UTF8", "--locale=C")
        assert self.call("initdb", *options, "-D", self.folder / "data").wait() == 0

    def call(self, program, *arguments):
        return subprocess.Popen(
            [PROGRAMS / program, *arguments],
            cwd=self.folder,
            user=self.user if os.geteuid() == 0 else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start(self):
        settings = (f"port={self.port}", "listen_addresses=localhost", "unix_socket_directories=")
        flags = [flag for setting in settings for flag in ("-c", setting)]
        self.process = self.call("postgres", "-D", self.folder / "data", *flags)
        wait_until(self.answers, "the server")

    def answers(self):
        try:
            psycopg2.connect(f"{self.uri}/postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def kill(self):
        """Kills the server and all its children at once."""
        server = self.process.pid
        # Stop the parent first; it would handle the deaths of its children.
        os.kill(server, signal.SIGSTOP)
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        for pid in (server, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "their end")


def unprivileged():
    names = {account.pw_name for account in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture
def server():
    # Not in the folders of pytest, which only their owner may enter.
    with tempfile.TemporaryDirectory(prefix="herdbook-crash") as folder:
        server = Server(folder)
        server.start()
        yield server
        server.kill()


def test_server_killed_in_the_middle_of_acts_loses_nothing_acknowledged(tmp_path, server, rng):
    with PostgresHerd(tmp_path, server.uri) as herd:
        herd.train()
        herd.train("--enhance", "best", "--enhance-type", "continued")
        herd.crown(1)
        acknowledged = herd.ask("history")
        for _ in range(KILLS):
            acts = [herd.start(*act, "--json") for act in acts_at_once(herd)]
            time.sleep(rng.uniform(0.0, 0.06))
            server.kill()
            ends = [(process.communicate()[0], process.returncode) for process in acts]
            server.start()
            assert herd.ask("doctor")["healthy"]
            invariants.assert_hold(herd)
            history = herd.ask("history")
            assert history[: len(acknowledged)] == acknowledged, "the history lost what was acknowledged"
            told = [event["to"] for event in history[len(acknowledged) :]]
            for _, status in ends:
                assert status in (0, 1, 2)
            n_acknowledged = sum(status == 0 for _, status in ends)
            assert n_acknowledged <= len(told), (ends, told)
            acknowledged = history
        # The next commands work without any repair.
        herd.train("--enhance", "latest", "--enhance-type", "replay")
        invariants.assert_hold(herd)


def acts_at_once(herd):
    """Moves both versions to a stage that is legal for each."""
    stages = {version: entry["promotion_stage"] for version, entry in herd.versions().items()}
    onward = {"development": "beta", "beta": "champion", "champion": "beta", "archived": "beta"}
    for version in (1, 2):
        yield promotion(version, onward[stages[version]])
