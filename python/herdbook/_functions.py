"""The commands of herdbook as functions.

Arguments that the functions share:

- ``tracking_uri``: the store. Default: the URI set in a loaded MLflow, else ``$MLFLOW_TRACKING_URI``, else ``store`` in
  ``herdbook.toml``, else ``mlflow.db`` in the working directory.
- ``actor``: the name recorded in the history. Default: ``$HERDBOOK_ACTOR``, else the system's user name.
- ``timeframe``: length of one bar: ``1M``, ``5M``, ``15M``, ``30M`` (minutes), ``1H``, ``4H`` (hours) or ``D``.
- ``model``: the registered model; its full name is ``{timeframe}_{model}``.
- ``reference``: a version number, ``"champion"``, ``"latest"`` or a run id. Of a run id the first digits (at least 4) are
  enough, wherever one is asked for.

Every exception is a :class:`herdbook.HerdbookError`.
"""

from __future__ import annotations

from typing import Any, Literal

from . import _worker
from ._bars import BarsLike
from ._call import command, tracking_uri as resolved_uri
from ._errors import exception
from ._progress import note
from ._result import Answer
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
    RegisteredRun,
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
    time_format: str | None = None,
    bars_stamped: Literal["open", "close"] | None = None,
    decimal: Literal[".", ","] | None = None,
    skip_bad_rows: bool = False,
    allow_jump: bool = False,
    tracking_uri: str | None = None,
    actor: str | None = None,
) -> Evaluation:
    """Tests a model (default: the champion) on bars that it has never seen, and records the result in the history.

    Raises:
        NotFoundError: no bar is new to the model.
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
    report: PathLike | None = None,
    model: str = "trading_model",
    columns: str | None = None,
    volume_column: str | None = None,
    bar_timezone: str | None = None,
    member: str | None = None,
    time_format: str | None = None,
    bars_stamped: Literal["open", "close"] | None = None,
    decimal: Literal[".", ","] | None = None,
    skip_bad_rows: bool = False,
    allow_jump: bool = False,
    tracking_uri: str | None = None,
) -> Backtest:
    """Runs a model (default: the champion) over any bars, and compares it with buy and hold and with doing nothing.

    Args:
        from_: time of the first action (UTC).
        pictures: folder for pictures of equity, trades and positions, as SVG.
        report: new HTML file with tables and pictures, for readers without herdbook.
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
    position: Literal["short", "flat", "long"] = "flat",
    position_since: Moment | None = None,
    max_age: str | None = None,
    max_bar_age: str | None = None,
    model: str = "trading_model",
    columns: str | None = None,
    volume_column: str | None = None,
    bar_timezone: str | None = None,
    member: str | None = None,
    time_format: str | None = None,
    bars_stamped: Literal["open", "close"] | None = None,
    decimal: Literal[".", ","] | None = None,
    skip_bad_rows: bool = False,
    allow_jump: bool = False,
    tracking_uri: str | None = None,
) -> Prediction:
    """The position that a model (default: the champion) takes after the newest closed bar.

    Args:
        position: the position that the account holds. The model observes it, with its age and unrealised return.
        position_since: any time (UTC) in the bar at whose open the position was filled. Default: the newest closed bar.
        max_age, max_bar_age: greatest age of the model and of the bar, such as ``"2h"`` or ``"30d"``.

    Raises:
        TooOldError: the model or the bar is older than its limit.
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
    """Registers a ``model.zip`` of stable-baselines3 that was trained elsewhere, with honesty ``unknown``.

    Nothing in the file is executed. Only models of PPO can be run and enhanced.

    Raises:
        ConflictError: the same file is already registered.
    """
    arguments = dict(locals())
    return Imported._of(command("import-model", arguments.pop("file"), **arguments))


def import_store(
    source: str,
    *,
    timezone: str | None = None,
    artifacts: PathLike | None = None,
    register_runs: bool = False,
    model: str | None = None,
    dry_run: bool = False,
    tracking_uri: str | None = None,
    actor: str | None = None,
) -> ImportedStore:
    """Imports another MLflow store and audits its tags.

    Args:
        source: ``sqlite:///old.db``, ``postgresql://…``, the path of a database or of an ``mlruns`` folder, or the address of a server.
        timezone: time zone of the times in the tags of that store, such as ``Europe/Berlin``. Default: that of this machine.
        artifacts: folder that now holds the artifacts of that store, if they were moved.
        register_runs: also register each finished run that stored ``models/<timeframe>/model.zip`` and has no version.
        model: with ``register_runs``, the end of the registered models' names. Default: ``trading_model``.
    """
    arguments = dict(locals())
    return ImportedStore._of(command("import", arguments.pop("source"), **arguments))


def register_run(
    run_id: str,
    *,
    timeframe: Timeframe | None = None,
    model: str = "trading_model",
    tracking_uri: str | None = None,
    actor: str | None = None,
) -> RegisteredRun:
    """Registers the model of a run that another program trained and did not register.

    Args:
        run_id: a run that has ended and stored ``models/<timeframe>/model.zip``.
        timeframe: length of one bar. Default: the run's tag, else the timeframe of its only model file.

    Raises:
        NotFoundError: the run or its parent is not in the store, or the parent has no version.
        ConflictError: the run has no model file, has not ended, or has a version already.
    """
    arguments = dict(locals())
    return RegisteredRun._of(command("register", arguments.pop("run_id"), **arguments))


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
    """Moves a version to another stage. A new champion archives the present one in the same act.

    Args:
        reason: at most 2,000 characters.
        expect_champion: refuse unless this version (or ``"none"``) is the present champion.
        force: promote even if the model is contaminated, fails a condition, or displaces a champion of another symbol;
            requires a reason.
        config_file: file of settings, with the conditions on promotion. Default: the nearest ``herdbook.toml``.

    Raises:
        ForbiddenTransitionError: the message names the allowed stages.
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
    force: bool = False,
    dry_run: bool = False,
    model: str = "trading_model",
    tracking_uri: str | None = None,
    actor: str | None = None,
    lock_timeout: int | None = None,
) -> Change:
    """Brings back the previous champion, in one act.

    Args:
        force: bring back the last former champion even if the present champion is of another symbol.

    Raises:
        NotFoundError: no former champion can return. The message says why for each of them.
    """
    return _change(command("rollback", **dict(locals())))


