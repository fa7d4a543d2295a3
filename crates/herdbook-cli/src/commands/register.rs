//! `register`: registers the model of a run that another program trained.

use herdbook_domain::RunId;
use herdbook_store::Session;
use herdbook_training::{MissingParent, RegisteredRun, UnregisteredRun};
use serde_json::{Value, json};

use crate::args::RegisterArgs;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(
    args: &RegisterArgs,
    store: &Session,
    output: &mut Output,
) -> Result<(), Failure> {
    let run_id = store.run_id_of(&args.run_id)?;
    let request = UnregisteredRun {
        run_id: run_id.clone(),
        timeframe: args.timeframe,
        family: args.model.clone(),
        missing_parent: MissingParent::Refuse,
    };
    let done = request.register(store)?;
    for note in &done.notes {
        output.note(&format!("note: {note}"));
    }
    output.data_of_act(store, || registered_run_json(&run_id, &done), || text(&run_id, &done))
}

/// The data of a registered run.
pub fn registered_run_json(run_id: &RunId, done: &RegisteredRun) -> Value {
    let key = &done.registered.key;
    json!({
        "run_id": run_id,
        "model_name": key.name,
        "version": key.version,
        "model_type": done.model_type,
        "superseded": done.registered.superseded,
        "honesty": done.honesty,
        "improvement": done.improvement.as_ref().map(|it| &it.metrics),
        "improvement_basis": done.improvement.as_ref().map(|it| it.basis),
        "notes": done.notes,
    })
}

fn text(run_id: &RunId, done: &RegisteredRun) -> String {
    let key = &done.registered.key;
    let mut lines = vec![
        format!(
            "{} version {} ({}) is registered in development",
            key.name, key.version, done.model_type
        ),
        format!("run {run_id} · honesty {}", done.honesty),
    ];
    let parents = done.registered.superseded.iter();
    lines.extend(parents.map(|parent| format!("its parent {parent} is now old")));
    lines.join("\n")
}
