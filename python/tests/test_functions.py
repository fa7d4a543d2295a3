"""The commands as functions: their results, how these display and how they convert."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import BARS, TIMESTEPS

import herdbook
from herdbook import Progress


def test_training_returns_the_data_of_the_command_line(folder: Path) -> None:
    trained = herdbook.train("1H", BARS, timesteps=TIMESTEPS, seed=3, progress=False)
    command = Path(sys.executable).parent / "herdbook"
    other = folder / "other"
    other.mkdir()
    args = ["train", "--timeframe=1H", f"--data={BARS}", f"--timesteps={TIMESTEPS}", "--seed=3", "--json"]
    printed = json.loads(
        subprocess.run([command, *args], cwd=other, capture_output=True, check=True).stdout
    )
    ours = trained.to_dict()
    assert ours.keys() == printed.keys()
    assert ours["metrics"] == printed["metrics"] and ours["windows"] == printed["windows"]
    model = Path("models/1H/model.zip")
    ours_zip = folder / "mlruns/1" / trained.run_id / "artifacts" / model
    theirs_zip = other / "mlruns/1" / printed["run_id"] / "artifacts" / model
    assert ours_zip.read_bytes() == theirs_zip.read_bytes(), "the same model, byte for byte"


def test_child_makes_its_parent_old(herd: str) -> None:
    child = herdbook.show("1H", "latest", tracking_uri=herd)
    parent = herdbook.show("1H", 1, tracking_uri=herd)
    assert (child.version, child.model_type, child.version_type) == (2, "continued", "latest")
    assert (parent.version_type, parent.promotion_stage) == ("old", "champion")
    assert child.created_at.tzinfo is not None and child.created_at > parent.created_at


def test_hyperparameters_are_a_mapping_or_a_file(folder: Path) -> None:
    given = {"n_steps": 512, "n_envs": 2, "net_arch": {"pi": [32], "vf": [32, 16]}, "activation": "relu",
             "learning_rate": {"initial": 1e-3, "final": 0.0}, "target_kl": None}  # fmt: skip
    trained = herdbook.train("1H", timesteps=1024, hyperparameters=given, progress=False)
    params = (herdbook.show("1H").run or {})["params"]
    assert trained.total_timesteps == 1024
    assert (params["n_steps"], params["activation"]) == ("512", "relu")
    assert params["net_arch"] == "pi=[32] vf=[32, 16]"
    with pytest.raises(herdbook.InvalidInputError, match="did you mean `learning_rate`"):
        herdbook.train("1H", hyperparameters={"learning_rte": 1e-3}, progress=False)


def test_progress_is_reported_in_the_calling_thread(folder: Path) -> None:
    seen: list[Progress] = []
    threads = set()

    def watch(progress: Progress) -> None:
        seen.append(progress)
        threads.add(threading.current_thread())

    herdbook.train("1H", timesteps=TIMESTEPS, progress=watch)
    assert [one.trained for one in seen] == [2048, 4096]
    assert all(one.target == TIMESTEPS and one.steps_per_second > 0 for one in seen)
    assert threads == {threading.main_thread()}


def test_bar_of_tqdm_is_shown_on_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    herdbook.train("1H", timesteps=TIMESTEPS, progress=True)
    assert "steps" in capsys.readouterr().err


def test_exception_of_a_callback_ends_the_training(folder: Path) -> None:
    def fail(progress: Progress) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        herdbook.train("1H", timesteps=50_000_000, progress=fail)
    assert herdbook.history("1H")[-1].to_state == "KILLED"
    assert len(herdbook.list_models()) == 0


def test_other_threads_run_during_a_training(folder: Path) -> None:
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1

    beside = threading.Thread(target=tick)
    beside.start()
    herdbook.train("1H", timesteps=20_000, progress=False)
    done.set()
    beside.join()
    assert ticks > 10


@pytest.mark.parametrize("where", ["herdbook.train", "callback"])
def test_ctrl_c_kills_the_run_and_raises(folder: Path, where: str) -> None:
    code = (
        "import herdbook, sys\n"
        "def watch(p): print('step', flush=True)\n"
        "try:\n"
        "    herdbook.train('1H', timesteps=500_000_000, progress=watch)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "step\n"
        os.kill(process.pid, signal.SIGINT)
        rest = process.stdout.read()
    assert rest.endswith("interrupted\n") and process.returncode == 0
    (event,) = [event for event in herdbook.history("1H") if event.kind == "run_ended"]
    assert event.to_state == "KILLED"
    assert event.run_id is not None
    assert any("resume" in name.name for name in folder.rglob("checkpoint_*")), "the run can be resumed"


def test_training_ends_when_its_program_is_killed(folder: Path) -> None:
    code = (
        "import herdbook\n"
        "def watch(p): print('step', flush=True)\n"
        "herdbook.train('1H', timesteps=500_000_000, progress=watch)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "step\n"
        process.kill()
    while herdbook.history("1H")[-1].kind != "run_ended":
        pass
    assert herdbook.history("1H")[-1].to_state == "KILLED"


def test_records_respect_a_transaction_of_the_same_process(own_herd: str, folder: Path) -> None:
    """Two copies of SQLite in one process do not see each other's locks, so the records are in another process."""
    import sqlite3

    mine = sqlite3.connect(folder / "mlflow.db", isolation_level=None)
    mine.execute("BEGIN IMMEDIATE")
    mine.execute("UPDATE registered_models SET description = 'mine'")
    with pytest.raises(herdbook.StoreBusyError, match="locked by another process"):
        herdbook.promote("1H", 1, "beta", tracking_uri=own_herd, lock_timeout=1)
    mine.execute("COMMIT")
    herdbook.promote("1H", 1, "beta", tracking_uri=own_herd)
    (said,) = mine.execute("SELECT description FROM registered_models").fetchone()
    mine.close()
    assert said == "mine" and herdbook.doctor(tracking_uri=own_herd).healthy


