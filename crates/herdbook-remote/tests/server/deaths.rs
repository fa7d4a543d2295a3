//! A client dies at any call of any act, before the server carries the call out or after. Afterwards every rule holds, no
//! acknowledged act is lost, and the next command can repeat the act.

use std::path::PathBuf;
use std::time::Instant;

use herdbook_domain::{Breach, Event, EventKind, Reason, RollbackRequest, RunId, Stage};
use herdbook_store::{
    Effect, EventQuery, Location, Missing, Session, StoreError, UnfinishedEnd, VersionQuery,
};

use crate::backend::number;
use crate::chance::{report, seed, stride};
use crate::herd::{Herd, MODEL_FILE, finish, model, options, promotion, session, start};
use crate::proxy::{Death, Proxy};

/// An act. It begins with opening the store.
#[derive(Debug, Clone, Copy)]
enum Act {
    Train,
    Enhance,
    Promote,
    Rollback,
    Resume,
}

const ACTS: [Act; 5] = [Act::Train, Act::Enhance, Act::Promote, Act::Rollback, Act::Resume];

/// A copy of the server's database in which version 1 was champion before 2, version 3 is in beta, and a training failed.
struct Past {
    herd: Herd,
    third: RunId,
    failed: RunId,
    database: PathBuf,
    events: Vec<Event>,
}

impl Past {
    fn new() -> Self {
        let herd = Herd::new();
        let first = herd.train(None, 1.0);
        herd.train(Some(&first), 2.0);
        for version in [1, 2] {
            herd.promote(version, Stage::Beta).unwrap();
            herd.promote(version, Stage::Champion).unwrap();
        }
        let third = herd.train(None, 3.0);
        herd.promote(3, Stage::Beta).unwrap();
        let (failed, _) = herd.start(None);
        herd.store.end_run(&failed, &model(), UnfinishedEnd::Failed, "out of memory").unwrap();
        let database = herd.database.kept_in(herd.folder.path());
        let events = herd.store.events(&EventQuery::default()).unwrap();
        Self { herd, third, failed, database, events }
    }

    fn return_to(&self) {
        self.herd.database.put_back(&self.database);
    }

    /// A store that was just opened, as by a new process.
    fn open(&self, uri: &str) -> Result<Session, StoreError> {
        let location = Location::resolve(Some(uri), self.herd.folder.path()).unwrap();
        Ok(session(&herdbook_remote::open(location, &options(Missing::Create))?))
    }

    fn server(&self) -> String {
        self.herd.store.location().uri()
    }

    fn carry_out(&self, act: Act, uri: &str) -> Result<(), StoreError> {
        let store = self.open(uri)?;
        match act {
            Act::Train => train(&store, None),
            Act::Enhance => train(&store, Some(&self.third)),
            Act::Promote => store.promote(&promotion(3, Stage::Champion), Effect::Commit).map(drop),
            Act::Rollback => {
                let reason = Reason::parse("it lost money").unwrap();
                let request = RollbackRequest { name: model(), reason, force: false };
                store.rollback(&request, Effect::Commit).map(drop)
            }
            Act::Resume => store.resume_run(&self.failed, &model()),
        }
    }

    /// The number of calls of an act.
    fn n_calls(&self, act: Act) -> usize {
        self.return_to();
        let proxy = Proxy::before(&self.server(), Death::Never);
        self.carry_out(act, &proxy.uri()).unwrap();
        proxy.n_calls()
    }

