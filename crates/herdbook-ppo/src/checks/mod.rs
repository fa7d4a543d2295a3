//! Tests of whole updates: against independent calculations, against recorded results, and of the
//! invariants that the kernels rely on.

mod gradient;
mod recorded;
mod sb3;
