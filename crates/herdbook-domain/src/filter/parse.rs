//! Parsing of filters.

use crate::filter::condition::{Comparison, Condition, DatasetField, Field, Operand};
use crate::filter::error::{FilterError, list, set};
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
                Left::parse(searched, name.text)?.comparator(searched, operator.text)
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
        if !searched.key_comparisons().contains(&comparison) {
            return Err(self.comparator(searched, comparison.as_str()));
        }
        if !is_key {
            let (entity, key) = (self.entity.word(), &self.key);
            return Err(match searched {
                Searched::Runs => FilterError::Null {
                    supported: "tags and params",
                    found: format!("'{entity}' '{key}'"),
                },
                _ => FilterError::Null { supported: "tags", found: format!("{entity} '{key}'") },
            });
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
        let is_list = matches!(operand, Operand::List(_));
        let wants_list = matches!(comparison, Comparison::In | Comparison::NotIn);
        if !self.comparisons(searched).contains(&comparison) || is_list != wants_list {
            return Err(self.comparator(searched, comparison.as_str()));
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
                number.map_err(|_| FilterError::Value {
                    expected: format!("an integer for {}. Found", self.key),
                    found: value.text.to_owned(),
                })
            }
            _ => Err(self.value(searched, value)),
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
            return Err(self.value(searched, value));
        }
        if !is_listed {
            let listed = searched.attributes().iter().filter(|(.., kind)| *kind == Type::Listed);
            return Err(FilterError::NoList { valid: listed.map(|(known, ..)| *known).collect() });
        }
        literal::texts(value.text)
            .filter(|texts| !texts.is_empty() || searched == Searched::LoggedModels)
            .map(Operand::List)
            .ok_or_else(|| not_texts(value.text))
    }

    /// The comparisons that the field has.
    fn comparisons(&self, searched: Searched) -> &'static [Comparison] {
        match self.attribute {
            Some(kind) => kind.comparisons(),
            None => searched.comparisons(self.entity),
        }
    }

    /// The refusal of a value of another type than the field's.
    fn value(&self, searched: Searched, value: &Token<'_>) -> FilterError {
        let is_numeric = matches!(self.attribute, Some(Type::Number | Type::QuotedNumber));
        let expected = match self.entity {
            Entity::Metric => "numeric value type for metric. Found".to_owned(),
            Entity::Attribute if is_numeric => {
                format!("numeric value type for numeric attribute: {}. Found", self.key)
            }
            Entity::Attribute => {
                let lists = "a quoted string value or a list of quoted string values";
                let what = match searched {
                    Searched::RegisteredModels | Searched::ModelVersions => lists,
                    _ => "a quoted string value",
                };
                format!("{what} for attributes. Got value")
            }
            Entity::Dataset => "a quoted string value for dataset attributes. Got value".to_owned(),
            Entity::Param | Entity::Tag => {
                let entity = self.entity.word();
                format!("a quoted string value for {entity} (e.g. 'my-value'). Got value")
            }
        };
        FilterError::Value { expected, found: value.text.to_owned() }
    }

    /// The refusal of a comparison that the field does not have.
    fn comparator(&self, searched: Searched, found: &str) -> FilterError {
        let words: Vec<&str> =
            self.comparisons(searched).iter().map(|comparison| comparison.as_str()).collect();
        let is_numeric = matches!(self.attribute, Some(Type::Number | Type::QuotedNumber));
        let rule = match (searched, self.entity) {
            // Upstream forgets the last quote of some.
            (Searched::Runs, Entity::Param) => format!("'{found}' not one of '{}'", set(&words)),
            (Searched::Runs, Entity::Attribute) if !is_numeric => {
                format!("'{found}' not one of '{}'", set(&words))
            }
            (Searched::Runs, _) => format!("'{found}' not one of '{}", set(&words)),
            (Searched::Experiments, Entity::Tag) => format!("for tag: {found}"),
            (Searched::Experiments, _) if self.key == "experiment_id" => {
                format!("for experiment_id: {found}")
            }
            (Searched::Experiments, _) if is_numeric => format!("for numeric attribute: {found}"),
            (Searched::Experiments, _) => format!("for string attribute: {found}"),
            (Searched::RegisteredModels, Entity::Attribute) => format!("for attribute: {found}"),
            (Searched::ModelVersions, Entity::Attribute) => {
                format!("for attribute {}: {found}", self.key)
            }
            _ => format!("'{found}' not one of {}", list(&words)),
        };
        FilterError::Comparator { rule }
    }
}

/// The refusal of a list that is empty, or holds something else than quoted texts.
fn not_texts(found: &str) -> FilterError {
    let is_empty = found.chars().all(|c| matches!(c, '(' | ')') || c.is_whitespace());
    let rule = if is_empty {
        "a non-empty list of string values, but got empty list".to_owned()
    } else {
        // Python writes a tuple of one with a comma.
        let tuple = match found.strip_suffix(')') {
            Some(one) if !found.contains(',') => format!("{one},)"),
            _ => found.to_owned(),
        };
        format!("string value, punctuation, or whitespace, but got different type in list: {tuple}")
    };
    FilterError::List { rule }
}

/// Divides a name at its first dot: the kind of field, and the key without quotes. Without a dot, an attribute.
pub(super) fn entity(searched: Searched, name: &str) -> Result<(Entity, String), FilterError> {
    let (entity, key) = match name.split_once('.') {
        None => (Entity::Attribute, name),
        Some((word, key)) => {
            let word = if searched == Searched::Runs { without_backticks(word) } else { word };
            let known = searched.entities().iter().find(|(known, _)| *known == word);
            let Some((_, entity)) = known else {
                return Err(FilterError::Entity { rule: entity_rule(searched, word) });
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

/// The part of a refusal that names an unknown kind of field, and those that there are.
fn entity_rule(searched: Searched, found: &str) -> String {
    let words: Vec<&str> = searched.entities().iter().map(|(known, _)| *known).collect();
    match searched {
        Searched::Runs => {
            let kinds = ["metric", "parameter", "tag", "attribute", "dataset"];
            format!("'{found}'. Valid values are {}", list(&kinds))
        }
        Searched::LoggedModels => format!("'{found}'. Valid values are {}", list(&words)),
        _ => {
            let tuple = list(&words).replace('[', "(").replace(']', ")");
            format!("'{found}'. Valid entity types are {tuple}")
        }
    }
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
