//! Which file holds the conditions on promotion: the one named, else the nearest `herdbook.toml`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use herdbook_domain::{Conditions, Judgement};
use herdbook_training::conditions_from_toml;

use crate::context::environment;
use crate::failure::Failure;
use crate::output::Output;

/// Name of the file, in the working directory or a folder above it.
const FILE: &str = "herdbook.toml";

/// The conditions that every promotion from this working directory is judged by; none where there is no file.
pub fn conditions_on_promotion() -> Result<Conditions, Failure> {
    Ok(load(None)?.map_or_else(Conditions::default, |(_, conditions)| conditions))
}

/// Reads the conditions and says from where; none where there is no file.
pub(crate) fn read(named: Option<&Path>, output: &mut Output) -> Result<Conditions, Failure> {
    let Some((path, conditions)) = load(named)? else {
        return Ok(Conditions::default());
    };
    let effect = if conditions.enforce { "enforced" } else { "they warn" };
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

/// The nearest one, from the working directory up.
fn nearest() -> Result<Option<PathBuf>, Failure> {
    let directory = std::env::current_dir().context("cannot read the working directory")?;
    Ok(directory.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file()))
}

/// Every condition with its value, limit and verdict, a line each; `None` where none stood before the change.
pub(crate) fn lines(judgement: &Judgement) -> Option<String> {
    if judgement.verdicts.is_empty() {
        return None;
    }
    let effect = if judgement.enforce { "enforced" } else { "they warn" };
    let each: Vec<String> =
        judgement.verdicts.iter().map(|verdict| format!("  {verdict}")).collect();
    Some(format!("conditions ({effect}):\n{}", each.join("\n")))
}
