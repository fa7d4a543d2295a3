"""Functions that train. :mod:`herdbook._functions` documents the arguments that all functions share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ._bars import BarsLike
from ._call import command
from ._errors import exception
from ._progress import ProgressLike
from ._results import Training
from ._types import Enhancement, ModelType, Moment, PathLike, Reference, Timeframe


def train(
    timeframe: Timeframe,
    data: BarsLike | None = None,
    *,
    symbol: str | None = None,
    timesteps: int = 100_000,
    seed: int = 0,
    n_envs: int | None = None,
    threads: int = 1,
    hyperparameters: Mapping[str, Any] | PathLike | None = None,
    model: str = "trading_model",
    experiment: str = "stock_trading_rl",
    cost_bps: float = 1.0,
    validation_from: Moment | None = None,
    test_from: Moment | None = None,
    allow_contaminated: bool = False,
    seeds: int | None = None,
    walk_forward: int | None = None,
    register: Literal["best", "last"] = "best",
    columns: str | None = None,
    volume_column: str | None = None,
    bar_timezone: str | None = None,
    member: str | None = None,
    time_format: str | None = None,
    bars_stamped: Literal["open", "close"] | None = None,
    decimal: Literal[".", ","] | None = None,
    skip_bad_rows: bool = False,
    allow_jump: bool = False,
    progress: ProgressLike = True,
    tracking_uri: str | None = None,
    actor: str | None = None,
    lock_timeout: int | None = None,
) -> Training:
    """Trains a base model and registers it in development.

    Other Python threads keep running. Ctrl-C ends the training at its next iteration: the run is KILLED, nothing is
    registered, and :class:`KeyboardInterrupt` is raised. :func:`resume` continues such a run.

    Args:
        data: bars of the timeframe or finer (see :data:`BarsLike`). Default: a built-in sample.
        symbol: the instrument. Default: the file's name without its extension. Required for bars in memory.
        timesteps: timesteps to train, rounded up to whole rollouts.
        threads: threads to train on. They change the speed, never the model.
        hyperparameters: a mapping with stable-baselines3's names, or the path of a TOML file.
        cost_bps: costs in basis points of the traded notional, per side.
        validation_from, test_from: start times (UTC) of the windows. Default: after 64% and 80% of the bars.
        seeds: number of seeds to train with; the model that is best on the validation window is registered.
        walk_forward: number of consecutive folds to train on; the model of the last fold is registered.
        register: the policy to register: the best on the validation window, or the last of the training.
        columns, volume_column, bar_timezone, member, time_format, bars_stamped, decimal: how to read a file that
            leaves this open, as the flags of the same names; ``member`` is the file in a zip archive.
        skip_bad_rows: leave out rows without valid prices.
        allow_jump: use bars whose price jumps like that of a share that was split, and record the jumps.
        progress: a function called with :class:`Progress` after each iteration, or whether to show tqdm's bar.

    Raises:
        InvalidInputError: bars or arguments are invalid. The message says which and where.
        KeyboardInterrupt: Ctrl-C.
    """
    arguments = dict(locals())
    return _train(enhance=None, **arguments)


def enhance(
    timeframe: Timeframe,
    parent: Reference = "best",
    data: BarsLike | None = None,
    *,
    enhance_type: Enhancement = "continued",
    enhance_model_type: ModelType = "base",
    enhance_metric: str = "evaluation/best_mean_reward",
    symbol: str | None = None,
    timesteps: int = 100_000,
    seed: int = 0,
    n_envs: int | None = None,
    threads: int = 1,
    hyperparameters: Mapping[str, Any] | PathLike | None = None,
    model: str = "trading_model",
    experiment: str = "stock_trading_rl",
    cost_bps: float = 1.0,
    validation_from: Moment | None = None,
    test_from: Moment | None = None,
    allow_contaminated: bool = False,
    seeds: int | None = None,
    walk_forward: int | None = None,
    register: Literal["best", "last"] = "best",
    columns: str | None = None,
    volume_column: str | None = None,
    bar_timezone: str | None = None,
    member: str | None = None,
    time_format: str | None = None,
    bars_stamped: Literal["open", "close"] | None = None,
    decimal: Literal[".", ","] | None = None,
    skip_bad_rows: bool = False,
    allow_jump: bool = False,
    progress: ProgressLike = True,
    tracking_uri: str | None = None,
    actor: str | None = None,
    lock_timeout: int | None = None,
) -> Training:
    """Enhances an existing model. The child is registered and its parent becomes ``old`` in one act.

    Args:
        parent: ``"latest"``, ``"best"``, ``"champion"``, a run id or a version number.
        enhance_type: the type of enhancement.
        enhance_model_type: the model type that ``latest`` and ``best`` search. If there is no such model, a base model
            is taken, with a :class:`HerdbookWarning`.
        enhance_metric: the metric by which ``best`` chooses.

    The other arguments are those of :func:`train`.

    Raises:
        NotFoundError: there is no such parent.
        ContaminatedError: the test window holds bars that an ancestor has seen.
    """
    arguments = dict(locals())
    return _train(enhance=arguments.pop("parent"), **arguments)


def resume(
    run_id: str,
    data: BarsLike | None = None,
    *,
    threads: int = 1,
    progress: ProgressLike = True,
    tracking_uri: str | None = None,
    actor: str | None = None,
    lock_timeout: int | None = None,
) -> Training:
    """Resumes a training that crashed or was cancelled, and gives the model that it would have given.

    Args:
        data: the same bars. Default: the file that the training used.

    Raises:
        ConflictError: the run is finished, or its process is alive.
        NotFoundError: the run has no checkpoint.
    """
    return Training._of(
        command(
            "train",
            resume=run_id,
            data=data,
            threads=threads,
            progress=progress,
            tracking_uri=tracking_uri,
            actor=actor,
            lock_timeout=lock_timeout,
        )
    )


def _train(*, hyperparameters: Mapping[str, Any] | PathLike | None, **options: Any) -> Training:
    _name_bars(options)
    if not isinstance(hyperparameters, Mapping):
        return Training._of(command("train", config=hyperparameters, **options))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hyperparameters"
        file.write_text(_toml(hyperparameters), encoding="utf-8")
        return Training._of(command("train", config=file, **options))


def _name_bars(options: Mapping[str, Any]) -> None:
    data = options.get("data")
    if data is None or isinstance(data, (str, os.PathLike)) or options.get("symbol"):
        return
    raise exception(
        "invalid_input",
        "bars in memory have no symbol",
        "give `symbol`, such as \"EURUSD\"",
    )


def _toml(hyperparameters: Mapping[str, Any]) -> str:
    return "".join(
        f"{key} = {_toml_value(value)}\n"
        for key, value in hyperparameters.items()
        if value is not None
    )


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {_toml_value(one)}" for key, one in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml_value(one) for one in value)}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
