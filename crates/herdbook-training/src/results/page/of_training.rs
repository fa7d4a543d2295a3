//! The page of a training.

use herdbook_domain::{EVIDENCE_PROBABILITY, HEADLINE_METRICS, Honesty, ModelName};

use super::html::{Cells, Page};
use crate::results::details::tables::TextTable;
use crate::results::details::words::count;
use crate::results::evidence::Evidence;
use crate::results::improvement::ImprovementReport;
use crate::results::pictures::Picture;
use crate::results::report::RunReport;

/// Artifact path of the page.
pub(crate) const PAGE: &str = "report.html";

/// The page of a training: its result beside other windows and rules, its pictures and its metrics.
pub(crate) fn page_of_training(
    report: &RunReport,
    model: &ModelName,
    pictures: &[Picture],
) -> Page {
    let mut page = Page::new(&format!("{model} ({})", report.model_type));
    page.note(&circumstances(report));
    page.result(&report.details, report.honesty, report.cost_bps);
    page.heading("How sure it is");
    page.evidence(&report.evidence);
    if let Some(improvement) = &report.improvement {
        page.heading(&format!("Improvement over the parent ({})", improvement.basis.describe()));
        page.table(&improvements(improvement), Cells::Numbers);
    }
    page.heading("Pictures");
    for (name, drawn) in pictures {
        match drawn {
            Ok(svg) => page.picture(name, svg),
            Err(problem) => page.note(&format!("the picture {name} could not be drawn: {problem}")),
        }
    }
    page.result_in_depth(&report.details);
    page.metrics(report.metrics.iter().map(|(name, value)| (name.as_str(), *value)));
    page
}

impl Page {
    /// Adds the evidence for a result.
    pub(crate) fn evidence(&mut self, evidence: &Evidence) {
        let verdict = match evidence.objection() {
            None => "this is evidence".to_owned(),
            Some(objection) => format!("no evidence: {objection}"),
        };
        let tries = match evidence.n_tries {
            1 => "taken alone, as if no other model was tried".to_owned(),
            n => format!("as the best of {} tries on these bars", count(n as usize)),
        };
        self.paragraph(&format!(
            "Probability that the model beats both doing nothing and buy and hold: {}, {tries} (limit {EVIDENCE_PROBABILITY}, \
             {} returns, {} trades); {verdict}.",
            evidence.probability().map_or("undefined".to_owned(), |it| format!("{it:.3}")),
            count(evidence.figures.n_returns),
            count(evidence.figures.n_trades),
        ));
    }
}

/// One line about bars, windows, costs and origin.
fn circumstances(report: &RunReport) -> String {
    let windows = &report.windows;
    let mark = match report.honesty {
        Honesty::Clean => "test bars unseen in training",
        Honesty::Contaminated => "CONTAMINATED: test bars were seen in training",
        Honesty::Unknown => "unknown whether an ancestor saw the test bars",
    };
    let parent = report.parent.as_ref().map_or_else(String::new, |parent| {
        format!(" · parent {} version {}", parent.key.name, parent.key.version)
    });
    format!(
        "{} {} · test window {} to {} (UTC) · costs {} bp per side · {mark} · {} timesteps · seed {}{parent} · run {}",
        windows.symbol,
        report.timeframe,
        windows.test.start,
        windows.test.end,
        report.cost_bps,
        count(report.trained_timesteps as usize),
        report.seed,
        report.run_id,
    )
}

fn improvements(report: &ImprovementReport) -> TextTable {
    let mut table = TextTable::new(&["", "parent", "child", "change", ""]);
    for name in HEADLINE_METRICS {
        if let Some(found) = report.metrics.get(name) {
            table.rows.push(vec![
                name.to_owned(),
                format!("{:.4}", found.parent),
                format!("{:.4}", found.child),
                found.change_text(name),
                found.verdict().to_owned(),
            ]);
        }
    }
    table
}
