//! Says that a host is waited for, if its first answer takes long.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use crate::notices::{Level, Notices};

/// A wait of this length is no surprise, and is not announced.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// How long a host may take until its first answer. A host that accepts connections and stays silent is given up then.
pub const FIRST_ANSWER: Duration = Duration::from_secs(15);

/// Says `waiting for HOST` unless the result is dropped soon.
#[must_use]
pub fn announce(notices: &Notices, host: &str) -> Waiting {
    let (done, receiver) = mpsc::channel();
    let (notices, host) = (notices.clone(), host.to_owned());
    // Without the thread, there is no message.
    let _ = std::thread::Builder::new().name("herdbook-waiting".to_owned()).spawn(move || {
        if receiver.recv_timeout(SHORT_WAIT) == Err(RecvTimeoutError::Timeout) {
            let limit = FIRST_ANSWER.as_secs();
            let text = format!("waiting for {host} (at most {limit} s for its first answer)");
            notices.say(Level::Note, &text);
        }
    });
    Waiting(done)
}

/// A wait in progress. Dropping it ends the wait.
#[derive(Debug)]
pub struct Waiting(#[expect(dead_code, reason = "dropping it tells the thread")] Sender<()>);