def _change(answer: Answer) -> Change:
    stages = answer.value.get("from"), answer.value.get("to")
    return Change._of(answer, from_stage=stages[0], to_stage=stages[1])


def champion(
    timeframe: Timeframe,
    *,
    at: Moment | None = None,
    model: str = "trading_model",
    tracking_uri: str | None = None,
) -> Champion:
    """The champion, now or at a given time (UTC).

    Raises:
        NotFoundError: there is, or was, no champion.
    """
    return Champion._of(command("champion", **dict(locals())))


def find_latest(
    timeframe: Timeframe,
    *,
    model_type: ModelType | None = None,
    version_type: Literal["latest", "old"] = "latest",
    symbol: str | None = None,
    min_timesteps: int = 0,
    tracking_uri: str | None = None,
) -> Found:
    """The newest registered model, of a type if one is given.

    Raises:
        NotFoundError: there is neither such a model nor, if a type is given, a base model to fall back to.
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
        NotFoundError: there is neither such a model nor a base model to fall back to.
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

    A file on a server is downloaded into a temporary folder, which is removed when this process ends.

    Args:
        parent: ``"best"``, ``"latest"``, ``"champion"``, a version number or a run id.
        model_type, metric: what ``best`` and ``latest`` search. As in :func:`enhance`, ``best`` skips contaminated
            models and ``latest`` prefers a model without children. If there is no model of the type, a base model is
            taken, with a :class:`HerdbookWarning`.

    Raises:
        NotFoundError: there is no such model, or its file is missing.
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
            note(f"there is no `{model_type}` model to enhance; found a base model instead")
    else:
        found = show(timeframe, parent, model=model, tracking_uri=uri).to_dict()
    run_id = found["run_id"]
    if run_id is None:
        raise exception("not_found", f"`{found['name']}` version {found['version']} has no run")
    path = records.artifact_path(run_id, f"models/{timeframe}/model.zip", _worker.downloads())
    records.close()
    if not path.is_file():
        raise exception("not_found", f"the model file of run `{run_id}` is missing at `{path}`")
    return ParentPath(str(path), found)


def list_models(
    timeframe: Timeframe | None = None,
    *,
    stage: Stage | None = None,
    model: str | None = None,
    sort: str = "registered",
    limit: int | None = None,
    tracking_uri: str | None = None,
) -> Versions:
    """Model versions, newest first.

    Args:
        model: the full name of a registered model, or its name without the timeframe. Default: all.
        sort: ``"registered"``, ``"changed"``, ``"model"``, ``"stage"``, ``"return"``, ``"sharpe"``, ``"drawdown"``, ``"reward"`` or the
            name of a metric, the best first.
        limit: the greatest number of versions.

    Raises:
        NotFoundError: there is no such registered model.
    """
    answer = command("list", **dict(locals()))
    return Versions([Version._of(raw) for raw in answer.value], answer.text)


def show(
    timeframe: Timeframe | None = None,
    reference: Reference = "latest",
    *,
    report: PathLike | None = None,
    model: str = "trading_model",
    tracking_uri: str | None = None,
) -> Model:
    """Everything about one model version.

    Args:
        report: new HTML file with tables, pictures and history, for readers without herdbook.

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
    """Parents and children: one tree per base model. With a reference, only the tree that contains it.

    Raises:
        NotFoundError: no registered model matches.
    """
    arguments = dict(locals())
    answer = command("lineage", arguments.pop("reference"), **arguments)
    return Lineages([Lineage._tree(tree) for tree in answer.value], answer.text)


