//! Why a server cannot start or go on.

use std::io;

use herdbook_store::StoreError;

/// Why a server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be used.
    #[error("cannot listen on {address}: {source}")]
    CannotListen {
        /// Host and port.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The store is kept by another server.
    #[error("`{uri}` is a server itself, and only a database can be served")]
    NotADatabase {
        /// The address of that server.
        uri: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refused threads, signals or connections.
    #[error("the server stopped: {0}")]
    Stopped(#[from] io::Error),
}
