"""Unusual values for each type of parameter."""

import copy

NAN = float("nan")
INFINITY = float("inf")

TEXTS = [
    *("", " ", "a" * 250, "a" * 251, "a" * 256, "a" * 501, "../up", "a//b", "/a", "a/", "a/b", ".", "..", "./a", "a:b"),
    *("é漢字", "😀", "a\nb", "a\tb", "a\u0000b", "a'b\"c`", "'; DROP TABLE runs; --", "%s%n{}${x}", "NaN", "null"),
    *("latest", "v1", "V12", "a.b", "a%b", "a%2e%2e", "12", "-1", "01", "1.0", " 1", "<<run>>", "<b>&", "\\a", "C:\\a", "~"),
]
LONG_TEXTS = ["a" * 5001, "a" * 6001, "a" * 8001, "a" * 20001, "a" * 100001]
NOT_TEXTS = [None, 0, 1, -1, 1.5, True, False, [], ["a"], {}, {"a": "b"}, NAN, 10**30]
NUMBERS = [0, 1, -1, 2, 100, 1000, 50000, 50001, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, 2**63, -(2**63), 10**30]
NOT_NUMBERS = [
    *(None, "", "abc", "12", "-3", "+5", "007", "1.0", "1e3", " 5", "0x10", "9223372036854775808", 1.0, 1.5, 1e3),
    *(True, False, [], [1], {}, NAN, INFINITY),
]
FLOATS = [
    *(0, 1, -1, 1.5, -0.0, 1e308, -1e308, 1e-320, 2**63, 10**30, NAN, INFINITY, -INFINITY, "NaN", "Infinity"),
    *("-Infinity", "inf", "nan", "infinity", "1.5", "1e400", "1e3", " 1", "0x10", "", "abc", None, True, False, [], {}),
    *(1e400, 5e-324, 0.1, 123456789.123456789, 1e16, 1e15, 1e22),
]
BOOLS = [None, True, False, "true", "false", "TRUE", "yes", "", 0, 1, 2, 1.0, [], {}]
ENUMS = {
    "view": ["ACTIVE_ONLY", "DELETED_ONLY", "ALL", "active_only"],
    "status": ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED", "running", "UNFINISHED"],
    "model_status": [
        *("LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED", "LOGGED_MODEL_STATUS_UNSPECIFIED"),
        "READY",
    ],
}
NOT_ENUMS = ["", None, 0, 1, 2, 3, 4, 5, 6, -1, 1.0, 1.5, "1", "9", True, [], {}, "X"]
# Names of parameters whose values may be long.
LONG = {"value", "description", "name", "key", "filter", "artifact_location", "source", "model_json", "schema"}


def unusual(kind, name=""):
    """Unusual values for a parameter of the kind, with a few usual ones among them."""
    if isinstance(kind, list):
        yield from unusual_lists(kind[0])
    elif isinstance(kind, dict):
        yield from (None, [], "x", 1, {})
        yield from unusual_messages(kind)
    elif kind == "str":
        # As a token, the id of a run would be decoded and shown as bytes, which differ.
        yield from (text for text in TEXTS if name != "page_token" or text != "<<run>>")
        yield from NOT_TEXTS
        if name in LONG:
            yield from LONG_TEXTS
    elif kind in ("i64", "i32"):
        yield from NUMBERS
        yield from NOT_NUMBERS
    elif kind == "f64":
        yield from FLOATS
    elif kind == "bool":
        yield from BOOLS
    else:
        yield from ENUMS[kind]
        yield from NOT_ENUMS


def usual(kind):
    """A usual value."""
    if isinstance(kind, list):
        return [usual(kind[0])]
    if isinstance(kind, dict):
        return {name: usual(inner) for name, inner in kind.items()}
    return {"str": "x", "i64": 1, "i32": 1, "f64": 1.5, "bool": True}.get(kind) or ENUMS[kind][0]


def unusual_lists(kind):
    yield from (None, {}, {"a": 1}, "x", "", 1, True, [], [None], [[]], [1], ["x"], [{}], [usual(kind), None])
    # Twice the same, and many.
    yield [usual(kind), usual(kind)]
    if isinstance(kind, dict):
        for number in (100, 101):
            items = [usual(kind) for _ in range(number)]
            for idx, item in enumerate(items):
                item.update({name: f"{name}{idx}" for name in item if name in ("key", "name")})
            yield items
        for message in unusual_messages(kind):
            yield [message]
    else:
        for value in unusual(kind):
            yield [value]


def unusual_messages(fields):
    whole = usual(fields)
    yield whole
    yield {**whole, "unknown": {"a": [1]}}
    for name, kind in fields.items():
        yield {key: value for key, value in whole.items() if key != name}
        for value in unusual(kind, name):
            changed = copy.deepcopy(whole)
            changed[name] = value
            yield changed


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
