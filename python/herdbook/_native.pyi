"""The native module. The modules of this package wrap and document it."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

__version__: str

def main(args: Sequence[str]) -> int: ...
def call(
    args: Sequence[str],
    *,
    bars: bytes | None = None,
    note: Callable[[str], object] | None = None,
    progress: Callable[[int, int, float, float | None, float | None], object] | None = None,
    curves: bool = False,
) -> tuple[Any, str | None]: ...
def improvements(parent: Mapping[str, float], child: Mapping[str, float]) -> dict[str, float]: ...

class Bars:
    NAME: ClassVar[str]
    def __new__(
        cls,
        columns: Sequence[tuple[str, npt.NDArray[np.int64] | npt.NDArray[np.float64] | list[str]]],
    ) -> Bars: ...
    @property
    def csv(self) -> bytes: ...

class Arena:
    def __new__(
        cls,
        timeframe: str,
        *,
        path: str | PathLike[str] | None,
        bars: Bars | None,
        symbol: str | None,
        reading: Mapping[str, str | bool | None],
        validation_from: str | None,
        test_from: str | None,
        cost_bps: float,
        episode_bars: int | None,
    ) -> Arena: ...
    def env(self, window: str) -> Env: ...
    def envs(self, window: str, n_envs: int) -> Envs: ...
    def measure(self, model: bytes) -> dict[str, float]: ...
    def validate(self, model: bytes) -> tuple[float, float]: ...
    def params(self) -> dict[str, str]: ...
    CLOSES_ARTIFACT: ClassVar[str]
    def closes(self) -> bytes: ...
    def description(self) -> dict[str, Any]: ...
    def remarks(self) -> list[str]: ...
    @property
    def symbol(self) -> str: ...
    @property
    def timeframe(self) -> str: ...

class Env:
    def reset(self, seed: int | None) -> npt.NDArray[np.float32]: ...
    def step(self, action: int) -> tuple[npt.NDArray[np.float32], float, bool, bool]: ...
    @property
    def equity(self) -> float: ...
    @property
    def position(self) -> int: ...
    @property
    def open_time_ms(self) -> int: ...

class Envs:
    def reset(self, seeds: Sequence[int | None]) -> npt.NDArray[np.float32]: ...
    def step(
        self, actions: npt.NDArray[np.int64]
    ) -> tuple[
        npt.NDArray[np.float32],
        npt.NDArray[np.float32],
        npt.NDArray[np.bool_],
        list[float],
        list[int],
        list[tuple[int, bool, npt.NDArray[np.float32]]],
    ]: ...

class Records:
    def __new__(
        cls,
        tracking_uri: str | None = None,
        *,
        actor: str | None = None,
        create: bool = True,
        lock_timeout_s: float = 10.0,
    ) -> Records: ...
    def close(self) -> None: ...
    @property
    def uri(self) -> str: ...
    def run_id_of(self, run_id: str) -> str: ...
    def start_run(
        self,
        *,
        experiment: str,
        timeframe: str,
        model: str,
        name: str | None,
        tags: Mapping[str, str],
    ) -> str: ...
    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[tuple[str, float, int]] = ...,
        params: Mapping[str, str] = ...,
        tags: Mapping[str, str] = ...,
    ) -> None: ...
    def store_artifact(self, run_id: str, artifact: str, content: bytes) -> str: ...
    def log_artifact(
        self, run_id: str, path: str | PathLike[str], folder: str | None = None
    ) -> None: ...
    def artifact_path(self, run_id: str, artifact: str, downloads: Path) -> Path: ...
    def artifacts(self, run_id: str, folder: str) -> list[str]: ...
    def end_run(self, run_id: str, *, model: str, status: str, reason: str = "") -> None: ...
    def run(self, run_id: str) -> dict[str, Any]: ...
    def register(
        self,
        run_id: str,
        *,
        timeframe: str,
        model: str,
        model_type: str,
        parent: str | None,
        artifact: str,
        timesteps: int | None,
        tags: Mapping[str, str],
        parent_here: Mapping[str, float] | None,
    ) -> dict[str, Any]: ...
    def find_latest(
        self, *, timeframe: str, model_type: str, version_type: str | None
    ) -> dict[str, Any] | None: ...
    def find_best(
        self, *, timeframe: str, model_type: str, metric: str, min_timesteps: int
    ) -> dict[str, Any] | None: ...
    def find_parent(
        self, *, timeframe: str, model_type: str, metric: str | None
    ) -> dict[str, Any] | None: ...
    def find_by_stage(self, stage: str, timeframe: str | None = None) -> list[dict[str, Any]]: ...
    def stage_of(self, name: str, version: int) -> str | None: ...
    def promote(
        self,
        name: str,
        version: int,
        stage: str,
        *,
        reason: str | None,
        force: bool = False,
        expect_champion: str | None = None,
    ) -> dict[str, Any]: ...
