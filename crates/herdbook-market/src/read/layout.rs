//! The layout of a text file: the delimiter, the header, and where the rows begin.

use std::borrow::Cow;

use ::csv::ReaderBuilder;

use super::header::is_by_name;
use super::market_names::{have_prices, markets};
use super::survey::{is_number, is_value};
use super::vocabulary::{is_instrument, meaning};
use super::words::Meaning;

/// The header is searched for in this many lines; further down are data.
const MAX_PREAMBLE: usize = 16;
/// A header has at most this many lines below the names, such as those of the ticker and of the index.
const MAX_CONTINUATION: usize = 3;
/// The delimiter is the one that so many lines have most regularly.
const DELIMITER_LINES: usize = 40;
/// A row has a time and four prices, so at least four delimiters.
const MIN_DELIMITERS: usize = 4;

/// Where the parts of a text file are.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) delimiter: u8,
    /// The names in the header; `None` if there is no header.
    pub(super) names: Option<Vec<String>>,
    /// The header, or the first line, for error messages.
    pub(super) line: String,
    /// A second ticker below the names: its line, the name of its column, its name, and the first ticker.
    pub(super) second_ticker: Option<(u64, String, String, String)>,
    /// The only ticker, in a line next to the names.
    pub(super) ticker: Option<String>,
    /// Byte position of the first row.
    pub(super) rows_at: usize,
    /// Remarks for the user on what was left out.
    pub(super) remarks: Vec<String>,
}

/// One of the first lines.
struct Line<'a> {
    text: &'a str,
    fields: Vec<String>,
    /// Byte position behind the line.
    end: usize,
}

impl Line<'_> {
    fn n_numbers(&self) -> usize {
        self.fields.iter().filter(|field| is_number(field)).count()
    }

    /// Whether the line is a row: it has a time or a number, and is not the numbering of columns by pandas.
    fn is_row(&self) -> bool {
        self.fields.iter().any(|field| is_value(field)) && !self.is_numbering()
    }

    fn is_numbering(&self) -> bool {
        let fields = self.fields.iter().skip_while(|field| field.is_empty());
        fields.enumerate().all(|(idx, field)| *field == idx.to_string())
    }

    fn is_header(&self) -> bool {
        have_prices(&self.fields) || !markets(&self.fields).is_empty()
    }
}

impl Layout {
    /// Finds the layout of a text; `columns` are the names that the user gives.
    pub(super) fn of(text: &str, columns: Option<&str>) -> Self {
        let delimiter = delimiter_of(text);
        let lines = first_lines(text, delimiter);
        let given = columns.is_some_and(|columns| !is_by_name(columns));
        let header = lines.iter().position(Line::is_header);
        let first_row = lines.iter().position(|line| line.n_numbers() >= 4 && line.is_row());
        let mut layout = Self {
            delimiter,
            names: None,
            line: lines.first().map(|line| line.text.to_owned()).unwrap_or_default(),
            second_ticker: None,
            ticker: None,
            rows_at: 0,
            remarks: Vec::new(),
        };
        match (header, first_row) {
            (Some(header), _) => layout.begin_below(&lines, header),
            (None, Some(row)) => match header_above(&lines, row) {
                Some(header) => layout.begin_below(&lines, header),
                None => layout.begin_at(&lines, row),
            },
            // Without any row the first line is shown as the header.
            (None, None) if !given && !lines.is_empty() => layout.begin_below(&lines, 0),
            (None, None) => {}
        }
        layout
    }

