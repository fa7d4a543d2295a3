//! The life of a model, without its training: a run, its registration, and its way to champion.
//!
//! `cargo run -p herdbook-store --example promote` works in a temporary folder and leaves nothing behind.

#![expect(clippy::print_stdout, reason = "printing is what an example does")]

use std::collections::BTreeMap;
use std::error::Error;

use herdbook_domain::tags::Tags;
use herdbook_domain::{
    Actor, Channel, ExperimentName, Honesty, ModelName, Origin, PromotionRequest, Reason,
    Registration, RunId, Stage, Timeframe,
};
use herdbook_store::{
    Effect, EventQuery, Finish, Location, Measured, Metric, Missing, OpenOptions, RunStart, Store,
    now,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let location = Location::resolve(None, folder.path())?;
    let options = OpenOptions { missing: Missing::Create, ..OpenOptions::default() };
    let store = Store::open(location, &options)?;
    let session = store.session(Actor::parse("ada")?, Channel::Cli);

    let model = ModelName::parse("1H_trading_model")?;
    let origin = Origin { timeframe: Timeframe::Hour1, enhanced: None };
    let run_id = session.start_run(&RunStart {
        experiment: ExperimentName::parse("stock_trading_rl_1H")?,
        model: model.clone(),
        origin: origin.clone(),
        name: Some("first".to_owned()),
        params: BTreeMap::from([("gamma".to_owned(), "0.99".to_owned())]),
        tags: Tags::new(),
        user_tags: Tags::from([("desk".to_owned(), "fx".to_owned())]),
    })?;
    let artifact = RunId::model_artifact(origin.timeframe);
    let model_sha256 =
        session.store_artifact_from(&run_id, &artifact, &mut &b"the bytes of a model"[..])?;
    let reward = Metric { key: "final/mean_reward".to_owned(), value: 1.5, at: now(), step: 2048 };
    let registered = session.finish_and_register(&Finish {
        registration: Registration {
            run_id,
            name: model.clone(),
            origin,
            trained_timesteps: 2048,
            honesty: Honesty::Clean,
            model_sha256,
        },
        metrics: vec![reward],
        run_tags: Tags::new(),
        measured: Measured::default(),
    })?;

    for target in [Stage::Beta, Stage::Champion] {
        let request = PromotionRequest {
            key: registered.key.clone(),
            target,
            reason: Some(Reason::parse("the best on the test window")?),
            expected_champion: None,
            force: false,
        };
        session.promote(&request, Effect::Commit)?;
    }

    let champion = store.champion(&model)?.ok_or("there is no champion")?;
    println!("champion: {}", champion.key);
    for event in store.events(&EventQuery::default())? {
        println!("{} {} by {}", event.at, event.what.kind.as_str(), event.actor);
    }
    Ok(())
}
