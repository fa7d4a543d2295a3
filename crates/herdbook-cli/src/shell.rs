//! Commands printed for a user to copy: quoted so that every POSIX shell reads them as meant.

use std::ffi::OsString;

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

/// The command line `args`, the first of which is the program, with a flag and its value, which replace an earlier one.
pub(crate) fn with_flag(args: &[OsString], flag: &str) -> String {
    let (name, has_value) = flag.split_once(' ').map_or((flag, false), |(name, _)| (name, true));
    let mut words = vec!["herdbook".to_owned()];
    let mut rest = args.iter().skip(1).map(|arg| arg.to_string_lossy());
    while let Some(arg) = rest.next() {
        let is_same = arg == name;
        if is_same && has_value {
            rest.next();
        }
        if !is_same && arg.split_once('=').is_none_or(|(given, _)| given != name) {
            words.push(quoted(&arg));
        }
    }
    words.push(flag.to_owned());
    words.join(" ")
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

    #[test]
    fn flag_is_added_to_a_command_or_replaces_an_earlier_one() {
        let of = |line: &str, flag: &str| {
            let args: Vec<OsString> = line.split('|').map(Into::into).collect();
            with_flag(&args, flag)
        };
        assert_eq!(
            of("x|train|-t|1H|--data|my bars.csv", "--skip-bad-rows"),
            "herdbook train -t 1H --data 'my bars.csv' --skip-bad-rows"
        );
        for given in ["a|train|--columns|b|-q", "a|train|--columns=b|-q"] {
            assert_eq!(of(given, "--columns time,open"), "herdbook train -q --columns time,open");
        }
    }
}
