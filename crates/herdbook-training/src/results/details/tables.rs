//! The details as tables of text, for the terminal and for pages.

use crate::results::details::breakdown::{Breakdown, GroupedBy, worst_month};
use crate::results::details::figures::Figures;
use crate::results::details::measured::Details;
use crate::results::details::windows::{Gap, WindowKind, WindowResult};
use crate::results::details::words::{count, number, percent, signed_percent};

/// A table of text. The first column holds names, the others hold values.
#[derive(Debug, Clone, PartialEq)]
pub struct TextTable {
    /// The heading of each column.
    pub heading: Vec<String>,
    /// The rows, each with one cell per column.
    pub rows: Vec<Vec<String>>,
}

/// A basis point, the unit of mean returns per bar.
const BASIS_POINT: f64 = 1e-4;

impl TextTable {
    pub(crate) fn new(heading: &[&str]) -> Self {
        let heading = heading.iter().map(|name| (*name).to_owned()).collect();
        Self { heading, rows: Vec::new() }
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }
}

impl Details {
    /// The windows side by side.
    pub fn windows_table(&self) -> TextTable {
        let mut heading = vec![""];
        heading.extend(self.windows.iter().map(|found| found.kind.heading()));
        let mut table = TextTable::new(&heading);
        let mut row = |name: &str, show: &dyn Fn(&WindowResult) -> String| {
            let cells = self.windows.iter().map(show);
            table.rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
        };
        row("first day (UTC)", &|it| it.window.start.to_string().chars().take(10).collect());
        row("bars", &|it| count(it.model.n_returns.max(it.buy_and_hold.n_returns) + 1));
        row("total return", &|it| signed_percent(it.model.total_return));
        row("  of buy and hold", &|it| signed_percent(it.buy_and_hold.total_return));
        row("Sharpe ratio, per year", &|it| number(it.model.sharpe_ratio));
        row("  of buy and hold", &|it| number(it.buy_and_hold.sharpe_ratio));
        row("largest drawdown", &|it| percent(it.model.max_drawdown));
        row("closed trades", &|it| count(it.model.total_trades));
        row("time in the market", &|it| percent(it.model.exposure_time));
        let costs = |it: &WindowResult| it.cost_bps.to_bits();
        if self.windows.windows(2).any(|pair| costs(&pair[0]) != costs(&pair[1])) {
            row("costs per side", &|it| format!("{} bp", it.cost_bps));
        }
        table
    }

    /// The gap between training and later bars in one sentence; `None` if a Sharpe ratio is undefined.
    pub fn gap_sentence(&self) -> Option<String> {
        self.gap.as_ref().map(Gap::sentence)
    }

    /// The heading of [`Self::rules_table`].
    pub fn rules_heading(&self) -> String {
        let window = match self.own().map(|own| own.kind) {
            Some(WindowKind::Backtest) | None => "these bars",
            Some(kind) => &format!("{} window", kind.heading()),
        };
        format!("the model beside simple rules ({window}, same costs)")
    }

    /// The model beside holding, doing nothing, random actions and simple rules.
    pub fn rules_table(&self) -> TextTable {
        let mut table = TextTable::new(&["", "total return", "Sharpe", "drawdown", "trades"]);
        let mut row = |name: &str, found: &Figures| {
            table.row([
                name.to_owned(),
                signed_percent(found.total_return),
                number(found.sharpe_ratio),
                percent(found.max_drawdown),
                count(found.total_trades),
            ]);
        };
        if let Some(own) = self.own() {
            row("model", &own.model);
            row("buy and hold", &own.buy_and_hold);
            let nothing =
                Figures { total_return: Some(0.0), max_drawdown: Some(0.0), ..Figures::default() };
            row("flat", &nothing);
        }
        for rule in &self.rules {
            row(rule.kind.name(), &rule.result);
        }
        if let Some(random) = &self.random {
            table.row([
                "random, same turnover".to_owned(),
                signed_percent(Some(random.median)),
                number(random.median_sharpe_ratio),
                String::new(),
                String::new(),
            ]);
        }
        table
    }

