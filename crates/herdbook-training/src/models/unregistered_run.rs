//! Runs of other programs that stored a model and did not register it: their registration, as their own tags and artifacts
//! describe it.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::import::{kept_key, names_no_origin, parent_of};
use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{ModelName, ModelType, RunId, RunStatus, Timeframe};
use herdbook_store::{RunRecord, Session};

use crate::error::TrainingError;
use crate::models::register_run::{MissingParent, RegisterRequest, RegisteredRun, register_run};

/// Which run to register, and what its tags do not say.
#[derive(Debug, Clone)]
pub struct UnregisteredRun {
    /// The run.
    pub run_id: RunId,
    /// Length of the bars; `None` takes it from the tag `timeframe`, else from the path of the model file.
    pub timeframe: Option<Timeframe>,
    /// The end of the registered model's name, after the timeframe.
    pub family: String,
    /// What happens if the parent is not registered.
    pub missing_parent: MissingParent,
}

impl UnregisteredRun {
    /// Registers the run as its tags and artifacts describe it: the model file is `models/<timeframe>/model.zip`. A model type
    /// other than `base`, of a run that names neither a parent nor an enhancement, becomes `base`; the tag
    /// `imported_model_type` keeps the original.
    ///
    /// # Errors
    /// [`TrainingError::CannotRegister`] if the run has not ended, or has no model file or several; those of
    /// [`register_run`].
    pub fn register(&self, store: &Session) -> Result<RegisteredRun, TrainingError> {
        let run = store.run(&self.run_id)?;
        if matches!(run.status, RunStatus::Running | RunStatus::Scheduled) {
            return Err(self.refused(format!(
                "it is still {}: wait until it ends, or call `register` of the Python package in it",
                run.status
            )));
        }
        let timeframe = self.timeframe(store, &run)?;
        let (model_type, told) = model_type(&run.tags);
        let tagged = run.tags.get(key::TIMEFRAME).filter(|text| *text != timeframe.as_str());
        let changed = [(key::MODEL_TYPE, told), (key::TIMEFRAME, tagged.map(String::as_str))];
        let kept =
            changed.into_iter().filter_map(|(key, told)| Some((kept_key(key), told?.to_owned())));
        let request = RegisterRequest {
            run_id: self.run_id.clone(),
            timeframe,
            model: ModelName::of_timeframe(timeframe, &self.family)?,
            model_type,
            parent: parent_of(&run.tags),
            artifact: RunId::model_artifact(timeframe),
            trained_timesteps: None,
            version_tags: kept.collect(),
            missing_parent: self.missing_parent,
        };
        let mut done = register_run(store, &request, None)?;
        done.notes.extend(told.map(|told| {
            format!("its tag `model_type` is `{told}`, but it names no parent: it is a base model")
        }));
        done.notes.extend(tagged.map(|told| {
            format!(
                "its tag `timeframe` is `{told}`: it is registered for the bars of its model file"
            )
        }));
        Ok(done)
    }

    /// The timeframe that is asked for or tagged, if there is a model file of it; else that of the only model file.
    fn timeframe(&self, store: &Session, run: &RunRecord) -> Result<Timeframe, TrainingError> {
        let mut files = BTreeSet::new();
        for folder in store.list_artifacts(&self.run_id, "models")? {
            let Ok(timeframe) = folder.name.parse::<Timeframe>() else { continue };
            let names = store.artifact_names(&self.run_id, &format!("models/{timeframe}"))?;
            if folder.is_folder && names.iter().any(|name| name == "model.zip") {
                files.insert(timeframe);
            }
        }
        let wanted = self.timeframe.or_else(|| tagged_timeframe(&run.tags));
        match (wanted, &files.iter().copied().collect::<Vec<_>>()[..]) {
            (Some(wanted), _) if files.contains(&wanted) => Ok(wanted),
            (Some(wanted), _) => {
                Err(self
                    .refused(format!("it has no model file `{}`", RunId::model_artifact(wanted))))
            }
            (None, [only]) => Ok(*only),
            (None, []) => {
                Err(self.refused("it has no model file `models/<timeframe>/model.zip`".to_owned()))
            }
            (None, several) => {
                let several: Vec<&str> = several.iter().map(|it| it.as_str()).collect();
                Err(self.refused(format!(
                    "it has model files of the timeframes {}: choose one with `--timeframe`",
                    several.join(", ")
                )))
            }
        }
    }

