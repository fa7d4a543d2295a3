//! `lineage`: shows parents and children as trees.

use std::collections::BTreeMap;

use herdbook_domain::tags::key;
use herdbook_domain::{
    Improvement, LineageMember, LineageTree, ModelName, RunId, Symbol, lineage_trees,
};
use herdbook_store::{MetricSelection, Store, UnsealedValues, VersionQuery, VersionRecord};
use serde::Serialize;

use crate::args::{LineageArgs, Reference};
use crate::commands::list;
use crate::failure::{Code, Failure};
use crate::format;
use crate::lookup;
use crate::output::Output;
use crate::paint::Meaning;
use crate::shown::{Line, Shown};

/// Metric whose improvement is shown in the tree.
const SHOWN: &str = "final/mean_reward";
/// Its improvement, its value, and the parent's value on the windows of the child.
const SHOWN_METRICS: [&str; 3] =
    ["improvement_final/mean_reward", SHOWN, "parent/final/mean_reward"];

pub(crate) fn run(args: LineageArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let reference = Reference::of(args.reference, args.model_version);
    let (timeframe, wanted) = match &reference {
        Some(reference) => {
            let version = lookup::find(reference, store, &args.family)?;
            (version.timeframe(), version.run_id)
        }
        None => (args.family.timeframe, None),
    };
    let query = VersionQuery {
        timeframe,
        metrics: MetricSelection::Only(&SHOWN_METRICS),
        unsealed_values: UnsealedValues::WhereTheyCount,
        ..VersionQuery::default()
    };
    let listing = store.versions(&query)?;
    list::note_unreadable(&listing.unreadable, output);
    let mut members: Vec<Member> = listing.records.iter().filter_map(Member::of).collect();
    members.reverse();
    compare_with_parents(&mut members);
    let mut trees = lineage_trees(&members);
    if let Some(run_id) = wanted {
        trees.retain(|tree| contains(tree, &|member| member.run_id == run_id));
    } else if args.family.model.is_some() {
        // A tree may hold several registered models. It is shown whole if it holds the given one.
        let name = lookup::given_name(store, &args.family)?;
        trees.retain(|tree| contains(tree, &|member| Some(&member.name) == name.as_ref()));
    }
    if trees.is_empty() {
        return Err(Failure::new(Code::NotFound, "no registered model matches")
            .with_hint("`herdbook list` shows every version"));
    }
    output.data(
        || &trees,
        || {
            let mut lines = Vec::new();
            for tree in &trees {
                lines.push(tree.member.line(""));
                draw(&tree.children, "", &mut lines);
            }
            lines.into_iter().fold(Shown::default(), Shown::and)
        },
    )
}

/// Adds to each child with an improvement how it is shown, and whether it is one.
fn compare_with_parents(members: &mut [Member]) {
    let rewards: BTreeMap<RunId, f64> =
        members.iter().filter_map(|member| Some((member.run_id.clone(), member.reward?))).collect();
    for member in members {
        let Some(percent) = member.improvement_percent else { continue };
        let of_parent = member.parent_run_id.as_ref().and_then(|parent| rewards.get(parent));
        let parent = member.parent_reward.or(of_parent.copied());
        if let Some((parent, child)) = parent.zip(member.reward) {
            let found = Improvement::of(SHOWN, parent, child);
            member.improvement = Some(found.change_text(SHOWN));
            member.is_better = found.better;
        } else {
            // The values are no longer on record, as after the parent was deleted.
            member.improvement = Some(format::metric(SHOWN_METRICS[0], percent));
            member.is_better = (percent != 0.0).then_some(percent > 0.0);
        }
    }
}

