//! The tags of the source, corrected by the history that herdbook wrote there. Anyone can change a tag, so the history
//! counts.

use super::excerpt::excerpt;
use super::finding::{Finding, FindingKind};
use super::imported_tags::kept_key;
use super::recorded_change::change_key;
use super::source::{SourceRecords, SourceVersion};
use super::source_history::RecordedVersion;
use crate::evidence::Honesty;
use crate::tags::{Tags, key, promotion_key};
use crate::values::ModelType;

/// The source with the tags that its history proves, and a finding for each tag that says otherwise.
pub(super) fn corrected(source: &SourceRecords, findings: &mut Vec<Finding>) -> SourceRecords {
    if let Some(problem) = source.history.problem() {
        let message = format!("herdbook's history in the source cannot be trusted: {problem}");
        let action = "nothing is taken from it; run `herdbook verify` on the source";
        findings.push(Finding::new(FindingKind::BrokenHistory, message, action));
    }
    let mut corrected = source.clone();
    for version in &mut corrected.versions {
        let recorded = source.history.recorded(version.run_id.as_ref(), version.key.version);
        let recorded = recorded.cloned().unwrap_or_default();
        let mut of_run = Tags::new();
        let run = version.run_id.as_ref().and_then(|run_id| corrected.runs.get_mut(run_id));
        let run_tags = run.map_or(&mut of_run, |run| &mut run.tags);
        let mut correction = Correction { version, run_tags, findings };
        correction.facts(&recorded);
        correction.honesty(&recorded);
        correction.model_file(&recorded);
        correction.stage(&recorded);
    }
    corrected
}

struct Correction<'a> {
    version: &'a mut SourceVersion,
    run_tags: &'a mut Tags,
    findings: &'a mut Vec<Finding>,
}

