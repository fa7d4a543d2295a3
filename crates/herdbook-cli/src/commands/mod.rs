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
mod lineage;
mod list;
mod predict;
mod promote;
mod rollback;
mod show;
mod status;
mod train;
mod verify;

use std::io::Write;

use clap::CommandFactory;
use herdbook_store::Missing;

use crate::args::{Args, Command};
use crate::context::{open_store, open_store_for_doctor};
use crate::failure::Failure;
use crate::output::Output;

/// Runs one command.
pub(crate) fn run(args: Args, output: &mut Output) -> Result<(), Failure> {
    let global = &args.global;
    // Only `train`, `import` and `import-model` may create a store.
    let store = |output: &mut Output| open_store(global, Missing::Refuse, output);
    match args.command {
        Command::Train(train) => train::run(*train, global, output),
        Command::Backtest(backtest) => backtest::run(backtest, &store(output)?, output),
        Command::Evaluate(evaluate) => evaluate::run(evaluate, &store(output)?, output),
        Command::Predict(predict) => predict::run(predict, &store(output)?, output),
        Command::Import(import) => import::run(&import, global, output),
        Command::ImportModel(import) => import_model::run(&import, global, output),
        Command::Promote(promote) => promote::run(&promote, &store(output)?, output),
        Command::Rollback(rollback) => rollback::run(&rollback, &store(output)?, output),
        Command::Champion(champion) => champion::run(&champion, &store(output)?, output),
        Command::List(list) => list::run(&list, &store(output)?, output),
        Command::Find(find) => find::run(&find, &store(output)?, output),
        Command::Show(show) => show::run(show, &store(output)?, output),
        Command::Lineage(lineage) => lineage::run(lineage, &store(output)?, output),
        Command::History(history) => history::run(&history, &store(output)?, output),
        Command::Compare(compare) => compare::run(&compare, &store(output)?, output),
        Command::Status => status::run(&store(output)?, output),
        Command::Verify(verify) => verify::run(&verify, store, output),
        Command::Doctor(doctor) => {
            doctor::run(&doctor, &open_store_for_doctor(global, output)?, output)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "herdbook", &mut script);
            Ok(std::io::stdout().write_all(&script)?)
        }
    }
}
