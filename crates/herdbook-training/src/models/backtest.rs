//! Backtest of a registered model on any bars, with the deterministic policy, compared with the baselines.

use std::ops::Range;

use herdbook_domain::{Honesty, Timestamp, Window};
use herdbook_market::metrics::Performance;
use herdbook_market::{Closes, CostModel, Ledger, MarketError, Position, Trade, Utc};
use herdbook_store::Store;

use crate::content::instrument::{Identity, identify, notes};
use crate::content::lineage::{Lineage, SeenBars};
use crate::content::trials::TestedBars;
use crate::content::tries::Tries;
use crate::environment::market_data::{DataSource, Tape};
use crate::error::TrainingError;
use crate::models::registered_model::RegisteredModel;
use crate::results::baselines::Baselines;
use crate::results::details::measured::{Details, Subject};
use crate::results::details::rivals::choice::ChosenRules;
use crate::results::details::stored::StoredDetails;
use crate::results::details::windows::{WindowKind, WindowResult};
use crate::results::evidence::Evidence;
use crate::results::figures::PairedReturns;
use crate::results::measure::{hold_position, performance_of, run_policy};
use crate::results::page::html::Page;
use crate::results::pictures;
use crate::results::pictures::Picture;
use crate::results::pictures::input::PictureInput;

/// Result of a backtest.
#[derive(Debug)]
pub struct Backtest {
    /// The bars, including the warm-up of the features.
    pub tape: Tape,
    /// From the open of the first bar with a decision to the end of the last bar.
    pub window: Window,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// Performance of the model in one pass from a flat account.
    pub performance: Performance,
    /// Performance of the baselines on the same bars.
    pub baselines: Baselines,
    /// The result beside the windows of the training, simple rules and other costs, and by volatility, trend and time.
    pub details: Details,
    /// Number of bars that the model or an ancestor was trained or validated on, under whatever name and times.
    pub n_seen: usize,
    /// Whether the bars were seen in training.
    pub honesty: Honesty,
    /// Bars of the model or an ancestor that were recognised under another name or at other times, as a clause.
    pub recognised: Option<String>,
    /// Notes for the user on the instrument, and on what could not be compared.
    pub notes: Vec<String>,
    /// Jumps of the price that look like splits and were allowed: bar and ratio of each.
    pub allowed_jumps: Vec<String>,
    /// Number of tries on these bars that the register knows, with this one. A backtest is not recorded.
    pub n_tries: u64,
    seen: SeenBars,
    identity: Identity,
    ledger: Ledger,
    /// The account of buy-and-hold.
    held: Ledger,
    first: usize,
}

/// Options of a backtest.
#[derive(Debug, Clone, Copy, Default)]
pub struct BacktestOptions {
    /// Basis points of traded notional charged per side; by default those of the training.
    pub cost_bps: Option<f64>,
    /// Time of the first decision; by default the first bar with features.
    pub from: Option<Timestamp>,
}

/// The account at the close of one bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EquityPoint {
    /// When the bar opened.
    pub at: Timestamp,
    /// Equity in account currency.
    pub equity: f64,
    /// Loss since the highest equity so far, as a fraction of it (0 or above).
    pub drawdown: f64,
    /// Position held over the bar: `short`, `flat` or `long`.
    pub position: &'static str,
}

impl Backtest {
    /// Runs a model over all bars that have features, from `options.from` on, and counts the tries of the register on these
    /// bars if the model has not seen them.
    ///
    /// # Errors
    /// [`TrainingError::Market`] if bars or costs cannot be used or fewer than two bars are left,
    /// [`TrainingError::OtherInstrument`] or [`TrainingError::ContradictingBars`] if they are of another instrument,
    /// [`TrainingError::Store`] if the windows of the model and its ancestors cannot be read.
    pub fn run(
        store: &Store,
        model: &RegisteredModel,
        source: &DataSource,
        options: BacktestOptions,
    ) -> Result<Self, TrainingError> {
        let mut backtest = Self::run_alone(store, model, source, options)?;
        if backtest.honesty == Honesty::Clean {
            let tape = &backtest.tape;
            let bars = TestedBars {
                symbol: &tape.symbol,
                timeframe: model.timeframe,
                window: backtest.window,
                closes: Some(tape.closes.closes()),
            };
            let own = (&model.version.key, model.file_sha256.as_str());
            let tries = Tries::on(store, bars, Some(own))?;
            backtest.n_tries = tries.with(&model.run.run_id);
            backtest.notes.extend(tries.note());
        }
        Ok(backtest)
    }

