"""Choosing a parent, and the fallback when there is none of the requested type."""

import pytest

import invariants
from herd import TIMESTEPS, training

TIMEFRAMES = ["1M", "5M", "15M", "30M", "1H", "4H", "D"]
ENHANCEMENTS = ["continued", "replay", "curriculum", "adaptive"]


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_every_timeframe_trains_on_its_own_sample(herd, timeframe):
    trained = herd.train(timeframe=timeframe)
    assert trained["model_name"] == f"{timeframe}_trading_model"
    assert trained["version"] == 1
    assert trained["honesty"] == "clean"
    assert trained["model_path"] == f"runs:/{trained['run_id']}/models/{timeframe}/model.zip"
    assert trained["metrics"]["portfolio/max_drawdown"] >= 0
    invariants.assert_hold(herd)


@pytest.mark.parametrize("enhancement", ENHANCEMENTS)
def test_child_of_each_enhancement_is_of_its_type(herd, enhancement):
    parent = herd.train()
    child = herd.train("--enhance", "best", "--enhance-type", enhancement)
    assert child["model_type"] == enhancement
    assert child["parent"]["run_id"] == parent["run_id"]
    listed = herd.versions()
    assert [listed[v]["version_type"] for v in (1, 2)] == ["old", "latest"]
    invariants.assert_hold(herd)


def test_type_that_does_not_exist_falls_back_to_base_and_says_so(herd):
    base = herd.train()
    herd.train("--enhance", "latest", "--enhance-type", "replay")
    # The base is `old` now, and still the fallback.
    command = training("--enhance", "best", "--enhance-model-type", "curriculum")
    answer = herd.run(*command)
    assert answer.status == 0, answer
    assert "curriculum" in answer.stderr and "base" in answer.stderr, answer.stderr
    assert herd.rows("SELECT value FROM tags WHERE key = 'base_model_run_id'") == [(base["run_id"],)] * 2
    found = herd.ask("find", "best", "--timeframe", "1H", "--model-type", "curriculum")
    assert found["fallback"] is True and found["run_id"] == base["run_id"]


def test_newest_old_model_is_taken_where_none_is_latest_and_says_so(herd):
    base = herd.train()
    herd.train("--enhance", "latest")
    answer = herd.run(*training("--enhance", "latest"))
    assert answer.status == 0 and "the newest with children" in answer.stderr, answer
    assert herd.versions()[3]["model_type"] == "continued"
    parents = "SELECT DISTINCT value FROM tags WHERE key = 'base_model_run_id'"
    assert herd.rows(parents) == [(base["run_id"],)]


def test_nothing_to_enhance_names_the_command_that_trains_a_base(herd):
    error = herd.refused(*training("--enhance", "best"))
    assert error["code"] == "not_found"
    assert "herdbook train --timeframe 1H" in error["hint"]


def test_champion_run_and_version_name_a_parent(herd):
    first = herd.train()
    herd.train()
    herd.crown(1)
    for name in ("champion", "1", first["run_id"]):
        child = herd.train("--enhance", name)
        assert child["parent"]["run_id"] == first["run_id"]
    invariants.assert_hold(herd)


def test_best_is_the_best_by_the_metric_asked_for(herd):
    for seed in range(4):
        herd.train("--seed", seed)
    metric = "portfolio/total_return"
    best = max(herd.versions().values(), key=lambda entry: (entry["metrics"][metric], entry["version"]))
    found = herd.ask("find", "best", "--timeframe", "1H", "--metric", metric)
    assert found["run_id"] == best["run_id"]
    assert found["metric"] == {"name": metric, "value": best["metrics"][metric]}
    assert found["comparable"] is True
    child = herd.train("--enhance", "best", "--enhance-metric", metric)
    assert child["parent"]["run_id"] == best["run_id"]


def test_steps_add_up_along_the_lineage(herd):
    herd.train()
    herd.train("--enhance", "latest")
    herd.train("--enhance", "latest", "--enhance-model-type", "continued")
    tags = "SELECT value FROM model_version_tags WHERE key = 'total_timesteps' ORDER BY version"
    assert herd.rows(tags) == [(str(TIMESTEPS),), (str(2 * TIMESTEPS),), (str(3 * TIMESTEPS),)]
    lineage = herd.run("lineage", "--timeframe", "1H")
    assert lineage.status == 0 and "continued" in lineage.stdout, lineage


def test_same_seed_and_bars_give_the_same_file(herd):
    herd.train("--seed", 5)
    herd.train("--seed", 5)
    herd.train("--seed", 6)
    hashes = [h for (h,) in herd.rows(
        "SELECT json_extract(details, '$.model_sha256') FROM herdbook_events WHERE kind = 'registered' ORDER BY id"
    )]
    assert hashes[0] == hashes[1] != hashes[2]


def test_model_of_a_shorter_test_window_is_compared_on_the_childs(herd):
    herd.train("--test-from", "2017-11-15")
    child = herd.train("--enhance", "1", "--test-from", "2017-12-01")
    data = herd.client().get_run(child["run_id"]).data
    assert data.tags["improvement_basis"] == "reevaluated"
    reevaluated = [name for name in data.metrics if name.startswith("parent/")]
    assert "parent/final/mean_reward" in reevaluated
    for name in reevaluated:
        metric = name.removeprefix("parent/")
        before, after = data.metrics[name], data.metrics[metric]
        if before:
            improvement = data.metrics[f"improvement_{metric}"]
            assert improvement == pytest.approx(100 * (after - before) / abs(before))
