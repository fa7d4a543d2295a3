//! The status and times that the row of a run must have, computed again from its events.

use crate::history::{Channel, Event, EventKind};
use crate::values::{RunStatus, Timestamp};

/// What the events of one run determine about its row.
#[derive(Debug, Clone, Default)]
pub(super) struct RunReplay {
    /// The moment at which herdbook started it, and the actor; `None` for a run of another program.
    pub(super) started: Option<(Timestamp, String)>,
    /// The status after the last event that sets it; `None` if no event does.
    pub(super) status: Option<RunStatus>,
    /// The moment at which herdbook ended it; `None` if it did not.
    pub(super) ended_at: Option<Timestamp>,
}

impl RunReplay {
    pub(super) fn add(&mut self, event: &Event) {
        match event.what.kind {
            EventKind::RunStarted => {
                self.started = Some((event.at, event.actor.clone()));
                self.status = Some(RunStatus::Running);
            }
            EventKind::RunResumed => {
                self.status = Some(RunStatus::Running);
                self.ended_at = None;
            }
            EventKind::RunEnded => {
                self.status = event.what.to.as_deref().and_then(|to| to.parse().ok());
                self.ended_at = Some(event.at);
            }
            EventKind::Registered => self.register(event),
            _ => {}
        }
    }

    /// A registration ends a run that herdbook trains. The model of a run that has ended can be registered later.
    ///
    /// A script that uses the Python package ends its run through MLflow as well, after the registration. So the end of
    /// such a run is not compared.
    fn register(&mut self, event: &Event) {
        if self.status == Some(RunStatus::Running) && event.channel != Channel::Python {
            self.ended_at = Some(event.at);
        }
        if self.status.is_some() {
            self.status = Some(RunStatus::Finished);
        }
    }
}
