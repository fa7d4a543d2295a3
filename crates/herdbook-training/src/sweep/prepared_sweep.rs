//! A sweep before training: one prepared training for each member.

use std::num::NonZeroUsize;
use std::sync::Arc;

use herdbook_market::{MarketError, folds};
use herdbook_store::new_id;

use crate::environment::market_data::MarketData;
use crate::error::TrainingError;
use crate::request::membership::{SweepKind, SweepMembership};
use crate::request::train_request::{PreparedTraining, TrainRequest};

/// A sweep whose input passed all checks that need no store.
#[derive(Debug)]
pub struct PreparedSweep {
    pub(super) kind: SweepKind,
    pub(super) group: String,
    pub(super) members: Vec<PreparedTraining>,
}

impl PreparedSweep {
    /// Prepares all members from one request.
    ///
    /// # Errors
    /// As [`TrainRequest::prepare`], and [`MarketError::TooManyFolds`] if the bars are too few for the folds.
    pub fn new(
        request: TrainRequest,
        kind: SweepKind,
        n_members: NonZeroUsize,
    ) -> Result<Self, TrainingError> {
        Self::of_group(request, kind, n_members, new_id())
    }

    fn of_group(
        request: TrainRequest,
        kind: SweepKind,
        n_members: NonZeroUsize,
        group: String,
    ) -> Result<Self, TrainingError> {
        let first = request.prepare()?;
        let boundaries = match kind {
            SweepKind::Seeds => vec![first.request.boundaries; n_members.get()],
            SweepKind::WalkForward => folds(&first.market.tape.bars, n_members.get())?,
        };
        let mut members = Vec::with_capacity(boundaries.len());
        for (index, boundaries) in boundaries.into_iter().enumerate() {
            let mut request = first.request.clone();
            // The members share one tape and do not need the file.
            request.data.bytes = Vec::new();
            request.boundaries = boundaries;
            if kind == SweepKind::Seeds {
                request.seed = request.seed.wrapping_add(index as u64);
            }
            request.membership =
                Some(SweepMembership { kind, n_members, index, group: group.clone() });
            let tape = Arc::clone(&first.market.tape);
            let n_bars = tape.bars.len();
            let market = MarketData::split(tape, boundaries).map_err(|error| match error {
                TrainingError::Market(MarketError::WindowTooShort { .. }) => {
                    MarketError::TooManyFolds { n_folds: n_members.get(), n_bars }.into()
                }
                error => error,
            })?;
            let market = Arc::new(market);
            let (costs, n_threads) = (first.costs, first.n_threads);
            members.push(PreparedTraining { request, market, costs, n_threads });
        }
        Ok(Self { kind, group, members })
    }

    /// Rebuilds a sweep from the request of one member.
    pub(crate) fn around(
        member: &SweepMembership,
        mut request: TrainRequest,
    ) -> Result<Self, TrainingError> {
        if member.kind == SweepKind::Seeds {
            request.seed = request.seed.wrapping_sub(member.index as u64);
        }
        request.membership = None;
        Self::of_group(request, member.kind, member.n_members, member.group.clone())
    }

    /// Sets the number of threads per member (default 1). It does not change the models.
    #[must_use]
    pub fn with_threads(mut self, n_threads: NonZeroUsize) -> Self {
        for member in &mut self.members {
            member.n_threads = n_threads;
        }
        self
    }

    /// The bars, and the windows of the first member.
    pub fn market(&self) -> &MarketData {
        self.members[0].market()
    }

    /// Sum of the timesteps of all members.
    pub fn timesteps(&self) -> u64 {
        self.members.iter().map(|member| member.request.timesteps).sum()
    }
}
