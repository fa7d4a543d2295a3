//! Texts for people.

/// A whole number with thousands separators: `100,352`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A fraction as a percentage: `12.3%`, without a blank.
pub fn percent(fraction: f64, decimals: usize) -> String {
    format!("{:.decimals$}%", 100.0 * fraction)
}

/// A fraction as a percentage with its sign: `+1.20%`.
pub fn signed_percent(fraction: f64, decimals: usize) -> String {
    format!("{:+.decimals$}%", 100.0 * fraction)
}

/// Whether a terminal or a browser may act on a character instead of showing it: control characters (those from U+0080
/// to U+009F too), line separators, and marks that change the direction of text.
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
