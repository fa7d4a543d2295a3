//! What stands before the header: lines about the export, and the three-line header of yfinance.

use std::borrow::Cow;

use super::header::{Header, delimiter_of, names_all};
use super::reading::Reading;
use super::text::first_line;

/// A header is looked for in so many lines; further down it would be data.
const MAX_PREAMBLE: usize = 8;

/// A file whose first line is its header.
pub(super) struct Prepared<'a> {
    /// Lines before the header are blank, so that line numbers stay what they are.
    pub(super) text: Cow<'a, str>,
    /// Lines that the user put before the file.
    pub(super) n_added: u64,
    /// What was done, for the user.
    pub(super) remarks: Vec<String>,
}

pub(super) fn prepared<'a>(text: &'a str, reading: &Reading) -> Prepared<'a> {
    if let Some(columns) = &reading.columns {
        let delimiter = char::from(delimiter_of(first_line(text)));
        let columns: Vec<&str> = columns.split([',', ';', '\t']).collect();
        let text = format!("{}\n{text}", columns.join(&delimiter.to_string())).into();
        let remarks = vec!["a header was given for the file".to_owned()];
        return Prepared { text, n_added: 1, remarks };
    }
    if let Some(text) = of_yfinance(text) {
        let remarks = vec!["yfinance export: header of three lines".to_owned()];
        return Prepared { text: text.into(), n_added: 0, remarks };
    }
    let lines = || text.split_inclusive('\n').enumerate().take(MAX_PREAMBLE);
    let header = lines().find(|(_, line)| names_all(line.trim_end()));
    match header {
        Some((idx, _)) if lines().take(idx).any(|(_, line)| !line.trim().is_empty()) => {
            let length: usize = lines().take(idx).map(|(_, line)| line.len()).sum();
            let text = format!("{}{}", "\n".repeat(idx), &text[length..]).into();
            let remarks = vec![format!(
                "the header is in line {}; what stands before it is left out",
                idx + 1
            )];
            Prepared { text, n_added: 0, remarks }
        }
        _ => Prepared { text: text.into(), n_added: 0, remarks: Vec::new() },
    }
}

/// `Price,Close,High,…` / `Ticker,AAPL,AAPL,…` / `Date,,,…`: the names stand in the first line, and that of the time in the third.
fn of_yfinance(text: &str) -> Option<String> {
    let mut lines = text.splitn(4, '\n');
    let (names, tickers, time) = (lines.next()?, lines.next()?, lines.next()?);
    let rest = lines.next()?;
    let names = names.strip_prefix("Price,")?;
    let time = time.trim_end().trim_end_matches(',');
    let of_one = tickers.strip_prefix("Ticker,")?.trim_end().split(',').collect::<Vec<_>>();
    if !["Date", "Datetime"].contains(&time) || of_one.iter().any(|ticker| *ticker != of_one[0]) {
        return None;
    }
    Some(format!("{time},{}\n\n\n{rest}", names.trim_end()))
}

impl Header {
    /// What is worth saying of the header.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.is_metatrader() {
            remarks.push("MetaTrader export".to_owned());
        }
        if self.names.iter().any(|name| name.eq_ignore_ascii_case("adj close")) {
            remarks.push(
                "`Adj Close` is not used: prices are as traded, and jump where shares were split"
                    .to_owned(),
            );
        }
        remarks
    }
}
