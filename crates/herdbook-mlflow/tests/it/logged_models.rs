//! Logged models.

use herdbook_mlflow::logged_models::{
    self, DatasetFilter, LoggedModel, ModelSearch, NewModel, OrderBy,
};
use herdbook_mlflow::runs::{self, MetricValue};
use herdbook_mlflow::{Code, Page};

use crate::fixture::{Served, metric, pair, refusal};

impl Served {
    fn model(&self, name: &str, params: &[(String, String)]) -> LoggedModel {
        let new = NewModel {
            experiment_id: self.experiment.clone(),
            name: name.to_owned(),
            params: params.to_vec(),
            ..NewModel::default()
        };
        logged_models::create(&self.session, &new).unwrap()
    }

    fn measure(
        &self,
        run_id: &str,
        model: &LoggedModel,
        value: f64,
        step: i64,
        dataset: Option<&str>,
    ) {
        let value = MetricValue {
            model_id: Some(model.model_id.clone()),
            dataset_name: dataset.map(str::to_owned),
            dataset_digest: dataset.map(str::to_owned),
            ..metric("acc", value, step)
        };
        runs::log_metric(&self.session, run_id, &value).unwrap();
    }

    fn found(&self, change: impl FnOnce(&mut ModelSearch)) -> Page<LoggedModel> {
        let mut search =
            ModelSearch { experiment_ids: vec![self.experiment.clone()], ..ModelSearch::default() };
        change(&mut search);
        logged_models::search(&self.session, &search).unwrap()
    }
}

fn names(page: &Page<LoggedModel>) -> Vec<&str> {
    page.records.iter().map(|model| model.name.as_str()).collect()
}

fn by(field_name: &str, is_ascending: bool) -> OrderBy {
    let field_name = field_name.to_owned();
    OrderBy { field_name, is_ascending, dataset_name: None, dataset_digest: None }
}

#[test]
fn model_lives_from_its_creation_to_its_deletion() {
    let served = Served::new();
    let model = served.model("", &[pair("lr", "1")]);
    assert!(model.model_id.starts_with("m-") && model.model_id.len() == 34);
    assert_eq!((model.status, model.name.split('-').count()), (1, 3));
    let location = format!("/models/{}/artifacts", model.model_id);
    assert!(model.artifact_location.ends_with(&location), "{}", model.artifact_location);
    let id = &model.model_id;
    let session = &served.session;
    assert_eq!(logged_models::finalize(session, id, 2).unwrap().status, 2);
    logged_models::set_tags(session, id, &[pair("a", "1"), pair("a", "2"), pair("b", "")]).unwrap();
    logged_models::delete_tag(session, id, "b").unwrap();
    assert!(refusal(logged_models::delete_tag(session, id, "b")).1.contains("No tag with key 'b'"));
    logged_models::log_params(session, id, &[pair("more", "2")]).unwrap();
    let repeated =
        refusal(logged_models::log_params(session, id, &[pair("new", "1"), pair("lr", "2")]));
    assert_eq!(repeated.0, Code::BadRequest);
    let read = logged_models::get(session, id, false).unwrap();
    assert_eq!(read.tags, [pair("a", "2")]);
    assert_eq!(read.params, [pair("lr", "1"), pair("more", "2")]);
    logged_models::delete(session, id).unwrap();
    assert_eq!(refusal(logged_models::get(session, id, false)).0, Code::ResourceDoesNotExist);
    assert!(logged_models::get(session, id, true).unwrap().is_deleted());
    assert!(served.found(|_| {}).records.is_empty());
}

#[test]
fn model_that_cannot_be_created_is_refused() {
    let served = Served::new();
    let create = |change: &dyn Fn(&mut NewModel)| {
        let mut new = NewModel { experiment_id: served.experiment.clone(), ..NewModel::default() };
        change(&mut new);
        refusal(logged_models::create(&served.session, &new))
    };
    for name in ["a/b", "a:b", "a.b", "a%b", "a\"b", "a'b"] {
        assert!(create(&|new| name.clone_into(&mut new.name)).1.contains("Invalid model name"));
    }
    let missing = create(&|new| "999999".clone_into(&mut new.experiment_id));
    assert_eq!(missing.0, Code::ResourceDoesNotExist);
    let twice = create(&|new| new.tags = vec![pair("a", "1"), pair("a", "2")]);
    assert_eq!(twice.0, Code::BadRequest);
}

