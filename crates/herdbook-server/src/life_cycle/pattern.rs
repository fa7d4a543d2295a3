//! Patterns of the names of registered models.

/// A pattern of names, in which `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// A pattern such as `*_trading_model`.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("*_trading_model", "1H_trading_model", true),
            ("*_trading_model", "_trading_model", true),
            ("*_trading_model", "1H_trading_model_2", false),
            ("1H_*", "1H_x", true),
            ("1H_*", "D_x", false),
            ("a*b*c", "abxbc", true),
            ("a*b*c", "acb", false),
            ("ab*bc", "abc", false),
            ("churn", "churn", true),
            ("churn", "churn2", false),
            ("*", "", true),
        ] {
            assert_eq!(NamePattern::new(pattern).fits(name), expected, "{pattern} {name}");
        }
    }
}
