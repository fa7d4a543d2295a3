"""herdbook finds the model that MLflow's own search sorts first on the same database."""

import pytest

METRICS = ("evaluation/best_mean_reward", "portfolio/total_return", "total_timesteps")


@pytest.fixture
def searched(herd):
    """Nine models of three types; the number of timesteps has equal values."""
    for enhancement in [None, "continued", "replay"] * 3:
        enhanced = ("--enhance", "1", "--enhance-type", enhancement) if enhancement else ()
        herd.train(*enhanced, "--seed", len(herd.versions()) if herd.database.exists() else 0)
    return herd


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("model_type", ["base", "continued", "replay", "curriculum"])
def test_best_is_what_mlflow_sorts_first_ties_included(searched, metric, model_type):
    client = searched.client()
    experiment = client.get_experiment_by_name("stock_trading_rl_1H")
    runs = client.search_runs(
        [experiment.experiment_id],
        f"tags.timeframe = '1H' and tags.model_type = '{model_type}' and attributes.status = 'FINISHED'",
        order_by=[f"metrics.`{metric}` DESC"],
        max_results=1,
    )
    command = ("find", "best", "--timeframe", "1H", "--model-type", model_type, "--metric", metric)
    if not runs:
        # Another type is taken instead, and the command says so.
        assert searched.ask(*command)["fallback"]
        return
    found = searched.ask(*command)
    assert not found["fallback"]
    assert (found["run_id"], found["metric"]["value"]) == (runs[0].info.run_id, runs[0].data.metrics[metric])
