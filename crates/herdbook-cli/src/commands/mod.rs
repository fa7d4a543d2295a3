//! One module per command: resolves the arguments, performs one act or query, prints the result.

mod backtest;
mod champion;
mod compare;
mod doctor;
mod evaluate;
mod find;
mod history;
mod import;
mod import_model;
mod import_runs;
mod init;
mod lineage;
mod list;
mod predict;
mod promote;
pub(crate) mod register;
mod relocate;
mod rollback;
mod serve;
mod show;
mod status;
mod train;
mod verify;

use std::io::Write;

use clap::CommandFactory;
use herdbook_store::Missing;

use crate::args::{Args, Command, Global};
use crate::context::{open_store, open_store_for_doctor};
use crate::failure::Failure;
use crate::output::Output;

/// Runs one command.
pub(crate) fn run(args: Args, output: &mut Output) -> Result<(), Failure> {
    let config_file = match &args.command {
        Command::Promote(promote) => promote.config_file.clone(),
        _ => None,
    };
    let global = &Global { config_file, ..args.global };
    // Only `train`, `import`, `import-model` and `serve` may create a store.
    let session = |output: &mut Output| open_store(global, Missing::Refuse, output);
    match args.command {
        Command::Train(train) => train::run(*train, global, output),
        Command::Backtest(backtest) => backtest::run(&backtest, session(output)?.store(), output),
        Command::Evaluate(evaluate) => evaluate::run(&evaluate, &session(output)?, output),
        Command::Predict(predict) => predict::run(&predict, session(output)?.store(), output),
        Command::Import(import) => import::run(&import, global, output),
        Command::ImportModel(import) => import_model::run(&import, global, output),
        Command::Register(register) => register::run(&register, &session(output)?, output),
        Command::Promote(promote) => promote::run(&promote, &session(output)?, output),
        Command::Rollback(rollback) => rollback::run(&rollback, &session(output)?, output),
        Command::Champion(champion) => champion::run(&champion, session(output)?.store(), output),
        Command::List(list) => list::run(&list, session(output)?.store(), output),
        Command::Find(find) => find::run(&find, session(output)?.store(), output),
        Command::Show(show) => show::run(show, session(output)?.store(), output),
        Command::Lineage(lineage) => lineage::run(lineage, session(output)?.store(), output),
        Command::History(history) => history::run(&history, session(output)?.store(), output),
        Command::Compare(compare) => compare::run(&compare, session(output)?.store(), output),
        Command::Status => status::run(session(output)?.store(), output),
        Command::Verify(verify) => {
            verify::run(&verify, |output| open_store_for_doctor(global, output), output)
        }
        Command::Doctor(doctor) => {
            doctor::run(&doctor, &open_store_for_doctor(global, output)?, output)
        }
        Command::Relocate(relocate) => relocate::run(&relocate, &session(output)?, output),
        Command::Serve(serve) => serve::run(serve, global.clone(), output),
        Command::Init => init::run(global, output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "herdbook", &mut script);
            Ok(std::io::stdout().write_all(&script)?)
        }
    }
}
