"""Bars from files, frames, tables and arrays.

Bars in memory are passed on as a CSV file, so columns, times and invalid bars are treated as in files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, Protocol, Union

from . import _native
from ._errors import exception, missing

_ARRAY_COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
_INDEX = "timestamp"
#: Instrument of bars in memory if none is given and none is needed.
UNNAMED = "unnamed"


class ArrowStream(Protocol):
    """An object with the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class ArrayLike(Protocol):
    """An object that NumPy can convert to an array."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any: ...


#: A file; a pandas, polars or Arrow table, or a mapping, with columns named as a file's header would be; or an array of
#: shape [n, 6]: open time in epoch milliseconds, open, high, low, close, volume.
BarsLike = Union[str, "os.PathLike[str]", Mapping[str, Any], ArrowStream, ArrayLike]


def given(data: BarsLike | None) -> tuple[str | None, _native.Bars | None]:
    """The path argument of the call, and the bars if they are in memory."""
    if data is None:
        return None, None
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data), None
    columns = [(str(name), _column(str(name), values)) for name, values in _columns(data)]
    return _native.Bars.NAME, _native.Bars(columns)


def _columns(data: Any) -> Iterable[tuple[Any, Any]]:
    if getattr(getattr(data, "dtype", None), "names", None):
        return [(name, data[name]) for name in data.dtype.names]
    if isinstance(data, Mapping):
        return list(data.items())
    if hasattr(data, "column_names") and hasattr(data, "column"):
        return [(name, data.column(name)) for name in data.column_names]
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        return [*_index(data), *((name, data[name]) for name in data.columns)]
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        table = _arrow(data)
        return [(name, table.column(name)) for name in table.column_names]
    if hasattr(data, "__array__"):
        return _of_array(data)
    raise exception(
        "invalid_input",
        f"bars cannot be read from a `{type(data).__name__}`",
        "give a file, a table with named columns (pandas, polars, Arrow, a dict), or an array of shape [n, 6]",
    )


def _index(frame: Any) -> list[tuple[str, Any]]:
    """The index of a pandas frame if it holds times."""
    index = getattr(frame, "index", None)
    kind = getattr(getattr(index, "dtype", None), "kind", "")
    if kind != "M":
        return []
    name = getattr(index, "name", None)
    return [(str(name) if name else _INDEX, index)]


def _arrow(data: Any) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise missing("pyarrow", f"reading bars from a `{type(data).__name__}`", "arrow") from error
    if hasattr(data, "__arrow_c_stream__"):
        return pyarrow.table(data)
    return pyarrow.table(pyarrow.record_batch(data))


def _numpy() -> Any:
    try:
        import numpy
    except ImportError as error:
        raise missing("numpy", "bars in memory", "env") from error
    return numpy


def _of_array(data: Any) -> list[tuple[str, Any]]:
    array = _numpy().asarray(data)
    if array.ndim != 2 or array.shape[1] != len(_ARRAY_COLUMNS):
        raise exception(
            "invalid_input",
            f"an array of shape {list(array.shape)} does not hold bars",
            "give shape [n, 6]: open time in epoch milliseconds, open, high, low, close, volume",
        )
    if array.dtype.kind not in "iuf":
        raise _wrong_type("array", array.dtype)
    times = array[:, 0]
    if array.dtype.kind == "f":
        # Whole milliseconds are exact in a double. Any other number stays as it is, and the reader refuses it.
        whole = times[_numpy().isfinite(times)]
        if len(whole) == len(times) and (whole == _numpy().round(whole)).all():
            times = times.astype("int64")
    return list(zip(_ARRAY_COLUMNS, [times, *(array[:, idx] for idx in range(1, 6))]))


def _column(name: str, values: Any) -> Any:
    numpy = _numpy()
    if getattr(getattr(values, "dtype", None), "tz", None) is not None:
        # pandas converts an index and a series differently.
        values = values.dt if hasattr(values, "dt") else values
        values = values.tz_convert("UTC")
        values = (values.dt if hasattr(values, "dt") else values).tz_localize(None)
    array = numpy.asarray(values)
    if array.ndim != 1:
        raise exception(
            "invalid_input",
            f"the column `{name}` has the shape {list(array.shape)}",
            "give one value per bar",
        )
    kind = array.dtype.kind
    if kind == "M":
        if numpy.isnat(array).any():
            raise exception("invalid_input", f"the column `{name}` has a missing time", "remove the row")
        return array.astype("datetime64[ms]").astype("int64")
    if kind in "iu":
        return numpy.ascontiguousarray(array, dtype="int64")
    if kind == "f":
        return numpy.ascontiguousarray(array, dtype="float64")
    if kind in "OU":
        return [_text(name, value) for value in array.tolist()]
    raise _wrong_type(f"column `{name}`", array.dtype)


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return str(round(moment.timestamp() * 1000))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    raise _wrong_type(f"column `{name}`", f"object, with a {type(value).__name__}")


def _wrong_type(what: str, dtype: Any) -> Exception:
    return exception(
        "invalid_input",
        f"the {what} has the dtype {dtype}, which is not a number, time or text",
        "convert it first, for example with `.astype(float)`",
    )
