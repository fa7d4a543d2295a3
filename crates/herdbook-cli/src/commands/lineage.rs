//! `lineage`: shows parents and children as trees.

use herdbook_domain::tags::key;
use herdbook_domain::{LineageMember, LineageTree, ModelName, RunId, lineage_trees};
use herdbook_store::{MetricSelection, Store, VersionQuery, VersionRecord};
use serde::Serialize;

use crate::args::{LineageArgs, Reference};
use crate::commands::list;
use crate::failure::{Code, Failure};
use crate::format;
use crate::lookup;
use crate::output::Output;

/// Metric of the improvement shown in the tree.
const SHOWN_IMPROVEMENT: &str = "improvement_final/mean_reward";

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
        metrics: MetricSelection::Only(&[SHOWN_IMPROVEMENT]),
        ..VersionQuery::default()
    };
    let listing = store.versions(&query)?;
    list::note_unreadable(&listing.unreadable, output);
    let mut members: Vec<Member> = listing.records.iter().filter_map(Member::of).collect();
    members.reverse();
    let mut trees = lineage_trees(&members);
    if let Some(run_id) = wanted {
        trees.retain(|tree| contains(tree, &|member| member.run_id == run_id));
    } else if args.family.model.is_some() {
        // A tree may hold several registered models. It is shown whole if it holds the given one.
        let name = args.family.given_name()?;
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
                lines.push(tree.member.line());
                draw(&tree.children, "", &mut lines);
            }
            lines.join("\n")
        },
    )
}

/// One model in the tree.
#[derive(Debug, Clone, Serialize)]
struct Member {
    name: ModelName,
    version: u32,
    run_id: RunId,
    parent_run_id: Option<RunId>,
    model_type: Option<String>,
    version_type: Option<String>,
    promotion_stage: Option<String>,
    honesty: Option<String>,
    total_timesteps: Option<u64>,
    improvement_percent: Option<f64>,
}

impl Member {
    fn of(version: &VersionRecord) -> Option<Self> {
        let tags = list::tags_of(version);
        let tag = |key: &str| tags.get(key).cloned();
        Some(Self {
            name: version.key.name.clone(),
            version: version.key.version.get(),
            run_id: version.run_id.clone()?,
            parent_run_id: tag(key::BASE_MODEL_RUN_ID).and_then(|id| RunId::parse(&id).ok()),
            model_type: tag(key::MODEL_TYPE),
            version_type: tag(key::VERSION_TYPE),
            promotion_stage: tag(key::PROMOTION_STAGE),
            honesty: tag(key::HONESTY),
            total_timesteps: version.total_timesteps(),
            improvement_percent: version.metric(SHOWN_IMPROVEMENT),
        })
    }

    /// Name, version, type, timesteps, improvement, stage and honesty in one line.
    fn line(&self) -> String {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        let mut line =
            format!("{} version {} · {}", self.name, self.version, word(&self.model_type));
        if let Some(timesteps) = self.total_timesteps {
            line += &format!(" · {} steps", format::count(timesteps));
        }
        if let Some(percent) = self.improvement_percent {
            line += &format!(" · test reward {percent:+.2}%");
        }
        line += &format!(" · {}", word(&self.promotion_stage));
        match self.honesty.as_deref() {
            Some("clean") => {}
            Some("contaminated") => line += " · CONTAMINATED",
            _ => line += " · honesty unknown",
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

fn draw(children: &[LineageTree<Member>], indent: &str, lines: &mut Vec<String>) {
    for (idx, child) in children.iter().enumerate() {
        let is_last = idx + 1 == children.len();
        let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        lines.push(format!("{indent}{branch}{}", child.member.line()));
        draw(&child.children, &format!("{indent}{below}"), lines);
    }
}
