"""Two servers with equal, fresh records: the same request is sent to both, and the answers are compared.

Requests name records by labels such as `<<run>>`. Each server gets its own id in the label's place, and in its
answer the id becomes the label again, so that equal answers are equal texts.
"""

import http.client
import json
import re
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

LABEL = re.compile(r"<<([^<>]+)>>")
HEX_ID = re.compile(r"\b(m-)?[0-9a-f]{32}\b")
SET = re.compile(r"\{('[^{}]*')\}")
# MLflow gives such names to runs and logged models without a name.
RANDOM_NAME = re.compile(r"^[a-z]+-[a-z]+-\d+$")
TIMES = {
    *("creation_time", "last_update_time", "start_time", "end_time", "timestamp"),
    *("creation_timestamp", "last_updated_timestamp", "creation_timestamp_ms", "last_updated_timestamp_ms"),
}
NAMES = {"run_name", "name", "value", "mlflow.runName"}
# Lists without an order of their own: MLflow reads them from the database without ORDER BY.
UNORDERED = {"tags", "params", "metrics", "aliases", "latest_versions"}
HEADERS = ("content-type", "content-disposition", "x-content-type-options", "content-range", "accept-ranges")
# MLflow's answers can hold a statement and its arguments, which differ from one time to the next.
SQL = re.compile(r"(Error: |\(raised as a result of Query-invoked autoflush[^\n]*\)\n)?\((sqlite3|psycopg2)\..*", re.DOTALL)
SQL_TEXT = "<SQL>"
# Folders and ports of this run, and the separators of an answer with several ranges.
OF_THIS_RUN = re.compile(r"/tmp/tmp\w{8}|port=\d+|\b[0-9a-f]{26}\b")
# Requests that take longer are a breakdown, even on a busy machine.
PATIENCE_S = 300


@dataclass
class Request:
    """A request. `query` is a dict or a list of pairs; `body` are bytes, `content` is sent as JSON."""

    method: str
    path: str
    query: object = None
    content: object = None
    body: bytes = None
    headers: dict = field(default_factory=dict)
    # What is unusual about the request.
    about: str = ""

    def __str__(self):
        text = f"{self.method} {self.path}"
        if self.query:
            text += f" ?{shortened(json.dumps(self.query))}"
        if self.content is not None:
            text += f" {shortened(json.dumps(self.content))}"
        if self.body is not None:
            text += f" {shortened(repr(self.body))}"
        if self.headers:
            text += f" {self.headers}"
        return f"{text} ({self.about})" if self.about else text


@dataclass
class Answer:
    """A status, the headers that clients use, and a body in which nothing is left that depends on the server."""

    status: int
    headers: dict
    body: object

    def __str__(self):
        return f"{self.status} {self.headers} {shortened(json.dumps(self.body, ensure_ascii=False), 1500)}"

    @property
    def code(self):
        return self.body.get("error_code") if isinstance(self.body, dict) else None

    @property
    def message(self):
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else ""


@dataclass
class Difference:
    """A request with two different answers."""

    request: Request
    stock: Answer
    ours: Answer

    def __str__(self):
        return f"{self.request}\n    stock: {self.stock}\n    ours:  {self.ours}"


