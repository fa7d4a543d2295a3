"""Creates the old stores in this folder with real MLflow packages: `python make.py` (needs a network).

Each store is written by MLflow's own client, with the tags of the system that herdbook follows
(`Stock AI Predictor`): run and version tags, `promotion_<local time with seconds>`. The clock is simulated, so that
the times in the records agree with the times in the tags. One model is contradictory on purpose.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Version of MLflow, further packages that mlflow-skinny needs, and the kinds of store to create.
STORES = [
    ("1.30.0", ["sqlalchemy<2", "alembic", "setuptools<81"], ["sqlite"]),
    ("2.9.2", ["sqlalchemy<2.1", "alembic", "setuptools<81"], ["sqlite", "files"]),
    ("2.22.2", ["sqlalchemy<2.1", "alembic"], ["sqlite", "files"]),
    ("3.1.4", ["sqlalchemy<2.1", "alembic"], ["sqlite"]),
    ("3.10.1", ["sqlalchemy<2.1", "alembic"], ["sqlite"]),
]
PYTHON = "python3.11"


def make_all():
    for version, needs, kinds in STORES:
        with tempfile.TemporaryDirectory() as folder:
            programs = Path(folder) / "venv" / "bin"
            subprocess.run([PYTHON, "-m", "venv", programs.parent], check=True)
            pip = [programs / "pip", "--quiet", "install", f"mlflow-skinny=={version}", *needs]
            subprocess.run(pip, check=True)
            for kind in kinds:
                work = Path(folder) / kind
                work.mkdir()
                command = [programs / "python", __file__, kind]
                # The original machine used a named time zone.
                environment = {"PATH": os.environ["PATH"], "TZ": "Europe/Berlin"}
                environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
                subprocess.run(command, cwd=work, env=environment, check=True)
                pack(work, HERE / f"mlflow-{version}-{kind}.tar.gz")


def pack(folder, archive):
    def plain(entry):
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(archive, "w:gz", compresslevel=9) as packed:
        for path in sorted(folder.iterdir()):
            packed.add(path, path.name, filter=plain)
    print(f"{archive.name}: {archive.stat().st_size} bytes")


class Clock:
    """The time that MLflow reads."""

    def __init__(self, start):
        self.now = start

    def __call__(self):
        self.now += 0.001
        return self.now

    def set(self, text):
        """To a local time, as the original wrote it into its tags."""
        import time

        self.now = time.mktime(time.strptime(text, "%Y%m%d_%H%M%S"))


class Original:
    """What the original system wrote, through MLflow's client."""

    def __init__(self, client, clock):
        self.client = client
        self.clock = clock

    def experiment(self, timeframe):
        name = f"stock_trading_rl_{timeframe}"
        found = self.client.get_experiment_by_name(name)
        return found.experiment_id if found else self.client.create_experiment(name)

    def train(self, at, timeframe="1H", kind="base", parent=None, end="FINISHED", model=b"a model", **tags):
        self.clock.set(at)
        every = {"timeframe": timeframe, "model_type": kind, **tags}
        if parent:
            every |= {
                "enhancement_type": kind,
                "base_model_path": f"runs:/{parent}/models/{timeframe}/model.zip",
                "base_model_run_id": parent,
            }
        run = self.client.create_run(self.experiment(timeframe), tags=every).info.run_id
        self.client.set_tag(run, "mlflow.note.content", "two\nlines, ünïcode")
        self.client.log_param(run, "learning_rate", 0.0003)
        self.client.log_param(run, "net_arch", "[64, 64]")
        for step in range(1, 5):
            self.client.log_metric(run, "evaluation/mean_reward", step * 0.25, step=step * 2048)
        self.client.log_metric(run, "evaluation/best_mean_reward", 1.0 + len(kind) / 10, step=8192)
        self.client.log_metric(run, "final/mean_reward", float("nan"), step=8192)
        self.client.log_metric(run, "loss", float("inf"), step=0)
        self.client.log_metric(run, "loss", -2.5e-7, step=1)
        if model:
            self.file(run, f"models/{timeframe}/model.zip", model + run.encode())
        self.file(run, "plots/deep/down/équity.txt", b"0 1 2\n")
        if end:
            self.client.set_tag(run, "version_type", "latest")
            self.client.set_tag(run, "promotion_stage", "development")
            self.client.set_terminated(run, end)
        return run

    def file(self, run, path, content):
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / Path(path).name
            local.write_bytes(content)
            self.client.log_artifact(run, str(local), str(Path(path).parent))

    def register(self, run, timeframe="1H", **changes):
        name = f"{timeframe}_trading_model"
        try:
            self.client.create_registered_model(name)
        except Exception as error:
            assert "exists" in str(error), error
        tags = {key: value for key, value in self.client.get_run(run).data.tags.items() if "mlflow" not in key}
        tags["total_timesteps"] = "8192"
        if "base_model_run_id" in tags:
            tags["enhancement_timestamp"] = "20250609_1200"
            tags["previous_timesteps"] = "8192"
            self.retire(tags["base_model_run_id"])
        tags = {key: value for key, value in {**tags, **changes}.items() if value is not None}
        source = f"{self.client.get_run(run).info.artifact_uri}/models/{timeframe}/model.zip"
        return self.client.create_model_version(name, source, run, tags=tags).version

    def retire(self, parent):
        """Turns a parent's run and versions `old`."""
        try:
            self.client.set_tag(parent, "version_type", "old")
        except Exception:
            return
        for version in self.client.search_model_versions(f"run_id='{parent}'"):
            self.client.set_model_version_tag(version.name, version.version, "version_type", "old")

    def promote(self, version, change, at, reason="passes", timeframe="1H", on_run=True):
        name = f"{timeframe}_trading_model"
        self.clock.set(at)
        target = change.split(" -> ")[1]
        tags = {
            "promotion_stage": target,
            f"promotion_{at}": change,
            "last_promoted_at": at,
            "promotion_reason": reason,
        }
        if change.startswith("champion"):
            tags |= {"demotion_reason": "New champion promoted", "demotion_timestamp": at}
        for key, value in tags.items():
            self.client.set_model_version_tag(name, version, key, value)
        run = self.client.get_model_version(name, version).run_id
        if on_run:
            self.client.set_tag(run, "promotion_stage", target)


