//! The conditions on promotion, which come from the file of settings.

use std::path::Path;

use herdbook_domain::{Conditions, Judgement};

use crate::failure::Failure;
use crate::output::Output;
use crate::settings;

/// The conditions for promotions from this working directory: those of the file that `HERDBOOK_CONFIG` names, else of
/// the nearest `herdbook.toml`, else none.
///
/// # Errors
/// [`Code::InvalidInput`](crate::Code::InvalidInput) if the file cannot be read or has a key or value that is not
/// allowed.
pub fn conditions_on_promotion() -> Result<Conditions, Failure> {
    Ok(settings::load(None)?.map_or_else(Conditions::default, |file| file.settings.conditions))
}

/// Reads the conditions and prints which file they came from. Without a file there are none.
pub(crate) fn read(named: Option<&Path>, output: &mut Output) -> Result<Conditions, Failure> {
    let Some(file) = settings::load(named)? else {
        return Ok(Conditions::default());
    };
    let conditions = file.settings.conditions;
    let effect = if conditions.all.is_empty() { "none" } else { effect(conditions.enforce) };
    output.note(&format!("conditions on promotion: {} ({effect})", file.path.display()));
    Ok(conditions)
}

/// One line for each condition with its value, limit and verdict; `None` if no condition applied.
pub(crate) fn lines(judgement: &Judgement) -> Option<String> {
    if judgement.verdicts.is_empty() {
        return None;
    }
    let effect = effect(judgement.enforce);
    let each: Vec<String> =
        judgement.verdicts.iter().map(|verdict| format!("  {verdict}")).collect();
    Some(format!("conditions ({effect}):\n{}", each.join("\n")))
}

fn effect(is_enforced: bool) -> &'static str {
    if is_enforced { "enforced" } else { "warnings only" }
}
