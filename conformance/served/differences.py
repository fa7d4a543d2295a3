"""The documented differences between `herdbook serve` and stock MLflow, each with its reason."""

from dataclasses import dataclass
from typing import Callable

from worlds import SQL_TEXT


@dataclass
class Documented:
    """Differences that are intended. `covers` gets a difference."""

    reason: str
    covers: Callable


def shows_sql(answer):
    return SQL_TEXT in answer.message


DOCUMENTED = [
    Documented(
        "MLflow shows the statement that failed; the message here says what is wrong",
        lambda d: shows_sql(d.stock) and d.ours.status == d.stock.status and d.ours.code == d.stock.code
        and d.ours.message.startswith(d.stock.message.partition(SQL_TEXT)[0].strip()),
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
