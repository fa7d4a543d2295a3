//! Prepares a run of a registered model: finds and loads the model, and reads the bars.

use std::num::NonZeroUsize;
use std::path::Path;

use herdbook_domain::{Symbol, Timestamp};
use herdbook_store::{Store, VersionQuery, VersionRecord};
use herdbook_training::{DataSource, Naming, RegisteredModel};

use crate::args::{Reference, RunningArgs};
use crate::bars;
use crate::failure::{Code, Failure};
use crate::lookup;
use crate::output::Output;

/// Loads the model and reads the bars, of which those count that have ended by `now`.
pub(crate) fn prepare(
    args: &RunningArgs,
    data: &Path,
    store: &Store,
    now: Timestamp,
    output: &mut Output,
) -> Result<(RegisteredModel, DataSource), Failure> {
    let model = load(find_version(args, store)?, store, output)?;
    let (symbol, is_of_model) = instrument(args, &model);
    let mut source = bars::read(data, symbol, args.reading.clone(), now, output)?;
    if is_of_model {
        source.naming = Naming::OfModel;
    }
    if let Some(note) = other_symbol(&model, &source) {
        output.note(&note);
    }
    Ok((model, source))
}

/// Loads the model of a version, with notes about its file.
pub(crate) fn load(
    version: VersionRecord,
    store: &Store,
    output: &mut Output,
) -> Result<RegisteredModel, Failure> {
    let model = RegisteredModel::load(store, version)?;
    for note in &model.model.notes {
        output.note(&format!("note: {note}"));
    }
    Ok(model)
}

/// The instrument of the bars, and whether it is taken from the model.
pub(crate) fn instrument(args: &RunningArgs, model: &RegisteredModel) -> (Option<Symbol>, bool) {
    let trained_on = model.symbol();
    let is_of_model = args.symbol.is_none() && trained_on.is_some();
    (args.symbol.clone().or(trained_on), is_of_model)
}

/// A note if the bars are of another instrument than the model.
pub(crate) fn other_symbol(model: &RegisteredModel, source: &DataSource) -> Option<String> {
    let trained_on = model.symbol().filter(|symbol| *symbol != source.symbol)?;
    let symbol = &source.symbol;
    Some(format!("note: the model was trained on {trained_on}; these bars are of {symbol}"))
}

/// The version that the arguments name: by default the champion.
pub(crate) fn find_version(args: &RunningArgs, store: &Store) -> Result<VersionRecord, Failure> {
    if let (Some(stage), Some(name)) = (args.stage, lookup::given_name(store, &args.family)?) {
        let stage = Some(stage);
        let (limit, given) = (Some(NonZeroUsize::MIN), Some(name.clone()));
        let query = VersionQuery { name: given, stage, limit, ..VersionQuery::default() };
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
