"""The commands of herdbook as functions.

All take ``tracking_uri`` (default: the one that a loaded MLflow was told, else ``$MLFLOW_TRACKING_URI``, else
``mlflow.db`` in the working directory) and, where they write, ``actor`` (default ``$HERDBOOK_ACTOR``, else the user).
``timeframe`` is the length of one bar: ``1M``, ``5M``, ``15M``, ``30M`` (minutes), ``1H``, ``4H`` (hours) or ``D``.
``model`` is the family: the registered model is named ``{timeframe}_{model}``. A ``reference`` is a version number,
``"champion"``, ``"latest"`` or a run id. Every exception is a :class:`herdbook.HerdbookError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from . import _worker
from ._bars import BarsLike
from ._call import command, tracking_uri as resolved_uri
from ._errors import exception
from ._progress import note
from ._results import (
    Backtest,
    Board,
    Champion,
    Change,
    Comparison,
    Diagnosis,
    Evaluation,
    Event,
    Found,
    History,
    Imported,
    ImportedStore,
    Lineage,
    Lineages,
    Model,
    ParentPath,
    Prediction,
    Verification,
    Version,
    Versions,
)
from ._types import ModelType, Moment, PathLike, Reference, Stage, Timeframe

def evaluate(
    timeframe: Timeframe,
    data: BarsLike,
    reference: Reference | None = None,
    *,
    stage: Stage | None = None,
    symbol: str | None = None,
    cost_bps: float | None = None,
    model: str = "trading_model",
    columns: str | None = None,
    volume_column: str | None = None,
    bar_timezone: str | None = None,
    member: str | None = None,
    tracking_uri: str | None = None,
    actor: str | None = None,
) -> Evaluation:
    """Runs a model (the champion by default) over bars newer than all it and its ancestors knew, and records the result.

    Raises:
        NotFoundError: no bar is new to it.
    """
    arguments = dict(locals())
    return Evaluation._of(command("evaluate", arguments.pop("reference"), **arguments))


def backtest(
    timeframe: Timeframe,
    data: BarsLike,
    reference: Reference | None = None,
    *,
    stage: Stage | None = None,
    symbol: str | None = None,
    cost_bps: float | None = None,
    from_: Moment | None = None,
    pictures: PathLike | None = None,
    model: str = "trading_model",
    columns: str | None = None,
    volume_column: str | None = None,
    bar_timezone: str | None = None,
    member: str | None = None,
    tracking_uri: str | None = None,
) -> Backtest:
    """Runs a model (the champion by default) over any bars, beside buying and holding and beside doing nothing.

    Args:
        from_: first moment to act at (UTC).
        pictures: a folder for equity, trades and positions as SVG.
    """
    arguments = dict(locals())
    reference = arguments.pop("reference")
    return Backtest._of(command("backtest", reference, curves=True, **arguments))


def predict(
    timeframe: Timeframe,
    data: BarsLike,
    reference: Reference | None = None,
    *,
    stage: Stage | None = None,
    symbol: str | None = None,
    max_age: str | None = None,
    max_bar_age: str | None = None,
    model: str = "trading_model",
    columns: str | None = None,
    volume_column: str | None = None,
    bar_timezone: str | None = None,
    member: str | None = None,
    tracking_uri: str | None = None,
) -> Prediction:
    """What a model (the champion by default) would do after the newest closed bar, from a flat account.

    Args:
        max_age, max_bar_age: how old the model and the bar may be, such as ``"2h"`` or ``"30d"``.

    Raises:
        TooOldError: one of them is older.
    """
    arguments = dict(locals())
    return Prediction._of(command("predict", arguments.pop("reference"), **arguments))


def import_model(
    file: PathLike,
    timeframe: Timeframe,
    *,
    symbol: str | None = None,
    model: str = "trading_model",
    experiment: str = "stock_trading_rl",
    tracking_uri: str | None = None,
    actor: str | None = None,
) -> Imported:
    """Registers a ``model.zip`` of stable-baselines3 that was trained elsewhere, its honesty ``unknown``.

    Nothing in the file is executed.

    Raises:
        ConflictError: the same file is registered already.
    """
    arguments = dict(locals())
    return Imported._of(command("import-model", arguments.pop("file"), **arguments))


def import_store(
    source: str,
    *,
    timezone: str | None = None,
    artifacts: PathLike | None = None,
    dry_run: bool = False,
    tracking_uri: str | None = None,
    actor: str | None = None,
) -> ImportedStore:
    """Takes in another MLflow store, and audits its tags.

    Args:
        source: ``sqlite:///old.db``, the path of a database or of an ``mlruns`` folder, or the address of a server.
        timezone: of the times in its tags, such as ``Europe/Berlin``; this machine's when left out.
        artifacts: the folder that holds its artifacts, if they are not where it says.
    """
    arguments = dict(locals())
    return ImportedStore._of(command("import", arguments.pop("source"), **arguments))


def promote(
    timeframe: Timeframe,
    version: int,
    stage: Stage,
    *,
    reason: str | None = None,
    expect_champion: int | Literal["none"] | None = None,
    force: bool = False,
    dry_run: bool = False,
    config_file: PathLike | None = None,
    model: str = "trading_model",
    tracking_uri: str | None = None,
    actor: str | None = None,
    lock_timeout: int | None = None,
) -> Change:
    """Changes a version's stage; a new champion archives the present one in the same act.

    Args:
        reason: at most 2,000 characters.
        expect_champion: refuse unless this version (or ``"none"``) is champion now.
        force: let a model rise that is contaminated or does not meet the conditions; needs a reason.
        config_file: conditions on promotion; the nearest ``herdbook.toml`` when left out.

    Raises:
        ForbiddenTransitionError: the text names the stages it may go to.
        GateFailedError: a condition is not met.
        ConflictError, ContaminatedError, NotFoundError.
    """
    return _change(
        command(
            "promote",
            timeframe=timeframe,
            model=model,
            model_version=version,
            target_stage=stage,
            reason=reason,
            expect_champion=expect_champion,
            force=force,
            dry_run=dry_run,
            config_file=config_file,
            tracking_uri=tracking_uri,
            actor=actor,
            lock_timeout=lock_timeout,
        )
    )


def rollback(
    timeframe: Timeframe,
    *,
    reason: str,
    dry_run: bool = False,
    model: str = "trading_model",
    tracking_uri: str | None = None,
    actor: str | None = None,
    lock_timeout: int | None = None,
) -> Change:
    """Brings the last good champion back, in one act.

    Raises:
        NotFoundError: there is none; the text says what became of the former ones.
    """
    return _change(command("rollback", **dict(locals())))


def _change(raw: Mapping[str, Any]) -> Change:
    return Change._of(raw, from_stage=raw.get("from"), to_stage=raw.get("to"))


def champion(
    timeframe: Timeframe,
    *,
    at: Moment | None = None,
    model: str = "trading_model",
    tracking_uri: str | None = None,
) -> Champion:
    """Who is champion, or was at a moment (UTC).

    Raises:
        NotFoundError: nobody.
    """
    return Champion._of(command("champion", **dict(locals())))


def find_latest(
    timeframe: Timeframe,
    *,
    model_type: ModelType = "base",
    version_type: Literal["latest", "old"] = "latest",
    symbol: str | None = None,
    min_timesteps: int = 0,
    tracking_uri: str | None = None,
) -> Found:
    """The newest registered model of a type.

    Raises:
        NotFoundError: there is none, nor a base model to fall back to.
    """
    return Found._of(command("find", "latest", **dict(locals())))


def find_best(
    timeframe: Timeframe,
    *,
    model_type: ModelType = "base",
    metric: str = "evaluation/best_mean_reward",
    symbol: str | None = None,
    min_timesteps: int = 0,
    tracking_uri: str | None = None,
) -> Found:
    """The best registered model of a type by the last finite value of a metric.

    Raises:
        NotFoundError: there is none, nor a base model to fall back to.
    """
    return Found._of(command("find", "best", **dict(locals())))


def load_parent(
    parent: Reference = "best",
    *,
    timeframe: Timeframe,
    model_type: ModelType = "base",
    metric: str = "evaluation/best_mean_reward",
    model: str = "trading_model",
    tracking_uri: str | None = None,
) -> ParentPath:
    """The path of a registered model's ``model.zip`` on this machine, for ``PPO.load``.

    What a server keeps is downloaded into a temporary folder, which goes when this process ends.

    Args:
        parent: ``"best"``, ``"latest"``, ``"champion"``, a version number or a run id.
        model_type, metric: what ``best`` and ``latest`` look for. As in :func:`enhance`, ``best`` passes contaminated
            models over, ``latest`` prefers one without children, and where there is none of the type a base model is
            taken, with a :class:`HerdbookWarning`.

    Raises:
        NotFoundError: there is none, or its file is not on this machine.
    """
    uri = resolved_uri(tracking_uri)
    records = _worker.records(uri, create=False)
    if parent in ("best", "latest"):
        by = metric if parent == "best" else None
        found = records.find_parent(timeframe=timeframe, model_type=model_type, metric=by)
        if found is None:
            raise exception(
                "not_found",
                f"there is no `{model_type}` model at {timeframe} to enhance",
                f'`herdbook.train("{timeframe}", …)` trains a base model',
            )
        if found["fallback"]:
            note(f"no `{model_type}` model to enhance: this is a base model")
    else:
        found = show(timeframe, parent, model=model, tracking_uri=uri).to_dict()
    run_id = found["run_id"]
    if run_id is None:
        raise exception("not_found", f"`{found['name']}` version {found['version']} has no run")
    path = records.artifact_path(run_id, f"models/{timeframe}/model.zip", _worker.downloads())
    records.close()
    if not path.is_file():
        raise exception("not_found", f"the model file of run `{run_id}` is not at `{path}`")
    return ParentPath(str(path), found)


def list_models(
    timeframe: Timeframe | None = None,
    *,
    stage: Stage | None = None,
    tracking_uri: str | None = None,
) -> Versions:
    """Every model version, newest first."""
    return Versions([Version._of(raw) for raw in command("list", **dict(locals()))])


def show(
    timeframe: Timeframe | None = None,
    reference: Reference = "latest",
    *,
    model: str = "trading_model",
    tracking_uri: str | None = None,
) -> Model:
    """Everything about one model version.

    Raises:
        NotFoundError: there is no such version.
    """
    arguments = dict(locals())
    return Model._of(command("show", arguments.pop("reference"), **arguments))


def lineage(
    timeframe: Timeframe | None = None,
    reference: Reference | None = None,
    *,
    model: str | None = None,
    tracking_uri: str | None = None,
) -> Lineages:
    """Who descends from whom: one tree for each base model; with a reference only the tree that holds it.

    Raises:
        NotFoundError: there are no registered models there.
    """
    arguments = dict(locals())
    trees = command("lineage", arguments.pop("reference"), **arguments)
    return Lineages([Lineage._tree(tree) for tree in trees])


def history(
    timeframe: Timeframe | None = None,
    *,
    version: int | None = None,
    run: str | None = None,
    model: str | None = None,
    tracking_uri: str | None = None,
) -> History:
    """What happened, oldest first: when, who, what, why.

    Raises:
        NotFoundError: nothing of that.
    """
    arguments = dict(locals())
    events = command("history", model_version=arguments.pop("version"), **arguments)
    return History(
        [Event._of(raw, from_state=raw["from"], to_state=raw["to"]) for raw in events]
    )


def compare(
    timeframe: Timeframe,
    first: Reference,
    second: Reference,
    *,
    model: str = "trading_model",
    tracking_uri: str | None = None,
) -> Comparison:
    """Two versions side by side, and whether their values can be compared at all."""
    raw = command(
        "compare", first, second, timeframe=timeframe, model=model, tracking_uri=tracking_uri
    )
    return Comparison._of(
        raw, first=Version._of(raw["first"]), second=Version._of(raw["second"])
    )


def status(*, tracking_uri: str | None = None) -> Board:
    """The board: registered models and their stages, and trainings under way."""
    return Board._of(command("status", tracking_uri=tracking_uri))


def verify(*, head: str | None = None, tracking_uri: str | None = None) -> Verification:
    """Checks the history's chain of hashes and every registered model file.

    Args:
        head: the hash that the history must end with.

    Raises:
        ConflictError: something is not what was written.
    """
    return Verification._of(command("verify", head=head, tracking_uri=tracking_uri))


def doctor(
    *, repair: bool = False, tracking_uri: str | None = None, actor: str | None = None
) -> Diagnosis:
    """Checks every rule on the records, names each breach, and, asked to, mends what is safe."""
    return Diagnosis._of(
        command("doctor", repair=repair, tracking_uri=tracking_uri, actor=actor)
    )
