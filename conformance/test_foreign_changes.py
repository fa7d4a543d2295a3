"""`doctor` and `verify` name every change of a recorded fact that another program makes, and no other change."""

import os
import sqlite3
from collections import Counter

import pytest

import foreign_changes
from foreign_changes import lived_register, names, random_change
from herd import strict_json

# `cargo xtask bench doctor` sets a higher number.
N_CHANGES = int(os.environ.get("HERDBOOK_CHANGES", 60))
N_PAGES = int(os.environ.get("HERDBOOK_PAGES", 12))
# One in so many stores is repaired too: each repair runs the doctor three times.
REPAIRED = 5


def register_of(herd):
    is_postgres = "HERDBOOK_TEST_POSTGRES" in os.environ
    kind = foreign_changes.PostgresRegister if is_postgres else foreign_changes.SqliteRegister
    return lived_register(herd, kind)


def examined(herd):
    """The findings of the doctor, and whether `verify` found something."""
    doctor, verify = herd.run("doctor", "--json"), herd.run("verify", "--json")
    assert doctor.status in (0, 1), doctor
    assert verify.status in (0, 1), verify
    found = strict_json(doctor.stdout)
    assert found["healthy"] == (doctor.status == 0)
    return found["breaches"], verify.status == 1


def test_every_change_of_a_fact_is_named_and_no_other(herd, rng):
    register = register_of(herd)
    assert examined(herd) == ([], False)
    made, unnoticed, false_alarms, ended, unrepaired = Counter(), [], [], [], []
    for number in range(N_CHANGES):
        change = random_change(register, rng)
        made[(change.is_fact, change.kind)] += 1
        breaches, is_verify_failing = examined(herd)
        if change.is_fact and not (names(breaches, change) and is_verify_failing):
            unnoticed.append((change, breaches))
        if not change.is_fact and (breaches or is_verify_failing):
            false_alarms.append((change, breaches))
        for command in (("list",), ("status",), ("show", "1", "--timeframe", "1H")):
            answer = herd.run(*command, "--json")
            if answer.status not in (0, 1):
                ended.append((change, command, answer))
        # Nothing is repaired from a history that is not the one last seen.
        is_history_known = all(breach["kind"] != "remembered_history" for breach in breaches)
        if number % REPAIRED == 0 and breaches and is_history_known:
            repaired = strict_json(herd.run("doctor", "--repair", "--json").stdout)
            left, _ = examined(herd)
            if any(one["repair"] == "possible" for one in [*repaired["breaches"], *left]):
                unrepaired.append((change, repaired["breaches"], left))
        register.set_back()
    assert examined(herd) == ([], False)
    for (is_fact, kind), count in sorted(made.items()):
        print(f"{'fact' if is_fact else 'no fact':8} {kind:45} {count:5}")
    print(f"{N_CHANGES} changes: {len(unnoticed)} facts unnoticed, {len(false_alarms)} false alarms")
    print(f"{len(ended)} reads ended with an error, {len(unrepaired)} repairs left something to repair")
    assert not unnoticed, unnoticed[:3]
    assert not false_alarms, false_alarms[:3]
    assert not ended, ended[:3]
    assert not unrepaired, unrepaired[:3]


@pytest.mark.skipif("HERDBOOK_TEST_POSTGRES" in os.environ, reason="only SQLite keeps such values")
def test_no_bad_value_of_an_event_ends_a_read(herd):
    herd.train()
    herd.crown(1)
    herd.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = herd.database.read_bytes()
    columns = [name for (name,) in herd.rows("SELECT name FROM pragma_table_info('herdbook_events')")]
    commands = (("list",), ("status",), ("show", "1"), ("history",), ("lineage",), ("champion",))
    ended = []
    for column in columns:
        for value in (b"\x00", "yesterday", 1e300):
            try:
                herd.rows_written(f"UPDATE herdbook_events SET {column} = ? WHERE kind IN ('registered', 'stage_changed')", value)
            except sqlite3.IntegrityError:
                continue
            for command in commands:
                family = () if command in (("list",), ("status",)) else ("--timeframe", "1H")
                answer = herd.run(*command, *family, "--json")
                if answer.status not in (0, 1):
                    ended.append((column, value, command, answer))
            for journal in herd.folder.glob("mlflow.db-*"):
                journal.unlink()
            herd.database.write_bytes(whole)
    assert not ended, ended[:3]


@pytest.mark.skipif("HERDBOOK_TEST_POSTGRES" in os.environ, reason="it overwrites pages of an SQLite file")
def test_every_overwritten_page_is_noticed(herd, rng):
    herd.train()
    herd.crown(1)
    assert examined(herd) == ([], False)
    whole = herd.database.read_bytes()
    page_size = int.from_bytes(whole[16:18], "big")
    for _ in range(N_PAGES):
        page = rng.randrange(len(whole) // page_size)
        damaged = bytearray(whole)
        damaged[page * page_size : (page + 1) * page_size] = rng.randbytes(page_size)
        herd.database.write_bytes(damaged)
        for command in (("doctor",), ("doctor", "--repair"), ("verify",)):
            answer = herd.run(*command)
            said = answer.stdout + answer.stderr
            assert answer.status in (1, 2), (page, command, answer)
            assert "damaged" in said and "panicked" not in said, (page, command, answer)
        for command in (("list",), ("status",), ("show", "1", "--timeframe", "1H")):
            answer = herd.run(*command)
            assert answer.status in (0, 1, 2) and "panicked" not in answer.stderr, (page, command, answer)
        for journal in herd.folder.glob("mlflow.db-*"):
            journal.unlink()
        herd.database.write_bytes(whole)
    assert examined(herd) == ([], False)
    print(f"{N_PAGES} overwritten pages: all noticed")
