"""MLflow reads exactly the records that herdbook wrote."""

import hashlib
import json
import math
import re
from pathlib import Path

import pytest

import invariants
from herd import MODEL, TIMESTEPS

MINUTE = re.compile(r"^\d{8}_\d{4}$")


@pytest.fixture
def client(lived):
    return lived.client()


def run_ids(lived):
    return {version: entry["run_id"] for version, entry in lived.versions().items()}


def path_of(run_id):
    return f"runs:/{run_id}/models/1H/model.zip"


def shown(lived, version):
    return lived.ask("show", "--timeframe", "1H", "--model-version", version)


def test_records_keep_every_invariant(lived):
    invariants.assert_hold(lived)


def test_search_runs_finds_each_run_with_its_tags(lived, client):
    import mlflow

    frame = mlflow.search_runs(experiment_names=["stock_trading_rl_1H"])
    ids = run_ids(lived)
    assert sorted(frame["run_id"]) == sorted(ids.values())
    assert set(frame["status"]) == {"FINISHED"}
    by_run = frame.set_index("run_id")
    columns = ["timeframe", "model_type", "version_type", "promotion_stage"]
    tags = by_run[[f"tags.{column}" for column in columns]]
    assert list(tags.loc[ids[1]]) == ["1H", "base", "old", "archived"]
    assert list(tags.loc[ids[2]]) == ["1H", "continued", "old", "champion"]
    assert list(tags.loc[ids[3]]) == ["1H", "replay", "latest", "beta"]


def test_search_runs_filters_by_what_herdbook_logged(lived):
    import mlflow

    lived.client()
    found = mlflow.search_runs(
        search_all_experiments=True,
        filter_string="tags.version_type = 'latest' and params.`data.symbol` = 'EURUSD'"
        " and metrics.total_timesteps >= 1",
    )
    assert list(found["run_id"]) == [run_ids(lived)[3]]


def test_run_tags_are_those_of_the_rules(lived, client):
    ids = run_ids(lived)
    for version, kind, parent in [(1, None, None), (2, "continued", 1), (3, "replay", 2)]:
        tags = client.get_run(ids[version]).data.tags
        assert tags["honesty"] == "clean"
        assert tags.get("enhancement_type") == kind
        assert tags.get("base_model_run_id") == ids.get(parent)
        assert tags.get("base_model_path") == (parent and path_of(ids[parent]))
        assert tags["mlflow.user"] == "conformance"


def stage_tags(tags):
    """Removes the tags that record changes of stage, and returns these changes, oldest first."""
    keys = [key for key in tags if invariants.is_change(key)]
    keys.sort(key=lambda key: (key[:23], int(key[24:] or 1)))
    return [tags.pop(key) for key in keys]


def test_champion_version_has_every_tag_and_no_other(lived, client):
    ids = run_ids(lived)
    tags = client.get_model_version(MODEL, "2").tags
    assert stage_tags(tags) == ["development -> beta", "beta -> champion"]
    for minute in ("enhancement_timestamp", "last_promoted_at"):
        assert MINUTE.match(tags.pop(minute))
    assert tags == {
        "timeframe": "1H",
        "model_type": "continued",
        "version_type": "old",
        "promotion_stage": "champion",
        "enhancement_type": "continued",
        "base_model_path": path_of(ids[1]),
        "base_model_run_id": ids[1],
        "honesty": "clean",
        "previous_timesteps": str(TIMESTEPS),
        "total_timesteps": str(2 * TIMESTEPS),
        "promotion_reason": "better than the first",
    }


def test_displaced_base_version_has_every_tag_and_no_other(lived, client):
    tags = client.get_model_version(MODEL, "1").tags
    assert stage_tags(tags) == ["development -> beta", "beta -> champion", "champion -> archived"]
    for minute in ("last_promoted_at", "demotion_timestamp"):
        assert MINUTE.match(tags.pop(minute))
    assert tags == {
        "timeframe": "1H",
        "model_type": "base",
        "version_type": "old",
        "promotion_stage": "archived",
        "honesty": "clean",
        "total_timesteps": str(TIMESTEPS),
        "promotion_reason": "the first one",
        "demotion_reason": "New champion promoted",
    }


def test_metrics_and_params_are_those_that_herdbook_shows(lived, client):
    for version, run_id in run_ids(lived).items():
        told = shown(lived, version)
        data = client.get_run(run_id).data
        assert data.metrics == pytest.approx(told["metrics"], rel=0, abs=0)
        assert data.params == told["run"]["params"]
        assert all(math.isfinite(value) for value in data.metrics.values())


