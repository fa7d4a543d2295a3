"""A stock `mlflow server` as the store: every command, races, `kill -9` of either side, outages."""

import base64
import threading
import time

import pytest
import requests

from gate import Outage, gate, self_signed
from herd import MODEL, SAMPLES, bars_file, ended, promotion, strict_json, training, wait_until
from stock import RemoteHerd, StockServer

KILLS = 12
RACES = 6
SLOTS = 60
LONG = 400_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = StockServer(tmp_path_factory.mktemp("stock") / "server").start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def lived(server, tmp_path_factory):
    """A herd with a base model as champion and its child in beta."""
    herd = RemoteHerd(tmp_path_factory.mktemp("lived"), server)
    herd.train()
    herd.train("--enhance", "latest")
    herd.crown(1, "the first one")
    herd.promote(2, "beta")
    return herd


@pytest.fixture(scope="module")
def two_models(server, tmp_path_factory):
    herd = RemoteHerd(tmp_path_factory.mktemp("rivals"), server, "rivals")
    herd.train()
    herd.train()
    return herd


@pytest.fixture
def rivals(two_models):
    """A herd with versions 1 and 2, both in beta."""
    for version, stage in two_models.stages().items():
        if stage != "beta":
            two_models.promote(version, "beta")
    return two_models


def test_records_are_what_the_rules_say(lived):
    assert lived.stages() == {1: "champion", 2: "beta"}
    assert lived.alias() == 1
    lived.assert_invariants()


def test_every_look_up_answers(lived):
    assert lived.ask("show", "--timeframe", "1H", "--model-version", 2)["version"] == 2
    assert lived.ask("find", "latest", "--timeframe", "1H", "--model-type", "continued")
    assert lived.ask("find", "best", "--timeframe", "1H")["model_path"].startswith("runs:/")
    assert lived.ask("champion", "--timeframe", "1H")["version"] == 1
    kinds = [event["kind"] for event in lived.ask("history", "--timeframe", "1H")]
    assert kinds.count("registered") == 2 and kinds.count("stage_changed") == 3
    for command in (
        ("status",),
        ("verify",),
        ("doctor",),
        ("lineage", "--timeframe", "1H"),
        ("compare", 1, 2, "--timeframe", "1H"),
    ):
        lived.ask(*command)


def test_stock_mlflow_loads_the_champion_through_the_server(lived):
    import mlflow

    mlflow.set_tracking_uri(lived.uri)
    mlflow.set_registry_uri(lived.uri)
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    assert model.metadata.run_id == lived.versions()[1]["run_id"]


def test_what_the_rules_refuse_is_refused_here_too(lived):
    refused = lived.refused(*promotion(1, "development"))
    assert refused["code"] == "forbidden_transition"
    lived.assert_invariants()


