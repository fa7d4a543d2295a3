"""Records trainings of stable-baselines3 in herdbook, and registers their models.

>>> from herdbook.sb3 import LifecycleCallback
>>> callback = LifecycleCallback(timeframe="1H", eval_env=eval_env)
>>> model.learn(100_000, callback=callback)
"""

from __future__ import annotations

import io
import sys
import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from . import _native, _worker
from ._call import tracking_uri as resolved_uri
from ._errors import HerdbookError, exception, missing
from ._progress import note
from ._results import ParentPath

try:
    import numpy as np
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.evaluation import evaluate_policy
except ImportError as error:
    raise missing("stable-baselines3", "`herdbook.sb3`", "sb3") from error

from . import _env

_N_EVALUATIONS = 20
_PARAMS = (
    "n_steps",
    "batch_size",
    "n_epochs",
    "gamma",
    "gae_lambda",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
    "normalize_advantage",
    "target_kl",
    "buffer_size",
    "learning_starts",
    "tau",
    "train_freq",
    "gradient_steps",
)
#: Metrics logged by stable-baselines3, and their names in herdbook.
_TRAINING = {
    "train/loss": "training/loss",
    "train/policy_gradient_loss": "training/policy_loss",
    "train/value_loss": "training/value_loss",
    "train/approx_kl": "training/approx_kl",
    "train/clip_fraction": "training/clip_fraction",
    "train/explained_variance": "training/explained_variance",
    "train/learning_rate": "training/learning_rate",
    "rollout/ep_rew_mean": "training/mean_episode_reward",
    "rollout/ep_len_mean": "training/mean_episode_length",
}


