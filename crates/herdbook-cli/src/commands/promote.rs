//! `promote`: a change of stage, or the list of those that could change.

use herdbook_domain::{
    Cause, PromotionRequest, Stage, StageChange, Timeframe, VersionKey, VersionNumber,
};
use herdbook_store::{Effect, Promotion, Store};
use serde_json::json;

use crate::args::{DEFAULT_FAMILY, Family, PromoteArgs};
use crate::commands::list;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(args: &PromoteArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let name = args.family.name()?;
    if args.list_models {
        return list::print(store, Some(name), None, args.stage, output);
    }
    let (Some(version), Some(target)) = (args.model_version, args.target_stage) else {
        return Err(Failure::usage(
            "give `--model-version` and `--target-stage`",
        ));
    };
    let request = PromotionRequest {
        key: VersionKey { name, version },
        target,
        reason: args.reason.clone(),
        expected_champion: args.expect_champion,
        force: args.force,
    };
    let effect = if args.dry_run {
        Effect::DryRun
    } else {
        Effect::Commit
    };
    let promotion = store
        .promote(&request, effect)
        .map_err(|error| Failure::from(error).or_hint(|_| Some(hint(args, version))))?;
    print(args, &promotion, output)
}

fn hint(args: &PromoteArgs, version: VersionNumber) -> String {
    format!(
        "`herdbook history --timeframe {} --model-version {version}` shows how it came there",
        args.family.timeframe
    )
}

fn print(args: &PromoteArgs, promotion: &Promotion, output: &mut Output) -> Result<(), Failure> {
    let requested = promotion
        .plan
        .requested()
        .expect("a plan changes what was asked for");
    let displaced = promotion.plan.displaced();
    let undo = undo(&args.family, requested, displaced);
    let event_id = promotion.events.last().map(|event| event.id);
    let value = json!({
        "name": requested.key.name,
        "version": requested.key.version,
        "from": requested.transition.from(),
        "to": requested.transition.to(),
        "event_id": event_id.filter(|_| !args.dry_run),
        "displaced": displaced.map(|change| json!({"version": change.key.version})),
        "undo": undo,
        "dry_run": args.dry_run,
    });
    output.data(&value, |_| {
        let mut lines: Vec<String> = promotion.plan.changes.iter().rev().map(describe).collect();
        if args.dry_run {
            lines.push("dry run: nothing was changed".to_owned());
        } else {
            lines.push(format!("undo: {undo}"));
        }
        lines.join("\n")
    })
}

fn describe(change: &StageChange) -> String {
    let why = match change.cause {
        Cause::Requested => "",
        Cause::Displaced => "  (makes room)",
        Cause::DeletedElsewhere => "  (was deleted through MLflow, makes room)",
    };
    format!(
        "{} version {}: {}{why}",
        change.key.name, change.key.version, change.transition
    )
}

/// The commands that bring back what was, champion included.
fn undo(family: &Family, requested: &StageChange, displaced: Option<&StageChange>) -> String {
    let (from, to) = (requested.transition.from(), requested.transition.to());
    let version = requested.key.version;
    let mut commands = Vec::new();
    if let Some(displaced) = displaced {
        // The old champion's return archives the new one, which then goes back to where it was.
        commands
            .extend(path(Stage::Archived, Stage::Champion).map(|to| (displaced.key.version, to)));
        commands.extend(path(Stage::Archived, from).map(|to| (version, to)));
    } else {
        commands.extend(path(to, from).map(|to| (version, to)));
    }
    let command = |(version, to)| promote_command(family.timeframe, &family.model, version, to);
    commands
        .into_iter()
        .map(command)
        .collect::<Vec<_>>()
        .join(" && ")
}

/// The stages to go through from one to another; two steps are always enough.
fn path(from: Stage, to: Stage) -> impl Iterator<Item = Stage> {
    let between = if from.change_to(to).is_some() {
        None
    } else {
        from.targets()
            .iter()
            .copied()
            .find(|between| between.change_to(to).is_some())
    };
    between.into_iter().chain([to])
}

fn promote_command(timeframe: Timeframe, model: &str, version: VersionNumber, to: Stage) -> String {
    let model = if model == DEFAULT_FAMILY {
        String::new()
    } else {
        format!(" --model {model}")
    };
    format!(
        "herdbook promote --timeframe {timeframe}{model} --model-version {version} --target-stage {to}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permitted_change_can_be_undone_in_two_steps() {
        for from in Stage::ALL {
            for to in from.targets() {
                let mut at = *to;
                let steps: Vec<Stage> = path(*to, *from).collect();
                assert!(steps.len() <= 2);
                for next in steps {
                    assert!(at.change_to(next).is_some(), "{at} to {next}");
                    at = next;
                }
                assert_eq!(at, *from);
            }
        }
    }
}
