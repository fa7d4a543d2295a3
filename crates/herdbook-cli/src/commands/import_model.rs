//! `import-model`: registers a model that was trained elsewhere.

use anyhow::Context as _;
use herdbook_domain::{ExperimentName, Honesty, Timeframe};
use herdbook_store::Missing;
use herdbook_training::{ImportedModel, ModelImportRequest, import_model};
use serde_json::{Value, json};

use crate::args::{Global, ImportModelArgs};
use crate::context::open_store;
use crate::failure::Failure;
use crate::format::count;
use crate::output::Output;
use crate::terminal::one_line;

pub(crate) fn run(
    args: &ImportModelArgs,
    global: &Global,
    output: &mut Output,
) -> Result<(), Failure> {
    let (path, timeframe) = (&args.file, args.family.timeframe);
    let bytes = output.read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let request = ModelImportRequest {
        timeframe,
        model: args.family.name()?,
        experiment: ExperimentName::of_timeframe(&args.experiment, timeframe)?,
        symbol: args.symbol.clone(),
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes,
    };
    let prepared = request.prepare()?;
    let store = open_store(global, Missing::Create, output)?;
    let imported = import_model(&store, &prepared)?;
    for note in &imported.notes {
        output.note(&format!("note: {note}"));
    }
    output.data_of_act(&store, || to_json(timeframe, &imported), || summary(&imported))
}

fn to_json(timeframe: Timeframe, imported: &ImportedModel) -> Value {
    json!({
        "run_id": imported.run_id,
        "model_name": imported.registered.key.name,
        "version": imported.registered.key.version,
        "model_path": imported.run_id.model_path(timeframe),
        "algorithm": imported.algorithm,
        "total_timesteps": imported.timesteps,
        "honesty": Honesty::Unknown,
        "usable": imported.obstacle.is_none(),
        "enhanceable": imported.is_enhanceable,
        "obstacle": imported.obstacle,
    })
}

fn summary(imported: &ImportedModel) -> String {
    let key = &imported.registered.key;
    let use_of_it = match imported.obstacle.as_deref().map(one_line) {
        None => "it can be enhanced, backtested and evaluated".to_owned(),
        Some(obstacle) if imported.is_enhanceable => format!(
            "it can be promoted, found and enhanced (its networks fit), but herdbook cannot run it: {obstacle}"
        ),
        Some(obstacle) => {
            format!(
                "it can be promoted and found, but herdbook can neither enhance nor run it: {obstacle}"
            )
        }
    };
    let algorithm = imported.algorithm.unwrap_or("unknown algorithm");
    format!(
        "{} version {} (base, {algorithm}) is registered in development\nrun {} · {} timesteps · honesty unknown: its training bars are not recorded\n{use_of_it}",
        key.name,
        key.version,
        imported.run_id,
        count(imported.timesteps),
    )
}