    fn refused(&self, problem: String) -> TrainingError {
        TrainingError::CannotRegister { run_id: self.run_id.clone(), problem }
    }
}

/// The timeframes of the model files among the artifacts of a run: `models/<timeframe>/model.zip`.
pub fn model_timeframes<'a>(artifacts: impl Iterator<Item = &'a str>) -> BTreeSet<Timeframe> {
    let of_model = |path: &str| {
        let folder = path.strip_prefix("models/")?.strip_suffix("/model.zip")?;
        folder.parse::<Timeframe>().ok()
    };
    artifacts.filter_map(of_model).collect()
}

/// The timeframe in the tags of a run.
pub fn tagged_timeframe(tags: &Tags) -> Option<Timeframe> {
    let text = tags.get(key::TIMEFRAME)?.trim();
    text.parse().ok().or_else(|| text.to_uppercase().parse().ok())
}

/// The type of a model, and the type in the tag if it is another one.
fn model_type(tags: &Tags) -> (ModelType, Option<&str>) {
    let told = tags.get(key::MODEL_TYPE).map(String::as_str);
    let parsed = told.and_then(|told| told.trim().to_lowercase().parse().ok());
    match parsed {
        Some(ModelType::Base) | None => (ModelType::Base, None),
        Some(_) if names_no_origin(tags) => (ModelType::Base, told),
        Some(model_type) => (model_type, None),
    }
}

/// The order in which to register runs: parents before their children, otherwise as given.
pub fn parents_first(runs: &[(RunId, Tags)]) -> Vec<usize> {
    let place: BTreeMap<&RunId, usize> = runs.iter().map(|(id, _)| id).zip(0..).collect();
    let mut order = Vec::new();
    let mut is_placed = vec![false; runs.len()];
    for start in 0..runs.len() {
        let mut path = Vec::new();
        let mut next = Some(start);
        while let Some(idx) = next.filter(|idx| !is_placed[*idx]) {
            // Placed at once, so that a circle of parents ends.
            is_placed[idx] = true;
            path.push(idx);
            next = parent_of(&runs[idx].1).and_then(|parent| place.get(&parent).copied());
        }
        order.extend(path.into_iter().rev());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(digit: &str) -> RunId {
        RunId::parse(&digit.repeat(32)).unwrap()
    }

    #[test]
    fn parents_come_before_their_children_and_circles_end() {
        let child_of =
            |digit: &str| Tags::from([(key::BASE_MODEL_RUN_ID.to_owned(), run(digit).to_string())]);
        let runs = [
            (run("a"), child_of("c")),
            (run("b"), Tags::new()),
            (run("c"), child_of("d")),
            (run("d"), child_of("0")),
            (run("e"), child_of("f")),
            (run("f"), child_of("e")),
        ];
        assert_eq!(parents_first(&runs), [3, 2, 0, 1, 5, 4]);
    }

    #[test]
    fn model_files_are_those_of_a_timeframe() {
        let found = |names: &[&str]| model_timeframes(names.iter().copied());
        assert_eq!(
            found(&["models/1H/model.zip", "models/2H/model.zip", "plot.png"]),
            [Timeframe::Hour1].into()
        );
        assert_eq!(found(&["model.zip", "models/1H/checkpoint.zip"]), [].into());
    }

    #[test]
    fn type_without_any_origin_is_base() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(model_type(&tags(&[])), (ModelType::Base, None));
        let continued = tags(&[(key::MODEL_TYPE, "continued")]);
        assert_eq!(model_type(&continued), (ModelType::Base, Some("continued")));
        let enhanced =
            tags(&[(key::MODEL_TYPE, "Continued"), (key::ENHANCEMENT_TYPE, "continued")]);
        assert_eq!(model_type(&enhanced), (ModelType::Continued, None));
    }
}
