//! Tests of the update against independent calculations.

mod gradient;
mod sb3;