def make(kind):
    """Fills `sqlite` or `files` in the working directory, or the server at an address."""
    import time

    clock = Clock(time.time())
    time.time = clock
    from mlflow.tracking import MlflowClient

    places = {"sqlite": "sqlite:///mlflow.db", "files": str(Path("mlruns").resolve())}
    uri = places.get(kind, kind)
    client = MlflowClient(uri, uri)
    herd = Original(client, clock)
    sound(herd)
    contradictory(herd)
    (Path("runs.json")).write_text(json.dumps(herd.runs, indent=1))


def sound(herd):
    """The hourly models keep the rules: a champion, its parent before it, a child on trial."""
    base = herd.train("20250601_090000")
    herd.register(base)
    herd.promote("1", "development -> beta", "20250602_100000", "passes initial validation")
    herd.promote("1", "beta -> champion", "20250603_100000", "the first one")
    second = herd.train("20250609_120000", kind="continued", parent=base)
    herd.register(second)
    herd.promote("2", "development -> beta", "20250610_141733")
    herd.promote("1", "champion -> archived", "20250611_080000", "the first one")
    herd.promote("2", "beta -> champion", "20250611_080001", "better than the first")
    third = herd.train("20250612_120000", kind="replay", parent=second)
    herd.register(third)
    herd.promote("3", "development -> beta", "20250612_150000")
    failed = herd.train("20250613_120000", kind="adaptive", parent=third, end="FAILED", model=None)
    deleted = herd.train("20250613_130000")
    herd.client.delete_run(deleted)
    names = ["base", "second", "third", "failed", "deleted"]
    herd.runs = dict(zip(names, [base, second, third, failed, deleted]))


def contradictory(herd):
    """The four-hourly ones contradict themselves."""
    four = {"timeframe": "4H"}
    first = herd.train("20250701_090000", **four)
    herd.register(first, **four)  # 1: champion, and so is the next
    herd.promote("1", "development -> beta", "20250702_090000", **four)
    herd.promote("1", "beta -> champion", "20250703_090000", **four)
    rival = herd.train("20250704_090000", **four)
    herd.register(rival, **four)  # 2
    herd.promote("2", "development -> beta", "20250705_090000", **four)
    herd.promote("2", "beta -> champion", "20250706_090000", on_run=False, **four)
    lost = herd.train("20250707_090000", kind="continued", parent="0" * 31 + "f", **four)
    herd.register(lost, **four)  # 3: its parent is nowhere
    childless = herd.train("20250708_090000", **four)
    herd.register(childless, version_type="old", **four)  # 4
    child = herd.train("20250709_090000", kind="curriculum", parent=first, **four)
    herd.register(child, **four)  # 5
    herd.client.set_model_version_tag("4H_trading_model", "1", "version_type", "latest")
    herd.register(herd.train("20250710_090000", **four), promotion_stage="beta", **four)  # 6: no history
    herd.register(herd.train("20250711_090000", **four), promotion_stage="production", **four)  # 7
    herd.register(herd.train("20250712_090000", model=None, **four), **four)  # 8: no file
    other = herd.train("20250713_090000", kind="continued", parent=herd.runs["base"], **four)
    herd.register(other, **four)  # 9: an hourly parent
    herd.register(other, **four)  # 10: registered twice
    herd.clock.set("20250714_090000")
    herd.client.delete_model_version("4H_trading_model", "6")
    herd.register(herd.train("20250715_090000", **four), promotion_stage="beta", **four)  # 11: no history, a gap before
    running = herd.train("20250716_090000", end=None, **four)
    alias = getattr(herd.client, "set_registered_model_alias", None)
    if alias:
        alias("4H_trading_model", "champion", "1")
        alias("4H_trading_model", "candidate", "5")
    herd.client.set_registered_model_tag("4H_trading_model", "team", "four hours")
    herd.runs |= {"first": first, "rival": rival, "running": running, "other": other}


if __name__ == "__main__":
    make(sys.argv[1]) if sys.argv[1:] else make_all()
