//! The tags of a version and of its run, parsed once. What cannot be read or does not agree becomes a finding.

use std::str::FromStr;

use crate::lineage::{EnhancedFrom, Origin};
use crate::tags::{Tags, key};
use crate::values::{Enhancement, ModelType, RunId, Stage, Timeframe, Timestamp, VersionType};

use super::excerpt::excerpt;
use super::finding::{Finding, FindingKind};
use super::imported_tags::kept_key;
use super::parent::{parent_of, run_of_path};
use super::recorded_change::{RecordedChange, change_key};
use super::source::{SourceRun, SourceVersion};
use super::zone::Zone;

/// Tags that a run and its version share.
pub(super) const SHARED_KEYS: [&str; 7] = [
    key::TIMEFRAME,
    key::MODEL_TYPE,
    key::VERSION_TYPE,
    key::PROMOTION_STAGE,
    key::ENHANCEMENT_TYPE,
    key::BASE_MODEL_PATH,
    key::BASE_MODEL_RUN_ID,
];

/// The tags of one version and its run, parsed.
#[derive(Debug, Clone)]
pub(super) struct ParsedTags {
    /// The version's tags, completed by shared tags of its run.
    pub(super) tags: Tags,
    pub(super) timeframe: Option<Timeframe>,
    pub(super) model_type: Option<ModelType>,
    pub(super) enhancement: Option<Enhancement>,
    pub(super) parent: Option<RunId>,
    pub(super) version_type: Option<VersionType>,
    /// `None` for a version that takes no part in the life cycle of stages.
    pub(super) stage: Option<Stage>,
    /// The recorded changes of stage, oldest first.
    pub(super) changes: Vec<RecordedChange>,
    /// The time in `demotion_timestamp`.
    pub(super) demoted_at: Option<Timestamp>,
    /// The time zone of the times in the tags.
    pub(super) zone: Zone,
}

/// Parses the tags of a version and its run, and adds what is contradictory to `findings`.
pub(super) fn parse(
    version: &SourceVersion,
    run: Option<&SourceRun>,
    zone: Zone,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> ParsedTags {
    let mut reader = Reader { version, findings };
    let tags = reader.joined(run);
    // Only herdbook writes the honesty tag, and its times are in UTC.
    let zone = if tags.contains_key(key::HONESTY) { Zone::UTC } else { zone };
    let mut changes = reader.changes(&tags, zone, now);
    changes.sort_by_key(|change| (change.at, change.ordinal));
    let mut parsed = ParsedTags {
        timeframe: reader.word(&tags, key::TIMEFRAME),
        model_type: reader.word(&tags, key::MODEL_TYPE),
        enhancement: reader.word(&tags, key::ENHANCEMENT_TYPE),
        version_type: reader.word(&tags, key::VERSION_TYPE),
        stage: reader.word(&tags, key::PROMOTION_STAGE),
        parent: reader.parent(&tags),
        demoted_at: None,
        changes,
        zone,
        tags,
    };
    parsed.demoted_at = reader.demoted_at(&parsed, now);
    reader.reconcile(&mut parsed);
    parsed
}

/// Tags that hold a time.
pub(super) const TIME_KEYS: [&str; 3] =
    [key::LAST_PROMOTED_AT, key::ENHANCEMENT_TIMESTAMP, key::DEMOTION_TIMESTAMP];

/// Whether no tag claims that the model was trained from another one.
pub fn names_no_origin(tags: &Tags) -> bool {
    let is_blank = |key: &&str| tags.get(*key).is_none_or(|text| text.trim().is_empty());
    [key::ENHANCEMENT_TYPE, key::BASE_MODEL_PATH, key::BASE_MODEL_RUN_ID].iter().all(is_blank)
}

struct Reader<'a> {
    version: &'a SourceVersion,
    findings: &'a mut Vec<Finding>,
}

