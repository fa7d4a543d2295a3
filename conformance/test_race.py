"""Several processes use one store: each act finishes or is refused, and a reader never sees half of one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import invariants
from herd import Herd, ended, promotion, training

ROUNDS = 25


@pytest.fixture
def rivals(herd):
    """A herd with versions 1 and 2, both in beta."""
    herd.train()
    herd.train()
    herd.promote(1, "beta")
    herd.promote(2, "beta")
    return herd


def race(herd, *commands):
    """Starts commands at the same time and checks the records until all have ended."""
    processes = [herd.start(*command, "--json") for command in commands]
    while any(process.poll() is None for process in processes):
        invariants.assert_hold(herd)
    return [ended(process) for process in processes]


def champions(herd):
    return [v for v, entry in herd.versions().items() if entry["promotion_stage"] == "champion"]


def back_to_beta(herd):
    for version, entry in herd.versions().items():
        if entry["promotion_stage"] != "beta":
            herd.promote(version, "beta")


def test_two_that_promote_leave_one_champion(rivals):
    for _ in range(ROUNDS):
        answers = race(rivals, promotion(1, "champion"), promotion(2, "champion"))
        assert [answer.status for answer in answers] == [0, 0], answers
        assert len(champions(rivals)) == 1
        back_to_beta(rivals)
    invariants.assert_hold(rivals)


def test_of_two_that_expect_no_champion_one_is_refused(rivals):
    for _ in range(ROUNDS):
        expecting = ("--expect-champion", "none")
        answers = race(
            rivals,
            (*promotion(1, "champion"), *expecting),
            (*promotion(2, "champion"), *expecting),
        )
        assert sorted(answer.status for answer in answers) == [0, 1], answers
        (loser,) = [answer for answer in answers if answer.status == 1]
        assert loser.error["code"] == "conflict"
        assert len(champions(rivals)) == 1
        back_to_beta(rivals)


def test_of_two_that_ask_for_the_same_change_one_is_refused(rivals):
    for _ in range(ROUNDS):
        answers = race(rivals, promotion(1, "archived"), promotion(1, "archived"))
        assert sorted(answer.status for answer in answers) == [0, 1], answers
        (loser,) = [answer for answer in answers if answer.status == 1]
        assert loser.error["code"] == "forbidden_transition"
        back_to_beta(rivals)


def test_rollback_and_promotion_at_once_both_happen_one_after_the_other(herd):
    for version in (1, 2):
        herd.train()
        herd.crown(version)
    for challenger in range(3, 11):
        herd.train()
        herd.promote(challenger, "beta")
        rollback = ("rollback", "--timeframe", "1H", "--reason", "tested")
        answers = race(herd, rollback, promotion(challenger, "champion"))
        assert [answer.status for answer in answers] == [0, 0], answers
        assert len(champions(herd)) == 1
    invariants.assert_hold(herd)


def test_two_children_of_one_parent_both_get_a_version(herd):
    herd.train()
    for _ in range(5):
        child = training("--enhance", "1", "--enhance-type", "continued")
        answers = race(herd, child, child)
        assert [answer.status for answer in answers] == [0, 0], answers
    versions = herd.versions()
    assert sorted(versions) == list(range(1, 12))
    superseded = "SELECT count(*) FROM herdbook_events WHERE kind = 'superseded'"
    assert herd.rows(superseded) == [(1,)]
    invariants.assert_hold(herd)


def test_training_and_promoting_at_once_disturb_nothing(rivals):
    for _ in range(5):
        answers = race(
            rivals,
            training("--enhance", "champion", "--enhance-type", "adaptive")
            if champions(rivals)
            else training("--enhance", "best", "--enhance-type", "replay"),
            promotion(1, "champion"),
            promotion(2, "champion"),
            training("--seed", "7"),
        )
        assert [answer.status for answer in answers] == [0, 0, 0, 0], answers
        back_to_beta_of(rivals, (1, 2))
    invariants.assert_hold(rivals)


def back_to_beta_of(herd, numbers):
    stages = {v: entry["promotion_stage"] for v, entry in herd.versions().items()}
    for version in numbers:
        if stages[version] != "beta":
            herd.promote(version, "beta")


def test_first_commands_in_an_empty_folder_share_one_store(tmp_path):
    for round_no in range(15):
        folder = tmp_path / str(round_no)
        folder.mkdir()
        herd = Herd(folder)
        answers = [ended(p) for p in [herd.start(*training(), "--json") for _ in range(6)]]
        assert [answer.status for answer in answers] == [0] * 6, answers
        assert sorted(herd.versions()) == [1, 2, 3, 4, 5, 6]
        invariants.assert_hold(herd)


def test_many_processes_of_every_kind_leave_one_champion_and_a_history_without_gaps(rivals, rng):
    """Forty acts, eight at a time: promotions of every kind, enhancements of one parent, registrations."""
    acts = 5 * [
        promotion(1, "champion"),
        promotion(2, "champion"),
        promotion(1, "beta"),
        promotion(2, "beta"),
        ("rollback", "--timeframe", "1H", "--reason", "tested"),
        training("--enhance", "1", "--enhance-type", "continued"),
        training("--enhance", "1", "--enhance-type", "replay"),
        training("--seed", "3"),
    ]
    rng.shuffle(acts)
    is_over = False

    def watch():
        looks = 0
        while not is_over or looks == 0:
            invariants.assert_hold(rivals)
            answer = rivals.ask("list", "--stage", "champion")
            assert len(answer) <= 1, answer
            looks += 1
        return looks

    with ThreadPoolExecutor(max_workers=9) as pool:
        watched = pool.submit(watch)
        answers = list(pool.map(lambda act: (act, rivals.run(*act, "--json")), acts))
        is_over = True
        assert watched.result() > 0
    done = {"promote": 0, "rollback": 0, "train": 0}
    for act, answer in answers:
        assert answer.status in (0, 1), (act, answer)
        if answer.status == 1:
            assert answer.error["code"] in ("forbidden_transition", "not_found"), (act, answer)
        done[act[0]] += answer.status == 0
    assert done["train"] == 15
    assert sorted(rivals.versions()) == list(range(1, 18))
    # The history contains each act that was reported as done, once, and nothing else.
    acted = rivals.rows(
        "SELECT count(DISTINCT act_id) FROM herdbook_events WHERE kind = 'stage_changed'"
        " AND json_extract(details, '$.cause') IN ('requested', 'returned')"
    )
    # Two promotions were made before the race.
    assert acted == [(2 + done["promote"] + done["rollback"],)]
    superseded = "SELECT count(*) FROM herdbook_events WHERE kind = 'superseded'"
    assert rivals.rows(superseded) == [(1,)]
    invariants.assert_hold(rivals)
