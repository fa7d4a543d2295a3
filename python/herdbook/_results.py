"""Results of the functions of :mod:`herdbook`: typed data, shown as tables, convertible to pandas.

``raw`` holds the data that ``--json`` prints, and ``to_dict()`` returns a copy of it. ``str()`` and ``repr()`` are the text that
the command prints. Times are timezone-aware
datetimes in UTC. Returns, drawdowns and rates are fractions; improvements are percentages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import _html
from ._result import Result, Results, flat, pandas

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Backtest",
    "Board",
    "Champion",
    "Change",
    "Comparison",
    "Diagnosis",
    "Evaluation",
    "Event",
    "Found",
    "History",
    "Imported",
    "ImportedStore",
    "Lineage",
    "Model",
    "ParentPath",
    "Prediction",
    "Progress",
    "Training",
    "Verification",
    "Version",
    "Versions",
]


@dataclass(frozen=True, repr=False)
class Version(Result):
    """One registered model version."""

    name: str
    version: int
    run_id: str | None
    timeframe: str | None
    #: The instrument it was trained on; ``None`` if none is recorded.
    symbol: str | None
    model_type: str | None
    version_type: str | None
    promotion_stage: str | None
    honesty: str | None
    created_at: datetime
    updated_at: datetime
    metrics: Mapping[str, float]
    sealed: Mapping[str, Any] | None


class Versions(Results[Version]):
    """Model versions, newest first."""

    _title = "model versions"

    def _columns(self) -> list[tuple[str, str]]:
        return [
            ("name", "model"),
            ("version", "version"),
            ("symbol", "symbol"),
            ("model_type", "type"),
            ("version_type", ""),
            ("promotion_stage", "stage"),
            ("metrics.evaluation/mean_reward", "validation reward"),
            ("metrics.portfolio/total_return", "test return"),
            ("metrics.portfolio/sharpe_ratio", "Sharpe"),
            ("honesty", "honesty"),
            ("created_at", "registered (UTC)"),
        ]


@dataclass(frozen=True, repr=False)
class Model(Version):
    """Everything about one model version."""

    tags: Mapping[str, str]
    mlflow_stage: str
    windows: Mapping[str, Any] | None
    run: Mapping[str, Any] | None
    history: Sequence[Mapping[str, Any]]
    evidence: Sequence[Mapping[str, Any]]
    standing: Mapping[str, Any] | None
    deflation: Mapping[str, Any] | None
    seal: Mapping[str, Any] | None
    differs_from_mlflow: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, repr=False)
class Training(Result):
    """A finished training and the version that it registered."""

    run_id: str
    model_name: str
    version: int
    model_path: str
    model_type: str
    parent: Mapping[str, Any] | None
    fallback: bool
    previous_timesteps: int
    current_run_timesteps: int
    total_timesteps: int
    metrics: Mapping[str, float]
    improvement: Mapping[str, Mapping[str, Any]]
    improvement_basis: str | None
    evidence: Mapping[str, Any]
    deflation: Mapping[str, Any] | None
    #: The windows side by side, simple rules, other costs, and the result by volatility, trend and time.
    details: Mapping[str, Any]
    honesty: str
    windows: Mapping[str, Any]
    cost_bps: float
    seed: int
    steps_per_second: float
    sweep: Mapping[str, Any] | None = None


@dataclass(frozen=True, repr=False)
class Imported(Result):
    """A model file that was imported."""

    run_id: str
    model_name: str
    version: int
    model_path: str
    algorithm: str | None
    total_timesteps: int
    honesty: str
    usable: bool
    obstacle: str | None


@dataclass(frozen=True, repr=False)
class RegisteredRun(Result):
    """A run that was registered after its end."""

    run_id: str
    model_name: str
    version: int
    model_type: str
    superseded: Sequence[Mapping[str, Any]]
    honesty: str
    improvement: Mapping[str, Any] | None
    improvement_basis: str | None
    notes: Sequence[str]


@dataclass(frozen=True, repr=False)
class ImportedStore(Result):
    """A store that was imported, and the contradictions in its tags."""

    source: str
    target: str | None
    dry_run: bool
    experiments: Any
    runs: Any
    models: Any
    versions: Any
    registered_runs: Any
    artifacts: Mapping[str, Any]
    audit: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, repr=False)
class Found(Result):
    """The newest or the best model."""

    run_id: str
    model_path: str
    model_type: str
    name: str
    version: int
    metric: Mapping[str, Any] | None
    fallback: bool
    comparable: bool
    differing: Sequence[str]
    honesty: str
    sealed: Mapping[str, Any] | None
    #: The instrument it was trained on; ``None`` if none is recorded.
    symbol: str | None
    #: Newer or better versions that cannot be used, each with ``name``, ``version`` and ``why``.
    passed_over: Sequence[Mapping[str, Any]]


class ParentPath(str):
    """The path of a parent's ``model.zip`` on this machine, for ``PPO.load``.

    Attributes:
        run_id: the parent's run, used by :class:`herdbook.sb3.LifecycleCallback`.
        name, version: the registered version.
        fallback: whether it is a base model because there is no model of the requested type.
    """

    run_id: str
    name: str
    version: int
    fallback: bool

    def __new__(cls, path: str, found: Mapping[str, Any]) -> ParentPath:
        made = super().__new__(cls, path)
        made.run_id, made.name, made.version = found["run_id"], found["name"], found["version"]
        made.fallback = found.get("fallback", False)
        return made


@dataclass(frozen=True, repr=False)
class Change(Result):
    """A promotion or rollback; in a dry run, what would change."""

    name: str
    version: int
    event_id: int | None
    displaced: Mapping[str, Any] | None
    dry_run: bool
    #: Each rule that ``force`` overrode, in words with value and limit.
    overridden: Sequence[str]
    #: Stages before and after, and the command that undoes the change; ``None`` for a rollback.
    from_stage: str | None = None
    to_stage: str | None = None
    undo: str | None = None
    #: ``newest_event`` and ``clock``, if the model's newest event lies in the future of the clock.
    ahead_of_clock: Mapping[str, Any] | None = None


@dataclass(frozen=True, repr=False)
class Champion(Result):
    """The champion, now or at a given time."""

    name: str
    version: int
    run_id: str | None
    model_path: str | None
    since: datetime
    actor: str
    reason: str | None
    event_id: int


@dataclass(frozen=True, repr=False)
class Event(Result):
    """One event of the history."""

    id: int
    act_id: str
    at: datetime
    actor: str
    channel: str
    kind: str
    name: str | None
    version: int | None
    run_id: str | None
    reason: str | None
    parent: str | None
    details: Mapping[str, Any]
    #: Each rule that a forced change overrode, in words with value and limit.
    overridden: Sequence[str]
    hash: str
    from_state: str | None = None
    to_state: str | None = None


class History(Results[Event]):
    """Events, oldest first."""

    _title = "history (UTC)"

    def _columns(self) -> list[tuple[str, str]]:
        return [
            ("at", "when"),
            ("actor", "who"),
            ("kind", "what"),
            ("name", "model"),
            ("version", "version"),
            ("from", "from"),
            ("to", "to"),
            ("reason", "why"),
        ]


@dataclass(frozen=True, repr=False)
class Lineage(Result):
    """One model and its descendants."""

    name: str
    version: int
    run_id: str
    parent_run_id: str | None
    symbol: str | None
    model_type: str | None
    version_type: str | None
    promotion_stage: str | None
    honesty: str | None
    total_timesteps: int | None
    improvement_percent: float | None
    improvement: str | None
    children: Sequence[Lineage]

    @classmethod
    def _tree(cls, raw: Mapping[str, Any]) -> Lineage:
        return cls._of(raw, children=tuple(cls._tree(child) for child in raw["children"]))

    def walk(self) -> Iterator[Lineage]:
        """This model and all its descendants, each parent before its children."""
        yield self
        for child in self.children:
            yield from child.walk()

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in member.raw.items() if key != "children"}
            for member in self.walk()
        ]

    def _repr_html_(self) -> str:
        return _html.trees([self.raw])


class Lineages(Results[Lineage]):
    """The trees of parents and children, oldest first."""

    def to_pandas(self) -> pd.DataFrame:
        """One row for each model of all trees, each parent before its children."""
        return pandas().DataFrame([row for tree in self for row in tree._rows()])

    def _repr_html_(self) -> str:
        return _html.trees([tree.raw for tree in self])


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """Two versions side by side."""

    first: Version
    second: Version
    comparable: bool
    differing: Sequence[str]
    metrics: Mapping[str, Mapping[str, Any]]

    def _rows(self) -> list[dict[str, Any]]:
        return [{"metric": name, **values} for name, values in self.metrics.items()]

    def _repr_html_(self) -> str:
        columns = [
            ("metric", "metric"),
            ("first", f"{self.first.name} {self.first.version}"),
            ("second", f"{self.second.name} {self.second.version}"),
            ("difference", "difference"),
            ("change_percent", "change %"),
        ]
        rows = [
            {**row, "change_percent": None} if row["is_first_near_zero"] else row
            for row in self._rows()
        ]
        title = "comparison"
        if not self.comparable:
            title += f" (not comparable: they differ in {', '.join(self.differing)})"
        return _html.table(title, columns, rows)


@dataclass(frozen=True, repr=False)
class Board(Result):
    """Registered models with their stages, and running trainings."""

    store: str
    models: Sequence[Mapping[str, Any]]
    running: Sequence[Mapping[str, Any]]

    def _rows(self) -> list[dict[str, Any]]:
        return [flat(model) for model in self.models]

    def _repr_html_(self) -> str:
        return _html.board(self.store, self.models, self.running)


@dataclass(frozen=True, repr=False)
class Backtest(Result):
    """A model's result on bars, compared with buy and hold and with doing nothing."""

    name: str
    version: int
    run_id: str
    timeframe: str
    symbol: str
    window: Mapping[str, Any]
    bars_sha256: str
    n_bars: int
    n_seen: int
    honesty: str
    cost_bps: float
    metrics: Mapping[str, float]
    evidence: Mapping[str, Any]
    #: As in :class:`Training`, for these bars.
    details: Mapping[str, Any]
    baselines: Mapping[str, Any]
    equity: Mapping[str, Sequence[Any]]
    trades: Sequence[Mapping[str, Any]]

    def equity_to_pandas(self) -> pd.DataFrame:
        """``equity``, ``drawdown`` (a fraction) and ``position``, by the opening time of each bar."""
        frame = pandas().DataFrame(dict(self.equity))
        frame["timestamp"] = pandas().to_datetime(frame["timestamp"], utc=True)
        return frame.set_index("timestamp")

    def trades_to_pandas(self) -> pd.DataFrame:
        """The closed trades, oldest first."""
        return pandas().DataFrame(list(self.trades))

    def _rows(self) -> list[dict[str, Any]]:
        sides = {
            "model": self.metrics,
            "buy_and_hold": self.baselines["buy_and_hold"]["metrics"],
            "flat": self.baselines["flat"]["metrics"],
        }
        names = sorted({name for side in sides.values() for name in side})
        return [
            {"metric": name, **{side: values.get(name) for side, values in sides.items()}}
            for name in names
        ]

    def _repr_html_(self) -> str:
        columns = [
            ("metric", ""),
            ("model", f"{self.name} {self.version}"),
            ("buy_and_hold", "buy and hold"),
            ("flat", "flat"),
        ]
        title = f"{self.n_bars:,} bars of {self.symbol} {self.timeframe}, {self.honesty}"
        return _html.table(title, columns, self._rows())


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """The result of a model on bars that it has never seen, recorded in its history."""

    name: str
    version: int
    run_id: str
    event_id: int
    is_evidence: bool
    standing: Mapping[str, Any]
    evidence: Mapping[str, Any]
    #: As in :class:`Training`, for these bars.
    details: Mapping[str, Any]
    evaluation: Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Prediction(Result):
    """The position that a model takes after the newest closed bar."""

    action: str
    probabilities: Mapping[str, float]
    #: The position that the model observed, and the open of its first bar; ``None`` when flat.
    from_position: str
    position_since: datetime | None
    bar: Mapping[str, Any]
    observation: Sequence[float]
    symbol: str
    timeframe: str
    name: str
    version: int
    run_id: str


