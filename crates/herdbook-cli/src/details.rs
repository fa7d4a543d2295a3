//! A result as text: the windows side by side, the model beside simple rules, and the verdict.

use herdbook_domain::Honesty;
use herdbook_training::{Details, Evidence, TextTable};

use crate::results::certainty;
use crate::table::{Align, Columns};

/// What is read first (the windows, the simple rules, the verdict), then how sure it is, then other costs and activity.
pub(crate) fn text(
    details: &Details,
    (honesty, cost_bps): (Honesty, f64),
    evidence: &Evidence,
) -> String {
    let gap = details.gap_sentence().map(|gap| format!("{gap}\n")).unwrap_or_default();
    let mut lines: Vec<String> = details.rules_notes();
    lines.push(String::new());
    lines.push(details.verdict(honesty, cost_bps));
    format!(
        "{}{gap}\n{}\n{}{}\n\n{}{}\n",
        columns(&details.windows_table()),
        details.rules_heading(),
        columns(&details.rules_table()),
        lines.join("\n"),
        certainty(evidence),
        in_depth(details),
    )
}

/// Other costs and activity in two lines.
fn in_depth(details: &Details) -> String {
    let lines = [details.replay_line(), details.activity_line()];
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A table with names to the left and values to the right.
fn columns(table: &TextTable) -> Columns {
    let align = |idx| if idx == 0 { Align::Left } else { Align::Right };
    let heading: Vec<(&str, Align)> =
        table.heading.iter().enumerate().map(|(idx, name)| (name.as_str(), align(idx))).collect();
    let mut columns = Columns::new(&heading);
    for row in &table.rows {
        columns.row(row.clone());
    }
    columns
}
