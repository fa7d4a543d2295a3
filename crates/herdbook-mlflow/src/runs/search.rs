//! Searches for runs.

use herdbook_domain::filter::{
    Comparison, Condition, DatasetField, Field, Operand, Order, Searched, parse_filter,
};
use herdbook_store::engine::db::Conn;
use herdbook_store::{Store, StoreError};

use crate::error::MlflowError;
use crate::experiments::parse_given_id as experiment_id;
use crate::page::{Page, Wanted};
use crate::runs::info::RUN_NAME;
use crate::runs::order::{self, Ordering, column};
use crate::runs::record::{self, Run};
use crate::sql::{Arguments, ViewType, number_condition, text_condition};
use crate::validate::check_max_results;

/// Most arguments of a statement: SQLite takes 32,766, PostgreSQL 65,535.
const MAX_ARGUMENTS: usize = 30_000;

/// A search for runs.
#[derive(Debug, Clone, Default)]
pub struct RunSearch {
    /// The ids of the experiments.
    pub experiment_ids: Vec<String>,
    /// A filter; all runs if it is empty.
    pub filter: String,
    /// Deleted runs or not.
    pub view: ViewType,
    /// Order clauses, the first one first.
    pub order_by: Vec<String>,
    /// The token of the wanted page; the first if it is empty.
    pub page_token: String,
    /// Most runs of the page.
    pub max_results: i64,
}

/// Searches runs as `POST /mlflow/runs/search`.
///
/// # Errors
/// [`MlflowError::Refused`] if the filter, an order clause, the token or `max_results` is not allowed; those of the store.
pub fn search(store: &Store, search: &RunSearch) -> Result<Page<Run>, MlflowError> {
    check_max_results(search.max_results)?;
    let conditions = parse_filter(Searched::Runs, &search.filter)?;
    let orders = order::parse(&search.order_by)?;
    let wanted = Wanted::parse(&search.page_token, search.max_results)?;
    let experiments: Vec<i64> =
        search.experiment_ids.iter().map(|id| experiment_id(id)).collect::<Result<_, _>>()?;
    if experiments.len() + 2 * conditions.len() + orders.len() > MAX_ARGUMENTS {
        return Err(MlflowError::invalid(format!(
            "The search has more than {MAX_ARGUMENTS} experiments and conditions. Please split it up."
        )));
    }
    if experiments.is_empty() {
        return Ok(Page { records: Vec::new(), next: None });
    }
    let plan = Plan {
        view: search.view,
        experiments: &experiments,
        conditions: &conditions,
        orders: &orders,
        wanted,
    };
    let page = store.read(|conn| {
        let ids = match plan.by_index(conn)? {
            Some(ids) => ids,
            None => plan.by_sorting(conn)?,
        };
        let page = wanted.page(ids);
        Ok(Page { records: record::load(conn, &page.records)?, next: page.next })
    })?;
    Ok(page)
}

/// How the ids of the runs are found.
struct Plan<'a> {
    view: ViewType,
    experiments: &'a [i64],
    conditions: &'a [Condition],
    orders: &'a [Order],
    wanted: Wanted,
}

