"""The documented differences between `herdbook serve` and stock MLflow, each with its reason."""

from dataclasses import dataclass
from typing import Callable

from worlds import SQL_TEXT


@dataclass
class Documented:
    """Differences that are intended. `covers` gets a difference."""

    reason: str
    covers: Callable


DOCUMENTED = [
    Documented(
        "MLflow shows the statement that failed; the message here says what is wrong",
        lambda d: d.stock.message == SQL_TEXT and d.ours.status == d.stock.status,
    ),
    Documented(
        "MLflow breaks down (500, which clients repeat for minutes); a request that cannot succeed gets a 4xx",
        lambda d: d.stock.status == 500 and 400 <= d.ours.status < 500,
    ),
]


def reason_of(difference):
    """The reason of a documented difference, or None."""
    for documented in DOCUMENTED:
        if documented.covers(difference):
            return documented.reason
    return None
