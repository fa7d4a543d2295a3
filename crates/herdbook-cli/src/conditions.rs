//! The conditions on promotion, which come from the file of settings.

use std::path::Path;

use herdbook_domain::{Conditions, Judgement, PromotionPlan, Stage};

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
    let path = file.path.display();
    if conditions.all.is_empty() {
        let enforces = if conditions.enforce { " although it has `enforce = true`" } else { "" };
        output.note(&format!(
            "warning: `{path}` has no `[[promotion.condition]]`{enforces}: no condition applies to any promotion"
        ));
    } else {
        let effect = effect(conditions.enforce);
        output.note(&format!("conditions on promotion: {path} ({effect})"));
    }
    Ok(conditions)
}

/// Says that a model rose although none of the conditions applies to it.
pub(crate) fn note_if_none_applied(
    conditions: &Conditions,
    promotion: &PromotionPlan,
    output: &mut Output,
) {
    let Some(rise) = promotion.requested() else { return };
    let to = rise.transition.to();
    let is_rise = matches!(to, Stage::Beta | Stage::Champion);
    if is_rise && !conditions.all.is_empty() && promotion.judgement.verdicts.is_empty() {
        let name = &rise.key.name;
        output.note(&format!("note: no condition applies to the promotion of `{name}` to {to}"));
    }
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
