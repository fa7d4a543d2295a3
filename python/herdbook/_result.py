"""Base classes of all results of :mod:`herdbook`: typed data, shown as tables, convertible to pandas."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar, overload

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


class Answer(NamedTuple):
    """The data of a command, and the text that it prints for people."""

    value: Any
    text: str | None


@dataclass(frozen=True, repr=False)
class Result:
    """One result. ``str()`` and ``repr()`` are the text that the command prints; of a part of a result, one line."""

    raw: Mapping[str, Any]

    #: The text of the command; ``None`` for a part of a result.
    _text: ClassVar[str | None] = None
    _times: ClassVar[frozenset[str]] = frozenset(
        {"created_at", "updated_at", "at", "since", "position_since", "started_at", "ended_at"}
    )

    @classmethod
    def _of(cls, answer: Answer | Mapping[str, Any], **more: Any) -> Self:
        raw: Mapping[str, Any] = answer.value if isinstance(answer, Answer) else answer
        known = {one.name for one in fields(cls)} - {"raw"}
        values = {
            name: _moment(raw[name]) if name in cls._times else raw[name]
            for name in known & raw.keys()
        }
        made = cls(raw=raw, **{**values, **more})
        if isinstance(answer, Answer):
            object.__setattr__(made, "_text", answer.text)
        return made

    def __repr__(self) -> str:
        if self._text:
            return self._text
        names = [one.name for one in fields(self) if one.name in self.raw]
        return _line(type(self).__name__, {name: self.raw[name] for name in names})

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


#: Greatest length of the line that shows a part of a result, and of a value in it.
_LINE, _VALUE = 160, 40


def _line(name: str, values: Mapping[str, Any]) -> str:
    """One line of the values that are neither missing nor nested, as many as fit."""
    shown = f"{name}("
    for key, value in values.items():
        if value is None or isinstance(value, (Mapping, list, tuple)):
            continue
        short = repr(value)
        short = short if len(short) <= _VALUE else f"{short[:_VALUE]}…"
        part = f"{'' if shown.endswith('(') else ', '}{key}={short}"
        if len(shown) + len(part) > _LINE:
            return f"{shown}, …)"
        shown += part
    return f"{shown})"


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
#: Number of results that a list without a text of its own shows.
_SHOWN = 20


class Results(Sequence[T], Generic[T]):
    """Several results, in the order that their function documents."""

    _title: ClassVar[str] = ""

    def __init__(self, items: Sequence[T], text: str | None = None) -> None:
        self._items = tuple(items)
        self._text = text

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
        if self._text is not None:
            return self._text
        lines = [repr(item).partition("\n")[0] for item in self._items[:_SHOWN]]
        if len(self) > _SHOWN:
            lines.append(f"… and {len(self) - _SHOWN} more")
        return "\n".join([f"{type(self).__name__} of {len(self)}", *lines])

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
