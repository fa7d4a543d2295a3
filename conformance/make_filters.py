"""Writes `crates/herdbook-domain/tests/it/filters.tsv`: filters, and what MLflow 3.17.2 makes of them.

Run it by hand when the supported MLflow changes: `python conformance/make_filters.py`.
"""

import itertools
import json
import random
from pathlib import Path

import mlflow
from mlflow.utils import search_logged_model_utils as logged
from mlflow.utils.search_utils import (
    SearchExperimentsUtils,
    SearchModelUtils,
    SearchModelVersionUtils,
    SearchUtils,
)

TARGET = Path(__file__).parent.parent / "crates/herdbook-domain/tests/it/filters.tsv"
KINDS = {
    "runs": SearchUtils,
    "experiments": SearchExperimentsUtils,
    "registered-models": SearchModelUtils,
    "model-versions": SearchModelVersionUtils,
}
NAMES = """
metrics.loss metric.loss metrics.`a/b` metrics."a b" metrics.'a-b' metrics.a/b metrics.a-b metrics.a.b metrics.m.`x y`
`metrics`.loss METRICS.loss params.lr param.lr parameter.lr parameters.lr params.`learning rate` params.order params.group
tags.env tag.env tags.mlflow.user tags.`mlflow.parentRunId` tags.user tags."x" tags.1a tags._x
name `name` "name" 'name' run_id status user_id artifact_uri run_name "run name" `Run Name` start_time end_time created Created
attribute.name attributes.name attr.status run.status attribute.run_id attributes.run_id attribute.version_number
dataset.name datasets.digest dataset.context dataset.other experiment_id attribute.experiment_id creation_time
last_update_time version_number source_path last_updated_timestamp creation_timestamp model_id model_type source_run_id
attributes.model_id nothing nothing.x .x x. 1 'text' ä metrics.ä
""".split("\n")
OPERATORS = ["=", "!=", "<", "<=", ">", ">=", "LIKE", "like", "ILIKE", "IN", "NOT IN", "not in", "IS NULL", "is not null", "==", "<>", "~", "NOT LIKE", "BETWEEN"]
VALUES = ["1", "-1.5", "1e3", ".5", "1.", "1E-3", "+1", "NaN", "inf", "'1'", "'text'", '"text"', "`text`", "text", "''", "'it''s'", "\"it's\"", "'a%'", "('a')", "('a', 'b')", "('a','b',)", '("a", \'b\')', "()", "(1)", "('a' 1)", "NULL", "true", "9223372036854775807"]
WHOLE = [
    "", "  ", "AND", "metrics.loss > 1 AND", "AND metrics.loss > 1", "metrics.loss > 1 metrics.acc < 2",
    "metrics.loss > 1 and params.lr = '1' AnD tags.env LIKE 'x%'", "metrics.loss > 1 OR metrics.loss < 0",
    "NOT metrics.loss > 1", "(metrics.loss > 1)", "metrics.loss > 1; metrics.loss < 2", "metrics.loss > 1;", "1 < metrics.loss",
    "metrics.loss>1", "metrics.loss>=1AND tags.env='x'", "params.lr='a'AND params.b='c'", "metrics.loss > 1 -- note",
    "metrics.loss > 1 /* note */ AND tags.env = 'x'", "metrics.loss", "metrics.loss >", "> 1", "tags.env = 'a' 'b'",
    "tags.env = 'unclosed", "tags.`unclosed = 'x'", "tags.env\n=\t'x'", "tags.env = 'x'\n\nAND\n\nparams.a = 'b'",
    "name = 'AND'", "tags.`AND` = 'x'", "tags.env = ' AND '", "params.a IS NULL AND params.b IS NOT NULL", 
    "run_id IN ('a') AND status = 'FINISHED'", "run_id  NOT   IN ('a')", "name ILIKE '%x%' AND tag.`mlflow.prompt.is_prompt` != 'true'",
    "name LIKE 'x_' AND tags.k = 'v' AND tags.j = 'w'", "version_number = '3'", "version_number = 'x'", "version_number > 1.5",
]


def compared(condition, kind):
    """One condition in the words of herdbook, once the store's own checks have passed."""
    utils, key_type, key = KINDS[kind], condition["type"], condition["key"]
    comparator, value = condition["comparator"].upper(), condition["value"]
    if kind == "runs":
        key = SearchUtils.translate_key_alias(key)
        checks = [utils.is_metric, utils.is_param, utils.is_tag, utils.is_dataset]
        known = any(check(key_type, comparator) for check in checks)
        assert known or utils.is_attribute(key_type, key, comparator)
    elif kind == "experiments":
        assert utils.is_tag(key_type, comparator) or utils.is_string_attribute(key_type, key, comparator) or utils.is_numeric_attribute(key_type, key, comparator)
    else:
        is_number = utils.is_numeric_attribute(key_type, key, comparator)
        assert is_number or utils.is_tag(key_type, comparator) or utils.is_string_attribute(key_type, key, comparator)
        if is_number:
            value = int(value)
    if isinstance(value, tuple) != (comparator in ("IN", "NOT IN")):
        raise ValueError("the database refuses a list here, or a text")
    if key_type == "metric":
        value = float(value)
    return [key_type, key, comparator, list(value) if isinstance(value, tuple) else value]


def result(kind, text):
    try:
        if kind == "logged-models":
            parsed = [
                [{"attributes": "attribute", "metrics": "metric", "params": "parameter", "tags": "tag"}[c.entity.type.value], c.entity.key, c.op, list(c.value) if isinstance(c.value, tuple) else c.value]
                for c in logged.parse_filter_string(text)
            ]
            columns = {column.name for column in logged.SqlLoggedModel.__table__.columns}
            assert all(kind != "attribute" or key in columns for kind, key, *_ in parsed)
            assert all(isinstance(value, list) == (op in ("IN", "NOT IN")) for *_, op, value in parsed)
        else:
            parsed = [compared(c, kind) for c in KINDS[kind].parse_search_filter(text)]
        return json.dumps(parsed, ensure_ascii=False)
    except Exception:
        return "refused"


def main():
    assert mlflow.__version__ == "3.17.2"
    rng = random.Random(16)
    names = [name for line in NAMES for name in line.split()] + ['"run name"', "`Run Name`", "params.`learning rate`", 'metrics."a b"']
    pairs = [f"{n} {o}" if o.upper().startswith("IS ") else f"{n} {o} {v}" for n, o, v in itertools.product(names, OPERATORS, VALUES)]
    lines = []
    for kind in [*KINDS, "logged-models"]:
        # Here MLflow takes names with `/` and `-` without quotes, numbers for texts, and `inf`. We do not.
        odd = ("a/b", "a-b", "(1)", "LIKE text", "like text", "NaN", "inf") if kind == "logged-models" else ()
        good = [text for text in rng.sample(pairs, 12_000) if result(kind, text) != "refused"]
        chosen = WHOLE + rng.sample(sorted(set(good)), min(120, len(set(good)))) + rng.sample(pairs, 80)
        lines += [f"{kind}\t{json.dumps(text, ensure_ascii=False)}\t{result(kind, text)}\n" for text in dict.fromkeys(chosen) if not any(part in text for part in odd)]
    TARGET.write_text("".join(lines), encoding="utf-8")


main()
