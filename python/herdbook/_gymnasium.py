"""Registers the environments when somebody else imports gymnasium: importing it here would cost what it costs."""

from __future__ import annotations

import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


class _Finder:
    """Finds gymnasium as the others do, and has it followed by the registration."""

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
    """Registers the environments right after gymnasium is imported, should it ever be."""
    sys.meta_path.insert(0, _Finder())
