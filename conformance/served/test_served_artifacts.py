"""The artifact proxy and the calls that list and download files."""

import os

import pytest

import records
from worlds import Request

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
API = "/api/2.0/mlflow/"


@pytest.fixture(scope="module")
def stored(session_pair):
    """A run and a model with files."""
    pair = session_pair
    records.experiment(pair, "stored")
    records.run(pair, "stored run", "stored")
    records.logged_model(pair, "stored model", "stored")
    for world in pair.both:
        for path, body in FILES.items():
            for root in (RUN, MODEL):
                status, _, answer = world.ask(Request("PUT", f"{PROXY}/{root}/{path}", body=body))
                assert status == 200, (world.name, path, answer)
        source = {"name": "stored", "source": f"mlflow-artifacts:/{RUN}/d", "run_id": "<<stored run>>"}
        world.json("POST", API + "registered-models/create", {"name": "stored"})
        world.json("POST", API + "model-versions/create", source)
    return pair


RUN = "<<stored>>/<<stored run>>/artifacts"
MODEL = "<<stored>>/models/<<stored model>>/artifacts"
FILES = {
    "a.txt": b"0123456789",
    "d/b.json": b"{}",
    "d/e/c.bin": bytes(range(256)),
    "empty.csv": b"",
    "d/page.html": b"<script>alert(1)</script>",
    "d/picture.png": b"\x89PNG",
    "d/code.py": b"print()",
    "MLmodel": b"flavors: {}",
    "no_suffix": b"x",
    "x.unknown": b"x",
    "log.log": b"x",
    "a.tar.gz": b"x",
    "CAPITAL.TXT": b"x",
    "with space.txt": b"x",
    "plus+sign&and=.txt": b"x",
    "\u00e4\u6f22.txt": b"x",
    "semi;colon,\"quote'.txt": b"x",
    ".hidden": b"x",
    "d/.hidden/f": b"x",
}


def test_download(stored, pair):
    for path in [*FILES, "missing", "d", "d/", "", "/", "a.txt/", "a.txt/x", "d/e/missing"]:
        for method in ("GET", "HEAD"):
            pair.compare(Request(method, f"{PROXY}/{RUN}/{path}"))
        pair.compare(Request("GET", f"/ajax-api/2.0/mlflow-artifacts/artifacts/{RUN}/{path}"))
        pair.compare(Request("GET", "/get-artifact", query={"run_id": "<<stored run>>", "path": path}))
        pair.compare(Request("GET", "/get-artifact", query={"run_uuid": "<<stored run>>", "path": path}))


RANGES = [
    *("bytes=0-3", "bytes=5-", "bytes=-3", "bytes=0-0", "bytes=9-9", "bytes=9-20", "bytes=10-", "bytes=20-30", "bytes=-0"),
    *("bytes=-100", "bytes=3-1", "bytes=a-b", "bytes=", "bytes", "lines=0-3", "bytes=0-1,3-4", "bytes=0-1,20-30", "0-3"),
    *("bytes= 0-3", "BYTES=0-3", "bytes=0-99999999999999999999", "bytes=-", "bytes=1--2"),
]


def test_ranges(stored, pair):
    for asked in RANGES:
        headers = {"Range": asked}
        pair.compare(Request("GET", f"{PROXY}/{RUN}/a.txt", headers=headers))
        query = {"run_id": "<<stored run>>", "path": "a.txt"}
        pair.compare(Request("GET", "/get-artifact", query=query, headers=headers))
    pair.compare(Request("GET", f"{PROXY}/{RUN}/empty.csv", headers={"Range": "bytes=0-3"}))


def test_lists(stored, pair):
    for path in ["", "d", "d/", "d/e", "a.txt", "missing", "/", "..", "d/../d", "d//e", "./d", ".", "%2e%2e", "d%2fe"]:
        whole = f"{RUN}/{path}"
        pair.compare(Request("GET", PROXY, query={"path": whole}))
        pair.compare(Request("GET", API + "artifacts/list", query={"run_id": "<<stored run>>", "path": path}))
        directories = API + "logged-models/<<stored model>>/artifacts/directories"
        pair.compare(Request("GET", directories, query={"artifact_directory_path": path}))
        files = "/ajax-api/2.0/mlflow/logged-models/<<stored model>>/artifacts/files"
        pair.compare(Request("GET", files, query={"artifact_file_path": f"{path}/a.txt"}))
    pair.compare(Request("GET", API + "artifacts/list", query={"run_id": "<<stored run>>"}))
    pair.compare(Request("GET", API + "artifacts/list", query={"run_uuid": "<<stored run>>"}))
    pair.compare(Request("GET", API + "artifacts/list", query={"run_id": "missing"}))
    pair.compare(Request("GET", API + "logged-models/m-missing/artifacts/directories"))


