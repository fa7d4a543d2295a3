//! The packages of this workspace, read from `cargo metadata`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;

use crate::program;
use crate::workspace::Workspace;

/// One package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The folder of its `Cargo.toml`.
    pub(crate) folder: PathBuf,
    /// The root files of its library and programs, without tests, benches and build scripts.
    pub(crate) roots: Vec<PathBuf>,
    /// The names of the packages of this workspace that it depends on, dev-dependencies included.
    pub(crate) uses: BTreeSet<String>,
}

/// Every package of the workspace, by name.
pub(crate) fn packages(workspace: &Workspace) -> anyhow::Result<Vec<Package>> {
    let metadata = "metadata --no-deps --locked --offline --format-version 1";
    let text = program::output(&mut workspace.cargo(metadata))?;
    let mut packages = read(&text).context("`cargo metadata` printed something unexpected")?;
    packages.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(packages)
}

fn read(text: &str) -> Option<Vec<Package>> {
    let metadata: Value = serde_json::from_str(text).ok()?;
    metadata["packages"].as_array()?.iter().map(package).collect()
}

fn package(package: &Value) -> Option<Package> {
    let manifest = PathBuf::from(package["manifest_path"].as_str()?);
    let ships = |target: &&Value| {
        let kinds = target["kind"].as_array().into_iter().flatten();
        kinds.filter_map(Value::as_str).any(|kind| kind.ends_with("lib") || kind == "bin")
    };
    let roots = package["targets"].as_array()?.iter().filter(ships);
    let dependencies = package["dependencies"].as_array()?.iter();
    Some(Package {
        name: package["name"].as_str()?.to_owned(),
        folder: manifest.parent()?.to_owned(),
        roots: roots.filter_map(|target| target["src_path"].as_str()).map(PathBuf::from).collect(),
        uses: dependencies
            .filter(|dependency| dependency["path"].is_string())
            .filter_map(|dependency| dependency["name"].as_str())
            .map(str::to_owned)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_and_workspace_dependencies_are_read() {
        let text = r#"{"packages": [{
            "name": "one", "manifest_path": "/w/one/Cargo.toml",
            "targets": [
                {"kind": ["lib"], "src_path": "/w/one/src/lib.rs"},
                {"kind": ["bin"], "src_path": "/w/one/src/main.rs"},
                {"kind": ["test"], "src_path": "/w/one/tests/it.rs"}
            ],
            "dependencies": [{"name": "two", "path": "/w/two"}, {"name": "serde"}]
        }]}"#;
        let one = Package {
            name: "one".to_owned(),
            folder: "/w/one".into(),
            roots: vec!["/w/one/src/lib.rs".into(), "/w/one/src/main.rs".into()],
            uses: BTreeSet::from(["two".to_owned()]),
        };
        assert_eq!(read(text), Some(vec![one]));
        assert_eq!(read("{}"), None);
    }
}
