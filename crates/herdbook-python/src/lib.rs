//! The native module of the Python package `herdbook`: conversions between Python and the crates below, no rules.
//!
//! Work is done without holding the GIL. A panic becomes an exception; it never crosses into Python.

#![expect(clippy::needless_pass_by_value, reason = "pyo3 passes arguments by value")]

mod arena;
mod artifacts;
mod bars;
mod call;
mod env;
mod error;
mod json;
mod records;
mod shapes;
mod wording;

use pyo3::prelude::*;

/// Runs one command for a terminal and returns its exit status.
#[pyfunction]
fn main(py: Python<'_>, args: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| herdbook_cli::main(args))
}

#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::arena::Arena;
    #[pymodule_export]
    use crate::bars::Bars;
    #[pymodule_export]
    use crate::call::call;
    #[pymodule_export]
    use crate::env::{Env, Envs};
    #[pymodule_export]
    use crate::main;
    #[pymodule_export]
    use crate::records::{Records, improvements};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
