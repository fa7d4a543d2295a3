"""Sealed facts: what MLflow's client logs or tags after a registration, or SQL changes, decides nothing."""

import pytest

import invariants
from herd import bars_file, promotion, strict_json
from stock import RemoteHerd, StockServer
from test_conditions import set_conditions

SHARPE = "portfolio/sharpe_ratio"
BEST = "evaluation/best_mean_reward"
RULED = [SHARPE, BEST, "final/mean_reward", "portfolio/max_drawdown"]
HUGE_STEP = 10**9


def metrics(herd, version=1):
    return herd.versions()[version]["metrics"]


def log_later(herd, version, values):
    """Logs values with a step that no training reaches."""
    run_id = herd.versions()[version]["run_id"]
    client = herd.client()
    for name, value in values.items():
        client.log_metric(run_id, name, value, step=HUGE_STEP)
    logged = client.get_run(run_id).data.metrics
    assert {name: logged[name] for name in values} == values


@pytest.fixture
def trained(herd):
    herd.train()
    return herd


@pytest.mark.parametrize("name", RULED)
def test_gate_is_judged_on_the_sealed_value(trained, name):
    true = metrics(trained)[name]
    log_later(trained, 1, {name: true + 100})
    set_conditions(trained.folder, {"to": '"beta"', "metric": f'"{name}"', "at_least": true + 1})
    (verdict,) = trained.refused(*promotion(1, "beta"))["conditions"]["verdicts"]
    assert (verdict["value"], verdict["verdict"]) == (true, "not_met")
    set_conditions(trained.folder, {"to": '"beta"', "metric": f'"{name}"', "at_least": true})
    trained.promote(1, "beta")
    details = trained.ask("history", "--timeframe", "1H")[-1]["details"]
    (verdict,) = details["conditions"]["verdicts"]
    assert (verdict["value"], verdict["limit"], verdict["verdict"]) == (true, true, "met")
    invariants.assert_hold(trained)


def test_metric_that_the_training_did_not_have_opens_no_gate(trained):
    log_later(trained, 1, {"portfolio/magic": 9.9})
    set_conditions(trained.folder, {"to": '"beta"', "metric": '"portfolio/magic"', "at_least": 1})
    (verdict,) = trained.refused(*promotion(1, "beta"))["conditions"]["verdicts"]
    assert (verdict["value"], verdict["verdict"]) == (None, "missing")


def test_best_model_and_best_parent_are_those_by_sealed_values(trained):
    trained.train("--seed", 5)
    by_value = sorted(trained.versions().items(), key=lambda item: item[1]["metrics"][BEST])
    (worse, _), (better, record) = by_value
    log_later(trained, worse, {BEST: 1e6})
    log_later(trained, better, {BEST: -1e6})
    found = trained.ask("find", "best", "--timeframe", "1H")
    assert (found["version"], found["metric"]["value"]) == (better, record["metrics"][BEST])
    assert found["sealed"]["origin"] == "registration"
    child = trained.train("--enhance", "best")
    assert child["parent"]["run_id"] == record["run_id"]


def test_improvement_over_the_parent_is_that_over_its_sealed_values(trained):
    true = metrics(trained)
    log_later(trained, 1, {name: true[name] - 50 for name in ("final/mean_reward", SHARPE)})
    child = trained.train("--enhance", "latest", "--enhance-type", "continued")
    assert child["improvement_basis"] == "same_windows"
    for name in ("final/mean_reward", SHARPE):
        assert child["improvement"][name]["parent"] == true[name]


def test_contaminated_model_stays_contaminated_whatever_its_tags_say(herd, tmp_path):
    bars = ("--symbol", "EURUSD", "--data")
    herd.train(*bars, bars_file(tmp_path, "late.csv"))
    early = bars_file(tmp_path, "early.csv", 4_000)
    child = herd.train(*bars, early, "--enhance", "latest", "--allow-contaminated")
    assert child["honesty"] == "contaminated"
    client, name = herd.client(), "1H_trading_model"
    client.set_model_version_tag(name, "2", "honesty", "clean")
    client.set_tag(child["run_id"], "honesty", "clean")
    assert herd.refused(*promotion(2, "beta"))["code"] == "contaminated"
    assert herd.versions()[2]["honesty"] == "contaminated"
    shown = herd.ask("show", 2, "--timeframe", "1H")
    assert shown["honesty"] == "contaminated"
    whats = [one["what"] for one in shown["differs_from_mlflow"]]
    assert whats == ["tag honesty", "run tag honesty"]
    found = herd.ask("find", "best", "--timeframe", "1H", "--model-type", "continued")
    assert found["honesty"] == "contaminated"
    assert "contaminated" in herd.run("list", "--timeframe", "1H").stdout
    # A parent must not be contaminated.
    refused = herd.run("train", "--timeframe", "1H", *bars, early, "--enhance", "best", "--enhance-model-type",
                       "continued", "--allow-contaminated", "--timesteps", 2048, "--json")
    assert refused.status != 0 or strict_json(refused.stdout)["parent"]["run_id"] != child["run_id"]


def test_windows_symbol_and_costs_are_sealed(trained):
    before = trained.ask("show", 1, "--timeframe", "1H")
    run_id = before["run_id"]
    for key, value in [
        ("data.symbol", "IBM"),
        ("data.train_end", "2001-01-01T00:00:00Z"),
        ("data.test_start", "2001-01-01T00:00:00Z"),
        ("data.sha256", "ab"),
        ("env.cost_bps", "0"),
    ]:
        trained.rows_written("UPDATE params SET value = ? WHERE run_uuid = ? AND key = ?", value, run_id, key)
    after = trained.ask("show", 1, "--timeframe", "1H")
    assert after["windows"] == before["windows"]
    assert len(after["differs_from_mlflow"]) == 5
    # Costs and windows are the same by the seals, so the parent is not measured again.
    child = trained.train("--enhance", "latest")
    assert (child["improvement_basis"], child["honesty"]) == ("same_windows", "clean")
    assert trained.ask("find", "latest", "--timeframe", "1H", "--version-type", "old", "--symbol", "EURUSD")


