"""Base classes of all results of :mod:`herdbook`: typed data, shown as tables, convertible to pandas."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from . import _html
from ._errors import missing

if TYPE_CHECKING:
    from typing_extensions import Self

    import pandas as pd


def pandas() -> Any:
    """The package pandas."""
    try:
        import pandas as package
    except ImportError as error:
        raise missing("pandas", "`to_pandas`", "pandas") from error
    return package


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value


@dataclass(frozen=True)
class Result:
    """One result."""

    raw: Mapping[str, Any] = field(repr=False)

    _times: ClassVar[frozenset[str]] = frozenset(
        {"created_at", "updated_at", "at", "since", "started_at", "ended_at"}
    )

    @classmethod
    def _of(cls, raw: Mapping[str, Any], **more: Any) -> Self:
        known = {one.name for one in fields(cls)} - {"raw"}
        values = {
            name: _moment(raw[name]) if name in cls._times else raw[name]
            for name in known & raw.keys()
        }
        return cls(raw=raw, **{**values, **more})

    def to_dict(self) -> dict[str, Any]:
        """A copy of the data, as ``--json`` prints it."""
        return copy.deepcopy(dict(self.raw))

    def _rows(self) -> list[dict[str, Any]]:
        return [flat(self.raw)]

    def to_pandas(self) -> pd.DataFrame:
        """The data as a frame. Nested values become columns with dotted names.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        return pandas().DataFrame(self._rows())

    def _repr_html_(self) -> str:
        return _html.facts(type(self).__name__, flat(self.raw))


def flat(raw: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested values, with dotted names."""
    found: dict[str, Any] = {}
    for key, value in raw.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[prefix + key] = value
    return found


T = TypeVar("T", bound=Result)


class Results(Sequence[T], Generic[T]):
    """Several results, in the order that their function documents."""

    _title: ClassVar[str] = ""

    def __init__(self, items: Sequence[T]) -> None:
        self._items = tuple(items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._items == other._items

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._items)!r})"

    def to_dict(self) -> list[dict[str, Any]]:
        """A copy of the data, as ``--json`` prints it."""
        return [item.to_dict() for item in self._items]

    def _columns(self) -> list[tuple[str, str]]:
        return []

    def to_pandas(self) -> pd.DataFrame:
        """A frame with one row per result. Nested values become columns with dotted names.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        return pandas().DataFrame([flat(item.raw) for item in self._items])

    def _repr_html_(self) -> str:
        return _html.table(self._title, self._columns(), [flat(item.raw) for item in self._items])
