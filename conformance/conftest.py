"""Fixtures of the suite: herds to work on, a seed for what is random, MLflow kept from calling home."""

import os
import random

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
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
    """Chance, the same for a test and a seed whichever other tests run."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def herd(tmp_path):
    """An empty folder, or an empty database of the PostgreSQL server that the environment names."""
    server = os.environ.get("HERDBOOK_TEST_POSTGRES")
    if server is None:
        yield Herd(tmp_path)
    else:
        with PostgresHerd(tmp_path, server) as herd:
            yield herd


@pytest.fixture(scope="session")
def lived(tmp_path_factory):
    """A herd with a past, to be read and never written: version 1 is the base and former champion, 2 its child
    and the champion, 3 the child of that and in beta."""
    herd = Herd(tmp_path_factory.mktemp("lived"))
    herd.train()
    herd.train("--enhance", "best", "--enhance-type", "continued")
    herd.train("--enhance", "best", "--enhance-model-type", "continued", "--enhance-type", "replay")
    herd.crown(1, "the first one")
    herd.crown(2, "better than the first")
    herd.promote(3, "beta", "promising")
    return herd
