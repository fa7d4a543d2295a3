//! Numbers and texts as Python reads and writes them: MLflow's error texts hold them.

/// As `int(text)`; `None` if Python refuses it, or it has more than 38 digits.
pub fn parse_int(text: &str) -> Option<i128> {
    without_underscores(text.trim())?.parse().ok()
}

/// As `float(text)`.
pub fn parse_float(text: &str) -> Option<f64> {
    let text = without_underscores(text.trim())?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let is_word = ["inf", "infinity", "nan"].iter().any(|word| word.eq_ignore_ascii_case(unsigned));
    // Rust reads all that Python reads.
    if is_word || unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        text.parse().ok()
    } else {
        None
    }
}

/// Removes underscores between digits; `None` if there are others.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |idx: usize| bytes.get(idx).is_some_and(u8::is_ascii_digit);
    let is_between = |idx: usize| idx > 0 && is_digit(idx - 1) && is_digit(idx + 1);
    let misplaced = (0..bytes.len()).any(|idx| bytes[idx] == b'_' && !is_between(idx));
    (!misplaced).then(|| text.replace('_', ""))
}

/// As `repr(value)` of a float.
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        return format!("{value:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// As `json.dumps(value)` of a float.
pub fn json_float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        float(value)
    }
}

/// As `json.dumps(value)` of a text: all but ASCII is escaped.
pub fn json_text(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text.push('"');
    text
}

/// As `repr(value)` of a text. Characters that Python does not print are escaped.
pub fn text(value: &str) -> String {
    let quote = if value.contains('\'') && !value.contains('"') { '"' } else { '\'' };
    let mut shown = String::with_capacity(value.len() + 2);
    shown.push(quote);
    for c in value.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c == quote => {
                shown.push('\\');
                shown.push(c);
            }
            c if c.is_control() && (c as u32) < 0x100 => {
                shown.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => shown.push(c),
        }
    }
    shown.push(quote);
    shown
}

/// As `repr(values)` of a list of texts.
pub fn list<T: AsRef<str>>(values: &[T]) -> String {
    let shown: Vec<String> = values.iter().map(|value| text(value.as_ref())).collect();
    format!("[{}]", shown.join(", "))
}

/// As `repr(value)` of bytes.
pub fn bytes(value: &[u8]) -> String {
    let quote = if value.contains(&b'\'') && !value.contains(&b'"') { '"' } else { '\'' };
    let mut shown = format!("b{quote}");
    for byte in value {
        match byte {
            b'\\' => shown.push_str("\\\\"),
            b'\n' => shown.push_str("\\n"),
            b'\r' => shown.push_str("\\r"),
            b'\t' => shown.push_str("\\t"),
            byte if char::from(*byte) == quote => {
                shown.push('\\');
                shown.push(quote);
            }
            b' '..=b'~' => shown.push(char::from(*byte)),
            byte => shown.push_str(&format!("\\x{byte:02x}")),
        }
    }
    shown.push(quote);
    shown
}

/// As `repr(json.loads(text))`. The keys of an object are sorted.
pub fn json(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => match number.as_f64() {
            Some(value) if number.is_f64() => float(value),
            _ => number.to_string(),
        },
        Value::String(value) => text(value),
        Value::Array(items) => {
            let shown: Vec<String> = items.iter().map(json).collect();
            format!("[{}]", shown.join(", "))
        }
        Value::Object(entries) => {
            let shown: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", text(key), json(value)))
                .collect();
            format!("{{{}}}", shown.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float(value), expected);
        }
    }

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("5", Some(5)),
            (" 5\t", Some(5)),
            ("+5", Some(5)),
            ("1_000", Some(1000)),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("5.0", None),
            ("", None),
            ("0x5", None),
        ] {
            assert_eq!(parse_int(text), expected, "{text}");
        }
        for text in ["1", "1.", ".5", "1e3", "-1_0.5", "inf", "-Infinity", "NaN"] {
            assert!(parse_float(text).is_some(), "{text}");
        }
        for text in ["", "x", "1e", "--1", "1_.5", "infinit", "."] {
            assert!(parse_float(text).is_none(), "{text}");
        }
    }

    #[test]
    fn texts_are_written_as_python_writes_them() {
        assert_eq!(text("a'b"), "\"a'b\"");
        assert_eq!(text("a'\"b"), "'a\\'\"b'");
        assert_eq!(list(&["a", "b\n"]), "['a', 'b\\n']");
        assert_eq!(json_text("ä\"\u{1f600}\n"), "\"\\u00e4\\\"\\ud83d\\ude00\\n\"");
    }
}
