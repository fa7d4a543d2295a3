//! Rules that a quant tries before a neural network, on the same bars, features and costs: a moving average, a logistic
//! regression, and random actions.
//!
//! The rules are fitted on the training window and chosen on the validation window, as the model is. Test bars play no part
//! in the choice.

pub(crate) mod choice;
pub(crate) mod linear_system;
pub(crate) mod logistic;
pub(crate) mod moving_average;
pub(crate) mod random;
pub(crate) mod side;
