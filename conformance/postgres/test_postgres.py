"""Cases that only a PostgreSQL store has: MLflow on the same server, TLS, an unreachable server."""

import os
import re
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from mlflow.exceptions import MlflowException

import invariants
from herd import MODEL, Answer, Herd

TLS = Path(__file__).resolve().parents[2] / "crates/herdbook-store/tests/postgres/tls"


def at(herd, options, host="localhost"):
    """Runs a command with another URI of the same server."""
    uri = herd.uri.replace("localhost", host) + "?" + options
    return herd.run("list", "--tracking-uri", uri)


def test_stock_client_finds_what_herdbook_wrote(herd):
    herd.train()
    herd.train("--enhance", "best", "--enhance-type", "continued")
    herd.crown(2, "better than its parent")
    client = herd.client()
    champion = client.get_model_version_by_alias(MODEL, "champion")
    assert (int(champion.version), champion.current_stage) == (2, "Production")
    (experiment,) = [e for e in client.search_experiments() if e.name.startswith("stock_trading")]
    runs = client.search_runs(
        [experiment.experiment_id], "metrics.`evaluation/best_mean_reward` > -1e9", order_by=["start_time"]
    )
    assert [run.data.tags["version_type"] for run in runs] == ["old", "latest"]
    invariants.assert_hold(herd)


def test_stock_client_cannot_make_a_second_champion(herd):
    herd.train()
    herd.train()
    herd.crown(1)
    client = herd.client()
    with pytest.raises((MlflowException, psycopg2.Error), match="herdbook_one_champion"):
        client.set_model_version_tag(MODEL, "2", "promotion_stage", "champion")
    client.delete_model_version(MODEL, "1")
    herd.crown(2)
    invariants.assert_hold(herd)


def test_database_that_mlflow_made_is_used_as_it_is(herd):
    client = herd.client()
    experiment = client.create_experiment("theirs", artifact_location=str(herd.folder / "theirs"))
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "loss", float("nan"), step=3)
    herd.train()
    herd.crown(1)
    # The ids of experiments come from the same sequence.
    assert int(client.create_experiment("later")) == int(experiment) + 2
    assert client.get_run(run.info.run_id).data.metrics.keys() == {"loss"}
    assert herd.ask("doctor")["healthy"]
    invariants.assert_hold(herd)


def test_password_is_not_printed(herd):
    uri = re.sub("//herd@", "//herd:s3cret@", herd.uri)
    answer = herd.run("list", "--tracking-uri", uri)
    assert answer.status == 1 and "s3cret" not in answer.stdout + answer.stderr, answer
    assert "herd:***@" in answer.stderr


def test_server_is_checked_as_far_as_was_asked_for(herd):
    herd.train()
    root, stranger = f"sslrootcert={TLS / 'root.crt'}", f"sslrootcert={TLS / 'stranger.crt'}"
    for options in (
        "sslmode=disable",
        "sslmode=require",
        f"sslmode=require&{stranger}",
        f"sslmode=verify-ca&{root}",
        f"sslmode=verify-full&{root}",
    ):
        assert at(herd, options).status == 0, options
    # The certificate is for localhost only.
    assert at(herd, f"sslmode=verify-ca&{root}", "127.0.0.1").status == 0
    refused = {
        "NotValidForName": at(herd, f"sslmode=verify-full&{root}", "127.0.0.1"),
        "UnknownIssuer": at(herd, f"sslmode=verify-ca&{stranger}"),
        "sslrootcert=FILE": at(herd, "sslmode=verify-full"),
    }
    for reason, answer in refused.items():
        assert isinstance(answer, Answer) and answer.status == 2, (reason, answer)
        assert re.search(reason, answer.stderr, re.IGNORECASE) or "certificate" in answer.stderr, answer


def test_connection_is_encrypted_unless_told_otherwise(herd):
    herd.train()
    process = herd.start("train", "--timeframe", "1H", "--timesteps", "4000000")
    try:
        with closing(herd.connect()) as connection:
            # Inside a transaction the server would show the same snapshot every time.
            connection.autocommit = True
            cursor = connection.cursor()
            is_encrypted = []
            while not is_encrypted and process.poll() is None:
                cursor.execute(
                    "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                    " WHERE application_name = 'herdbook'"
                )
                is_encrypted = [ssl for (ssl,) in cursor.fetchall()]
        assert is_encrypted and all(is_encrypted)
    finally:
        process.kill()
        process.communicate()


def test_unreachable_server_is_named(herd):
    answer = herd.run("list", "--tracking-uri", "postgresql://herd@localhost:9/herd", "--json")
    assert answer.status == 2
    assert answer.error["code"] == "store_failed"
    assert "localhost:9" in answer.error["message"]


assert "HERDBOOK_TEST_POSTGRES" in os.environ, "`cargo xtask test --only postgres` starts a server"


def test_database_is_imported_into_a_file_and_not_into_itself(herd, tmp_path):
    client = herd.client()
    experiment = client.create_experiment("theirs", artifact_location=str(herd.folder / "theirs"))
    run = client.create_run(experiment, tags={"timeframe": "1H"}).info.run_id
    client.log_metric(run, "loss", float("nan"), step=3)
    client.set_terminated(run)
    herd.train()
    herd.crown(1)
    before = herd.rows("SELECT * FROM herdbook_events")
    target = Herd(tmp_path)
    flags = ("--timezone", "UTC", "--artifacts", herd.folder / "mlruns")
    report = target.ask("import", herd.uri, *flags)
    assert (report["runs"]["added"], report["versions"]["added"]) == (2, 1)
    assert target.ask("import", herd.uri, *flags)["runs"]["present"] == 2
    assert target.ask("champion", "--timeframe", "1H")["version"] == 1
    assert herd.rows("SELECT * FROM herdbook_events") == before
    # The same database under another name of the host.
    other = herd.uri.replace("localhost", "127.0.0.1")
    answer = herd.run("import", other, "--timezone", "UTC", "--json")
    assert answer.status == 2 and "the store to import from" in answer.error["message"]
