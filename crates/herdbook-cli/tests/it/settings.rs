//! `init` and the store that `herdbook.toml` names.

use std::fs;

use insta::assert_snapshot;

use crate::binary::Folder;

fn store_of(folder: &Folder, flags: &str, variables: &[(&str, &str)]) -> String {
    let ran = folder.run_with(flags, variables);
    let line = ran
        .stderr
        .lines()
        .find(|line| line.starts_with("store: ") || line.starts_with("new store: "));
    let line = line.unwrap_or_else(|| panic!("{}", ran.shown()));
    line.split("sqlite:///").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn init_writes_a_file_that_commands_read_and_never_replaces_one() {
    let folder = Folder::new();
    let done = folder.done("init --json").json();
    assert_eq!(done["store"], "sqlite:///mlflow.db");
    let file = folder.path().join("herdbook.toml");
    let written = fs::read_to_string(&file).unwrap();
    let again = folder.run("init");
    assert_eq!(again.status, 1);
    assert!(
        again.stderr.contains("herdbook.toml` exists, and is not replaced"),
        "{}",
        again.stderr
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    folder.done("train -t D --timesteps 1");
    assert!(folder.path().join("mlflow.db").is_file() && folder.path().join("mlruns").is_dir());
    folder.done("promote -t D --model-version 1 --target-stage beta");
}

#[test]
fn store_of_the_file_comes_after_flag_and_variable_and_starts_from_its_folder() {
    let folder = Folder::new();
    folder.write("herdbook.toml", "store = \"sqlite:///records/here.db\"\n");
    fs::create_dir_all(folder.path().join("records")).unwrap();
    folder.done("train -t D --timesteps 1");
    let ends = |path: &str, end: &str| assert!(path.ends_with(end), "{path}");
    ends(&store_of(&folder, "list", &[]), "records/here.db");
    assert!(folder.path().join("mlruns").is_dir());
    for (flags, variables, end) in [
        (
            "train -t D --timesteps 1 --tracking-uri sqlite:///flag.db",
            ("MLFLOW_TRACKING_URI", "sqlite:///variable.db"),
            "/flag.db",
        ),
        (
            "train -t D --timesteps 1",
            ("MLFLOW_TRACKING_URI", "sqlite:///variable.db"),
            "/variable.db",
        ),
    ] {
        ends(&store_of(&folder, flags, &[variables]), end);
    }
    folder.write("other.toml", "store = \"sqlite:///flag.db\"\n");
    let promote = "promote -t D --model-version 1 --target-stage beta --config-file other.toml";
    ends(&store_of(&folder, promote, &[]), "/flag.db");
    ends(&store_of(&folder, "list", &[("HERDBOOK_CONFIG", "other.toml")]), "/flag.db");
}

#[test]
fn mistakes_in_the_file_are_refused_with_their_line() {
    let folder = Folder::new();
    let shown = |content: &str| {
        folder.write("herdbook.toml", content);
        folder.run("list -q").shown()
    };
    assert_snapshot!(shown("# ours\nstroe = \"sqlite:///a.db\"\n"), @"
    status 2
    error: `[folder]/herdbook.toml`, line 2: unknown key `stroe`: did you mean `store`?
    ");
    assert_snapshot!(shown("\n\nstore = \"mlflow.db\"\n"), @"
    status 2
    error: `[folder]/herdbook.toml`, line 3: the tracking URI `mlflow.db` is not supported: give `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, `postgresql://user@host/database` or `https://mlflow.example`
    ");
    assert_snapshot!(shown("store = 1\n"), @r#"
    status 2
    error: `[folder]/herdbook.toml`, line 1: `store` must be a tracking URI in quotes, such as "sqlite:///mlflow.db"
    "#);
    folder.write("herdbook.toml", "stroe = 1\n");
    folder.done("train -q -t D --timesteps 1 --tracking-uri sqlite:///a.db");
}

#[test]
fn init_with_a_store_names_it_and_refuses_secrets_and_impossible_ones() {
    let folder = Folder::new();
    for uri in ["postgresql://a:secret@localhost/b", "mysql://a/b"] {
        let ran = folder.run(&format!("init --tracking-uri {uri}"));
        assert_eq!(ran.status, 2, "{}", ran.shown());
        assert!(!ran.shown().contains("secret") && !folder.path().join("herdbook.toml").exists());
    }
    let uri = "postgresql://ada@localhost/herd";
    assert_eq!(folder.done(&format!("init --tracking-uri {uri} --json")).json()["store"], uri);
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    let written = fs::read_to_string(folder.path().join("herdbook.toml")).unwrap();
    assert!(written.contains("\nstore = \"postgresql://ada@localhost/herd\"\n"), "{written}");
}
