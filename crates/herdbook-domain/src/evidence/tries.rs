//! The number of tries that evaluations are.

use std::collections::BTreeMap;

use super::evaluation::Evaluation;
use crate::values::VersionKey;

/// Number of tries by the models of some evaluations: the looks at the record of each. Copies of one model, with the same file
/// or the same returns, count once.
pub fn tries_of_models<'a>(
    evaluations: impl IntoIterator<Item = (&'a VersionKey, &'a Evaluation)>,
) -> f64 {
    let mut tries: BTreeMap<String, f64> = BTreeMap::new();
    let mut model_of_returns: BTreeMap<&str, String> = BTreeMap::new();
    for (of, evaluation) in evaluations {
        let Some(basis) = &evaluation.basis else {
            *tries.entry(format!("{}/{}", of.name, of.version)).or_default() += 1.0;
            continue;
        };
        let mut known = basis.repeats.iter().chain([&basis.returns_sha256]);
        let known = known.find_map(|returns| model_of_returns.get(returns.as_str()));
        let model = known.cloned().unwrap_or_else(|| basis.model_sha256.clone());
        model_of_returns.entry(&basis.returns_sha256).or_insert_with(|| model.clone());
        // Later evaluations of a model count all its looks; they never become fewer.
        let count = tries.entry(model).or_default();
        *count = count.max(basis.record.looks.as_tries()).max(1.0);
    }
    tries.values().sum()
}
