//! Bounds on the size of a network. Anything larger is a mistake, or a file made to exhaust memory.

/// Largest observation length, and largest number of actions.
pub(crate) const MAX_SPACE: usize = 1 << 16;

/// Largest number of weights and biases of both networks together, padding included.
pub(crate) const MAX_PARAMETERS: usize = 1 << 24;
