//! Conditions on promotion, judged on facts that are read in the transaction of the promotion.

use herdbook_domain::{
    ConditionFacts, Conditions, Evaluation, Event, EventKind, Judgement, PromotionFacts,
    PromotionRequest, Sealed, Stage, Timestamp, VersionEvidence, VersionFacts, VersionKey,
};

use crate::clock::now;
use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::tables::event::{self, EventQuery};
use crate::tables::{evaluation, seal};

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
    let facts = ConditionFacts {
        // The clock, not the time of the act: that is the newest event's where this lies in the future.
        now: now(),
        version,
        champion: champion
            .map(|champion| Ok::<_, StoreError>((champion.key.version, dossier(conn, champion)?)))
            .transpose()?,
        in_beta_since: in_beta_since(conn, &request.key)?,
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
fn in_beta_since(conn: &Conn, key: &VersionKey) -> Result<Option<Timestamp>, StoreError> {
    let mut events = history(conn, key, EventKind::StageChanged)?;
    events.extend(history(conn, key, EventKind::Adopted)?);
    events.sort_by_key(|event| event.id);
    let is_beta = |event: &&Event| event.what.to.as_deref() == Some(Stage::Beta.as_str());
    // An adoption that seals a version leaves it in its stage.
    Ok(events.iter().rev().take_while(is_beta).last().map(|event| event.at))
}

fn history(conn: &Conn, key: &VersionKey, kind: EventKind) -> Result<Vec<Event>, StoreError> {
    let (name, version) = (Some(key.name.clone()), Some(key.version));
    event::select(conn, &EventQuery { name, version, kind: Some(kind), run_id: None })
}
