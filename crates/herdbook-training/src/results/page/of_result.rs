//! The parts of a page about the result of a model on bars.

use herdbook_domain::Honesty;

use super::html::{Cells, Page};
use crate::results::details::measured::Details;
use crate::results::details::tables::TextTable;

impl Page {
    /// Adds what is read first: the verdict, the windows, and the simple rules.
    pub fn result(&mut self, details: &Details, honesty: Honesty, cost_bps: f64) {
        self.verdict(&capitalised(&details.verdict(honesty, cost_bps)));
        self.table(&details.windows_table(), Cells::Numbers);
        self.paragraph(&capitalised(&details.gap_sentence().unwrap_or_default()));
        self.heading(&capitalised(&details.rules_heading()));
        self.table(&details.rules_table(), Cells::Numbers);
        for note in details.rules_notes() {
            self.note(&capitalised(&note));
        }
    }

    /// Adds what is read later: other costs, and the result by volatility, trend and time.
    pub fn result_in_depth(&mut self, details: &Details) {
        self.heading("Same actions at other costs and one bar later");
        self.table(&details.replay_table(), Cells::Numbers);
        self.heading("When the model earned");
        self.paragraph(&capitalised(&details.activity_line()));
        for (heading, table) in details.breakdown_tables() {
            self.folded_table(&capitalised(heading), &table, Cells::Numbers);
        }
    }

    /// Adds metrics by name.
    pub fn metrics<'a>(&mut self, metrics: impl IntoIterator<Item = (&'a str, f64)>) {
        let mut table = TextTable::new(&["", ""]);
        for (name, value) in metrics {
            table.rows.push(vec![name.to_owned(), rounded(value)]);
        }
        self.folded_table("All metrics", &table, Cells::Numbers);
    }
}

/// The value with at most six decimals.
fn rounded(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_no_idle_decimals() {
        assert_eq!(
            [rounded(1.5), rounded(200.0), rounded(-0.123_456_78)],
            ["1.5", "200", "-0.123457"]
        );
        assert_eq!(capitalised("by month"), "By month");
    }
}
