//! Parents and children as trees.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::tags::key;
use herdbook_domain::{ModelName, VersionKey, VersionNumber};
use herdbook_store::{MetricSelection, Store, VersionRecord};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::native::call::Call;
use crate::native::failure::{ErrorBody, Failure};
use crate::native::models::at_most;
use crate::native::state::Native;

const METRICS: [&str; 3] =
    ["improvement_final/mean_reward", "final/mean_reward", "parent/final/mean_reward"];

/// Which trees to read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The registered model.
    #[param(value_type = String)]
    name: ModelName,
    /// Only the tree of this version.
    #[param(value_type = Option<u32>)]
    version: Option<VersionNumber>,
    /// At most so many versions; 200 unless given, and at most 500.
    limit: Option<usize>,
}

/// Trees of versions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lineage {
    /// The versions, parents before their children. `parent_run_id` joins them.
    members: Vec<Member>,
    /// The run ids of the versions at the top of a tree.
    roots: Vec<String>,
    /// Whether versions were left out.
    is_cut: bool,
}

/// A version in a tree.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Member {
    name: String,
    version: u32,
    run_id: String,
    parent_run_id: Option<String>,
    symbol: Option<String>,
    model_type: Option<String>,
    version_type: Option<String>,
    promotion_stage: Option<String>,
    honesty: Option<String>,
    total_timesteps: Option<u64>,
    /// The improvement of `final/mean_reward` over the parent, in percent.
    improvement_percent: Option<f64>,
    /// `final/mean_reward`.
    reward: Option<f64>,
    /// The parent's reward on the windows of this version, if the parent was measured again.
    parent_reward: Option<f64>,
}

/// The versions that descend from the same base models.
#[utoipa::path(get, path = "/lineage", tag = "lineage", params(Asked),
    responses((status = 200, body = Lineage), (status = "default", body = ErrorBody)))]
pub(super) async fn get_lineage(State(native): State<Native>, call: Call) -> Response<Body> {
    native.answer(call, |native, call| lineage(native.store(), &call.query()?)).await
}

fn lineage(store: &Store, asked: &Asked) -> Result<Lineage, Failure> {
    let limit = at_most(asked.limit, 200)?;
    let of = asked.version.map(|version| VersionKey { name: asked.name.clone(), version });
    let selection = (limit, MetricSelection::Only(&METRICS));
    let found = store.relatives(&asked.name, of.as_ref(), selection)?;
    let members: Vec<Member> = found.records.iter().filter_map(Member::of).collect();
    let known: BTreeSet<&str> = members.iter().map(|member| member.run_id.as_str()).collect();
    let is_root = |member: &&Member| {
        member.parent_run_id.as_deref().is_none_or(|parent| !known.contains(parent))
    };
    let roots = members.iter().filter(is_root).map(|member| member.run_id.clone()).collect();
    Ok(Lineage { roots, members, is_cut: found.is_cut })
}

impl Member {
    /// A version as a member; `None` if it has no run, which is what joins it to others.
    fn of(version: &VersionRecord) -> Option<Self> {
        let mut tags = version.tags_by_seal();
        Some(Self {
            name: version.key.name.to_string(),
            version: version.key.version.get(),
            run_id: version.run_id.as_ref()?.to_string(),
            parent_run_id: tags.remove(key::BASE_MODEL_RUN_ID),
            symbol: version.symbol().map(ToString::to_string),
            model_type: tags.remove(key::MODEL_TYPE),
            version_type: tags.remove(key::VERSION_TYPE),
            promotion_stage: tags.remove(key::PROMOTION_STAGE),
            honesty: tags.remove(key::HONESTY),
            total_timesteps: version.total_timesteps(),
            improvement_percent: version.metric(METRICS[0]),
            reward: version.metric(METRICS[1]),
            parent_reward: version.metric(METRICS[2]),
        })
    }
}
