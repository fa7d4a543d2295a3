//! The description of a new version, which MLflow's pages show.

use std::collections::BTreeMap;

use herdbook_domain::{Registration, window_params};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// Describes a version by its registration and the params of its run.
pub(super) fn describe(conn: &Conn, request: &Registration) -> Result<String, StoreError> {
    let sql = "SELECT key, value FROM params WHERE run_uuid = ?1 AND key LIKE 'data.%'";
    let id = request.run_id.as_str();
    let found = conn.query(sql, params![id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(text(request, &found.into_iter().collect()))
}

fn text(request: &Registration, params: &BTreeMap<String, String>) -> String {
    let origin = &request.origin;
    let of_symbol = params.get(window_params::SYMBOL).map(|symbol| format!(" of {symbol}"));
    let mut sentences = vec![format!(
        "Model of the type {} on {} bars{}",
        origin.model_type(),
        origin.timeframe,
        of_symbol.unwrap_or_default()
    )];
    if let Some(enhanced) = &origin.enhanced {
        sentences.push(format!("Parent: run {}", enhanced.parent));
        let total = request.trained_timesteps.saturating_add(enhanced.previous_timesteps);
        let trained = request.trained_timesteps;
        sentences.push(format!("{trained} timesteps, {total} with those of its ancestors"));
    } else {
        sentences.push(format!("{} timesteps", request.trained_timesteps));
    }
    let [train_start, train_end, _, _, test_start, test_end] = window_params::EDGES;
    for (verb, start, end) in
        [("Trained", train_start, train_end), ("Tested", test_start, test_end)]
    {
        if let (Some(start), Some(end)) = (params.get(start), params.get(end)) {
            sentences.push(format!("{verb} on the bars from {start} to {end}"));
        }
    }
    sentences.push(format!("Honesty: {}", request.honesty));
    sentences.join(". ") + "."
}
