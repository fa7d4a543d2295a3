//! Finds and reads the file of settings: the one that a flag or the environment names, else the nearest `herdbook.toml`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use herdbook_training::Settings;

use crate::failure::Failure;
use crate::input::read_settings;

/// Name of the file that is looked for in the working directory and every folder above it.
pub(crate) const FILE: &str = "herdbook.toml";
/// Environment variable that names the file.
pub(crate) const VARIABLE: &str = "HERDBOOK_CONFIG";

/// A file of settings.
pub(crate) struct SettingsFile {
    /// Its path, absolute or relative to the working directory.
    pub(crate) path: PathBuf,
    /// Its contents.
    pub(crate) settings: Settings,
}

/// Reads the file that a flag names, else the one that `HERDBOOK_CONFIG` names, else the nearest `herdbook.toml`. `None` if
/// there is none.
///
/// # Errors
/// [`Code::InvalidInput`](crate::Code::InvalidInput) if the file cannot be read or has a key or value that is not
/// allowed.
pub(crate) fn load(named: Option<&Path>) -> Result<Option<SettingsFile>, Failure> {
    let path = match named.map(Path::to_owned) {
        Some(path) => Some(path),
        None => from_environment()?,
    };
    let path = match path {
        Some(path) => path,
        None => match nearest(&working_directory()?)? {
            Some(path) => path,
            None => return Ok(None),
        },
    };
    let text = read_settings(&path).map_err(|error| cannot_read(&path, &error))?;
    let settings = Settings::from_toml(&text, &path.display().to_string())?;
    Ok(Some(SettingsFile { path, settings }))
}

pub(crate) fn working_directory() -> Result<PathBuf, Failure> {
    Ok(std::env::current_dir().context("cannot read the working directory")?)
}

/// The file that `HERDBOOK_CONFIG` names. Set to an empty text it names none, which would skip the conditions.
fn from_environment() -> Result<Option<PathBuf>, Failure> {
    match std::env::var_os(VARIABLE) {
        Some(path) if path.is_empty() => {
            Err(Failure::usage(&format!("the environment variable `{VARIABLE}` is empty"))
                .with_hint(format!("name the file of settings in it, or `unset {VARIABLE}`")))
        }
        path => Ok(path.map(PathBuf::from)),
    }
}

/// The file in a folder or the nearest folder above it. Whatever else has its name (a folder, a broken link, a pipe) is an
/// error, and so is a folder that cannot be searched: only a file that is absent has no settings.
pub(crate) fn nearest(folder: &Path) -> Result<Option<PathBuf>, Failure> {
    for path in folder.ancestors().map(|folder| folder.join(FILE)) {
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
    let message = format!("cannot read the settings in `{}`: {error}", path.display());
    Failure::usage(&message).with_hint(format!(
        "repair or remove it, or name another file with `{VARIABLE}`, or with `--config-file` of `promote`"
    ))
}
