//! `rollback`: brings back the previous champion.

use herdbook_domain::{Reason, RollbackRequest};
use herdbook_store::{Effect, Session};
use serde_json::json;

use crate::args::RollbackArgs;
use crate::commands::promote::{describe, forced_against, overridden};
use crate::failure::Failure;
use crate::lookup::name_of;
use crate::output::Output;

pub(crate) fn run(
    args: &RollbackArgs,
    store: &Session,
    output: &mut Output,
) -> Result<(), Failure> {
    let request = RollbackRequest {
        name: name_of(store, &args.family)?,
        reason: Reason::parse(&args.reason)?,
        force: args.force,
    };
    let effect = if args.dry_run { Effect::DryRun } else { Effect::Commit };
    let promotion = store.rollback(&request, effect)?;
    let returned = promotion.plan.requested().expect("a rollback brings a version back");
    let displaced = promotion.plan.displaced();
    let event_id = promotion.events.last().map(|event| event.id);
    let value = || {
        json!({
            "name": returned.key.name,
            "version": returned.key.version,
            "event_id": event_id.filter(|_| !args.dry_run),
            "displaced": displaced.map(|change| json!({"version": change.key.version})),
            "dry_run": args.dry_run,
            "overridden": overridden(&promotion),
        })
    };
    let text = || {
        let mut lines: Vec<String> = promotion.plan.changes.iter().map(describe).collect();
        lines.extend(forced_against(&promotion));
        if args.dry_run {
            lines.push("dry run: nothing was changed".to_owned());
        }
        lines.join("\n")
    };
    if args.dry_run { output.data(value, text) } else { output.data_of_act(store, value, text) }
}
