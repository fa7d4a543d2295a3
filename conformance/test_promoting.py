"""Changes of stage, through the command line only."""

import shlex

import pytest

import invariants
from herd import promotion

TARGETS = {
    "development": ["beta", "archived"],
    "beta": ["development", "champion", "archived"],
    "champion": ["beta", "archived"],
    "archived": ["development", "beta"],
}
# The promotions that bring a new version to each stage.
WAY = {
    "development": [],
    "beta": ["beta"],
    "champion": ["beta", "champion"],
    "archived": ["archived"],
}


@pytest.mark.parametrize("stage", TARGETS)
def test_only_the_changes_of_the_table_are_carried_out(herd, stage):
    herd.train()
    for step in WAY[stage]:
        herd.promote(1, step)
    for target in TARGETS:
        if target in TARGETS[stage]:
            assert herd.ask(*promotion(1, target), "--dry-run")["to"] == target
            continue
        before = herd.contents()
        error = herd.refused(*promotion(1, target))
        assert error["code"] == "forbidden_transition"
        assert all(f"`{allowed}`" in error["message"] for allowed in TARGETS[stage])
        assert herd.contents() == before
    invariants.assert_hold(herd)


def test_promotion_tells_how_to_undo_it(herd):
    herd.train()
    answer = herd.promote(1, "beta")
    assert (answer["name"], answer["version"]) == ("1H_trading_model", 1)
    assert (answer["from"], answer["to"], answer["displaced"]) == ("development", "beta", None)
    undo(herd, answer)
    assert herd.versions()[1]["promotion_stage"] == "development"
    invariants.assert_hold(herd)


def undo(herd, answer):
    """Runs the command that a promotion prints to undo it."""
    for command in answer["undo"].split(" && "):
        program, *arguments = shlex.split(command)
        assert program == "herdbook"
        herd.ask(*arguments)


def test_undo_of_a_displacement_brings_the_old_champion_back(herd):
    herd.train()
    herd.train()
    herd.crown(1)
    undo(herd, herd.crown(2))
    stages = {v: entry["promotion_stage"] for v, entry in herd.versions().items()}
    assert stages == {1: "champion", 2: "archived"}
    invariants.assert_hold(herd)


ROLLBACK = ("rollback", "--timeframe", "1H", "--reason", "it lost money")


def test_rollback_is_one_act_that_brings_the_last_good_champion_back(herd):
    for version in (1, 2, 3):
        herd.train()
        herd.crown(version)
    herd.ask(*ROLLBACK)
    acts = herd.rows("SELECT act_id, version, from_state, to_state FROM herdbook_events ORDER BY id DESC LIMIT 3")
    assert len({act for act, *_ in acts}) == 1
    assert sorted(event[1:] for event in acts) == [
        (2, "archived", "beta"),
        (2, "beta", "champion"),
        (3, "champion", "archived"),
    ]
    tags = herd.client().get_model_version("1H_trading_model", "3").tags
    assert tags["demotion_reason"] == "Rolled back: it lost money"
    # A version that a rollback removed is not chosen by the next rollback.
    herd.ask(*ROLLBACK)
    assert [v for v, e in herd.versions().items() if e["promotion_stage"] == "champion"] == [1]
    before = herd.contents()
    assert herd.refused(*ROLLBACK)["code"] == "not_found"
    assert herd.contents() == before
    invariants.assert_hold(herd)


def test_rollback_passes_over_a_champion_whose_file_was_altered(herd):
    for version in (1, 2, 3):
        herd.train()
        herd.crown(version)
    run_id = herd.versions()[2]["run_id"]
    (file,) = (herd.folder / "mlruns").rglob(f"{run_id}/**/model.zip")
    whole = file.read_bytes()
    file.write_bytes(whole + b"!")
    herd.ask(*ROLLBACK)
    file.write_bytes(whole)
    assert [v for v, e in herd.versions().items() if e["promotion_stage"] == "champion"] == [1]
    invariants.assert_hold(herd)


def test_changes_within_one_minute_are_all_kept(herd):
    herd.train()
    for _ in range(6):
        herd.promote(1, "beta")
        herd.promote(1, "development")
    invariants.assert_hold(herd)
    history = herd.ask("history", "--timeframe", "1H", "--model-version", 1)
    assert sum(event["kind"] == "stage_changed" for event in history) == 12


def test_lists_by_stage_and_timeframe_agree(herd):
    herd.train()
    herd.train()
    herd.train(timeframe="D")
    herd.crown(1)
    by_flag = herd.ask("list", "--timeframe", "1H", "--stage", "champion")
    original = herd.ask("promote", "--timeframe", "1H", "--list-models", "--stage", "champion")
    assert by_flag == original
    assert [entry["version"] for entry in by_flag] == [1]
    everywhere = herd.ask("list", "--stage", "development")
    assert [(entry["name"], entry["version"]) for entry in everywhere] == [
        ("D_trading_model", 1),
        ("1H_trading_model", 2),
    ]


def test_list_has_the_documented_fields(herd):
    trained = herd.train()
    (entry,) = herd.ask("list")
    assert set(entry) >= {
        "name", "version", "run_id", "timeframe", "model_type", "version_type",
        "promotion_stage", "created_at", "updated_at", "metrics",
    }
    assert entry["run_id"] == trained["run_id"]


def test_contaminated_model_rises_only_by_force_and_with_a_reason(herd):
    herd.train()
    seen = ("--validation-from", "2017-03-01", "--test-from", "2017-05-01")
    child = herd.train("--enhance", 1, *seen, "--allow-contaminated")
    assert child["honesty"] == "contaminated"
    error = herd.refused(*promotion(2, "beta"))
    assert error["code"] == "contaminated"
    herd.ask(*promotion(2, "beta", "shown to the board only"), "--force")
    invariants.assert_hold(herd)