#[test]
fn models_are_found_by_metric_param_tag_and_attribute() {
    let served = Served::new();
    let run = served.run("a", 1).info.run_id;
    let first = served.model("first", &[pair("p", "1")]);
    let second = served.model("second", &[pair("p", "2")]);
    served.model("third", &[]);
    served.measure(&run, &first, 0.5, 1, Some("train"));
    served.measure(&run, &first, 0.9, 2, Some("test"));
    served.measure(&run, &second, 0.7, 1, None);
    logged_models::set_tags(&served.session, &second.model_id, &[pair("t", "x")]).unwrap();
    logged_models::finalize(&served.session, &second.model_id, 2).unwrap();
    for (filter, expected) in [
        ("metrics.acc > 0.8", vec!["first"]),
        ("metrics.acc < 0.8", vec!["first", "second"]),
        ("params.p = '2'", vec!["second"]),
        ("params.p != '2'", vec!["first"]),
        ("tags.t LIKE '%' AND metrics.acc > 0", vec!["second"]),
        ("name IN ('first', 'third')", vec!["first", "third"]),
        ("name NOT IN ()", vec!["first", "second", "third"]),
        ("status = '2'", vec!["second"]),
        ("creation_timestamp > 0", vec!["first", "second", "third"]),
    ] {
        let page = served.found(|search| {
            filter.clone_into(&mut search.filter);
            search.order_by = vec![by("name", true)];
        });
        assert_eq!(names(&page), expected, "{filter}");
    }
    let on = |name: &str, digest: Option<&str>| {
        let dataset = DatasetFilter { name: name.to_owned(), digest: digest.map(str::to_owned) };
        let page = served.found(|search| search.datasets = vec![dataset]);
        page.records.len()
    };
    assert_eq!((on("test", Some("test")), on("test", None), on("none", Some("x"))), (1, 0, 0));
}

#[test]
fn models_without_the_metric_come_last_and_pages_belong_to_their_search() {
    let served = Served::new();
    let run = served.run("a", 1).info.run_id;
    for (name, value) in [("low", Some(0.1)), ("none", None), ("high", Some(0.9))] {
        let model = served.model(name, &[]);
        if let Some(value) = value {
            // The latest value counts, not the largest.
            served.measure(&run, &model, 5.0, 1, None);
            served.measure(&run, &model, value, 2, None);
        }
    }
    let ordered = |is_ascending: bool, token: &str| {
        served.found(|search| {
            search.order_by = vec![by("metrics.acc", is_ascending)];
            search.max_results = 2;
            token.clone_into(&mut search.page_token);
        })
    };
    assert_eq!(names(&ordered(true, "")), ["low", "high"]);
    let first = ordered(false, "");
    assert_eq!(names(&first), ["high", "low"]);
    let token = first.next.unwrap();
    let second = ordered(false, &token);
    assert_eq!((names(&second), &second.next), (vec!["none"], &None));
    let other = ModelSearch {
        experiment_ids: vec![served.experiment.clone()],
        page_token: token,
        ..ModelSearch::default()
    };
    let (_, text) = refusal(logged_models::search(&served.session, &other));
    assert_eq!(
        text,
        "Order by in the page token does not match the requested order by. Expected: None. Found: [{'field_name': \
         'metrics.acc', 'ascending': False, 'dataset_name': None, 'dataset_digest': None}]"
    );
    for token in ["!", "bm8=", "W10="] {
        let broken = ModelSearch { page_token: token.to_owned(), ..other.clone() };
        let (_, text) = refusal(logged_models::search(&served.session, &broken));
        assert!(text.starts_with("Invalid page token"), "{text}");
    }
    let unknown =
        ModelSearch { order_by: vec![by("foo", true)], page_token: String::new(), ..other };
    let (_, text) = refusal(logged_models::search(&served.session, &unknown));
    assert_eq!(text, "Invalid order by field name: foo");
}
