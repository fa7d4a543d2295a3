//! Pictures of a training: which are stored, and what their headings say.

use herdbook_domain::{Enhancement, ParentSelector, RunId, Timestamp};
use herdbook_training::{Boundaries, ContaminatedTest, TrainRequest};

use crate::fixture::{Fixture, child, request};

fn picture(fixture: &Fixture, run_id: &RunId, name: &str) -> String {
    let svg = fixture.store.read_artifact(run_id, &format!("pictures/{name}")).unwrap();
    String::from_utf8(svg).unwrap()
}

#[test]
fn child_has_a_picture_of_its_improvement_and_a_base_model_has_none() {
    let fixture = Fixture::new();
    let base = fixture.train(request()).unwrap().run.run_id;
    let continued = child(ParentSelector::Latest, Enhancement::Continued);
    let child = fixture.train(continued).unwrap().run.run_id;
    let common = ["actions.svg", "equity.svg", "learning.svg", "trades.svg"];
    assert_eq!(fixture.store.artifact_names(&base, "pictures").unwrap(), common);
    let mut names = common.to_vec();
    names.insert(2, "improvement.svg");
    assert_eq!(fixture.store.artifact_names(&child, "pictures").unwrap(), names);
    for name in names {
        let svg = picture(&fixture, &child, name);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
        assert!(svg.contains("1H_trading_model (continued)"), "{name}");
    }
}

#[test]
fn heading_names_costs_and_whether_the_bars_were_seen_in_training() {
    let fixture = Fixture::new();
    let free = TrainRequest { cost_bps: 0.0, ..request() };
    let clean = picture(&fixture, &fixture.train(free).unwrap().run.run_id, "equity.svg");
    assert!(clean.contains("NO COSTS; bars unseen in training"));
    let early = Timestamp::parse("2017-08-01").unwrap();
    let contaminated = TrainRequest {
        boundaries: Boundaries { test_from_ms: Some(early.millis()), ..Boundaries::default() },
        contaminated: ContaminatedTest::Marked,
        ..child(ParentSelector::Latest, Enhancement::Continued)
    };
    let run_id = fixture.train(contaminated).unwrap().run.run_id;
    let seen = picture(&fixture, &run_id, "equity.svg");
    assert!(seen.contains("costs 1 bp per side; CONTAMINATED"));
}
