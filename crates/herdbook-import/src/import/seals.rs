//! Seals of the source's herdbook: they stay sealed, whatever the source's rows and files say since.

use std::collections::BTreeMap;

use herdbook_domain::import::{Finding, FindingKind, SourceVersion};
use herdbook_domain::{Sealed, SealedMetric, window_params};
use herdbook_store::tables::metric::Metric;

use crate::source::RunData;

/// Maximum number of differences that a finding lists.
const MAX_LISTED: usize = 5;

/// The facts that are sealed in the target for a version that the source's herdbook sealed. Places are the target's. A
/// copied file that differs keeps the sealed hash, so that it is found to be altered.
pub(super) fn kept(facts: Sealed, in_source: &Sealed) -> Sealed {
    let mut files = facts.files;
    for (path, hash) in &mut files {
        if let Some(sealed) = in_source.files.get(path) {
            hash.clone_from(sealed);
        }
    }
    Sealed {
        at: facts.at,
        source: facts.source,
        storage_location: facts.storage_location,
        files,
        files_problem: facts.files_problem,
        ..in_source.clone()
    }
}

/// The finding that params and metrics of a run differ from the seal of its version; `None` if they agree.
pub(super) fn difference(
    version: &SourceVersion,
    data: &RunData,
    sealed: &Sealed,
) -> Option<Finding> {
    let mut found = Vec::new();
    for key in window_params::sealed() {
        let (is, was) = (data.params.get(key), sealed.params.get(key));
        if is != was {
            let text =
                |value: Option<&String>| value.map_or("nothing".to_owned(), |it| format!("`{it}`"));
            found.push(format!("`{key}` is {}, sealed was {}", text(is), text(was)));
        }
    }
    let metrics = last_finite(&data.metrics);
    for (name, was) in &sealed.metrics {
        match metrics.get(name.as_str()) {
            // A value of zero loses its sign in SQLite.
            Some(is) if (is.value + 0.0).to_bits() == (was.value + 0.0).to_bits() => {}
            Some(is) => found.push(format!("`{name}` is {}, sealed was {}", is.value, was.value)),
            None => found.push(format!("`{name}` is missing, sealed was {}", was.value)),
        }
    }
    let n_more = found.len().saturating_sub(MAX_LISTED);
    found.truncate(MAX_LISTED);
    if found.is_empty() {
        return None;
    }
    let more = if n_more > 0 { format!("; {n_more} more") } else { String::new() };
    let message = format!("its run differs from its seal: {}{more}", found.join("; "));
    let action = "the sealed values count; `herdbook doctor --repair` writes them into the run";
    let finding = Finding::new(FindingKind::SealDiffers, message, action);
    Some(finding.of_version(&version.key, version.run_id.as_ref()))
}

/// The last finite value of each metric.
fn last_finite(metrics: &[Metric]) -> BTreeMap<&str, SealedMetric> {
    let mut ordered: Vec<&Metric> = metrics.iter().filter(|it| it.value.is_finite()).collect();
    ordered.sort_by(|one, other| {
        (one.step, one.at).cmp(&(other.step, other.at)).then(one.value.total_cmp(&other.value))
    });
    let value = |it: &Metric| SealedMetric { value: it.value, step: it.step };
    ordered.into_iter().map(|it| (it.key.as_str(), value(it))).collect()
}
