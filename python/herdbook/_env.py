"""The trading environment for Gymnasium: the trainer's own, one step at a time."""

from __future__ import annotations

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

from . import envs as envs  # Whoever has the class has its id.

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
) -> _native.Arena:
    """Bars with windows and costs, read once for all environments that are made of them."""
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
        },
        validation_from=_moment(validation_from),
        test_from=_moment(test_from),
        cost_bps=cost_bps,
        episode_bars=episode_bars,
    )


def _moment(at: str | datetime | None) -> str | None:
    return at.isoformat() if isinstance(at, datetime) else at


def observation_space() -> Any:
    """Features of the last closed bar, then position, unrealised return in percent, and bars held."""
    return spaces.Box(-np.inf, np.inf, (N_INPUTS,), np.float32)


def action_space() -> Any:
    """The position to hold over the next bar: 0 short, 1 flat, 2 long."""
    return spaces.Discrete(N_ACTIONS)


class TradingEnv(gymnasium.Env[npt.NDArray[np.float32], np.int64]):
    """One instrument, a target position per bar, filled at the next bar's open, costs on each change.

    The same dynamics, to the bit, as herdbook's own trainer. The reward is 100 · ln(equity / previous equity) after
    costs. An episode is truncated at its last bar and terminated by the loss of the account.

    Observations are float32 of shape ``[35]``, each an array of its own that no later call touches. ``info`` has
    ``equity`` (an episode begins with 10,000) and ``position`` (-1, 0, 1).

    Args:
        data: bars of the timeframe or finer (see :data:`herdbook.BarsLike`); a sample when left out.
        timeframe: length of one bar.
        window: on ``train`` episodes of ``episode_bars`` start at random; on ``validation``, ``test`` and ``all`` one
            episode goes from the first bar to the last.
        symbol: the instrument.
        cost_bps: basis points of traded notional per side.
        episode_bars: 512 when left out.
        validation_from, test_from: first moments (UTC) of the windows.
        columns, volume_column, bar_timezone, member: what a file leaves open; ``member`` is the file of a zip archive.

    Raises:
        InvalidInputError: bars or arguments cannot be used.
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
        )
        self._env = self.arena.env(window)
        self.window = window
        self.render_mode = render_mode
        self.observation_space = observation_space()
        self.action_space = action_space()
        self._is_seeded = False

    def on(self, window: Window) -> TradingEnv:
        """An environment on another window of the same bars."""
        return TradingEnv(window=window, arena=self.arena)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Starts an episode; a seed begins the random numbers anew."""
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
            InvalidInputError: it is none of these, or no episode is under way.
        """
        obs, reward, terminated, truncated = self._env.step(int(action))
        return obs, reward, terminated, truncated, self._info()

    def _info(self) -> dict[str, Any]:
        return {"equity": self._env.equity, "position": self._env.position}


def of(env: Any) -> _native.Arena | None:
    """The arena of an environment, whatever is wrapped around it; ``None`` of a foreign one."""
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

