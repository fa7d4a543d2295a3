"""Shows the progress of a training: with a callback, tqdm's bar, or not at all."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, Union

from ._results import Progress

#: A function called after each iteration; ``True`` shows a bar if tqdm is installed, ``False`` shows nothing.
ProgressLike = Union[bool, Callable[[Progress], object]]

_log = logging.getLogger("herdbook")
_QUIET = ("store", "new store", "bars:")


class HerdbookWarning(UserWarning):
    """A note for people, such as a fallback to a base model, or values that are not comparable."""


def note(text: str) -> None:
    """Reports a note: those about store and bars go to the log, all others are warnings."""
    if text.startswith(_QUIET):
        _log.info("%s", text)
    else:
        warnings.warn(text, HerdbookWarning, stacklevel=_levels_to_the_caller())


def _levels_to_the_caller() -> int:
    """Number of frames between a warning and the first caller outside this package."""
    package = os.path.dirname(__file__)
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and os.path.dirname(frame.f_code.co_filename) == package:
        level, frame = level + 1, frame.f_back
    return level


class Listener:
    """Receives notes and progress of a command, and shows them."""

    def __init__(self, progress: ProgressLike) -> None:
        self._callback = progress if callable(progress) else None
        self._bar: Any = None
        self._wants_bar = progress is True

    def hear(self, message: tuple[Any, ...]) -> None:
        """Receives a note or progress."""
        kind, *values = message
        if kind == "note":
            note(*values)
        else:
            self._hear_progress(*values)

    def _hear_progress(
        self,
        trained: int,
        target: int,
        steps_per_second: float,
        mean_episode_reward: float | None,
        validation_reward: float | None,
    ) -> None:
        if self._callback is not None:
            self._callback(
                Progress(trained, target, steps_per_second, mean_episode_reward, validation_reward)
            )
        elif self._wants_bar:
            self._show(trained, target, mean_episode_reward, validation_reward)

    def _show(
        self, trained: int, target: int, reward: float | None, validation: float | None
    ) -> None:
        if self._bar is None:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                self._wants_bar = False
                return
            self._bar = tqdm(total=target, unit="steps", unit_scale=True, leave=False)
        rewards = {"reward": reward, "validation": validation}
        shown = {name: f"{value:+.2f}" for name, value in rewards.items() if value is not None}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.total = max(target, trained)
        self._bar.update(trained - self._bar.n)

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.close()
