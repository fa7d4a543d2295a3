//! Checks the bars that a registered model is used on without a result, such as for a prediction.

use herdbook_domain::{Honesty, Window};
use herdbook_store::Store;

use crate::content::instrument::{identify, notes};
use crate::content::lineage::Lineage;
use crate::environment::market_data::{DataSource, Tape};
use crate::error::TrainingError;
use crate::models::registered_model::RegisteredModel;

/// What is known of a bar that a model is used on.
#[derive(Debug)]
pub struct BarsCheck {
    /// Whether the model or an ancestor was trained or validated on the bar.
    pub honesty: Honesty,
    /// The name and times by which the bars are known, as a clause, if they are other ones.
    pub recognised: Option<String>,
    /// Notes for the user on the instrument, and on what could not be compared.
    pub notes: Vec<String>,
}

impl BarsCheck {
    /// Checks that the bars are of the instrument of their source, and compares the bar in `window` with those that the
    /// model and its ancestors have seen.
    ///
    /// # Errors
    /// [`TrainingError::OtherInstrument`] or [`TrainingError::ContradictingBars`] if they are of another instrument,
    /// [`MarketError::Jumps`](herdbook_market::MarketError::Jumps) if the price jumps as in a split near the bar,
    /// [`TrainingError::Store`] if the store cannot be read.
    pub fn of(
        store: &Store,
        model: &RegisteredModel,
        source: &DataSource,
        tape: &Tape,
        window: Window,
    ) -> Result<Self, TrainingError> {
        let bars = tape.bars.as_slice();
        let bar_idx = bars.partition_point(|bar| bar.open_time_ms < window.start.millis());
        tape.allowed_jumps(bar_idx.min(bars.len() - 1))?;
        let identity = identify(store, source, tape)?;
        let seen = Lineage::of(store, &model.run)?.compare(&tape.symbol, tape.closes.closes());
        let mut notes = notes(store, identity, source, tape)?;
        notes.extend(seen.note().map(str::to_owned));
        let honesty = seen.judge(seen.overlaps_learned(window));
        Ok(Self { honesty, recognised: seen.recognised, notes })
    }
}