@dataclass(frozen=True, repr=False)
class Verification(Result):
    """Confirms that the store is as it was recorded."""

    events: int
    head: str
    files_intact: int
    files_without_recorded_hash: int
    #: Versions of an older herdbook, whose metrics and params are not in the history yet.
    versions_without_seal: int
    #: Versions without a run: they have no files and cannot be used.
    without_run: Sequence[Mapping[str, Any]]
    #: ``passed``, or why the database did not check its own files.
    engine_check: str


@dataclass(frozen=True, repr=False)
class Diagnosis(Result):
    """Breaches of the rules in the records."""

    breaches: Sequence[Mapping[str, Any]]
    healthy: bool
    #: Versions without a run: they have no files and cannot be used.
    without_run: Sequence[Mapping[str, Any]]
    #: ``passed``, ``failed``, or why the database did not check its own files.
    engine_check: str

    def _rows(self) -> list[dict[str, Any]]:
        return [dict(breach) for breach in self.breaches]


@dataclass(frozen=True)
class Progress:
    """Progress of a training."""

    #: Timesteps trained so far, and in all.
    trained: int
    target: int
    steps_per_second: float
    #: Mean reward of the episodes that ended in the last rollout.
    mean_episode_reward: float | None
    #: Mean reward of the last evaluation on the validation window.
    validation_reward: float | None
