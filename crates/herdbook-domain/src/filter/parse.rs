//! Parsing of filters.

use crate::filter::condition::{Comparison, Condition, DatasetField, Field, Operand};
use crate::filter::error::FilterError;
use crate::filter::grammar::{Entity, Searched, Type};
use crate::filter::lexer::{Kind, Token, tokens};
use crate::filter::literal;

/// The conditions of a filter; none for an empty one. As in MLflow, `AND` between two conditions may be missing, and one at
/// the end is allowed.
///
/// ```
/// use herdbook_domain::filter::{Comparison, Field, Operand, Searched, parse_filter};
///
/// let conditions = parse_filter(Searched::Runs, "metrics.`eval/reward` >= 1 AND tags.env = 'prod'")?;
/// assert_eq!(conditions[0].field, Field::Metric("eval/reward".to_owned()));
/// assert_eq!(conditions[0].comparison, Comparison::AtLeast);
/// assert_eq!(conditions[1].operand, Operand::Text("prod".to_owned()));
/// assert!(parse_filter(Searched::Runs, "metrics.loss = 'low'").is_err());
/// # Ok::<(), herdbook_domain::filter::FilterError>(())
/// ```
///
/// # Errors
/// [`FilterError`], in MLflow's words.
pub fn parse_filter(searched: Searched, filter: &str) -> Result<Vec<Condition>, FilterError> {
    let tokens = tokens(filter);
    if tokens.is_empty() && !filter.is_empty() {
        return Err(FilterError::Clause { found: filter.to_owned() });
    }
    let mut rest = tokens.as_slice();
    let mut conditions = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        match first.kind {
            Kind::And => rest = after,
            Kind::Semicolon if after.iter().any(|token| token.kind != Kind::Semicolon) => {
                return Err(FilterError::Several { filter: filter.to_owned() });
            }
            Kind::Name => {
                let (condition, after) = condition(searched, first, after)?;
                conditions.push(condition);
                rest = after;
            }
            _ => return Err(not_a_condition(first, after)),
        }
    }
    Ok(conditions)
}

/// The error for words that do not begin with a name.
fn not_a_condition(first: &Token<'_>, after: &[Token<'_>]) -> FilterError {
    let found = first.text.to_owned();
    match after.first() {
        Some(Token { kind: Kind::Comparison(_), .. }) => FilterError::Identifier { found },
        _ => FilterError::Clause { found },
    }
}

/// The condition that begins with a name, and the words after it.
fn condition<'r, 't>(
    searched: Searched,
    name: &Token<'t>,
    after: &'r [Token<'t>],
) -> Result<(Condition, &'r [Token<'t>]), FilterError> {
    let clause = || FilterError::Clause { found: name.text.to_owned() };
    let (operator, after) = after.split_first().ok_or_else(clause)?;
    let Kind::Comparison(comparison) = operator.kind else {
        // A name with a character that needs quotes is several words.
        return Err(match operator.kind {
            Kind::Other if operator.text.starts_with(['<', '>', '=', '!', '~']) => {
                FilterError::Comparator { found: operator.text.to_owned(), valid: words(searched) }
            }
            Kind::Other => {
                FilterError::Identifier { found: format!("{}{}", name.text, operator.text) }
            }
            _ => clause(),
        });
    };
    let left = Left::parse(searched, name.text)?;
    if matches!(comparison, Comparison::IsNull | Comparison::IsNotNull) {
        let condition = left.null(searched, comparison)?;
        return Ok((condition, after));
    }
    let (value, after) = after.split_first().ok_or_else(clause)?;
    Ok((left.compared(searched, comparison, value)?, after))
}

