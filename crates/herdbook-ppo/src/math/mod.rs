//! Arithmetic on rows of floats, vectorised for the CPU at hand and without allocation. It knows
//! shapes, not learning.
//!
//! A matrix is a slice of rows, each padded with zeros to whole cache lines ([`padded`]), so that
//! every kernel works on full vectors and never on a remainder. Padding stays zero through all of
//! training: zero weights give zero outputs, zero gradients and zero Adam steps.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into the dispatched function may use its vector instructions"
)]

pub(crate) mod buffer;
pub(crate) mod categorical;
pub(crate) mod elementwise;
pub(crate) mod product;

/// Floats in a cache line, which is also the widest vector any CPU has.
pub(crate) const LINE: usize = 16;

/// The width of a row of `n` floats in memory.
pub(crate) const fn padded(n: usize) -> usize {
    n.next_multiple_of(LINE)
}

/// Every set of vector instructions that this machine has and the code is made for, none of them first.
#[cfg(test)]
pub(crate) fn levels() -> Vec<pulp::Arch> {
    let mut levels = vec![pulp::Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    {
        levels.extend(pulp::x86::V3::try_new().map(pulp::Arch::V3));
        levels.extend(pulp::x86::V4::try_new().map(pulp::Arch::V4));
    }
    #[cfg(not(target_arch = "x86_64"))]
    levels.push(pulp::Arch::new());
    levels
}
