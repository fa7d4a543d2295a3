//! Experiments.

use herdbook_mlflow::experiments::{self, ExperimentSearch};
use herdbook_mlflow::{Code, ViewType};

use crate::fixture::{Served, pair, refusal};

fn names(served: &Served, search: &ExperimentSearch) -> Vec<String> {
    let search = ExperimentSearch { max_results: 100, ..search.clone() };
    let page = experiments::search(&served.session, &search).unwrap();
    page.records.into_iter().map(|experiment| experiment.name).collect()
}

#[test]
fn experiment_keeps_its_artifacts_below_the_root_of_the_server() {
    let served = Served::new();
    let found = experiments::get(&served.session, &served.experiment).unwrap();
    assert_eq!(found.artifact_location, format!("mlflow-artifacts:/{}", served.experiment));
    assert_eq!(experiments::get_by_name(&served.session, "first").unwrap(), found);
    assert_eq!(experiments::get(&served.session, "").unwrap().name, "Default");
}

#[test]
fn name_is_taken_also_by_a_deleted_experiment() {
    let served = Served::new();
    experiments::delete(&served.session, &served.experiment).unwrap();
    let (code, message) = refusal(served.create_experiment("first"));
    assert_eq!(code, Code::ResourceAlreadyExists);
    assert!(message.starts_with("Experiment(name=first) already exists."), "{message}");
    let other = served.create_experiment("other").unwrap().to_string();
    let renamed = experiments::rename(&served.session, &other, "first");
    assert_eq!(refusal(renamed).0, Code::BadRequest);
    experiments::rename(&served.session, &other, "other").unwrap();
}

#[test]
fn experiment_is_deleted_and_restored_with_its_runs() {
    let served = Served::new();
    let run = served.run("a", 1).info.run_id;
    experiments::delete(&served.session, &served.experiment).unwrap();
    assert_eq!(served.read(&run).info.lifecycle_stage, "deleted");
    let again = refusal(experiments::delete(&served.session, &served.experiment));
    let expected = format!("No Experiment with id={} exists", served.experiment);
    assert_eq!(again, (Code::ResourceDoesNotExist, expected));
    let renamed = refusal(experiments::rename(&served.session, &served.experiment, "b"));
    assert_eq!(renamed.0, Code::InvalidState);
    let tagged = refusal(experiments::set_tag(&served.session, &served.experiment, "k", "v"));
    assert!(tagged.1.ends_with("must be in the 'active' state. Current state is deleted."));
    experiments::restore(&served.session, &served.experiment).unwrap();
    assert_eq!(served.read(&run).info.lifecycle_stage, "active");
}

#[test]
fn tags_are_replaced_and_removed() {
    let served = Served::new();
    let id = &served.experiment;
    for value in ["1", "2"] {
        experiments::set_tag(&served.session, id, "k", value).unwrap();
    }
    let found = experiments::get(&served.session, id).unwrap();
    assert_eq!(found.tags, [pair("k", "2")]);
    experiments::delete_tag(&served.session, id, "k").unwrap();
    let (code, message) = refusal(experiments::delete_tag(&served.session, id, "k"));
    assert_eq!(code, Code::ResourceDoesNotExist);
    assert_eq!(message, format!("No tag with name: k in experiment with id {id}"));
    let long = "x".repeat(20_001);
    assert!(experiments::set_tag(&served.session, id, "k", &long).is_err());
}

#[test]
fn experiments_are_found_by_name_tag_and_number() {
    let served = Served::new();
    for name in ["b", "B", "c"] {
        served.create_experiment(name).unwrap();
    }
    experiments::set_tag(&served.session, &served.experiment, "team", "red").unwrap();
    let by = |filter: &str| {
        let order_by = vec!["name".to_owned()];
        let filter = filter.to_owned();
        names(&served, &ExperimentSearch { filter, order_by, ..ExperimentSearch::default() })
    };
    assert_eq!(by("name LIKE 'b'"), ["b"]);
    assert_eq!(by("name ILIKE 'b%'"), ["B", "b"]);
    assert_eq!(by("tags.team = 'red'"), ["first"]);
    assert_eq!(by("tags.team IS NULL AND name != 'Default'"), ["B", "b", "c"]);
    assert_eq!(by(&format!("experiment_id IN ('{}')", served.experiment)), ["first"]);
    assert_eq!(by("creation_time < 0"), [""; 0]);
    let search = |filter: &str| {
        let filter = filter.to_owned();
        let search = ExperimentSearch { filter, max_results: 1, ..ExperimentSearch::default() };
        experiments::search(&served.session, &search)
    };
    assert!(refusal(search("experiment_id LIKE '0'")).1.contains("experiment_id: LIKE"));
}

#[test]
fn pages_of_experiments_cover_all_of_them_once() {
    let served = Served::new();
    for number in 0..5 {
        served.create_experiment(&format!("e{number}")).unwrap();
    }
    let (mut token, mut found) = (String::new(), Vec::new());
    loop {
        let search = ExperimentSearch {
            view: ViewType::All,
            max_results: 2,
            page_token: token,
            ..ExperimentSearch::default()
        };
        let page = experiments::search(&served.session, &search).unwrap();
        found.extend(page.records.into_iter().map(|experiment| experiment.id));
        match page.next {
            Some(next) => token = next,
            None => break,
        }
    }
    assert_eq!(found.len(), 7);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 7);
}
