//! The parent that the tags of a run or version name.

use crate::tags::{Tags, key};
use crate::values::RunId;

/// The parent named by `base_model_run_id` or, without a valid run id there, by `base_model_path`.
pub fn parent_of(tags: &Tags) -> Option<RunId> {
    let by_id = tags.get(key::BASE_MODEL_RUN_ID).and_then(|id| RunId::parse(id.trim()).ok());
    by_id.or_else(|| run_of_path(tags.get(key::BASE_MODEL_PATH)?))
}

/// The run id in a path such as `runs:/<run id>/models/1H/model.zip`.
pub(super) fn run_of_path(path: &str) -> Option<RunId> {
    let id = path.strip_prefix("runs:/")?.split('/').next()?;
    RunId::parse(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_is_named_by_its_run_id_or_else_by_its_path() {
        let run = |digit: &str| RunId::parse(&digit.repeat(32)).unwrap();
        let tags = |id: &str, path: &str| {
            Tags::from([
                (key::BASE_MODEL_RUN_ID.to_owned(), id.to_owned()),
                (key::BASE_MODEL_PATH.to_owned(), path.to_owned()),
            ])
        };
        let path = format!("runs:/{}/models/1H/model.zip", run("b"));
        assert_eq!(parent_of(&tags(&format!(" {} ", run("a")), &path)), Some(run("a")));
        assert_eq!(parent_of(&tags("none", &path)), Some(run("b")));
        for path in ["", "runs:/short/models", "models:/1H/1", &run("b").to_string()] {
            assert_eq!(parent_of(&tags("", path)), None, "{path}");
        }
    }
}
