//! The file `herdbook.toml`: the store, and the conditions on promotion. Errors name the line.

use herdbook_domain::Conditions;

use crate::error::TrainingError;
use crate::request::conditions::conditions_from_toml;
use crate::request::toml_file::Reader;

/// The contents of a file of settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// The store, if the file names one.
    pub store: Option<StoreSetting>,
    /// The conditions on promotion.
    pub conditions: Conditions,
}

/// A store that a file of settings names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSetting {
    /// Its tracking URI. A relative path starts from the folder of the file.
    pub uri: String,
    /// The line of the file, from 1 on.
    pub line: usize,
}

impl Settings {
    /// Parses the contents of a TOML file. Errors call the file `name`.
    ///
    /// # Errors
    /// [`TrainingError::ConfigFile`] with the line of the problem. An unknown key is one.
    pub fn from_toml(text: &str, name: &str) -> Result<Self, TrainingError> {
        let conditions = conditions_from_toml(text, name)?;
        let reader = Reader { text, name };
        let file = reader.table()?;
        let Some(store) = file.get_ref().get("store") else {
            return Ok(Self { store: None, conditions });
        };
        let uri =
            store.get_ref().as_str().filter(|uri| !uri.trim().is_empty()).ok_or_else(|| {
                reader.error(
                    store.span(),
                    "`store` must be a tracking URI in quotes, such as \"sqlite:///mlflow.db\"",
                )
            })?;
        let line = reader.line(store.span());
        Ok(Self { store: Some(StoreSetting { uri: uri.to_owned(), line }), conditions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        Settings::from_toml(text, "herdbook.toml").map_err(|error| error.to_string())
    }

    #[test]
    fn store_is_read_with_its_line() {
        let settings = read("# ours\n\nstore = \"sqlite:///a.db\"\n[promotion]\nenforce = true\n");
        let settings = settings.unwrap();
        let store = StoreSetting { uri: "sqlite:///a.db".to_owned(), line: 3 };
        assert_eq!((settings.store, settings.conditions.enforce), (Some(store), true));
        assert_eq!(read("").unwrap(), Settings::default());
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, line, part) in [
            ("\nstor = \"sqlite:///a.db\"", 2, "unknown key `stor`: did you mean `store`?"),
            ("store = 5", 1, "`store` must be a tracking URI in quotes"),
            ("store = \" \"", 1, "`store` must be a tracking URI in quotes"),
            (
                "[promotion]\nenforce = true\nstore = \"a\"",
                3,
                "unknown key in `[promotion]` `store`",
            ),
            ("store = \"a\"\nstore = \"b\"", 2, "duplicate key"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.starts_with(&format!("`herdbook.toml`, line {line}: ")), "{problem}");
            assert!(problem.contains(part), "{problem}");
        }
    }
}
