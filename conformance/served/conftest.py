"""The pair of servers that a session compares, and the report of differences."""

import json
import os
from pathlib import Path

import pytest

from differences import reason_of
from servers import AGAINST, Server
from worlds import Pair, World

# Filled when the pair is made, for the summary at the end.
_pairs = []


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    kinds = ("stock", AGAINST)
    pair = [Server(kind, tmp_path_factory.mktemp(f"server{idx}")).start() for idx, kind in enumerate(kinds)]
    try:
        yield [server.wait() for server in pair]
    finally:
        for server in pair:
            server.stop()


@pytest.fixture(scope="session")
def session_pair(servers):
    names = ("stock", "ours")
    pair = Pair(*(World(name, server.url, server.folder) for name, server in zip(names, servers)))
    _pairs.append(pair)
    yield pair
    for world in pair.both:
        world.close()


@pytest.fixture
def pair(session_pair):
    """The pair of servers. At the end of a test no difference may be left that is not documented."""
    first = len(session_pair.differences)
    yield session_pair
    found = [d for d in session_pair.differences[first:] if reason_of(d) is None]
    if found:
        shown = "\n".join(str(difference) for difference in found[:40])
        more = f"\n… and {len(found) - 40} more" if len(found) > 40 else ""
        pytest.fail(f"{len(found)} differences from stock MLflow:\n{shown}{more}", pytrace=False)


def pytest_terminal_summary(terminalreporter):
    for pair in _pairs:
        asked = sum(pair.asked.values())
        terminalreporter.section(f"stock MLflow and {AGAINST}: {asked} requests to {len(pair.asked)} paths")
        by_reason = {}
        for difference in pair.differences:
            by_reason.setdefault(reason_of(difference) or "UNDOCUMENTED", []).append(difference)
        for reason, found in sorted(by_reason.items()):
            terminalreporter.write_line(f"{len(found):6} {reason}")
        if report := os.environ.get("HERDBOOK_SERVED_REPORT"):
            shown = {reason: [str(difference) for difference in found] for reason, found in by_reason.items()}
            Path(report).write_text(json.dumps(shown, indent=1, ensure_ascii=False))
