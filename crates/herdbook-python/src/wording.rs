//! Rewrites messages of the command line for Python: flags become arguments.

/// Turns `--model-version <N>` into `model_version`. A quoted `herdbook` command keeps its flags.
pub(crate) fn for_python(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Pieces with an odd index are between backticks.
    for (idx, piece) in text.split('`').enumerate() {
        if idx > 0 {
            out.push('`');
        }
        if idx % 2 == 1 && piece.starts_with("herdbook ") {
            out.push_str(piece);
        } else {
            out.push_str(&arguments(piece));
        }
    }
    out
}

fn arguments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let (before, flag) = rest.split_at(at);
        let name = &flag[2..];
        let end = name.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(name.len());
        let starts_word = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        out.push_str(before);
        if end == 0 || !starts_word {
            out.push_str("--");
            rest = name;
            continue;
        }
        out.push_str(&name[..end].replace('-', "_"));
        rest = without_placeholder(&name[end..]);
    }
    out.push_str(rest);
    out.replace(" (flag `", " (argument `").replace("(flag ", "(argument ")
}

/// Removes the placeholder that clap prints after a flag, such as ` <TIMEFRAME>`.
fn without_placeholder(text: &str) -> &str {
    let Some(inner) = text.strip_prefix(" <") else { return text };
    match inner.split_once('>') {
        Some((name, rest)) if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => rest,
        _ => text,
    }
}
