"""Sweeps, evidence after the training, and hyperparameters from a file, as a user and MLflow see them."""

from pathlib import Path

import numpy as np

import invariants
from herd import TIMESTEPS, bars_file, strict_json


def test_one_of_several_seeds_is_registered_and_mlflow_shows_them_all(herd):
    answer = herd.train("--seeds", 3, "--seed", 10)
    sweep = answer["sweep"]
    assert [member["seed"] for member in sweep["members"]] == [10, 11, 12]
    scores = [member["metrics"]["evaluation/mean_reward"] for member in sweep["members"]]
    assert sweep["chosen"] == int(np.argmax(scores))
    assert answer["run_id"] == sweep["members"][sweep["chosen"]]["run_id"]
    spread = sweep["spread"]["evaluation/mean_reward"]
    np.testing.assert_allclose([spread["mean"], spread["std"]], [np.mean(scores), np.std(scores, ddof=1)])

    assert list(herd.versions()) == [1]
    client = herd.client()
    first, *others = [client.get_run(member["run_id"]) for member in sweep["members"]]
    assert all(run.info.status == "FINISHED" for run in [first, *others])
    assert all(run.data.tags["mlflow.parentRunId"] == first.info.run_id for run in others)
    registered = [run for run in [first, *others] if "version_type" in run.data.tags]
    assert [run.info.run_id for run in registered] == [answer["run_id"]]
    assert answer["deflation"]["n_trials"] == 3
    invariants.assert_hold(herd)


def test_folds_follow_one_another_and_the_last_is_registered(herd):
    sweep = herd.train("--walk-forward", 3)["sweep"]
    tests = [member["windows"]["test"] for member in sweep["members"]]
    assert all(one["end"] <= next_one["start"] for one, next_one in zip(tests, tests[1:]))
    assert sweep["chosen"] == 2
    error = herd.run("train", "--timeframe", "1H", "--walk-forward", 3, "--seeds", 2)
    assert error.status == 2
    invariants.assert_hold(herd)


def test_evidence_comes_from_newer_bars_alone_and_is_shown_before_promotions(herd, tmp_path):
    early, late = bars_file(tmp_path, "early.csv", 4_000), bars_file(tmp_path, "late.csv")
    named = ("--symbol", "EURUSD")
    herd.train("--data", early, *named)
    assert herd.promote(1, "beta")["evidence"] == []
    refused = herd.refused("evaluate", 1, "--timeframe", "1H", "--data", early, *named)
    assert refused["code"] == "not_found" and "new to" in refused["message"]

    found = herd.ask("evaluate", 1, "--timeframe", "1H", "--data", late, *named)
    evaluation = found["evaluation"]
    windows = herd.ask("show", 1, "--timeframe", "1H")["windows"]
    assert evaluation["window"]["start"] > windows["test"]["end"]
    assert evaluation["n_shown_before"] == 0
    again = herd.ask("evaluate", 1, "--timeframe", "1H", "--data", late, *named)["evaluation"]
    assert again["n_shown_before"] == again["n_bars"]

    answer = herd.promote(1, "champion")
    assert [known["evaluation"] for known in answer["evidence"]] == [evaluation, again]
    (board,) = herd.ask("status")["models"]
    assert len(board["evidence"]) == 2
    kinds = [event["kind"] for event in herd.ask("history", "--timeframe", "1H")]
    assert kinds.count("evaluated") == 2
    assert herd.ask("verify")["events"] > 0
    invariants.assert_hold(herd)


