"""The documented differences between `herdbook serve` and stock MLflow, each with its reason."""

from dataclasses import dataclass
from typing import Callable
from urllib.parse import unquote

from worlds import SQL_TEXT


@dataclass
class Documented:
    """Differences that are intended. `covers` gets a difference."""

    reason: str
    covers: Callable


def shows_sql(answer):
    return SQL_TEXT in answer.message


def is_probe(difference, path):
    return difference.request.path == path and difference.stock.status == difference.ours.status


def has_line_break(difference):
    """The path of the request, or one of its parameters, has a line break or a tab."""
    request = difference.request
    text = f"{request.path} {request.query} {request.content}".lower()
    return any(mark in text for mark in ("\\n", "\\r", "\\t", "%0a", "%0d", "%09"))


def not_utf8(path):
    try:
        unquote(path, errors="strict")
    except UnicodeDecodeError:
        return True
    return False


def is_of_artifacts(request):
    return "artifact" in request.path


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
    Documented(
        "MLflow breaks down on the name of a folder that is too long; here it is a folder that does not exist",
        lambda d: d.stock.status == 500 and d.ours.status == 200 and is_of_artifacts(d.request)
        and d.request.method == "GET" and "files" not in d.ours.body,
    ),
    Documented(
        "HEAD is answered as GET; MLflow looks for its parameters in a body, or has no such path",
        lambda d: d.request.method == "HEAD",
    ),
    Documented(
        "OPTIONS is not offered: there are no requests from other origins to negotiate",
        lambda d: d.request.method == "OPTIONS" and d.stock.status in (200, 204, 308, 405) and d.ours.status in (404, 405),
    ),
    Documented(
        "paths are taken as they are; MLflow merges slashes, or redirects to the merged path",
        lambda d: "//" in d.request.path and d.ours.status in (400, 404),
    ),
    Documented(
        "line breaks and tabs in the path of an artifact are refused; MLflow removes them, so that another file is meant",
        lambda d: is_of_artifacts(d.request) and has_line_break(d) and d.ours.status in (400, 404),
    ),
    Documented(
        "a `#` begins no part of a path that HTTP knows; MLflow's server passes it on, and refuses the path",
        lambda d: "#" in d.request.path,
    ),
    Documented(
        "the refusal names the file, not a temporary folder of the server",
        lambda d: "reserved" in d.stock.message and d.ours.code == d.stock.code and "reserved" in d.ours.message,
    ),
    Documented(
        "a path that is not UTF-8 is refused",
        lambda d: d.request.method == "DELETE" and not_utf8(d.request.path) and d.ours.status == 400,
    ),
    Documented(
        "the root of all artifacts cannot be deleted: another refusal",
        lambda d: d.request.method == "DELETE" and d.request.path.endswith("/artifacts/") and d.ours.status == 405,
    ),
    Documented(
        "of two wrong parameters another one is named",
        lambda d: "/mpu/" in d.request.path and d.ours.status == d.stock.status == 400,
    ),
    Documented(
        "spaces at the beginning of a path belong to it; MLflow removes them",
        lambda d: is_of_artifacts(d.request) and d.request.about == "unusual path" and ("path", " ") in map(tuple, d.request.query),
    ),
    Documented("`/version` is text, not a page", lambda d: is_probe(d, "/version")),
    Documented("there is no AI gateway", lambda d: is_probe(d, "/api/3.0/mlflow/server-info")),
]


def reason_of(difference):
    """The reason of a documented difference, or None."""
    for documented in DOCUMENTED:
        if documented.covers(difference):
            return documented.reason
    return None
