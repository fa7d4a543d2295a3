"""Wrong usage and refused requests: exit status, message, and nothing is written."""

import pytest

from herd import Herd, promotion, training


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """A herd with one version in development. The tests of this module do not change it."""
    herd = Herd(tmp_path_factory.mktemp("settled"))
    herd.train()
    return herd


WRONG_USAGE = {
    "unknown timeframe": (training(timeframe="2H"), ["1M", "5M", "15M", "30M", "1H", "4H", "D"]),
    "timeframe in lower case": (training(timeframe="1h"), ["1H"]),
    "unknown stage": (promotion(1, "gold"), ["development", "beta", "champion", "archived"]),
    "version that is no number": (promotion("newest", "beta"), ["newest"]),
    "version zero": (promotion(0, "beta"), ["`0`"]),
    "reason too long": (promotion(1, "beta", "x" * 2001), ["2001", "2000"]),
    "reason with a control character": (promotion(1, "beta", "a\nb"), ["reason"]),
    "empty reason": (promotion(1, "beta", " "), ["reason", "empty"]),
    "unknown enhancement": (training("--enhance", "best", "--enhance-type", "magic"),
                            ["continued", "replay", "curriculum", "adaptive"]),
    "unknown parent": (training("--enhance", "oldest"), ["latest", "best", "champion"]),
    "enhancement type without a parent": (training("--enhance-type", "replay"), ["--enhance"]),
    "no timesteps": (("train", "--timeframe", "1H", "--timesteps", 0), ["timesteps"]),
    "negative costs": (training("--cost-bps=-1"), ["-1"]),
    "costs that are no number": (training("--cost-bps", "NaN"), ["NaN"]),
    "windows the wrong way round": (
        training("--validation-from", "2017-10-01", "--test-from", "2017-09-01"), ["test"]),
    "window outside the bars": (training("--test-from", "2031-01-01"), ["2031-01-01"]),
    "time that is none": (training("--test-from", "soon"), ["`soon`", "2025-06-10"]),
    "unknown store": (("list", "--tracking-uri", "mysql://127.0.0.1/herd"), ["sqlite:///", "postgresql://"]),
    "unknown command": (("deploy",), ["deploy"]),
    "unknown flag": (("list", "--newest"), ["--newest"]),
}


@pytest.mark.parametrize("case", WRONG_USAGE)
def test_wrong_usage_is_named_and_writes_nothing(settled, case):
    arguments, expected = WRONG_USAGE[case]
    before = settled.contents()
    plain = settled.run(*arguments)
    assert (plain.status, plain.stdout) == (2, ""), plain
    answer = settled.run(*arguments, "--json")
    assert answer.status == 2, answer
    assert answer.error["code"] == "invalid_input"
    for part in expected:
        assert part in plain.stderr, plain
        assert part in answer.error["message"], answer
    assert settled.contents() == before


REFUSED = {
    "unknown version": (promotion(99, "beta"), "not_found", ["99", "version 1"]),
    "unknown model": (promotion(1, "beta", timeframe="4H"), "not_found", ["4H_trading_model"]),
    "development to champion": (
        promotion(1, "champion"), "forbidden_transition", ["`development`", "`beta`", "`archived`"]),
    "development to development": (
        promotion(1, "development"), "forbidden_transition", ["`beta`", "`archived`"]),
    "expected another champion": (
        (*promotion(1, "beta"), "--expect-champion", 3), "conflict", ["no champion", "version 3"]),
    "no champion to enhance": (
        training("--enhance", "champion"), "not_found", ["1H_trading_model", "champion"]),
    "parent that does not exist": (training("--enhance", 7), "not_found", ["7"]),
    "run that does not exist": (training("--enhance", "0" * 32), "not_found", ["0" * 32]),
    "nothing of the timeframe to enhance": (
        training("--enhance", "best", timeframe="D"), "not_found", ["D"]),
    "nothing found": (
        ("find", "latest", "--timeframe", "5M"), "not_found", ["5M"]),
    "nothing to show": (
        ("show", "--timeframe", "1H", "--model-version", 2), "not_found", ["version 1"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_has_a_code_and_a_way_out_and_writes_nothing(settled, case):
    arguments, code, expected = REFUSED[case]
    before = settled.contents()
    error = settled.refused(*arguments)
    assert error["code"] == code
    for part in expected:
        assert part in error["message"], error
    assert settled.contents() == before


def test_parent_of_another_timeframe_is_refused(settled):
    run_id = settled.versions()[1]["run_id"]
    before = settled.contents()
    answer = settled.run(*training("--enhance", run_id, timeframe="4H"), "--json")
    assert answer.status in (1, 2), answer
    assert "`1H`" in answer.error["message"] and "`4H`" in answer.error["message"]
    assert settled.contents() == before


def test_dry_run_says_what_would_change_and_changes_nothing(settled):
    before = settled.contents()
    answer = settled.ask(*promotion(1, "beta"), "--dry-run")
    assert (answer["from"], answer["to"]) == ("development", "beta")
    assert settled.contents() == before


def test_reading_changes_nothing(settled):
    before = settled.contents()
    for command in ["list", "status", "history", "lineage --timeframe 1H", "show --timeframe 1H",
                    "find best --timeframe 1H", "promote --timeframe 1H --list-models"]:
        settled.ask(*command.split())
    assert settled.contents() == before


def test_test_window_seen_by_the_parent_is_refused_before_training(settled):
    before = settled.contents()
    seen = training("--enhance", 1, "--validation-from", "2017-03-01", "--test-from", "2017-05-01")
    error = settled.refused(*seen)
    assert error["code"] == "contaminated"
    assert "--allow-contaminated" in error["hint"]
    assert settled.contents() == before