def test_all_later_bars_are_one_record_that_no_part_and_no_low_cost_changes(herd, tmp_path):
    named = ("--symbol", "EURUSD", "--data")
    herd.train(*named, bars_file(tmp_path, "early.csv", 4_000))
    part, late = bars_file(tmp_path, "part.csv", 5_000), bars_file(tmp_path, "late.csv")
    whole = herd.ask("evaluate", 1, "--timeframe", "1H", *named, late)
    record = whole["evaluation"]["basis"]["record"]
    assert record["figures"]["n_returns"] == whole["evaluation"]["n_bars"] - 1
    assert whole["standing"]["n_tries"] == 1 and whole["standing"]["probability"] == whole["evaluation"]["probability"]
    again = herd.ask("evaluate", 1, "--timeframe", "1H", *named, part)
    assert again["evaluation"]["basis"]["record"]["figures"] == record["figures"]
    assert again["standing"] == whole["standing"]
    cheap = herd.ask("evaluate", 1, "--timeframe", "1H", *named, late, "--cost-bps", 0.01)
    assert cheap["evaluation"]["basis"]["record"]["figures"] == record["figures"]
    assert cheap["standing"]["n_tries"] == 2
    # Another model on the same bars is another try of all.
    herd.train(*named, tmp_path / "early.csv", "--seed", 5)
    herd.ask("evaluate", 2, "--timeframe", "1H", *named, late)
    standing = herd.ask("show", 1, "--timeframe", "1H")["standing"]
    assert standing["n_tries"] == 3 and standing["probability"] <= whole["standing"]["probability"]

    files = list((herd.folder / "mlruns").rglob("evaluation/later/*.npy"))
    assert len(files) == 4
    kept = {np.load(file).shape for file in files}
    assert (record["figures"]["n_returns"], 4) in kept
    invariants.assert_hold(herd)


def test_registered_policy_is_the_best_one_and_its_figure_is_ranked(herd):
    longer = ("train", "--timeframe", "1H", "--timesteps", 12_288)
    best = herd.ask(*longer)["metrics"]
    assert best["evaluation/mean_reward"] == best["evaluation/best_mean_reward"]
    last = herd.ask(*longer, "--register", "last")["metrics"]
    assert last["evaluation/mean_reward"] == best["evaluation/last_mean_reward"]
    assert last["evaluation/best_mean_reward"] == best["evaluation/best_mean_reward"]
    found = herd.ask("find", "best", "--timeframe", "1H")
    assert found["metric"]["value"] == best["evaluation/best_mean_reward"]


def test_returns_of_the_test_window_are_an_array_for_notebooks(herd):
    answer = herd.train()
    (path,) = (herd.folder / "mlruns").rglob("test_returns.npy")
    returns = np.load(path)
    assert len(returns) == answer["metrics"]["portfolio/n_returns"]
    grown = np.prod(1 + returns) - 1
    np.testing.assert_allclose(grown, answer["metrics"]["portfolio/total_return"], rtol=1e-9)
    sharpe = returns.mean() / returns.std(ddof=1)
    np.testing.assert_allclose(sharpe, answer["metrics"]["portfolio/sharpe_per_bar"], rtol=1e-9)


def test_pictures_are_among_the_artifacts_and_well_formed(herd):
    from xml.etree import ElementTree

    herd.train()
    answer = herd.train("--enhance", "latest")
    listed = herd.client().list_artifacts(answer["run_id"], "pictures")
    names = {file.path.removeprefix("pictures/") for file in listed}
    expected = {"equity.svg", "trades.svg", "learning.svg", "actions.svg", "improvement.svg"}
    assert names == expected
    for path in (herd.folder / "mlruns").rglob(f"{answer['run_id']}/**/*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert path.stat().st_size < 200_000
    page = Path(herd.client().download_artifacts(answer["run_id"], "report.html")).read_text()
    assert page.count("<svg") == len(expected)
    assert "<script" not in page and "default-src 'none'" in page


def test_hyperparameters_come_from_a_file_and_mistakes_in_it_are_named(herd, tmp_path):
    config = tmp_path / "ppo.toml"
    config.write_text('n_steps = 512\nnet_arch = [32, 32]\nlearning_rate = { initial = 1e-3, final = 0.0 }\n')
    answer = herd.train("--config", config)
    params = herd.client().get_run(answer["run_id"]).data.params
    assert params["n_steps"] == "512" and params["net_arch"] == "pi=[32, 32] vf=[32, 32]"
    assert params["learning_rate_final"] == "0"
    assert answer["current_run_timesteps"] == TIMESTEPS

    before = herd.contents()
    for line, told in [
        ("learning_rte = 1e-3", "did you mean `learning_rate`?"),
        ("gamma = 2", "must be a number from 0 to 1"),
        ("n_envs = 'two'", "whole number"),
    ]:
        config.write_text(f"n_epochs = 4\n{line}\n")
        refused = herd.run("train", "--timeframe", "1H", "--config", config, "--json")
        error = strict_json(refused.stdout)["error"]
        assert refused.status == 2 and "line 2" in error["message"] and told in error["message"], error
    assert herd.contents() == before
