"""Tests `invariants.py`: it detects and names each kind of broken records."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import invariants

BREACHES = {
    "alias points": "UPDATE registered_model_aliases SET version = 2",
    "the alias points at {}": "DELETE FROM registered_model_aliases",
    "its run beta": "UPDATE tags SET value = 'beta' WHERE key = 'promotion_stage'",
    "is tagged development, its history ends": "UPDATE model_version_tags SET value = 'development'"
    " WHERE key = 'promotion_stage' AND version = 1",
    "to MLflow it is None": "UPDATE model_versions SET current_stage = 'None' WHERE version = 2",
    "its tags tell of": "DELETE FROM model_version_tags WHERE key LIKE 'promotion_2%'",
    "registered children": "UPDATE model_version_tags SET value = 'latest' WHERE key = 'version_type'",
    "is not what was sealed": "UPDATE herdbook_events SET reason = 'another' WHERE id = 3",
    "does not follow the one before": "UPDATE herdbook_events SET previous_hash = '' WHERE id = 4",
    "event 2 is missing": "DELETE FROM herdbook_events WHERE id = 2",
    "and has a lease: True": "INSERT INTO herdbook_leases SELECT run_uuid, 'h', 1, 1, 1 FROM runs",
    "is RUNNING, and its model registered: True": "UPDATE runs SET status = 'RUNNING'",
}


@pytest.fixture
def crowned(herd):
    herd.train()
    herd.train("--enhance", "latest")
    herd.crown(1)
    return herd


def test_whole_records_pass(crowned):
    invariants.assert_hold(crowned)


def test_every_breach_of_the_records_is_named(crowned):
    whole = crowned.database.read_bytes()
    for named, sql in BREACHES.items():
        with closing(sqlite3.connect(crowned.database)) as connection:
            connection.execute(sql)
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with pytest.raises(AssertionError, match=named.replace("{}", ".*")):
            invariants.assert_hold(crowned)
        crowned.database.write_bytes(whole)
    invariants.assert_hold(crowned)


def test_two_champions_are_named_where_the_index_is_gone(crowned):
    with closing(sqlite3.connect(crowned.database)) as connection:
        connection.execute("DROP INDEX herdbook_one_champion")
        connection.execute("UPDATE model_version_tags SET value = 'champion' WHERE key = 'promotion_stage'")
        connection.commit()
    with pytest.raises(AssertionError, match="two champions: 1 and 2"):
        invariants.assert_hold(crowned)


def test_model_file_that_is_gone_or_altered_is_named(crowned):
    first, second = sorted((crowned.folder / "mlruns").rglob("model.zip"))
    Path(first).unlink()
    Path(second).write_bytes(b"another")
    with pytest.raises(AssertionError) as failure:
        invariants.assert_hold(crowned)
    assert "has no model file" in str(failure.value)
    assert "is not the one that was registered" in str(failure.value)
