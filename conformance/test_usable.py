"""Versions whose run, experiment, model or registration others deleted or renamed through MLflow."""

import pytest

import invariants
from herd import MODEL


@pytest.fixture
def beta(herd):
    """Version 1 is in beta."""
    herd.train()
    herd.promote(1, "beta")
    return herd


def run_of(herd, version=1):
    return herd.versions()[version]["run_id"]


def delete_run(herd):
    herd.client().delete_run(run_of(herd))


def delete_experiment(herd):
    client = herd.client()
    client.delete_experiment(client.get_run(run_of(herd)).info.experiment_id)


@pytest.mark.parametrize(
    ("harm", "words"),
    [(delete_run, "belongs to a deleted run"), (delete_experiment, "of the deleted experiment")],
)
def test_version_in_the_trash_is_refused_as_champion_and_named_by_the_doctor(beta, harm, words):
    harm(beta)
    refused = beta.refused(
        "promote", "-t", "1H", "--model-version", "1", "--target-stage", "champion", "--force", "--reason", "r"
    )
    assert words in refused["message"]
    assert "cannot be used" in refused["message"]
    breaches = beta.refused_after_data("doctor")["breaches"]
    assert any(it["kind"] == "unusable" and words in it["message"] for it in breaches)
    # It can be put away.
    beta.promote(1, "archived")


def test_restored_run_can_be_promoted_again(beta):
    run_id = run_of(beta)
    client = beta.client()
    client.delete_run(run_id)
    client.restore_run(run_id)
    beta.promote(1, "champion")
    invariants.assert_hold(beta)


def test_renamed_model_keeps_its_history_and_can_be_promoted(beta):
    beta.train()
    beta.promote(1, "champion")
    beta.promote(2, "beta")
    client = beta.client()
    client.rename_registered_model(MODEL, "renamed")
    named = ("-t", "1H", "--model", "renamed")
    answer = beta.ask("promote", *named, "--model-version", "2", "--target-stage", "champion")
    assert answer["displaced"]["version"] == 1
    assert int(client.get_model_version_by_alias("renamed", "champion").version) == 2
    history = beta.ask("history", *named, "--model-version", "1")
    assert [event["to"] for event in history] == ["development", "beta", "champion", "archived"]
    assert beta.ask("rollback", *named, "--reason", "worse")["version"] == 1
    assert beta.ask("champion", *named)["version"] == 1
    assert beta.ask("doctor")["healthy"]
    client.rename_registered_model("renamed", MODEL)
    assert beta.ask("champion", "-t", "1H")["version"] == 1
    beta.promote(1, "beta")
    assert beta.ask("doctor")["healthy"]
