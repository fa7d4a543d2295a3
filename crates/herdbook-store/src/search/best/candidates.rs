//! Which versions take part in a look-up, as a condition in SQL.
//!
//! A candidate is registered, ready and not deleted; its run is finished and not deleted, nor is its experiment. Everything else is
//! read from its seal. A version without a seal is judged by the tags and params of its run.

use herdbook_domain::{Honesty, ModelType, RunId, Symbol, Timeframe, VersionType};

use crate::engine::db::{Dialect, ToValue};
use crate::tables::seal::is_symbol;

/// Which models are candidates.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// Their timeframe.
    pub timeframe: Timeframe,
    /// Their type.
    pub model_type: ModelType,
    /// Their version type; `None`: either.
    pub version_type: Option<VersionType>,
    /// Their symbol; `None`: any.
    pub symbol: Option<Symbol>,
    /// The fewest training steps they may have.
    pub min_timesteps: u64,
    /// Whether contaminated models are candidates.
    pub contaminated: Contaminated,
    /// Runs whose models are no candidates, because they were found to be unusable.
    pub passed_over: Vec<RunId>,
}

/// Whether contaminated models are candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contaminated {
    /// They are candidates.
    Included,
    /// They are not candidates: neither those sealed as contaminated nor, without a seal, those registered or tagged so.
    Skipped,
}

/// The place from which the honesty of a registration is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registrations {
    /// From the column of our table.
    Table,
    /// From the log: a read-only store of an older layout has no such table.
    Log,
}

/// Whether the store has the tables of seals. A read-only store of an older layout has not: then it has no seals either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seals {
    /// It has them.
    Present,
    /// It has not.
    Absent,
}

/// The condition on a candidate, and the values of its parameters.
pub(super) struct Condition {
    registrations: Registrations,
    seals: Seals,
    timeframe: &'static str,
    model_type: &'static str,
    version_type: Option<&'static str>,
    symbol: Option<String>,
    min_timesteps: i64,
    /// The honesty that no candidate has.
    honesty: Option<&'static str>,
    passed_over: Vec<RunId>,
}

/// The condition that version `v` of run `r` can be used, as far as the records show.
const IS_USABLE: &str = "v.current_stage IS DISTINCT FROM 'Deleted_Internal'
    AND coalesce(v.status, 'READY') = 'READY'
    AND r.lifecycle_stage = 'active' AND r.status = 'FINISHED'
    AND NOT EXISTS (SELECT 1 FROM experiments e WHERE e.experiment_id = r.experiment_id
        AND e.lifecycle_stage = 'deleted')";
/// The condition that a seal `s` is that of version `v`: the same run and number. The name differs where MLflow renamed the
/// model, and then no version has run and number under the name in the seal.
const SEAL_OF_VERSION: &str = "v.run_id = s.run_id AND v.version = s.version
    AND (v.name = s.name OR NOT EXISTS (SELECT 1 FROM model_versions o
        WHERE o.workspace = 'default' AND o.name = s.name AND o.version = s.version
          AND o.run_id = s.run_id))";

impl Condition {
    pub(super) fn new(candidates: &Candidates, registrations: Registrations, seals: Seals) -> Self {
        Self {
            registrations,
            seals,
            timeframe: candidates.timeframe.as_str(),
            model_type: candidates.model_type.as_str(),
            version_type: candidates.version_type.map(VersionType::as_str),
            symbol: candidates.symbol.as_ref().map(ToString::to_string),
            min_timesteps: i64::try_from(candidates.min_timesteps).unwrap_or(i64::MAX),
            honesty: match candidates.contaminated {
                Contaminated::Included => None,
                Contaminated::Skipped => Some(Honesty::Contaminated.as_str()),
            },
            passed_over: candidates.passed_over.clone(),
        }
    }

