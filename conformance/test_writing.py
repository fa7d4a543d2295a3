"""MLflow and herdbook write to the same database, and each works with the records of the other."""

import subprocess
import sys

import pytest

import invariants
from herd import MODEL, PATIENCE_S, environment


def test_mlflow_writes_runs_beside_those_of_herdbook(herd):
    trained = herd.train()
    client = herd.client()
    experiment = client.get_experiment_by_name("stock_trading_rl_1H")
    run = client.create_run(experiment.experiment_id, tags={"model_type": "base", "timeframe": "1H"})
    client.log_param(run.info.run_id, "seed", 1)
    client.log_metric(run.info.run_id, "evaluation/best_mean_reward", 1e9)
    client.log_metric(run.info.run_id, "evaluation/best_mean_reward", float("nan"), step=1)
    client.set_terminated(run.info.run_id)
    # A run without a registered version is never found, whatever its metrics.
    assert herd.ask("find", "best", "--timeframe", "1H")["run_id"] == trained["run_id"]
    assert herd.train("--enhance", "best", "--enhance-type", "continued")["version"] == 2
    assert len(client.search_runs([experiment.experiment_id])) == 3
    invariants.assert_hold(herd)


def test_mlflow_adds_tags_and_metrics_to_a_run_of_herdbook(herd):
    run_id = herd.train()["run_id"]
    client = herd.client()
    client.set_tag(run_id, "reviewed_by", "ann")
    client.log_metric(run_id, "live/sharpe_ratio", 1.25, step=7)
    client.update_registered_model(MODEL, "hourly models")
    client.set_model_version_tag(MODEL, "1", "note", "watch it")
    client.set_registered_model_alias(MODEL, "candidate", "1")
    told = herd.ask("show", "--timeframe", "1H", "--model-version", 1)
    assert "live/sharpe_ratio" not in told["metrics"], "it was logged after the registration"
    herd.crown(1)
    tags = client.get_model_version(MODEL, "1").tags
    assert (tags["note"], tags["promotion_stage"]) == ("watch it", "champion")
    aliases = client.get_registered_model(MODEL).aliases
    assert {name: int(version) for name, version in aliases.items()} == {"candidate": 1, "champion": 1}
    invariants.assert_hold(herd)


def test_version_registered_by_mlflow_keeps_its_number_and_takes_no_part_until_tagged(herd):
    run_id = herd.train()["run_id"]
    client = herd.client()
    source = f"{client.get_run(run_id).info.artifact_uri}/models/1H"
    assert int(client.create_model_version(MODEL, source, run_id).version) == 2
    error = herd.refused(*promotion_of_two("beta"))
    assert "promotion_stage" in error["message"]
    assert herd.train()["version"] == 3
    client.set_model_version_tag(MODEL, "2", "promotion_stage", "beta")
    herd.ask(*promotion_of_two("champion"))
    assert int(client.get_model_version_by_alias(MODEL, "champion").version) == 2


def promotion_of_two(stage):
    named = ("promote", "--timeframe", "1H", "--model-version", "2", "--target-stage", stage)
    return (*named, "--reason", "from outside")


def test_stage_changed_by_mlflow_is_named_and_not_trusted(herd):
    herd.train()
    herd.client().set_model_version_tag(MODEL, "1", "promotion_stage", "beta")
    error = herd.refused("promote", "--timeframe", "1H", "--model-version", 1,
                         "--target-stage", "champion", "--reason", "tested")
    assert "`beta`" in error["message"] and "`development`" in error["message"]


@pytest.fixture
def made_by_mlflow(herd):
    """A database that stock MLflow created by default in the folder, with one run."""
    script = (
        "import mlflow\n"
        "mlflow.set_experiment('stock_trading_rl_1H')\n"
        "with mlflow.start_run(run_name='theirs'):\n"
        "    mlflow.log_metric('final/mean_reward', 0.5)\n"
    )
    command = [sys.executable, "-c", script]
    subprocess.run(command, cwd=herd.folder, env=environment(), check=True, timeout=PATIENCE_S)
    assert herd.database.exists()
    return herd


def test_database_made_by_mlflow_is_used_as_it_is(made_by_mlflow):
    herd = made_by_mlflow
    tables = (
        "SELECT name, sql FROM sqlite_schema"
        " WHERE name NOT LIKE 'herdbook_%' AND tbl_name NOT LIKE 'herdbook_%' ORDER BY name"
    )
    before = herd.rows(tables)
    herd.train()
    herd.crown(1)
    assert herd.rows(tables) == before
    assert herd.rows("PRAGMA journal_mode") == [("wal",)]
    client = herd.client()
    experiment = client.get_experiment_by_name("stock_trading_rl_1H")
    runs = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
    assert [run.info.run_name for run in runs][0] == "theirs"
    assert len(runs) == 2
    invariants.assert_hold(herd)