def test_every_other_command_works_here_too(server, tmp_path):
    herd = RemoteHerd(tmp_path / "work", server, "everything")
    early, late = bars_file(tmp_path, "early.csv", 4_000), bars_file(tmp_path, "late.csv")
    on = ("--timeframe", "1H", "--symbol", "EURUSD")
    assert len(herd.ask("train", *on, "--data", early, "--timesteps", 2048, "--seeds", 2)["sweep"]["members"]) == 2
    sweep = herd.ask("train", *on, "--data", early, "--timesteps", 2048, "--walk-forward", 2)["sweep"]
    assert sweep["chosen"] == 1 and sorted(herd.versions()) == [1, 2]
    last = herd.ask("show", 2, "--timeframe", "1H")

    # First a condition that requires evidence, then the evidence.
    (herd.folder / "herdbook.toml").write_text(
        '[promotion]\nenforce = true\n[[promotion.condition]]\nto = "beta"\nevidence = 0.000001\n'
    )
    assert herd.refused(*promotion(2, "beta"))["code"] == "gate_failed"
    found = herd.ask("evaluate", 2, *on, "--data", late)["evaluation"]
    assert found["window"]["start"] > last["windows"]["test"]["end"]
    (known,) = herd.ask("show", 2, "--timeframe", "1H")["evidence"]
    assert known["evaluation"] == found
    (herd.folder / "herdbook.toml").unlink()

    assert herd.ask("backtest", 1, *on, "--data", late)["version"] == 1
    assert herd.ask("predict", 1, *on, "--data", late)["action"] in {"short", "flat", "long"}
    assert herd.ask("compare", 1, 2, "--timeframe", "1H")
    zipped = SAMPLES.parent / "crates/herdbook-ppo/tests/data/discrete_tanh.zip"
    taken = herd.ask("import-model", zipped, "--timeframe", "1H")
    assert (taken["version"], taken["honesty"]) == (3, "unknown")

    # A training that is killed after a checkpoint and resumed gives the same figures.
    long = ("train", *on, "--data", early, "--timesteps", 120_000, "--enhance", 1)
    process = herd.start(*long)
    run_id = wait_until(lambda: running_run(server), "the run to begin")
    wait_until(lambda: checkpoints(server, run_id), "a checkpoint")
    process.kill()
    process.communicate()
    resumed = herd.ask("train", "--resume", run_id)
    assert resumed["run_id"] == run_id
    whole = herd.ask(*long)
    assert resumed["metrics"] == whole["metrics"]
    assert herd.ask("doctor")["healthy"]
    herd.assert_invariants()


def running_run(server):
    """The RUNNING run of the default experiment, if there is one."""
    found = runs(server, "stock_trading_rl_1H", filter="attributes.status = 'RUNNING'")
    return found[0]["info"]["run_id"] if found else None


def runs(server, experiment, **query):
    experiments = server.post("experiments/search", max_results=100)["experiments"]
    ids = [e["experiment_id"] for e in experiments if e["name"] == experiment]
    return server.post("runs/search", experiment_ids=ids, **query).get("runs", []) if ids else []


def checkpoints(server, run_id):
    return list((server.folder / "mlartifacts").glob(f"*/{run_id}/**/*.resume"))


def test_tag_set_by_hand_is_named_and_set_back(lived):
    # An earlier value of the tag: only `doctor` reads tags without applying the journal.
    change = {"name": MODEL, "version": "2", "key": "promotion_stage", "value": "development"}
    lived.server.post("model-versions/set-tag", **change)
    breaches = lived.run("doctor", "--json")
    kinds = {breach["kind"] for breach in strict_json(breaches.stdout)["breaches"]}
    assert breaches.status == 1 and "stage" in kinds, breaches
    assert lived.ask("doctor", "--repair")["healthy"]
    assert lived.ask("doctor")["breaches"] == []
    lived.assert_invariants()


def test_server_that_is_not_there_is_named(herd):
    answer = herd.run("list", "--tracking-uri", "http://127.0.0.1:9", "--json")
    assert answer.status == 2
    assert "http://127.0.0.1:9" in answer.error["message"]


BASIC = "Basic " + base64.b64encode(b"ada:p@ss").decode()


@pytest.mark.parametrize(
    "authorization, variables",
    [
        (BASIC, {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "p@ss"}),
        ("Bearer s3cret", {"MLFLOW_TRACKING_TOKEN": "s3cret"}),
    ],
)
def test_user_and_token_of_mlflow_s_variables_open_the_gate(
    lived, monkeypatch, authorization, variables
):
    with gate(lived.server.url, authorization) as url:
        monkeypatch.setattr(lived, "uri", url)
        outside = lived.run("list", "--json")
        assert outside.status == 2 and "401" in outside.error["message"], outside
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert lived.stages() == {1: "champion", 2: "beta"}
        assert lived.ask("verify")


