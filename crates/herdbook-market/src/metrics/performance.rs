//! All metrics of an account's history.

use crate::account::{Account, Trade};
use crate::metrics::activity::{exposure_time, turnover};
use crate::metrics::basics::returns;
use crate::metrics::equity::{
    annualised_return, calmar_ratio, max_drawdown, max_drawdown_duration, total_return,
};
use crate::metrics::risk::{
    conditional_value_at_risk, downside_deviation, kelly_per_bar, kurtosis, skew, sortino_ratio,
    value_at_risk, volatility,
};
use crate::metrics::sharpe::{
    SharpeEstimate, min_track_record_length, probabilistic_sharpe_ratio, sharpe_per_bar,
    sharpe_ratio,
};
use crate::metrics::trades::{
    expectancy, kelly_trades, payoff_ratio, profit_factor, sqn, win_rate,
};

/// The confidence of [`Performance::min_track_record_length`].
const CONFIDENCE: f64 = 0.95;

/// How much an account was in the market and traded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Activity {
    /// Number of bars with a position.
    pub exposed_bars: u64,
    /// Sum over all fills of the traded notional as a fraction of the equity before the fill.
    pub traded: f64,
}

impl From<&Account> for Activity {
    fn from(account: &Account) -> Self {
        Self { exposed_bars: account.exposed_bars(), traded: account.traded() }
    }
}

/// The metrics of an account; an undefined one is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[expect(missing_docs, reason = "the function with the name of a field documents it")]
pub struct Performance {
    pub n_returns: usize,
    pub total_trades: usize,
    pub total_return: Option<f64>,
    pub annualised_return: Option<f64>,
    pub volatility: Option<f64>,
    pub sharpe_per_bar: Option<f64>,
    pub sharpe_ratio: Option<f64>,
    /// Against a benchmark of 0.
    pub probabilistic_sharpe_ratio: Option<f64>,
    /// Against a benchmark of 0, at a confidence of 95 %, in bars.
    pub min_track_record_length: Option<f64>,
    pub downside_deviation: Option<f64>,
    pub sortino_ratio: Option<f64>,
    pub max_drawdown: Option<f64>,
    pub max_drawdown_duration: Option<usize>,
    pub calmar_ratio: Option<f64>,
    pub value_at_risk: Option<f64>,
    pub conditional_value_at_risk: Option<f64>,
    pub kelly_per_bar: Option<f64>,
    pub skew: Option<f64>,
    pub kurtosis: Option<f64>,
    pub exposure_time: Option<f64>,
    pub turnover: Option<f64>,
    pub win_rate: Option<f64>,
    pub profit_factor: Option<f64>,
    pub payoff_ratio: Option<f64>,
    pub expectancy: Option<f64>,
    pub sqn: Option<f64>,
    pub kelly_trades: Option<f64>,
}

/// Computes all metrics.
///
/// `equity` is the equity in account currency, with the value before the first trade first; for a ruined account it
/// should end with the first 0. `bars_per_year` is that of the data set; without it, metrics per year are undefined.
pub fn performance(
    equity: &[f64],
    trades: &[Trade],
    activity: Activity,
    bars_per_year: Option<f64>,
) -> Performance {
    let returns = returns(equity);
    let r = returns.as_deref().unwrap_or_default();
    let estimate = SharpeEstimate::of(r);
    let n_returns = equity.len().saturating_sub(1);
    let results: Vec<f64> = trades.iter().map(|trade| trade.result).collect();
    let on_equity: Vec<f64> =
        trades.iter().map(|trade| trade.result / trade.equity_at_entry).collect();
    Performance {
        n_returns,
        total_trades: trades.len(),
        total_return: total_return(equity),
        annualised_return: bars_per_year.and_then(|b| annualised_return(equity, b)),
        volatility: bars_per_year.and_then(|b| volatility(r, b)),
        sharpe_per_bar: sharpe_per_bar(r),
        probabilistic_sharpe_ratio: estimate.and_then(|it| probabilistic_sharpe_ratio(&it, 0.0)),
        min_track_record_length: estimate
            .and_then(|it| min_track_record_length(&it, 0.0, CONFIDENCE)),
        sharpe_ratio: bars_per_year.and_then(|b| sharpe_ratio(r, b)),
        downside_deviation: bars_per_year.and_then(|b| downside_deviation(r, b)),
        sortino_ratio: bars_per_year.and_then(|b| sortino_ratio(r, b)),
        max_drawdown: max_drawdown(equity),
        max_drawdown_duration: max_drawdown_duration(equity),
        calmar_ratio: bars_per_year.and_then(|b| calmar_ratio(equity, b)),
        value_at_risk: value_at_risk(r),
        conditional_value_at_risk: conditional_value_at_risk(r),
        kelly_per_bar: kelly_per_bar(r),
        skew: skew(r),
        kurtosis: kurtosis(r),
        exposure_time: exposure_time(activity.exposed_bars, n_returns),
        turnover: bars_per_year.and_then(|b| turnover(activity.traded, n_returns, b)),
        win_rate: win_rate(&results),
        profit_factor: profit_factor(&results),
        payoff_ratio: payoff_ratio(&results),
        expectancy: expectancy(&results),
        sqn: sqn(&on_equity),
        kelly_trades: kelly_trades(&on_equity),
    }
}

impl Performance {
    /// The defined metrics by name, in a fixed order. Undefined ones are left out, because they must not be logged.
    pub fn defined(&self) -> Vec<(&'static str, f64)> {
        let metrics = [
            ("n_returns", Some(self.n_returns as f64)),
            ("total_trades", Some(self.total_trades as f64)),
            ("total_return", self.total_return),
            ("annualised_return", self.annualised_return),
            ("volatility", self.volatility),
            ("sharpe_per_bar", self.sharpe_per_bar),
            ("sharpe_ratio", self.sharpe_ratio),
            ("probabilistic_sharpe_ratio", self.probabilistic_sharpe_ratio),
            ("min_track_record_length", self.min_track_record_length),
            ("downside_deviation", self.downside_deviation),
            ("sortino_ratio", self.sortino_ratio),
            ("max_drawdown", self.max_drawdown),
            ("max_drawdown_duration", self.max_drawdown_duration.map(|n_bars| n_bars as f64)),
            ("calmar_ratio", self.calmar_ratio),
            ("value_at_risk", self.value_at_risk),
            ("conditional_value_at_risk", self.conditional_value_at_risk),
            ("kelly_per_bar", self.kelly_per_bar),
            ("skew", self.skew),
            ("kurtosis", self.kurtosis),
            ("exposure_time", self.exposure_time),
            ("turnover", self.turnover),
            ("win_rate", self.win_rate),
            ("profit_factor", self.profit_factor),
            ("payoff_ratio", self.payoff_ratio),
            ("expectancy", self.expectancy),
            ("sqn", self.sqn),
            ("kelly_trades", self.kelly_trades),
        ];
        metrics.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}