def test_choice_of_a_parent_does_not_follow_tags(trained):
    client, run_id = trained.client(), trained.versions()[1]["run_id"]
    for key, value in {"model_type": "replay", "timeframe": "4H", "version_type": "old"}.items():
        client.set_tag(run_id, key, value)
        client.set_model_version_tag("1H_trading_model", "1", key, value)
    found = trained.ask("find", "latest", "--timeframe", "1H")
    assert (found["version"], found["fallback"]) == (1, False)
    assert not trained.ask("find", "best", "--timeframe", "1H")["fallback"]
    assert trained.ask("show", 1, "--timeframe", "1H")["model_type"] == "base"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE metrics SET value = 9.9 WHERE key = 'portfolio/sharpe_ratio'",
        "UPDATE latest_metrics SET value = 9.9 WHERE key = 'portfolio/sharpe_ratio'",
        "UPDATE latest_metrics SET is_nan = 1 WHERE key = 'portfolio/sharpe_ratio'",
        "DELETE FROM latest_metrics",
        "DELETE FROM metrics",
    ],
)
def test_sql_on_the_metrics_changes_no_decision(trained, change):
    true = metrics(trained)[SHARPE]
    trained.rows_written(change)
    assert metrics(trained)[SHARPE] == true
    set_conditions(trained.folder, {"to": '"beta"', "metric": f'"{SHARPE}"', "at_most": true})
    trained.promote(1, "beta")
    found = trained.ask("find", "best", "--timeframe", "1H", "--metric", SHARPE)
    assert found["metric"]["value"] == true


def test_value_logged_while_the_training_runs_is_not_sealed(trained):
    with trained.start("train", "--timeframe", "1H", "--timesteps", 40_000, "--json") as process:
        client = trained.client()
        running = None
        while running is None:
            rows = trained.rows("SELECT run_uuid FROM runs WHERE status = 'RUNNING'")
            running = rows[0][0] if rows else None
        client.log_metric(running, SHARPE, 9.9, step=HUGE_STEP)
        client.log_metric(running, BEST, 1e6, step=HUGE_STEP)
        stdout, stderr = process.communicate(timeout=trained.patience_s)
        assert process.returncode == 0, stderr
    reported = strict_json(stdout)["metrics"]
    sealed = metrics(trained, 2)
    assert (sealed[SHARPE], sealed[BEST]) == (reported[SHARPE], reported[BEST])


def test_version_that_mlflow_registered_is_sealed_at_its_adoption(trained):
    client = trained.client()
    run_id = trained.versions()[1]["run_id"]
    source = trained.rows("SELECT source FROM model_versions")[0][0]
    made = client.create_model_version("1H_trading_model", source, run_id)
    client.set_model_version_tag("1H_trading_model", made.version, "promotion_stage", "development")
    client.set_model_version_tag("1H_trading_model", made.version, "timeframe", "1H")
    log_later(trained, 1, {SHARPE: 9.9})
    set_conditions(trained.folder, {"to": '"beta"', "metric": f'"{SHARPE}"', "at_least": 9})
    trained.promote(2, "beta")
    log_later(trained, 1, {SHARPE: 99.9})
    shown = trained.ask("show", 2, "--timeframe", "1H")
    assert (shown["metrics"][SHARPE], shown["seal"]["origin"]) == (9.9, "elsewhere")
    assert set(shown["seal"]["files"]) >= {"model.zip", "model.onnx", "MLmodel"}
    assert "after registration by another program" in trained.run("show", 2, "--timeframe", "1H").stdout
    # The version of the same run that herdbook registered has its own seal.
    refused = trained.refused(*promotion(1, "beta"))["conditions"]["verdicts"][0]
    assert refused["value"] != 9.9


def test_rules_hold_on_a_stock_server_too(tmp_path):
    server = StockServer(tmp_path / "server").start()
    try:
        herd = RemoteHerd(tmp_path / "work", server)
        herd.train()
        herd.train("--seed", 5)
        (worse, record), (better, other) = sorted(
            herd.versions().items(), key=lambda item: item[1]["metrics"][BEST]
        )
        log_later(herd, worse, {BEST: 1e6, SHARPE: 99.9})
        herd.client().set_tag(other["run_id"], "model_type", "replay")
        found = herd.ask("find", "best", "--timeframe", "1H")
        assert (found["version"], found["metric"]["value"]) == (better, other["metrics"][BEST])
        set_conditions(herd.folder, {"to": '"beta"', "metric": f'"{SHARPE}"', "at_least": 99})
        (verdict,) = herd.refused(*promotion(worse, "beta"))["conditions"]["verdicts"]
        assert verdict["value"] == record["metrics"][SHARPE]
        shown = herd.ask("show", worse, "--timeframe", "1H")
        assert set(shown["seal"]["files"]) >= {"model.zip", "model.onnx", "MLmodel"}
        changed = {one["what"] for one in shown["differs_from_mlflow"]}
        assert changed == {f"metric {BEST}", f"metric {SHARPE}"}
        assert herd.train("--enhance", "best")["parent"]["run_id"] == other["run_id"]
    finally:
        server.kill()
