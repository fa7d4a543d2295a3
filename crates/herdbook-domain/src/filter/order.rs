//! Parsing of order clauses.

use crate::filter::condition::Field;
use crate::filter::error::FilterError;
use crate::filter::grammar::{Entity, Searched};
use crate::filter::lexer::{Kind, tokens};
use crate::filter::parse::entity;

/// A field that results are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The field. Never a dataset.
    pub field: Field,
    /// Whether the largest comes first.
    pub is_descending: bool,
}

/// The order of a clause such as `metrics.loss DESC`.
///
/// ```
/// use herdbook_domain::filter::{Field, Order, Searched, parse_order};
///
/// let order = parse_order(Searched::Runs, "Created DESC")?;
/// assert_eq!(order, Order { field: Field::Attribute("start_time"), is_descending: true });
/// # Ok::<(), herdbook_domain::filter::FilterError>(())
/// ```
///
/// # Errors
/// [`FilterError`], in MLflow's words.
pub fn parse_order(searched: Searched, clause: &str) -> Result<Order, FilterError> {
    let unreadable = || FilterError::Order { found: clause.to_owned() };
    let tokens = tokens(clause);
    let (name, direction) = match tokens.as_slice() {
        [name] => (name, None),
        [name, direction] => (name, Some(direction.text)),
        _ => return Err(unreadable()),
    };
    if name.kind != Kind::Name {
        return Err(unreadable());
    }
    let is_descending = match direction {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("asc") => false,
        Some(word) if word.eq_ignore_ascii_case("desc") => true,
        Some(_) => return Err(FilterError::Direction { found: clause.to_owned() }),
    };
    if searched == Searched::RegisteredModels && name.text.contains('.') {
        // Upstream takes no prefix here, not even `attribute.`.
        attribute(searched, name.text)?;
    }
    let (entity, key) = entity(searched, name.text)?;
    let field = match (searched, entity) {
        (_, Entity::Attribute) => Field::Attribute(attribute(searched, &key)?),
        (Searched::Runs, Entity::Metric) => Field::Metric(key),
        (Searched::Runs, Entity::Param) => Field::Param(key),
        (Searched::Runs, Entity::Tag) => Field::Tag(key),
        (_, Entity::Metric) => return Err(FilterError::OrderEntity { found: "metric" }),
        (_, Entity::Param) => return Err(FilterError::OrderEntity { found: "parameter" }),
        (_, Entity::Tag) => return Err(FilterError::OrderEntity { found: "tag" }),
        (_, Entity::Dataset) => return Err(FilterError::OrderEntity { found: "dataset" }),
    };
    Ok(Order { field, is_descending })
}

/// The attribute in the answer that an order clause names.
fn attribute(searched: Searched, key: &str) -> Result<&'static str, FilterError> {
    let known = searched.order_attributes();
    known.iter().find(|(name, _)| *name == key).map(|(_, column)| *column).ok_or_else(|| {
        let valid = known.iter().map(|(name, _)| *name).collect();
        FilterError::Key { what: "attribute", found: key.to_owned(), valid }
    })
}
