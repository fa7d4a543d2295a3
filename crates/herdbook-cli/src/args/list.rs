//! Raw flags of `list`.

use std::num::NonZeroUsize;

use clap::Args as ClapArgs;
use herdbook_domain::{InvalidName, MetricName, Stage, Timeframe};

use crate::args::number;

#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    /// List only this timeframe
    #[arg(long, short, value_name = "TIMEFRAME")]
    pub(crate) timeframe: Option<Timeframe>,
    /// List only this registered model: its full name, or its name without the timeframe
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// List only this stage: development, beta, champion or archived
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<Stage>,
    /// Order: registered or changed (newest first), model, stage, return, sharpe, drawdown, reward, or the name of a
    /// metric (best first; versions without it last)
    #[arg(long, value_name = "KEY", default_value = "registered")]
    pub(crate) sort: SortKey,
    /// List only the first N versions
    #[arg(long, value_name = "N", value_parser = number::rows)]
    pub(crate) limit: Option<NonZeroUsize>,
}

/// The order of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// By the time of registration, newest first.
    Registered,
    /// By the time of the last change, newest first.
    Changed,
    /// By timeframe, name and number.
    Model,
    /// Champions, then beta, development and archived.
    Stage,
    /// By a metric, the best first.
    Metric(MetricName),
}

impl SortKey {
    /// Short names of metrics.
    const METRICS: [(&'static str, &'static str); 4] = [
        ("return", "portfolio/total_return"),
        ("sharpe", "portfolio/sharpe_ratio"),
        ("drawdown", "portfolio/max_drawdown"),
        ("reward", "evaluation/best_mean_reward"),
    ];
}

impl std::str::FromStr for SortKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let short = Self::METRICS.iter().find(|(short, _)| *short == text);
        match (text, short) {
            ("registered", _) => Ok(Self::Registered),
            ("changed", _) => Ok(Self::Changed),
            ("model", _) => Ok(Self::Model),
            ("stage", _) => Ok(Self::Stage),
            (_, Some((_, metric))) => {
                metric.parse().map(Self::Metric).map_err(|error| as_text(&error))
            }
            // Every metric of herdbook has a prefix. A word without one is a typing error.
            (metric, None) if metric.contains(['/', '_']) => {
                metric.parse().map(Self::Metric).map_err(|error| as_text(&error))
            }
            (unknown, None) => Err(format!(
                "`{}` is not an order: give `registered`, `changed`, `model`, `stage`, `return`, `sharpe`, `drawdown`, \
                 `reward` or the full name of a metric, such as `portfolio/win_rate`",
                unknown.escape_debug()
            )),
        }
    }
}

fn as_text(error: &InvalidName) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_a_word_or_a_metric() {
        let metric = |name: &str| Ok(SortKey::Metric(name.parse().unwrap()));
        assert_eq!("sharpe".parse(), metric("portfolio/sharpe_ratio"));
        assert_eq!("portfolio/win_rate".parse(), metric("portfolio/win_rate"));
        assert_eq!("stage".parse(), Ok(SortKey::Stage));
        assert!("sharp".parse::<SortKey>().unwrap_err().contains("`sharpe`"));
    }
}
