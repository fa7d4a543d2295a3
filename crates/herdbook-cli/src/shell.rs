//! Commands printed for a user to copy: quoted so that every POSIX shell reads them as meant.

use crate::args::{DEFAULT_MODEL, Family};

/// The `--model` flag, or an empty text for the default model.
pub(crate) fn model_flag(family: &Family) -> String {
    if family.model == DEFAULT_MODEL {
        String::new()
    } else {
        // With `=`, a name that begins with a dash is not taken for a flag.
        format!(" --model={}", quoted(&family.model))
    }
}

/// Quotes a text so that a shell reads it as one word.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_spaces_and_quotes_are_one_word_to_a_shell() {
        assert_eq!(quoted("my_model-2.1"), "my_model-2.1");
        assert_eq!(quoted("my model"), "'my model'");
        assert_eq!(quoted("ada's"), r"'ada'\''s'");
    }
}
