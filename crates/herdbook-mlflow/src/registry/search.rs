//! Searches for registered models and model versions.

use herdbook_domain::filter::{Comparison, Condition, Field, Operand, Searched, parse_filter};
use herdbook_store::engine::db::Conn;
use herdbook_store::{Store, StoreError};

use crate::error::MlflowError;
use crate::page::{Page, Wanted};
use crate::registry::order;
use crate::registry::record::{
    self, DELETED, ModelVersion, RegisteredModel, VERSION_COLUMNS, version_of_row,
};
use crate::registry::validation::IS_PROMPT;
use crate::sql::{Arguments, number_condition, text, text_condition};

/// Most registered models of one page.
const MAX_MODELS: i64 = 1_000;
/// Most versions of one page.
const MAX_VERSIONS: i64 = 200_000;

/// A search for registered models or versions.
#[derive(Debug, Clone, Default)]
pub struct RegistrySearch {
    /// A filter; everything if it is empty.
    pub filter: String,
    /// Order clauses, the first one first.
    pub order_by: Vec<String>,
    /// The token of the wanted page; the first if it is empty.
    pub page_token: String,
    /// Most records of the page.
    pub max_results: i64,
}

/// Searches registered models as `GET /mlflow/registered-models/search`. Prompts are left out unless the filter asks for them.
///
/// # Errors
/// [`MlflowError::Refused`] if the filter, an order clause, the token or `max_results` is not allowed; those of the store.
pub fn search_models(
    store: &Store,
    search: &RegistrySearch,
) -> Result<Page<RegisteredModel>, MlflowError> {
    check_limit(search.max_results, 0, MAX_MODELS)?;
    let conditions = parse_filter(Searched::RegisteredModels, &search.filter)?;
    let column = |name| if name == "name" { "r.name" } else { "r.last_updated_time" };
    let order =
        order::terms(Searched::RegisteredModels, &search.order_by, column, &[("r.name", "ASC")])?;
    let wanted = Wanted::parse(&search.page_token, search.max_results)?;
    let page = store.read(|conn| {
        let mut args = Arguments::default();
        let conditions = where_clause(conn, &MODELS, &conditions, &mut args);
        let (limit, offset) = (args.integer(wanted.limit()), args.integer(wanted.offset));
        let sql = format!(
            "SELECT r.name FROM registered_models r WHERE {conditions} ORDER BY {order}
             LIMIT {limit} OFFSET {offset}"
        );
        let names = conn.query(&sql, args.values().as_slice(), |row| text(row, 0))?;
        let page = wanted.page(names);
        let mut records = record::models(conn, &page.records)?;
        for model in &mut records {
            model.latest_versions.sort_by(|a, b| a.current_stage.cmp(&b.current_stage));
        }
        Ok(Page { records, next: page.next })
    })?;
    Ok(page)
}

/// Searches versions that were not deleted, as `GET /mlflow/model-versions/search`. Versions of prompts are left out unless
/// the filter asks for them.
///
/// # Errors
/// As [`search_models`].
pub fn search_versions(
    store: &Store,
    search: &RegistrySearch,
) -> Result<Page<ModelVersion>, MlflowError> {
    if search.max_results < 1 {
        return Err(MlflowError::invalid(format!(
            "Invalid value for max_results. It must be a positive integer, but got {}",
            search.max_results
        )));
    }
    check_limit(search.max_results, 1, MAX_VERSIONS)?;
    let conditions = parse_filter(Searched::ModelVersions, &search.filter)?;
    let ties: &[_] = if search.order_by.is_empty() {
        &[("r.last_updated_time", "DESC"), ("r.name", "ASC"), ("r.version", "DESC")]
    } else {
        &[("r.name", "ASC"), ("r.version", "DESC")]
    };
    let order = order::terms(Searched::ModelVersions, &search.order_by, version_column, ties)?;
    let wanted = Wanted::parse(&search.page_token, search.max_results)?;
    let page = store.read(|conn| {
        let mut args = Arguments::default();
        let conditions = where_clause(conn, &VERSIONS, &conditions, &mut args);
        let (limit, offset) = (args.integer(wanted.limit()), args.integer(wanted.offset));
        let sql = format!(
            "SELECT {VERSION_COLUMNS} FROM model_versions r
             WHERE {conditions} AND r.current_stage <> '{DELETED}' ORDER BY {order}
             LIMIT {limit} OFFSET {offset}"
        );
        let found = conn.query(&sql, args.values().as_slice(), version_of_row)?;
        let mut page = wanted.page(found);
        record::add_tags(conn, &mut page.records)?;
        Ok(page)
    })?;
    Ok(page)
}

