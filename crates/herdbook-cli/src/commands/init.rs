//! `init`: writes a commented file of settings into the working directory.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use herdbook_store::{Location, uri_without_secrets};
use serde_json::json;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::output::Output;
use crate::settings::{self, FILE, VARIABLE};

/// The file, with the line of the store left out. Lines that begin with `#` and no blank are settings.
const TEMPLATE: &str = include_str!("init/herdbook.toml");
/// The store that commands use in a folder without settings.
const DEFAULT_STORE: &str = "sqlite:///mlflow.db";

pub(crate) fn run(global: &Global, output: &mut Output) -> Result<(), Failure> {
    let folder = settings::working_directory()?;
    let store = store(global, &folder)?;
    let path = folder.join(FILE);
    let above = folder.parent().map(settings::nearest).transpose()?.flatten();
    write(&path, &content(&store))?;
    if let Some(above) = above {
        output.note(&format!(
            "note: `{}` has no effect in this folder any more, nor in those below it",
            above.display()
        ));
    }
    if let Some(other) = std::env::var_os(VARIABLE) {
        let other = PathBuf::from(other);
        output.note(&format!(
            "note: {VARIABLE} names `{}`, which is used instead of the new file",
            other.display()
        ));
    }
    let next = "herdbook train --timeframe 1H --data BARS.csv";
    output.data(
        || json!({"path": path, "store": store}),
        || format!("wrote {}\nstore: {store}\nnext: edit it, then {next}", path.display()),
    )
}

/// The store to name in the file. It must be one that commands can open.
fn store(global: &Global, folder: &Path) -> Result<String, Failure> {
    let Some(uri) = &global.tracking_uri else {
        // Without a store in the file MLflow's choice counts, and it may be a file store in `mlruns`.
        Location::resolve(None, folder)?;
        return Ok(DEFAULT_STORE.to_owned());
    };
    if uri_without_secrets(uri) != *uri {
        return Err(Failure::usage(
            "the tracking URI has a password or a token, which does not belong into a file of settings",
        )
        .with_hint("leave it out, and give it in `PGPASSWORD` or `MLFLOW_TRACKING_TOKEN`"));
    }
    Location::resolve(Some(uri), folder)?;
    Ok(uri.clone())
}

fn content(store: &str) -> String {
    let quoted = serde_json::to_string(store).expect("a text is JSON");
    TEMPLATE.replace("#STORE", &format!("store = {quoted}"))
}

/// Writes a new file completely, or none. A file that exists is never replaced.
fn write(path: &Path, content: &str) -> Result<(), Failure> {
    let cannot = || format!("cannot write `{}`", path.display());
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let message = format!("`{}` exists, and is not replaced", path.display());
            return Err(
                Failure::new(Code::Conflict, message).with_hint("edit it, or move it away first")
            );
        }
        Err(error) => return Err(anyhow::Error::new(error).context(cannot()).into()),
    };
    let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file would be read by the next command. It is ours, because it did not exist before.
        let _ = std::fs::remove_file(path);
    }
    Ok(written.with_context(cannot)?)
}

#[cfg(test)]
mod tests {
    use herdbook_training::Settings;

    use super::*;

    #[test]
    fn file_is_valid_as_written_and_with_all_its_examples() {
        let written = content("sqlite:///mlflow.db");
        let settings = Settings::from_toml(&written, FILE).unwrap();
        assert_eq!(settings.store.unwrap().uri, "sqlite:///mlflow.db");
        assert!(settings.conditions.all.is_empty() && !settings.conditions.enforce);
        let examples: Vec<&str> = written
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => rest,
                _ => line,
            })
            .collect();
        let settings = Settings::from_toml(&examples.join("\n"), FILE).unwrap();
        assert_eq!(settings.conditions.all.len(), 5);
        assert!(settings.conditions.enforce);
    }
}
