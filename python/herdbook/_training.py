"""Training as functions: see :mod:`herdbook._functions` for what all functions share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    hyperparameters: Mapping[str, Any] | PathLike | None = None,
    model: str = "trading_model",
    experiment: str = "stock_trading_rl",
    cost_bps: float = 1.0,
    validation_from: Moment | None = None,
    test_from: Moment | None = None,
    allow_contaminated: bool = False,
    seeds: int | None = None,
    walk_forward: int | None = None,
    columns: str | None = None,
    volume_column: str | None = None,
    bar_timezone: str | None = None,
    member: str | None = None,
    progress: ProgressLike = True,
    tracking_uri: str | None = None,
    actor: str | None = None,
    lock_timeout: int | None = None,
) -> Training:
    """Trains a base model and registers it in development.

    Other threads go on meanwhile. Ctrl-C ends the training at its next iteration: the run is KILLED, nothing is
    registered, and :class:`KeyboardInterrupt` is raised; :func:`resume` goes on where it stopped.

    Args:
        data: bars of the timeframe or finer, oldest first (see :data:`BarsLike`); a sample when left out.
        symbol: the instrument; a file's name without its ending when left out, needed for bars in memory.
        timesteps: rounded up to whole rollouts.
        hyperparameters: by stable-baselines3's names, or a TOML file of them.
        cost_bps: basis points of traded notional per side.
        validation_from, test_from: first moments (UTC) of the windows, after 64 % and 80 % of the bars by default.
        seeds: train with so many seeds and register the best on the validation window.
        walk_forward: train on so many consecutive folds and register the last.
        columns, volume_column, bar_timezone, member: what a file leaves open; ``member`` is the file of a zip archive.
        progress: a function called with :class:`Progress` after each iteration, or whether to show tqdm's bar.

    Raises:
        InvalidInputError: bars or arguments cannot be used; the text says which and where.
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
    hyperparameters: Mapping[str, Any] | PathLike | None = None,
    model: str = "trading_model",
    experiment: str = "stock_trading_rl",
    cost_bps: float = 1.0,
    validation_from: Moment | None = None,
    test_from: Moment | None = None,
    allow_contaminated: bool = False,
    seeds: int | None = None,
    walk_forward: int | None = None,
    columns: str | None = None,
    volume_column: str | None = None,
    bar_timezone: str | None = None,
    member: str | None = None,
    progress: ProgressLike = True,
    tracking_uri: str | None = None,
    actor: str | None = None,
    lock_timeout: int | None = None,
) -> Training:
    """Trains on from an existing model; the child is registered and its parent turns ``old`` in one act.

    Args:
        parent: ``"latest"``, ``"best"``, ``"champion"``, a run id or a version number.
        enhance_type: the way of enhancing.
        enhance_model_type: the type of model that ``latest`` and ``best`` look for. Where there is none of it, a base
            model is taken, with a :class:`HerdbookWarning`.
        enhance_metric: the metric of ``best``.

    All else as in :func:`train`.

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
    progress: ProgressLike = True,
    tracking_uri: str | None = None,
    actor: str | None = None,
    lock_timeout: int | None = None,
) -> Training:
    """Goes on with a training that crashed or was cancelled, to the model that it would have given.

    Args:
        data: the same bars; where the training found them when left out.

    Raises:
        ConflictError: the run is finished, or its process lives.
        NotFoundError: it left nothing to go on from.
    """
    return Training._of(
        command(
            "train",
            resume=run_id,
            data=data,
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
        "bars in memory do not say of which instrument they are",
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
