//! The examples at the end of each command's help. A test parses every one of them.

pub(super) const TRAIN: &str = "Examples:
  Train a base model on a file of bars:
    herdbook train -t 1H --data EURUSD.csv
  Train the best model further, on the same bars:
    herdbook train -t 1H --data EURUSD.csv --enhance best --enhance-type continued
  Continue a training that was interrupted:
    herdbook train --resume 5f0c2a91";
pub(super) const BACKTEST: &str = "Examples:
  Run the champion over the bars of a file:
    herdbook backtest -t 1H --data EURUSD.csv
  Run version 3 from a day on, and write its equity and trades:
    herdbook backtest 3 -t 1H --data EURUSD.csv --from 2025-01-01 --equity equity.csv --trades trades.csv";
pub(super) const EVALUATE: &str = "Examples:
  Test the champion on bars that are newer than its training:
    herdbook evaluate -t 1H --data EURUSD.csv
  Test the newest beta version:
    herdbook evaluate -t 1H --stage beta --data EURUSD.csv";
pub(super) const PREDICT: &str = "Examples:
  The champion's position after the newest closed bar:
    herdbook predict -t 1H --data EURUSD.csv
  The same for a script; refused if the bar ended more than two hours ago:
    herdbook predict -t 1H --data EURUSD.csv --max-bar-age 2h --json";
pub(super) const INIT: &str = "Examples:
  Write herdbook.toml, with an explanation of every setting:
    herdbook init
  Write one that names the store of a team:
    herdbook init --tracking-uri postgresql://herd@db/herd";
pub(super) const IMPORT: &str = "Examples:
  Audit a folder of MLflow without copying it:
    herdbook import ./mlruns --dry-run
  Import a database that was written in Berlin, and register the models of its runs:
    herdbook import sqlite:///old.db --timezone Europe/Berlin --register-runs";
pub(super) const REGISTER: &str = "Examples:
  Register the model of a run as a version of 1H_trading_model:
    herdbook register 5f0c2a91 -t 1H
  Register it under another name:
    herdbook register 5f0c2a91 -t 1H --model gold_model";
pub(super) const IMPORT_MODEL: &str = "Examples:
  Register a model that was trained with stable-baselines3:
    herdbook import-model ppo.zip -t 1H --symbol EURUSD
  Register it under another name:
    herdbook import-model ppo.zip -t 4H --model sb3_model";
pub(super) const PROMOTE: &str = "Examples:
  Move version 2 to beta:
    herdbook promote -t 1H --model-version 2 --target-stage beta --reason \"first on trial\"
  Show what making it champion would change:
    herdbook promote -t 1H --model-version 2 --target-stage champion --dry-run
  Make it champion, but only if version 1 is still the champion:
    herdbook promote -t 1H --model-version 2 --target-stage champion --expect-champion 1";
pub(super) const ROLLBACK: &str = "Examples:
  Bring back the previous champion:
    herdbook rollback -t 1H --reason \"lost money on Monday\"
  Show which version would come back:
    herdbook rollback -t 1H --reason \"a rehearsal\" --dry-run";
pub(super) const CHAMPION: &str = "Examples:
  The present champion:
    herdbook champion -t 1H
  The champion at an earlier time:
    herdbook champion -t 1H --at 2025-06-10T14:17Z";
pub(super) const LIST: &str = "Examples:
  The champions of all models:
    herdbook list --stage champion
  The five versions of a model with the best Sharpe ratio:
    herdbook list -t 1H --model trading_model --sort sharpe --limit 5
  Every column, whatever the width of the terminal:
    herdbook list --wide";
pub(super) const FIND: &str = "Examples:
  The newest model of any type:
    herdbook find latest -t 1H
  The best continued model by its Sharpe ratio:
    herdbook find best -t 1H --model-type continued --metric portfolio/sharpe_ratio";
pub(super) const SHOW: &str = "Examples:
  The champion:
    herdbook show champion -t 1H
  Version 2:
    herdbook show 2 -t 1H
  The version of a run, by the beginning of its id:
    herdbook show 5f0c2a91";
pub(super) const LINEAGE: &str = "Examples:
  The trees of a timeframe:
    herdbook lineage -t 1H
  The tree of the champion:
    herdbook lineage champion -t 1H";
pub(super) const HISTORY: &str = "Examples:
  The newest 20 events of a model:
    herdbook history -t 1H --limit 20
  What happened to a run:
    herdbook history --run 5f0c2a91
  Write the whole history to a file:
    herdbook history --export history.jsonl";
pub(super) const COMPARE: &str = "Examples:
  Version 2 beside the champion:
    herdbook compare champion 2 -t 1H
  Two models by their runs:
    herdbook compare 5f0c2a91 b7d40e13";
pub(super) const STATUS: &str = "Examples:
  All models, and the running trainings:
    herdbook status
  The same of another store, for a script:
    herdbook status --tracking-uri sqlite:///other.db --json";
pub(super) const VERIFY: &str = "Examples:
  Check the store:
    herdbook verify
  Check an exported history against the hash that the export printed:
    herdbook verify --log history.jsonl --head 9c1e07b4";
pub(super) const DOCTOR: &str = "Examples:
  List what contradicts the rules:
    herdbook doctor
  Repair what is safe to repair:
    herdbook doctor --repair";
pub(super) const RELOCATE: &str = "Examples:
  Show what would change after the folder was moved:
    herdbook relocate --dry-run
  Turn a copy into a store of its own:
    herdbook relocate --copy";
pub(super) const COMPLETIONS: &str = "Examples:
  Load the completions in the present shell:
    source <(herdbook completions bash)
  Install them for fish:
    herdbook completions fish > ~/.config/fish/completions/herdbook.fish";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::args::Args;

    /// The words of a command line, without quotes. What follows a pipe or a redirection is not part of the command.
    fn words(line: &str) -> Vec<String> {
        let line = line.trim().trim_start_matches("source <(").trim_end_matches(')');
        let line = line.split(" > ").next().unwrap();
        let mut words = Vec::new();
        for (idx, part) in line.split('"').enumerate() {
            if idx % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        words
    }

    #[test]
    fn every_command_has_two_or_three_examples_that_can_be_parsed() {
        let args = Args::command();
        for command in args.get_subcommands() {
            let name = command.get_name();
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(text.starts_with("Examples:\n"), "{name}");
            let examples: Vec<&str> =
                text.lines().filter(|line| line.contains("herdbook ")).collect();
            assert!((2..=3).contains(&examples.len()), "{name}: {text}");
            for example in examples {
                let words = words(example);
                assert_eq!(words[..2], ["herdbook", name], "{example}");
                if let Err(error) = Args::try_parse_from(&words) {
                    panic!("{example}: {error}");
                }
            }
        }
    }

    #[test]
    fn global_options_have_a_section_of_their_own() {
        let mut args = Args::command();
        args.build();
        for name in ["list", "train", "promote"] {
            let help = args.find_subcommand_mut(name).unwrap().render_long_help().to_string();
            let (own, global) = help.split_once("Global options:").unwrap();
            assert!(global.contains("--tracking-uri") && global.contains("--json"), "{help}");
            assert!(!own.contains("--tracking-uri") && own.contains("--timeframe"), "{help}");
        }
    }
}
