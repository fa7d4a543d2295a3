//! Commands that are printed for a user to type: they must do what they say in any shell.

use crate::args::{DEFAULT_FAMILY, Family};

/// The flag that names the family, where it is not the default one.
pub(crate) fn model_flag(family: &Family) -> String {
    if family.model == DEFAULT_FAMILY {
        String::new()
    } else {
        // With `=`, so that a name that begins with a dash is not taken for a flag.
        format!(" --model={}", quoted(&family.model))
    }
}

/// A text as a shell takes it for one word.
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
