"""The trainer's environment for Gymnasium."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from . import _bars, _native
from ._errors import missing

try:
    import gymnasium
    import numpy as np
    import numpy.typing as npt
    from gymnasium import spaces
except ImportError as error:
    raise missing("gymnasium", "`TradingEnv`", "env") from error

from . import envs as envs  # Registers the id along with the class.

Window = Literal["train", "validation", "test", "all"]

N_INPUTS = 35
N_ACTIONS = 3


def read_arena(
    data: _bars.BarsLike | None,
    timeframe: str,
    *,
    symbol: str | None,
    cost_bps: float,
    episode_bars: int | None,
    validation_from: str | datetime | None,
    test_from: str | datetime | None,
    columns: str | None,
    volume_column: str | None,
    bar_timezone: str | None,
    member: str | None,
    time_format: str | None,
    bars_stamped: Literal["open", "close"] | None,
    decimal: Literal[".", ","] | None,
    skip_bad_rows: bool,
    allow_jump: bool,
) -> _native.Arena:
    """Reads bars once, with windows and costs, for all environments that are created from them."""
    path, bars = _bars.given(data)
    return _native.Arena(
        timeframe,
        path=None if bars is not None else path,
        bars=bars,
        symbol=symbol or (_bars.UNNAMED if bars is not None else None),
        reading={
            "columns": columns,
            "volume_column": volume_column,
            "bar_timezone": bar_timezone,
            "member": member,
            "time_format": time_format,
            "bars_stamped": bars_stamped,
            "decimal": decimal,
            "skip_bad_rows": skip_bad_rows,
            "allow_jump": allow_jump,
        },
        validation_from=_moment(validation_from),
        test_from=_moment(test_from),
        cost_bps=cost_bps,
        episode_bars=episode_bars,
    )


def _moment(at: str | datetime | None) -> str | None:
    return at.isoformat() if isinstance(at, datetime) else at


def observation_space(arena: _native.Arena) -> Any:
    """Features of the last closed bar, then the position, the unrealised return in percent, and the bars held.

    Its attribute ``herdbook`` describes the environment. stable-baselines3 stores the space in each model file, so that
    ``import-model`` knows the environment of a model that was trained here.
    """
    space: Any = spaces.Box(-np.inf, np.inf, (N_INPUTS,), np.float32)
    space.herdbook = json.dumps(arena.description())
    return space


def action_space() -> Any:
    """The position to hold during the next bar: 0 short, 1 flat, 2 long."""
    return spaces.Discrete(N_ACTIONS)


class TradingEnv(gymnasium.Env[npt.NDArray[np.float32], np.int64]):
    """Trading of one instrument. An action is the position to hold, filled at the next bar's open; a change has costs.

    The dynamics equal those of herdbook's trainer bit for bit. The reward is 100 · ln(equity / previous equity), after
    costs. An episode is truncated at its last bar, and terminated if the account is lost.

    Each observation is a new float32 array of shape ``[35]``, which no later call changes. ``info`` has ``equity`` (an
    episode starts with 10,000) and ``position`` (-1, 0, 1).

    Args:
        data: bars of the timeframe or finer (see :data:`herdbook.BarsLike`). Default: a built-in sample.
        timeframe: length of one bar.
        window: on ``train``, episodes of ``episode_bars`` bars start at random. On ``validation``, ``test`` and
            ``all``, one episode plays the whole window.
        symbol: the instrument. Default: the file's name without its extension.
        cost_bps: costs in basis points of the traded notional, per side.
        episode_bars: length of an episode on ``train``. Default: 512.
        validation_from, test_from: start times (UTC) of the windows. Default: after 64% and 80% of the bars.
        columns, volume_column, bar_timezone, member, time_format, bars_stamped, decimal: how to read a file that
            leaves this open, as the flags of the same names; ``member`` is the file in a zip archive.
        skip_bad_rows: leave out rows without valid prices.

    Raises:
        InvalidInputError: bars or arguments are invalid.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - Gymnasium declares it

    def __init__(
        self,
        data: _bars.BarsLike | None = None,
        timeframe: str = "1H",
        *,
        window: Window = "train",
        symbol: str | None = None,
        cost_bps: float = 1.0,
        episode_bars: int | None = None,
        validation_from: str | datetime | None = None,
        test_from: str | datetime | None = None,
        columns: str | None = None,
        volume_column: str | None = None,
        bar_timezone: str | None = None,
        member: str | None = None,
        time_format: str | None = None,
        bars_stamped: Literal["open", "close"] | None = None,
        decimal: Literal[".", ","] | None = None,
        skip_bad_rows: bool = False,
        allow_jump: bool = False,
        arena: _native.Arena | None = None,
        render_mode: None = None,
    ) -> None:
        self.arena = arena or read_arena(
            data,
            timeframe,
            symbol=symbol,
            cost_bps=cost_bps,
            episode_bars=episode_bars,
            validation_from=validation_from,
            test_from=test_from,
            columns=columns,
            volume_column=volume_column,
            bar_timezone=bar_timezone,
            member=member,
            time_format=time_format,
            bars_stamped=bars_stamped,
            decimal=decimal,
            skip_bad_rows=skip_bad_rows,
            allow_jump=allow_jump,
        )
        self._env = self.arena.env(window)
        self.window = window
        self.render_mode = render_mode
        self.observation_space = observation_space(self.arena)
        self.action_space = action_space()
        self._is_seeded = False

    def on(self, window: Window) -> TradingEnv:
        """Returns an environment on another window of the same bars."""
        return TradingEnv(window=window, arena=self.arena)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Starts an episode. A seed restarts the random generator."""
        super().reset(seed=seed)
        if seed is None and not self._is_seeded:
            seed = int(self.np_random.integers(2**63))
        self._is_seeded = True
        return self._env.reset(seed), self._info()

    def step(
        self, action: Any
    ) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Takes an action: 0 short, 1 flat, 2 long.

        Raises:
            InvalidInputError: the action is not one of these, or no episode is running.
        """
        obs, reward, terminated, truncated = self._env.step(int(action))
        return obs, reward, terminated, truncated, self._info()

    def _info(self) -> dict[str, Any]:
        return {"equity": self._env.equity, "position": self._env.position}


def of(env: Any) -> _native.Arena | None:
    """The arena of an environment, also inside wrappers; ``None`` if it is not herdbook's."""
    seen = 0
    while env is not None and seen < 64:
        found = getattr(env, "arena", None) if not hasattr(env, "venv") else None
        if isinstance(found, _native.Arena):
            return found
        inner = getattr(env, "venv", None) or getattr(env, "env", None)
        if inner is None and (envs_ := getattr(env, "envs", None)):
            inner = envs_[0]
        env, seen = inner, seen + 1
    return None