impl Plan<'_> {
    /// Follows the index of a metric's values, if the runs are ordered by that metric alone. Runs whose metric is NaN or
    /// missing come after all others, so a page that is full without them is right. `None` if it is not full.
    fn by_index(&self, conn: &Conn) -> Result<Option<Vec<String>>, StoreError> {
        let [Order { field: Field::Metric(key), is_descending }] = self.orders else {
            return Ok(None);
        };
        let mut args = Arguments::default();
        let key = args.text(key);
        let direction = if *is_descending { "DESC" } else { "ASC" };
        let conditions = self.where_clause(conn, &mut args);
        // CROSS JOIN keeps SQLite from beginning with the runs.
        let sql = format!(
            "SELECT r.run_uuid FROM latest_metrics m CROSS JOIN runs r
             WHERE m.key = {key} AND m.is_nan = FALSE AND r.run_uuid = m.run_uuid AND {conditions}
             ORDER BY m.value {direction}, r.start_time DESC, r.run_uuid{}",
            self.limit(&mut args)
        );
        let ids = Self::ids(conn, &sql, &args)?;
        let is_full = i64::try_from(ids.len()).is_ok_and(|n| n >= self.wanted.limit());
        Ok(is_full.then_some(ids))
    }

    /// Sorts all runs that meet the conditions.
    fn by_sorting(&self, conn: &Conn) -> Result<Vec<String>, StoreError> {
        let mut args = Arguments::default();
        let ordering = Ordering::of(self.orders, &mut args);
        let conditions = self.where_clause(conn, &mut args);
        let sql = format!(
            "SELECT r.run_uuid FROM runs r{} WHERE {conditions} ORDER BY {}{}",
            ordering.joins,
            ordering.terms,
            self.limit(&mut args)
        );
        Self::ids(conn, &sql, &args)
    }

    fn ids(conn: &Conn, sql: &str, args: &Arguments) -> Result<Vec<String>, StoreError> {
        conn.query(sql, args.values().as_slice(), |row| row.get(0))
    }

    fn limit(&self, args: &mut Arguments) -> String {
        let (limit, offset) =
            (args.integer(self.wanted.limit()), args.integer(self.wanted.skipped()));
        format!(" LIMIT {limit} OFFSET {offset}")
    }

    /// All conditions on a run `r`.
    fn where_clause(&self, conn: &Conn, args: &mut Arguments) -> String {
        let experiments: Vec<String> =
            self.experiments.iter().map(|id| args.integer(*id)).collect();
        let mut all = vec![format!("r.experiment_id IN ({})", experiments.join(", "))];
        all.push(self.view.condition("r.lifecycle_stage"));
        all.extend(self.conditions.iter().map(|condition| on_run(conn, condition, args)));
        all.join(" AND ")
    }
}

/// A condition on a run `r`. A clause about a key that the run does not have is never met.
fn on_run(conn: &Conn, condition: &Condition, args: &mut Arguments) -> String {
    let dialect = conn.dialect();
    let Condition { field, comparison, operand } = condition;
    let compared = (*comparison, operand);
    match field {
        Field::Attribute("run_name") => {
            let key = args.text(RUN_NAME);
            let value = text_condition(dialect, "t.value", compared, args);
            exists("tags t", &format!("t.key = {key} AND {value}"), "t")
        }
        Field::Attribute(name @ ("start_time" | "end_time")) => {
            number_condition(column(name), compared, args)
        }
        Field::Attribute(name) => text_condition(dialect, column(name), compared, args),
        Field::Metric(key) => {
            let key = args.text(key);
            let value = number_condition("m.value", compared, args);
            // MLflow stores NaN as 0. NaN differs from every number.
            let value = match comparison {
                Comparison::NotEqual => format!("({value} OR m.is_nan = TRUE)"),
                _ => format!("({value} AND m.is_nan = FALSE)"),
            };
            exists("latest_metrics m", &format!("m.key = {key} AND {value}"), "m")
        }
        Field::Param(key) => keyed(conn, "params", key, compared, args),
        Field::Tag(key) => keyed(conn, "tags", key, compared, args),
        Field::Dataset(field) => on_dataset(conn, *field, compared, args),
    }
}

/// A condition on a parameter or tag.
fn keyed(
    conn: &Conn,
    table: &str,
    key: &str,
    compared: (Comparison, &Operand),
    args: &mut Arguments,
) -> String {
    let key = args.text(key);
    let has_key = format!("k.key = {key}");
    let from = format!("{table} k");
    match compared.0 {
        Comparison::IsNull => format!("NOT {}", exists(&from, &has_key, "k")),
        Comparison::IsNotNull => exists(&from, &has_key, "k"),
        _ => {
            let value = text_condition(conn.dialect(), "k.value", compared, args);
            exists(&from, &format!("{has_key} AND {value}"), "k")
        }
    }
}

fn exists(from: &str, conditions: &str, alias: &str) -> String {
    format!("EXISTS (SELECT 1 FROM {from} WHERE {alias}.run_uuid = r.run_uuid AND {conditions})")
}

/// A condition on one of the datasets of the run.
fn on_dataset(
    conn: &Conn,
    field: DatasetField,
    compared: (Comparison, &Operand),
    args: &mut Arguments,
) -> String {
    let (join, value) = match field {
        DatasetField::Name => ("", "d.name"),
        DatasetField::Digest => ("", "d.digest"),
        DatasetField::Context => (
            " JOIN input_tags c ON c.input_uuid = i.input_uuid AND c.name = 'mlflow.data.context'",
            "c.value",
        ),
    };
    let value = text_condition(conn.dialect(), value, compared, args);
    format!(
        "EXISTS (SELECT 1 FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id{join}
            WHERE i.destination_id = r.run_uuid AND i.destination_type = 'RUN' AND i.source_type = 'DATASET'
                AND {value})"
    )
}