UNSAFE = [
    *("../x", "a/../../x", "%2e%2e/x", "..%2fx", "%252e%252e%252fx", "%25252e%25252e/x", "/etc/passwd", "//etc/passwd"),
    *("%2fetc%2fpasswd", "C:/x", "C:\\x", "c%3a%5cx", "..\\x", "a\\..\\..\\x", "a%00b", "a\x01b", "a#b", "a%23b", "file:///x"),
    *("a?b", "a%3fb", "./a", "a/./b", "a//b", "a/", "~", "~root/x", ".artifact.uploading.x", "r/.artifact.uploading.x"),
    *("a%0ab", "a%0d%0aX-Y: z", "%ff", "%c3%28", "%", "%zz", "a" * 255, "a" * 256, "a/" * 300 + "b", "con", "a:b", "a b "),
    *("...", "..a", "a..", "a/...", "%2525252525252525252525252e./x", "d", "a.txt/x"),
]


@pytest.mark.parametrize("path", UNSAFE, ids=range(len(UNSAFE)))
def test_unsafe_paths(stored, pair, path):
    proxied = f"{PROXY}/{path}"
    pair.compare(Request("PUT", proxied, body=b"x"))
    pair.compare(Request("GET", proxied))
    pair.compare(Request("DELETE", proxied))
    pair.compare(Request("PUT", f"{PROXY}/{RUN}/u/{path}", body=b"x"))
    pair.compare(Request("GET", f"{PROXY}/{RUN}/u/{path}"))
    pair.compare(Request("GET", PROXY, query={"path": path}))
    pair.compare(Request("GET", "/get-artifact", query={"run_id": "<<stored run>>", "path": path}))
    pair.compare(Request("GET", API + "artifacts/list", query={"run_id": "<<stored run>>", "path": path}))
    pair.compare(Request("GET", "/model-versions/get-artifact", query={"name": "stored", "version": "1", "path": path}))
    upload = "/ajax-api/2.0/mlflow/upload-artifact"
    pair.compare(Request("POST", upload, query={"run_uuid": "<<stored run>>", "path": f"u2/{path}"}, body=b"x"))


def test_upload_replaces_and_delete_removes(stored, pair):
    path = f"{PROXY}/{RUN}/changing/f.txt"
    for body in (b"first", b"", b"second" * 100_000):
        pair.compare(Request("PUT", path, body=body))
        pair.compare(Request("GET", path))
        pair.compare(Request("GET", PROXY, query={"path": f"{RUN}/changing"}))
    pair.compare(Request("PUT", f"{PROXY}/{RUN}/changing", body=b"a file in the place of a directory"))
    pair.compare(Request("PUT", path + "/below a file", body=b"x"))
    for kind in ("text/html", "application/json", "multipart/form-data; boundary=x"):
        pair.compare(Request("PUT", path, body=b"{", headers={"Content-Type": kind}))
    pair.compare(Request("PUT", path))
    pair.compare(Request("POST", path, body=b"x"))
    for deleted in ("changing/f.txt", "changing", "changing", "missing/deep"):
        pair.compare(Request("DELETE", f"{PROXY}/{RUN}/{deleted}"))
        pair.compare(Request("GET", PROXY, query={"path": f"{RUN}/changing"}))
    pair.compare(Request("DELETE", PROXY))
    pair.compare(Request("DELETE", PROXY + "/"))


def test_chunked_upload(stored, pair):
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    path = f"{PROXY}/{RUN}/chunked.txt"
    pair.compare(Request("PUT", path, body=body, headers={"Transfer-Encoding": "chunked"}))
    pair.compare(Request("GET", path))