impl Reader<'_> {
    fn find(&mut self, kind: FindingKind, message: String, action: impl Into<String>) {
        let finding = Finding::new(kind, message, action);
        self.findings.push(finding.of_version(&self.version.key, self.version.run_id.as_ref()));
    }

    /// The version's tags, completed by its run's.
    fn joined(&mut self, run: Option<&SourceRun>) -> Tags {
        let mut tags = self.version.tags.clone();
        let Some(run) = run else { return tags };
        for key in SHARED_KEYS {
            match (tags.get(key), run.tags.get(key)) {
                (Some(own), Some(of_run)) if own != of_run => {
                    let message =
                        format!("`{key}` is `{}`, on its run `{}`", excerpt(own), excerpt(of_run));
                    self.find(FindingKind::TagsDiffer, message, "the version's is kept on both");
                }
                (None, Some(of_run)) => {
                    tags.insert(key.to_owned(), of_run.clone());
                }
                _ => {}
            }
        }
        tags
    }

    /// Parses a word of a closed set, in any case and with white space around it. An unreadable stage is no finding
    /// here: what it becomes depends on the recorded changes.
    fn word<T: FromStr + std::fmt::Display>(&mut self, tags: &Tags, tag: &str) -> Option<T> {
        let text = tags.get(tag)?;
        if let Ok(word) = text.parse() {
            return Some(word);
        }
        let spellings =
            [text.trim().to_lowercase(), text.trim().to_uppercase(), text.trim().to_owned()];
        let word: Option<T> = spellings.iter().find_map(|text| text.parse().ok());
        if word.is_none() && tag == key::PROMOTION_STAGE {
            return None;
        }
        let action = match &word {
            Some(word) => format!("read as `{word}`"),
            None => "the tag is kept as it is and ignored".to_owned(),
        };
        self.find(FindingKind::UnknownWord, format!("`{tag}` is `{}`", excerpt(text)), action);
        word
    }

    fn changes(&mut self, tags: &Tags, zone: Zone, now: Timestamp) -> Vec<RecordedChange> {
        let mut changes = Vec::new();
        for (tag, value) in tags {
            let Some(rest) = change_key(tag) else { continue };
            match RecordedChange::read(tag, rest, value, zone) {
                Some(mut change) => {
                    if change.at > now {
                        let message = format!("`{tag}` is in the future ({})", change.at);
                        self.find(FindingKind::FutureTime, message, "recorded at the present time");
                        change.at = now;
                    }
                    changes.push(change);
                }
                None => self.find(
                    FindingKind::UnknownWord,
                    format!("`{tag}` is `{}`, which is not a change of stage", excerpt(value)),
                    format!("kept as `{}`", kept_key(tag)),
                ),
            }
        }
        changes
    }

    /// The time in `demotion_timestamp`. Names each tag of a time that is none.
    fn demoted_at(&mut self, parsed: &ParsedTags, now: Timestamp) -> Option<Timestamp> {
        for tag in TIME_KEYS {
            if let (Some(text), None) = (parsed.tags.get(tag), parsed.time(tag)) {
                let message = format!("`{tag}` is `{}`, which is not a time", excerpt(text));
                let action = format!("kept as `{}`", kept_key(tag));
                self.find(FindingKind::UnknownWord, message, action);
            }
        }
        let at = parsed.time(key::DEMOTION_TIMESTAMP)?;
        if at > now {
            let message = format!("`{}` is in the future ({at})", key::DEMOTION_TIMESTAMP);
            self.find(FindingKind::FutureTime, message, "recorded at the present time");
        }
        Some(at.min(now))
    }

    fn parent(&mut self, tags: &Tags) -> Option<RunId> {
        let by_path = tags.get(key::BASE_MODEL_PATH).and_then(|path| run_of_path(path));
        let by_id = tags.get(key::BASE_MODEL_RUN_ID).and_then(|id| RunId::parse(id.trim()).ok());
        if let (Some(by_id), Some(by_path)) = (&by_id, &by_path)
            && by_id != by_path
        {
            let message = format!("the parent's run is `{by_id}`, its path one of run `{by_path}`");
            self.find(FindingKind::ParentDiffers, message, "the run id is kept");
        }
        let parent = parent_of(tags);
        if parent.is_some() && parent == self.version.run_id {
            let message = "it names itself as its parent".to_owned();
            self.find(FindingKind::ParentMissing, message, "treated as a model without a parent");
            return None;
        }
        parent
    }

    /// Resolves contradictions between several tags.
    fn reconcile(&mut self, parsed: &mut ParsedTags) {
        if parsed.stage.is_none() && parsed.takes_part() {
            // The stage is unreadable, or missing although changes are recorded.
            parsed.stage =
                parsed.changes.last().map(|change| change.to).or(Some(Stage::Development));
            let stage = parsed.stage.unwrap_or(Stage::Development);
            let message = match parsed.tags.get(key::PROMOTION_STAGE) {
                Some(tag) => format!("`{}` is `{}`", key::PROMOTION_STAGE, excerpt(tag)),
                None => "it has no stage".to_owned(),
            };
            let action = format!("it is in `{stage}`, where its recorded changes end");
            self.find(FindingKind::UnknownWord, message, action);
        }
        if let Some(enhancement) = parsed.enhancement
            && parsed.model_type != Some(enhancement.model_type())
        {
            let model_type = parsed.model_type.map_or("unknown", ModelType::as_str);
            self.find(
                FindingKind::UnknownWord,
                format!("its model type is `{model_type}`, its enhancement type `{enhancement}`"),
                "the enhancement type is kept for both",
            );
            parsed.model_type = Some(enhancement.model_type());
        }
        let is_enhanced = parsed.model_type.is_some_and(|word| word != ModelType::Base);
        if is_enhanced && names_no_origin(&parsed.tags) {
            let model_type = parsed.model_type.map_or("unknown", ModelType::as_str);
            self.find(
                FindingKind::TypeWithoutParent,
                format!(
                    "its model type is `{model_type}`, but it names no parent and no enhancement"
                ),
                format!("it is a base model; `{}` keeps the type", kept_key(key::MODEL_TYPE)),
            );
            parsed.model_type = Some(ModelType::Base);
        } else if is_enhanced && parsed.parent.is_none() {
            let message = "it is an enhanced model, but names no parent".to_owned();
            self.find(FindingKind::ParentMissing, message, "kept without a parent");
        }
    }
}

