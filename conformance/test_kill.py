"""`kill -9` at random moments: the records stay consistent, whatever the process was doing."""

import os
import signal
import subprocess
import time

import pytest

import invariants
from herd import TIMESTEPS, Herd, bars_file, forget_histories, promotion, training, wait_until

# `cargo xtask bench faults` sets a higher number.
KILLS = int(os.environ.get("HERDBOOK_KILLS", 120))


def duration_s(herd, command):
    """The duration of a command that is not killed; the shortest of three."""
    times = []
    for _ in range(3):
        begun = time.monotonic()
        assert herd.run(*command).status == 0
        times.append(time.monotonic() - begun)
    return min(times)


def kill_within(herd, rng, command, latest_s):
    """Starts a command and kills it at a random moment. Returns 1 if it was still running, else 0."""
    process = herd.start(*command)
    try:
        process.wait(timeout=rng.uniform(0, latest_s))
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    was_killed = int(process.returncode == -signal.SIGKILL)
    COUNTS["killed"] += was_killed
    return was_killed


@pytest.fixture(autouse=True)
def figures(request):
    """Prints how many processes a test killed. The records were checked after each of them."""
    before = dict(COUNTS)
    yield
    killed, looked = (COUNTS[name] - before[name] for name in ("killed", "looked"))
    print(f"\nfaults: {request.node.name}: {killed} processes killed, {looked} looks, breaches 0")


COUNTS = {"killed": 0, "looked": 0}


def check_after_kill(herd):
    """Other commands find consistent records."""
    answer = herd.run("list", "--json")
    assert answer.status == 0, answer
    invariants.assert_hold(herd)
    COUNTS["looked"] += 1


@pytest.fixture
def parent(herd):
    herd.train()
    return herd


def test_killed_training_leaves_no_version_or_a_whole_one(parent, rng):
    command = training("--enhance", "best", "--enhance-type", "continued")
    latest_s = 1.1 * duration_s(parent, command)
    killed = 0
    while killed < KILLS:
        killed += kill_within(parent, rng, command, latest_s)
        check_after_kill(parent)
    # The store can still be used.
    assert parent.train("--enhance", "best")["parent"] is not None
    invariants.assert_hold(parent)


def test_training_killed_in_an_empty_folder_leaves_a_store_that_works(tmp_path, rng):
    latest_s = duration_s(Herd(tmp_path), training())
    for round_no in range(KILLS // 3):
        folder = tmp_path / str(round_no)
        folder.mkdir()
        herd = Herd(folder)
        kill_within(herd, rng, training(), latest_s)
        herd.train()
        invariants.assert_hold(herd)


def test_killed_promotion_happened_or_did_not(parent, rng):
    parent.train()
    parent.crown(1)
    parent.promote(2, "beta")
    latest_s = 1.2 * duration_s(parent, ("status",))
    killed, outcomes = 0, set()
    while killed < KILLS:
        killed += kill_within(parent, rng, promotion(2, "champion"), latest_s)
        check_after_kill(parent)
        stages = {v: entry["promotion_stage"] for v, entry in parent.versions().items()}
        outcomes.add((stages[1], stages[2]))
        if stages[2] == "champion":
            parent.promote(1, "beta")
            parent.promote(1, "champion")
            parent.promote(2, "beta")
    assert outcomes <= {("champion", "beta"), ("archived", "champion")}, outcomes
    invariants.assert_hold(parent)


def test_killed_rollback_happened_or_did_not(parent, rng):
    """A rollback makes two changes to one version and one to another: all of them or none."""
    parent.train()
    parent.crown(1)
    parent.crown(2)
    latest_s = 1.2 * duration_s(parent, ("status",))
    outcomes, newest = set(), 2
    for _ in range(KILLS // 3):
        kill_within(parent, rng, ("rollback", "--timeframe", "1H", "--reason", "tested"), latest_s)
        check_after_kill(parent)
        stages = {v: entry["promotion_stage"] for v, entry in parent.versions().items()}
        outcomes.add((stages[1], stages[newest]))
        if stages[1] == "champion":
            newest = parent.train()["version"]
            parent.crown(newest)
    assert outcomes <= {("archived", "champion"), ("champion", "archived")}, outcomes
    assert outcomes


def test_lease_of_a_killed_training_names_a_process_that_is_gone(parent, rng):
    """A run of a dead process is still RUNNING, but its lease names a process that does not exist."""
    process = parent.start("train", "--timeframe", "1H", "--timesteps", 1000 * TIMESTEPS)
    running = "SELECT pid FROM herdbook_leases l JOIN runs r USING (run_uuid) WHERE status = 'RUNNING'"
    wait_until(lambda: parent.rows(running), "the run to begin")
    process.kill()
    process.communicate()
    assert parent.rows(running) == [(process.pid,)]
    check_after_kill(parent)


ROLLBACK = ("rollback", "--timeframe", "1H", "--reason", "tested")


def of_each_kind(folder):
    """All commands that write, each with its preparation. Add new ones here."""
    early, late = bars_file(folder, "early.csv", 4_000), bars_file(folder, "late.csv")
    bars = ("--symbol", "EURUSD", "--data")

    def train(herd):
        herd.train(*bars, early)

    def crowned(herd):
        train(herd)
        train(herd)
        herd.crown(1)
        herd.crown(2)

    def broken(herd):
        crowned(herd)
        herd.rows_written("UPDATE model_version_tags SET value = 'beta' WHERE key = 'promotion_stage' AND version = 1")
        herd.rows_written("UPDATE tags SET value = 'old' WHERE key = 'version_type'")

    evaluate = ("evaluate", 1, "--timeframe", "1H", *bars, late)
    return {
        "evaluate": (train, evaluate),
        "replay": (train, training("--enhance", 1, "--enhance-type", "replay", *bars, early)),
        "curriculum": (train, training("--enhance", 1, "--enhance-type", "curriculum", *bars, early)),
        "adaptive": (train, training("--enhance", 1, "--enhance-type", "adaptive", *bars, early)),
        "sweep": (train, training("--seeds", 2, *bars, early)),
        "demote": (crowned, promotion(2, "beta")),
        "rollback": (crowned, ROLLBACK),
        "repair": (broken, ("doctor", "--repair")),
    }


@pytest.mark.parametrize(
    "kind",
    ["evaluate", "replay", "curriculum", "adaptive", "sweep", "demote", "rollback", "repair"],
)
def test_command_of_any_kind_killed_can_be_repeated(tmp_path, rng, kind):
    import shutil

    prepare, command = of_each_kind(tmp_path)[kind]
    # Always the same path, because the records contain the path of their artifacts.
    herd, whole = Herd(tmp_path / "herd"), tmp_path / "whole"
    herd.folder.mkdir()
    prepare(herd)
    shutil.copytree(herd.folder, whole)
    begun = time.monotonic()
    assert herd.run(*command).status == 0
    latest_s = time.monotonic() - begun
    for _ in range(max(KILLS // 10, 5)):
        shutil.rmtree(herd.folder)
        shutil.copytree(whole, herd.folder)
        forget_histories()
        kill_within(herd, rng, command, latest_s)
        if kind != "repair":
            check_after_kill(herd)
        # An act that was already done is refused; otherwise it is done now.
        assert herd.run(*command).status in (0, 1)
        check_after_kill(herd)
