//! The native API below `/api/herdbook/v1`.

mod acting;
mod document;
mod following;
mod hostile;
mod reading;
mod server;
