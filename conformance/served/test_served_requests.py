"""Requests that are generated from the table of endpoints get the same answer from both servers."""

import json

import pytest

import records
from endpoints import GROUPS, every
from values import camel, unusual
from worlds import Request

ENDPOINTS = every()
GROUP_OF = {endpoint.name: group for group, make in GROUPS.items() for endpoint in make()}
_standing = set()


@pytest.fixture
def prepared(pair, request):
    """Makes the standing records of a group once; the base records of an endpoint each time."""
    endpoint = request.param
    group = GROUP_OF[endpoint.name]
    records.standing(pair, group)
    return Tried(pair, endpoint)


class Tried:
    """Sends variants of an endpoint's base request."""

    def __init__(self, pair, endpoint):
        self.pair = pair
        self.endpoint = endpoint
        self.is_ready = False

    def send(self, request):
        if not self.is_ready and self.endpoint.prepare:
            getattr(records, self.endpoint.prepare)(self.pair)
        before = len(self.pair.differences)
        stock = self.pair.compare(request)
        # A request that either server carried out may have used up the records.
        has_differed = len(self.pair.differences) > before
        self.is_ready = stock.status != 200 and not has_differed
        return stock

    def with_values(self, values, about=""):
        endpoint = self.endpoint
        if endpoint.in_query:
            pairs = [(name, text) for name, value in values.items() for text in texts(value)]
            return self.send(Request(endpoint.method, endpoint.path, query=pairs, about=about))
        return self.send(Request(endpoint.method, endpoint.path, content=values, about=about))


def texts(value):
    """The values of a parameter in a query string."""
    values = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item) for item in values]


def named(endpoints):
    return pytest.mark.parametrize("prepared", endpoints, indirect=True, ids=lambda endpoint: endpoint.name)


@named(ENDPOINTS)
def test_usual_request_succeeds_alike(prepared):
    stock = prepared.with_values(prepared.endpoint.base)
    assert stock.status == 200, stock


@named(ENDPOINTS)
def test_each_parameter_is_missing_or_has_an_unusual_value(prepared):
    base = prepared.endpoint.base
    for name, kind in prepared.endpoint.fields.items():
        prepared.with_values({key: value for key, value in base.items() if key != name}, f"no {name}")
        for value in unusual(kind, name):
            prepared.with_values({**base, name: value}, f"unusual {name}")


@named(ENDPOINTS)
def test_spelling_of_parameters(prepared):
    base = prepared.endpoint.base
    prepared.with_values({**base, "unknown_field": {"a": 1}}, "unknown field")
    for name in base:
        rest = {key: value for key, value in base.items() if key != name}
        prepared.with_values({**rest, camel(name): base[name]}, f"{name} in camelCase")
        prepared.with_values({**base, camel(name): base[name]}, f"{name} in both spellings")
        prepared.with_values({**rest, name.upper(): base[name]}, f"{name} in capitals")
    prepared.with_values({}, "no parameter")


BODIES = [
    (b"", "empty body"),
    (b"{", "unfinished JSON"),
    (b"[]", "a list"),
    (b"[{}]", "a list with an object"),
    (b"null", "null"),
    (b"1", "a number"),
    (b'"x"', "a text"),
    (b'"{}"', "an object in a text"),
    (b"{}x", "something after the object"),
    (b'{"a": 1, "a": 2}', "a field twice"),
    (b"\xff\xfe{}", "not UTF-8"),
    (b"\xef\xbb\xbf{}", "byte order mark"),
    (b"{'a': 1}", "single quotes"),
    (b'{"a": 1,}', "trailing comma"),
    (b"[" * 2000 + b"]" * 2000, "deep lists"),
    (b'{"a":' * 300 + b"1" + b"}" * 300, "deep objects"),
]
TYPES = [
    *(None, "", "text/plain", "application/json; charset=utf-8", "application/json;charset=latin-1"),
    *("APPLICATION/JSON", "application/jsonx", "application/x-www-form-urlencoded", "multipart/form-data", "x"),
]


@named([endpoint for endpoint in ENDPOINTS if not endpoint.in_query])
def test_unusual_bodies_and_content_types(prepared):
    endpoint = prepared.endpoint
    json_type = {"Content-Type": "application/json"}
    for body, about in BODIES:
        prepared.send(Request(endpoint.method, endpoint.path, body=body, headers=json_type, about=about))
    base = json.dumps(endpoint.base)
    in_text = json.dumps(base).encode()
    prepared.send(Request(endpoint.method, endpoint.path, body=in_text, headers=json_type, about="JSON in a text"))
    for kind in TYPES:
        headers = {} if kind is None else {"Content-Type": kind}
        prepared.send(Request(endpoint.method, endpoint.path, body=base.encode(), headers=headers, about="type"))


@named(ENDPOINTS)
def test_other_ways_to_the_same_call(prepared):
    endpoint = prepared.endpoint
    prepared.send(as_request(endpoint, endpoint.path.replace("/api/", "/ajax-api/"), "for browsers"))
    prepared.send(as_request(endpoint, endpoint.path + "/", "slash at the end"))
    prepared.send(as_request(endpoint, endpoint.path.replace("2.0", "3.0"), "version 3.0"))
    prepared.send(as_request(endpoint, endpoint.path.replace("/mlflow/", "/preview/mlflow/"), "preview"))
    if endpoint.in_query:
        request = Request("GET", endpoint.path, content=endpoint.base, about="GET with a body")
        prepared.send(request)
        pairs = [*endpoint.base.items(), *endpoint.base.items()]
        prepared.send(Request("GET", endpoint.path, query=pairs, about="each parameter twice"))
        prepared.send(Request("HEAD", endpoint.path, query=endpoint.base, about="HEAD"))
    else:
        query = {name: "x" for name in endpoint.base}
        request = Request(endpoint.method, endpoint.path, query=query, content=endpoint.base, about="query too")
        prepared.send(request)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"):
        if method != endpoint.method:
            prepared.send(Request(method, endpoint.path, content=endpoint.base, about="another verb"))


def as_request(endpoint, path, about):
    if endpoint.in_query:
        return Request(endpoint.method, path, query=endpoint.base, about=about)
    return Request(endpoint.method, path, content=endpoint.base, about=about)
