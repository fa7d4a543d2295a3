//! What people see: tables that fit the terminal, colours, order and number of rows.

use insta::assert_snapshot;

use crate::binary::Folder;

/// A champion, a beta and a version in development.
fn herd() -> Folder {
    let folder = Folder::new();
    folder.done("train --timeframe 1H --timesteps 1");
    for _ in 0..2 {
        folder.done("train --timeframe 1H --timesteps 1 --enhance latest --enhance-type continued");
    }
    for (version, stage) in [(1, "beta"), (1, "champion"), (2, "beta")] {
        folder.done(&format!("promote -t 1H --model-version {version} --target-stage {stage}"));
    }
    folder
}

/// The number of characters of the longest line.
fn width(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// The first column of a table, without its heading.
fn versions(listed: &str) -> Vec<&str> {
    listed.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect()
}

#[test]
fn tables_fit_the_width_of_the_terminal() {
    let folder = herd();
    for command in ["list", "status", "history", "lineage", "show 1 -t 1H", "compare 1 2 -t 1H"] {
        for columns in ["60", "80", "100"] {
            let ran = folder.run_with(command, &[("COLUMNS", columns)]);
            let limit: usize = columns.parse().unwrap();
            // Sentences are not part of a table.
            let sentences = ["Sharpe ratio", "metrics (", "probability that the model"];
            let is_table = |line: &&str| !sentences.iter().any(|part| line.contains(part));
            let table = ran.stdout.lines().filter(is_table).collect::<Vec<_>>().join("\n");
            assert!(width(&table) <= limit, "{command} at {columns}:\n{table}");
        }
    }
}

#[test]
fn narrow_list_names_the_columns_that_it_leaves_out() {
    let folder = herd();
    let narrow = folder.run_with("list", &[("COLUMNS", "80")]);
    let heading = narrow.stdout.lines().next().unwrap().to_owned();
    assert_snapshot!(heading, @"model             version  type       stage        test return  Sharpe  honesty");
    assert_snapshot!(narrow.stderr.lines().last().unwrap(), @"note: to fit the terminal, not shown: symbol, validation reward, best in training, registered (UTC), run; `--wide` shows all of it, `--json` every field");
    let all = folder.done("list").stdout;
    assert!(width(&all) > 120);
    for (command, variables) in [
        ("list --wide", vec![("COLUMNS", "80")]),
        ("list", vec![("COLUMNS", "400")]),
        ("list", vec![("COLUMNS", "none")]),
    ] {
        let ran = folder.run_with(command, &variables);
        assert_eq!(ran.stdout, all, "{command} {variables:?}");
        assert!(!ran.stderr.contains("not shown"), "{}", ran.stderr);
    }
    let quiet = folder.run_with("list --quiet", &[("COLUMNS", "80")]);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn colours_show_the_stage_where_they_are_asked_for() {
    let folder = herd();
    let coloured = folder.run_with("list", &[("CLICOLOR_FORCE", "1")]);
    for shown in ["\u{1b}[1;32mchampion\u{1b}[0m", "\u{1b}[36mbeta\u{1b}[0m", " development "] {
        assert!(coloured.stdout.contains(shown), "{shown}: {}", coloured.stdout);
    }
    let plain = folder.done("list").stdout;
    assert!(!plain.contains('\u{1b}'));
    let uncoloured: String = {
        let mut text = coloured.stdout;
        for code in ["0", "1", "2", "31", "32", "33", "36", "1;32"] {
            text = text.replace(&format!("\u{1b}[{code}m"), "");
        }
        text
    };
    assert_eq!(uncoloured, plain);
    let none = folder.run_with("list", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert_eq!(none.stdout, plain);
    let json = folder.run_with("list --json", &[("CLICOLOR_FORCE", "1")]);
    assert_eq!(json.json().as_array().unwrap().len(), 3);
    let failed = folder.run_with("show 9 -t 1H", &[("CLICOLOR_FORCE", "1")]);
    assert!(failed.stderr.contains("\u{1b}[31merror:\u{1b}[0m"), "{}", failed.stderr);
}

#[test]
fn list_is_sorted_limited_and_filtered_by_model() {
    let folder = herd();
    folder.done("train --timeframe 1H --model other_model --timesteps 1");
    let listed = |flags: &str| folder.done(&format!("list {flags}"));
    assert_eq!(versions(&listed("--model trading_model").stdout), ["3", "2", "1"]);
    assert_eq!(versions(&listed("--model 1H_trading_model --sort model").stdout), ["1", "2", "3"]);
    assert_eq!(versions(&listed("--model trading_model --sort stage").stdout), ["1", "2", "3"]);
    assert_eq!(versions(&listed("-t 1H --model other_model").stdout), ["1"]);
    let limited = listed("--model trading_model --limit 2");
    assert_eq!(versions(&limited.stdout), ["3", "2"]);
    assert!(limited.stderr.contains("note: the first 2 of 3 versions"), "{}", limited.stderr);
    assert_eq!(listed("--limit 2 --json").json().as_array().unwrap().len(), 2);

    let by = |key: &str, metric: &str| -> Vec<f64> {
        let listed = folder.done(&format!("list --sort {key} --json")).json();
        listed
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["metrics"][metric].as_f64())
            .collect()
    };
    assert!(by("sharpe", "portfolio/sharpe_ratio").is_sorted_by(|a, b| a >= b));
    assert!(by("drawdown", "portfolio/max_drawdown").is_sorted());
    let win_rates = "portfolio/exposure_time";
    assert!(by(win_rates, win_rates).is_sorted_by(|a, b| a >= b));
    let shown = folder.run_with(&format!("list --sort {win_rates}"), &[("COLUMNS", "80")]);
    assert!(shown.stdout.lines().next().unwrap().contains(win_rates), "{}", shown.stdout);

    let unknown = folder.run("list --model nothing");
    assert_snapshot!(unknown.shown(), @r"
    status 1
    store: sqlite:///[folder]/mlflow.db
    error: there is no registered model `nothing`
    hint: `herdbook status` shows every registered model
    ");
    assert_snapshot!(folder.run("list --sort sharp").shown(), @r"
    status 2
    error: invalid value 'sharp' for '--sort <KEY>': `sharp` is not an order: give `registered`, `changed`, `model`, `stage`, `return`, `sharpe`, `drawdown`, `reward` or the full name of a metric, such as `portfolio/win_rate`

    For more information, try '--help'.
    ");
    assert_eq!(folder.run("list --limit 0").status, 2);
}

#[test]
fn history_is_limited_to_its_newest_events() {
    let folder = herd();
    let all = folder.done("history --json").json();
    let limited = folder.done("history --limit 2 --json");
    let (all, newest) = (all.as_array().unwrap(), limited.json());
    assert_eq!(newest.as_array().unwrap().as_slice(), &all[all.len() - 2..]);
    assert!(limited.stderr.contains("note: the newest 2 of "), "{}", limited.stderr);
}
