//! `champion`: the champion now or at an earlier time, as the history records it.

use herdbook_domain::champion_at;
use herdbook_store::{EventQuery, Store};
use serde_json::json;

use crate::args::ChampionArgs;
use crate::commands::history;
use crate::failure::{Code, Failure};
use crate::format;
use crate::lookup::name_of;
use crate::output::Output;
use crate::shell::model_flag;
use crate::terminal::one_line;

pub(crate) fn run(args: &ChampionArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let name = name_of(store, &args.family)?;
    let query = EventQuery { name: Some(name.clone()), ..EventQuery::default() };
    let (events, unreadable) = store.readable_events(&query)?;
    history::note_unreadable(&unreadable, output);
    let last = events.last().map(|event| event.at);
    // Without a time, look at the end of the history.
    let found = args.at.or(last).and_then(|at| champion_at(&events, at));
    let Some((event, version)) = found.and_then(|event| Some((event, event.what.version?))) else {
        let command = format!(
            "herdbook history --timeframe {}{}",
            args.family.timeframe,
            model_flag(&args.family)
        );
        let message = match args.at {
            Some(at) => format!("`{name}` had no champion at {at}"),
            None => format!("`{name}` has no champion"),
        };
        return Err(Failure::new(Code::NotFound, message)
            .with_hint(format!("`{}` shows its history", output.command(&command))));
    };
    let value = || {
        json!({
            "name": name,
            "version": version,
            "run_id": event.what.run_id,
            "model_path": event.what.run_id.as_ref().map(|run| run.model_path(args.family.timeframe)),
            "since": event.at,
            "actor": event.actor,
            "reason": event.what.reason,
            "event_id": event.id,
        })
    };
    output.data(value, || {
        let reason = event
            .what
            .reason
            .as_ref()
            .map(|why| format!(": {}", one_line(why)))
            .unwrap_or_default();
        format!(
            "{name} version {version}, champion since {} UTC by {}{reason}",
            format::moment(event.at),
            one_line(&event.actor)
        )
    })
}