    /// The header is this line, and the rows follow below it.
    fn begin_below(&mut self, lines: &[Line<'_>], header: usize) {
        let mut names: Vec<String> = lines[header].fields.clone();
        if let Some(first) = names.first_mut() {
            *first = first.trim_start_matches(['#', ' ']).to_owned();
        }
        let below = lines[header + 1..].iter().take(MAX_CONTINUATION);
        let is_continuation = |line: &&Line| {
            line.fields.len() > 1
                && !line.is_row()
                && line.fields.iter().any(|field| !field.is_empty())
        };
        let more: Vec<&Line<'_>> = below.take_while(is_continuation).collect();
        let time_name = |line: &&Line<'_>| {
            let mut named = line.fields.iter().filter(|field| !field.is_empty());
            named.next().filter(|name| named.next().is_none() && is_time_name(name)).cloned()
        };
        // The index of a pandas frame has its name in a line of its own.
        if let Some(name) = more.iter().find_map(time_name)
            && !names.iter().any(|name| is_time_name(name))
        {
            names[0] = name;
        }
        self.second_ticker = more.iter().enumerate().find_map(|(idx, line)| {
            let mut tickers = line
                .fields
                .iter()
                .zip(&names)
                .filter(|(ticker, name)| !ticker.is_empty() && is_price_name(name));
            let (first, _) = tickers.next()?;
            let (other, name) = tickers.find(|(ticker, _)| *ticker != first)?;
            Some(((header + idx + 2) as u64, name.clone(), other.clone(), first.clone()))
        });
        let above = header.checked_sub(1).map(|above| &lines[above]);
        self.ticker = more.iter().copied().chain(above).find_map(|line| only_ticker(line, &names));
        if !more.is_empty() {
            self.remarks.push(format!("the header has {} lines", more.len() + 1));
        }
        let is_blank = |line: &Line| line.text.trim().is_empty();
        if !lines[..header].iter().all(is_blank) {
            self.remarks.push(format!(
                "the header is in line {}; the lines before it are left out",
                header + 1
            ));
        }
        lines[header].text.trim_end().clone_into(&mut self.line);
        self.rows_at = more.last().map_or(lines[header].end, |last| last.end);
        self.names = Some(names);
    }

    /// There is no header, and this line is the first row.
    fn begin_at(&mut self, lines: &[Line<'_>], row: usize) {
        self.rows_at = if row == 0 { 0 } else { lines[row - 1].end };
        lines[row].text.trim_end().clone_into(&mut self.line);
        if row > 0 && lines[..row].iter().any(|line| !line.text.trim().is_empty()) {
            self.remarks.push(format!(
                "the rows begin in line {}; the lines before it are left out",
                row + 1
            ));
        }
    }
}

/// The line above the first row, if it has as many fields and no number: a header with unknown names.
fn header_above(lines: &[Line<'_>], row: usize) -> Option<usize> {
    let above = (0..row).rev().find(|idx| !lines[*idx].text.trim().is_empty())?;
    let (found, expected) = (lines[above].fields.len(), lines[row].fields.len());
    let is_header =
        found.abs_diff(expected) <= 1 && found >= MIN_DELIMITERS && !lines[above].is_row();
    is_header.then_some(above)
}

/// The ticker in a line that names it for each column but the first, such as yfinance's `Ticker,AAPL,AAPL,AAPL,AAPL`.
fn only_ticker(line: &Line<'_>, names: &[String]) -> Option<String> {
    let (label, mut tickers) = (line.fields.first()?, line.fields.iter().skip(1));
    let is_labelled = label.is_empty() || is_instrument(label);
    if !is_labelled || line.fields.len() != names.len() || line.is_row() {
        return None;
    }
    let first = tickers.next().filter(|ticker| !ticker.is_empty())?;
    tickers.all(|ticker| ticker == first).then(|| first.clone())
}

fn is_time_name(name: &str) -> bool {
    matches!(
        meaning(name),
        Some((Meaning::Time | Meaning::Date | Meaning::Clock | Meaning::OpenTime, _))
    )
}

fn is_price_name(name: &str) -> bool {
    matches!(
        meaning(name),
        Some((Meaning::Open | Meaning::High | Meaning::Low | Meaning::Close, _))
    )
}

fn first_lines(text: &str, delimiter: u8) -> Vec<Line<'_>> {
    let mut end = 0;
    let lines = text.split_inclusive('\n').take(MAX_PREAMBLE + MAX_CONTINUATION);
    lines
        .map(|line| {
            end += line.len();
            let text = line.trim_end_matches(['\n', '\r']);
            Line { text, fields: fields(text, delimiter), end }
        })
        .collect()
}

fn fields(line: &str, delimiter: u8) -> Vec<String> {
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(|name| name.trim().to_owned()).collect()
}

/// The delimiter of a text: the first of tab, `;` and `|` of which most lines have the same number, four or more; else the
/// comma; else blanks. A text without rows has the delimiter of which its first line has most.
fn delimiter_of(text: &str) -> u8 {
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.trim().is_empty()).take(DELIMITER_LINES).collect();
    let is_regular = |delimiter: &u8| {
        let counts: Vec<usize> = lines.iter().map(|line| count(line, *delimiter)).collect();
        let share = |wanted: usize| counts.iter().filter(|count| **count == wanted).count();
        let common = counts.iter().copied().max_by_key(|count| share(*count)).unwrap_or_default();
        common >= MIN_DELIMITERS && 2 * share(common) >= counts.len()
    };
    let regular =
        [b'\t', b';', b'|', b',', b' '].into_iter().find(|delimiter| is_regular(delimiter));
    let first = lines.first().copied().unwrap_or_default();
    // `max_by_key` returns the last of equal candidates, so the comma stands last.
    regular
        .or_else(|| [b'\t', b';', b'|', b','].into_iter().max_by_key(|it| count(first, *it)))
        .unwrap_or(b',')
}

