//! `import`: copies the records of another store and reports its contradictions.

use std::path::Path;

use herdbook_domain::import::Zone;
use herdbook_import::{
    Count, Import, ImportObserver, ImportReport, ImportRequest, Source, SourceOptions,
};
use herdbook_store::Effect;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::args::{Global, ImportArgs};
use crate::commands::import_runs;
use crate::context::{StoreChoice, environment, open_store_for_import};
use crate::failure::Failure;
use crate::format::count;
use crate::output::Output;
use crate::settings::working_directory;
use crate::terminal::one_line;

/// Number of findings shown as text. JSON has all of them.
const MAX_SHOWN: usize = 40;

pub(crate) fn run(args: &ImportArgs, global: &Global, output: &mut Output) -> Result<(), Failure> {
    let directory = working_directory()?;
    let source = Source::parse(&args.source, &directory)?;
    let request = ImportRequest {
        zone: zone(args.timezone, output),
        options: SourceOptions {
            artifacts: args.artifacts.as_ref().map(|folder| directory.join(folder)),
            notices: output.notices(),
        },
        source,
    };
    let effect = if args.dry_run { Effect::DryRun } else { Effect::Commit };
    let mut bar = ImportBar::new(output.is_quiet());
    // Read first, so that an unreadable source does not leave an empty store behind.
    let mut found = Import::read(&request, &mut bar)?;
    let unregistered = if args.register_runs {
        bar.stage("looking for runs with a model file");
        import_runs::candidates(found.unregistered_runs())
    } else {
        Vec::new()
    };
    let store = open_store_for_import(global, &request.source, effect, output)?;
    let report = found.bring_into(store.as_ref(), effect, &mut bar);
    let mut report = report?;
    let registered = args
        .register_runs
        .then(|| {
            let runs = import_runs::Runs { candidates: &unregistered, family: &args.model, effect };
            runs.register(store.as_ref(), &mut bar, &mut report.audit)
        })
        .transpose();
    bar.bar.finish_and_clear();
    let registered = registered?;
    let target = store.as_ref().map(|store| store.location().uri());
    let value = || to_json(&report, registered, target.as_deref(), args);
    match &store {
        Some(store) if !args.dry_run => {
            output.data_of_act(store, value, || text(&report, registered, args))?;
        }
        _ => output.data(value, || text(&report, registered, args))?,
    }
    if let Some(hint) = unregistered_hint(&report, args, output) {
        output.note(&hint);
    }
    if let Some(hint) = hint(&request.source, &directory, args, global) {
        output.note(&hint);
    }
    Ok(())
}

/// The time zone of `--timezone`, else that of this machine.
fn zone(asked: Option<Zone>, output: &mut Output) -> Zone {
    if let Some(zone) = asked {
        return zone;
    }
    let of_variable = environment("TZ").map(|name| name.trim_start_matches(':').to_owned());
    let of_system = std::fs::read_link("/etc/localtime").ok().and_then(|path| {
        let path = path.to_string_lossy().into_owned();
        Some(path.split_once("zoneinfo/")?.1.to_owned())
    });
    let name = of_variable.or(of_system);
    let zone = name.as_deref().and_then(|name| name.parse().ok()).unwrap_or(Zone::UTC);
    output.note(&format!(
        "times in the tags are read in {zone}, the time zone of this machine (change it with `--timezone`)"
    ));
    zone
}

fn to_json(
    report: &ImportReport,
    registered: Option<Count>,
    target: Option<&str>,
    args: &ImportArgs,
) -> Value {
    json!({
        "source": report.source,
        "target": target,
        "dry_run": args.dry_run,
        "experiments": report.experiments,
        "runs": report.runs,
        "models": report.models,
        "versions": report.versions,
        "registered_runs": registered,
        "artifacts": {"files": report.files, "bytes": report.bytes},
        "audit": report.audit,
    })
}

fn text(report: &ImportReport, registered: Option<Count>, args: &ImportArgs) -> String {
    let mut lines: Vec<String> = report
        .audit
        .iter()
        .take(MAX_SHOWN)
        .map(|finding| format!("{}: {}", finding.kind, one_line(&finding.line())))
        .collect();
    let more = report.audit.len().saturating_sub(MAX_SHOWN);
    if more > 0 {
        lines.push(format!("… and {} more; `--json` prints all of them", count(more as u64)));
    }
    let verb = if args.dry_run { "to add" } else { "added" };
    for (what, n) in [
        ("experiments", report.experiments),
        ("runs", report.runs),
        ("registered models", report.models),
        ("versions", report.versions),
    ] {
        lines.push(counted(what, n, verb));
    }
    if let Some(n) = registered {
        let verb = if args.dry_run { "to register" } else { "registered" };
        lines.push(counted("runs with a model file", n, verb));
    }
    lines.push(match report.audit.len() {
        0 => "audit: no contradictions".to_owned(),
        1 => "audit: 1 finding".to_owned(),
        n => format!("audit: {} findings", count(n as u64)),
    });
    lines.join("\n")
}

fn counted(what: &str, n: Count, verb: &str) -> String {
    let mut line = format!("{what}: {} {verb}", count(n.added as u64));
    if n.completed > 0 {
        line += &format!(", {} completed", count(n.completed as u64));
    }
    format!("{line}, {} already present", count(n.present as u64))
}

/// Advice for a source with runs and without versions, such as those of scripts that never register.
fn unregistered_hint(report: &ImportReport, args: &ImportArgs, output: &Output) -> Option<String> {
    let is_empty = report.versions.found == 0 && report.runs.found > 0 && !args.register_runs;
    is_empty.then(|| {
        let command = output.command("herdbook import --register-runs");
        format!(
            "hint: the source has no model versions, so no command finds its models: `{command}` also registers the runs that \
             stored a model file"
        )
    })
}

/// Advice for an imported `./mlruns`: while it is a file store, MLflow and herdbook use it as the store of the folder.
fn hint(source: &Source, directory: &Path, args: &ImportArgs, global: &Global) -> Option<String> {
    let is_beside = matches!(source, Source::Files(folder) if *folder == directory.join("mlruns"));
    let choice = StoreChoice::of(global.tracking_uri.as_deref(), None);
    let is_default = choice.is_ok_and(|choice| choice.uri.is_none());
    (is_beside && is_default && !args.dry_run).then(|| {
        "hint: MLflow keeps using the file store in `mlruns`: rename it with `mv mlruns mlruns.old`, \
         or open the new store with `--tracking-uri sqlite:///mlflow.db`"
            .to_owned()
    })
}

/// The progress bar of an import. It counts runs.
struct ImportBar {
    bar: ProgressBar,
}

impl ImportBar {
    fn new(is_quiet: bool) -> Self {
        let target =
            if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template("{bar:20} {pos}/{len} runs · {msg} · {eta} left")
            .expect("the template is well formed");
        Self { bar: ProgressBar::with_draw_target(None, target).with_style(style) }
    }
}

impl ImportObserver for ImportBar {
    fn runs(&mut self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message("importing");
    }

    fn stage(&mut self, text: &str) {
        self.bar.set_message(one_line(text));
    }
}
