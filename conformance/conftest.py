"""Fixtures of the suite: stores to work on, seeded random numbers, MLflow without telemetry."""

import os
import random
import tempfile

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# What herdbook remembers of the stores of a run of tests ends with it.
_state = tempfile.TemporaryDirectory(prefix="herdbook-state-")
os.environ["XDG_STATE_HOME"] = _state.name
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"

import pytest

from herd import BINARY, Herd

if "HERDBOOK_TEST_POSTGRES" in os.environ:
    from postgres_herd import PostgresHerd

SEED = int(os.environ.get("HERDBOOK_TEST_SEED", random.SystemRandom().randrange(10**9)))


def pytest_configure():
    if not BINARY.is_file():
        raise pytest.UsageError("HERDBOOK_BIN must name a herdbook, such as target/release/herdbook")


def pytest_report_header():
    return f"testing {BINARY}\nseed: {SEED} (HERDBOOK_TEST_SEED={SEED} repeats it)"


@pytest.fixture
def rng(request):
    """Random numbers that depend only on the seed and the name of the test."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def herd(tmp_path):
    """A herd in an empty folder, or in an empty database if the environment names a PostgreSQL server."""
    server = os.environ.get("HERDBOOK_TEST_POSTGRES")
    if server is None:
        yield Herd(tmp_path)
    else:
        with PostgresHerd(tmp_path, server) as herd:
            yield herd


@pytest.fixture(scope="session")
def lived(tmp_path_factory):
    """A herd with a history, for reading only: version 1 is the base and a former champion, version 2 its child
    and the champion, version 3 the child of version 2, in beta."""
    herd = Herd(tmp_path_factory.mktemp("lived"))
    herd.train()
    herd.train("--enhance", "best", "--enhance-type", "continued")
    herd.train("--enhance", "best", "--enhance-model-type", "continued", "--enhance-type", "replay")
    herd.crown(1, "the first one")
    herd.crown(2, "better than the first")
    herd.promote(3, "beta", "promising")
    return herd
