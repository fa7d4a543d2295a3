//! Colours by meaning.

use std::borrow::Cow;

use herdbook_domain::{Honesty, Stage};

/// What a coloured text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Heading,
    Champion,
    Beta,
    Good,
    Bad,
    /// To be doubted: a warning, an unknown honesty.
    Doubtful,
    /// Of less interest.
    Faint,
}

impl Meaning {
    /// The meaning of a stage; development has no colour.
    pub(crate) fn of_stage(stage: Stage) -> Option<Self> {
        match stage {
            Stage::Development => None,
            Stage::Beta => Some(Self::Beta),
            Stage::Champion => Some(Self::Champion),
            Stage::Archived => Some(Self::Faint),
        }
    }

    /// The meaning of an honesty; a clean one has no colour.
    pub(crate) fn of_honesty(honesty: Honesty) -> Option<Self> {
        match honesty {
            Honesty::Clean => None,
            Honesty::Contaminated => Some(Self::Bad),
            Honesty::Unknown => Some(Self::Doubtful),
        }
    }

    /// The meaning of a gain or a loss. Zero has no colour.
    pub(crate) fn of_sign(value: Option<f64>) -> Option<Self> {
        match value {
            Some(value) if value > 0.0 => Some(Self::Good),
            Some(value) if value < 0.0 => Some(Self::Bad),
            _ => None,
        }
    }

    /// Parameters of the escape sequence "select graphic rendition" (ECMA-48, 8.3.117).
    const fn rendition(self) -> &'static str {
        match self {
            Self::Heading => "1",
            Self::Champion => "1;32",
            Self::Beta => "36",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Doubtful => "33",
            Self::Faint => "2",
        }
    }

    /// A text, which must hold no control characters, in the colour of the meaning.
    pub(crate) fn paint(self, text: &str) -> String {
        format!("\u{1b}[{}m{text}\u{1b}[0m", self.rendition())
    }
}

/// A text as it is, or in the colour of a meaning if colours are shown.
pub(crate) fn painted(text: &str, meaning: Option<Meaning>, has_colours: bool) -> Cow<'_, str> {
    match meaning {
        Some(meaning) if has_colours && !text.is_empty() => meaning.paint(text).into(),
        _ => text.into(),
    }
}

/// The text of a message on stderr, with its first word in the colour of its kind.
pub(crate) fn message(text: String, has_colours: bool) -> String {
    const KINDS: [(&str, Meaning); 4] = [
        ("error:", Meaning::Bad),
        ("warning:", Meaning::Doubtful),
        ("note:", Meaning::Faint),
        ("hint:", Meaning::Beta),
    ];
    let kind = KINDS.iter().find(|(word, _)| has_colours && text.starts_with(word));
    match kind {
        Some((word, meaning)) => format!("{}{}", meaning.paint(word), &text[word.len()..]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_painted_only_where_colours_are_shown() {
        assert_eq!(painted("a", Some(Meaning::Bad), true), "\u{1b}[31ma\u{1b}[0m");
        assert_eq!(painted("a", Some(Meaning::Bad), false), "a");
        assert_eq!(painted("a", None, true), "a");
        assert_eq!(message("error: b".to_owned(), true), "\u{1b}[31merror:\u{1b}[0m b");
        assert_eq!(message("errors".to_owned(), true), "errors");
    }
}
