//! Why a filter or order clause is refused.

/// A filter or order clause that MLflow's grammar does not allow. The texts begin as those of MLflow 3.17, which its users
/// know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A part of the filter is no comparison.
    #[error("Invalid clause(s) in filter string: '{found}'")]
    Clause {
        /// The part.
        found: String,
    },
    /// The left side of a comparison is not a name.
    #[error(
        "Invalid comparison clause. Expected 'Identifier' found '{found}'. A name with characters other than letters, \
         digits, `_` and `.` needs backticks"
    )]
    Identifier {
        /// The left side.
        found: String,
    },
    /// A semicolon separates two filters.
    #[error(
        "Search filter contained multiple expression '{filter}'. Provide AND-ed expression list."
    )]
    Several {
        /// The filter.
        filter: String,
    },
    /// The part before the first dot is unknown.
    #[error("Invalid entity type {rule}")]
    Entity {
        /// The part before the dot, and what is allowed.
        rule: String,
    },
    /// The attribute does not exist.
    #[error("Invalid {what} key '{found}' specified. Valid keys are '{}'", set(valid))]
    Key {
        /// `attribute` or `dataset`.
        what: &'static str,
        /// The key.
        found: String,
        /// What is allowed.
        valid: Vec<&'static str>,
    },
    /// The comparison is not allowed for this field.
    #[error("Invalid comparator {rule}")]
    Comparator {
        /// The comparison, and what is allowed.
        rule: String,
    },
    /// `IS NULL` of a field that always has a value.
    #[error("IS NULL / IS NOT NULL is only supported for {supported}, not for {found}")]
    Null {
        /// Which fields allow it.
        supported: &'static str,
        /// The kind of field, and the field.
        found: String,
    },
    /// The value has the wrong type.
    #[error("Expected {expected} {found}")]
    Value {
        /// The type, for which field, and a word before the value.
        expected: String,
        /// The value.
        found: String,
    },
    /// A list that is empty, or holds something else than quoted texts.
    #[error("While parsing a list in the query, expected {rule}")]
    List {
        /// What is allowed, and the list.
        rule: String,
    },
    /// A field that cannot be compared with a list.
    #[error(
        "Only {} attributes support comparison with a list of quoted string values.",
        list(valid)
    )]
    NoList {
        /// The fields that can.
        valid: Vec<&'static str>,
    },
    /// An order clause that cannot be read.
    #[error("Invalid order_by clause '{found}'. Could not be parsed.")]
    Order {
        /// The clause.
        found: String,
    },
    /// The word after the field is neither `ASC` nor `DESC`.
    #[error("Invalid ordering key in order_by clause '{found}'.")]
    Direction {
        /// The clause.
        found: String,
    },
    /// A kind of field that results cannot be ordered by.
    #[error("Invalid order_by entity: {found}")]
    OrderEntity {
        /// The kind of field.
        found: &'static str,
    },
}

/// As Python writes a set of texts. Its order is that of the grammar; Python's is random.
pub(super) fn set(words: &[&str]) -> String {
    format!("{{{}}}", quoted(words))
}

/// As Python writes a list of texts.
pub(super) fn list(words: &[&str]) -> String {
    format!("[{}]", quoted(words))
}

fn quoted(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    quoted.join(", ")
}
