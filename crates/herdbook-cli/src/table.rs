//! Tables for terminals: columns separated by two spaces, below a heading.
//!
//! A table that is wider than the terminal first leaves out columns, the least important first, then cuts or wraps the
//! columns that may be narrower than their content.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::paint::{Meaning, painted};
use crate::screen::Screen;
use crate::terminal;

/// Spaces between two columns.
const GAP: usize = 2;
/// Stands for the rest of a cell that was cut.
const ELLIPSIS: &str = "…";

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// What happens to a column if the terminal is too narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrow {
    /// It keeps its width.
    Never,
    /// Its cells are cut.
    Cut { min: usize },
    /// Its cells are continued on the next lines.
    Wrap { min: usize },
}

/// One column of a table.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    heading: String,
    align: Align,
    /// Order in which columns are left out, the greatest first. Columns with 0 always stay.
    dispensable: u8,
    narrow: Narrow,
}

impl Column {
    pub(crate) fn left(heading: &str) -> Self {
        Self::new(heading, Align::Left)
    }

    pub(crate) fn right(heading: &str) -> Self {
        Self::new(heading, Align::Right)
    }

    fn new(heading: &str, align: Align) -> Self {
        let heading = terminal::one_line(heading);
        Self { heading, align, dispensable: 0, narrow: Narrow::Never }
    }

    /// Allows leaving the column out. Columns with a greater number go first.
    #[must_use]
    pub(crate) fn dispensable(self, order: u8) -> Self {
        Self { dispensable: order, ..self }
    }

    /// Allows cutting its cells down to `min` characters.
    #[must_use]
    pub(crate) fn cut(self, min: usize) -> Self {
        Self { narrow: Narrow::Cut { min }, ..self }
    }

    /// Allows wrapping its cells into lines of at least `min` characters.
    #[must_use]
    pub(crate) fn wrapped(self, min: usize) -> Self {
        Self { narrow: Narrow::Wrap { min }, ..self }
    }
}

/// A cell: one line of text, perhaps with a meaning.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    meaning: Option<Meaning>,
}

impl Cell {
    /// A cell in the colour of a meaning.
    pub(crate) fn of(text: impl AsRef<str>, meaning: Option<Meaning>) -> Self {
        Self { text: terminal::one_line(text.as_ref()), meaning }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::of(text, None)
    }
}

/// A table.
#[derive(Debug)]
pub(crate) struct Columns {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// What a table left out to fit the terminal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Headings of the columns that are not shown.
    pub(crate) columns: Vec<String>,
    /// Whether cells were cut.
    pub(crate) has_cut_cells: bool,
}

impl LeftOut {
    pub(crate) fn add(&mut self, other: Self) {
        self.columns.extend(other.columns);
        self.has_cut_cells |= other.has_cut_cells;
    }
}

impl Columns {
    /// A table whose columns keep their widths.
    pub(crate) fn new(heading: &[(&str, Align)]) -> Self {
        Self::of(heading.iter().map(|(name, align)| Column::new(name, *align)))
    }

    pub(crate) fn of(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    pub(crate) fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table as a screen can show it, each line with a line break.
    pub(crate) fn render(&self, screen: Screen) -> (String, LeftOut) {
        let natural = self.natural_widths();
        let shown = self.columns_that_fit(&natural, screen.width);
        let widths = self.widths(&natural, &shown, screen.width);
        let mut left_out = LeftOut::default();
        for (idx, column) in self.columns.iter().enumerate() {
            if !shown.contains(&idx) {
                left_out.columns.push(column.heading.clone());
            }
        }
        let mut text = String::new();
        let heading: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell { text: column.heading.clone(), meaning: Some(Meaning::Heading) })
            .collect();
        if heading.iter().any(|cell| !cell.text.is_empty()) {
            left_out.has_cut_cells |= self.write_row(&heading, &shown, &widths, screen, &mut text);
        }
        for row in &self.rows {
            left_out.has_cut_cells |= self.write_row(row, &shown, &widths, screen, &mut text);
        }
        (text, left_out)
    }

