//! What the tags of a version and of its run tell, read once, with what cannot be read or does not agree.

use std::str::FromStr;

use crate::tags::{Tags, key};
use crate::{
    EnhancedFrom, Enhancement, ModelType, Origin, RunId, Stage, Timeframe, Timestamp, VersionType,
};

use super::past::PastChange;
use super::source::{SourceRun, SourceVersion};
use super::{Finding, FindingKind, Zone};

/// Tags that run and version share.
pub(super) const SHARED: [&str; 7] = [
    key::TIMEFRAME,
    key::MODEL_TYPE,
    key::VERSION_TYPE,
    key::PROMOTION_STAGE,
    key::ENHANCEMENT_TYPE,
    key::BASE_MODEL_PATH,
    key::BASE_MODEL_RUN_ID,
];

/// A version as its tags tell of it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// The version's tags; those of the run where the version has none.
    pub(super) tags: Tags,
    pub(super) timeframe: Option<Timeframe>,
    pub(super) model_type: Option<ModelType>,
    pub(super) enhancement: Option<Enhancement>,
    pub(super) parent: Option<RunId>,
    pub(super) version_type: Option<VersionType>,
    /// `None`: it takes no part in the life cycle of stages.
    pub(super) stage: Option<Stage>,
    /// Oldest first.
    pub(super) changes: Vec<PastChange>,
    /// The zone of its times.
    pub(super) zone: Zone,
}

/// Reads the tags of a version and its run.
pub(super) fn read(
    version: &SourceVersion,
    run: Option<&SourceRun>,
    zone: Zone,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> Told {
    let mut reader = Reader { version, findings };
    let tags = reader.joined(run);
    // Only herdbook judges honesty, and herdbook writes UTC.
    let zone = if tags.contains_key(key::HONESTY) { Zone::UTC } else { zone };
    let mut changes = reader.changes(&tags, zone, now);
    changes.sort_by_key(|change| (change.at, change.place));
    let mut told = Told {
        timeframe: reader.word(&tags, key::TIMEFRAME),
        model_type: reader.word(&tags, key::MODEL_TYPE),
        enhancement: reader.word(&tags, key::ENHANCEMENT_TYPE),
        version_type: reader.word(&tags, key::VERSION_TYPE),
        stage: reader.word(&tags, key::PROMOTION_STAGE),
        parent: reader.parent(&tags),
        changes,
        zone,
        tags,
    };
    reader.settle(&mut told);
    told
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
        for key in SHARED {
            match (tags.get(key), run.tags.get(key)) {
                (Some(own), Some(of_run)) if own != of_run => {
                    let message =
                        format!("`{key}` is `{}`, on its run `{}`", shown(own), shown(of_run));
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

    /// A word of a closed set; another spelling of its letters is taken for it.
    fn word<T: FromStr + std::fmt::Display>(&mut self, tags: &Tags, tag: &str) -> Option<T> {
        let text = tags.get(tag)?;
        if let Ok(word) = text.parse() {
            return Some(word);
        }
        let spellings =
            [text.trim().to_lowercase(), text.trim().to_uppercase(), text.trim().to_owned()];
        let word: Option<T> = spellings.iter().find_map(|text| text.parse().ok());
        if word.is_none() && tag == key::PROMOTION_STAGE {
            // What becomes of it depends on the recorded changes.
            return None;
        }
        let action = match &word {
            Some(word) => format!("read as `{word}`"),
            None => "the tag is kept as it is, and does not count".to_owned(),
        };
        self.find(FindingKind::UnknownWord, format!("`{tag}` is `{}`", shown(text)), action);
        word
    }

    fn changes(&mut self, tags: &Tags, zone: Zone, now: Timestamp) -> Vec<PastChange> {
        let mut changes = Vec::new();
        for (tag, value) in tags {
            let Some(rest) = change_key(tag) else { continue };
            match PastChange::read(tag, rest, value, zone) {
                Some(mut change) => {
                    if change.at > now {
                        let message = format!("`{tag}` lies in the future ({})", change.at);
                        self.find(FindingKind::FutureTime, message, "taken to be now");
                        change.at = now;
                    }
                    changes.push(change);
                }
                None => self.find(
                    FindingKind::UnknownWord,
                    format!("`{tag}` is `{}`, which is no change of stage", shown(value)),
                    format!("kept as `{}`", super::kept(tag)),
                ),
            }
        }
        changes
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
            self.find(FindingKind::ParentMissing, message, "taken for a model without a parent");
            return None;
        }
        parent
    }

    /// Settles what the words say together.
    fn settle(&mut self, told: &mut Told) {
        if told.stage.is_none() && told.takes_part() {
            // A stage nobody can read, or none at all beside recorded changes.
            told.stage = told.changes.last().map(|change| change.to).or(Some(Stage::Development));
            let stage = told.stage.unwrap_or(Stage::Development);
            let message = match told.tags.get(key::PROMOTION_STAGE) {
                Some(tag) => format!("`{}` is `{}`", key::PROMOTION_STAGE, shown(tag)),
                None => "it has no stage".to_owned(),
            };
            let action = format!("it is in `{stage}`, where its recorded changes end");
            self.find(FindingKind::UnknownWord, message, action);
        }
        if let Some(enhancement) = told.enhancement
            && told.model_type != Some(enhancement.model_type())
        {
            let model_type = told.model_type.map_or("unknown", ModelType::as_str);
            self.find(
                FindingKind::UnknownWord,
                format!("its model type is `{model_type}`, its enhancement type `{enhancement}`"),
                "the enhancement type is kept for both",
            );
            told.model_type = Some(enhancement.model_type());
        }
        let is_enhanced = told.model_type.is_some_and(|word| word != ModelType::Base);
        if is_enhanced && told.parent.is_none() {
            let message = "it is an enhanced model and names no parent".to_owned();
            self.find(FindingKind::ParentMissing, message, "kept, with no parent");
        }
    }
}

impl Told {
    /// Whether the version is part of the life cycle of stages: others in the same registry are left as they are.
    pub(super) fn takes_part(&self) -> bool {
        self.tags.contains_key(key::PROMOTION_STAGE) || !self.changes.is_empty()
    }

    /// How the model came to be, where the tags agree on it.
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

    /// A count of timesteps.
    pub(super) fn steps(&self, key: &str) -> Option<u64> {
        self.tags.get(key)?.trim().parse().ok()
    }

    /// A time in a tag.
    pub(super) fn time(&self, key: &str) -> Option<Timestamp> {
        self.zone.moment_of_tag(self.tags.get(key)?)
    }
}

/// The parent that tags name: by its id, else by its path.
pub(super) fn parent_of(tags: &Tags) -> Option<RunId> {
    let by_id = tags.get(key::BASE_MODEL_RUN_ID).and_then(|id| RunId::parse(id.trim()).ok());
    by_id.or_else(|| run_of_path(tags.get(key::BASE_MODEL_PATH)?))
}

fn run_of_path(path: &str) -> Option<RunId> {
    let id = path.strip_prefix("runs:/")?.split('/').next()?;
    RunId::parse(id).ok()
}

/// What follows `promotion_` in the key of a change of stage: it begins with a digit.
pub(super) fn change_key(tag: &str) -> Option<&str> {
    tag.strip_prefix("promotion_").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// A text of others, short and printable.
pub(super) fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let printable = |c: char| if c.is_control() { '?' } else { c };
    let mut short: String = text.chars().map(printable).take(MAX_CHARS).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        short.push('…');
    }
    short
}