impl ParsedTags {
    /// Whether the version takes part in the life cycle of stages. Other versions of the registry are copied as they
    /// are.
    pub(super) fn takes_part(&self) -> bool {
        self.tags.contains_key(key::PROMOTION_STAGE) || !self.changes.is_empty()
    }

    /// The origin of the model; `None` if the tags contradict each other.
    pub(super) fn origin(&self) -> Option<Origin> {
        let timeframe = self.timeframe?;
        let model_type = self.model_type?;
        match (&self.parent, model_type.as_str().parse::<Enhancement>().ok()) {
            (None, None) => Some(Origin { timeframe, enhanced: None }),
            (Some(parent), Some(enhancement)) => Some(Origin {
                timeframe,
                enhanced: Some(EnhancedFrom {
                    enhancement,
                    parent: parent.clone(),
                    previous_timesteps: self.steps(key::PREVIOUS_TIMESTEPS).unwrap_or(0),
                }),
            }),
            _ => None,
        }
    }

    /// The timesteps in a tag; `None` where the tag is missing or no count.
    pub(super) fn steps(&self, key: &str) -> Option<u64> {
        self.tags.get(key)?.trim().parse().ok()
    }

    /// The time in a tag; `None` where the tag is missing or no time.
    pub(super) fn time(&self, key: &str) -> Option<Timestamp> {
        self.zone.moment_of_tag(self.tags.get(key)?)
    }
}