/// All comparisons that a search knows, for an error.
fn words(searched: Searched) -> Vec<&'static str> {
    let numeric = searched.comparisons(Entity::Metric).iter();
    let mut words: Vec<_> =
        numeric.chain(searched.key_comparisons()).map(|comparison| comparison.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// The left side of a condition.
struct Left {
    field: Field,
    entity: Entity,
    /// The type of an attribute.
    attribute: Option<Type>,
    /// The key as given, without quotes.
    key: String,
}

impl Left {
    fn parse(searched: Searched, name: &str) -> Result<Self, FilterError> {
        let (entity, key) = entity(searched, name)?;
        if entity != Entity::Attribute {
            let field = match entity {
                Entity::Metric => Field::Metric(key.clone()),
                Entity::Param => Field::Param(key.clone()),
                Entity::Dataset => Field::Dataset(dataset_field(&key)?),
                Entity::Tag | Entity::Attribute => Field::Tag(key.clone()),
            };
            return Ok(Self { field, entity, attribute: None, key });
        }
        let attributes = searched.attributes();
        let Some((_, column, kind)) = attributes.iter().find(|(known, ..)| *known == key) else {
            let valid = attributes.iter().map(|(known, ..)| *known).collect();
            return Err(FilterError::Key { what: "attribute", found: key, valid });
        };
        Ok(Self { field: Field::Attribute(column), entity, attribute: Some(*kind), key })
    }

    fn null(self, searched: Searched, comparison: Comparison) -> Result<Condition, FilterError> {
        let is_key = matches!(self.entity, Entity::Param | Entity::Tag);
        let valid = searched.key_comparisons();
        if !valid.contains(&comparison) {
            return Err(comparator(comparison, valid));
        }
        if !is_key {
            let supported = match searched {
                Searched::Runs => "tags and params",
                _ => "tags",
            };
            return Err(FilterError::Null { supported, found: self.key });
        }
        Ok(Condition { field: self.field, comparison, operand: Operand::Nothing })
    }

    fn compared(
        self,
        searched: Searched,
        comparison: Comparison,
        value: &Token<'_>,
    ) -> Result<Condition, FilterError> {
        let operand = self.operand(searched, value)?;
        let valid = match self.attribute {
            Some(kind) => kind.comparisons(),
            None => searched.comparisons(self.entity),
        };
        let is_list = matches!(operand, Operand::List(_));
        let wants_list = matches!(comparison, Comparison::In | Comparison::NotIn);
        if !valid.contains(&comparison) || is_list != wants_list {
            return Err(comparator(comparison, valid));
        }
        Ok(Condition { field: self.field, comparison, operand })
    }

    fn operand(&self, searched: Searched, value: &Token<'_>) -> Result<Operand, FilterError> {
        let is_numeric = match self.attribute {
            Some(kind) => matches!(kind, Type::Number | Type::QuotedNumber),
            None => self.entity == Entity::Metric,
        };
        let text = match value.kind {
            Kind::Integer | Kind::Float if is_numeric => return Ok(self.number(value)),
            Kind::Text => Some(value.text),
            Kind::Name if value.text.starts_with('"') && searched != Searched::LoggedModels => {
                Some(value.text)
            }
            Kind::List => return self.list(searched, value),
            // Upstream takes any word here, and removes single quotes only.
            _ if searched == Searched::LoggedModels && !is_numeric => {
                return Ok(Operand::Text(value.text.to_owned()));
            }
            _ => None,
        };
        let text = text.and_then(|text| unquoted(text, &['\'', '"']));
        match text {
            Some(text) if !is_numeric => Ok(Operand::Text(text.to_owned())),
            Some(text) if self.attribute == Some(Type::QuotedNumber) => {
                let number = text.trim().parse().map(Operand::Integer);
                number.map_err(|_| self.value("an integer", value))
            }
            _ if is_numeric => Err(self.value("numeric value type", value)),
            _ => Err(self.value("a quoted string value (e.g. 'my-value')", value)),
        }
    }

    fn number(&self, value: &Token<'_>) -> Operand {
        if let (Kind::Integer, Ok(integer)) = (value.kind, value.text.parse()) {
            return Operand::Integer(integer);
        }
        // The lexer passes digits only; beyond `i64` the nearest float is meant.
        let number: f64 = value.text.parse().unwrap_or(f64::NAN);
        match self.attribute {
            // Upstream cuts the fraction of a version number off.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it saturates, and no version is that high"
            )]
            Some(Type::QuotedNumber) => Operand::Integer(number.trunc() as i64),
            _ => Operand::Number(number),
        }
    }

    fn list(&self, searched: Searched, value: &Token<'_>) -> Result<Operand, FilterError> {
        let is_listed = match self.attribute {
            Some(kind) => kind == Type::Listed,
            None => searched.comparisons(self.entity).contains(&Comparison::In),
        };
        if self.attribute.is_none() && !is_listed {
            return Err(self.value("a quoted string value (e.g. 'my-value')", value));
        }
        if !is_listed {
            let listed = searched.attributes().iter().filter(|(.., kind)| *kind == Type::Listed);
            return Err(FilterError::NoList { valid: listed.map(|(known, ..)| *known).collect() });
        }
        literal::texts(value.text)
            .filter(|texts| !texts.is_empty() || searched == Searched::LoggedModels)
            .map(Operand::List)
            .ok_or_else(|| FilterError::List { found: value.text.to_owned() })
    }

    fn value(&self, expected: &'static str, value: &Token<'_>) -> FilterError {
        FilterError::Value { expected, field: self.key.clone(), found: value.text.to_owned() }
    }
}

fn comparator(comparison: Comparison, valid: &[Comparison]) -> FilterError {
    FilterError::Comparator {
        found: comparison.as_str().to_owned(),
        valid: valid.iter().map(|comparison| comparison.as_str()).collect(),
    }
}

/// Divides a name at its first dot: the kind of field, and the key without quotes. Without a dot, an attribute.
pub(super) fn entity(searched: Searched, name: &str) -> Result<(Entity, String), FilterError> {
    let (entity, key) = match name.split_once('.') {
        None => (Entity::Attribute, name),
        Some((word, key)) => {
            let word = if searched == Searched::Runs { without_backticks(word) } else { word };
            let known = searched.entities().iter().find(|(known, _)| *known == word);
            let Some((_, entity)) = known else {
                let valid = searched.entities().iter().map(|(known, _)| *known).collect();
                return Err(FilterError::Entity { found: word.to_owned(), valid });
            };
            (*entity, key)
        }
    };
    // Upstream compares an attribute of the registry as it is written.
    let as_written = matches!(searched, Searched::RegisteredModels | Searched::ModelVersions);
    if as_written && entity == Entity::Attribute {
        return Ok((entity, key.to_owned()));
    }
    if searched == Searched::LoggedModels {
        return Ok((entity, key.trim_matches('`').to_owned()));
    }
    let key = unquoted(key, &['\'', '"']).unwrap_or(key);
    Ok((entity, without_backticks(key).to_owned()))
}

fn without_backticks(text: &str) -> &str {
    unquoted(text, &['`']).unwrap_or(text)
}

/// A text without the quotes at its two ends; `None` if it has none.
fn unquoted<'t>(text: &'t str, quotes: &[char]) -> Option<&'t str> {
    let quote = text.chars().next().filter(|first| quotes.contains(first))?;
    text[1..].strip_suffix(quote)
}

fn dataset_field(key: &str) -> Result<DatasetField, FilterError> {
    match key {
        "name" => Ok(DatasetField::Name),
        "digest" => Ok(DatasetField::Digest),
        "context" => Ok(DatasetField::Context),
        _ => {
            let valid = vec!["name", "digest", "context"];
            Err(FilterError::Key { what: "dataset", found: key.to_owned(), valid })
        }
    }
}
