"""A run as MLflow shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunInfo:
    """What a run is; as MLflow's ``run.info``. Times are epoch milliseconds."""

    run_id: str
    run_name: str
    experiment_name: str
    status: str
    start_time: int
    end_time: int | None

    @property
    def run_uuid(self) -> str:
        """The same as ``run_id``."""
        return self.run_id


@dataclass(frozen=True)
class RunData:
    """What was logged to a run; as MLflow's ``run.data``. Of each metric, the last finite value."""

    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """A run as it was when it was asked for; as MLflow's ``Run``."""

    info: RunInfo
    data: RunData

    @classmethod
    def _of(cls, raw: Mapping[str, Any]) -> Run:
        info = RunInfo(
            run_id=raw["run_id"],
            run_name=raw["run_name"],
            experiment_name=raw["experiment"],
            status=raw["status"],
            start_time=raw["start_time"],
            end_time=raw["end_time"],
        )
        return cls(info, RunData(raw["metrics"], raw["params"], raw["tags"]))