class World:
    """One of the servers."""

    def __init__(self, name, url, folder):
        self.name = name
        self.url = url
        self.folder = str(folder)
        self.host = url.removeprefix("http://")
        self.ids = {}
        self.connection = None
        # A minute of room, because the clocks of two processes are read at different moments.
        self.begun_ms = int(time.time() * 1000) - 60_000

    def learn(self, label, value):
        """The label stands for the value from now on."""
        assert isinstance(value, str) and value, (label, value)
        self.ids[label] = value

    def filled(self, value):
        """The value with ids in the place of labels."""
        if isinstance(value, str):
            return LABEL.sub(lambda found: self.ids.get(found[1], found[0]), value)
        if isinstance(value, dict):
            return {self.filled(key): self.filled(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.filled(item) for item in value]
        return value

    def send(self, request):
        """Sends a request without waiting for its answer."""
        target = quote(self.filled(request.path), safe="/%:@!$&'()*+,;=~#?[]\\")
        query = self.filled(request.query)
        if query:
            pairs = query.items() if isinstance(query, dict) else map(tuple, query)
            target += "?" + (query if isinstance(query, str) else urlencode(list(pairs), doseq=True, errors="replace"))
        body = request.body
        headers = {"Host": self.host, **request.headers}
        if body is not None:
            body = self.filled(body.decode("latin-1")).encode("latin-1")
        elif request.content is not None:
            body = json.dumps(self.filled(request.content)).encode()
            headers.setdefault("Content-Type", "application/json")
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, timeout=PATIENCE_S)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        if body is not None and "Transfer-Encoding" not in headers:
            headers.setdefault("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.connection.putheader(key, value)
        self.connection.endheaders(body)
        if hasattr(socket, "TCP_QUICKACK"):
            # Without it each answer of a server without TCP_NODELAY takes 40 ms.
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def raw_answer(self):
        """The status, headers and bytes of the answer."""
        answer = self.connection.getresponse()
        body = answer.read()
        headers = {key.lower(): value for key, value in answer.getheaders()}
        if answer.will_close:
            self.close()
        return answer.status, headers, body

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def ask(self, request):
        """Sends a request and returns its answer as it came. A connection that the server closed is opened again."""
        for attempt in (1, 2):
            try:
                self.send(request)
                return self.raw_answer()
            except (http.client.HTTPException, OSError):
                self.close()
                if attempt == 2:
                    raise

    def json(self, method, path, content=None, query=None):
        """Sends a request that must succeed and returns its JSON."""
        status, _, body = self.ask(Request(method, path, query=query, content=content))
        assert status == 200, (self.name, method, path, content, status, body)
        return json.loads(body or b"{}")

    def normal(self, status, headers, body):
        """The answer without what depends on the server."""
        kept = {key: self.labelled(headers[key]) for key in HEADERS if key in headers}
        kind = kept.get("content-type", "").partition(";")[0]
        if kind == "application/json" and body:
            text = body.decode()
            try:
                parsed = json.loads(text)
            except ValueError:
                parsed = {"not JSON": self.labelled(text)}
            return Answer(status, kept, self.normal_value(parsed))
        if kind == "text/html" and status >= 400:
            return Answer(status, kept, "<page>")
        try:
            return Answer(status, kept, self.labelled(body.decode()))
        except UnicodeDecodeError:
            return Answer(status, kept, repr(body))

    def labelled(self, text):
        for label, value in self.ids.items():
            if len(value) >= 8:
                text = text.replace(value, f"<<{label}>>")
        # The order of a Python set changes from process to process.
        text = SET.sub(lambda found: "{" + ", ".join(sorted(found[1].split(", "))) + "}", text)
        text = text.replace(self.url, "<server>").replace(self.host, "<server>").replace(self.folder, "<folder>")
        text = OF_THIS_RUN.sub("<of this run>", SQL.sub(SQL_TEXT, text))
        return HEX_ID.sub(lambda found: f"<{found[1] or ''}id>", text)

    def normal_value(self, value, key=""):
        if isinstance(value, dict):
            return {self.labelled(name): self.normal_value(item, name) for name, item in value.items()}
        if isinstance(value, list):
            items = [self.normal_value(item, key) for item in value]
            return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if key in UNORDERED else items
        if isinstance(value, str):
            if key in NAMES and RANDOM_NAME.match(value):
                return "<random name>"
            return self.labelled(value)
        if key in TIMES and isinstance(value, int) and value >= self.begun_ms:
            return "<now>"
        return value


def shortened(text, most=300):
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]} ({len(text)} characters)"


def exact(value):
    """A text that is equal only for equal JSON: 1, 1.0 and true differ, NaN is equal to itself."""
    return json.dumps(value, sort_keys=True)


class Pair:
    """The two servers."""

    def __init__(self, stock, ours):
        self.stock = stock
        self.ours = ours
        self.differences = []
        self.asked = {}

    @property
    def both(self):
        return (self.stock, self.ours)

    def learn(self, label, values):
        for world, value in zip(self.both, values):
            world.learn(label, value)

    def json(self, method, path, content=None, query=None):
        """Sends a request that must succeed to both, and returns both answers."""
        return [world.json(method, path, content, query) for world in self.both]

    def compare(self, request):
        """Sends a request to both and notes a difference. Returns the answer of the stock server."""
        raw = []
        for world in self.both:
            try:
                world.send(request)
            except (http.client.HTTPException, OSError):
                world.close()
        for world in self.both:
            try:
                raw.append(world.raw_answer() if world.connection else world.ask(request))
            except (http.client.HTTPException, OSError):
                world.close()
                raw.append(self.second_try(world, request))
        stock, ours = (world.normal(*answer) for world, answer in zip(self.both, raw))
        place = f"{request.method} {LABEL.sub('{}', request.path)}"
        self.asked[place] = self.asked.get(place, 0) + 1
        if exact([stock.status, stock.headers, stock.body]) != exact([ours.status, ours.headers, ours.body]):
            self.differences.append(Difference(request, stock, ours))
        return stock

    @staticmethod
    def second_try(world, request):
        """A server may close an idle connection at any moment. One that closes a new one is noted as such."""
        try:
            return world.ask(request)
        except (http.client.HTTPException, OSError) as error:
            world.close()
            return 0, {}, type(error).__name__.encode()

    def note(self, request, stock, ours):
        """Notes a difference of anything else than an HTTP answer, if there is one."""
        if exact(stock) != exact(ours):
            self.differences.append(Difference(request, Answer(200, {}, stock), Answer(200, {}, ours)))
