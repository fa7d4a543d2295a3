//! Accepts on purpose a history that is not the one last seen on this machine.

use herdbook_domain::{EventDraft, EventKind, Reason};
use serde_json::json;

use crate::clock::now;
use crate::engine::backend::{Effect, Scope, View};
use crate::error::StoreError;
use crate::history_change::{HeadOnRecord, HistoryChange};
use crate::session::Session;

impl Session {
    /// Records that the present history is accepted, and remembers its end. Returns how it differed; `None` if it did not,
    /// and then nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Moved`], [`StoreError::Copied`]; those of the database.
    pub fn accept_history(&self, reason: &Reason) -> Result<Option<HistoryChange>, StoreError> {
        if let Some(refusal) = self.place().refusal() {
            return Err(refusal);
        }
        let scope = Scope::Everything(View::AsItStands);
        let Some(expectation) = self.watch().before_act(scope) else { return Ok(None) };
        let accepted = self.write_unguarded(scope, Effect::Commit, |act| {
            let Some(change) = expectation.compare(act.tx)?.change else { return Ok(None) };
            let details = json!({
                "v": 1,
                "remembered": change.remembered,
                "found": change.found,
            });
            let draft = EventDraft {
                reason: Some(reason.to_string()),
                ..EventDraft::new(EventKind::HistoryAccepted, &details)
            };
            let events = act.append(now(), [draft])?;
            let last = events.last().expect("an event was appended");
            Ok(Some((change, HeadOnRecord { event: last.id, hash: last.hash.clone() })))
        })?;
        let Some((change, head)) = accepted else { return Ok(None) };
        self.watch().accept(head);
        Ok(Some(change))
    }
}
