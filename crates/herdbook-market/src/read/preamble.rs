//! Lines before the header, and the three-line header of yfinance.

use std::borrow::Cow;

use super::header::{Header, delimiter_of, names_all};
use super::options::ReadOptions;
use super::text::first_line;

/// The header is searched for in this many lines; further down are data.
const MAX_PREAMBLE: usize = 8;

/// The text of a file with the header as its first line that is not blank.
pub(super) struct Prepared<'a> {
    /// Lines before the header are blanked, so that line numbers are those of the file.
    pub(super) text: Cow<'a, str>,
    /// Number of header lines that were added before the file.
    pub(super) n_added: u64,
    /// Remarks for the user on what was changed.
    pub(super) remarks: Vec<String>,
    /// The instrument that the lines before the bars name.
    pub(super) instrument: Option<String>,
}

pub(super) fn prepared<'a>(text: &'a str, options: &ReadOptions) -> Prepared<'a> {
    if let Some(columns) = &options.columns {
        let delimiter = char::from(delimiter_of(first_line(text)));
        let columns: Vec<&str> = columns.split([',', ';', '\t']).collect();
        let text = format!("{}\n{text}", columns.join(&delimiter.to_string())).into();
        let remarks = vec!["the header was given by the user".to_owned()];
        return Prepared { text, n_added: 1, remarks, instrument: None };
    }
    if let Some((text, ticker)) = of_yfinance(text) {
        let remarks = vec!["yfinance export: the header has three lines".to_owned()];
        return Prepared { text: text.into(), n_added: 0, remarks, instrument: Some(ticker) };
    }
    let lines = || text.split_inclusive('\n').enumerate().take(MAX_PREAMBLE);
    let header = lines().find(|(_, line)| names_all(line.trim_end()));
    match header {
        Some((idx, _)) if lines().take(idx).any(|(_, line)| !line.trim().is_empty()) => {
            let length: usize = lines().take(idx).map(|(_, line)| line.len()).sum();
            let text = format!("{}{}", "\n".repeat(idx), &text[length..]).into();
            let remarks = vec![format!(
                "the header is in line {}; the lines before it are left out",
                idx + 1
            )];
            Prepared { text, n_added: 0, remarks, instrument: None }
        }
        _ => Prepared { text: text.into(), n_added: 0, remarks: Vec::new(), instrument: None },
    }
}

/// The text of a yfinance export with one header line, and its ticker; `None` for other files.
///
/// Its three lines are `Price,Close,High,…`, `Ticker,AAPL,AAPL,…` and `Date,,,…`: the names are in the first line, and the
/// name of the time column is in the third.
fn of_yfinance(text: &str) -> Option<(String, String)> {
    let mut lines = text.splitn(4, '\n');
    let (names, tickers, time) = (lines.next()?, lines.next()?, lines.next()?);
    let rest = lines.next()?;
    let names = names.strip_prefix("Price,")?;
    let time = time.trim_end().trim_end_matches(',');
    let of_one = tickers.strip_prefix("Ticker,")?.trim_end().split(',').collect::<Vec<_>>();
    if !["Date", "Datetime"].contains(&time) || of_one.iter().any(|ticker| *ticker != of_one[0]) {
        return None;
    }
    Some((format!("{time},{}\n\n\n{rest}", names.trim_end()), of_one[0].to_owned()))
}

impl Header {
    /// Remarks for the user on the header.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.is_metatrader() {
            remarks.push("MetaTrader export".to_owned());
        }
        if self.names.iter().any(|name| name.eq_ignore_ascii_case("adj close")) {
            remarks.push(
                "`Adj Close` is not used: prices are those of `Close`, not adjusted for dividends"
                    .to_owned(),
            );
        }
        remarks
    }
}
