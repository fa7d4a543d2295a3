//! `promote`: moves a version to another stage, or lists the versions.

use herdbook_domain::{
    Cause, Honesty, PromotionRequest, Reason, Stage, StageChange, VersionKey, VersionNumber,
    overrides_of,
};
use herdbook_store::{Effect, Promotion, Session};
use serde_json::json;

use crate::args::{Family, PromoteArgs, SortKey};
use crate::commands::list::{self, ListRequest};
use crate::conditions;
use crate::evidence::Since;
use crate::failure::{Code, Failure};
use crate::lookup::name_of;
use crate::output::Output;
use crate::shell::model_flag;

pub(crate) fn run(args: &PromoteArgs, store: &Session, output: &mut Output) -> Result<(), Failure> {
    let name = name_of(store, &args.family)?;
    if args.list_models {
        let request = ListRequest {
            names: vec![name],
            timeframe: None,
            stage: args.stage,
            sort: SortKey::Registered,
            limit: None,
        };
        return list::print(store, &request, output);
    }
    let (Some(version), Some(target)) = (args.model_version, args.target_stage) else {
        return Err(Failure::usage("give `--model-version` and `--target-stage`"));
    };
    let request = PromotionRequest {
        key: VersionKey { name, version },
        target,
        reason: args.reason.as_deref().map(Reason::parse).transpose()?,
        expected_champion: args.expect_champion,
        force: args.force,
    };
    // Read before the act: a failure after it would hide that it was carried out.
    let since = Since::training_of(store, &request.key)?;
    let effect = if args.dry_run { Effect::DryRun } else { Effect::Commit };
    let conditions = conditions::read(args.config_file.as_deref(), output)?;
    let promotion = store.promote_under(&conditions, &request, effect).map_err(|error| {
        let failure = Failure::from(error).or_hint(|code| {
            (code == Code::ForbiddenTransition).then(|| hint(args, version, output))
        });
        if let Some(lines) = failure.conditions.as_ref().and_then(conditions::lines) {
            output.note(&lines);
        }
        failure
    })?;
    if promotion.plan.judgement.unmet().next().is_some() && !promotion.plan.judgement.enforce {
        output.note(
            "warning: conditions are not met; with `enforce = true` the promotion would be refused",
        );
    }
    conditions::note_if_none_applied(&conditions, &promotion.plan, output);
    print(args, store, &promotion, &since, output)
}

fn hint(args: &PromoteArgs, version: VersionNumber, output: &Output) -> String {
    let history = format!(
        "herdbook history --timeframe {}{} --model-version {version}",
        args.family.timeframe,
        model_flag(&args.family)
    );
    format!("`{}` shows how it got there", output.command(&history))
}

fn print(
    args: &PromoteArgs,
    store: &Session,
    promotion: &Promotion,
    since: &Since,
    output: &mut Output,
) -> Result<(), Failure> {
    let requested = promotion.plan.requested().expect("a plan contains the requested change");
    let displaced = promotion.plan.displaced();
    let undo = undo(&args.family, requested, displaced, output);
    let event_id = promotion.events.last().map(|event| event.id);
    let value = || {
        json!({
            "name": requested.key.name,
            "version": requested.key.version,
            "from": requested.transition.from(),
            "to": requested.transition.to(),
            "event_id": event_id.filter(|_| !args.dry_run),
            "displaced": displaced.map(|change| json!({"version": change.key.version})),
            "undo": undo,
            "dry_run": args.dry_run,
            "evidence": since.to_json(),
            "standing": since.standing_to_json(),
            "conditions": promotion.plan.judgement,
            "overridden": overridden(promotion),
        })
    };
    let text = || {
        let mut lines: Vec<String> = promotion.plan.changes.iter().rev().map(describe).collect();
        lines.push(since.lines());
        lines.extend(conditions::lines(&promotion.plan.judgement));
        lines.extend(forced_against(promotion));
        if args.dry_run {
            lines.push("dry run: nothing was changed".to_owned());
        } else {
            lines.push(format!("undo: {undo}"));
        }
        lines.join("\n")
    };
    if args.dry_run { output.data(value, text) } else { output.data_of_act(store, value, text) }
}

/// Each rule that `--force` overrode, with value and limit.
pub(crate) fn overridden(promotion: &Promotion) -> Vec<String> {
    promotion.events.iter().flat_map(overrides_of).collect()
}

/// What `--force` overrode, one line each; `None` if nothing had to be forced.
pub(crate) fn forced_against(promotion: &Promotion) -> Option<String> {
    let lines = overridden(promotion);
    (!lines.is_empty()).then(|| format!("FORCED against:\n  {}", lines.join("\n  ")))
}

/// One line for a change of stage and its cause.
pub(crate) fn describe(change: &StageChange) -> String {
    let why = match change.cause {
        Cause::Requested => "",
        Cause::Displaced => "  (replaced as champion)",
        Cause::RolledBack => "  (rolled back)",
        Cause::Returned => "  (restored)",
        Cause::DeletedElsewhere => "  (deleted through MLflow; no longer counts as champion)",
    };
    format!("{} version {}: {}{why}", change.key.name, change.key.version, change.transition)
}

/// The command that undoes a promotion. If a champion was displaced, only a rollback does.
fn undo(
    family: &Family,
    requested: &StageChange,
    displaced: Option<&StageChange>,
    output: &Output,
) -> String {
    let (timeframe, model) = (family.timeframe, model_flag(family));
    if displaced.is_some() {
        let force = if requested.clash.is_some() { " --force" } else { "" };
        let rollback =
            format!("herdbook rollback --timeframe {timeframe}{model}{force} --reason \"…\"");
        return output.command(&rollback);
    }
    let version = requested.key.version;
    let command = |to: Stage| {
        let needs_force = requested.honesty == Honesty::Contaminated;
        let force = match to {
            Stage::Beta | Stage::Champion if needs_force => " --force --reason \"…\"",
            _ => "",
        };
        output.command(&format!(
            "herdbook promote --timeframe {timeframe}{model} --model-version {version} --target-stage {to}{force}"
        ))
    };
    let (from, to) = (requested.transition.from(), requested.transition.to());
    path(to, from).map(command).collect::<Vec<_>>().join(" && ")
}

/// The stages to pass through from one stage to another, the last included. Two steps are always enough.
fn path(from: Stage, to: Stage) -> impl Iterator<Item = Stage> {
    let between = if from.change_to(to).is_some() {
        None
    } else {
        from.targets().iter().copied().find(|between| between.change_to(to).is_some())
    };
    between.into_iter().chain([to])
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
