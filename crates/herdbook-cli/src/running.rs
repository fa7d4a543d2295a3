//! Prepares a run of a registered model: finds and loads the model, and reads the bars.

use herdbook_domain::Timestamp;
use herdbook_store::{Store, VersionQuery, VersionRecord};
use herdbook_training::{DataSource, Naming, RegisteredModel};

use crate::args::{Reference, RunningArgs};
use crate::bars;
use crate::failure::{Code, Failure};
use crate::lookup;
use crate::output::Output;

/// Loads the model and reads the bars, of which those count that have ended by `now`.
pub(crate) fn prepare(
    args: RunningArgs,
    store: &Store,
    now: Timestamp,
    output: &mut Output,
) -> Result<(RegisteredModel, DataSource), Failure> {
    let model = RegisteredModel::load(store, find_version(&args, store)?)?;
    for note in &model.model.notes {
        output.note(&format!("note: {note}"));
    }
    let trained_on = model.symbol();
    let is_of_model = args.symbol.is_none() && trained_on.is_some();
    let symbol = args.symbol.or_else(|| trained_on.clone());
    let mut source = bars::read(&args.data, symbol, args.reading, now, output)?;
    if is_of_model {
        source.naming = Naming::OfModel;
    }
    if let Some(trained_on) = trained_on.filter(|symbol| *symbol != source.symbol) {
        let symbol = &source.symbol;
        output.note(&format!(
            "note: the model was trained on {trained_on}; these bars are of {symbol}"
        ));
    }
    Ok((model, source))
}

fn find_version(args: &RunningArgs, store: &Store) -> Result<VersionRecord, Failure> {
    if let (Some(stage), Some(name)) = (args.stage, lookup::given_name(store, &args.family)?) {
        let stage = Some(stage);
        let query = VersionQuery { name: Some(name.clone()), stage, ..VersionQuery::default() };
        return store.versions(&query)?.records.into_iter().next().ok_or_else(|| {
            let stage = stage.map_or("", herdbook_domain::Stage::as_str);
            Failure::new(Code::NotFound, format!("`{name}` has no version in `{stage}`"))
                .with_hint("`herdbook list` shows every version")
        });
    }
    let reference = Reference::of(args.reference.clone(), args.model_version);
    let or_champion = reference.clone().unwrap_or(Reference::Champion);
    lookup::find(&or_champion, store, &args.family).map_err(|failure| {
        failure.or_hint(|code| {
            (reference.is_none() && code == Code::NotFound)
                .then(|| "`--model-version` or `--stage` runs another version".to_owned())
        })
    })
}