    /// As [`Self::run`], as the only try on the bars.
    pub(crate) fn run_alone(
        store: &Store,
        model: &RegisteredModel,
        source: &DataSource,
        options: BacktestOptions,
    ) -> Result<Self, TrainingError> {
        let cost_bps = options.cost_bps.unwrap_or(model.env.cost_bps);
        let costs = CostModel::from_bps(cost_bps)?;
        let tape = Tape::read(source, model.timeframe)?;
        let identity = identify(store, source, &tape)?;
        let bars = bars_from(&tape, options.from)?;
        let allowed_jumps = tape.allowed_jumps(bars.start)?;
        let seen = Lineage::of(store, &model.run)?.compare(&tape.symbol, tape.closes.closes());
        let ledger = run_policy(&tape, bars.clone(), costs, &model.model.policy);
        let windows = bars.clone().map(|bar_idx| tape.window_of(bar_idx..bar_idx + 1));
        let n_seen = windows.filter(|window| seen.overlaps_learned(*window)).count();
        let honesty = seen.judge(n_seen > 0);
        let held = hold_position(&tape, bars.clone(), costs, Position::Long);
        let (before, rules, lacking) = of_training(store, model)?;
        let subject = Subject {
            kind: WindowKind::Backtest,
            tape: &tape,
            bars: &bars,
            costs,
            ledger: &ledger,
            held: &held,
            honesty,
        };
        let details = Details::of(subject, before, &rules);
        Ok(Self {
            window: tape.window_of(bars.clone()),
            cost_bps,
            performance: performance_of(&tape, &ledger),
            baselines: Baselines::over(&tape, &bars, costs),
            details,
            n_seen,
            honesty,
            recognised: seen.recognised.clone(),
            notes: notes(store, identity, source, &tape)?
                .into_iter()
                .chain(seen.note().map(str::to_owned))
                .chain(lacking)
                .collect(),
            allowed_jumps,
            n_tries: 1,
            seen,
            identity,
            held,
            ledger,
            first: bars.start,
            tape,
        })
    }

    /// Checks that the result can be evidence about `model`: the instrument of the bars is known, and none of them was
    /// trained, validated or tested on.
    ///
    /// # Errors
    /// [`TrainingError::UnnamedInstrument`], [`TrainingError::KnownBars`].
    pub(crate) fn check_new(
        &self,
        model: &RegisteredModel,
        source: &DataSource,
    ) -> Result<(), TrainingError> {
        if self.identity == Identity::Assumed {
            let (file, symbol) = (source.name.clone(), self.tape.symbol.clone());
            return Err(TrainingError::UnnamedInstrument { file, symbol });
        }
        let bars = self.first..self.tape.bars.len();
        let windows = bars.map(|bar_idx| self.tape.window_of(bar_idx..bar_idx + 1));
        let n_known = windows.filter(|window| self.seen.overlaps_known(*window)).count();
        if n_known > 0 {
            let as_what = self.recognised.clone().unwrap_or_default();
            let (key, n_bars) = (model.version.key.clone(), self.n_bars());
            return Err(TrainingError::KnownBars { key, n_known, n_bars, as_what });
        }
        Ok(())
    }

    /// The closes in the window of the backtest, in the bars of the file.
    pub(crate) fn evaluated_closes(&self) -> Closes {
        let Window { start, end } = self.window;
        self.tape.closes.closes().between(start.millis(), end.millis())
    }

