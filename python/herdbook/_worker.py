"""Accesses the records from a separate process.

The wheel contains its own SQLite, and MLflow in this process uses Python's. Two copies of SQLite in one process do not
see each other's locks, because locks belong to the process, and when one copy closes the file, the locks of the other
are lost. A database written by both gets damaged (https://www.sqlite.org/howtocorrupt.html, 2.2.1). Two processes see
each other's locks.

A worker ends with this process, however this process ends. A training that it is running is then KILLED.
"""

from __future__ import annotations

import atexit
import functools
import os
import pickle
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from . import _native
from ._errors import HerdbookError, exception

# Built-in exceptions that the native module raises for arguments of a wrong type.
_BUILTIN = {error.__name__: error for error in (TypeError, ValueError, OverflowError, OSError)}

Message = tuple[Any, ...]


class Worker:
    """A process that handles one request at a time."""

    def __init__(self) -> None:
        start = f"import sys; sys.path[:] = {sys.path!r}; from herdbook._worker import serve; serve()"
        self._process = subprocess.Popen(
            # Without `site`: the worker uses the path of this process.
            [sys.executable, "-S", "-E", "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C on the terminal interrupts only this process, which passes it on.
            start_new_session=True,
        )
        self._answers: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self.pid = os.getpid()
        threading.Thread(
            target=_receive, args=(self._process.stdout, self._answers), daemon=True
        ).start()
        finalizer = weakref.finalize(self, _end, self._process)
        # Exit handlers may still need the worker. Its pipe closes with this process.
        finalizer.atexit = False
        self.close = finalizer

    def ask(self, request: Message, listen: Callable[[Message], None] | None = None) -> Any:
        """Sends a request and returns its result. An exception while waiting, such as Ctrl-C, interrupts the worker."""
        with self._lock:
            self._send(request)
            raised: BaseException | None = None
            # The native module cannot be interrupted while it waits for a host. Nothing has begun then.
            is_waiting = request[0] == "open"
            while raised is None or not is_waiting:
                try:
                    answer = self._answers.get()
                    if answer[0] not in ("note", "progress"):
                        break
                    is_waiting = answer[0] == "note" and answer[1].startswith("waiting for ")
                    if listen is not None and raised is None:
                        listen(answer)
                except BaseException as error:  # noqa: BLE001 - raised again after the work has ended
                    raised = raised or error
                    self._process.send_signal(signal.SIGINT)
            else:
                self._process.kill()
        if raised is not None:
            raise raised
        return _result(answer)

    def _send(self, request: Message) -> None:
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            raise _lost()
        try:
            pickle.dump(request, stdin)
            stdin.flush()
        except (BrokenPipeError, OSError) as error:
            raise _lost() from error


def _receive(stream: Any, answers: queue.SimpleQueue[Message]) -> None:
    try:
        while True:
            answers.put(pickle.load(stream))
    except (EOFError, OSError, ValueError, pickle.UnpicklingError):
        answers.put(("lost",))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        try:
            process.stdin.close()
        except OSError:
            pass
    process.wait()


def _lost() -> HerdbookError:
    return exception(
        "store_failed",
        "the worker process for the records has ended",
        "try again; if it ran out of memory, give it more",
    )


def _result(answer: Message) -> Any:
    kind, *rest = answer
    if kind == "done":
        return rest[0]
    if kind == "failed":
        raise exception(*rest)
    if kind == "interrupted":
        raise KeyboardInterrupt
    if kind == "raised":
        name, text = rest
        raise _BUILTIN[name](text) if name in _BUILTIN else exception("internal", text)
    raise _lost()


# Records


class _Remote:
    """A store opened in its own worker. Its methods are those of ``Records`` in the native module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._opened = (os.getcwd(), args, kwargs)
        self._worker: Worker | None = None
        self._connect()

    def _connect(self) -> Worker:
        worker = Worker()
        try:
            worker.ask(("open", _environment(), *self._opened))
        except BaseException:
            worker.close()
            raise
        self._worker = worker
        return worker

    def close(self) -> None:
        """Closes the store."""
        if self._worker is not None and self._worker.pid == os.getpid():
            self._worker.close()
        self._worker = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "uri":
            return self._act(name)
        return lambda *args, **kwargs: self._act(name, *args, **kwargs)

    def _act(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        worker = self._worker
        if worker is None:
            raise exception(
                "invalid_input",
                "the records are closed",
                "open them again with a new `MLflowManager`",
            )
        if worker.pid != os.getpid():
            # This process was forked, and the pipe belongs to its parent.
            worker = self._connect()
        return worker.ask(("act", name, args, kwargs))


def records(
    tracking_uri: str | None = None, *, actor: str | None = None, create: bool = True
) -> _native.Records:
    """Opens the store of a tracking URI, else that of the working directory."""
    return cast("_native.Records", _Remote(tracking_uri, actor=actor, create=create))


# Commands

_idle: list[Worker] = []


def call(
    args: list[str],
    *,
    bars: bytes | None,
    listen: Callable[[Message], None],
    curves: bool,
) -> tuple[Any, str | None]:
    """Runs a command and returns its data and its text. ``listen`` receives notes and progress."""
    worker = None
    while _idle and worker is None:
        candidate = _idle.pop()
        worker = candidate if candidate.pid == os.getpid() else None
    worker = worker or Worker()
    try:
        answer = worker.ask(("call", _environment(), os.getcwd(), args, bars, curves), listen)
    except HerdbookError as error:
        if error.code != "store_failed":
            _idle.append(worker)
        raise
    except BaseException:
        worker.close()
        raise
    _idle.append(worker)
    return cast("tuple[Any, str | None]", answer)


@atexit.register
def _end_idle() -> None:
    while _idle:
        worker = _idle.pop()
        if worker.pid == os.getpid():
            worker.close()


def _environment() -> dict[str, str]:
    """The environment for a request; it may have changed since the worker started."""
    return dict(os.environ)


# In the worker


class _Served:
    """Handles requests inside the worker."""

    def __init__(self) -> None:
        # Prints of other code go to stderr; stdout carries the answers.
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._requests: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._is_busy = False
        self._records: _native.Records | None = None
        signal.signal(signal.SIGINT, self._interrupt)
        threading.Thread(target=self._listen, daemon=True).start()

    def _interrupt(self, *_: Any) -> None:
        if self._is_busy:
            raise KeyboardInterrupt

    def _listen(self) -> None:
        try:
            while True:
                self._requests.put(pickle.load(sys.stdin.buffer))
        except (EOFError, OSError, pickle.UnpicklingError):
            # The other process has ended: stop the work.
            self._requests.put(None)
            os.kill(os.getpid(), signal.SIGINT)

    def run(self) -> None:
        while (request := self._requests.get()) is not None:
            try:
                self._is_busy = True
                answer: Message = ("done", self._answer(request))
            except KeyboardInterrupt:
                answer = ("interrupted",)
            except HerdbookError as error:
                answer = ("failed", error.code, error.message, error.hint)
            except Exception as error:  # noqa: BLE001 - sent as the answer
                answer = ("raised", type(error).__name__, str(error))
            finally:
                self._is_busy = False
            if not self._send(answer):
                return

    def _send(self, answer: Message) -> bool:
        try:
            pickle.dump(answer, self._out)
            self._out.flush()
        except OSError:
            return False
        return True

    def _answer(self, request: Message) -> Any:
        kind, *rest = request
        if kind == "act":
            name, args, kwargs = rest
            attribute = getattr(self._records, name)
            return attribute(*args, **kwargs) if callable(attribute) else attribute
        environment, folder, *rest = rest
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        if kind == "open":
            args, kwargs = rest
            self._records = _native.Records(*args, **kwargs)
            return None
        args, csv, curves = rest
        return _native.call(
            args,
            bars=csv,
            note=lambda text: self._send(("note", text)),
            progress=lambda *values: self._send(("progress", *values)),
            curves=curves,
        )


def serve() -> None:
    """Handles requests until the other process closes the pipe."""
    _Served().run()


@functools.cache
def downloads() -> Path:
    """A folder for downloads from servers, removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="herdbook-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
