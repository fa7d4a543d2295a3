"""Bad input raises an exception that says what is wrong, where, and what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import BARS

import herdbook


def series(n: int = 2_000) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    open_ = np.concatenate([[100.0], close[:-1]])
    return {
        "timestamp": np.datetime64("2020-01-06T00:00", "ms") + np.arange(n) * np.timedelta64(1, "h"),
        "open": open_,
        "high": np.maximum(open_, close) * 1.0001,
        "low": np.minimum(open_, close) / 1.0001,
        "close": close,
        "volume": np.full(n, 1.0),
    }


def changed(**columns: Any) -> dict[str, Any]:
    return {**series(), **columns}


def with_nan() -> Any:
    close = series()["close"].copy()
    close[5] = np.nan
    return close


@pytest.mark.parametrize(
    ("bars", "says"),
    [
        (changed(close=with_nan()), "line 7, column `close`: `NaN` is not a finite number"),
        (changed(close=series()["close"][:-1]), "`close` has 1999 values, the first column has 2000"),
        (changed(close=series()["close"].astype(complex)), "dtype complex128"),
        (changed(close=series()["close"] > 0), "dtype bool"),
        (changed(close=series()["close"].reshape(-1, 2)), r"shape \[1000, 2\]"),
        (changed(close=[object()] * 2000), "dtype object, with a object"),
        (changed(low=series()["high"] * 2), "column `high`: high `.*` is below the bar's low"),
        (changed(timestamp=np.array(["NaT"] * 2000, "datetime64[ms]")), "missing time"),
        ({"open": [1.0], "close": [1.0]}, "names no column for"),
        ({}, "bars in memory"),
        (np.zeros((10, 5)), r"shape \[10, 5\] does not hold bars"),
        (np.zeros((10, 6), dtype="U3"), "dtype <U3"),
        (np.zeros(7), r"shape \[7\] does not hold bars"),
        (7, "cannot be read from a `int`"),
        ("nowhere.csv", "cannot read `nowhere.csv`"),
        ({name: values[:100] for name, values in series().items()}, "100 bars are too few"),
    ],
)
def test_invalid_bars_are_refused_with_the_reason(folder: Path, bars: Any, says: str) -> None:
    with pytest.raises(herdbook.InvalidInputError, match=says):
        herdbook.train("1H", bars, symbol="X", progress=False)
    assert not (folder / "mlflow.db").exists(), "nothing half-written"


def test_valid_bars_are_accepted(folder: Path) -> None:
    trained = herdbook.train("1H", series(), symbol="X", timesteps=2048, progress=False)
    assert trained.windows["symbol"] == "X"


def test_bars_in_memory_need_a_symbol_to_be_trained_on(folder: Path) -> None:
    with pytest.raises(herdbook.InvalidInputError, match="give `symbol`"):
        herdbook.train("1H", series(), progress=False)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: herdbook.train("2H"),  # type: ignore[arg-type]
         r"timeframe"),
        (lambda: herdbook.train("1H", timesteps=0), "cannot train for 0 timesteps"),
        (lambda: herdbook.train("1H", timesteps=-1), "timesteps"),
        (lambda: herdbook.train("1H", cost_bps=-1), "basis points"),
        (lambda: herdbook.train("1H", seeds=1), "seeds"),
        (lambda: herdbook.train("1H", seeds=2, walk_forward=2), "walk_forward"),
        (lambda: herdbook.train("1H", test_from="yesterday"), "yesterday"),
        (lambda: herdbook.train("1H", symbol="SPY"), "give the bars of SPY with `data`"),
        (lambda: herdbook.train("1H", hyperparameters={"gamma": 2}), "gamma"),
        (lambda: herdbook.train("1H", model="a/b"), "'/'"),
    ],
)
def test_invalid_arguments_are_refused_by_their_python_names(folder: Path, call: Any, says: str) -> None:
    with pytest.raises(herdbook.InvalidInputError, match=says) as error:
        call()
    assert "--" not in str(error.value), "flags are the command line's, not Python's"
    assert "Usage" not in str(error.value)


def test_missing_store_is_reported_and_not_created(folder: Path) -> None:
    with pytest.raises(herdbook.NotFoundError, match="there is no store"):
        herdbook.status()
    with pytest.raises(herdbook.NotFoundError):
        herdbook.enhance("1H", "best", BARS, progress=False)
    assert not (folder / "mlflow.db").exists()


HIDDEN = ["gymnasium", "stable_baselines3", "numpy", "pandas"]


@pytest.mark.parametrize(
    ("code", "package"),
    [
        ("herdbook.TradingEnv", "gymnasium"),
        ("herdbook.TradingVecEnv", "stable-baselines3"),
        ("import herdbook.sb3", "stable-baselines3"),
        ("import herdbook.envs", "gymnasium"),
        ("herdbook.train('1H', {'open': [1.0]}, symbol='X')", "numpy"),
        ("herdbook.train('1H', timesteps=2048, progress=False).to_pandas()", "pandas"),
    ],
)
def test_missing_package_is_named_with_the_command_that_installs_it(
    folder: Path, code: str, package: str
) -> None:
    hide = f"import sys\nfor name in {HIDDEN}: sys.modules[name] = None\n"
    program = f"{hide}import herdbook\ntry:\n    {code}\nexcept ImportError as e: print(type(e).__name__, e)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingPackageError"), done.stdout
    assert f"needs the package `{package}`" in done.stdout and f"pip install {package}" in done.stdout
