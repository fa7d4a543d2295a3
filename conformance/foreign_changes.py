"""Random changes that other programs make to a register: legal calls of MLflow's client, SQL, and bytes of files.

Each change knows whether it changes a fact that the history records. `doctor` and `verify` must name every change of a fact, and
must not complain about any other change.
"""

import io
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from herd import MODEL, forget_histories, training

SEALED_PARAMS = (
    "data.symbol", "data.sha256", "data.train_start", "data.train_end", "data.validation_start", "data.validation_end",
    "data.test_start", "data.test_end", "env.cost_bps",
)
RUN_TAGS = ("timeframe", "model_type", "version_type", "promotion_stage", "honesty")
CHILD_TAGS = ("enhancement_type", "base_model_path", "base_model_run_id")
FOREIGN_MODEL = "other"


@dataclass
class Change:
    """What was changed, and whether the history records it."""

    kind: str
    is_fact: bool
    what: str
    #: Name and number of the version, or the run, that a finding must name; empty if any finding will do.
    version: tuple = ()
    run: str = ""
    #: The tag, column, param, metric or file that the finding must name.
    word: str = ""


@dataclass
class Register:
    """A herd with a history, whose database and files can be set back after each change."""

    herd: object
    #: Name and number of each version that herdbook registered, with its run.
    versions: dict = field(default_factory=dict)
    #: The run of a sweep that was not registered, and the run of another program.
    swept: str = ""
    foreign: str = ""
    saved: dict = field(default_factory=dict)
    client: object = None

    def runs(self):
        return list(self.versions.values())

    def key_of(self, run):
        return next(key for key, of in self.versions.items() if of == run)

    def served(self):
        """The files that MLflow serves as versions."""
        for run in self.runs():
            (folder,) = (self.herd.folder / "mlruns").glob(f"*/{run}/artifacts/models/*")
            yield from ((run, path) for path in sorted(folder.iterdir()))

    def keep(self, path):
        """Remembers a file, or that there is none, before it is changed."""
        self.saved.setdefault(path, path.read_bytes() if path.exists() else None)

    def set_back(self):
        self.restore_database()
        for path, content in self.saved.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        self.saved.clear()
        forget_histories()


class SqliteRegister(Register):
    has_types = False

    def save_database(self):
        self.copy = self.herd.folder / "saved.db"
        with closing(sqlite3.connect(self.herd.database)) as source, closing(sqlite3.connect(self.copy)) as copy:
            source.backup(copy)

    def restore_database(self):
        with closing(sqlite3.connect(self.copy)) as copy, closing(sqlite3.connect(self.herd.database)) as target:
            copy.backup(target)

    def execute(self, sql, *values):
        with closing(sqlite3.connect(self.herd.database, timeout=30)) as connection, connection:
            connection.execute("PRAGMA foreign_keys = on")
            return connection.execute(sql, values).rowcount

    def rows(self, sql, *values):
        with closing(sqlite3.connect(self.herd.database, timeout=30)) as connection:
            return connection.execute(sql, values).fetchall()


