"""Registers the environments when the program imports gymnasium. Importing it here would slow every import down."""

from __future__ import annotations

import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


class _Finder:
    """Finds gymnasium like the other finders, and runs the registration after its import."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "gymnasium":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        loader: Any = spec.loader if spec is not None else None
        if loader is None or not hasattr(loader, "exec_module"):
            return spec
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            from . import envs  # noqa: F401

        loader.exec_module = exec_module
        return spec


def register_when_imported() -> None:
    """Registers the environments as soon as gymnasium is imported."""
    sys.meta_path.insert(0, _Finder())