def test_certificate_of_the_server_is_checked(lived, monkeypatch, tmp_path):
    certificate = self_signed(tmp_path)
    with gate(lived.server.url, BASIC, certificate) as url:
        monkeypatch.setattr(lived, "uri", url.replace("https://", "https://ada:p%40ss@"))
        unknown = lived.run("list", "--json")
        assert unknown.status == 2 and "p%40ss" not in unknown.stdout + unknown.stderr
        assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in unknown.error["message"]
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
        assert lived.stages() == {1: "champion", 2: "beta"}
        monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
        assert lived.stages() == {1: "champion", 2: "beta"}


def test_first_writer_of_a_param_wins_and_a_name_is_given_once(server):
    """The journal relies on this behaviour of MLflow."""
    experiment = server.post("experiments/create", name="slots")["experiment_id"]
    run = server.post("runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    wins = {slot: [] for slot in range(SLOTS)}
    names = {name: [] for name in range(SLOTS // 4)}
    barrier = threading.Barrier(4)

    def write(writer):
        session = requests.Session()
        for slot, winners in wins.items():
            barrier.wait()
            body = {"run_id": run, "key": f"act.{slot}", "value": str(writer)}
            url = f"{server.url}/api/2.0/mlflow/runs/log-parameter"
            answer = session.post(url, json=body, timeout=60)
            assert answer.status_code in (200, 400), answer.text
            if answer.status_code == 200:
                winners.append(writer)
        for name, winners in names.items():
            barrier.wait()
            url = f"{server.url}/api/2.0/mlflow/experiments/create"
            body = {"name": f"race {name}", "tags": [{"key": "by", "value": str(writer)}]}
            answer = session.post(url, json=body, timeout=60)
            assert answer.status_code in (200, 400), answer.text
            if answer.status_code == 200:
                winners.append(writer)

    in_threads(write, range(4))
    params = server.get("runs/get", run_id=run)["run"]["data"]["params"]
    written = {param["key"]: param["value"] for param in params}
    for slot, winners in wins.items():
        assert [written[f"act.{slot}"]] == [str(writer) for writer in winners], slot
    for name, winners in names.items():
        found = server.get("experiments/get-by-name", experiment_name=f"race {name}")
        (tag,) = [t for t in found["experiment"]["tags"] if t["key"] == "by"]
        assert [tag["value"]] == [str(writer) for writer in winners], name


def in_threads(work, values):
    failures = []

    def guarded(value):
        try:
            work(value)
        except BaseException as failure:  # noqa: BLE001 (reported by the thread of the test)
            failures.append(failure)
            raise

    threads = [threading.Thread(target=guarded, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_of_two_that_promote_at_once_one_wins(rivals):
    for _ in range(RACES):
        expecting = ("--expect-champion", "none", "--json")
        processes = [rivals.start(*promotion(v, "champion"), *expecting) for v in (1, 2)]
        answers = [ended(process, rivals.patience_s) for process in processes]
        assert sorted(answer.status for answer in answers) == [0, 1], answers
        rivals.assert_invariants()
        (champion,) = [v for v, stage in rivals.stages().items() if stage == "champion"]
        assert rivals.alias() == champion
        rivals.promote(champion, "beta")


def test_reader_of_the_alias_always_gets_a_champion(rivals):
    rivals.promote(1, "champion")
    read, stop = [], threading.Event()

    def watch(_):
        while not stop.is_set():
            read.append(rivals.alias())

    watcher = threading.Thread(target=in_threads, args=(watch, [0]))
    watcher.start()
    try:
        for challenger, former in ((2, 1), (1, 2)):
            rivals.promote(challenger, "champion")
            rivals.promote(former, "beta")
    finally:
        stop.set()
        watcher.join()
    assert len(read) > 4 and set(read) == {1, 2}


def test_promotion_killed_anywhere_is_completed_or_did_not_happen(rivals, rng):
    rivals.promote(1, "champion")
    lasted = timed(lambda: rivals.promote(2, "champion"))
    rivals.promote(1, "beta")
    for _ in range(KILLS):
        before = rivals.stages()
        (challenger,) = [version for version, stage in before.items() if stage == "beta"]
        killed(rivals.start(*promotion(challenger, "champion"), "--json"), rng.uniform(0, lasted))
        after = rivals.stages()
        rivals.assert_invariants()
        assert after in (before, {challenger: "champion", 3 - challenger: "archived"})
        if after != before:
            rivals.promote(3 - challenger, "beta")


def test_rollback_killed_anywhere_is_completed_or_did_not_happen(rivals, rng):
    for version in (1, 2):
        rivals.promote(version, "champion")
    rollback = ("rollback", "--timeframe", "1H", "--reason", "tested")
    before = rivals.stages()
    for _ in range(3):
        killed(rivals.start(*rollback, "--json"), rng.uniform(0, 2))
        after = rivals.stages()
        rivals.assert_invariants()
        assert after in (before, {1: "champion", 2: "archived"})
        if after != before:
            break


def test_training_killed_anywhere_registers_once_or_not(server, tmp_path, rng):
    herd = RemoteHerd(tmp_path / "work", server, "killed")
    lasted = timed(herd.train)
    for _ in range(KILLS // 2):
        killed(herd.start(*training(), "--json"), rng.uniform(0, lasted))
        herd.ask("list")
        herd.run("doctor", "--repair", "--json")
        herd.assert_invariants()
    herd.train()
    herd.assert_invariants()
    runs = [entry["run_id"] for entry in herd.versions().values()]
    assert len(set(runs)) == len(runs)


def test_training_outlives_its_server(server, tmp_path):
    herd = RemoteHerd(tmp_path / "work", server, "patient")
    long = ("train", "--timeframe", "1H", "--timesteps", LONG, "--experiment", "patient", "--json")
    process = herd.start(*long)
    wait_until(lambda: has_metrics(server), "the first metrics")
    server.kill()
    server.start()
    answer = ended(process, herd.patience_s)
    assert answer.status == 0, answer
    (entry,) = herd.versions().values()
    query = {"run_id": entry["run_id"], "metric_key": "training/policy_loss"}
    steps = [point["step"] for point in server.get("metrics/get-history", **query)["metrics"]]
    assert steps[-1] >= LONG and steps == list(range(2048, steps[-1] + 1, 2048))
    herd.assert_invariants()


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_training_whose_registration_got_no_answer_is_registered_once(
    server, tmp_path, monkeypatch, is_carried_out
):
    # Longer than calls are retried (see conftest.py). The second act of a training is its registration.
    outage = Outage(nth=2, duration_s=6, is_carried_out=is_carried_out)
    herd = RemoteHerd(tmp_path / "work", server, f"unanswered_{is_carried_out}".lower())
    with gate(server.url, outage=outage) as url:
        monkeypatch.setattr(herd, "uri", url)
        answer = herd.run(*training(), "--json")
    assert answer.status == 0 and "retrying" in answer.stderr, answer
    monkeypatch.setattr(herd, "uri", server.url)
    (entry,) = herd.versions().values()
    assert entry["run_id"] == strict_json(answer.stdout)["run_id"]
    herd.assert_invariants()


def test_promotion_outlives_its_server(rivals, rng):
    for challenger in (1, 2):
        process = rivals.start(*promotion(challenger, "champion"), "--json")
        time.sleep(rng.uniform(0, 1))
        rivals.server.kill()
        rivals.server.start()
        answer = ended(process, rivals.patience_s)
        after = rivals.stages()
        rivals.assert_invariants()
        if answer.status == 0:
            assert after[challenger] == "champion"
        if after[challenger] != "champion":
            rivals.promote(challenger, "champion")


def has_metrics(server):
    return any(run["data"].get("metrics") for run in runs(server, "patient_1H"))


def timed(act):
    began = time.monotonic()
    act()
    return time.monotonic() - began


def killed(process, after_s):
    """Kills a command after a delay, unless it has ended before."""
    time.sleep(after_s)
    process.kill()
    process.communicate()