/// One model in the tree.
#[derive(Debug, Clone, Serialize)]
struct Member {
    name: ModelName,
    version: u32,
    run_id: RunId,
    parent_run_id: Option<RunId>,
    symbol: Option<Symbol>,
    model_type: Option<String>,
    version_type: Option<String>,
    promotion_stage: Option<String>,
    honesty: Option<String>,
    total_timesteps: Option<u64>,
    /// As it was logged: 0% is no change.
    improvement_percent: Option<f64>,
    /// The same as the text shows it: in percent, or as a difference if the parent's value is near 0.
    improvement: Option<String>,
    #[serde(skip)]
    reward: Option<f64>,
    /// The parent's reward on the windows of this model, if the parent was measured again.
    #[serde(skip)]
    parent_reward: Option<f64>,
    #[serde(skip)]
    is_better: Option<bool>,
}

impl Member {
    fn of(version: &VersionRecord) -> Option<Self> {
        let tags = version.tags_by_seal();
        let tag = |key: &str| tags.get(key).cloned();
        Some(Self {
            name: version.key.name.clone(),
            version: version.key.version.get(),
            run_id: version.run_id.clone()?,
            parent_run_id: tag(key::BASE_MODEL_RUN_ID).and_then(|id| RunId::parse(&id).ok()),
            symbol: version.symbol().cloned(),
            model_type: tag(key::MODEL_TYPE),
            version_type: tag(key::VERSION_TYPE),
            promotion_stage: tag(key::PROMOTION_STAGE),
            honesty: tag(key::HONESTY),
            total_timesteps: version.total_timesteps(),
            improvement_percent: version.metric(SHOWN_METRICS[0]),
            improvement: None,
            reward: version.metric(SHOWN_METRICS[1]),
            parent_reward: version.metric(SHOWN_METRICS[2]),
            is_better: None,
        })
    }

    /// Name, version, type, symbol, timesteps, improvement, stage and honesty in one line, after the branches of the tree.
    fn line(&self, branches: &str) -> Line {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        let mut line = Line::default();
        line.push(branches, Some(Meaning::Faint));
        line.push_dispensable(format!("{} ", self.name), None, (5, "the names of the models"));
        line.push(format!("version {}", self.version), None);
        let model_type = format!(" · {}", word(&self.model_type));
        line.push_dispensable(model_type, None, (2, "the types"));
        let symbol = self.symbol.as_ref().map_or("symbol unknown", Symbol::as_str);
        line.push_dispensable(format!(" · {symbol}"), None, (3, "the symbols"));
        if let Some(timesteps) = self.total_timesteps {
            let steps = format!(" · {} steps", format::count(timesteps));
            line.push_dispensable(steps, None, (4, "the timesteps"));
        }
        if let Some(improvement) = &self.improvement {
            let change = format!(" · test reward {improvement}");
            let meaning = self.is_better.map(|is| if is { Meaning::Good } else { Meaning::Bad });
            line.push_dispensable(change, meaning, (1, "the improvements"));
        }
        let stage = self.promotion_stage.as_deref().and_then(|text| text.parse().ok());
        line.push(" · ", None);
        line.push(word(&self.promotion_stage), stage.and_then(Meaning::of_stage));
        match self.honesty.as_deref() {
            Some("clean") => {}
            Some("contaminated") => line.push(" · CONTAMINATED", Some(Meaning::Bad)),
            _ => line.push(" · honesty unknown", Some(Meaning::Doubtful)),
        }
        line
    }
}

impl LineageMember for Member {
    fn run_id(&self) -> &RunId {
        &self.run_id
    }

    fn parent(&self) -> Option<&RunId> {
        self.parent_run_id.as_ref()
    }
}

fn contains(tree: &LineageTree<Member>, wanted: &dyn Fn(&Member) -> bool) -> bool {
    wanted(&tree.member) || tree.children.iter().any(|child| contains(child, wanted))
}

fn draw(children: &[LineageTree<Member>], indent: &str, lines: &mut Vec<Line>) {
    for (idx, child) in children.iter().enumerate() {
        let is_last = idx + 1 == children.len();
        let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        lines.push(child.member.line(&format!("{indent}{branch}")));
        draw(&child.children, &format!("{indent}{below}"), lines);
    }
}