    /// The condition that a run was not passed over. Empty as a rule.
    fn not_passed_over(&self, run: &str) -> String {
        if self.passed_over.is_empty() {
            return String::new();
        }
        // A run id has only hexadecimal digits, so it can stand in a statement.
        let ids: Vec<String> = self.passed_over.iter().map(|id| format!("'{id}'")).collect();
        format!("AND {run} NOT IN ({})", ids.join(", "))
    }

    pub(super) fn has_seals(&self) -> bool {
        self.seals == Seals::Present
    }

    /// The condition that version `v` with the seal `s` belongs to run `r` and is a candidate, for the end of a WHERE clause. A
    /// version whose run is not the sealed one is no candidate.
    pub(super) fn sealed_sql(&self) -> String {
        let not_passed_over = self.not_passed_over("s.run_id");
        let of_symbol = is_symbol("s.symbol", ":symbol");
        format!(
            "v.workspace = 'default' AND {SEAL_OF_VERSION} AND {IS_USABLE}
    AND r.run_uuid = s.run_id {not_passed_over}
    AND s.timeframe = :timeframe AND s.model_type = :model_type
    AND (:version_type IS NULL OR :version_type = CASE WHEN EXISTS (SELECT 1 FROM herdbook_events e
        WHERE e.run_id = s.run_id AND e.version = s.version AND e.kind = 'superseded')
        THEN 'old' ELSE 'latest' END)
    AND (:symbol IS NULL OR {of_symbol})
    AND (:min_timesteps = 0 OR s.total_timesteps >= :min_timesteps)
    AND (:honesty IS NULL OR s.honesty <> :honesty)"
        )
    }

    /// The condition that version `v` without a seal belongs to run `r` and is a candidate, for the end of a WHERE clause.
    ///
    /// `run` is the column with the run's id in the first table of a walk. Its tags are compared through this column, so that
    /// SQLite rejects a row before it joins the other tables.
    pub(super) fn sql(&self, dialect: Dialect, run: &str) -> String {
        let timesteps = dialect.integer("t.value");
        let of_symbol = is_symbol("p.value", ":symbol");
        let not_passed_over = self.not_passed_over(run);
        // A part of the statement only where it is asked for: PostgreSQL plans every part on each execution.
        let registered =
            if self.honesty.is_some() { self.registrations.sql(dialect) } else { String::new() };
        let unsealed = match self.seals {
            Seals::Present => format!(
                "AND NOT EXISTS (SELECT 1 FROM herdbook_seals s
        WHERE s.name = v.name AND s.version = v.version)
    AND NOT EXISTS (SELECT 1 FROM herdbook_seals s WHERE {SEAL_OF_VERSION})"
            ),
            Seals::Absent => String::new(),
        };
        format!(
            "v.run_id = {run} AND r.run_uuid = {run}
    AND v.workspace = 'default' AND {IS_USABLE}
    {not_passed_over}
    AND EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = {run}
        AND t.key = 'timeframe' AND t.value = :timeframe)
    AND EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = {run}
        AND t.key = 'model_type' AND t.value = :model_type)
    AND (:version_type IS NULL OR EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = {run}
        AND t.key = 'version_type' AND t.value = :version_type))
    AND (:symbol IS NULL OR EXISTS (SELECT 1 FROM params p WHERE p.run_uuid = {run}
        AND p.key = 'data.symbol' AND {of_symbol}))
    AND (:min_timesteps = 0 OR EXISTS (SELECT 1 FROM model_version_tags t
        WHERE t.workspace = 'default' AND t.key = 'total_timesteps' AND t.name = v.name
        AND t.version = v.version AND {timesteps} >= :min_timesteps))
    AND (:honesty IS NULL OR NOT EXISTS (SELECT 1 FROM tags t WHERE t.run_uuid = {run}
        AND t.key = 'honesty' AND t.value = :honesty))
    {registered} {unsealed}"
        )
    }

    /// The values of the condition's parameters.
    pub(super) fn params(&self) -> Vec<(&'static str, &dyn ToValue)> {
        vec![
            (":timeframe", &self.timeframe),
            (":model_type", &self.model_type),
            (":version_type", &self.version_type),
            (":symbol", &self.symbol),
            (":min_timesteps", &self.min_timesteps),
            (":honesty", &self.honesty),
        ]
    }

    /// The runs `c` with the timeframe and model type of a candidate, as a table. Each of the two parts is a range of the index
    /// on run tags.
    pub(super) fn runs_with_both_tags(dialect: Dialect) -> String {
        let tagged = |key: &str, parameter: &str| {
            let is = dialect.tag_is("t.value", parameter);
            format!("SELECT t.run_uuid FROM tags t WHERE t.key = '{key}' AND {is}")
        };
        let (timeframe, model_type) =
            (tagged("timeframe", ":timeframe"), tagged("model_type", ":model_type"));
        format!("({timeframe} INTERSECT {model_type}) c")
    }
}

