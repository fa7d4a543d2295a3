//! `relocate`: updates the artifact locations of a store that was moved or copied.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use herdbook_domain::Reason;
use herdbook_store::{Effect, Move, RelocateRequest, Relocation, Session};
use serde_json::json;

use crate::args::RelocateArgs;
use crate::failure::{Code, Failure};
use crate::format::count;
use crate::output::Output;
use crate::terminal::one_line;

pub(crate) fn run(
    args: &RelocateArgs,
    store: &Session,
    output: &mut Output,
) -> Result<(), Failure> {
    let effect = if args.dry_run { Effect::DryRun } else { Effect::Commit };
    let relocation = store.relocate(&request(args)?, effect)?;
    let value = || {
        let mut value = json!(relocation);
        value["dry_run"] = json!(args.dry_run);
        value
    };
    let text = || text(&relocation, args.dry_run);
    if args.dry_run || !relocation.is_needed {
        output.data(value, text)?;
    } else {
        output.data_of_act(store, value, text)?;
    }
    if args.dry_run && !relocation.problems.is_empty() && !args.force {
        return Err(Failure::after_data(Code::Conflict, "the relocation would be refused"));
    }
    Ok(())
}

fn request(args: &RelocateArgs) -> Result<RelocateRequest, Failure> {
    let to = args.to.iter().map(|folder| existing(folder)).collect::<Result<Vec<_>, _>>()?;
    let from = args.from.iter().map(|folder| absolute(folder)).collect::<Result<Vec<_>, _>>()?;
    let (moves, only_to) = match (from.as_slice(), to.as_slice()) {
        ([], []) => (vec![], None),
        ([], [to]) => (vec![], Some(to.clone())),
        (from, to) if from.len() == to.len() => {
            let pairs = from.iter().cloned().zip(to.iter().cloned());
            (pairs.map(|(from, to)| Move { from, to }).collect(), None)
        }
        _ => {
            return Err(Failure::usage(
                "give `--from` and `--to` in pairs: each former folder with its present one",
            ));
        }
    };
    let force = args.reason.as_deref().filter(|_| args.force).map(Reason::parse).transpose()?;
    Ok(RelocateRequest { moves, to: only_to, is_copy: args.copy, force })
}

fn absolute(folder: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(folder)
        .with_context(|| format!("the folder `{}` (flag `--from`)", folder.display()))?)
}

/// The path of a folder without links.
fn existing(folder: &Path) -> Result<PathBuf, Failure> {
    let found = std::fs::canonicalize(folder)
        .with_context(|| format!("cannot read the folder `{}` (flag `--to`)", folder.display()))?;
    if !found.is_dir() {
        return Err(Failure::usage(&format!(
            "`{}` (flag `--to`) is not a folder",
            folder.display()
        )));
    }
    Ok(found)
}

fn text(relocation: &Relocation, is_dry_run: bool) -> String {
    let without_files = match relocation.n_without_files {
        0 => String::new(),
        n => format!(
            "\nruns without a folder: {}; if their files were moved, `--to FOLDER` names where to",
            count(n as u64)
        ),
    };
    if !relocation.is_needed {
        return format!("nothing to relocate{without_files}");
    }
    let mut lines: Vec<String> = relocation
        .moves
        .iter()
        .map(|one| one_line(&format!("{} -> {}", one.from.display(), one.to.display())))
        .collect();
    let n_locations: usize = relocation.locations.values().sum();
    lines.push(format!("artifact locations updated: {}", count(n_locations as u64)));
    lines.push(format!("files compared with their hashes: {}", count(relocation.n_files as u64)));
    if relocation.n_in_place > 0 {
        let n_in_place = count(relocation.n_in_place as u64);
        lines.push(format!("locations whose files stayed in the former folder: {n_in_place}"));
    }
    lines.push(format!("store id {}{without_files}", one_line(&relocation.store_id)));
    lines.extend(
        relocation.problems.iter().map(|problem| format!("problem: {}", one_line(problem))),
    );
    if is_dry_run {
        lines.push("dry run: nothing was changed".to_owned());
    }
    lines.join("\n")
}