class PostgresRegister(Register):
    has_types = True

    def save_database(self):
        self.copy = {}
        with closing(self.herd.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
            for (table,) in cursor.fetchall():
                text = io.StringIO()
                cursor.copy_expert(f'COPY "{table}" TO STDOUT', text)
                self.copy[table] = text.getvalue()

    def restore_database(self):
        with closing(self.herd.connect()) as connection, connection:
            cursor = connection.cursor()
            # Without checks of foreign keys, because tables are filled in any order.
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("TRUNCATE " + ", ".join(f'"{table}"' for table in self.copy))
            for table, text in self.copy.items():
                cursor.copy_expert(f'COPY "{table}" FROM STDIN', io.StringIO(text))

    def execute(self, sql, *values):
        with closing(self.herd.connect()) as connection, connection:
            cursor = connection.cursor()
            cursor.execute(sql.replace("?", "%s"), values)
            return cursor.rowcount

    def rows(self, sql, *values):
        with closing(self.herd.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(sql.replace("?", "%s"), values)
            return cursor.fetchall()


def lived_register(herd, kind):
    """A register with real trainings: parents and children, a champion and a former one, a contaminated version, a run that
    was not registered, and beside them the model of another program."""
    herd.train()
    herd.train("--enhance", "1", "--enhance-type", "continued")
    herd.train("--enhance", "2", "--enhance-type", "replay")
    seen = ("--validation-from", "2017-03-01", "--test-from", "2017-05-01")
    herd.train("--enhance", "1", *seen, "--allow-contaminated")
    herd.train("--seeds", "2")
    herd.train(timeframe="D")
    herd.crown(1, "the first one")
    herd.crown(2, "better than the first")
    herd.promote(3, "beta", "promising")
    herd.promote(3, "development", "not yet")
    herd.ask("promote", "--timeframe", "1H", "--model-version", 4, "--target-stage", "beta",
             "--reason", "shown to the board only", "--force")
    register = kind(herd)
    register.client = herd.client()
    listed = herd.ask("list")
    register.versions = {(entry["name"], entry["version"]): entry["run_id"] for entry in listed}
    make_foreign_records(register)
    register.save_database()
    (register.swept,) = (
        run for (run,) in register.rows("SELECT run_id FROM herdbook_events WHERE kind = 'run_ended'")
        if run not in register.runs()
    )
    return register


def make_foreign_records(register):
    client = register.client
    run = client.create_run("0").info.run_id
    client.log_param(run, "depth", "3")
    client.log_metric(run, "loss", 0.5)
    client.set_tag(run, "team", "research")
    client.set_terminated(run)
    client.create_registered_model(FOREIGN_MODEL)
    client.create_model_version(FOREIGN_MODEL, f"{register.herd.folder}/elsewhere", run)
    client.set_registered_model_alias(MODEL, "candidate", "3")
    client.set_model_version_tag(MODEL, "2", "note", "looked at")
    register.foreign = run


# Changes by SQL.

VERSION_FACTS = ("run_id", "source", "storage_location", "creation_time", "user_id", "current_stage")
VERSION_REST = ("last_updated_time", "description", "status_message", "run_link")
RUN_FACTS = ("status", "start_time", "end_time", "user_id")
RUN_REST = ("name", "source_name", "source_version", "entry_point_name", "deleted_time")
INTEGERS = ("creation_time", "last_updated_time", "start_time", "end_time", "deleted_time", "at_ms")


def other_value(register, rng, column, old):
    """A random value that a column allows and that is not the old one."""
    while True:
        value = random_value(register, rng, column)
        if value != old:
            return value


def random_value(register, rng, column):
    if column in INTEGERS:
        return rng.choice([None, 0, 1, -1, rng.randrange(2**40), 2**62])
    if column == "run_id":
        return rng.choice([*register.runs(), register.swept, register.foreign, "f" * 32, "", None])
    if column == "current_stage":
        return rng.choice(["None", "Staging", "Production", "Archived", None])
    if column == "status":
        return rng.choice(["SCHEDULED", "FAILED", "FINISHED", "RUNNING", "KILLED", None])
    return rng.choice([None, "", "x", "beta", "champion", "clean", "ß∂ \n\t", "0", "a" * 40, f"{rng.random()}"])


def sql_version_column(register, rng):
    is_fact = rng.random() < 0.7
    key = rng.choice([*register.versions, (FOREIGN_MODEL, 1)])
    column = rng.choice(VERSION_FACTS if is_fact else VERSION_REST)
    where = "name = ? AND version = ?"
    ((old,),) = register.rows(f"SELECT {column} FROM model_versions WHERE {where}", *key)
    new = other_value(register, rng, column, old)
    register.execute(f"UPDATE model_versions SET {column} = ? WHERE {where}", new, *key)
    is_fact = is_fact and key[0] != FOREIGN_MODEL
    return Change(f"sql model_versions.{column}", is_fact, f"{key} {old!r} -> {new!r}", version=key, word=column)


def sql_run_column(register, rng):
    is_fact = rng.random() < 0.7
    run = rng.choice([*register.runs(), register.swept, register.foreign])
    column = rng.choice(RUN_FACTS if is_fact else RUN_REST)
    ((old,),) = register.rows(f"SELECT {column} FROM runs WHERE run_uuid = ?", run)
    new = other_value(register, rng, column, old)
    register.execute(f"UPDATE runs SET {column} = ? WHERE run_uuid = ?", new, run)
    is_fact = is_fact and run != register.foreign
    return Change(f"sql runs.{column}", is_fact, f"{run} {old!r} -> {new!r}", run=run, word=column)


def sql_artifact_uri(register, rng):
    run = rng.choice(register.runs())
    new = rng.choice([None, "", "/nowhere", "s3://bucket/x", "/tmp", f"{register.herd.folder}/elsewhere"])
    register.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", new, run)
    return Change("sql runs.artifact_uri", True, f"{run} -> {new!r}", version=register.key_of(run), word="artifact_uri")


def sql_renumber(register, rng):
    key = rng.choice(list(register.versions))
    number = rng.randrange(50, 2**31 - 1)
    register.execute("UPDATE model_versions SET version = ? WHERE name = ? AND version = ?", number, *key)
    return Change("sql version renumbered", True, f"{key} -> {number}", version=(key[0], number))


def sql_version_deleted(register, rng):
    key = rng.choice(list(register.versions))
    register.execute("DELETE FROM model_version_tags WHERE name = ? AND version = ?", *key)
    register.execute("DELETE FROM model_versions WHERE name = ? AND version = ?", *key)
    return Change("sql version deleted", True, f"{key}", version=key, word="no row")


def sql_run_deleted(register, rng):
    run = rng.choice(register.runs())
    for table in ("tags", "params", "metrics", "latest_metrics", "runs"):
        register.execute(f"DELETE FROM {table} WHERE run_uuid = ?", run)
    return Change("sql run deleted", True, run, run=run, word="no row")


def sql_version_tag(register, rng):
    key = rng.choice(list(register.versions))
    tags = dict(register.rows("SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?", *key))
    tag = rng.choice([tag for tag in tags if tag != "note"])
    where = "name = ? AND version = ? AND key = ?"
    if rng.random() < 0.3:
        register.execute(f"DELETE FROM model_version_tags WHERE {where}", *key, tag)
        return Change("sql version tag deleted", True, f"{key} {tag}", version=key, word=tag)
    new = other_tag(register, rng, tag, tags[tag])
    register.execute(f"UPDATE model_version_tags SET value = ? WHERE {where}", new, *key, tag)
    return Change("sql version tag", True, f"{key} {tag} {tags[tag]!r} -> {new!r}", version=key, word=tag)


def other_tag(register, rng, tag, old):
    """Another value of a tag. The database refuses a second champion, and an absent reason is the same as an empty one."""
    while True:
        new = rng.choice(
            ["", "x", "old", "latest", "beta", "archived", "development", "contaminated", "clean", "unknown", "4H", "replay",
             "1", "20300101_0000", "beta -> archived", register.swept, f"{rng.random()}", None]
        )
        if (new or "") != (old or ""):
            return new


def sql_run_tag(register, rng):
    run = rng.choice(register.runs())
    tags = dict(register.rows("SELECT key, value FROM tags WHERE run_uuid = ?", run))
    tag = rng.choice([tag for tag in (*RUN_TAGS, *CHILD_TAGS) if tag in tags])
    if rng.random() < 0.3:
        register.execute("DELETE FROM tags WHERE run_uuid = ? AND key = ?", run, tag)
        return Change("sql run tag deleted", True, f"{run} {tag}", run=run, word=tag)
    new = other_tag(register, rng, tag, tags[tag])
    register.execute("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?", new, run, tag)
    return Change("sql run tag", True, f"{run} {tag} {tags[tag]!r} -> {new!r}", run=run, word=tag)


def sql_invented_history_tag(register, rng):
    key = rng.choice(list(register.versions))
    tag = f"promotion_{rng.randrange(2000, 2060)}0101_1234"
    register.execute(
        "INSERT INTO model_version_tags (key, value, name, version, workspace) VALUES (?, ?, ?, ?, 'default')",
        tag, "beta -> champion", *key,
    )
    return Change("sql history tag added", True, f"{key} {tag}", version=key, word=tag)


def sql_param(register, rng):
    is_fact = rng.random() < 0.7
    run = rng.choice([*register.runs(), *([] if is_fact else [register.swept, register.foreign])])
    params = dict(register.rows("SELECT key, value FROM params WHERE run_uuid = ?", run))
    key = rng.choice([key for key in params if (key in SEALED_PARAMS) == is_fact] or ["depth"])
    if key not in params:
        return None
    if rng.random() < 0.3:
        register.execute("DELETE FROM params WHERE run_uuid = ? AND key = ?", run, key)
    else:
        new = rng.choice(["", "0", "EURUSD", "2030-01-01T00:00:00Z", f"{rng.random()}"])
        if new == params[key]:
            return None
        register.execute("UPDATE params SET value = ? WHERE run_uuid = ? AND key = ?", new, run, key)
    return Change("sql params", is_fact, f"{run} {key}", run=run, word=key)


def sql_latest_metric(register, rng):
    run = rng.choice([*register.runs(), register.swept, register.foreign])
    metrics = register.rows("SELECT key, value FROM latest_metrics WHERE run_uuid = ?", run)
    key, old = rng.choice(metrics)
    where = "run_uuid = ? AND key = ?"
    is_fact = run in register.runs()
    action = rng.choice(["delete", "nan", "value", "step", "timestamp"])
    if action == "delete":
        register.execute(f"DELETE FROM latest_metrics WHERE {where}", run, key)
    elif action == "nan":
        register.execute(f"UPDATE latest_metrics SET is_nan = {'true' if register.has_types else 1} WHERE {where}", run, key)
    elif action == "value":
        new = rng.choice([9.9, -1e300, 0.125, 1.7976931348623157e308, old + 1, old * 1.0000001 + 1e-9])
        register.execute(f"UPDATE latest_metrics SET value = ? WHERE {where}", new, run, key)
    elif action == "step":
        register.execute(f"UPDATE latest_metrics SET step = step + ? WHERE {where}", rng.choice([1, -1, 10**12]), run, key)
    else:
        register.execute(f"UPDATE latest_metrics SET timestamp = timestamp + 1 WHERE {where}", run, key)
        is_fact = False
    return Change(f"sql latest_metrics {action}", is_fact, f"{run} {key}", run=run, word=key)


def sql_metric_history(register, rng):
    """The sealed value is taken out of the course of a metric. The course of a training is not sealed."""
    run = rng.choice(register.runs())
    metrics = register.rows("SELECT key, value, step FROM latest_metrics WHERE run_uuid = ?", run)
    key, value, step = rng.choice(metrics)
    is_fact = not key.startswith("training/")
    register.execute("UPDATE metrics SET value = ? WHERE run_uuid = ? AND key = ? AND value = ?", value + 1, run, key, value)
    return Change("sql metrics", is_fact, f"{run} {key}", run=run, word=key)


def sql_event(register, rng):
    ids = [number for (number,) in register.rows("SELECT id FROM herdbook_events ORDER BY id")]
    event = rng.choice(ids)
    column = rng.choice(["act_id", "at_ms", "actor", "reason", "from_state", "to_state", "details", "hash", "name", "kind"])
    ((old,),) = register.rows(f"SELECT {column} FROM herdbook_events WHERE id = ?", event)
    new = old + 1 if column == "at_ms" else rng.choice(["x", "beta", "{}"])
    if new == old:
        return None
    register.execute(f"UPDATE herdbook_events SET {column} = ? WHERE id = ?", new, event)
    return Change(f"sql herdbook_events.{column}", True, f"{event} {new!r}")


def sql_events_deleted(register, rng):
    ids = [number for (number,) in register.rows("SELECT id FROM herdbook_events ORDER BY id")]
    first = rng.choice(ids)
    last = rng.choice([first, ids[-1], rng.choice(ids)])
    register.execute("DELETE FROM herdbook_events WHERE id BETWEEN ? AND ?", min(first, last), max(first, last))
    return Change("sql herdbook_events deleted", True, f"{first} to {last}")


def sql_registrations(register, rng):
    table, column, value = rng.choice(
        [("herdbook_registrations", "honesty", "unknown"), ("herdbook_seals", "honesty", "unknown"),
         ("herdbook_seals", "symbol", "XX"), ("herdbook_sealed_metrics", "value", 9.9)]
    )
    register.execute(f"UPDATE {table} SET {column} = ? WHERE version = 1", value)
    return Change(f"sql {table}", True, column)


def sql_free_rows(register, rng):
    """Rows of which the history knows nothing."""
    run = rng.choice([*register.runs(), register.swept, register.foreign])
    what, sql, *values = rng.choice(
        [
            ("run tag", "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", f"note.{rng.random()}", "x", run),
            ("param", "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", f"p{rng.random()}", "x", run),
            ("version tag", "UPDATE model_version_tags SET value = ? WHERE key = 'note'", f"{rng.random()}"),
            ("model", "UPDATE registered_models SET description = ?", "x"),
            ("experiment", "UPDATE experiments SET last_update_time = ?", rng.randrange(2**40)),
            ("alias", "UPDATE registered_model_aliases SET version = ? WHERE alias = 'candidate'", rng.choice([1, 2, 4])),
            ("swept run", "UPDATE tags SET value = ? WHERE key = 'honesty' AND run_uuid = ?", "x", register.swept),
        ]
    )
    register.execute(sql, *values)
    return Change(f"sql free {what}", False, f"{values}")


def sql_bad_value(register, rng):
    """A value that the column does not allow; only SQLite takes it."""
    if register.has_types:
        return None
    table, column = rng.choice(
        [("model_versions", "creation_time"), ("model_versions", "last_updated_time"), ("model_versions", "description"),
         ("model_versions", "run_id"), ("model_version_tags", "value"), ("tags", "value"), ("params", "value"),
         ("latest_metrics", "value"), ("latest_metrics", "step"), ("latest_metrics", "timestamp"), ("runs", "start_time"),
         ("runs", "end_time"), ("runs", "user_id"), ("runs", "name"), ("registered_models", "description"),
         ("registered_models", "creation_time"), ("experiments", "creation_time"), ("herdbook_events", "at_ms"),
         ("herdbook_events", "details"), ("herdbook_events", "kind"), ("herdbook_registrations", "event_id")]
    )
    value = rng.choice([b"\xff\xfe", b"\x00"]) if column not in INTEGERS else rng.choice(["yesterday", b"\xff", 1e300])
    rowids = [number for (number,) in register.rows(f"SELECT rowid FROM {table}")]
    try:
        register.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", value, rng.choice(rowids))
    except sqlite3.IntegrityError:
        return None
    return Change(f"sql bad value in {table}.{column}", True, f"{value!r}", word=column)


# Legal calls of MLflow's client.


def client_tag(register, rng):
    name, number = key = rng.choice(list(register.versions))
    tags = dict(register.rows("SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?", *key))
    if rng.random() < 0.3:
        register.client.set_model_version_tag(name, str(number), f"note{rng.randrange(9)}", "seen")
        return Change("client version tag, free", False, f"{key}")
    tag = rng.choice([tag for tag in tags if tag != "note"])
    if rng.random() < 0.3:
        register.client.delete_model_version_tag(name, str(number), tag)
    else:
        new = other_tag(register, rng, tag, tags[tag])
        register.client.set_model_version_tag(name, str(number), tag, new if new is not None else "")
    return Change("client version tag", True, f"{key} {tag}", version=key, word=tag)


def client_run_tag(register, rng):
    run = rng.choice([*register.runs(), register.foreign])
    tags = dict(register.rows("SELECT key, value FROM tags WHERE run_uuid = ?", run))
    managed = [tag for tag in (*RUN_TAGS, *CHILD_TAGS) if tag in tags]
    if rng.random() < 0.4 or run == register.foreign:
        register.client.set_tag(run, f"note{rng.randrange(9)}", "seen")
        return Change("client run tag, free", False, run)
    tag = rng.choice(managed)
    if rng.random() < 0.3:
        register.client.delete_tag(run, tag)
    else:
        register.client.set_tag(run, tag, other_tag(register, rng, tag, tags[tag]) or "")
    return Change("client run tag", True, f"{run} {tag}", run=run, word=tag)


def client_metric(register, rng):
    """A value at a later step replaces the last one; a value before it, or of a new name, does not."""
    run = rng.choice([*register.runs(), register.swept, register.foreign])
    metrics = register.rows("SELECT key, value, step FROM latest_metrics WHERE run_uuid = ?", run)
    key, value, step = rng.choice(metrics)
    case = rng.choice(["later", "later", "earlier", "new name"])
    if case == "new name":
        register.client.log_metric(run, f"mine/{rng.randrange(9)}", 1.0, step=10**9)
    elif case == "earlier":
        register.client.log_metric(run, key, 9.9, step=step - rng.randrange(1, 1000))
    else:
        register.client.log_metric(run, key, rng.choice([9.9, value - 1, 1e9]), step=10**9)
    is_fact = case == "later" and run in register.runs()
    return Change(f"client log_metric, {case}", is_fact, f"{run} {key}", run=run, word=key)


def client_free(register, rng):
    """Calls that change nothing that the history records."""
    client = register.client
    run = rng.choice([*register.runs(), register.swept, register.foreign])
    name, number = rng.choice(list(register.versions))
    (what, call) = rng.choice(
        [
            ("log_param", lambda: client.log_param(run, f"p{rng.random()}", "x")),
            ("update_model_version", lambda: client.update_model_version(name, str(number), "a description")),
            ("update_registered_model", lambda: client.update_registered_model(name, "a description")),
            ("set_registered_model_tag", lambda: client.set_registered_model_tag(name, "team", "x")),
            ("alias", lambda: client.set_registered_model_alias(name, "shadow", str(number))),
            ("update_run", lambda: client.update_run(run, name="another name")),
            ("create_run", lambda: client.create_run("0")),
            ("create_experiment", lambda: client.create_experiment(f"e{rng.random()}")),
            ("create_model_version", lambda: client.create_model_version(FOREIGN_MODEL, "/nowhere", register.foreign)),
            ("foreign stage", lambda: client.transition_model_version_stage(FOREIGN_MODEL, "1", "Production")),
            ("foreign alias", lambda: client.set_registered_model_alias(FOREIGN_MODEL, "champion", "1")),
            ("delete foreign", lambda: client.delete_model_version(FOREIGN_MODEL, "1")),
            ("log_batch", lambda: client.log_batch(run, tags=[])),
        ]
    )
    call()
    return Change(f"client {what}", False, f"{name} {number} {run}")


def client_alias(register, rng):
    if rng.random() < 0.5:
        register.client.delete_registered_model_alias(MODEL, "champion")
    else:
        register.client.set_registered_model_alias(MODEL, "champion", rng.choice(["1", "3", "4"]))
    return Change("client alias champion", True, "moved or deleted")


def client_stage(register, rng):
    name, number = key = rng.choice(list(register.versions))
    ((old,),) = register.rows("SELECT current_stage FROM model_versions WHERE name = ? AND version = ?", *key)
    new = rng.choice([stage for stage in ("None", "Staging", "Production", "Archived") if stage != old])
    register.client.transition_model_version_stage(name, str(number), new)
    return Change("client stage", True, f"{key} {old} -> {new}", version=key, word="current_stage")


def client_status(register, rng):
    run = rng.choice([*register.runs(), register.swept])
    register.client.set_terminated(run, rng.choice(["FINISHED", "FAILED", "KILLED"]))
    return Change("client set_terminated", True, run, run=run)


def client_tagged_version(register, rng):
    """A version with a stage and no history."""
    tags = {"promotion_stage": rng.choice(["development", "beta", "archived"]), "timeframe": "1H", "model_type": "base"}
    version = register.client.create_model_version(MODEL, "/nowhere", register.foreign, tags=tags)
    return Change("client version with a stage", True, version.version, version=(MODEL, int(version.version)))


# Changes of files.


def file_byte(register, rng):
    run, path = rng.choice(list(register.served()))
    register.keep(path)
    content = bytearray(path.read_bytes())
    action = rng.choice(["byte", "byte", "cut", "delete", "append"])
    if action == "byte":
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif action == "cut":
        del content[rng.randrange(len(content)):]
    elif action == "append":
        content += b" "
    if action == "delete":
        path.unlink()
    else:
        path.write_bytes(content)
    return Change(f"file {action}", True, path.name, version=register.key_of(run), word=path.name)


def file_by_client(register, rng):
    """A served file is replaced through MLflow."""
    run, path = rng.choice(list(register.served()))
    register.keep(path)
    replacement = register.herd.folder / path.name
    register.keep(replacement)
    replacement.write_bytes(path.read_bytes() + b"\n")
    register.client.log_artifact(run, str(replacement), f"models/{path.parent.name}")
    return Change("file by log_artifact", True, path.name, version=register.key_of(run), word=path.name)


def file_free(register, rng):
    """Files beside the served ones, and one that MLflow itself writes into a served folder."""
    run, path = rng.choice(list(register.served()))
    target = rng.choice([path.parent / "registered_model_meta", path.parent.parent.parent / "notes.txt", path.parent / "notes.txt"])
    register.keep(target)
    target.write_text("x")
    return Change("file added", False, target.name)


CHANGES = (
    [sql_version_column] * 4 + [sql_run_column] * 3 + [sql_version_tag] * 4 + [sql_run_tag] * 2 + [sql_param] * 3
    + [sql_latest_metric] * 4 + [sql_metric_history] * 2 + [sql_event] * 2 + [sql_free_rows] * 2 + [sql_bad_value] * 3
    + [client_tag] * 3 + [client_run_tag] * 3 + [client_metric] * 4 + [client_free] * 3 + [file_byte] * 3
    + [sql_artifact_uri, sql_renumber, sql_version_deleted, sql_run_deleted, sql_invented_history_tag, sql_events_deleted,
       sql_registrations, client_alias, client_stage, client_status, client_tagged_version, file_by_client, file_free]
)


def random_change(register, rng):
    """Makes a random change and returns it."""
    while True:
        if change := rng.choice(CHANGES)(register, rng):
            return change
        register.set_back()


# The kinds of findings whose message does not repeat the name of what was changed.
KINDS = {"promotion_stage": "stage", "version_type": "version_type", "current_stage": "mlflow_stage"}


def names(breaches, change):
    """Whether a finding names the version or run that was changed, and the tag, column, param, metric or file."""
    return any(
        is_about(breach, change)
        and (change.word in breach["message"] or KINDS.get(change.word) == breach["kind"])
        for breach in breaches
    )


def is_about(breach, change):
    if not (change.version or change.run):
        return True
    of_version = change.version and (breach["name"], breach["version"]) == tuple(change.version)
    return of_version or (change.run and (breach["run_id"] == change.run or change.run in breach["message"]))
