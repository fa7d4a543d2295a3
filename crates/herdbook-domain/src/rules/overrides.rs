//! What a forced change overrode: how its event records this, and the same in words.

use serde_json::{Value, json};

use super::obstacle::SymbolClash;
use crate::evidence::{Honesty, Unit};
use crate::history::{Event, EventKind};

/// Key in the details of an event: the conditions that were overridden, as a list of verdicts.
pub(super) const CONDITIONS: &str = "overridden";
/// Key in the details of an event: the honesty state that was overridden.
pub(super) const HONESTY: &str = "overridden_honesty";
/// Key in the details of an event: the symbols that differed.
pub(super) const SYMBOL: &str = "overridden_symbol";

/// The recorded form of a difference of symbols.
pub(super) fn symbol(clash: &SymbolClash) -> Value {
    json!({
        "symbol": clash.symbol,
        "champion": clash.champion,
        "champion_symbol": clash.champions,
    })
}

/// Each rule that a forced change of stage overrode, in words with value and limit. Empty for other events.
///
/// Builds before the key `overridden_honesty` recorded only that a change was forced. Where such an event names no
/// condition, the honesty state is what was overridden.
pub fn overrides_of(event: &Event) -> Vec<String> {
    let details: Value = serde_json::from_str(&event.what.details).unwrap_or(Value::Null);
    if event.what.kind != EventKind::StageChanged || details["forced"] != true {
        return Vec::new();
    }
    let conditions = details[CONDITIONS].as_array();
    let is_old = conditions.is_none() && details[SYMBOL].is_null();
    let mut overrides = Vec::new();
    if details[HONESTY].is_string() || is_old {
        let found = details[HONESTY].as_str().unwrap_or(Honesty::Contaminated.as_str());
        overrides.push(format!(
            "honesty: value {found}, limit {}: the test window holds bars that the model or an ancestor was trained on",
            Honesty::Clean
        ));
    }
    if let Some(clash) = details.get(SYMBOL) {
        overrides.push(symbol_in_words(clash));
    }
    overrides.extend(conditions.into_iter().flatten().map(condition_in_words));
    overrides
}

fn symbol_in_words(clash: &Value) -> String {
    let symbol = |key: &str| clash[key].as_str().unwrap_or("not recorded").to_owned();
    format!(
        "symbol: value {}, limit {} (the champion, version {})",
        symbol("symbol"),
        symbol("champion_symbol"),
        clash["champion"]
    )
}

/// A recorded verdict as [`Verdict`](super::conditions::Verdict) prints it.
fn condition_in_words(verdict: &Value) -> String {
    let condition = verdict["condition"].as_str().unwrap_or("a condition");
    let unit = Unit::named_in(condition);
    let number =
        |key: &str| verdict[key].as_f64().map_or("none".to_owned(), |value| unit.text(value));
    let outcome = match verdict["verdict"].as_str() {
        Some("not_met") => "not met",
        _ => "not met: no valid value",
    };
    let note = verdict["note"].as_str().map(|note| format!(" ({note})")).unwrap_or_default();
    format!("{condition}: value {}, limit {}: {outcome}{note}", number("value"), number("limit"))
}
