//! Finds and reads the conditions on promotion: a file named by flag or environment, else the nearest `herdbook.toml`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use herdbook_domain::{Conditions, Judgement, PromotionPlan, Stage};
use herdbook_training::conditions_from_toml;

use crate::failure::Failure;
use crate::input::read_settings;
use crate::output::Output;

/// Name of the file that is looked for in the working directory and every folder above it.
const FILE: &str = "herdbook.toml";
/// Environment variable that names the file.
const VARIABLE: &str = "HERDBOOK_CONFIG";

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
    let path = path.display();
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

fn load(named: Option<&Path>) -> Result<Option<(PathBuf, Conditions)>, Failure> {
    let path = match named.map(Path::to_owned) {
        Some(path) => Some(path),
        None => from_environment()?,
    };
    let path = match path {
        Some(path) => path,
        None => match nearest()? {
            Some(path) => path,
            None => return Ok(None),
        },
    };
    let text = read_settings(&path).map_err(|error| cannot_read(&path, &error))?;
    let conditions = conditions_from_toml(&text, &path.display().to_string())?;
    Ok(Some((path, conditions)))
}

/// The file that `HERDBOOK_CONFIG` names. Set to an empty text it names none, which would skip the conditions.
fn from_environment() -> Result<Option<PathBuf>, Failure> {
    match std::env::var_os(VARIABLE) {
        Some(path) if path.is_empty() => {
            Err(Failure::usage(&format!("the environment variable `{VARIABLE}` is empty"))
                .with_hint(format!("name the file of the conditions in it, or `unset {VARIABLE}`")))
        }
        path => Ok(path.map(PathBuf::from)),
    }
}

/// The file in the working directory or the nearest folder above it. Whatever else has its name (a folder, a broken
/// link, a pipe) is an error, and so is a folder that cannot be searched: only a file that is absent has no conditions.
fn nearest() -> Result<Option<PathBuf>, Failure> {
    let directory = std::env::current_dir().context("cannot read the working directory")?;
    for path in directory.ancestors().map(|folder| folder.join(FILE)) {
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(cannot_read(&path, &error)),
            Ok(_) => {
                // A pipe would make the command wait for a writer.
                let found = std::fs::metadata(&path).map_err(|error| cannot_read(&path, &error))?;
                if !found.is_file() {
                    let error = std::io::Error::other("it is not a file");
                    return Err(cannot_read(&path, &error));
                }
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    let message =
        format!("cannot read the conditions on promotion in `{}`: {error}", path.display());
    Failure::usage(&message)
        .with_hint("repair or remove it, or name another file with `--config-file`")
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