class LifecycleCallback(BaseCallback):
    """Records a training as a run with metrics and checkpoints, and registers its model at the end.

    When ``model.learn`` returns, the model is evaluated and stored as ``models/{timeframe}/model.zip``. Then one act
    registers it in development, logs its improvements over its parent, and marks the parent ``old``. If ``learn``
    raises, nothing is registered, the parent stays as it is, and the run is FAILED: at once if the callback is used in
    a ``with`` statement, else when the callback is garbage-collected or the process ends.

    On herdbook's own environments, the run logs bars, windows and costs, and the metrics of the validation window
    (``evaluation/*``) and the test window (``final/*``, ``portfolio/*``) are measured as in herdbook's trainer. On any
    other environment, ``eval_env`` and ``test_env`` are evaluated with stable-baselines3's ``evaluate_policy``. A run
    without recorded windows has the honesty ``unknown``.

    Args:
        timeframe: length of one bar. Default: that of herdbook's environment; required on other environments.
        parent: the result of :func:`herdbook.load_parent`, or the parent's run id; ``None`` for a base model.
        model_type: ``base`` or the type of enhancement. Default: ``continued`` with a parent, else ``base``.
        eval_env: environment for ``evaluation/*``, evaluated during the training and at its end.
        test_env: environment for ``final/*`` and ``portfolio/*``, evaluated at the end, on bars that no training has
            seen.
        eval_freq: timesteps between evaluations. Default: a twentieth of the training.
        n_eval_episodes: episodes per evaluation of ``eval_env`` and ``test_env``.
        experiment, model: as in :func:`herdbook.train`.
        params, tags: more params and tags of the run.
        tracking_uri, actor: as in every function.
    """

    def __init__(
        self,
        timeframe: str | None = None,
        *,
        parent: ParentPath | str | None = None,
        model_type: str | None = None,
        eval_env: Any = None,
        test_env: Any = None,
        eval_freq: int | None = None,
        n_eval_episodes: int = 5,
        experiment: str = "stock_trading_rl",
        model: str = "trading_model",
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        tracking_uri: str | None = None,
        actor: str | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        self.timeframe = timeframe
        self.parent_run_id = parent.run_id if isinstance(parent, ParentPath) else parent
        self.model_type = model_type or ("continued" if self.parent_run_id else "base")
        self._envs = (eval_env, test_env)
        self._eval_freq = eval_freq
        self._n_eval_episodes = n_eval_episodes
        self._names = (experiment, model)
        self._given = (dict(params or {}), dict(tags or {}))
        self._records = _worker.records(resolved_uri(tracking_uri), actor=actor)
        self._arena: _native.Arena | None = None
        self._abandon: Any = None
        self._evaluated = 0
        self._best: float | None = None
        self._began_at = 0
        #: Id of the run, once the training has started.
        self.run_id: str | None = None
        #: Number of the registered version, once the training is done.
        self.version: int | None = None
        #: Result of the registration: ``model_path``, ``improvement``, ``honesty`` …
        self.registered: Mapping[str, Any] | None = None

    # Called by stable-baselines3

    def _on_training_start(self) -> None:
        if self.run_id is not None:
            raise exception(
                "invalid_input",
                "this callback has already recorded a training",
                "create a new `LifecycleCallback` for each training",
            )
        self._arena = _env.of(self.training_env)
        timeframe = self._checked_timeframe()
        experiment, family = self._names
        params, tags = self._given
        if self._arena is not None:
            # Saved in the model file as a description of the environment, so that herdbook can run and enhance the
            # model.
            setattr(self.model, "herdbook", self._arena.description())
            params = {**self._arena.params(), **params}
        self._model_name = f"{timeframe}_{family}"
        tags = {**tags, "model_type": self.model_type, "framework": "stable_baselines3"}
        if self.parent_run_id:
            self.parent_run_id = self._records.run_id_of(self.parent_run_id)
            tags["base_model_run_id"] = self.parent_run_id
        self.run_id = self._records.start_run(
            experiment=f"{experiment}_{timeframe}",
            timeframe=timeframe,
            model=self._model_name,
            name=None,
            tags=tags,
        )
        self._abandon = weakref.finalize(self, _abandon, self._records, self.run_id, self._model_name)
        self._began_at = self.num_timesteps
        self._evaluated = self.num_timesteps
        self._records.log(self.run_id, params={**self._params(), **_texts(params)})
        if self._arena is not None:
            closes, artifact = self._arena.closes(), self._arena.CLOSES_ARTIFACT
            self._records.store_artifact(self.run_id, artifact, closes)

    def _on_step(self) -> bool:
        interval = self._eval_freq or max(1, self._asked_for() // _N_EVALUATIONS)
        if self.num_timesteps - self._evaluated >= interval:
            self._evaluated = self.num_timesteps
            self._evaluate()
        return True

    def _on_rollout_end(self) -> None:
        logged = self.model.logger.name_to_value
        found = {ours: logged[theirs] for theirs, ours in _TRAINING.items() if theirs in logged}
        self._log(found)

    def _on_training_end(self) -> None:
        run_id = self._run()
        zipped = self._zip()
        metrics = self._measure(zipped)
        if (mean := metrics.get("evaluation/mean_reward")) is not None:
            self._best = mean if self._best is None else max(self._best, mean)
            metrics["evaluation/best_mean_reward"] = self._best
        self._log(metrics)
        timeframe = self._checked_timeframe()
        artifact = f"models/{timeframe}/model.zip"
        self._records.store_artifact(run_id, artifact, zipped)
        self.registered = self._records.register(
            run_id,
            timeframe=timeframe,
            model=self._model_name,
            model_type=self.model_type,
            parent=self.parent_run_id,
            artifact=artifact,
            timesteps=self.num_timesteps - self._began_at,
            tags={},
            parent_here=self._parent_here(timeframe),
        )
        self._abandon.detach()
        self.version = int(self.registered["version"])
        for text in self.registered["notes"]:
            note(text)

    # For trainings that raise

    def __enter__(self) -> LifecycleCallback:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or self.run_id is None or self.version is not None:
            return
        status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
        self._records.end_run(
            self.run_id, model=self._model_name, status=status, reason=repr(error)
        )
        self._abandon.detach()

    # Inside

    def _run(self) -> str:
        if self.run_id is None:
            raise exception("invalid_input", "the training has not started")
        return self.run_id

    def _checked_timeframe(self) -> str:
        known = None if self._arena is None else self._arena.timeframe
        if self.timeframe is None and known is None:
            raise exception(
                "invalid_input",
                "the environment does not name its timeframe",
                'give `timeframe`, such as `LifecycleCallback(timeframe="1H")`',
            )
        if None not in (self.timeframe, known) and self.timeframe != known:
            raise exception(
                "invalid_input",
                f"the environment has the timeframe `{known}`, but the callback was given `{self.timeframe}`",
            )
        return self.timeframe or str(known)

    def _asked_for(self) -> int:
        return int(getattr(self.model, "_total_timesteps", 0)) - self._began_at

    def _params(self) -> dict[str, str]:
        model: Any = self.model
        found = {name: getattr(model, name) for name in _PARAMS if hasattr(model, name)}
        found.update(
            algorithm=type(model).__name__,
            policy=type(model.policy).__name__,
            n_envs=model.n_envs,
            timesteps=self._asked_for(),
            seed=model.seed,
            learning_rate=model.learning_rate,
        )
        return _texts({name: "none" if value is None else value for name, value in found.items()})

    def _zip(self) -> bytes:
        buffer = io.BytesIO()
        self.model.save(buffer)
        return buffer.getvalue()

    def _log(self, metrics: Mapping[str, Any]) -> None:
        step = int(self.num_timesteps)
        values = [(name, float(value), step) for name, value in metrics.items()]
        if values:
            self._records.log(self._run(), metrics=values)

    def _evaluate(self) -> None:
        """Evaluates on the validation window, and stores the model if it is the best so far."""
        scores = self._validate()
        if scores is None:
            return
        mean, std = scores
        metrics = {"evaluation/mean_reward": mean, "evaluation/std_reward": std}
        if self._best is None or mean > self._best:
            self._best = mean
            name = f"best_model_{self.num_timesteps}.zip"
            folder = f"models/{self._checked_timeframe()}"
            self._records.store_artifact(self._run(), f"{folder}/{name}", self._zip())
        metrics["evaluation/best_mean_reward"] = self._best
        self._log(metrics)

    def _validate(self) -> tuple[float, float] | None:
        eval_env = self._envs[0]
        if eval_env is None and self._arena is not None:
            try:
                return self._arena.validate(self._zip())
            except HerdbookError:
                # herdbook cannot run these networks, so the model is evaluated step by step.
                eval_env = _env.TradingEnv(window="validation", arena=self._arena)
        if eval_env is None:
            return None
        return self._play(eval_env)[:2]

    def _measure(self, zipped: bytes) -> dict[str, float]:
        eval_env, test_env = self._envs
        if self._arena is not None and eval_env is None and test_env is None:
            try:
                return dict(self._arena.measure(zipped))
            except HerdbookError as error:
                note(f"the model is evaluated step by step, because herdbook cannot run it: {error.message}")
                eval_env = _env.TradingEnv(window="validation", arena=self._arena)
                test_env = _env.TradingEnv(window="test", arena=self._arena)
        metrics: dict[str, float] = {}
        if eval_env is not None:
            mean, std, _ = self._play(eval_env)
            metrics.update({"evaluation/mean_reward": mean, "evaluation/std_reward": std})
        if test_env is not None:
            mean, std, growth = self._play(test_env)
            metrics.update({"final/mean_reward": mean, "final/std_reward": std})
            if growth:
                metrics["final/mean_return"] = float(np.mean(growth))
                metrics["portfolio/total_return"] = float(growth[-1])
        return metrics

    def _parent_here(self, timeframe: str) -> Mapping[str, float] | None:
        """The parent's metrics on the windows of this training, or ``None`` if herdbook cannot run the parent."""
        if self._arena is None or self.parent_run_id is None:
            return None
        artifact = f"models/{timeframe}/model.zip"
        path = self._records.artifact_path(self.parent_run_id, artifact, _worker.downloads())
        try:
            return self._arena.measure(path.read_bytes())
        except (HerdbookError, OSError):
            return None

    def _play(self, env: Any) -> tuple[float, float, list[float]]:
        """Mean and standard deviation of the episode rewards, and the total returns if ``info`` has the equity."""
        worth: list[float] = []
        growth: list[float] = []

        def watch(local: dict[str, Any], _: dict[str, Any]) -> None:
            info = local["info"]
            value = info.get("equity", info.get("portfolio_value", info.get("net_worth")))
            if value is not None:
                worth.append(float(value))
            if local["done"] and len(worth) > 1:
                growth.append(worth[-1] / worth[0] - 1.0)
            if local["done"]:
                worth.clear()

        rewards, _ = evaluate_policy(
            self.model,
            env,
            n_eval_episodes=self._n_eval_episodes,
            deterministic=True,
            return_episode_rewards=True,
            callback=watch,
            warn=False,
        )
        return float(np.mean(rewards)), float(np.std(rewards)), growth


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def _abandon(records: _native.Records, run_id: str, model: str) -> None:
    """Ends the run of a callback that is garbage-collected before its training has ended."""
    try:
        records.end_run(run_id, model=model, status="FAILED", reason="the training did not finish")
    except HerdbookError as error:
        sys.stderr.write(f"herdbook: run {run_id} could not be ended: {error}\n")
