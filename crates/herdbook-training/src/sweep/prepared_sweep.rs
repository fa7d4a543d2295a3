//! A sweep before training: one prepared training for each member.

use std::num::NonZeroUsize;
use std::sync::Arc;

use herdbook_market::{MarketError, folds};
use herdbook_store::new_id;

use crate::environment::market_data::MarketData;
use crate::error::TrainingError;
use crate::request::membership::{SweepKind, SweepMembership};
use crate::request::train_request::{PreparedTraining, TrainRequest};

/// A sweep whose input is sound.
#[derive(Debug)]
pub struct PreparedSweep {
    pub(super) kind: SweepKind,
    pub(super) group: String,
    pub(super) members: Vec<PreparedTraining>,
}

impl PreparedSweep {
    /// Prepares each member from what the request asks of all.
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
            // One copy of the file is enough.
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

    /// The sweep that a member belongs to.
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

    /// Trains each member on this many threads instead of one, to the same model.
    #[must_use]
    pub fn with_threads(mut self, n_threads: NonZeroUsize) -> Self {
        for member in &mut self.members {
            member.n_threads = n_threads;
        }
        self
    }

    /// What the bars are and how they were read.
    pub fn market(&self) -> &MarketData {
        self.members[0].market()
    }

    /// Timesteps of all members.
    pub fn timesteps(&self) -> u64 {
        self.members.iter().map(|member| member.request.timesteps).sum()
    }
}