    /// One line about each rule of [`Self::rules_table`].
    pub fn rules_notes(&self) -> Vec<String> {
        let rules = self.rules.iter().map(|rule| {
            format!(
                "{}: {} (chosen on validation: {})",
                rule.kind.name(),
                rule.choice,
                signed_percent(rule.validation.total_return)
            )
        });
        let random = self.random.iter().map(|random| {
            format!(
                "random: median of {} draws, 90% of them {} to {}; the model is above {} of them",
                random.n_draws,
                signed_percent(Some(random.low)),
                signed_percent(Some(random.high)),
                percent(Some(random.share_below_model)),
            )
        });
        rules.chain(random).collect()
    }

    /// The same actions at other costs and one bar later.
    pub fn replay_table(&self) -> TextTable {
        let mut table = TextTable::new(&[
            "same actions",
            "costs per side",
            "total return",
            "Sharpe",
            "drawdown",
        ]);
        let mut row = |name: String, costs: String, found: &Figures| {
            table.row([
                name,
                costs,
                signed_percent(found.total_return),
                number(found.sharpe_ratio),
                percent(found.max_drawdown),
            ]);
        };
        for found in &self.at_costs {
            row(
                format!("costs × {}", found.multiple),
                format!("{} bp", found.cost_bps),
                &found.model,
            );
        }
        row("one bar later".to_owned(), "as charged".to_owned(), &self.one_bar_later);
        table
    }

    /// The table of [`Self::replay_table`] in one line.
    pub fn replay_line(&self) -> String {
        let at = self.at_costs.iter().map(|found| {
            format!("costs × {}: {}", found.multiple, signed_percent(found.model.total_return))
        });
        let later = format!("one bar later: {}", signed_percent(self.one_bar_later.total_return));
        format!("same actions, {}", at.chain([later]).collect::<Vec<_>>().join(", "))
    }

    /// Turnover, holding time and worst month in one line.
    pub fn activity_line(&self) -> String {
        let turnover = self.own().and_then(|own| own.model.turnover);
        let mut parts = Vec::new();
        if let Some(turnover) = turnover {
            parts.push(format!(
                "turnover {} times the equity per year",
                count(turnover.round() as usize)
            ));
        }
        if let Some(n_bars) = self.mean_holding_bars {
            parts.push(format!("a position is held for {n_bars:.1} bars on average"));
        }
        if let Some(worst) = worst_month(&self.breakdowns) {
            parts.push(format!(
                "worst month {}: {} (buy and hold {})",
                worst.name,
                signed_percent(Some(worst.total_return)),
                signed_percent(Some(worst.buy_and_hold))
            ));
        }
        parts.join("; ")
    }

    /// The tables by volatility, trend and time, each with its heading.
    pub fn breakdown_tables(&self) -> Vec<(&'static str, TextTable)> {
        self.breakdowns.iter().map(|found| (heading(found.by), breakdown(found))).collect()
    }
}

fn heading(by: GroupedBy) -> &'static str {
    match by {
        GroupedBy::Volatility => "by volatility of the 20 bars before",
        GroupedBy::Trend => "by trend of the 50 bars before",
        GroupedBy::Month => "by month (UTC)",
        GroupedBy::Weekday => "by weekday (UTC)",
        GroupedBy::Hour => "by hour (UTC)",
    }
}

fn breakdown(found: &Breakdown) -> TextTable {
    let mut table =
        TextTable::new(&["", "bars", "model", "buy and hold", "mean per bar", "in the market"]);
    for group in &found.groups {
        table.row([
            group.name.clone(),
            count(group.n_bars),
            signed_percent(Some(group.total_return)),
            signed_percent(Some(group.buy_and_hold)),
            format!("{:+.2} bp", group.mean_return / BASIS_POINT),
            percent(Some(group.exposure_time)),
        ]);
    }
    table
}
