//! Limits on texts in MLflow's tables. PostgreSQL refuses longer texts, SQLite stores them, and file stores have no
//! limits.

/// A column of text in MLflow's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextColumn {
    /// The key of a tag, param or metric: `VARCHAR(250)`.
    Key,
    /// The value of a param or of a run's tag: `VARCHAR(8000)`.
    Value,
    /// The value of a tag of an experiment, registered model or version.
    LongValue,
    /// The name of a run: `VARCHAR(250)`.
    RunName,
    /// The name of a user: `VARCHAR(256)`.
    User,
}

impl TextColumn {
    /// The largest number of characters.
    pub const fn max_chars(self) -> usize {
        match self {
            Self::Key | Self::RunName => 250,
            Self::User => 256,
            Self::Value => 8_000,
            // `registered_model_tags.value`, the shortest of the three, is `VARCHAR(5000)`.
            Self::LongValue => 5_000,
        }
    }
}

/// The beginning of a text that fits the column; `None` where the whole text fits.
pub fn fitted(column: TextColumn, text: &str) -> Option<&str> {
    let (end, _) = text.char_indices().nth(column.max_chars())?;
    Some(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_that_is_too_long_is_cut() {
        assert_eq!(fitted(TextColumn::Key, &"é".repeat(250)), None);
        assert_eq!(fitted(TextColumn::Key, &"é".repeat(251)), Some("é".repeat(250).as_str()));
    }
}
