//! Finds and reads the conditions on promotion: a file named by flag or environment, else the nearest `herdbook.toml`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use herdbook_domain::{Conditions, Judgement};
use herdbook_training::conditions_from_toml;

use crate::context::environment;
use crate::failure::Failure;
use crate::output::Output;

/// Name of the file that is looked for in the working directory and every folder above it.
const FILE: &str = "herdbook.toml";

/// The conditions for promotions from this working directory: those of the file that `HERDBOOK_CONFIG` names, else of
/// the nearest `herdbook.toml`, else none.
///
/// # Errors
/// [`Code::InvalidInput`](crate::Code::InvalidInput) if the file cannot be read or has a key or value that is not
/// allowed.
pub fn conditions_on_promotion() -> Result<Conditions, Failure> {
    Ok(load(None)?.map_or_else(Conditions::default, |(_, conditions)| conditions))
}

/// Reads the conditions and prints which file they came from. Without a file there are none.
pub(crate) fn read(named: Option<&Path>, output: &mut Output) -> Result<Conditions, Failure> {
    let Some((path, conditions)) = load(named)? else {
        return Ok(Conditions::default());
    };
    let effect = effect(conditions.enforce);
    output.note(&format!("conditions on promotion: {} ({effect})", path.display()));
    Ok(conditions)
}

fn load(named: Option<&Path>) -> Result<Option<(PathBuf, Conditions)>, Failure> {
    let from_environment = environment("HERDBOOK_CONFIG").map(PathBuf::from);
    let Some(path) = named
        .map(Path::to_owned)
        .or(from_environment)
        .map_or_else(nearest, |path| Ok(Some(path)))?
    else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::usage(&format!("cannot read `{}`: {error}", path.display())))?;
    let conditions = conditions_from_toml(&text, &path.display().to_string())?;
    Ok(Some((path, conditions)))
}

/// The file in the working directory or the nearest folder above it.
fn nearest() -> Result<Option<PathBuf>, Failure> {
    let directory = std::env::current_dir().context("cannot read the working directory")?;
    Ok(directory.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file()))
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
