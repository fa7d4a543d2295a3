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
    return SQL_TEXT in str(answer.body)


def names_what_sql_named(difference):
    """Our text begins as MLflow's, before its statement."""
    if isinstance(difference.stock.body, dict):
        begin = difference.stock.message.partition(SQL_TEXT)[0].strip()
        return difference.ours.code == difference.stock.code and difference.ours.message.startswith(begin)
    return str(difference.stock.body).partition(SQL_TEXT)[0][:40] == str(difference.ours.body)[:40]


def error_of(result):
    """Class, code and text of what a call raised, alone or at the end of a description of the call."""
    return result[-1] if isinstance(result[-1], list) else result


def are_refusals(difference):
    """Both refuse with the same code."""
    if isinstance(difference.stock.body, list):
        # What a client's call raised: class, code and text.
        raised = [error_of(answer.body) for answer in (difference.stock, difference.ours)]
        return raised[0][:2] == raised[1][:2] and raised[0][0].endswith("Exception")
    return difference.stock.status == difference.ours.status == 400 and difference.stock.code == difference.ours.code


def has_clause(difference):
    """The request has a filter or an order."""
    text = f"{difference.request.query} {difference.request.content} {difference.stock.body}"
    return any(word in text for word in ("filter", "order_by", "search_"))


def is_search(request):
    return request.path.endswith("/search") or request.path.endswith("get-history")


def without_class(body):
    return {key: value for key, value in body.items() if key not in ("error_class", "sqlstate")}


def has_token(difference):
    return "page_token" in f"{difference.request.query} {difference.request.content}"


def largest_number(difference):
    text = f"{difference.request.query} {difference.request.content}"
    return "1000000000000000000000000000000" in text


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
        lambda d: shows_sql(d.stock) and d.ours.status == d.stock.status and names_what_sql_named(d),
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
        lambda d: ("//" in d.request.path or d.stock.status == 308) and d.ours.status in (400, 404),
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
    Documented(
        "the text about a filter or an order begins as MLflow's, and says what is wrong with which part",
        lambda d: has_clause(d) and are_refusals(d) and "invalid" in str(d.ours.body).lower()
        or has_clause(d) and are_refusals(d) and "xpected" in str(d.ours.body),
    ),
    Documented(
        "a field that does not exist has the class of other wrong parameters; MLflow names it ATTRIBUTE_NOT_FOUND",
        lambda d: "ATTRIBUTE_NOT_FOUND" in str(d.stock.body) and without_class(d.stock.body) == without_class(d.ours.body),
    ),
    Documented(
        "a page token that no server gave out is refused; MLflow leaves out characters that are not base64, and takes "
        "offsets below 0 or in quotes",
        lambda d: has_token(d) and d.ours.status == 400 and is_search(d.request),
    ),
    Documented(
        "a number beyond 64 bits is shown as a float in the text of its refusal",
        lambda d: largest_number(d) and are_refusals(d),
    ),
    Documented(
        "an address of more than 64 KiB is refused as such (414)",
        lambda d: d.ours.status == 414 and len(str(d.request.query)) > 65_000,
    ),
    Documented(
        "MLflow breaks down where an answer is possible",
        lambda d: d.stock.status == 500 and d.ours.status == 200,
    ),
    Documented(
        "NaN is a text in JSON, as everywhere else; MLflow writes it bare in this call, which is no JSON",
        lambda d: d.request.path.endswith("get-history-bulk") and d.stock.status == d.ours.status == 200
        and str(d.stock.body).replace("nan", "'NaN'") == str(d.ours.body)
        or d.request.path.endswith("get-history-bulk") and "nan" in str(d.stock.body),
    ),
    Documented(
        "no logged model is called `search`: PATCH of that path is not allowed",
        lambda d: d.request.method in ("PATCH", "DELETE") and d.request.path.endswith("logged-models/search")
        and d.ours.status == 405,
    ),
    Documented(
        "an order clause may have spaces around it",
        lambda d: d.stock.status == 400 and d.ours.status == 200 and "metrics.m  DESC " in str(d.request.content),
    ),
    Documented(
        "an experiment is shown with its own id; MLflow repeats the spelling of the request (`01`)",
        lambda d: d.request.path.endswith("runs/create") and isinstance(d.request.content, dict)
        and str(d.request.content.get("experiment_id")) in ("01", " 1") and d.stock.status == d.ours.status == 200,
    ),
    Documented(
        "a metric of a logged model that does not exist is refused; MLflow takes it if the value is NaN",
        lambda d: d.request.path.endswith("log-batch") and d.stock.status == 200 and d.ours.status == 400
        and "model_id" in str(d.request.content),
    ),
    Documented(
        "a version number with a fraction is cut, as MLflow's parser of filters does; its server refuses it",
        lambda d: "version_number = 1.5" in str(d.request.query) and d.stock.status == 400 and d.ours.status == 200,
    ),
    Documented(
        "a page of fewer than 0 records is refused",
        lambda d: "max_results" in f"{d.request.query} {d.request.content}" and "-" in f"{d.request.query} {d.request.content}"
        and d.stock.status == 200 and d.ours.status == 400 and "max_results" in d.ours.message,
    ),
    Documented(
        "the text names no environment variable of MLflow's server, which has no effect here",
        lambda d: "MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES" in str(d.stock.body) and are_refusals(d),
    ),
    Documented(
        "a body nested deeper than 127 is refused; MLflow ignores it, or breaks down",
        lambda d: "nested too deeply" in d.ours.message,
    ),
    Documented("`/version` is text, not a page", lambda d: is_probe(d, "/version")),
    Documented(
        "a browser's upload goes below the proxy only; MLflow writes to any folder that a client gave as the location of an experiment",
        lambda d: d.request.path.endswith("/upload-artifact") and "do not pass through this server" in d.ours.message,
    ),
    Documented("`/metrics` has the counters of this server", lambda d: d.request.path == "/metrics"),
    Documented("there is no AI gateway", lambda d: is_probe(d, "/api/3.0/mlflow/server-info")),
]


def reason_of(difference):
    """The reason of a documented difference, or None."""
    for documented in DOCUMENTED:
        if documented.covers(difference):
            return documented.reason
    return None
