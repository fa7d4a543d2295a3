//! Filters are read as MLflow reads them. `filters.tsv` holds its answers (`conformance/make_filters.py` writes it).

use herdbook_domain::filter::{
    Condition, DatasetField, Field, FilterError, Operand, Order, Searched, parse_filter,
    parse_order,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn searched(name: &str) -> Searched {
    match name {
        "runs" => Searched::Runs,
        "experiments" => Searched::Experiments,
        "registered-models" => Searched::RegisteredModels,
        "model-versions" => Searched::ModelVersions,
        "logged-models" => Searched::LoggedModels,
        _ => panic!("{name}"),
    }
}

/// A condition in the form of the file: kind of field, key, comparison, operand.
fn shown(condition: &Condition) -> Value {
    let (kind, key) = match &condition.field {
        Field::Metric(key) => ("metric", key.as_str()),
        Field::Param(key) => ("parameter", key.as_str()),
        Field::Tag(key) => ("tag", key.as_str()),
        Field::Dataset(DatasetField::Name) => ("dataset", "name"),
        Field::Dataset(DatasetField::Digest) => ("dataset", "digest"),
        Field::Dataset(DatasetField::Context) => ("dataset", "context"),
        Field::Attribute(column) => ("attribute", *column),
    };
    let operand = match &condition.operand {
        Operand::Integer(number) => json!(number),
        Operand::Number(number) => json!(number),
        Operand::Text(text) => json!(text),
        Operand::List(texts) => json!(texts),
        Operand::Nothing => Value::Null,
    };
    json!([kind, key, condition.comparison.as_str(), operand])
}

/// The columns under which a filter's attributes are stored, where the answer has another name.
fn stored(mut expected: Value) -> Value {
    for condition in expected.as_array_mut().unwrap() {
        if condition[0] == "attribute" {
            condition[1] = match condition[1].as_str().unwrap() {
                "source_path" => json!("source"),
                "version_number" => json!("version"),
                other => json!(other),
            };
        }
    }
    expected
}

/// Whether two answers are equal. Numbers are compared by value.
fn agree(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(a, b))
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => ours == theirs,
    }
}

#[test]
fn filters_are_read_as_mlflow_reads_them() {
    let mut differences = Vec::new();
    for line in include_str!("filters.tsv").lines() {
        let [kind, text, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let text: String = serde_json::from_str(text).unwrap();
        let ours = parse_filter(searched(kind), &text);
        let agrees = match (&ours, expected) {
            (Err(_), "refused") => true,
            (Ok(ours), expected) if expected != "refused" => {
                let ours = ours.iter().map(shown).collect();
                agree(&ours, &stored(serde_json::from_str(expected).unwrap()))
            }
            _ => false,
        };
        if !agrees {
            differences.push(format!("{kind}: {text:?}\n  MLflow: {expected}\n  ours: {ours:?}"));
        }
    }
    assert!(differences.is_empty(), "{}\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn order_is_by_a_field_and_a_direction() {
    let metric = |key: &str| Field::Metric(key.to_owned());
    for (searched, clause, field, is_descending) in [
        (Searched::Runs, "metrics.loss", metric("loss"), false),
        (Searched::Runs, "metrics.`a b` desc", metric("a b"), true),
        (Searched::Runs, "start_time DESC", Field::Attribute("start_time"), true),
        (Searched::Runs, "attribute.Created asc", Field::Attribute("start_time"), false),
        (Searched::Experiments, "name", Field::Attribute("name"), false),
        (
            Searched::RegisteredModels,
            "timestamp",
            Field::Attribute("last_updated_timestamp"),
            false,
        ),
        (Searched::ModelVersions, "version_number DESC", Field::Attribute("version"), true),
    ] {
        let order = parse_order(searched, clause).unwrap();
        assert_eq!(order, Order { field, is_descending }, "{clause}");
    }
    let error = |searched, clause| parse_order(searched, clause).unwrap_err();
    assert!(matches!(error(Searched::Runs, "metrics.loss upwards"), FilterError::Direction { .. }));
    assert!(matches!(error(Searched::Runs, "name"), FilterError::Key { .. }));
    assert!(matches!(error(Searched::Runs, "a, b"), FilterError::Order { .. }));
    assert!(matches!(error(Searched::Runs, ""), FilterError::Order { .. }));
    assert!(matches!(error(Searched::ModelVersions, "tags.a"), FilterError::OrderEntity { .. }));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z.`'\"()=<>!, \\\\;0-9éNOTINAD-]{0,60}") {
        let kinds = [
            Searched::Runs, Searched::Experiments, Searched::RegisteredModels,
            Searched::ModelVersions, Searched::LoggedModels,
        ];
        for searched in kinds {
            let _answer = parse_filter(searched, &text);
            let _answer = parse_order(searched, &text);
        }
    }
}

/// The texts of MLflow 3.17.2, except for the order of words in sets, which is random there.
#[test]
fn refusals_have_the_texts_of_mlflow() {
    let runs = [
        ("metrics.m > 'x'", "Expected numeric value type for metric. Found 'x'"),
        ("metrics.m IN (1)", "Expected numeric value type for metric. Found (1)"),
        (
            "params.p = 1",
            "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1",
        ),
        ("tags.t = 1", "Expected a quoted string value for tag (e.g. 'my-value'). Got value 1"),
        ("run_id = 1", "Expected a quoted string value for attributes. Got value 1"),
        (
            "start_time > '1'",
            "Expected numeric value type for numeric attribute: start_time. Found '1'",
        ),
        ("dataset.name = 1", "Expected a quoted string value for dataset attributes. Got value 1"),
        (
            "dataset.x = 'x'",
            "Invalid dataset key 'x' specified. Valid keys are '{'name', 'digest', 'context'}'",
        ),
        (
            "status IN ('a')",
            "Only ['run_id'] attributes support comparison with a list of quoted string values.",
        ),
        (
            "run_id IN ()",
            "While parsing a list in the query, expected a non-empty list of string values, but got empty list",
        ),
        (
            "run_id IN (1)",
            "While parsing a list in the query, expected string value, punctuation, or whitespace, but got different \
             type in list: (1,)",
        ),
        (
            "metrics.m IS NULL",
            "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'm'",
        ),
        (
            "foo.x = 1",
            "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']",
        ),
        ("metrics.m == 1", "Invalid comparator '==' not one of '{'>', '>=', '!=', '=', '<', '<='}"),
        (
            "params.p > '1'",
            "Invalid comparator '>' not one of '{'!=', '=', 'LIKE', 'ILIKE', 'IS NULL', 'IS NOT NULL'}'",
        ),
    ];
    let experiments = [
        ("experiment_id = 0", "Expected a quoted string value for attributes. Got value 0"),
        (
            "foo.x = '1'",
            "Invalid entity type 'foo'. Valid entity types are ('attribute', 'tag', 'tags')",
        ),
        (
            "name IS NULL",
            "IS NULL / IS NOT NULL is only supported for tags, not for attribute 'name'",
        ),
        ("name > 'a'", "Invalid comparator for string attribute: >"),
    ];
    let models = [
        (
            "name = 1",
            "Expected a quoted string value or a list of quoted string values for attributes. Got value 1",
        ),
        ("name > 'a'", "Invalid comparator for attribute: >"),
    ];
    let all = [
        (Searched::Runs, runs.as_slice()),
        (Searched::Experiments, &experiments),
        (Searched::RegisteredModels, &models),
    ];
    for (searched, cases) in all {
        for (filter, expected) in cases {
            assert_eq!(parse_filter(searched, filter).unwrap_err().to_string(), *expected);
        }
    }
}
