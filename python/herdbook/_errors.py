"""Exceptions: one class for each thing a caller can do about a failure.

When MLflow is loaded, every exception raised here is an ``MlflowException`` too, so that handlers written for MLflow
catch it; MLflow is never loaded for that.
"""

from __future__ import annotations

import sys
from typing import Any


class HerdbookError(Exception):
    """Why nothing was done.

    Attributes:
        code: what a program can act upon, as the command line's ``--json`` spells it.
        message: what happened.
        hint: what helps, or ``None``.
    """

    code: str
    message: str
    hint: str | None

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class NotFoundError(HerdbookError, LookupError):
    """There is no such store, model, version or run."""


class RefusedError(HerdbookError):
    """The rules stand against it; nothing was written."""


class ForbiddenTransitionError(RefusedError):
    """A version may not go to that stage from the one it is in; the text names those it may go to."""


class ConflictError(RefusedError):
    """What is on record is not what the act took for granted."""


class ContaminatedError(RefusedError):
    """The test window holds bars that the model or an ancestor was trained or validated on."""


class GateFailedError(RefusedError):
    """A condition that the team set on promotion (``herdbook.toml``) is not met."""


class TooOldError(RefusedError):
    """The newest bar, or the model, is older than allowed."""


class CancelledError(HerdbookError):
    """A training was cancelled; its run is KILLED."""


class InvalidInputError(HerdbookError, ValueError):
    """An argument, a file or bars that cannot be used."""


class StoreError(HerdbookError):
    """The records could not be read or written."""


class StoreBusyError(StoreError):
    """Another process holds the store; trying again helps."""


class StoreSchemaError(StoreError):
    """The store is no database that can be used."""


class InternalError(HerdbookError):
    """A defect of herdbook."""


class MissingPackageError(HerdbookError, ImportError):
    """A package that is only needed for this is not installed."""


_CLASSES: dict[str, type[HerdbookError]] = {
    "not_found": NotFoundError,
    "forbidden_transition": ForbiddenTransitionError,
    "conflict": ConflictError,
    "contaminated": ContaminatedError,
    "gate_failed": GateFailedError,
    "too_old": TooOldError,
    "cancelled": CancelledError,
    "invalid_input": InvalidInputError,
    "store_busy": StoreBusyError,
    "store_schema": StoreSchemaError,
    "store_failed": StoreError,
    "internal": InternalError,
    "missing_package": MissingPackageError,
}

# MLflow's names for the same, so that `error.error_code` says something to its users.
_MLFLOW_CODES = {
    "not_found": "RESOURCE_DOES_NOT_EXIST",
    "forbidden_transition": "INVALID_STATE",
    "conflict": "RESOURCE_CONFLICT",
    "contaminated": "INVALID_STATE",
    "gate_failed": "INVALID_STATE",
    "too_old": "INVALID_STATE",
    "cancelled": "CANCELLED",
    "invalid_input": "INVALID_PARAMETER_VALUE",
    "store_busy": "TEMPORARILY_UNAVAILABLE",
}


def exception(code: str, message: str, hint: str | None = None) -> HerdbookError:
    """The exception of a failure, made to be raised."""
    cls = _CLASSES.get(code, HerdbookError)
    mlflow = sys.modules.get("mlflow.exceptions")
    base: Any = getattr(mlflow, "MlflowException", None)
    text = f"{message}\nhint: {hint}" if hint else message
    if base is None:
        made: Any = cls(text)
    else:
        made = _with_mlflow(cls, base)(text)
        if name := _MLFLOW_CODES.get(code):
            made.error_code = name
    made.code, made.message, made.hint = code, message, hint
    return made  # type: ignore[no-any-return]


_MADE: dict[tuple[str, int], type[Exception]] = {}


def _with_mlflow(cls: type[HerdbookError], base: type[Exception]) -> type[Exception]:
    key = (cls.__name__, id(base))
    if key in _MADE:
        return _MADE[key]

    def reduce(self: Any) -> tuple[Any, ...]:
        # Unpickled where MLflow may not be loaded, it is made anew.
        return exception, (self.code, self.message, self.hint)

    made = type(cls.__name__, (cls, base), {"__module__": cls.__module__, "__reduce__": reduce})
    _MADE[key] = made
    return made


def missing(package: str, what: str, extra: str) -> HerdbookError:
    """What is raised where an optional package is asked for and not there."""
    return exception(
        "missing_package",
        f"{what} needs the package `{package}`, which is not installed",
        f"`pip install {package}`, or `pip install 'herdbook[{extra}]'`",
    )