def test_metrics_of_the_rules_are_logged(lived, client):
    data = client.get_run(run_ids(lived)[2]).data
    for name in [
        "evaluation/mean_reward",
        "evaluation/std_reward",
        "evaluation/best_mean_reward",
        "final/mean_reward",
        "final/std_reward",
        "final/mean_return",
        "portfolio/total_return",
        "portfolio/max_drawdown",
        "portfolio/total_trades",
        "portfolio/exposure_time",
        "training/entropy",
        "training/approx_kl",
        "training/clip_fraction",
        "training/explained_variance",
        "training/steps_per_second",
    ]:
        assert name in data.metrics, name
    steps = ["previous_timesteps", "current_run_timesteps", "total_timesteps"]
    assert [data.metrics[name] for name in steps] == [TIMESTEPS, TIMESTEPS, 2 * TIMESTEPS]


def test_what_a_run_was_trained_on_is_recorded(lived, client):
    params = client.get_run(run_ids(lived)[1]).data.params
    edges = [
        params[f"data.{window}_{edge}"]
        for window in ("train", "validation", "test")
        for edge in ("start", "end")
    ]
    assert edges == sorted(edges)
    assert params["data.symbol"] == "EURUSD"
    assert re.fullmatch("[0-9a-f]{64}", params["data.sha256"])


def test_metric_history_is_a_curve_that_ends_in_the_latest_value(lived, client):
    run = client.get_run(run_ids(lived)[2])
    for name, latest in run.data.metrics.items():
        history = client.get_metric_history(run.info.run_id, name)
        last = max(history, key=lambda point: (point.step, point.timestamp, point.value))
        assert last.value == latest, name
    curve = client.get_metric_history(run.info.run_id, "training/entropy")
    assert len({point.step for point in curve}) == 2


def test_improvement_is_the_percentage_over_the_parent(lived, client):
    ids = run_ids(lived)
    child, parent = (client.get_run(ids[version]).data for version in (2, 1))
    assert child.tags["improvement_basis"] == "same_windows"
    compared = 0
    for name, value in child.metrics.items():
        if name.startswith("improvement_"):
            metric = name.removeprefix("improvement_")
            before, after = parent.metrics[metric], child.metrics[metric]
            assert value == pytest.approx(100 * (after - before) / abs(before)), metric
            compared += 1
    assert compared >= 2


def test_registered_model_names_its_champion(lived, client):
    models = client.search_registered_models()
    assert [model.name for model in models] == [MODEL]
    assert {alias: int(version) for alias, version in models[0].aliases.items()} == {"champion": 2}
    champion = client.get_model_version_by_alias(MODEL, "champion")
    assert (int(champion.version), champion.run_id) == (2, run_ids(lived)[2])
    assert champion.status == "READY"


def test_deprecated_stage_follows(lived, client):
    stages = {int(v.version): v.current_stage for v in client.search_model_versions()}
    assert stages == {1: "Archived", 2: "Production", 3: "Staging"}


def registered_hash(lived, version):
    ((details,),) = lived.rows(
        "SELECT details FROM herdbook_events WHERE kind = 'registered' AND version = ?", version
    )
    return json.loads(details)["model_sha256"]


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_model_file_is_listed_and_downloaded_from_its_run(lived, client, tmp_path):
    import mlflow

    run_id = run_ids(lived)[1]
    listed = client.list_artifacts(run_id, "models/1H")
    names = {file.path.removeprefix("models/1H/") for file in listed}
    exports = {"model.onnx", "MLmodel", "requirements.txt", "python_env.yaml"}
    assert names - exports - {name for name in names if name.startswith("best_model_")} == {"model.zip"}
    assert exports < names
    file = mlflow.artifacts.download_artifacts(path_of(run_id), dst_path=str(tmp_path))
    assert sha256(file) == registered_hash(lived, 1)
    found = lived.ask("find", "best", "--timeframe", "1H", "--model-type", "base")
    assert found["model_path"] == path_of(run_id)


@pytest.mark.parametrize("uri", [f"models:/{MODEL}@champion", f"models:/{MODEL}/2"])
def test_champion_is_downloaded_by_its_alias_and_by_its_number(lived, client, tmp_path, uri):
    import mlflow

    folder = mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path))
    assert sha256(Path(folder) / "model.zip") == registered_hash(lived, 2)
