"""`train --resume`: after `kill -9` a resumed training ends with the same model, byte for byte."""

import hashlib
import json
import signal
import subprocess
import time

import pytest

import invariants
from herd import bars_file, ended, wait_until

LONG = ("--timeframe", "1H", "--timesteps", 120_000, "--seed", 3)
KILLS = 4


def model_sha256(herd, run_id):
    (path,) = (herd.folder / "mlruns").rglob(f"{run_id}/**/model.zip")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checkpoints(herd, run_id):
    return sorted((herd.folder / "mlruns").rglob(f"{run_id}/**/*.resume"))


def running_run(herd):
    if not herd.database.exists() or not herd.rows("SELECT 1 FROM sqlite_schema WHERE name = 'herdbook_leases'"):
        return None
    found = herd.rows("SELECT run_uuid FROM runs WHERE status = 'RUNNING'")
    return found[0][0] if found else None


def secured_run(herd):
    """A RUNNING run that has a checkpoint."""
    run_id = running_run(herd)
    return run_id if run_id and checkpoints(herd, run_id) else None


def kill_at_random(herd, process, rng, run_id=None):
    """Kills a training at a random moment after its first checkpoint, and returns its run."""
    run_id = run_id or wait_until(lambda: running_run(herd), "the run to begin")
    wait_until(lambda: process.poll() is not None or checkpoints(herd, run_id), "a checkpoint")
    try:
        process.wait(timeout=rng.uniform(0, 0.25))
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    return run_id


@pytest.mark.parametrize("enhancement", [None, "continued", "replay", "curriculum", "adaptive"])
def test_killed_training_goes_on_to_the_same_bytes(herd, rng, enhancement):
    parent = herd.train("--seed", 1)
    enhance = ("--enhance", parent["run_id"], "--enhance-type", enhancement) if enhancement else ()
    whole = herd.ask("train", *LONG, *enhance)
    run_id = kill_at_random(herd, herd.start("train", *LONG, *enhance), rng)
    for _ in range(KILLS):
        if running_run(herd) is None:
            break
        process = herd.start("train", "--resume", run_id)
        kill_at_random(herd, process, rng, run_id)
        invariants.assert_hold(herd)
    if running_run(herd):
        resumed = herd.ask("train", "--resume", run_id)
        assert resumed["run_id"] == run_id
        assert resumed["metrics"] == whole["metrics"]
        assert resumed["improvement"] == whole["improvement"]
    assert model_sha256(herd, run_id) == model_sha256(herd, whole["run_id"])
    assert not checkpoints(herd, run_id)
    # Each value was logged once.
    steps = "SELECT key, step, value FROM metrics WHERE run_uuid = ? AND key <> 'training/steps_per_second' ORDER BY 1, 2"
    assert herd.rows(steps, run_id) == herd.rows(steps, whole["run_id"])
    invariants.assert_hold(herd)


def test_interrupted_training_says_how_to_go_on_and_does(herd):
    process = herd.start("train", *LONG, "--json")
    run_id = wait_until(lambda: secured_run(herd), "a checkpoint")
    process.send_signal(signal.SIGINT)
    answer = ended(process)
    assert answer.status == 1, answer
    assert f"herdbook train --resume {run_id}" in answer.error["hint"]
    assert herd.client().get_run(run_id).info.status == "KILLED"
    herd.ask("train", "--resume", run_id)
    run = herd.client().get_run(run_id)
    assert run.info.status == "FINISHED"
    whole = herd.ask("train", *LONG)
    assert model_sha256(herd, run_id) == model_sha256(herd, whole["run_id"])
    error = herd.refused("train", "--resume", run_id)
    assert "FINISHED" in error["message"]
    invariants.assert_hold(herd)


def test_training_that_lives_is_not_taken_up_by_another(herd):
    process = herd.start("train", *LONG[:2], "--timesteps", 2_000_000)
    run_id = wait_until(lambda: secured_run(herd), "a checkpoint")
    error = herd.refused("train", "--resume", run_id)
    assert error["code"] == "conflict" and "is being trained by process" in error["message"], error
    process.kill()
    process.communicate()


def test_bars_that_moved_are_named_and_others_refused(herd, tmp_path):
    bars = bars_file(tmp_path, "bars.csv")
    process = herd.start("train", *LONG, "--data", bars, "--symbol", "EURUSD")
    run_id = wait_until(lambda: secured_run(herd), "a checkpoint")
    process.send_signal(signal.SIGINT)
    assert ended(process).status == 1
    moved = tmp_path / "moved.csv"
    bars.rename(moved)
    answer = herd.run("train", "--resume", run_id, "--json")
    assert answer.status == 2 and "--data" in json.loads(answer.stdout)["error"]["hint"], answer
    shorter = bars_file(tmp_path, "bars.csv", -1)
    answer = herd.run("train", "--resume", run_id, "--json")
    assert answer.status == 2 and "data." in json.loads(answer.stdout)["error"]["message"], answer
    shorter.unlink()
    herd.ask("train", "--resume", run_id, "--data", moved)


SWEEP = ("--timeframe", "1H", "--timesteps", 40_000, "--seed", 3, "--seeds", 3)
NEWEST_SWEEP = """
    SELECT t.run_uuid FROM tags t WHERE t.key = 'herdbook.sweep' AND t.value = (
        SELECT n.value FROM tags n JOIN runs r USING (run_uuid) WHERE n.key = 'herdbook.sweep'
        ORDER BY r.start_time DESC LIMIT 1)"""


def test_killed_sweep_goes_on_from_any_member(herd, rng):
    begun = time.monotonic()
    whole = herd.ask("train", *SWEEP)
    took = time.monotonic() - begun
    n_killed = 0
    while n_killed < KILLS:
        n_versions = len(herd.versions())
        process = herd.start("train", *SWEEP)
        run_id = wait_until(lambda: running_run(herd), "the first member to begin")
        wait_until(lambda: process.poll() is not None or checkpoints(herd, run_id), "a checkpoint")
        try:
            process.wait(timeout=rng.uniform(0, took))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        members = [member for (member,) in herd.rows(NEWEST_SWEEP)]
        if len(herd.versions()) == n_versions:
            n_killed += 1
            resumed = herd.ask("train", "--resume", rng.choice(members))
            assert resumed["sweep"]["chosen"] == whole["sweep"]["chosen"]
            for member, like in zip(resumed["sweep"]["members"], whole["sweep"]["members"], strict=True):
                assert member["metrics"] == like["metrics"]
            assert model_sha256(herd, resumed["run_id"]) == model_sha256(herd, whole["run_id"])
            members = [member for (member,) in herd.rows(NEWEST_SWEEP)]
            assert not any(checkpoints(herd, member) for member in members)
        assert len(herd.versions()) == n_versions + 1
    invariants.assert_hold(herd)
