"""There is at most one champion, even when MLflow writes to the same database."""

import pytest
from mlflow.exceptions import MlflowException

import invariants
from herd import MODEL


@pytest.fixture
def crowned(herd):
    """Version 1 is the champion, version 2 is in beta."""
    herd.train()
    herd.train()
    herd.crown(1)
    herd.promote(2, "beta")
    return herd


def champion(client):
    return int(client.get_model_version_by_alias(MODEL, "champion").version)


def test_mlflow_cannot_tag_a_second_champion(crowned):
    client = crowned.client()
    with pytest.raises(MlflowException, match="UNIQUE constraint failed"):
        client.set_model_version_tag(MODEL, "2", "promotion_stage", "champion")
    assert client.get_model_version(MODEL, "2").tags["promotion_stage"] == "beta"
    assert champion(client) == 1
    invariants.assert_hold(crowned)


def test_mlflow_cannot_register_a_second_champion(crowned):
    client = crowned.client()
    run_id = crowned.versions()[2]["run_id"]
    source = f"{client.get_run(run_id).info.artifact_uri}/models/1H"
    with pytest.raises(MlflowException):
        client.create_model_version(MODEL, source, run_id, tags={"promotion_stage": "champion"})
    invariants.assert_hold(crowned)


def test_champion_deleted_through_mlflow_does_not_block_the_next(crowned):
    client = crowned.client()
    client.delete_model_version(MODEL, "1")
    assert 1 not in crowned.versions()
    answer = crowned.promote(2, "champion", "the first is gone")
    assert answer["displaced"] is None
    assert champion(client) == 2
    invariants.assert_hold(crowned)


def test_registered_model_deleted_through_mlflow_does_not_give_its_numbers_again(crowned):
    crowned.client().delete_registered_model(MODEL)
    assert crowned.versions() == {}
    assert crowned.train()["version"] == 3
    crowned.crown(3)
    assert champion(crowned.client()) == 3


def test_new_champion_archives_the_old_one_in_the_same_act(crowned):
    answer = crowned.promote(2, "champion", "better")
    assert answer["displaced"]["version"] == 1
    acts = crowned.rows(
        "SELECT act_id, version, to_state, reason FROM herdbook_events ORDER BY id DESC LIMIT 2"
    )
    assert len({act for act, *_ in acts}) == 1
    assert [event[1:] for event in acts] == [
        (2, "champion", "better"),
        (1, "archived", "New champion promoted"),
    ]