/// Number of delimiters outside quotes; blanks count once a run.
fn count(line: &str, delimiter: u8) -> usize {
    let mut is_quoted = false;
    let mut previous = b' ';
    let mut found = 0;
    for byte in line.trim().bytes() {
        is_quoted ^= byte == b'"';
        let is_more = delimiter == b' ' && previous == b' ';
        found += usize::from(byte == delimiter && !is_quoted && !is_more);
        previous = byte;
    }
    found
}

/// The text with one blank for each run of blanks, if blanks separate its fields.
pub(super) fn with_single_blanks(text: &str) -> Cow<'_, str> {
    if delimiter_of(text) != b' ' {
        return Cow::Borrowed(text);
    }
    let mut single = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty()).peekable();
        while let Some(word) = words.next() {
            single.push_str(word);
            if words.peek().is_some_and(|next| !next.trim().is_empty()) {
                single.push(' ');
            }
        }
    }
    Cow::Owned(single)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiter_is_the_one_that_most_lines_have_alike() {
        for (text, expected) in [
            ("time;o;h;l;c;v\n", b';'),
            ("time\to\th\tl\tc\n", b'\t'),
            ("time,o,h,l,c\n", b','),
            ("time|o|h|l|c\n1|2|3|4|5\n", b'|'),
            ("2024-01-01 00:00;100,0;100,40;99,99;100,25;770,64\n", b';'),
            ("time open high low close\n1 2 3   4 5\n", b' '),
            ("https://example.com/a;b\ntime,o,h,l,c\n1,2,3,4,5\n", b','),
        ] {
            assert_eq!(delimiter_of(text), expected, "{text}");
        }
    }

    #[test]
    fn ticker_stands_next_to_the_names_of_all_columns() {
        const PRICES: &str = "Price,Open,High,Low,Close,Volume\n";
        const ROW: &str = "2024-01-02,2,3,1,2,9\n";
        for (above, below, expected) in [
            ("", "Ticker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n", Some("AAPL")),
            ("", ",0700.HK,0700.HK,0700.HK,0700.HK,0700.HK\nDate,,,,,\n", Some("0700.HK")),
            ("Ticker,AAPL,AAPL,AAPL,AAPL,AAPL\n", "Date,,,,,\n", Some("AAPL")),
            ("", "Date,,,,,\n", None),
            ("", "unit,USD,USD,USD,USD,USD\nDate,,,,,\n", None),
            ("# AAPL, daily, from a page\n", "", None),
        ] {
            let text = format!("{above}{PRICES}{below}{ROW}");
            assert_eq!(Layout::of(&text, None).ticker.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn rows_begin_below_a_header_of_one_or_more_lines_or_without_one() {
        for (text, names, first_row) in [
            ("time,o,h,l,c\n1704067200,2,3,1,2\n", Some("time,o,h,l,c"), "1704067200"),
            ("# by x\n\n#time,o,h,l,c\n1704067200,2,3,1,2\n", Some("time,o,h,l,c"), "1704067200"),
            ("1704067200,2,3,1,2\n", None, "1704067200"),
            ("note\n1704067200,2,3,1,2\n", None, "1704067200"),
            (
                ",Open,High,Low,Close\n,0700.HK,0700.HK,0700.HK,0700.HK\nDate,,,,\n2024-01-02,2,3,1,2\n",
                Some("Date,Open,High,Low,Close"),
                "2024-01-02",
            ),
            (
                "Price,Open,High,Low,Close\nDate,,,,\n2024-01-02,,,,\n",
                Some("Date,Open,High,Low,Close"),
                "2024-01-02",
            ),
            ("A,B,C,D,E\n2024-01-02,2,3,1,2\n", Some("A,B,C,D,E"), "2024-01-02"),
            ("0,1,2,3,4\n2024-01-02,2,3,1,2\n", Some("0,1,2,3,4"), "2024-01-02"),
        ] {
            let layout = Layout::of(text, None);
            assert_eq!(layout.names.map(|names| names.join(",")).as_deref(), names, "{text}");
            assert!(text[layout.rows_at..].starts_with(first_row), "{text}");
        }
    }
}