    /// Makes the client die during an act, checks the records, and repeats the act if it did not take effect. Returns what is
    /// wrong.
    fn die(&self, act: Act, death: Death) -> Result<Vec<String>, StoreError> {
        self.return_to();
        let proxy = Proxy::before(&self.server(), death);
        let outcome = self.carry_out(act, &proxy.uri());
        let mut breaches = Vec::new();
        if alias(&self.herd).is_none() {
            breaches.push("a reader of the alias found no champion".to_owned());
        }
        let (is_told, found) = self.look(act)?;
        breaches.extend(found);
        if outcome.is_ok() && !is_told {
            breaches.push("it was acknowledged and is not there".to_owned());
        }
        if !is_told {
            self.carry_out(act, &self.server())?;
            let (is_told, found) = self.look(act)?;
            breaches.extend(found);
            if !is_told {
                breaches.push("it was repeated and is not there".to_owned());
            }
        }
        Ok(breaches)
    }

    /// Whether the act is in the history, and what is wrong with the records.
    fn look(&self, act: Act) -> Result<(bool, Vec<String>), StoreError> {
        let store = self.open(&self.server())?;
        // A look-up completes unfinished acts. The doctor examines the tags on the server.
        let versions = store.versions(&VersionQuery::default())?.records;
        let mut breaches: Vec<String> = store.diagnose()?.iter().map(Breach::line).collect();
        let champion = versions.iter().find(|version| version.stage() == Some(Stage::Champion));
        let champion = champion.map(|version| i64::from(version.key.version.get()));
        if champion.is_none() || champion != alias(&self.herd) {
            breaches.push(format!("champion {champion:?}, alias {:?}", alias(&self.herd)));
        }
        let events = store.events(&EventQuery::default())?;
        if !events.starts_with(&self.events) {
            breaches.push("the history lost what was acknowledged".to_owned());
        }
        let new = events.get(self.events.len()..).unwrap_or_default();
        let is_told = new.iter().any(|event| act.is_told_by(event));
        // Without a lease it is unknown whether its process is alive, and the run cannot be resumed.
        let is_running = store.running()?.iter().any(|run| run.run_id == self.failed);
        if matches!(act, Act::Resume) && is_told != is_running {
            breaches.push(format!("resumed: {is_told}, RUNNING with a lease: {is_running}"));
        }
        Ok((is_told, breaches))
    }
}

impl Act {
    fn is_told_by(self, event: &Event) -> bool {
        match self {
            Self::Train | Self::Enhance => event.what.kind == EventKind::Registered,
            Self::Resume => event.what.kind == EventKind::RunResumed,
            Self::Promote | Self::Rollback => event.what.to.as_deref() == Some("champion"),
        }
    }
}

fn train(store: &Session, parent: Option<&RunId>) -> Result<(), StoreError> {
    let start = start(parent);
    let run_id = store.start_run(&start)?;
    store.store_artifact(&run_id, "models/1H/model.zip", MODEL_FILE)?;
    store.finish_and_register(&finish(&run_id, start.origin, &[])).map(drop)
}

/// The version that readers of `@champion` get.
fn alias(herd: &Herd) -> Option<i64> {
    let sql = "SELECT version FROM registered_model_aliases WHERE alias = 'champion'";
    number(&herd.foreign(), sql)
}

#[test]
fn death_at_any_call_leaves_a_whole_act_or_none() {
    let begun = Instant::now();
    let past = Past::new();
    let mut all: Vec<(Act, Death)> = Vec::new();
    for act in ACTS {
        let n_calls = past.n_calls(act);
        all.extend((0..n_calls).flat_map(|at| [(act, Death::Before(at)), (act, Death::After(at))]));
    }
    // Evenly spread, with a random first call.
    let stride = stride(all.len(), 10);
    let first = seed() as usize % stride;
    let mut found = Vec::new();
    let mut n_points = 0;
    for (act, death) in all.into_iter().skip(first).step_by(stride) {
        n_points += 1;
        let breaches = past.die(act, death).unwrap_or_else(|error| vec![error.to_string()]);
        found.extend(breaches.into_iter().map(|breach| format!("{act:?}, {death:?}: {breach}")));
    }
    report("death at a call to a server", n_points, found.len(), begun);
    assert!(n_points >= 8, "only {n_points} points");
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}
