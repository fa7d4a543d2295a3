//! Numerical kernels on rows of floats, without allocation. They use the best vector instructions of
//! the CPU, which are selected at run time.
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

/// Number of floats in a cache line, which is also the widest vector of any supported CPU.
pub(crate) const LINE: usize = 16;

/// The length in floats of a row of `n` floats in memory, padding included.
pub(crate) const fn padded(n: usize) -> usize {
    n.next_multiple_of(LINE)
}

/// All instruction sets that the kernels are compiled for and this machine supports, starting with
/// scalar code.
#[cfg(test)]
pub(crate) fn instruction_sets() -> Vec<pulp::Arch> {
    let mut sets = vec![pulp::Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    {
        sets.extend(pulp::x86::V3::try_new().map(pulp::Arch::V3));
        sets.extend(pulp::x86::V4::try_new().map(pulp::Arch::V4));
    }
    #[cfg(not(target_arch = "x86_64"))]
    sets.push(pulp::Arch::new());
    sets
}
