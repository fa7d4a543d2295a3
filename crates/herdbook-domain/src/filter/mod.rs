//! MLflow's filter and order clauses, as its 3.17 accepts them.
//!
//! A filter is a list of conditions that must all hold: `metrics.loss < 0.5 AND tags.stage = 'beta'`. Which entities,
//! attributes and comparisons are allowed depends on what is searched.

mod condition;
mod error;
mod grammar;
mod lexer;
mod literal;
mod order;
mod parse;

pub use condition::{Comparison, Condition, DatasetField, Field, Operand};
pub use error::FilterError;
pub use grammar::Searched;
pub use order::{Order, parse_order};
pub use parse::parse_filter;
