"""Many trading environments for stable-baselines3. A step is one call into Rust, without the GIL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from . import _bars, _native
from ._errors import exception, missing

try:
    import numpy as np
    from stable_baselines3.common.vec_env import VecEnv
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices
except ImportError as error:
    raise missing("stable-baselines3", "`TradingVecEnv`", "sb3") from error

from ._env import TradingEnv, Window, action_space, observation_space, read_arena


class TradingVecEnv(VecEnv):
    """``n_envs`` environments like :class:`herdbook.TradingEnv`, each with its own random generator.

    A training sees the same values, bit for bit, as with a ``DummyVecEnv`` of ``TradingEnv``. Observations are float32
    of shape ``[n_envs, 35]``, rewards float32 and dones bool of shape ``[n_envs]``. Each is a new array, which no later
    call changes.

    Args:
        n_envs: number of environments.

    The other arguments are those of :class:`herdbook.TradingEnv`.
    """

    def __init__(
        self,
        n_envs: int,
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
        self.window = window
        self.render_mode = None
        self._native_envs = self.arena.envs(window, n_envs)
        self._is_seeded = False
        self._actions: Any = None
        super().__init__(n_envs, observation_space(self.arena), action_space())

    def reset(self) -> Any:
        """Starts an episode in every environment."""
        seeds: list[int | None] = list(self._seeds)
        if not self._is_seeded:
            entropy = np.random.SeedSequence().generate_state(self.num_envs, np.uint64)
            fresh = [int(one) for one in entropy]
            seeds = [one if seed is None else seed for seed, one in zip(seeds, fresh)]
        self._is_seeded = True
        obs = self._native_envs.reset(seeds)
        self.reset_infos = [{"equity": 10_000.0, "position": 0} for _ in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return obs

    def step_async(self, actions: Any) -> None:
        """Sets the actions of the next step: integers of shape ``[n_envs]``."""
        actions = np.asarray(actions)
        if actions.dtype.kind not in "iu" or actions.ndim != 1:
            raise exception(
                "invalid_input",
                f"the actions have dtype {actions.dtype} and shape {list(actions.shape)}",
                f"give {self.num_envs} whole numbers: 0 (short), 1 (flat) or 2 (long)",
            )
        self._actions = actions.astype(np.int64, copy=False)

    def step_wait(self) -> Any:
        """Steps every environment. When an episode ends, the next one starts in the same step."""
        obs, rewards, dones, equities, positions, ended = self._native_envs.step(self._actions)
        infos: list[dict[str, Any]] = [
            {"equity": equity, "position": position, "TimeLimit.truncated": False}
            for equity, position in zip(equities, positions)
        ]
        for index, is_cut_off, last_obs in ended:
            infos[index]["TimeLimit.truncated"] = is_cut_off
            infos[index]["terminal_observation"] = last_obs
        return obs, rewards, dones, infos

    def on(self, window: Window, n_envs: int = 1) -> TradingVecEnv:
        """Returns environments on another window of the same bars."""
        return TradingVecEnv(n_envs, window=window, arena=self.arena)

    def close(self) -> None:
        """Does nothing: there is nothing to close."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Returns the attribute once per environment; its value is the same for all."""
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Not supported: the settings are fixed when the environments are created."""
        raise exception(
            "invalid_input",
            f"`{attr_name}` of a `TradingVecEnv` cannot be set",
            "create another `TradingVecEnv` with the wanted arguments",
        )

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Not supported: the environments are not Python objects."""
        raise exception(
            "invalid_input",
            f"the environments of a `TradingVecEnv` have no method `{method_name}`",
            "use a `DummyVecEnv` of `TradingEnv` instead",
        )

    def env_is_wrapped(
        self, wrapper_class: type[Any], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Returns ``False`` for each environment."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[Any]:
        """Returns ``None`` for each environment: they draw nothing."""
        return [None for _ in range(self.num_envs)]

    def _get_indices(self, indices: VecEnvIndices) -> Iterable[int]:
        if indices is None:
            return range(self.num_envs)
        return [indices] if isinstance(indices, int) else indices