def test_cancelled_training_resumes_to_the_same_model(folder: Path) -> None:
    # Long enough that the cancellation arrives before the end.
    long = 409_600
    whole = herdbook.train("1H", timesteps=long, model="whole", progress=False)

    def stop(progress: Progress) -> None:
        if progress.trained >= TIMESTEPS:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        herdbook.train("1H", timesteps=long, model="cut", progress=stop)
    (run,) = {event.run_id for event in herdbook.history("1H", model="cut")}
    assert run is not None
    resumed = herdbook.resume(run, progress=False)
    file = lambda one: next(folder.glob(f"mlruns/*/{one.run_id}/artifacts/models/1H/model.zip"))  # noqa: E731
    assert file(resumed).read_bytes() == file(whole).read_bytes()


def frame() -> pd.DataFrame:
    with gzip.open(BARS, "rt") as file:
        return pd.read_csv(file)


def forms() -> dict[str, Callable[[pd.DataFrame], Any]]:
    import polars as pl
    import pyarrow as pa

    times = lambda f: pd.to_datetime(f.iloc[:, 0], utc=True)  # noqa: E731
    values = ["open", "high", "low", "close", "volume"]

    class Stream:
        """An object with only the Arrow PyCapsule interface."""

        def __init__(self, table: Any) -> None:
            self._table = table

        def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
            return self._table.__arrow_c_stream__(requested_schema)

    def array(f: pd.DataFrame) -> Any:
        named = f.rename(columns=str.lower)
        out = named[values].astype(float)
        out.insert(0, "t", times(f).astype("int64") // 1_000_000)
        return out.to_numpy(float)

    def indexed(f: pd.DataFrame) -> pd.DataFrame:
        return f.set_index(times(f)).iloc[:, 1:]

    return {
        "frame of texts": lambda f: f,
        "frame by time": indexed,
        "dict": lambda f: {name: f[name].to_list() for name in f.columns},
        "Arrow table": lambda f: pa.Table.from_pandas(f.assign(**{f.columns[0]: times(f)})),
        "Arrow stream": lambda f: Stream(pa.Table.from_pandas(f.assign(**{f.columns[0]: times(f)}))),
        "polars frame": lambda f: pl.DataFrame(pa.Table.from_pandas(f.assign(**{f.columns[0]: times(f)}))),
        "polars through Arrow alone": lambda f: Stream(pl.from_pandas(f.assign(**{f.columns[0]: times(f)}))),
        "array": array,
        "structured array": lambda f: pd.DataFrame(
            array(f), columns=["timestamp", *values]
        ).astype({"timestamp": "int64"}).to_records(index=False),
    }


def test_member_of_an_archive_is_named(herd: str, folder: Path) -> None:
    with zipfile.ZipFile("bars.zip", "w") as archive:
        archive.writestr("eurusd.csv", gzip.decompress(BARS.read_bytes()))
        archive.writestr("other.csv", "timestamp,open,high,low,close\n")
    with pytest.raises(herdbook.InvalidInputError, match="eurusd.csv"):
        herdbook.backtest("1H", "bars.zip", 1, symbol="EURUSD", tracking_uri=herd)
    named = herdbook.backtest("1H", "bars.zip", 1, symbol="EURUSD", member="eurusd.csv", tracking_uri=herd)
    assert named.bars_sha256 == herdbook.backtest("1H", BARS, 1, symbol="EURUSD", tracking_uri=herd).bars_sha256
    env = herdbook.TradingEnv("bars.zip", "1H", symbol="EURUSD", member="eurusd.csv")
    assert env.reset(seed=0)[0].shape == (35,)


@pytest.mark.parametrize("form", forms())
def test_bars_in_memory_are_the_bars_of_the_file(herd: str, form: str) -> None:
    from_file = herdbook.backtest("1H", BARS, 1, symbol="EURUSD", tracking_uri=herd)
    bars = forms()[form](frame())
    in_memory = herdbook.backtest("1H", bars, 1, symbol="EURUSD", tracking_uri=herd)
    assert in_memory.bars_sha256 == from_file.bars_sha256
    assert in_memory.metrics == from_file.metrics


def test_backtest_has_curves_and_trades(herd: str) -> None:
    done = herdbook.backtest("1H", BARS, tracking_uri=herd, cost_bps=0.5)
    assert (done.version, done.honesty, done.cost_bps) == (1, "contaminated", 0.5)
    equity = done.equity_to_pandas()
    assert len(equity) == done.n_bars and equity["equity"].iloc[0] == 10_000
    growth = equity["equity"].iloc[-1] / 10_000 - 1
    assert growth == pytest.approx(done.metrics["total_return"], abs=1e-12)
    assert len(done.trades_to_pandas()) == done.metrics["total_trades"]
    assert {"metric", "model", "buy_and_hold", "flat"} == set(done.to_pandas().columns)


def test_prediction_and_evaluation_are_typed(own_herd: str) -> None:
    asked = herdbook.predict("1H", BARS, 1, tracking_uri=own_herd)
    assert asked.action in {"short", "flat", "long"}
    assert sum(asked.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert len(asked.observation) == 35
    with pytest.raises(herdbook.TooOldError, match="at most 1.0 h|at most 60 min"):
        herdbook.predict("1H", BARS, 1, max_bar_age="1h", tracking_uri=own_herd)
    with pytest.raises(herdbook.NotFoundError, match="are new to"):
        herdbook.evaluate("1H", BARS, 1, symbol="eurusd_1h_2017", tracking_uri=own_herd)


def test_promotion_returns_the_command_that_undoes_it(own_herd: str) -> None:
    dry = herdbook.promote("1H", 1, "beta", dry_run=True, tracking_uri=own_herd)
    assert dry.dry_run and dry.event_id is None
    done = herdbook.promote("1H", 1, "beta", reason="it's good", tracking_uri=own_herd, actor="ada")
    assert (done.from_stage, done.to_stage) == ("development", "beta")
    assert done.undo is not None and done.undo.startswith("herdbook promote")
    with pytest.raises(herdbook.ConflictError, match="has no champion"):
        herdbook.promote("1H", 1, "champion", expect_champion=7, tracking_uri=own_herd)
    herdbook.promote("1H", 1, "champion", expect_champion="none", tracking_uri=own_herd)
    assert herdbook.champion("1H", tracking_uri=own_herd).version == 1
    with pytest.raises(herdbook.NotFoundError, match="no other version was ever champion"):
        herdbook.rollback("1H", reason="lost money", tracking_uri=own_herd)
    with pytest.raises(herdbook.ForbiddenTransitionError) as refused:
        herdbook.promote("1H", 1, "development", tracking_uri=own_herd)
    assert refused.value.code == "forbidden_transition" and "`beta` or `archived`" in refused.value.message


def test_lineage_board_and_history_display_and_convert(herd: str) -> None:
    (tree,) = herdbook.lineage("1H", tracking_uri=herd)
    assert [one.version for one in tree.walk()] == [1, 2]
    shown = herdbook.lineage("1H", tracking_uri=herd)._repr_html_()
    assert "continued" in shown and "champion" in shown
    frame = herdbook.lineage("1H", tracking_uri=herd).to_pandas()
    assert list(frame["version"]) == [1, 2]
    board = herdbook.status(tracking_uri=herd)
    assert "version 1" in board._repr_html_() and board.to_pandas().shape[0] == 1
    history = herdbook.history("1H", tracking_uri=herd)
    assert "the first one" in history._repr_html_()
    assert list(history.to_pandas()["kind"])[:2] == ["run_started", "run_ended"] or len(history) > 5
    compared = herdbook.compare("1H", 1, 2, tracking_uri=herd)
    assert compared.comparable and "change_percent" in compared.to_pandas().columns
    versions = herdbook.list_models(tracking_uri=herd)
    assert [one.version for one in versions] == [2, 1] and versions[-1].version == 1
    assert versions.to_pandas()["metrics.final/mean_reward"].notna().all()
    assert "<table" in versions._repr_html_()


def test_results_show_the_text_of_the_command(herd: str) -> None:
    command = Path(sys.executable).parent / "herdbook"

    def printed(*args: str) -> str:
        full = [str(command), *args, "-t", "1H", "--tracking-uri", herd]
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        done = subprocess.run(full, capture_output=True, check=True, text=True, env=environment)
        return done.stdout.rstrip("\n")

    uri: dict[str, Any] = {"tracking_uri": herd}
    for result, args in [
        (herdbook.backtest("1H", BARS, 2, **uri), ("backtest", "2", f"--data={BARS}")),
        (herdbook.predict("1H", BARS, 2, **uri), ("predict", "2", f"--data={BARS}")),
        (herdbook.champion("1H", **uri), ("champion",)),
        (herdbook.find_best("1H", **uri), ("find", "best")),
        (herdbook.lineage("1H", **uri), ("lineage",)),
        (herdbook.history("1H", **uri), ("history",)),
        (herdbook.compare("1H", 1, 2, **uri), ("compare", "1", "2")),
        (herdbook.list_models("1H", **uri), ("list",)),
        (herdbook.promote("1H", 2, "beta", dry_run=True, **uri),
         ("promote", "--model-version=2", "--target-stage=beta", "--dry-run")),
    ]:  # fmt: skip
        shown = str(result)
        assert repr(result) == shown
        if args[0] != "find":  # says how old things are
            assert shown == printed(*args)
        assert 0 < len(shown) < 8_000, len(shown)
    for result in (herdbook.show("1H", 1, **uri), herdbook.status(**uri), herdbook.verify(**uri), herdbook.doctor(**uri)):
        assert repr(result) == str(result) and 0 < len(str(result)) < 8_000


def test_parts_of_results_are_one_short_line(herd: str) -> None:
    versions = herdbook.list_models(tracking_uri=herd)
    comparison = herdbook.compare("1H", 1, 2, tracking_uri=herd)
    (tree,) = herdbook.lineage("1H", tracking_uri=herd)
    for part in (versions[0], comparison.first, tree, herdbook.history("1H", tracking_uri=herd)[0]):
        assert "\n" not in repr(part) and len(repr(part)) <= 180
        assert repr(part).startswith(f"{type(part).__name__}(")
    assert "version=2" in repr(versions[0])
    some = type(versions)(versions[:1])
    assert repr(some).splitlines() == ["Versions of 1", repr(versions[0])]
    manager = herdbook.MLflowManager(timeframe="1H", tracking_uri=herd)
    assert repr(manager) == "MLflowManager('stock_trading_rl_1H', timeframe='1H', run=None)"
    manager.close()


def test_position_is_observed(herd: str) -> None:
    flat = herdbook.predict("1H", BARS, 1, tracking_uri=herd)
    assert (flat.from_position, flat.position_since) == ("flat", None)
    long = herdbook.predict("1H", BARS, 1, position="long", position_since="2017-12-29T10:00Z", tracking_uri=herd)
    assert long.from_position == "long" and long.observation[32] == 1.0
    assert long.position_since is not None and long.position_since.hour == 10
    assert long.observation[:32] == flat.observation[:32]
    with pytest.raises(herdbook.InvalidInputError, match="position_since"):
        herdbook.predict("1H", BARS, 1, position_since="2017-12-29T10:00Z", tracking_uri=herd)


def test_threads_change_nothing_but_the_speed(folder: Path) -> None:
    one = herdbook.train("1H", BARS, timesteps=TIMESTEPS, n_envs=4, progress=False)
    two = herdbook.train("1H", BARS, timesteps=TIMESTEPS, n_envs=4, threads=2, progress=False)
    child = herdbook.enhance("1H", 1, BARS, timesteps=TIMESTEPS, threads=2, progress=False)
    assert one.metrics == two.metrics and child.model_type == "continued"
    with pytest.raises(herdbook.InvalidInputError, match="threads"):
        herdbook.train("1H", BARS, threads=0, progress=False)


def test_store_is_named_in_the_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "herdbook.toml").write_text('store = "sqlite:///records.db"\n')
    below = folder / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    herdbook.train("1H", BARS, timesteps=1, progress=False)
    assert (folder / "records.db").is_file() and (folder / "mlruns").is_dir()
    manager = herdbook.MLflowManager(timeframe="1H")
    assert manager.tracking_uri == f"sqlite:///{folder}/records.db"
    manager.close()
    assert Path(herdbook.load_parent("latest", timeframe="1H")).is_file()
    assert not any(below.iterdir())


def test_html_escapes_what_users_wrote(own_herd: str) -> None:
    herdbook.promote("1H", 1, "beta", reason="<script>alert(1)</script>", tracking_uri=own_herd)
    shown = herdbook.history("1H", tracking_uri=own_herd)._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown


def test_parent_is_found_with_its_file(herd: str) -> None:
    best = herdbook.load_parent("best", timeframe="1H", tracking_uri=herd)
    assert Path(best).is_file() and best.version == 1 and not best.fallback
    newest = herdbook.load_parent("latest", timeframe="1H", model_type="continued", tracking_uri=herd)
    assert newest.version == 2
    assert herdbook.load_parent("champion", timeframe="1H", tracking_uri=herd) == best
    assert herdbook.load_parent(2, timeframe="1H", tracking_uri=herd).run_id == newest.run_id
    with pytest.raises(herdbook.NotFoundError):
        herdbook.load_parent("best", timeframe="D", tracking_uri=herd)


def test_imported_model_is_refused_twice(folder: Path, herd: str) -> None:
    file = herdbook.load_parent("best", timeframe="1H", tracking_uri=herd)
    own = f"sqlite:///{folder}/own.db"
    taken = herdbook.import_model(file, "1H", symbol="EURUSD", tracking_uri=own)
    assert taken.usable and taken.honesty == "unknown" and taken.version == 1
    with pytest.raises(herdbook.ConflictError, match="already registered as"):
        herdbook.import_model(file, "1H", tracking_uri=own)
    assert herdbook.find_latest("1H", tracking_uri=own).run_id == taken.run_id
    assert herdbook.find_best("1H", metric="total_timesteps", tracking_uri=own).version == 1
    assert herdbook.verify(tracking_uri=own).files_intact == 1
