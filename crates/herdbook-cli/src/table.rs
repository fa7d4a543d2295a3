//! Tables for terminals.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use crate::terminal;

/// A table without rules: a heading, and columns separated by two spaces.
pub(crate) struct Columns {
    table: Table,
}

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

impl Columns {
    pub(crate) fn new(heading: &[(&str, Align)]) -> Self {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(heading.iter().map(|(name, _)| Cell::new(terminal::one_line(name))));
        for (idx, (_, align)) in heading.iter().enumerate() {
            let Some(column) = table.column_mut(idx) else {
                continue;
            };
            column.set_padding((0, 2));
            if *align == Align::Right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { table }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.table.add_row(cells.into_iter().map(|cell| terminal::one_line(&cell)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.row_count() == 0
    }
}

impl std::fmt::Display for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
    }
}
