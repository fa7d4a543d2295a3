//! A registered model over any bars, deterministically, beside buying and holding and beside doing nothing.

use std::ops::Range;

use herdbook_domain::{Honesty, Timestamp, Window};
use herdbook_market::metrics::{Performance, returns};
use herdbook_market::{CostModel, Ledger, MarketError, Position, Trade, Utc};
use herdbook_store::Store;

use crate::evaluation::{hold, judge_ledger, pass};
use crate::pictures::{self, Picture, Story};
use crate::{Baselines, DataSource, Evidence, RegisteredModel, Tape, TrainingError};

/// What a model did on bars, and how much of that is evidence.
#[derive(Debug)]
pub struct Backtest {
    /// The bars. The first ones warm the features up.
    pub tape: Tape,
    /// From the open of the first bar decided on to the end of the last.
    pub window: Window,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// The model in one uninterrupted pass from a flat account.
    pub performance: Performance,
    /// The same bars without it.
    pub baselines: Baselines,
    /// How many of the bars it or an ancestor was trained or validated on.
    pub n_seen: usize,
    /// What that makes of the result.
    pub honesty: Honesty,
    ledger: Ledger,
    first: usize,
}

/// What is asked of a backtest beside model and bars.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// Basis points of traded notional charged per side; those of the training by default.
    pub cost_bps: Option<f64>,
    /// First moment to act at; the first bar with features by default.
    pub from: Option<Timestamp>,
}

/// The account at the close of one bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EquityPoint {
    /// When the bar opened.
    pub at: Timestamp,
    /// In account currency.
    pub equity: f64,
    /// Share lost since the highest equity until then.
    pub drawdown: f64,
    /// Held over the bar: `short`, `flat` or `long`.
    pub position: &'static str,
}

impl Backtest {
    /// Runs a model over bars that have features: all of them, with the costs it was trained with, unless `terms`
    /// say otherwise.
    pub fn run(
        store: &Store,
        model: &RegisteredModel,
        source: &DataSource,
        terms: Terms,
    ) -> Result<Self, TrainingError> {
        let cost_bps = terms.cost_bps.unwrap_or(model.env.cost_bps);
        let costs = CostModel::from_bps(cost_bps)?;
        let seen = model.seen(store)?;
        let tape = Tape::read(source, model.timeframe)?;
        let bars = bars_from(&tape, terms.from)?;
        let ledger = pass(&tape, bars.clone(), costs, &model.model.policy);
        let windows = bars.clone().map(|bar_idx| tape.window_of(bar_idx..bar_idx + 1));
        let n_seen = windows.filter(|window| seen.overlaps(&tape.symbol, *window)).count();
        Ok(Self {
            window: tape.window_of(bars.clone()),
            cost_bps,
            performance: judge_ledger(&tape, &ledger),
            baselines: Baselines::over(&tape, &bars, costs),
            n_seen,
            honesty: seen.judge_overlap(n_seen > 0),
            ledger,
            first: bars.start,
            tape,
        })
    }

    /// How sure the figure is, were the model the only one tried.
    pub fn evidence(&self) -> Evidence {
        let returns = returns(self.ledger.equity()).unwrap_or_default();
        let bars_per_year = self.tape.bars_per_year;
        let terms = (self.honesty, self.cost_bps);
        Evidence::of(&self.performance, &self.baselines, &returns, bars_per_year, terms)
    }

    /// Pictures of it by file name, as SVG; for one that cannot be drawn, why. `model` is what to call the model.
    pub fn pictures(&self, model: &str) -> Result<Vec<Picture>, TrainingError> {
        let costs = CostModel::from_bps(self.cost_bps)?;
        let bars = self.first..self.tape.bars.len();
        let story = Story {
            model: model.to_owned(),
            window: self.window,
            honesty: self.honesty,
            cost_bps: self.cost_bps,
            tape: &self.tape,
            first: self.first,
            ledger: &self.ledger,
            held: &hold(&self.tape, bars, costs, Position::Long),
        };
        Ok(pictures::of_window(&story))
    }

    /// Bars decided on or filled at.
    pub fn n_bars(&self) -> usize {
        self.tape.bars.len() - self.first
    }

    /// Equity, drawdown and position bar by bar; it ends with the loss of everything.
    pub fn equity_curve(&self) -> impl Iterator<Item = EquityPoint> {
        let bars = &self.tape.bars.as_slice()[self.first..];
        let account = self.ledger.equity().iter().zip(self.ledger.positions());
        bars.iter().zip(account).scan(0.0_f64, |peak, (bar, (equity, position))| {
            *peak = peak.max(*equity);
            Some(EquityPoint {
                at: Timestamp::from_millis(bar.open_time_ms),
                equity: *equity,
                drawdown: 1.0 - equity / *peak,
                position: position.as_str(),
            })
        })
    }

    /// Closed trades, oldest first, each with the opens of the bars it was entered and left on.
    pub fn trades(&self) -> impl Iterator<Item = (Timestamp, Timestamp, &Trade)> {
        let at = |bar_idx: usize| {
            Timestamp::from_millis(self.tape.bars.as_slice()[bar_idx].open_time_ms)
        };
        let trades = self.ledger.trades().iter();
        trades.map(move |trade| (at(trade.entry_bar_idx), at(trade.exit_bar_idx), trade))
    }
}

/// The bars of a backtest: two at least, to decide on one and fill at the other.
fn bars_from(tape: &Tape, from: Option<Timestamp>) -> Result<Range<usize>, TrainingError> {
    let all = tape.bars_with_features(2)?;
    let Some(from) = from else {
        return Ok(all);
    };
    let bars = tape.bars.as_slice();
    let start = bars.partition_point(|bar| bar.open_time_ms < from.millis()).max(all.start);
    if start + 2 > all.end {
        return Err(TrainingError::Market(MarketError::BoundaryOutside {
            boundary: "`--from`",
            at: Utc(from.millis()),
            first: Utc(bars[all.start].open_time_ms),
            last: Utc(tape.bars.last_ms()),
        }));
    }
    Ok(start..all.end)
}
