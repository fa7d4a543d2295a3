//! Calls into the Parquet decoder, which panics on some damaged files, such as one with a page that needs a missing
//! dictionary.
//!
//! Such a panic is caught and becomes an error. It must not be printed either, so the first call wraps the panic hook of
//! the process: the wrapper skips panics of a thread while it decodes, and passes all others on.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use ::parquet::errors::ParquetError;

thread_local! {
    static IS_DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Calls the decoder; a panic becomes an error.
pub(super) fn no_panic<T>(
    decode: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, ParquetError> {
    static WRAP_HOOK: Once = Once::new();
    WRAP_HOOK.call_once(wrap_hook);
    IS_DECODING.set(true);
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    IS_DECODING.set(false);
    decoded.unwrap_or_else(|_| Err(ParquetError::General("it is damaged".to_owned())))
}

fn wrap_hook() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !IS_DECODING.get() {
            hook(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Panics of this thread that reached the hook of the process.
    static N_REPORTED: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn panic_of_the_decoder_is_an_error_and_only_other_panics_are_reported() {
        let thread = std::thread::current().id();
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == thread {
                N_REPORTED.fetch_add(1, Ordering::SeqCst);
            } else {
                hook(info);
            }
        }));
        let error = no_panic::<()>(|| panic!("a damaged page")).unwrap_err();
        assert_eq!(error.to_string(), "Parquet error: it is damaged");
        assert_eq!(N_REPORTED.load(Ordering::SeqCst), 0);
        assert!(panic::catch_unwind(|| panic!("a fault elsewhere")).is_err());
        assert_eq!(N_REPORTED.load(Ordering::SeqCst), 1);
        assert_eq!(no_panic(|| Ok(3)).unwrap(), 3);
    }
}
