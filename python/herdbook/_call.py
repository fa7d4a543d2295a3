"""Calls commands: turns Python's arguments into those of the command line."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timezone
from typing import Any

from . import _bars, _progress, _worker
from ._result import Answer


def tracking_uri(given: str | None) -> str | None:
    """The given tracking URI, else the one set in a loaded MLflow, else ``None`` for herdbook's default."""
    if given is not None:
        return given
    mlflow = sys.modules.get("mlflow")
    tracking = getattr(mlflow, "tracking", None)
    if tracking is not None and tracking.is_tracking_uri_set():
        return str(tracking.get_tracking_uri())
    return None


def command(
    name: str,
    *positional: object,
    data: _bars.BarsLike | None = None,
    progress: _progress.ProgressLike = False,
    curves: bool = False,
    **options: Any,
) -> Answer:
    """Runs a command and returns its data and its text."""
    path, bars = _bars.given(data)
    args = [name]
    # `--flag=value`, and `--` before positional arguments, so that no value is taken for a flag.
    if path is not None:
        args.append(f"--data={path}")
    options["tracking_uri"] = tracking_uri(options.get("tracking_uri"))
    for option, value in options.items():
        flag = "--" + option.rstrip("_").replace("_", "-")
        if value is True:
            args.append(flag)
        elif value is not None and value is not False:
            args.append(f"{flag}={_text(value)}")
    named = [_text(value) for value in positional if value is not None]
    if named:
        args += ["--", *named]
    listener = _progress.Listener(progress)
    try:
        value, text = _worker.call(
            args, bars=None if bars is None else bars.csv, listen=listener.hear, curves=curves
        )
        return Answer(value, text)
    finally:
        listener.close()


def _text(value: object) -> str:
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    return str(value)
