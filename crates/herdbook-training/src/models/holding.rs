//! The position that an account holds when a model is asked for its action.

use herdbook_domain::Timestamp;
use herdbook_market::{Account, CostModel, Position};

use crate::environment::market_data::Tape;
use crate::environment::observation::INITIAL_EQUITY;
use crate::error::TrainingError;

/// A position, and when it was entered. The default is flat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holding {
    /// The position.
    pub position: Position,
    /// A time in the first bar of the position, which is filled at the open of that bar. `None` is the newest closed bar.
    pub since: Option<Timestamp>,
}

impl Holding {
    /// The account that holds the position after the close of the bar `bar_idx`, and the open of the first bar of the
    /// position; `None` when flat. The account moves from bar to bar as in training.
    ///
    /// # Errors
    /// [`TrainingError::HoldingOutside`] if the position was entered before the first bar or after the bar `bar_idx`,
    /// [`TrainingError::HoldingLost`] if it has lost all equity by then.
    pub(crate) fn account(
        self,
        tape: &Tape,
        bar_idx: usize,
        costs: CostModel,
    ) -> Result<(Account, Option<Timestamp>), TrainingError> {
        let mut account = Account::new(INITIAL_EQUITY, costs);
        if self.position == Position::Flat {
            return Ok((account, None));
        }
        let entry_idx = match self.since {
            Some(since) => self.entry_idx(tape, bar_idx, since)?,
            None => bar_idx,
        };
        let bars = &tape.bars.as_slice()[entry_idx..=bar_idx];
        for bar in bars {
            account.step(self.position, bar);
        }
        let since = Timestamp::from_millis(bars[0].open_time_ms);
        if account.is_ruined() {
            return Err(TrainingError::HoldingLost { position: self.position.as_str(), since });
        }
        Ok((account, Some(since)))
    }

    /// Index of the bar that contains the time of entry, or of the next one if it lies in a gap.
    fn entry_idx(
        self,
        tape: &Tape,
        bar_idx: usize,
        since: Timestamp,
    ) -> Result<usize, TrainingError> {
        let bars = &tape.bars.as_slice()[..=bar_idx];
        let n_before = bars.partition_point(|bar| bar.open_time_ms <= since.millis());
        let is_inside = |idx: usize| tape.window_of(idx..idx + 1).end > since;
        let entry_idx = match n_before.checked_sub(1) {
            Some(idx) if is_inside(idx) => Some(idx),
            Some(_) if n_before <= bar_idx => Some(n_before),
            _ => None,
        };
        entry_idx.ok_or_else(|| TrainingError::HoldingOutside {
            position: self.position.as_str(),
            since,
            bars: tape.window_of(0..bar_idx + 1),
        })
    }
}
