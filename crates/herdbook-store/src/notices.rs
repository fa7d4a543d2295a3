//! Messages for people from inside an operation: a host that is waited for, or a history that changed.

use std::fmt;
use std::sync::Arc;

/// How important a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Information that may be left out.
    Note,
    /// Something is wrong.
    Warning,
}

/// The receiver of messages; by default nobody.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use herdbook_store::{Level, Notices};
///
/// let heard = Arc::new(Mutex::new(Vec::new()));
/// let list = Arc::clone(&heard);
/// let notices = Notices::new(move |level, text| list.lock().unwrap().push((level, text.to_owned())));
/// notices.say(Level::Note, "waiting for db.example");
/// assert_eq!(*heard.lock().unwrap(), [(Level::Note, "waiting for db.example".to_owned())]);
/// ```
#[derive(Clone, Default)]
pub struct Notices(Option<Arc<Receiver>>);

type Receiver = dyn Fn(Level, &str) + Send + Sync;

impl Notices {
    /// Messages go to a function. It may be called from several threads.
    pub fn new(receiver: impl Fn(Level, &str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(receiver)))
    }

    /// Passes on a message.
    pub fn say(&self, level: Level, text: &str) {
        if let Some(receiver) = &self.0 {
            receiver(level, text);
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Notices(…)" } else { "Notices(nobody)" })
    }
}
