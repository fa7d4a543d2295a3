"""A PostgreSQL store knows its database: copies of it are only read, and its artifacts can move."""

import shutil
from contextlib import closing

import pytest

from herd import MODEL, promotion
from postgres_herd import PostgresHerd


@pytest.fixture
def copy(herd):
    """A copy of the herd's database on the same server. The artifacts are those of the original."""
    herd.train()
    copy = PostgresHerd(herd.folder, herd.server)
    copy.on_server(f"CREATE DATABASE {copy.name} TEMPLATE {herd.name}")
    yield copy
    copy.__exit__()


def test_copied_database_is_only_read_until_it_has_files_of_its_own(herd, copy):
    assert copy.versions().keys() == {1}
    error = copy.refused(*promotion(1, "beta"))
    assert error["code"] == "conflict" and "--copy" in error["hint"]
    assert "used by the original" in copy.refused("relocate", "--copy")["message"]
    own = herd.folder / "own"
    shutil.copytree(herd.folder / "mlruns", own)
    copy.ask("relocate", "--copy", "--from", herd.folder / "mlruns", "--to", own)
    copy.promote(1, "beta")
    herd.promote(1, "beta")
    copy.ask("train", "--timeframe", "1H", "--timesteps", 1)
    assert copy.ask("doctor")["healthy"] and herd.ask("doctor")["healthy"]
    run = copy.client().get_run(copy.versions()[2]["run_id"])
    assert run.info.artifact_uri.startswith(str(own))


def test_artifacts_of_a_database_can_move(herd):
    herd.train()
    herd.crown(1)
    (herd.folder / "mlruns").rename(herd.folder / "elsewhere ü")
    assert "relocate" in herd.refused("verify")["hint"]
    herd.ask("relocate", "--to", herd.folder / "elsewhere ü")
    assert herd.ask("doctor")["healthy"]
    herd.client()
    import mlflow

    assert mlflow.pyfunc.load_model(f"models:/{MODEL}@champion").metadata.run_id


def test_database_restored_on_another_server_is_only_read(herd):
    herd.train()
    with closing(herd.connect()) as connection, connection:
        place = "postgresql 1/1/public"
        connection.cursor().execute("UPDATE herdbook_place SET place = %s", (place,))
    assert place in herd.refused(*promotion(1, "beta"))["message"]
    herd.ask("relocate")
    herd.promote(1, "beta")


def test_shortened_history_of_a_database_is_noticed(herd):
    herd.train()
    with closing(herd.connect()) as connection, connection:
        connection.cursor().execute("DELETE FROM herdbook_events WHERE id > 1")
    assert "warning:" in herd.run("list", "--quiet").stderr
    assert "--accept-history" in herd.refused(*promotion(1, "beta"))["hint"]
    herd.ask("verify", "--accept-history", "--reason", "a test")
    assert "warning:" not in herd.run("list").stderr
