"""Conditions on promotion in `herdbook.toml`: how they are found, judged, enforced, overridden and recorded."""

import pytest

import invariants
from herd import bars_file, promotion, strict_json

RETURN = "portfolio/total_return"


def set_conditions(folder, *conditions, enforce=True):
    lines = ["[promotion]", f"enforce = {str(enforce).lower()}"]
    for condition in conditions:
        lines += ["[[promotion.condition]]", *(f"{key} = {value}" for key, value in condition.items())]
    (folder / "herdbook.toml").write_text("\n".join(lines) + "\n")


def at_least(limit, to='"beta"'):
    return {"to": to, "metric": f'"{RETURN}"', "at_least": limit}


@pytest.fixture
def trained(herd):
    herd.train()
    return herd


def test_metric_below_its_limit_is_refused_and_shown_with_value_and_limit(trained):
    value = trained.versions()[1]["metrics"][RETURN]
    set_conditions(trained.folder, at_least(value + 0.01), at_least(value))
    before = trained.contents()
    for flags in [(), ("--dry-run",)]:
        error = trained.refused(*promotion(1, "beta"), *flags)
        assert error["code"] == "gate_failed"
        first, second = error["conditions"]["verdicts"]
        assert (first["value"], first["limit"], first["verdict"]) == (value, value + 0.01, "not_met")
        assert second["verdict"] == "met"
    told = trained.run(*promotion(1, "beta"))
    assert told.status == 1
    assert f"conditions on promotion: {trained.folder}/herdbook.toml (enforced)" in told.stderr
    assert "limit" in told.stderr and ": met" in told.stderr and ": not met" in told.stderr
    assert trained.contents() == before
    set_conditions(trained.folder, at_least(value))
    answer = trained.promote(1, "beta")
    assert [v["verdict"] for v in answer["conditions"]["verdicts"]] == ["met"]
    invariants.assert_hold(trained)


def test_default_is_to_warn_and_to_remember_the_warning(trained):
    set_conditions(trained.folder, at_least(1e9), enforce=False)
    answer = trained.run(*promotion(1, "beta"))
    assert answer.status == 0 and "warning: conditions are not met" in answer.stderr
    assert "not met" in answer.stdout
    event = trained.ask("history", "--timeframe", "1H")[-1]
    assert event["details"]["warned"][0]["limit"] == 1e9 and not event["details"]["forced"]


def test_force_needs_a_reason_and_what_it_overrode_is_recorded(trained):
    set_conditions(trained.folder, at_least(1e9))
    command = ("promote", "--timeframe", "1H", "--model-version", 1, "--target-stage", "beta", "--force")
    assert trained.run(*command).status == 2
    trained.ask(*command, "--reason", "the board wants it")
    event = trained.ask("history", "--timeframe", "1H")[-1]
    assert event["details"]["forced"] and event["reason"] == "the board wants it"
    assert event["details"]["overridden"][0]["verdict"] == "not_met"
    invariants.assert_hold(trained)


def test_file_is_found_above_named_by_flag_or_by_environment(trained, monkeypatch):
    below = trained.folder / "a" / "b"
    below.mkdir(parents=True)
    set_conditions(trained.folder, at_least(1e9))
    command = (*promotion(1, "beta"), "--dry-run", "--tracking-uri", trained.uri)
    trained.folder, home = below, trained.folder
    assert trained.refused(*command)["code"] == "gate_failed"
    free = below / "free.toml"
    free.write_text("")
    trained.ask(*command, "--config-file", free)
    monkeypatch.setenv("HERDBOOK_CONFIG", str(free))
    trained.ask(*command)
    missing = trained.run(*command, "--config-file", "nowhere.toml", "--json")
    assert missing.status == 2 and "nowhere.toml" in missing.error["message"]
    trained.folder = home


def test_mistake_in_the_file_is_named_with_its_line_and_nothing_happens(trained):
    before = trained.contents()
    (trained.folder / "herdbook.toml").write_text("[promotion]\nenforce = true\n\n[[promotion.conditions]]\n")
    answer = trained.run(*promotion(1, "beta"), "--json")
    message = strict_json(answer.stdout)["error"]["message"]
    assert answer.status == 2 and "line 4" in message and "did you mean `condition`?" in message
    assert trained.contents() == before


def test_challenger_must_beat_the_champion_on_the_same_window(trained):
    trained.train("--seed", 5)
    returns = {v: entry["metrics"][RETURN] for v, entry in trained.versions().items()}
    worse, better = sorted(returns, key=returns.get)
    set_conditions(trained.folder, {"to": '"champion"', "beats_champion_on": f'"{RETURN}"'})
    for version in (worse, better):
        trained.promote(version, "beta")
    assert trained.promote(worse, "champion")["conditions"]["verdicts"][0]["note"] == "there is no champion"
    (verdict,) = trained.promote(better, "champion")["conditions"]["verdicts"]
    assert (verdict["value"], verdict["limit"]) == (returns[better], returns[worse])
    trained.promote(worse, "beta")
    assert trained.refused(*promotion(worse, "champion"))["code"] == "gate_failed"
    # With other costs the figures cannot be compared.
    dear = trained.train("--seed", 5, "--cost-bps", 0)["version"]
    trained.promote(dear, "beta")
    error = trained.refused(*promotion(dear, "champion"))
    assert error["conditions"]["verdicts"][0]["verdict"] == "missing"
    invariants.assert_hold(trained)


def test_evidence_and_time_in_beta_are_asked_for(herd, tmp_path):
    early, late = bars_file(tmp_path, "early.csv", 4_000), bars_file(tmp_path, "late.csv")
    bars = ("--symbol", "EURUSD", "--data")
    herd.train(*bars, early)
    set_conditions(
        herd.folder,
        {"to": '"champion"', "evidence": 0.000001},
        {"to": '"champion"', "hours_in_beta": 1000},
    )
    herd.promote(1, "beta")
    verdicts = herd.refused(*promotion(1, "champion"))["conditions"]["verdicts"]
    assert [v["verdict"] for v in verdicts] == ["missing", "not_met"]
    found = herd.ask("evaluate", 1, "--timeframe", "1H", *bars, late)["evaluation"]
    verdicts = herd.refused(*promotion(1, "champion"))["conditions"]["verdicts"]
    assert verdicts[0]["value"] == found["probability"] and verdicts[0]["verdict"] == "met"
    assert 0 <= verdicts[1]["value"] < 1
