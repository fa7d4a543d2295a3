//! Conditions on promotion, judged on facts that are read in the transaction of the promotion.

use herdbook_domain::tags::key;
use herdbook_domain::{
    ConditionFacts, Conditions, Evaluation, EventKind, Judgement, PromotionFacts, PromotionRequest,
    RunId, Stage, Timestamp, VersionEvidence, VersionFacts, VersionKey,
};

use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::tables::event::{self, EventQuery};
use crate::tables::metric::{self, MetricSelection};
use crate::tables::{evaluation, tag, version};

/// Judges the conditions on a promotion. Reads nothing if there are none.
pub(crate) fn judge(
    conn: &Conn,
    request: &PromotionRequest,
    conditions: &Conditions,
    facts: &PromotionFacts,
    now: Timestamp,
) -> Result<Judgement, StoreError> {
    let name = &request.key.name;
    if conditions.before(request.target, name, None).next().is_none() {
        return Ok(Judgement { enforce: conditions.enforce, verdicts: Vec::new() });
    }
    let mut version = dossier(conn, &facts.version)?;
    if conditions.ask_for_evidence(request.target, name) {
        version.standing = evaluation::standing(conn, &request.key, &evaluation::all(conn)?)?;
    }
    let champion = facts.champion.as_ref().filter(|champion| !champion.deleted);
    let facts = ConditionFacts {
        now,
        version,
        champion: champion
            .map(|champion| Ok::<_, StoreError>((champion.key.version, dossier(conn, champion)?)))
            .transpose()?,
        in_beta_since: in_beta_since(conn, &request.key)?,
    };
    Ok(conditions.judge(request.target, name, &facts))
}

fn dossier(conn: &Conn, facts: &VersionFacts) -> Result<VersionEvidence, StoreError> {
    let tags = version::load(conn, &facts.key)?.tags;
    let run = facts.run_id.as_ref().map(RunId::as_str);
    Ok(VersionEvidence {
        timeframe: tags.get(key::TIMEFRAME).and_then(|text| text.parse().ok()),
        run_id: facts.run_id.clone(),
        parent: tags.get(key::BASE_MODEL_RUN_ID).and_then(|text| RunId::parse(text).ok()),
        metrics: run
            .map(|run| metric::latest_of_run(conn, run, MetricSelection::All))
            .transpose()?
            .unwrap_or_default()
            .finite_values(),
        params: run.map(|run| tag::params_of_run(conn, run)).transpose()?.unwrap_or_default(),
        evaluations: history(conn, &facts.key, EventKind::Evaluated)?
            .iter()
            .filter_map(Evaluation::of)
            .collect(),
        standing: None,
    })
}

/// The time since which a version is in beta; `None` if it is not.
fn in_beta_since(conn: &Conn, key: &VersionKey) -> Result<Option<Timestamp>, StoreError> {
    let changes = history(conn, key, EventKind::StageChanged)?;
    let adopted = history(conn, key, EventKind::Adopted)?;
    let newest = changes.last().or(adopted.last());
    let is_beta = |to: Option<&str>| to == Some(Stage::Beta.as_str());
    Ok(newest.filter(|event| is_beta(event.what.to.as_deref())).map(|event| event.at))
}

fn history(
    conn: &Conn,
    key: &VersionKey,
    kind: EventKind,
) -> Result<Vec<herdbook_domain::Event>, StoreError> {
    let (name, version) = (Some(key.name.clone()), Some(key.version));
    event::select(conn, &EventQuery { name, version, kind: Some(kind), run_id: None })
}
