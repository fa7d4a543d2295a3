"""Checks the invariants of the records directly in the database, without herdbook or MLflow."""

import hashlib
import json
from contextlib import closing
from pathlib import Path

GENESIS = "0" * 64
MLFLOW_STAGES = {
    "development": "Staging",
    "beta": "Staging",
    "champion": "Production",
    "archived": "Archived",
}
SHARED_TAGS = (
    "timeframe",
    "model_type",
    "version_type",
    "promotion_stage",
    "enhancement_type",
    "base_model_path",
    "base_model_run_id",
    "honesty",
)
HASHED = (
    "id, act_id, at_ms, actor, channel, kind, name, version, run_id, from_state, to_state, reason,"
    " parent_run_id, details, previous_hash"
)


def assert_hold(herd):
    """Fails with a list of all breaches in one consistent snapshot of the records."""
    with closing(herd.records()) as connection:
        breaches = [
            *damage(connection),
            *broken_chain(connection),
            *champion_breaches(connection),
            *run_breaches(connection),
        ]
        for version in live_versions(connection):
            breaches += version_breaches(connection, version)
    assert not breaches, "\n".join(breaches)


def damage(connection):
    for (problem,) in connection.execute("PRAGMA integrity_check"):
        if problem != "ok":
            yield f"the database is damaged: {problem}"
    for row in connection.execute("PRAGMA foreign_key_check"):
        yield f"a row of `{row[0]}` points at nothing in `{row[2]}`"


def broken_chain(connection):
    previous = GENESIS
    rows = connection.execute(f"SELECT {HASHED}, hash FROM herdbook_events ORDER BY id")
    for place, (*fields, sealed) in enumerate(rows, start=1):
        text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
        if fields[0] != place:
            yield f"event {place} is missing: the next one is {fields[0]}"
        if fields[-1] != previous:
            yield f"event {place} does not follow the one before it"
        if hashlib.sha256(text.encode()).hexdigest() != sealed:
            yield f"event {place} is not what was sealed"
        previous = sealed


def champion_breaches(connection):
    tagged = connection.execute(
        "SELECT name, version FROM model_version_tags"
        " WHERE key = 'promotion_stage' AND value = 'champion' ORDER BY name, version"
    ).fetchall()
    champions = {}
    for name, version in tagged:
        if name in champions:
            yield f"{name} has two champions: {champions[name]} and {version}"
        champions[name] = version
    aliases = connection.execute(
        "SELECT name, version FROM registered_model_aliases WHERE alias = 'champion'"
    )
    aliases = {name: version for name, version in aliases}
    if aliases != champions:
        yield f"the alias points at {aliases}, the champions are {champions}"


def run_breaches(connection):
    """A run of herdbook is FINISHED if and only if its model was registered, or it belongs to a sweep."""
    runs = connection.execute(
        "SELECT run_uuid, status, EXISTS (SELECT 1 FROM herdbook_events e"
        "  WHERE e.run_id = run_uuid AND e.kind = 'registered') AS registered,"
        " EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = runs.run_uuid"
        "  AND t.key IN ('version_type', 'promotion_stage')) AS tagged,"
        " EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = runs.run_uuid"
        "  AND t.key = 'herdbook.sweep') AS one_of_several,"
        " EXISTS (SELECT 1 FROM herdbook_leases l WHERE l.run_uuid = runs.run_uuid) AS leased"
        " FROM runs WHERE run_uuid IN"
        "  (SELECT run_id FROM herdbook_events WHERE kind = 'run_started')"
    )
    for run in runs:
        name = f"run {run['run_uuid']} is {run['status']}"
        is_finished = run["status"] == "FINISHED"
        is_expected = run["registered"] or (is_finished and run["one_of_several"])
        if is_finished != bool(is_expected):
            yield f"{name}, and its model registered: {bool(run['registered'])}"
        if run["tagged"] != run["registered"]:
            yield f"{name}, and carries tags of a registered model: {bool(run['tagged'])}"
        if (run["status"] == "RUNNING") != bool(run["leased"]):
            yield f"{name}, and has a lease: {bool(run['leased'])}"


def live_versions(connection):
    return connection.execute(
        "SELECT name, version, run_id, current_stage FROM model_versions"
        " WHERE current_stage <> 'Deleted_Internal' AND EXISTS (SELECT 1 FROM herdbook_events e"
        "  WHERE e.name = model_versions.name AND e.version = model_versions.version)"
    ).fetchall()


def version_breaches(connection, version):
    key = (version["name"], version["version"])
    who = f"{key[0]} version {key[1]}"
    tags = dict(
        connection.execute(
            "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?", key
        )
    )
    run_tags = dict(
        connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", [version["run_id"]])
    )
    for tag in SHARED_TAGS:
        if tags.get(tag) != run_tags.get(tag):
            yield f"{who} has {tag} {tags.get(tag)}, its run {run_tags.get(tag)}"
    history = connection.execute(
        "SELECT kind, from_state, to_state, details FROM herdbook_events"
        " WHERE name = ? AND version = ? ORDER BY id",
        key,
    ).fetchall()
    yield from history_breaches(who, version, tags, history)
    yield from lineage_breaches(connection, who, version, tags)
    yield from file_breaches(connection, who, version, history)


def history_breaches(who, version, tags, history):
    stages = [e for e in history if e["kind"] in ("registered", "adopted", "stage_changed")]
    stage = tags.get("promotion_stage")
    if not stages or stages[-1]["to_state"] != stage:
        yield f"{who} is tagged {stage}, its history ends in {[e['to_state'] for e in stages]}"
    for before, after in zip(stages, stages[1:]):
        if after["from_state"] != before["to_state"]:
            yield f"{who} went from {after['from_state']} after it came to {before['to_state']}"
    if version["current_stage"] != MLFLOW_STAGES.get(stage):
        yield f"{who} is {stage}, to MLflow it is {version['current_stage']}"
    changes = [f"{e['from_state']} -> {e['to_state']}" for e in stages if e["kind"] == "stage_changed"]
    recorded = [value for key, value in tags.items() if is_change(key)]
    if sorted(changes) != sorted(recorded):
        yield f"{who} went through {changes}, its tags tell of {recorded}"


def is_change(key):
    """Whether a tag is `promotion_<YYYYMMDD_HHMM>`, with or without a suffix for further changes in that minute."""
    rest = key.removeprefix("promotion_")
    return rest != key and rest[:1].isdigit()


def lineage_breaches(connection, who, version, tags):
    (children,) = connection.execute(
        "SELECT count(*) FROM herdbook_events WHERE kind = 'registered' AND parent_run_id = ?",
        [version["run_id"]],
    ).fetchone()
    expected = "old" if children else "latest"
    if tags.get("version_type") != expected:
        yield f"{who} has {children} registered children and is {tags.get('version_type')}"


def file_breaches(connection, who, version, history):
    registered = next((e for e in history if e["kind"] == "registered"), None)
    if registered is None:
        return
    details = json.loads(registered["details"])
    # The file of an imported model may be missing; the audit of the import reports it.
    if details["model_file"] is None and "imported" in details:
        return
    (folder,) = connection.execute(
        "SELECT artifact_uri FROM runs WHERE run_uuid = ?", [version["run_id"]]
    ).fetchone()
    path = Path(folder.removeprefix("file://")) / details["model_file"]
    if not path.is_file():
        yield f"{who} has no model file at {path}"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != details["model_sha256"]:
        yield f"the model file of {who} is not the one that was registered"
