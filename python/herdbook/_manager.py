"""``MLflowManager``: the interface of Stock AI Predictor's manager, on herdbook's records.

Names, arguments and results are those of the original, with these corrections: an act takes effect completely or not at
all, stage, tags and alias of a champion always agree, and a refusal raises an exception instead of printing a message.
"""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
import weakref
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from . import _native, _worker
from ._call import tracking_uri as resolved_uri
from ._errors import exception
from ._progress import note
from ._run import Run

_FAMILY = "trading_model"


class MLflowManager:
    """Runs, models and stages of one timeframe.

    Accepts every tracking URI of the command line, and works next to MLflow in the same process. If MLflow is loaded, a
    run started here is also MLflow's active run, and a run started with ``mlflow.start_run()`` is the current run of
    this manager until it starts one of its own.

    Args:
        experiment_name: runs belong to the experiment ``{experiment_name}_{timeframe}``.
        tracking_uri: the store, created if missing. Default: the URI set in a loaded MLflow, else
            ``$MLFLOW_TRACKING_URI``, else ``store`` in ``herdbook.toml``, else ``mlflow.db`` in the working directory.
        timeframe: length of one bar: ``1M``, ``5M``, ``15M``, ``30M``, ``1H``, ``4H`` or ``D``.
        model_type: model type of the runs started here: ``base``, ``continued``, ``replay``, ``curriculum`` or
            ``adaptive``.
        actor: the name recorded in the history. Default: ``$HERDBOOK_ACTOR``, else the system's user name.
    """

    def __init__(
        self,
        experiment_name: str = "stock_trading_rl",
        tracking_uri: str | None = None,
        timeframe: str | None = None,
        model_type: str = "base",
        *,
        actor: str | None = None,
    ) -> None:
        self.base_experiment_name = experiment_name
        self.timeframe = timeframe
        self.model_type = model_type
        self.experiment_name = f"{experiment_name}_{timeframe}" if timeframe else experiment_name
        self.current_run: Run | None = None
        # Kept as given, because the URI of the records has no password.
        self._uri = resolved_uri(tracking_uri) or os.environ.get("MLFLOW_TRACKING_URI") or None
        self._records = _worker.records(self._uri, actor=actor)
        self._in_mlflow = False
        _OPEN.add(self)

    @property
    def tracking_uri(self) -> str:
        """Absolute URI of the store."""
        return self._records.uri

    def __repr__(self) -> str:
        run = self.current_run.info.run_id if self.current_run else None
        return f"MLflowManager({self.experiment_name!r}, timeframe={self.timeframe!r}, run={run!r})"

    def close(self) -> None:
        """Ends the current run and closes the store. Every later call raises an exception."""
        self.end_run()
        self._records.close()

    def __enter__(self) -> MLflowManager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self.current_run is not None:
            killed = isinstance(error, KeyboardInterrupt)
            self.end_run("KILLED" if killed else "FAILED", reason=repr(error))
        self.close()

    # Runs

    def start_run(
        self,
        run_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        nested: bool = False,
    ) -> Run:
        """Starts a run. The current run is ended first, unless the new one is nested in it.

        Args:
            run_name: name of the run. Default: ``{timeframe}_{model_type}_{time}``.
            tags: more tags. ``version_type`` and ``promotion_stage`` are set when the model is registered; here they
                may only be ``latest`` and ``development``.

        Raises:
            ConflictError: herdbook manages one of the tags.
        """
        timeframe = self._needed_timeframe()
        given = {str(key): str(value) for key, value in (tags or {}).items()}
        all_tags = {"model_type": self.model_type, "timeframe": timeframe, **given}
        if nested and (parent := self._current_id(needed=False)):
            all_tags.setdefault("mlflow.parentRunId", parent)
        elif self.current_run is not None:
            self.end_run()
        name = run_name or f"{timeframe}_{self.model_type}_{datetime.now():%Y%m%d_%H%M%S}"
        run_id = self._records.start_run(
            experiment=self.experiment_name,
            timeframe=timeframe,
            model=self._model_name(None),
            name=name,
            tags=all_tags,
        )
        self.current_run = self.get_run(run_id)
        self._enter_mlflow(run_id, nested=nested)
        return self.current_run

    def get_run(self, run_id: str) -> Run:
        """Returns a run as it is now.

        Raises:
            NotFoundError: there is no such run.
        """
        return Run._of(self._records.run(run_id))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Logs params to the current run. NumPy's numbers and arrays are converted to Python's.

        Raises:
            InvalidInputError: a param already has another value, or is longer than 6,000 characters. None is logged.
        """
        values = {str(key): str(_plain(value)) for key, value in params.items()}
        self._records.log(self._current_id(), params=values)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Logs metrics to the current run. Values that are not numbers are left out, as in the original.

        Args:
            step: timesteps trained so far. Default: 0.
        """
        values = []
        for key, value in metrics.items():
            number = _plain(value)
            if isinstance(number, (int, float)):
                values.append((str(key), float(number), int(step or 0)))
        self._records.log(self._current_id(), metrics=values)

    def log_artifact(
        self, file_path: str | os.PathLike[str], artifact_path: str | None = None
    ) -> None:
        """Stores a file, or a folder with its content, as artifacts of the current run.

        Args:
            artifact_path: folder among the artifacts.

        Raises:
            InvalidInputError: the file cannot be read, or the path leads outside the artifacts.
        """
        self._records.log_artifact(self._current_id(), file_path, artifact_path)

    log_file_artifact = log_artifact
    log_directory_artifacts = log_artifact

    def log_sb3_model(self, model: Any, model_name: str = "model") -> None:
        """Saves a model of stable-baselines3 as ``models/{timeframe}/{model_name}.zip`` of the current run."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{model_name}.zip"
            model.save(path)
            self.log_artifact(path, f"models/{self._needed_timeframe()}")

    def end_run(
        self, status: Literal["FINISHED", "FAILED", "KILLED"] = "FINISHED", *, reason: str = ""
    ) -> None:
        """Ends the current run, if any. Registering a model has already ended its run."""
        if self.current_run is None:
            return
        run_id = self.current_run.info.run_id
        model = self._model_name(None)
        self._records.end_run(run_id, model=model, status=status, reason=reason)
        self.current_run = None
        self._leave_mlflow(run_id, status)

    # Models

    def register_model_version(
        self,
        model_path: str | os.PathLike[str],
        model_name: str | None = None,
        base_run_id: str | None = None,
        stage: str | None = None,
        promotion_stage: str = "development",
        tags: Mapping[str, str] | None = None,
    ) -> int:
        """Registers the model of a run in development, ends the run and marks its parent ``old``, in one act.

        Args:
            model_path: ``runs:/<run id>/<path of the zip>``, or the name of a file. The file is looked for among the
                models of the current run, then on this machine; the latter is stored as
                ``models/{timeframe}/model.zip``.
            model_name: the registered model. Default: ``{timeframe}_trading_model``.
            base_run_id: the parent's run. Default: the run in the tag ``base_model_run_id``.
            stage: ignored. MLflow's own stage follows the promotion stage.
            promotion_stage: must be ``development``. Use :meth:`promote_model` for other stages.
            tags: more tags of the version. Tags that herdbook computes override them, with a warning.

        Returns:
            The version number.

        Raises:
            ConflictError: the model of the run is already registered, the run failed, or a tag contradicts the rules.
            NotFoundError: there is no such run, file or parent.
        """
        run_id, artifact = self._artifact_of(os.fspath(model_path))
        given = {str(key): str(value) for key, value in (tags or {}).items()}
        given["promotion_stage"] = given.get("promotion_stage", promotion_stage)
        done = self._records.register(
            run_id,
            timeframe=self._needed_timeframe(),
            model=self._model_name(model_name),
            model_type=self._type_of(run_id),
            parent=base_run_id,
            artifact=artifact,
            timesteps=None,
            tags=given,
            parent_here=None,
        )
        for text in done["notes"]:
            note(text)
        _note_clock(done)
        return int(done["version"])

    def update_model_tags(self, run_id: str, new_tags: Mapping[str, str]) -> bool:
        """Sets tags of a run: all of them, or none.

        Raises:
            ConflictError: a tag that herdbook manages would get another value. :meth:`promote_model` changes a stage,
                and registering a child makes its parent ``old``.
        """
        tags = {str(key): str(value) for key, value in new_tags.items()}
        self._records.log(run_id, tags=tags)
        return True

    def find_latest_model(
        self, model_type: str = "base", version_type: str | None = "latest"
    ) -> tuple[str, str] | tuple[None, None]:
        """The newest registered model of a type: its run id and ``runs:/<run id>/models/<timeframe>/model.zip``.

        If there is no model of the type, returns the newest base model, with a warning, else ``(None, None)``.
        """
        found = self._records.find_latest(
            timeframe=self._needed_timeframe(), model_type=model_type, version_type=version_type
        )
        return _found(found, model_type)

    def find_best_model(
        self,
        model_type: str = "base",
        metric: str = "evaluation/best_mean_reward",
        min_timesteps: int = 0,
    ) -> tuple[str, str] | tuple[None, None]:
        """Like :meth:`find_latest_model`, for the best model by the last finite value of a metric."""
        found = self._records.find_best(
            timeframe=self._needed_timeframe(),
            model_type=model_type,
            metric=metric,
            min_timesteps=min_timesteps,
        )
        return _found(found, model_type)

    def find_model(
        self,
        model_type: str = "base",
        search_method: Literal["latest", "best", "version"] = "latest",
        metric: str = "evaluation/best_mean_reward",
        min_timesteps: int = 0,
        version_type: str = "latest",
    ) -> tuple[str, str] | tuple[None, None]:
        """The best model of a type (``best``), or the newest of any (``latest``) or one version type (``version``)."""
        if search_method == "best":
            return self.find_best_model(model_type, metric, min_timesteps)
        if search_method == "version":
            return self.find_latest_model(model_type, version_type)
        if search_method == "latest":
            return self.find_latest_model(model_type, None)
        raise exception(
            "invalid_input",
            f"`{search_method}` is not a search method: give `latest`, `best` or `version`",
        )

    def find_models_by_stage(
        self, promotion_stage: str, timeframe: str | None = None
    ) -> list[dict[str, Any]]:
        """Every version in a stage, newest first. Without a timeframe, of all timeframes.

        Each version has ``name``, ``version``, ``stage`` (MLflow's own), ``promotion_stage``, ``creation_timestamp``
        and ``last_updated_timestamp`` (epoch milliseconds), ``run_id``, ``timeframe``, ``symbol``, ``model_type``,
        ``version_type``, ``honesty``, ``tags``, ``metrics``.
        """
        return self._records.find_by_stage(promotion_stage, timeframe)

    def get_model_stage(self, model_name: str, version: int | str) -> str | None:
        """The promotion stage of a version, or ``None`` if there is no such version."""
        return self._records.stage_of(model_name, _number(version))

    def promote_model(
        self,
        model_name: str,
        version: int | str,
        target_stage: str,
        reason: str | None = None,
        *,
        force: bool = False,
        expect_champion: int | Literal["none"] | None = None,
    ) -> bool:
        """Moves a version to another stage and returns ``True``. A new champion archives the present one in one act.

        Raises:
            ForbiddenTransitionError: the message names the allowed stages.
            ConflictError, ContaminatedError, NotFoundError.
            GateFailedError: an enforced condition of ``herdbook.toml`` is not met.
        """
        done = self._records.promote(
            model_name,
            _number(version),
            target_stage,
            reason=reason,
            force=force,
            expect_champion=None if expect_champion is None else str(expect_champion),
        )
        _note_clock(done)
        return True

    # Comparing

    def fetch_model_metrics(self, run_id: str) -> dict[str, float]:
        """The values of the metrics of a run on which rules decide: those at the registration of its model, or the last finite
        ones if no model of it is registered.

        Raises:
            NotFoundError: there is no such run.
        """
        data = self.get_run(run_id).data
        return dict(data.metrics if data.sealed_metrics is None else data.sealed_metrics)

    def calculate_improvement(
        self, base_metrics: Mapping[str, float], enhanced_metrics: Mapping[str, float]
    ) -> dict[str, float]:
        """``improvement_<metric>`` = 100 · (enhanced − base) / |base|, in percent, for the headline metrics of both.

        A metric whose base value is 0 is left out; the original returned infinity.
        """
        return _native.improvements(dict(base_metrics), dict(enhanced_metrics))

    def log_enhancement_metrics(self, base_run_id: str) -> dict[str, float]:
        """Logs and returns the improvements of the current run over another run, and logs that run as its parent.

        Raises:
            NotFoundError: there is no such run.
        """
        run_id = self._current_id()
        found = self.calculate_improvement(
            self.fetch_model_metrics(base_run_id), self.fetch_model_metrics(run_id)
        )
        self._records.log(
            run_id,
            metrics=[(key, value, 0) for key, value in found.items()],
            tags={"base_model_run_id": self._records.run_id_of(base_run_id)},
        )
        return found

    # Inside

    def _needed_timeframe(self) -> str:
        if self.timeframe is None:
            raise exception(
                "invalid_input",
                "this manager has no timeframe",
                'give one, such as `MLflowManager(timeframe="1H")`',
            )
        return self.timeframe

    def _model_name(self, given: str | None) -> str:
        return given or f"{self._needed_timeframe()}_{_FAMILY}"

    def _current_id(self, *, needed: bool = True) -> str:
        if self.current_run is not None:
            return self.current_run.info.run_id
        mlflow = sys.modules.get("mlflow")
        active = mlflow.active_run() if mlflow is not None else None
        if active is not None:
            return str(active.info.run_id)
        if not needed:
            return ""
        raise exception("invalid_input", "no run is active", "call `start_run` first")

    def _artifact_of(self, path: str) -> tuple[str, str]:
        """The run and the artifact of a model path. A file on this machine is stored as an artifact first."""
        if path.startswith("runs:/"):
            run_id, _, artifact = path.removeprefix("runs:/").strip("/").partition("/")
            return run_id, artifact or f"models/{self._needed_timeframe()}/model.zip"
        run_id = self._current_id()
        folder = f"models/{self._needed_timeframe()}"
        # stable-baselines3 adds the extension `.zip` if it is missing.
        names = [os.path.basename(path), os.path.basename(path) + ".zip"]
        stored = self._records.artifacts(run_id, folder)
        for name in names:
            if name in stored:
                return run_id, f"{folder}/{name}"
        for file in (Path(path), Path(path + ".zip")):
            if file.is_file():
                self._records.store_artifact(run_id, f"{folder}/model.zip", file.read_bytes())
                return run_id, f"{folder}/model.zip"
        raise exception(
            "not_found",
            f"there is no model `{path}` in `{folder}` of run `{run_id}` or on this machine",
            "save it first, or give `runs:/<run id>/<path>`",
        )

    def _type_of(self, run_id: str) -> str:
        """The model type in the tags of the run, else that of the manager."""
        return self.get_run(run_id).data.tags.get("model_type", self.model_type)

    def _enter_mlflow(self, run_id: str, *, nested: bool) -> None:
        """Makes the run MLflow's active run if MLflow is loaded, so that ``mlflow.log_…`` calls log to it too."""
        mlflow = sys.modules.get("mlflow")
        if mlflow is None:
            return
        try:
            mlflow.set_tracking_uri(self._uri or self._records.uri)
            # As in the original. MLflow resumes a run only in the experiment that was set last.
            mlflow.set_experiment(experiment_id=mlflow.get_run(run_id).info.experiment_id)
            mlflow.start_run(run_id=run_id, nested=nested or mlflow.active_run() is not None)
        except Exception:
            self.end_run("FAILED", reason="MLflow could not resume the run")
            raise
        self._in_mlflow = True

    def _leave_mlflow(self, run_id: str, status: str) -> None:
        mlflow = sys.modules.get("mlflow")
        if mlflow is None or not self._in_mlflow:
            return
        active = mlflow.active_run()
        if active is not None and active.info.run_id == run_id:
            mlflow.end_run(status)
        self._in_mlflow = False


def _found(
    found: Mapping[str, Any] | None, model_type: str
) -> tuple[str, str] | tuple[None, None]:
    if found is None:
        return None, None
    if found["fallback"]:
        note(f"there is no `{model_type}` model at {found['timeframe']}; found a base model instead")
    for passed in found["passed_over"]:
        note(f"{passed}, so it is passed over")
    if found["differing"]:
        note(f"the candidates are not comparable: they differ in {', '.join(found['differing'])}")
    return found["run_id"], found["model_path"]


def _note_clock(done: Mapping[str, Any]) -> None:
    """Warns of an act that was stamped with a time in the future of the clock."""
    if ahead := done["ahead_of_clock"]:
        note(
            f"the newest event of this model is from {ahead['newest_event']}, in the future of this machine's clock "
            f"({ahead['clock']}): this act got its time"
        )


def _plain(value: Any) -> Any:
    """Converts numbers and arrays of NumPy and torch to Python's."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


def _number(version: int | str) -> int:
    try:
        return int(version)
    except ValueError:
        raise exception(
            "invalid_input", f"`{version}` is not a version number: versions are 1, 2, 3 …"
        ) from None


_OPEN: weakref.WeakSet[MLflowManager] = weakref.WeakSet()


@atexit.register
def _end_what_is_open() -> None:
    """Ends open runs at exit: FINISHED, or FAILED after an exception."""
    status: Literal["FAILED", "FINISHED"] = "FAILED" if hasattr(sys, "last_value") else "FINISHED"
    for manager in list(_OPEN):
        if manager.current_run is not None:
            try:
                manager.end_run(status)
            except Exception as error:  # noqa: BLE001 - the process ends; the lease of the run expires
                sys.stderr.write(f"herdbook: a run could not be ended: {error}\n")