    fn natural_widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> =
            self.columns.iter().map(|column| column.heading.width()).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(&cell.text));
            }
        }
        widths
    }

    /// The narrowest that a column may be.
    fn narrowest(&self, natural: &[usize], idx: usize) -> usize {
        match self.columns[idx].narrow {
            Narrow::Never => natural[idx],
            Narrow::Cut { min } | Narrow::Wrap { min } => natural[idx].min(min),
        }
    }

    /// Indices of the columns that are shown. Where cutting is enough, no column is left out.
    fn columns_that_fit(&self, natural: &[usize], limit: Option<usize>) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let Some(limit) = limit else { return shown };
        loop {
            let needed: usize = shown.iter().map(|idx| self.narrowest(natural, *idx)).sum();
            if needed + GAP * shown.len().saturating_sub(1) <= limit {
                return shown;
            }
            let least = shown
                .iter()
                .copied()
                .filter(|idx| self.columns[*idx].dispensable > 0)
                .max_by_key(|idx| self.columns[*idx].dispensable);
            let Some(least) = least else { return shown };
            shown.retain(|idx| *idx != least);
        }
    }

    /// The widths of all columns. What is left over goes first to the columns that need the least.
    fn widths(&self, natural: &[usize], shown: &[usize], limit: Option<usize>) -> Vec<usize> {
        let Some(limit) = limit else { return natural.to_vec() };
        let mut widths: Vec<usize> =
            (0..natural.len()).map(|idx| self.narrowest(natural, idx)).collect();
        let used: usize = shown.iter().map(|idx| widths[*idx]).sum();
        let mut spare = limit.saturating_sub(used + GAP * shown.len().saturating_sub(1));
        let mut by_need = shown.to_vec();
        by_need.sort_by_key(|idx| natural[*idx] - widths[*idx]);
        for idx in by_need {
            let more = (natural[idx] - widths[idx]).min(spare);
            widths[idx] += more;
            spare -= more;
        }
        widths
    }

    /// Appends the lines of a row. Returns whether a cell was cut.
    fn write_row(
        &self,
        row: &[Cell],
        shown: &[usize],
        widths: &[usize],
        screen: Screen,
        text: &mut String,
    ) -> bool {
        let cell_at = |idx: usize| row.get(idx).map_or("", |cell| cell.text.as_str());
        if shown.iter().all(|idx| width(cell_at(*idx)) <= widths[*idx]) {
            let cells: Vec<&str> = shown.iter().map(|idx| cell_at(*idx)).collect();
            self.write_line(&cells, row, shown, widths, screen, text);
            return false;
        }
        let mut has_cut_cells = false;
        let mut cells: Vec<Vec<String>> = Vec::with_capacity(shown.len());
        for idx in shown {
            let (cell, limit) = (cell_at(*idx), widths[*idx]);
            cells.push(match self.columns[*idx].narrow {
                _ if width(cell) <= limit => vec![cell.to_owned()],
                Narrow::Wrap { .. } => wrap(cell, limit),
                Narrow::Cut { .. } | Narrow::Never => {
                    has_cut_cells = true;
                    vec![cut(cell, limit)]
                }
            });
        }
        let n_lines = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..n_lines {
            let of_line: Vec<&str> =
                cells.iter().map(|lines| lines.get(line).map_or("", String::as_str)).collect();
            self.write_line(&of_line, row, shown, widths, screen, text);
        }
        has_cut_cells
    }

    /// Appends one line of a row. `cells` are its texts in the order of `shown`.
    fn write_line(
        &self,
        cells: &[&str],
        row: &[Cell],
        shown: &[usize],
        widths: &[usize],
        screen: Screen,
        text: &mut String,
    ) {
        let n_filled = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |at| at + 1);
        for (at, (idx, cell)) in shown.iter().zip(cells).take(n_filled).enumerate() {
            let meaning = row.get(*idx).and_then(|cell| cell.meaning);
            let pad = widths[*idx].saturating_sub(width(cell));
            let is_last = at + 1 == n_filled;
            if self.columns[*idx].align == Align::Right {
                push_spaces(text, pad);
            }
            *text += &painted(cell, meaning, screen.has_colours);
            if self.columns[*idx].align == Align::Left && !is_last {
                push_spaces(text, pad);
            }
            if !is_last {
                push_spaces(text, GAP);
            }
        }
        text.push('\n');
    }
}

