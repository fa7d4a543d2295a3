//! Follows bars as they arrive: the actions of a model after each bar that closes, with the account that results from them.

use herdbook_domain::Timestamp;
use herdbook_market::{Account, Bar, CostModel, Position};

use crate::environment::market_data::Tape;
use crate::environment::observation::INITIAL_EQUITY;
use crate::error::TrainingError;
use crate::models::holding::Holding;
use crate::models::predict::{AgeLimits, Prediction};
use crate::models::registered_model::RegisteredModel;

/// The account of a model that is followed from bar to bar. Each action is filled at the open of the next bar, as in
/// training.
#[derive(Debug, Clone)]
pub struct Follower {
    start: Holding,
    progress: Option<Progress>,
}

/// What is known after a bar.
#[derive(Debug, Clone, Copy)]
struct Progress {
    account: Account,
    /// Open of the first bar of the position; `None` when flat.
    since: Option<Timestamp>,
    /// The newest action. It is filled at the open of the next bar.
    target: Position,
    /// Open and close of the bar.
    open_time_ms: i64,
    close: f64,
}

/// What happened since the last step.
#[derive(Debug, Default)]
pub struct Step {
    /// The prediction after each bar that closed, oldest first.
    pub predictions: Vec<Prediction>,
    /// Number of bars that closed longer ago than allowed. There is no action after them; the position is kept.
    pub n_too_old: usize,
    /// The bar at which the position lost all equity. The account continues flat, with a new equity.
    pub lost: Option<Timestamp>,
    /// The bar that the last action is based on, if its close is not what it was.
    pub changed: Option<Timestamp>,
}

impl Follower {
    /// Starts with a position.
    pub fn new(start: Holding) -> Self {
        Self { start, progress: None }
    }

    /// The open of the newest bar that was followed; `None` before the first step.
    pub fn followed(&self) -> Option<Timestamp> {
        self.progress.map(|progress| Timestamp::from_millis(progress.open_time_ms))
    }

    /// Whether a later bar has closed by `closed_by`, or the last one followed has another close.
    pub fn has_news(&self, tape: &Tape, closed_by: Timestamp) -> bool {
        let Some(progress) = self.progress else { return true };
        let bars = tape.bars.as_slice();
        let n_known = bars.partition_point(|bar| bar.open_time_ms <= progress.open_time_ms);
        let is_changed = |last: &Bar| {
            last.open_time_ms == progress.open_time_ms
                && last.close.to_bits() != progress.close.to_bits()
        };
        let has_later =
            n_known < bars.len() && tape.window_of(n_known..n_known + 1).end <= closed_by;
        has_later || bars[..n_known].last().is_some_and(is_changed)
    }

    /// Predicts after each bar that has closed by `closed_by` and is later than those of former steps. The first step
    /// predicts after the newest one only. The ages of bars and model are those at `now`.
    ///
    /// # Errors
    /// [`TrainingError::TooOld`] or [`TrainingError::AgeUnknown`] if the model is older than its limit, in the first step
    /// [`TrainingError::NoClosedBar`] if no bar with features has closed and those of [`Holding`], [`TrainingError::Market`]
    /// if there are too few bars.
    pub fn step(
        &mut self,
        model: &RegisteredModel,
        tape: &Tape,
        closed_by: Timestamp,
        now: Timestamp,
        limits: AgeLimits,
    ) -> Result<Step, TrainingError> {
        limits.check_model(model, now)?;
        let with_features = tape.bars_with_features(1)?;
        let bars = tape.bars.as_slice();
        let costs = CostModel::from_bps(model.env.cost_bps)?;
        let is_closed = |idx: &usize| tape.window_of(*idx..*idx + 1).end <= closed_by;
        let mut step = Step::default();
        let Some(mut progress) = self.progress else {
            let newest = with_features.rev().find(is_closed);
            let bar_idx = newest.ok_or(TrainingError::NoClosedBar { now: closed_by })?;
            let (account, since) = self.start.account(tape, bar_idx, costs)?;
            let (open_time_ms, close) = (bars[bar_idx].open_time_ms, bars[bar_idx].close);
            let target = account.position();
            let mut progress = Progress { account, since, target, open_time_ms, close };
            progress.act(model, tape, bar_idx, (now, limits), &mut step);
            self.progress = Some(progress);
            return Ok(step);
        };
        let n_known = bars.partition_point(|bar| bar.open_time_ms <= progress.open_time_ms);
        if let Some(last) = n_known.checked_sub(1).map(|idx| &bars[idx])
            && last.open_time_ms == progress.open_time_ms
            && last.close.to_bits() != progress.close.to_bits()
        {
            step.changed = Some(Timestamp::from_millis(last.open_time_ms));
            progress.close = last.close;
        }
        for bar_idx in (n_known.max(with_features.start)..bars.len()).take_while(is_closed) {
            progress.hold(tape, bar_idx, &mut step);
            progress.act(model, tape, bar_idx, (now, limits), &mut step);
        }
        self.progress = Some(progress);
        Ok(step)
    }
}

impl Progress {
    /// Fills the newest action at the open of a bar, and holds it until the close.
    fn hold(&mut self, tape: &Tape, bar_idx: usize, step: &mut Step) {
        let bar = &tape.bars.as_slice()[bar_idx];
        let opened = Timestamp::from_millis(bar.open_time_ms);
        self.account.step(self.target, bar);
        if self.account.is_ruined() {
            self.account = Account::new(INITIAL_EQUITY, self.account.costs());
            self.target = Position::Flat;
            step.lost = Some(opened);
        }
        match (self.account.position(), self.account.bars_held()) {
            (Position::Flat, _) => self.since = None,
            (_, 1) => self.since = Some(opened),
            _ => {}
        }
        (self.open_time_ms, self.close) = (bar.open_time_ms, bar.close);
    }

    /// Predicts after a bar, unless it is too old.
    fn act(
        &mut self,
        model: &RegisteredModel,
        tape: &Tape,
        bar_idx: usize,
        (now, limits): (Timestamp, AgeLimits),
        step: &mut Step,
    ) {
        let end = tape.window_of(bar_idx..bar_idx + 1).end;
        if limits.check_bar(end, now).is_err() {
            step.n_too_old += 1;
            return;
        }
        let prediction = Prediction::after_bar(model, tape, bar_idx, (&self.account, self.since));
        self.target = prediction.action;
        step.predictions.push(prediction);
    }
}
