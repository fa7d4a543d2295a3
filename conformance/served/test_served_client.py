"""Scenarios with the unmodified client give the same results with both servers."""

import mlflow
import pytest

from scenarios import SCENARIOS, Use
from worlds import Request


@pytest.fixture(autouse=True)
def client_state():
    yield
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


@pytest.mark.parametrize("run", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_scenario(pair, tmp_path, run):
    results = []
    for world in pair.both:
        mlflow.set_tracking_uri(world.url)
        mlflow.set_registry_uri(world.url)
        folder = tmp_path / world.name
        folder.mkdir()
        found = run(Use(world, folder, run.__name__))
        results.append(world.normal_value(found))
    for idx, (stock, ours) in enumerate(zip(*results, strict=True)):
        pair.note(Request("CLIENT", f"{run.__name__} [{idx}]"), stock, ours)
