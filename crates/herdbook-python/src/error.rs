//! Converts failures to Python exceptions. The classes are defined in `herdbook/_errors.py`, because they also derive
//! from MLflow's exception once MLflow is loaded.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use herdbook_cli::{Code, Failure};
use pyo3::prelude::*;

use crate::wording;

/// Runs work without the GIL. A panic in it becomes an exception.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> PyResult<T> {
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    match done {
        Ok(result) => result.map_err(|failure| raise(py, &failure)),
        Err(panic) => Err(internal(py, panic.as_ref())),
    }
}

/// The exception of a failure.
pub(crate) fn raise(py: Python<'_>, failure: &Failure) -> PyErr {
    let hint = failure.hint().map(wording::for_python);
    exception(py, failure.code().as_str(), &wording::for_python(failure.message()), hint)
}

/// The exception for an invalid argument.
pub(crate) fn invalid(py: Python<'_>, message: &str, hint: Option<&str>) -> PyErr {
    exception(py, Code::InvalidInput.as_str(), message, hint.map(ToOwned::to_owned))
}

/// The exception for a bug in herdbook, with the message of the panic.
pub(crate) fn internal(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let message = format!("internal error in herdbook: {}", text.unwrap_or_default());
    exception(
        py,
        "internal",
        &message,
        Some("please report this bug with the steps that led to it".to_owned()),
    )
}

fn exception(py: Python<'_>, code: &str, message: &str, hint: Option<String>) -> PyErr {
    let made = py
        .import("herdbook._errors")
        .and_then(|errors| errors.getattr("exception"))
        .and_then(|make| make.call1((code, message, hint)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