    /// Whether all windows of the model and its ancestors are recorded, and the bars could be compared with all of them.
    pub(crate) fn is_lineage_known(&self) -> bool {
        self.seen.is_complete()
    }

    /// Evidence for the result, as the best of [`Self::n_tries`].
    pub fn evidence(&self) -> Evidence {
        let terms = (self.honesty, self.cost_bps);
        let evidence = Evidence::of_returns(&self.returns(), self.tape.bars_per_year, terms);
        Evidence { n_tries: self.n_tries, ..evidence }
    }

    /// The returns of the model and of holding, one for each bar after the first.
    pub(crate) fn returns(&self) -> PairedReturns {
        PairedReturns::of(&self.ledger, &self.held)
    }

    /// Open times of the bars of [`Self::returns`].
    pub(crate) fn times(&self) -> impl Iterator<Item = Timestamp> {
        let bars = &self.tape.bars.as_slice()[self.first + 1..];
        bars.iter().map(|bar| Timestamp::from_millis(bar.open_time_ms))
    }

    /// Draws pictures of the result. `model` names the model in the headings.
    pub fn pictures(&self, model: &str) -> Vec<Picture> {
        let input = PictureInput {
            model: model.to_owned(),
            window: self.window,
            honesty: self.honesty,
            cost_bps: self.cost_bps,
            tape: &self.tape,
            first: self.first,
            ledger: &self.ledger,
            held: &self.held,
        };
        pictures::of_window(&input)
    }

    /// A page about the result. `title` names the model.
    pub fn page(&self, title: &str) -> Page {
        let mut page = Page::new(&format!("{title}: backtest"));
        let mark = match self.honesty {
            Honesty::Clean => "bars unseen in training",
            Honesty::Contaminated => "CONTAMINATED: bars were seen in training",
            Honesty::Unknown => "unknown whether the bars were seen in training",
        };
        page.note(&format!(
            "{} {} · {} to {} (UTC) · costs {} bp per side · {mark} · file {}",
            self.tape.symbol,
            self.tape.bars.timeframe(),
            self.window.start,
            self.window.end,
            self.cost_bps,
            self.tape.source_name,
        ));
        page.result(&self.details, self.honesty, self.cost_bps);
        page.heading("How sure it is");
        page.evidence(&self.evidence());
        page.heading("Pictures");
        for (name, drawn) in self.pictures(title) {
            match drawn {
                Ok(svg) => page.picture(name, &svg),
                Err(problem) => {
                    page.note(&format!("the picture {name} could not be drawn: {problem}"));
                }
            }
        }
        page.result_in_depth(&self.details);
        page.metrics(self.performance.defined());
        page
    }

    /// Number of bars from the first decision to the last fill.
    pub fn n_bars(&self) -> usize {
        self.tape.bars.len() - self.first
    }

    /// Equity, drawdown and position bar by bar. It ends early if the account is lost.
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

    /// Closed trades, oldest first, each with the open times of its entry and exit bar.
    pub fn trades(&self) -> impl Iterator<Item = (Timestamp, Timestamp, &Trade)> {
        let at = |bar_idx: usize| {
            Timestamp::from_millis(self.tape.bars.as_slice()[bar_idx].open_time_ms)
        };
        let trades = self.ledger.trades().iter();
        trades.map(move |trade| (at(trade.entry_bar_idx), at(trade.exit_bar_idx), trade))
    }
}

/// The windows and the simple rules of the training of a model, and a note if they are not recorded.
fn of_training(
    store: &Store,
    model: &RegisteredModel,
) -> Result<(Vec<WindowResult>, ChosenRules, Option<String>), TrainingError> {
    Ok(match StoredDetails::of_version(store, &model.version)? {
        Ok(found) => (found.details.windows, found.rules, None),
        Err(why) => {
            let note =
                format!("the windows of the training and its simple rules are not shown: {why}");
            (Vec::new(), ChosenRules::default(), Some(note))
        }
    })
}

/// The bars of a backtest: at least two, one to decide on and the next to fill at.
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