fn push_spaces(text: &mut String, n: usize) {
    text.extend(std::iter::repeat_n(' ', n));
}

/// The number of columns in which a terminal shows a text without control characters.
fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

impl std::fmt::Display for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(Screen::FILE).0)
    }
}

/// The beginning of a text and an ellipsis, together at most `width` wide.
fn cut(text: &str, width: usize) -> String {
    let (fitting, _) = split_at_width(text, width.saturating_sub(ELLIPSIS.width()));
    format!("{}{ELLIPSIS}", fitting.trim_end())
}

/// Lines of at most `width`, broken between words, or inside a word that is longer.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text.trim_end();
    while rest.width() > width {
        let (fitting, beyond) = split_at_width(rest, width.max(2));
        if fitting.is_empty() || beyond.is_empty() {
            break;
        }
        let end = match fitting.rfind(' ') {
            Some(space) if !beyond.starts_with(' ') && space > 0 => space,
            _ => fitting.len(),
        };
        lines.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start();
    }
    lines.push(rest.to_owned());
    lines
}

/// The longest beginning of a text that is at most `width` wide, and the rest.
fn split_at_width(text: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return text.split_at(at);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Columns {
        let mut table = Columns::of([
            Column::left("name").cut(6),
            Column::right("n"),
            Column::left("less").dispensable(1),
            Column::left("least").dispensable(2),
            Column::left("why").wrapped(8),
        ]);
        table.row(
            ["一二三四五六", "1", "aaaa", "bbbbb", "because of the weather"].map(str::to_owned),
        );
        table.row(["b", "10", "c", "", ""].map(str::to_owned));
        table
    }

    fn at(width: usize) -> (String, LeftOut) {
        table().render(Screen { width: Some(width), has_colours: false })
    }

    #[test]
    fn table_without_a_limit_shows_everything() {
        insta::assert_snapshot!(table().to_string(), @r"
        name           n  less  least  why
        一二三四五六   1  aaaa  bbbbb  because of the weather
        b             10  c
        ");
    }

    #[test]
    fn narrow_table_leaves_out_the_least_columns_then_wraps_and_cuts() {
        let (text, left_out) = at(42);
        insta::assert_snapshot!(text, @r"
        name           n  less  least  why
        一二三四五六   1  aaaa  bbbbb  because of
                                       the weather
        b             10  c
        ");
        assert_eq!(left_out, LeftOut::default());
        let (text, left_out) = at(22);
        insta::assert_snapshot!(text, @r"
        name       n  why
        一二三…    1  because
                      of the
                      weather
        b         10
        ");
        assert_eq!(left_out.columns, ["less", "least"]);
        assert!(left_out.has_cut_cells);
    }

    #[test]
    fn lines_are_never_wider_than_the_screen_that_columns_fit_into() {
        for width in 20..80 {
            let (text, _) = at(width);
            for line in text.lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn colours_do_not_change_the_layout() {
        let mut table = Columns::new(&[("a", Align::Right), ("b", Align::Left)]);
        table.row([Cell::of("x", Some(Meaning::Bad)), Cell::of("\u{1b}[31m", None)]);
        let (text, _) = table.render(Screen { width: None, has_colours: true });
        assert_eq!(
            text,
            "\u{1b}[1ma\u{1b}[0m  \u{1b}[1mb\u{1b}[0m\n\u{1b}[31mx\u{1b}[0m  \\u{1b}[31m\n"
        );
    }

    #[test]
    fn long_words_are_broken() {
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("ab cdefghij", 4), ["ab", "cdef", "ghij"]);
        assert_eq!(wrap("一二三", 1), ["一", "二", "三"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