impl Registrations {
    /// The condition that a version was not registered with a given honesty, nor its run under another name: MLflow can rename
    /// a registered model. It does not depend on tags, which may have changed since.
    fn sql(self, dialect: Dialect) -> String {
        let (table, is_registration, honesty) = match self {
            Self::Table => ("herdbook_registrations", "TRUE", "g.honesty".to_owned()),
            Self::Log => (
                "herdbook_events",
                "g.kind = 'registered'",
                dialect.json_text("g.details", "honesty"),
            ),
        };
        format!(
            "AND NOT EXISTS (SELECT 1 FROM {table} g WHERE g.name = v.name AND g.version = v.version
        AND {is_registration} AND {honesty} = :honesty)
    AND NOT EXISTS (SELECT 1 FROM herdbook_events e WHERE e.run_id = v.run_id
        AND e.kind = 'registered' AND e.details LIKE '%\"honesty\":\"{contaminated}\"%')",
            contaminated = Honesty::Contaminated,
        )
    }
}

#[cfg(test)]
mod tests {
    use herdbook_domain::{
        ActContext, Actor, Channel, Event, EventDraft, EventKind, GENESIS_HASH, ModelName,
        Timestamp, VersionNumber,
    };
    use serde_json::json;

    use super::*;
    use crate::engine::memory;
    use crate::tables::event;

    /// A store with a version of each honesty, in the order of `Honesty::ALL`.
    fn registered() -> crate::engine::db::Conn {
        let conn = memory::create().unwrap();
        let actor = Actor::parse("ada").unwrap();
        let context = ActContext { act_id: "0".repeat(32), actor, channel: Channel::Cli };
        let mut hash = GENESIS_HASH.to_owned();
        for (id, honesty) in (1..).zip(Honesty::ALL) {
            let draft = EventDraft {
                name: Some(ModelName::parse("1H_trading_model").unwrap()),
                version: VersionNumber::new(id),
                ..EventDraft::new(EventKind::Registered, &json!({"v": 1, "honesty": honesty}))
            };
            let event = Event::seal(id, Timestamp::from_millis(id), &context, draft, &hash);
            event::insert(&conn, &event).unwrap();
            hash = event.hash;
        }
        conn
    }

    #[test]
    fn registered_honesty_is_the_same_from_table_and_log() {
        let conn = registered();
        for (idx, honesty) in Honesty::ALL.iter().enumerate() {
            for registrations in [Registrations::Table, Registrations::Log] {
                let sql = format!(
                    "SELECT v.version FROM herdbook_events v WHERE TRUE {} ORDER BY v.version",
                    registrations.sql(conn.dialect())
                );
                let honesty = honesty.as_str();
                let params: [(&str, &dyn ToValue); 1] = [(":honesty", &honesty)];
                let others: Vec<usize> = conn
                    .query(&sql, params.as_slice(), |row| Ok(row.get::<i64>(0)? as usize - 1))
                    .unwrap();
                let expected: Vec<usize> =
                    (0..Honesty::ALL.len()).filter(|other| *other != idx).collect();
                assert_eq!(others, expected, "{honesty} by {registrations:?}");
            }
        }
    }
}
