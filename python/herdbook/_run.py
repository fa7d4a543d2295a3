"""A run in the form of MLflow's client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunInfo:
    """Facts about a run, like MLflow's ``run.info``. Times are epoch milliseconds."""

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


@dataclass(frozen=True, repr=False)
class RunData:
    """Logged values of a run, like MLflow's ``run.data``.

    ``metrics`` has the last finite value of each metric. ``sealed_metrics`` has the values on which rules decide: those at the
    registration of the run's model. ``None`` if no model of the run is sealed.
    """

    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    sealed_metrics: Mapping[str, float] | None = None

    def __repr__(self) -> str:
        counts = {"metrics": self.metrics, "params": self.params, "tags": self.tags}
        return f"RunData({', '.join(f'{len(values)} {name}' for name, values in counts.items())})"


@dataclass(frozen=True)
class Run:
    """A snapshot of a run, like MLflow's ``Run``."""

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
        return cls(info, RunData(raw["metrics"], raw["params"], raw["tags"], raw["sealed_metrics"]))