impl Correction<'_> {
    /// Timeframe, type, parent and steps as they were sealed.
    fn facts(&mut self, recorded: &RecordedVersion) {
        let Some(sealed) = &recorded.sealed else { return };
        let parent = sealed.parent.as_ref().map(ToString::to_string);
        let is_parent_known = sealed.parent.is_some() || sealed.model_type == Some(ModelType::Base);
        if is_parent_known && self.differs(key::BASE_MODEL_RUN_ID, parent.as_deref()) {
            self.set(key::BASE_MODEL_RUN_ID, parent);
            self.set(key::BASE_MODEL_PATH, None);
        }
        if let Some(model_type) = sealed.model_type
            && self.differs(key::MODEL_TYPE, Some(model_type.as_str()))
        {
            self.set(key::MODEL_TYPE, Some(model_type.to_string()));
            let is_enhanced = model_type != ModelType::Base;
            self.set(key::ENHANCEMENT_TYPE, is_enhanced.then(|| model_type.to_string()));
        }
        let timeframe = sealed.timeframe.map(|timeframe| timeframe.to_string());
        let total = sealed.total_timesteps.map(|total| total.to_string());
        for (key, value) in [(key::TIMEFRAME, timeframe), (key::TOTAL_TIMESTEPS, total)] {
            if value.is_some() && self.differs(key, value.as_deref()) {
                self.set(key, value);
            }
        }
    }

    /// The sealed state. Without a seal, or the event of a registration, a tag proves nothing that favours the model.
    fn honesty(&mut self, recorded: &RecordedVersion) {
        let sealed = recorded.sealed.as_ref().map(|sealed| sealed.honesty).or(recorded.honesty);
        if let Some(honesty) = sealed {
            if self.differs(key::HONESTY, Some(honesty.as_str())) {
                self.set(key::HONESTY, Some(honesty.to_string()));
            }
            return;
        }
        let claim = |tags: &Tags| tags.get(key::HONESTY).and_then(|text| text.parse().ok());
        let claims = [claim(&self.version.tags), claim(self.run_tags)];
        if claims.contains(&Some(Honesty::Contaminated)) {
            self.set(key::HONESTY, Some(Honesty::Contaminated.to_string()));
        } else if claims.contains(&Some(Honesty::Clean)) {
            let message = format!("its tag `{}` is `{}`", key::HONESTY, Honesty::Clean);
            let action = "no history of herdbook in the source proves it: it is `unknown` here";
            self.find(FindingKind::UnprovenHonesty, message, action);
            self.set(key::HONESTY, Some(Honesty::Unknown.to_string()));
        }
    }

    /// Another model file than the sealed one keeps the hash of the sealed one: it is found to be altered.
    fn model_file(&mut self, recorded: &RecordedVersion) {
        let Some(sealed) = &recorded.sealed else { return };
        let Some(file) = &mut self.version.model_file else { return };
        let name = file.artifact.rsplit('/').next().unwrap_or_default();
        let (Some(hash), Some(found)) = (sealed.files.get(name), &mut file.sha256) else { return };
        if hash != found {
            found.clone_from(hash);
            let message = format!("its model file `{}` is not the sealed one", file.artifact);
            let action = "it is copied, and cannot be used: `herdbook verify` reports it";
            self.find(FindingKind::SealDiffers, message, action);
        }
    }

    /// The stage at the end of the history, and the recorded changes.
    fn stage(&mut self, recorded: &RecordedVersion) {
        let Some(stage) = recorded.stage else { return };
        let tags = &self.version.tags;
        let is_change = |key: &String| change_key(key).is_some();
        let mut tagged: Vec<&String> =
            tags.iter().filter(|(key, _)| is_change(key)).map(|(_, value)| value).collect();
        let mut changes: Vec<&String> = recorded.changes.iter().map(|(_, text)| text).collect();
        tagged.sort();
        changes.sort();
        let are_changes_equal = tagged == changes;
        if self.differs(key::PROMOTION_STAGE, Some(stage.as_str())) {
            self.set(key::PROMOTION_STAGE, Some(stage.to_string()));
        }
        if are_changes_equal {
            return;
        }
        let message = "its tags `promotion_<time>` are not the changes in the source's history";
        self.find(FindingKind::HistoryContradicted, message.to_owned(), "the history counts");
        self.version.tags.retain(|key, _| !is_change(key));
        for (at, text) in &recorded.changes {
            let key = promotion_key(*at, self.version.tags.keys().map(String::as_str));
            self.version.tags.insert(key, text.clone());
        }
    }

    /// Whether a tag differs from the recorded value; if so, a finding says it.
    fn differs(&mut self, key: &str, recorded: Option<&str>) -> bool {
        let of_version = self.version.tags.get(key);
        let of_run = self.run_tags.get(key);
        let is_other =
            |found: Option<&String>| found.is_some_and(|found| Some(found.as_str()) != recorded);
        let is_missing = recorded.is_some() && of_version.is_none() && of_run.is_none();
        if !is_missing && !is_other(of_version) && !is_other(of_run) {
            return false;
        }
        let found = [of_version, of_run].into_iter().find(|found| is_other(*found)).flatten();
        let message = match found {
            Some(found) => format!("its tag `{key}` is `{}`", excerpt(found)),
            None => format!("its tag `{key}` is missing"),
        };
        let action = match recorded {
            Some(recorded) => format!("the source's history says `{recorded}`, which counts"),
            None => "the source's history has none, which counts".to_owned(),
        };
        self.find(FindingKind::HistoryContradicted, message, &action);
        true
    }

    /// Sets a tag of version and run. The version's other value is kept under [`kept_key`].
    fn set(&mut self, key: &str, value: Option<String>) {
        let old = self.version.tags.remove(key);
        if let Some(old) = old.filter(|old| Some(old) != value.as_ref()) {
            self.version.tags.insert(kept_key(key), old);
        }
        self.run_tags.remove(key);
        if let Some(value) = value {
            self.version.tags.insert(key.to_owned(), value.clone());
            self.run_tags.insert(key.to_owned(), value);
        }
    }

    fn find(&mut self, kind: FindingKind, message: String, action: &str) {
        let finding = Finding::new(kind, message, action);
        self.findings.push(finding.of_version(&self.version.key, self.version.run_id.as_ref()));
    }
}