fn check_limit(max_results: i64, least: i64, most: i64) -> Result<(), MlflowError> {
    if max_results > most {
        return Err(MlflowError::invalid(format!(
            "Invalid value for request parameter max_results. It must be at most {most}, but got value {max_results}"
        )));
    }
    if max_results < least {
        return Err(MlflowError::invalid(format!(
            "Invalid value for request parameter max_results. It must be at least {least}, but got value {max_results}"
        )));
    }
    Ok(())
}

fn version_column(name: &'static str) -> &'static str {
    match name {
        "name" => "r.name",
        "version" => "r.version",
        "creation_timestamp" => "r.creation_time",
        // The grammar has no other.
        _ => "r.last_updated_time",
    }
}

/// The tables of a search: the records are `r`.
struct Tables {
    tags: &'static str,
    /// The condition that a tag `t` belongs to the record.
    is_of_record: &'static str,
}

const MODELS: Tables = Tables { tags: "registered_model_tags", is_of_record: "t.name = r.name" };
const VERSIONS: Tables = Tables {
    tags: "model_version_tags",
    is_of_record: "t.name = r.name AND t.version = r.version",
};

/// All conditions on a record `r`. A clause about a tag that the record does not have is never met.
fn where_clause(
    conn: &Conn,
    tables: &Tables,
    conditions: &[Condition],
    args: &mut Arguments,
) -> String {
    let asks_for_prompts = asks_for_prompts(conditions);
    let mut all = vec!["r.workspace = 'default'".to_owned()];
    for condition in conditions {
        let Condition { field, comparison, operand } = condition;
        let compared = (*comparison, operand);
        match field {
            Field::Attribute("version") => all.push(number_condition("r.version", compared, args)),
            Field::Attribute(name) => {
                all.push(text_condition(conn.dialect(), attribute(name), compared, args));
            }
            // Whether prompts are shown is not decided tag by tag.
            Field::Tag(key) if key == IS_PROMPT && !asks_for_prompts => {}
            Field::Tag(key) => {
                let key = args.text(key);
                let value = text_condition(conn.dialect(), "t.value", compared, args);
                all.push(format!(
                    "EXISTS (SELECT 1 FROM {} t WHERE t.workspace = 'default' AND {} AND t.key = {key} AND {value})",
                    tables.tags, tables.is_of_record
                ));
            }
            // The grammar has no other fields here.
            Field::Metric(_) | Field::Param(_) | Field::Dataset(_) => {}
        }
    }
    if !asks_for_prompts {
        let key = args.text(IS_PROMPT);
        all.push(format!(
            "NOT EXISTS (SELECT 1 FROM {} t
                WHERE t.workspace = 'default' AND t.name = r.name AND t.key = {key} AND t.value = 'true')",
            tables.tags
        ));
    }
    all.join(" AND ")
}

fn attribute(name: &str) -> &'static str {
    match name {
        "run_id" => "r.run_id",
        "source" => "r.source",
        // The grammar has no other.
        _ => "r.name",
    }
}

/// Whether the first condition on the tag of prompts asks for them.
fn asks_for_prompts(conditions: &[Condition]) -> bool {
    let of_prompts = |condition: &&Condition| condition.field == Field::Tag(IS_PROMPT.to_owned());
    let Some(Condition { comparison, operand: Operand::Text(value), .. }) =
        conditions.iter().find(of_prompts)
    else {
        return false;
    };
    match comparison {
        Comparison::Equal => value.to_lowercase() == "true",
        Comparison::NotEqual => value.to_lowercase() == "false",
        _ => false,
    }
}

/// The newest version of each stage of a model, or of some stages, with their aliases.
///
/// # Errors
/// Those of the database.
pub(super) fn with_aliases(
    conn: &Conn,
    model: RegisteredModel,
    stages: &[&str],
) -> Result<Vec<ModelVersion>, StoreError> {
    let RegisteredModel { name, latest_versions, .. } = model;
    let is_wanted = |version: &ModelVersion| {
        let stage = version.current_stage.as_deref();
        stage.is_some_and(|stage| stages.contains(&stage))
    };
    let mut versions: Vec<ModelVersion> = latest_versions.into_iter().filter(is_wanted).collect();
    for version in &mut versions {
        version.aliases = record::aliases_of(conn, &name, version.version)?;
    }
    Ok(versions)
}
