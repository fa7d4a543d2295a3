//! The parsed conditions of a filter.

/// What a condition compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// The latest value of a metric.
    Metric(String),
    /// A parameter.
    Param(String),
    /// A tag.
    Tag(String),
    /// A dataset that the run used.
    Dataset(DatasetField),
    /// A column of the searched record, by its name in the answer: an alias such as `Created` is resolved.
    Attribute(&'static str),
}

/// A column of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetField {
    /// Its name.
    Name,
    /// Its digest.
    Digest,
    /// The tag `mlflow.data.context` of its use by the run.
    Context,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `LIKE`: `%` stands for any text and `_` for any character; upper and lower case differ.
    Like,
    /// `ILIKE`: as `LIKE`, but upper and lower case are the same.
    Ilike,
    /// `IN`
    In,
    /// `NOT IN`
    NotIn,
    /// `IS NULL`: the record has no such key.
    IsNull,
    /// `IS NOT NULL`: the record has the key.
    IsNotNull,
}

impl Comparison {
    /// The comparison as MLflow writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Like => "LIKE",
            Self::Ilike => "ILIKE",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
        }
    }
}

/// The value that a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A number without a fraction.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
    /// Texts, the operand of `IN` and `NOT IN`: at least one, except in a search of logged models.
    List(Vec<String>),
    /// Nothing: `IS NULL` and `IS NOT NULL` have no operand.
    Nothing,
}

/// One comparison of a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What is compared.
    pub field: Field,
    /// How it is compared.
    pub comparison: Comparison,
    /// What it is compared with.
    pub operand: Operand,
}
