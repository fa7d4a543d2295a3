//! `doctor`: checks the records against every rule and repairs what is safe to repair.

use herdbook_domain::{Breach, Remedy};
use herdbook_store::Session;
use serde_json::{Value, json};

use crate::args::DoctorArgs;
use crate::failure::{Code, Failure};
use crate::format::count;
use crate::output::Output;
use crate::terminal::one_line;

pub(crate) fn run(args: &DoctorArgs, store: &Session, output: &mut Output) -> Result<(), Failure> {
    let breaches = if args.repair { store.repair()? } else { store.diagnose()? };
    let n_open = breaches.iter().filter(|breach| breach.is_open()).count();
    let value = || {
        json!({
            "breaches": breaches.iter().map(to_json).collect::<Vec<_>>(),
            "healthy": n_open == 0,
        })
    };
    if breaches.iter().any(|breach| matches!(breach.remedy, Remedy::Done(_))) {
        output.data_of_act(store, value, || text(&breaches))?;
    } else {
        output.data(value, || text(&breaches))?;
    }
    if n_open == 0 {
        return Ok(());
    }
    let left = Failure::after_data(Code::Conflict, format!("{} left", breaches_in_words(n_open)));
    let is_repairable = breaches.iter().any(|one| matches!(one.remedy, Remedy::Possible(_)));
    Err(if is_repairable {
        let command = output.command("herdbook doctor --repair");
        left.with_hint(format!("`{command}` repairs what is safe to repair"))
    } else {
        left
    })
}

fn to_json(breach: &Breach) -> Value {
    json!({
        "kind": breach.kind,
        "name": breach.subject.name,
        "version": breach.subject.version,
        "run_id": breach.subject.run_id,
        "message": breach.line(),
        "repair": match breach.remedy {
            Remedy::Done(_) => "done",
            Remedy::Possible(_) => "possible",
            Remedy::None(_) => "none",
        },
    })
}

fn text(breaches: &[Breach]) -> String {
    if breaches.is_empty() {
        return "healthy: every rule holds".to_owned();
    }
    let lines =
        breaches.iter().map(|breach| format!("{}: {}", breach.kind, one_line(&breach.line())));
    lines.collect::<Vec<_>>().join("\n")
}

fn breaches_in_words(n: usize) -> String {
    if n == 1 { "1 breach is".to_owned() } else { format!("{} breaches are", count(n as u64)) }
}
