//! The unit of a metric, by its name.

use crate::values::{percent, signed_percent};

/// How the values of a metric are shown. Every value is stored as the plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A fraction that is a gain or a loss, shown in percent with its sign.
    Gain,
    /// Another fraction, shown in percent.
    Fraction,
    /// A number of things.
    Count,
    /// Already a percentage: an improvement.
    Percent,
    /// A ratio such as the Sharpe ratio.
    Ratio,
    /// Any other number, such as a reward.
    Number,
}

/// Names of the metrics with a unit, without prefix.
const GAINS: [&str; 3] = ["total_return", "mean_return", "annualised_return"];
const FRACTIONS: [&str; 7] = [
    "max_drawdown",
    "win_rate",
    "exposure_time",
    "volatility",
    "downside_deviation",
    "value_at_risk",
    "conditional_value_at_risk",
];
const COUNTS: [&str; 3] = ["total_trades", "n_returns", "max_drawdown_duration"];
const RATIOS: [&str; 4] = ["sharpe_ratio", "sortino_ratio", "calmar_ratio", "profit_factor"];

impl Unit {
    /// The unit of the metric with this name. Only the part after the last `/` counts, and its beginning may name whose
    /// figure it is: `moving_average_total_return`.
    pub fn of(metric: &str) -> Self {
        let last = metric.rsplit('/').next().unwrap_or(metric);
        let is_one_of = |names: &[&str]| {
            names.iter().any(|name| {
                last.strip_suffix(name)
                    .is_some_and(|owner| owner.is_empty() || owner.ends_with('_'))
            })
        };
        if metric.starts_with("improvement_") {
            Self::Percent
        } else if is_one_of(&GAINS) {
            Self::Gain
        } else if is_one_of(&FRACTIONS) {
            Self::Fraction
        } else if is_one_of(&COUNTS) || last.ends_with("timesteps") {
            Self::Count
        } else if is_one_of(&RATIOS) {
            Self::Ratio
        } else {
            Self::Number
        }
    }

    /// The unit of the metric that a sentence names first between backticks; [`Unit::Number`] if it names none.
    pub(crate) fn named_in(sentence: &str) -> Self {
        sentence.split('`').nth(1).map_or(Self::Number, Self::of)
    }

    /// A value in this unit: a fraction as a percentage.
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Gain => signed_percent(value, 2),
            Self::Fraction => percent(value, 2),
            Self::Percent => format!("{value:+.2}%"),
            Self::Count => format!("{value:.0}"),
            Self::Ratio | Self::Number => format!("{value:.4}"),
        }
    }

    /// A limit in this unit, with as many decimals as it has.
    pub(crate) fn limit_text(self, limit: f64) -> String {
        match self {
            Self::Gain | Self::Fraction => format!("{}%", rounded(100.0 * limit)),
            Self::Percent => format!("{limit}%"),
            Self::Count | Self::Ratio | Self::Number => limit.to_string(),
        }
    }

    /// Values below this size count as 0 when a change is measured against them; 0 for a unit without a scale of its own.
    pub(crate) const fn negligible(self) -> f64 {
        match self {
            // A tenth of a percent.
            Self::Gain | Self::Fraction => 0.001,
            Self::Ratio => 0.05,
            Self::Count | Self::Percent | Self::Number => 0.0,
        }
    }

    /// A difference of two values: in percentage points for a fraction, else as a number.
    pub(crate) fn difference_text(self, difference: f64) -> String {
        match self {
            Self::Gain | Self::Fraction => format!("{:+.2} points", 100.0 * difference),
            Self::Count => format!("{difference:+.0}"),
            Self::Percent => format!("{difference:+.2} points"),
            Self::Ratio => format!("{difference:+.2}"),
            Self::Number => format!("{difference:+.4}"),
        }
    }
}

/// A product without the error of the multiplication: 29 for 100 · 0.29.
fn rounded(value: f64) -> f64 {
    const SCALE: f64 = 1e9;
    let rounded = (value * SCALE).round() / SCALE;
    if rounded.is_finite() { rounded } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_is_known_under_every_prefix() {
        for (metric, expected) in [
            ("portfolio/total_return", Unit::Gain),
            ("parent/portfolio/max_drawdown", Unit::Fraction),
            ("total_timesteps", Unit::Count),
            ("improvement_portfolio/max_drawdown", Unit::Percent),
            ("portfolio/sharpe_ratio", Unit::Ratio),
            ("portfolio/max_drawdown_duration", Unit::Count),
            ("final/mean_reward", Unit::Number),
        ] {
            assert_eq!(Unit::of(metric), expected, "{metric}");
        }
        assert_eq!(Unit::named_in("`portfolio/win_rate` at least 50%"), Unit::Fraction);
        assert_eq!(Unit::named_in("in beta for at least 3 hours"), Unit::Number);
    }

    #[test]
    fn fractions_are_shown_in_percent() {
        assert_eq!(Unit::Gain.text(0.0123), "+1.23%");
        assert_eq!(Unit::Fraction.text(0.25), "25.00%");
        assert_eq!(Unit::Fraction.limit_text(0.29), "29%");
        assert_eq!(Unit::Gain.limit_text(0.0125), "1.25%");
        assert_eq!(Unit::Ratio.limit_text(0.5), "0.5");
    }
}
