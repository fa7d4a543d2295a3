"""Exceptions: one class for each kind of failure that a caller may handle.

If MLflow is loaded, every exception raised here is also an ``MlflowException``, so that handlers written for MLflow
catch it. MLflow is never loaded for this.
"""

from __future__ import annotations

import sys
from typing import Any


class HerdbookError(Exception):
    """Base class of all exceptions of herdbook.

    Attributes:
        code: kind of the failure, spelled as in ``--json``.
        message: what went wrong.
        hint: what to do about it, or ``None``.
    """

    code: str
    message: str
    hint: str | None

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class NotFoundError(HerdbookError, LookupError):
    """The store, model, version, run or checkpoint does not exist, or no model or new bar matches."""


class RefusedError(HerdbookError):
    """The rules forbid the act. Nothing was written."""


class ForbiddenTransitionError(RefusedError):
    """The version may not move from its stage to the given one. The message names the allowed stages."""


class ConflictError(RefusedError):
    """The records are not as the act expected, for example because another process changed them first."""


class ContaminatedError(RefusedError):
    """The test window holds bars that the model or an ancestor was trained or validated on."""


class GateFailedError(RefusedError):
    """An enforced condition on promotion (``herdbook.toml``) is not met."""


class TooOldError(RefusedError):
    """The model or the newest bar is older than allowed."""


class CancelledError(HerdbookError):
    """A training was cancelled. Its run is KILLED."""


class InvalidInputError(HerdbookError, ValueError):
    """An argument, a file or bars are invalid."""


class StoreError(HerdbookError):
    """The records could not be read or written."""


class StoreBusyError(StoreError):
    """Another process has locked the store, or all its connections are in use. Try again later."""


class StoreSchemaError(StoreError):
    """The database is not MLflow's, or its schema is not supported."""


class InternalError(HerdbookError):
    """A bug in herdbook."""


class MissingPackageError(HerdbookError, ImportError):
    """An optional package that this call needs is not installed."""


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

# MLflow's codes for the same failures, for `error.error_code`.
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
    """Creates the exception for a failure."""
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
        # Unpickling creates the exception again, because MLflow may not be loaded in that process.
        return exception, (self.code, self.message, self.hint)

    made = type(cls.__name__, (cls, base), {"__module__": cls.__module__, "__reduce__": reduce})
    _MADE[key] = made
    return made


def missing(package: str, what: str, extra: str) -> HerdbookError:
    """Creates the exception for a missing optional package."""
    return exception(
        "missing_package",
        f"{what} needs the package `{package}`, which is not installed",
        f"`pip install {package}`, or `pip install 'herdbook[{extra}]'`",
    )