def test_files_of_a_version(stored, pair):
    path = "/model-versions/get-artifact"
    for query in (
        {"name": "stored", "version": "1", "path": "b.json"}, {"name": "stored", "version": "1", "path": "e"},
        {"name": "stored", "version": "9", "path": "b.json"}, {"name": "none", "version": "1", "path": "b.json"},
        {"name": "stored", "version": "x", "path": "b.json"}, {"name": "stored", "version": "1"},
        {"version": "1", "path": "b.json"}, {"name": "stored", "path": "b.json"}, {"name": "stored", "version": "1",
         "path": "missing"}, {},
    ):  # fmt: skip
        pair.compare(Request("GET", path, query=query))
    pair.compare(Request("GET", "/get-artifact"))
    pair.compare(Request("GET", "/get-artifact", query={"path": "a.txt"}))
    pair.compare(Request("GET", "/get-artifact", query={"run_id": "missing", "path": "a.txt"}))
    pair.compare(Request("GET", "/get-artifact", query={"run_id": "<<stored run>>"}))
    files = "/ajax-api/2.0/mlflow/logged-models/<<stored model>>/artifacts/files"
    for query in ({"artifact_file_path": "a.txt"}, {"artifact_file_path": "d"}, {}, {"artifact_file_path": "none"}):
        pair.compare(Request("GET", files, query=query))
    pair.compare(Request("GET", files.replace("<<stored model>>", "m-none"), query={"artifact_file_path": "a.txt"}))


def test_upload_of_a_browser(stored, pair):
    path = "/ajax-api/2.0/mlflow/upload-artifact"
    run = {"run_uuid": "<<stored run>>"}
    for query in ({**run, "path": "up/a.txt"}, {**run, "path": "b.txt"}, run, {"path": "a"}, {}, {**run, "path": ""},
                  {"run_uuid": "none", "path": "a"}, {**run, "path": "d/"}):  # fmt: skip
        for body in (b"x", b"", None, b"x" * (10 * 1024 * 1024 + 1)):
            pair.compare(Request("POST", path, query=query, body=body))
    pair.compare(Request("GET", API + "artifacts/list", query={"run_id": "<<stored run>>", "path": "up"}))


def test_multipart_and_presigned(stored, pair):
    base = "/api/2.0/mlflow-artifacts/"
    for action in ("create", "complete", "abort"):
        for path in ("x", f"{RUN}/big.bin", "../x", ""):
            for content in ({"path": path, "num_parts": 2}, {}, {"path": path, "upload_id": "u", "parts": []}):
                pair.compare(Request("POST", f"{base}mpu/{action}/{path}", content=content))
    for path in (f"{RUN}/a.txt", "missing", "../x", ""):
        pair.compare(Request("GET", f"{base}presigned/{path}"))
    run = {"run_id": "<<stored run>>", "path": "a.txt"}
    for kind in ("upload", "download"):
        for content in (run, {}, {**run, "run_id": "none"}, {**run, "path": "../x"}, {**run, "expiration": 0}):
            pair.compare(Request("POST", f"{API}artifacts/presigned-{kind}-url", content=content))


def test_probes(pair):
    for path in ("/health", "/version", "/api/3.0/mlflow/server-info", "/api/3.0/mlflow/server-features", "/nothing",
                 "/api/2.0/mlflow", "/api/2.0/mlflow/nothing", "/api/2.0/mlflow/runs/", "/ajax-api/2.0/mlflow/nothing",
                 "/metrics", "/favicon.ico", "//health", "/health/", "/api/2.0//mlflow/runs/get", "/API/2.0/mlflow/runs/get"):  # fmt: skip
        for method in ("GET", "POST", "HEAD", "OPTIONS"):
            pair.compare(Request(method, path))


def test_memory_stays_flat_during_large_transfers(servers, session_pair, tmp_path):
    """A file that is larger than all the memory a server may use goes up and down."""
    megabytes = int(os.environ.get("HERDBOOK_SERVED_MB", "300"))
    server, world = servers[1], session_pair.ours
    if server.kind != "herdbook":
        pytest.skip("the limit is ours")
    import requests

    block = os.urandom(1 << 20)

    def blocks():
        for number in range(megabytes):
            yield number.to_bytes(8, "big") + block[8:]

    url = f"{world.url}{PROXY}/large/file.bin"
    assert requests.put(url, data=blocks(), timeout=600).status_code == 200
    with requests.get(url, stream=True, timeout=600) as answer:
        assert answer.headers["Content-Length"] == str(megabytes << 20)
        for expected, found in zip(blocks(), answer.iter_content(1 << 20), strict=True):
            assert found == expected
    assert requests.delete(url, timeout=60).status_code == 200
    peak_kb = int(next(l for l in open(f"/proc/{server.process.pid}/status") if l.startswith("VmHWM")).split()[1])
    assert peak_kb < 200_000, f"{peak_kb} kB at the highest"
