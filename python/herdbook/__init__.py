"""herdbook: a register of stock-trading models whose records are MLflow's own.

Submodules are loaded on first use: ``import herdbook`` takes a few milliseconds and imports neither MLflow nor NumPy.
"""

from __future__ import annotations

import sys as _sys

# Type checkers treat this as true. Importing `typing` would take most of the time of this import.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._bars import BarsLike as BarsLike
    from ._env import TradingEnv as TradingEnv
    from ._errors import (
        CancelledError as CancelledError,
        ConflictError as ConflictError,
        ContaminatedError as ContaminatedError,
        ForbiddenTransitionError as ForbiddenTransitionError,
        GateFailedError as GateFailedError,
        HerdbookError as HerdbookError,
        InternalError as InternalError,
        InvalidInputError as InvalidInputError,
        MissingPackageError as MissingPackageError,
        NotFoundError as NotFoundError,
        RefusedError as RefusedError,
        StoreBusyError as StoreBusyError,
        StoreError as StoreError,
        StoreSchemaError as StoreSchemaError,
        TooOldError as TooOldError,
    )
    from ._functions import (
        backtest as backtest,
        champion as champion,
        compare as compare,
        doctor as doctor,
        evaluate as evaluate,
        find_best as find_best,
        find_latest as find_latest,
        history as history,
        import_model as import_model,
        import_store as import_store,
        lineage as lineage,
        list_models as list_models,
        load_parent as load_parent,
        predict as predict,
        promote as promote,
        register_run as register_run,
        rollback as rollback,
        show as show,
        status as status,
        verify as verify,
    )
    from ._manager import MLflowManager as MLflowManager
    from ._native import __version__ as __version__
    from ._progress import HerdbookWarning as HerdbookWarning
    from ._results import ParentPath as ParentPath, Progress as Progress
    from ._training import enhance as enhance, resume as resume, train as train
    from ._vec_env import TradingVecEnv as TradingVecEnv

_WHERE = {
    "_bars": ["BarsLike"],
    "_env": ["TradingEnv"],
    "_errors": [
        "CancelledError",
        "ConflictError",
        "ContaminatedError",
        "ForbiddenTransitionError",
        "GateFailedError",
        "HerdbookError",
        "InternalError",
        "InvalidInputError",
        "MissingPackageError",
        "NotFoundError",
        "RefusedError",
        "StoreBusyError",
        "StoreError",
        "StoreSchemaError",
        "TooOldError",
    ],
    "_functions": [
        "backtest",
        "champion",
        "compare",
        "doctor",
        "evaluate",
        "find_best",
        "find_latest",
        "history",
        "import_model",
        "import_store",
        "lineage",
        "list_models",
        "load_parent",
        "predict",
        "promote",
        "register_run",
        "rollback",
        "show",
        "status",
        "verify",
    ],
    "_manager": ["MLflowManager"],
    "_native": ["__version__"],
    "_progress": ["HerdbookWarning"],
    "_results": ["ParentPath", "Progress"],
    "_training": ["enhance", "resume", "train"],
    "_vec_env": ["TradingVecEnv"],
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = sorted(_MODULE_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "sb3":
        return import_module(".sb3", __name__)
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF, "sb3"})


def _register_environments() -> None:
    """Makes ``gymnasium.make("herdbook/Trading-v0")`` work, without importing gymnasium."""
    if _sys.modules.get("gymnasium") is not None:
        from . import envs as _envs  # noqa: F401
    else:
        from ._gymnasium import register_when_imported

        register_when_imported()


_register_environments()
