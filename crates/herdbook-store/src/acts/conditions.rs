//! Conditions on promotion, judged on facts that are read in the transaction of the promotion.

use herdbook_domain::{
    ConditionFacts, Conditions, Evaluation, Event, EventKind, Judgement, ModelName, PromotionFacts,
    PromotionRequest, Sealed, Stage, Timestamp, VersionEvidence, VersionFacts, VersionKey,
};

use crate::clock::now;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::tables::event::{self, EventQuery};
use crate::tables::{evaluation, identity, seal, version};

/// The conditions that apply to the model of a promotion: those on every model, and those on one of its present and former
/// names.
///
/// # Errors
/// [`StoreError::UnknownModelInConditions`] on a rise if a condition names a model that the store has and had never.
pub(crate) fn of_model(
    conn: &Conn,
    request: &PromotionRequest,
    conditions: &Conditions,
) -> Result<Conditions, StoreError> {
    let name = &request.key.name;
    let is_rise = matches!(request.target, Stage::Beta | Stage::Champion);
    if !is_rise || !conditions.name_others_than(name) {
        return Ok(conditions.clone());
    }
    let known_models = version::model_names(conn)?;
    for named in conditions.all.iter().flat_map(|condition| &condition.models) {
        let is_present = known_models.iter().any(|known| known == named.as_str());
        if !is_present && !identity::is_in_history(conn, named)? {
            let name = named.clone();
            return Err(StoreError::UnknownModelInConditions { name, known_models });
        }
    }
    let former = identity::former_names(conn, name)?;
    let mut names: Vec<ModelName> =
        former.iter().filter_map(|name| ModelName::parse(name).ok()).collect();
    names.push(name.clone());
    Ok(conditions.of_model(&names))
}

/// Judges the conditions on a promotion. Reads nothing if there are none.
pub(crate) fn judge(
    conn: &Conn,
    request: &PromotionRequest,
    conditions: &Conditions,
    facts: &PromotionFacts,
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
    // The clock, not the time of the act: that is the newest event's where this lies in the future.
    let now = now();
    let facts = ConditionFacts {
        now,
        version,
        champion: champion
            .map(|champion| Ok::<_, StoreError>((champion.key.version, dossier(conn, champion)?)))
            .transpose()?,
        in_beta_since: in_beta_since(conn, &request.key, now)?,
    };
    Ok(conditions.judge(request.target, name, &facts))
}

fn dossier(conn: &Conn, version: &VersionFacts) -> Result<VersionEvidence, StoreError> {
    let facts = match &version.unsealed {
        Some(unsealed) => Some(unsealed.facts.clone()),
        None => seal::of_version(conn, &version.key)?.map(|seal| seal.facts),
    };
    let evaluations = history(conn, &version.key, EventKind::Evaluated)?;
    Ok(VersionEvidence {
        timeframe: facts.as_ref().and_then(|facts| facts.timeframe),
        run_id: version.run_id.clone(),
        parent: facts.as_ref().and_then(|facts| facts.parent.clone()),
        metrics: facts.as_ref().map(Sealed::metric_values).unwrap_or_default(),
        params: facts.map(|facts| facts.params).unwrap_or_default(),
        evaluations: evaluations.iter().filter_map(Evaluation::of).collect(),
        standing: None,
    })
}

/// The time since which a version is in beta; `None` if it is not.
///
/// A clock that was set back stamps events with times before those of earlier events. So the time counts from the latest
/// time in the history until then, of any model. Times in the future of the clock do not count.
fn in_beta_since(
    conn: &Conn,
    key: &VersionKey,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let mut events = history(conn, key, EventKind::StageChanged)?;
    events.extend(history(conn, key, EventKind::Adopted)?);
    events.sort_by_key(|event| event.id);
    let is_beta = |event: &&Event| event.what.to.as_deref() == Some(Stage::Beta.as_str());
    // An adoption that seals a version leaves it in its stage.
    let Some(entry) = events.iter().rev().take_while(is_beta).last() else { return Ok(None) };
    let latest: Option<i64> = conn.query_row(
        "SELECT max(at_ms) FROM herdbook_events WHERE id <= ?1 AND at_ms <= ?2",
        params![entry.id, now.millis()],
        |row| row.get(0),
    )?;
    Ok(Some(latest.map_or(entry.at, |latest| entry.at.max(Timestamp::from_millis(latest)))))
}

fn history(conn: &Conn, key: &VersionKey, kind: EventKind) -> Result<Vec<Event>, StoreError> {
    let (name, version) = (Some(key.name.clone()), Some(key.version));
    event::select(conn, &EventQuery { name, version, kind: Some(kind), run_id: None })
}
