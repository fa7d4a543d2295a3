"""Ctrl-C during a training ends the run as KILLED and changes nothing else."""

import signal

import pytest

import invariants
from herd import TIMESTEPS, ended, wait_until

AT_WORK = (
    "SELECT r.run_uuid FROM runs r JOIN metrics m USING (run_uuid) WHERE r.status = 'RUNNING' LIMIT 1"
)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_is_killed_and_registers_nothing(herd, sent):
    parent = herd.train()
    process = herd.start(
        "train", "--timeframe", "1H", "--timesteps", 10_000 * TIMESTEPS, "--enhance", "latest", "--json"
    )
    ((run_id,),) = wait_until(lambda: herd.rows(AT_WORK), "the first metrics")
    process.send_signal(sent)
    answer = ended(process)
    assert answer.status == 1, answer
    assert answer.error["code"] == "cancelled"
    assert run_id in answer.error["message"]

    client = herd.client()
    run = client.get_run(run_id)
    assert run.info.status == "KILLED" and run.info.end_time >= run.info.start_time
    assert "version_type" not in run.data.tags
    assert list(herd.versions()) == [1]
    assert client.get_run(parent["run_id"]).data.tags["version_type"] == "latest"
    ended_event = "SELECT kind, to_state FROM herdbook_events ORDER BY id DESC LIMIT 1"
    assert herd.rows(ended_event) == [("run_ended", "KILLED")]
    assert not list((herd.folder / "mlruns").rglob(f"*{run_id}*/**/model.zip"))
    invariants.assert_hold(herd)


def test_run_that_was_interrupted_is_never_found(herd):
    process = herd.start("train", "--timeframe", "1H", "--timesteps", 10_000 * TIMESTEPS)
    wait_until(lambda: herd.database.exists() and began(herd), "the run to begin")
    process.send_signal(signal.SIGINT)
    assert ended(process).status == 1
    assert herd.refused("find", "latest", "--timeframe", "1H")["code"] == "not_found"
    error = herd.refused("train", "--timeframe", "1H", "--enhance", "latest")
    assert "herdbook train --timeframe 1H" in error["hint"]


def began(herd):
    tables = herd.rows("SELECT 1 FROM sqlite_schema WHERE name = 'herdbook_leases'")
    return tables and herd.rows("SELECT 1 FROM runs WHERE status = 'RUNNING'")
