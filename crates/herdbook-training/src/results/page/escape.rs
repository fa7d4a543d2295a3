//! Text from outside (names, reasons, symbols) as a page may show it.

use std::fmt::Write as _;

use herdbook_domain::is_active;

/// Escapes what HTML would act on, and shows control characters and marks that reorder text by their number.
pub(super) fn text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            c if is_active(c) => {
                write!(shown, "\\u{{{:x}}}", u32::from(c)).expect("writing to memory succeeds");
            }
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            super::text("<b onclick='x'>\"&\u{202e}\u{0}é"),
            r"&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\u{202e}\u{0}é"
        );
    }
}
