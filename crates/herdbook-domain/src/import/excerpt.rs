//! Shortens and cleans texts of the source for messages.

/// At most 60 characters of a text, control characters replaced by `?`.
pub(super) fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let printable = |c: char| if c.is_control() { '?' } else { c };
    let mut short: String = text.chars().map(printable).take(MAX_CHARS).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_control_characters_replaced() {
        assert_eq!(excerpt("a\nb"), "a?b");
        assert_eq!(excerpt(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(excerpt(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }
}
