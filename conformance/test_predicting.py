"""`predict --position` and `predict --watch`: the account that a model observes, and files that another program writes."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from herd import Herd, promotion

MINUTE = 60


class Feed:
    """A file of one-minute bars that is written like those of a data feed. All bars have ended, except when asked."""

    def __init__(self, path: Path, n_bars: int) -> None:
        self.path = path
        self.random = random.Random(5)
        self.price = 100.0
        #: Opens of the bars, in epoch seconds.
        first = (int(time.time()) // MINUTE - n_bars - 30) * MINUTE
        self.next_open = first
        self.lines = ["time,open,high,low,close,volume\n"]
        for _ in range(n_bars):
            self.lines.append(self.bar())
        self.replace()

    def bar(self) -> str:
        opened, at = self.price, self.next_open
        self.price *= 1 + self.random.gauss(0, 0.001)
        high, low = max(opened, self.price), min(opened, self.price)
        self.next_open += MINUTE
        return f"{at},{opened:.6f},{high:.6f},{low:.6f},{self.price:.6f},{self.random.randint(1, 99)}\n"

    def append(self, n_bars: int = 1) -> None:
        new = [self.bar() for _ in range(n_bars)]
        self.lines += new
        with self.path.open("a") as file:
            file.writelines(new)

    def append_raw(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    def replace(self, written: int | None = None) -> None:
        """Replaces the file by renaming another one, which was written at a given time."""
        other = self.path.with_suffix(".new")
        other.write_text("".join(self.lines))
        if written is not None:
            os.utime(other, (written, written))
        other.rename(self.path)

    def last(self) -> str:
        return iso(self.next_open - MINUTE)


def iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Watcher:
    """A running `predict --watch`."""

    def __init__(self, herd: Herd, *args: object) -> None:
        self.out = herd.folder / "watch.out"
        self.err = herd.folder / "watch.err"
        self.process = herd.start("predict", *args, stdout=self.out.open("w"), stderr=self.err.open("w"))

    def lines(self, n: int, seconds: float = 30.0) -> list[dict]:
        """Waits for `n` lines, and checks that there are not more."""
        end = time.monotonic() + seconds
        while len(found := self.out.read_text().splitlines()) < n:
            assert self.process.poll() is None, self.err.read_text()
            assert time.monotonic() < end, f"{found}\n{self.err.read_text()}"
            time.sleep(0.05)
        assert len(found) == n, found
        return [json.loads(line) for line in found]

    def stays_at(self, n: int) -> None:
        time.sleep(2.5)
        self.lines(n)

    def warned(self, part: str) -> None:
        end = time.monotonic() + 30
        while part not in self.err.read_text():
            assert time.monotonic() < end and self.process.poll() is None, self.err.read_text()
            time.sleep(0.05)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


@pytest.fixture
def feed(herd: Herd) -> Feed:
    made = Feed(herd.folder / "WAVE.csv", 1_200)
    herd.ask("train", "-t", "1M", "--timesteps", 2048, "--data", made.path)
    return made


WATCH = ("latest", "-t", "1M", "--watch", "WAVE.csv")


def test_each_bar_that_closes_gives_one_line(herd: Herd, feed: Feed) -> None:
    watcher = Watcher(herd, *WATCH, "--position", "long")
    (first,) = watcher.lines(1)
    assert first["bar"]["start"] == feed.last() and first["from_position"] == "long"
    feed.append()
    feed.append(3)
    lines = watcher.lines(5)
    assert [line["bar"]["start"] for line in lines][-1] == feed.last()
    assert len({line["bar"]["start"] for line in lines}) == 5
    for before, after in zip(lines, lines[1:], strict=False):
        assert after["from_position"] == before["action"]
    # The account is the one that a single prediction reaches from the entry.
    last = lines[-1]
    position = ["--position", last["from_position"]]
    if last["position_since"]:
        position += ["--position-since", last["position_since"]]
    once = herd.ask("predict", "latest", "-t", "1M", "--data", "WAVE.csv", *position)
    assert once["action"] == last["action"]
    assert once["observation"] == pytest.approx(last["observation"], abs=1e-5)
    assert watcher.end(signal.SIGTERM) == 0


def test_half_lines_and_open_bars_wait(herd: Herd, feed: Feed) -> None:
    watcher = Watcher(herd, *WATCH)
    watcher.lines(1)
    whole = feed.bar()
    feed.append_raw(whole[: len(whole) // 2])
    watcher.stays_at(1)
    feed.append_raw(whole[len(whole) // 2 :])
    feed.lines.append(whole)
    assert watcher.lines(2)[-1]["bar"]["start"] == feed.last()
    # A bar of this minute has not ended.
    feed.next_open = int(time.time()) // MINUTE * MINUTE
    if time.time() % MINUTE < MINUTE - 10:
        feed.append()
        watcher.stays_at(2)
    assert watcher.end(signal.SIGINT) == 0


def test_bar_written_before_its_end_waits_for_the_next_write(herd: Herd, feed: Feed) -> None:
    watcher = Watcher(herd, *WATCH)
    watcher.lines(1)
    feed.lines.append(feed.bar())
    feed.replace(written=feed.next_open - MINUTE // 2)
    watcher.stays_at(1)
    feed.replace()
    assert watcher.lines(2)[1]["bar"]["start"] == feed.last()
    # A file that says to be older than all its bars, as from an archive, tells nothing by its time.
    feed.lines.append(feed.bar())
    feed.replace(written=1_000_000)
    watcher.lines(3)
    assert watcher.end(signal.SIGTERM) == 0


def test_replaced_truncated_and_missing_files_are_followed(herd: Herd, feed: Feed) -> None:
    watcher = Watcher(herd, "--quiet", *WATCH)
    watcher.lines(1)
    feed.lines.append(feed.bar())
    feed.replace()
    watcher.lines(2)
    # Truncated in place and filled again, with a new bar.
    feed.lines.append(feed.bar())
    with feed.path.open("w") as file:
        file.writelines(feed.lines[:300])
        file.flush()
        time.sleep(0.5)
        file.writelines(feed.lines[300:])
    assert watcher.lines(3)[-1]["bar"]["start"] == feed.last()
    feed.path.unlink()
    watcher.warned("No such file")
    feed.append_raw("no bars at all\n")
    time.sleep(1)
    feed.lines.append(feed.bar())
    feed.replace()
    assert watcher.lines(4)[-1]["bar"]["start"] == feed.last()
    watcher.warned("can be read again")
    # An action is never repeated or taken back.
    feed.lines[-1] = feed.lines[-1].replace(",", ",1", 1).replace(",1", ",", 1)
    feed.replace()
    watcher.stays_at(4)
    assert watcher.end(signal.SIGTERM) == 0


def test_waiting_needs_no_processor(herd: Herd, feed: Feed) -> None:
    watcher = Watcher(herd, *WATCH)
    watcher.lines(1)
    time.sleep(1.5)
    stat = Path(f"/proc/{watcher.process.pid}/stat")
    ticks = lambda: sum(int(value) for value in stat.read_text().rsplit(")", 1)[1].split()[11:13])  # noqa: E731
    before = ticks()
    time.sleep(4)
    used = (ticks() - before) / os.sysconf("SC_CLK_TCK")
    assert used < 0.2, f"{used} s of processor time in 4 s"
    assert watcher.end(signal.SIGINT) == 0


def crown(herd: Herd, version: int) -> None:
    for stage in ("beta", "champion"):
        herd.ask(*promotion(version, stage, timeframe="1M"))


def test_champion_is_followed(herd: Herd, feed: Feed) -> None:
    assert herd.refused("predict", "-t", "1M", "--watch", "WAVE.csv")["code"] == "not_found"
    crown(herd, 1)
    watcher = Watcher(herd, "-t", "1M", "--watch", "WAVE.csv")
    assert watcher.lines(1)[0]["version"] == 1
    herd.ask("train", "-t", "1M", "--timesteps", 2048, "--seed", 3, "--data", feed.path)
    crown(herd, 2)
    feed.append()
    assert watcher.lines(2)[1]["version"] == 2
    assert watcher.end(signal.SIGTERM) == 0


def test_files_that_cannot_be_watched_are_refused(herd: Herd, feed: Feed) -> None:
    for name, part in [("missing.csv", "No such file"), (".", "regular file"), ("/dev/zero", "regular file")]:
        answer = herd.run("predict", "latest", "-t", "1M", "--watch", name)
        assert answer.status == 2 and part in answer.stderr and "--watch" in answer.stderr
    os.mkfifo(herd.folder / "pipe")
    assert herd.run("predict", "latest", "-t", "1M", "--watch", "pipe").status == 2
    (herd.folder / "bad.csv").write_text("a,b\n1,2\n" * 200)
    assert herd.run("predict", "latest", "-t", "1M", "--watch", "bad.csv").status == 2
    both = herd.run("predict", "latest", "-t", "1M", "--watch", "WAVE.csv", "--data", "WAVE.csv")
    assert both.status == 2