def history(
    timeframe: Timeframe | None = None,
    *,
    version: int | None = None,
    run: str | None = None,
    model: str | None = None,
    limit: int | None = None,
    tracking_uri: str | None = None,
) -> History:
    """Who changed what, when and why, oldest first; with ``limit`` only the newest events.

    Raises:
        NotFoundError: no event matches.
    """
    arguments = dict(locals())
    answer = command("history", model_version=arguments.pop("version"), **arguments)
    events = [Event._of(raw, from_state=raw["from"], to_state=raw["to"]) for raw in answer.value]
    return History(events, answer.text)


def compare(
    timeframe: Timeframe,
    first: Reference,
    second: Reference,
    *,
    model: str = "trading_model",
    tracking_uri: str | None = None,
) -> Comparison:
    """Two versions side by side, and whether their results are comparable."""
    answer = command(
        "compare", first, second, timeframe=timeframe, model=model, tracking_uri=tracking_uri
    )
    versions = {side: Version._of(answer.value[side]) for side in ("first", "second")}
    return Comparison._of(answer, **versions)


def status(*, tracking_uri: str | None = None) -> Board:
    """The board: registered models with their stages, and running trainings."""
    return Board._of(command("status", tracking_uri=tracking_uri))


def verify(*, head: str | None = None, tracking_uri: str | None = None) -> Verification:
    """Checks that the store is as it was recorded: the history, MLflow's rows, served files and the database.

    Args:
        head: the hash that the history must end with.

    Raises:
        ConflictError: something is not as it was recorded; the message names all of it.
    """
    return Verification._of(command("verify", head=head, tracking_uri=tracking_uri))


def doctor(
    *, repair: bool = False, tracking_uri: str | None = None, actor: str | None = None
) -> Diagnosis:
    """Checks the records against every rule. With ``repair``, also repairs what is safe to repair."""
    return Diagnosis._of(
        command("doctor", repair=repair, tracking_uri=tracking_uri, actor=actor)
    )
