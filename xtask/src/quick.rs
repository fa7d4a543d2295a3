//! `cargo xtask check`: the checks for daily work, on the packages that changed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use crate::packages::{Package, packages};
use crate::tools::NEXTEST;
use crate::workspace::Workspace;
use crate::{circles, program};

/// The branches to compare with, in this order; without any, the last commit.
const BASES: [&str; 2] = ["origin/main", "main"];
/// Files that every package depends on.
const SHARED: [&str; 6] =
    ["Cargo.toml", "Cargo.lock", "clippy.toml", "rust-toolchain.toml", ".cargo/", "testdata/"];
/// The checks that only `cargo xtask test` runs.
const LEFT_OUT: &str = "integration tests, examples in the documentation, rustdoc, dependencies and licenses, \
                        the release build, MLflow, PostgreSQL, Python, stable-baselines3: `cargo xtask test`";

/// Checks format and imports of all packages, runs clippy on the changed packages and those that depend on them, and runs
/// the unit tests of the changed packages.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let begun = Instant::now();
    let packages = packages(workspace)?;
    let changed = changed_packages(&packages, &changed_files(workspace)?, &workspace.root);
    let affected = with_dependents(&packages, &changed);
    println!("== fmt");
    program::to_end(&mut workspace.cargo("fmt --all --check"))?;
    println!("== circles");
    circles::check_none(workspace)?;
    if changed.is_empty() {
        println!("== no package changed: clippy and unit tests have nothing to do");
    } else {
        println!("== clippy: packages that changed, and those that use them");
        let mut clippy = workspace.cargo("clippy --locked --all-targets");
        clippy.args(affected.iter().flat_map(|name| ["--package", name]));
        program::to_end(clippy.args(["--", "-D", "warnings"]))?;
        println!("== unit tests of packages that changed");
        let mut tests = workspace.command(NEXTEST.program(workspace)?);
        tests.args(["nextest", "run", "--locked", "--lib", "--bins", "--no-tests=pass"]);
        program::to_end(tests.args(changed.iter().flat_map(|name| ["--package", name])))?;
    }
    println!("\npassed in {:.0} s", begun.elapsed().as_secs_f64());
    let unchanged = packages.iter().map(|package| &*package.name);
    let unchanged: Vec<&str> = unchanged.filter(|name| !affected.contains(name)).collect();
    if !unchanged.is_empty() {
        println!("not affected, not checked: {}", unchanged.join(", "));
    }
    println!("left out: {LEFT_OUT}");
    Ok(())
}

/// The files that differ from the branch point, committed or not, and new files; relative to the root.
fn changed_files(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let git = |arguments: &[&str]| program::output(workspace.command("git").args(arguments));
    let found = BASES.iter().find_map(|base| git(&["merge-base", "HEAD", base]).ok());
    let base = found.unwrap_or_else(|| "HEAD".to_owned());
    let mut files = git(&["diff", "--name-only", base.trim()])?;
    files.push_str(&git(&["ls-files", "--others", "--exclude-standard"])?);
    Ok(files.lines().map(str::to_owned).collect())
}

fn changed_packages<'a>(
    packages: &'a [Package],
    files: &[String],
    root: &Path,
) -> BTreeSet<&'a str> {
    let shared = files.iter().any(|file| SHARED.iter().any(|shared| file.starts_with(shared)));
    let is_changed = |package: &&Package| {
        shared || files.iter().any(|file| root.join(file).starts_with(&package.folder))
    };
    packages.iter().filter(is_changed).map(|package| &*package.name).collect()
}

/// The given packages and all that depend on them, directly or indirectly.
fn with_dependents<'a>(packages: &'a [Package], changed: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let mut affected = changed.clone();
    loop {
        let before = affected.len();
        for package in packages {
            if package.uses.iter().any(|used| affected.contains(&**used)) {
                affected.insert(&package.name);
            }
        }
        if affected.len() == before {
            return affected;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            folder: Path::new("/w/crates").join(name),
            roots: Vec::new(),
            uses: uses.iter().map(|used| (*used).to_owned()).collect(),
        }
    }

    fn three() -> [Package; 3] {
        [package("cli", &["store"]), package("domain", &[]), package("store", &["domain"])]
    }

    fn changed<'a>(packages: &'a [Package], files: &[&str]) -> Vec<&'a str> {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        changed_packages(packages, &files, Path::new("/w")).into_iter().collect()
    }

    #[test]
    fn package_changes_with_a_file_in_its_folder() {
        let packages = three();
        assert_eq!(changed(&packages, &["crates/store/src/lib.rs", "README.md"]), ["store"]);
        assert_eq!(changed(&packages, &["crates/storehouse/a.rs"]), [] as [&str; 0]);
    }

    #[test]
    fn every_package_changes_with_a_shared_file() {
        assert_eq!(changed(&three(), &["Cargo.lock"]), ["cli", "domain", "store"]);
    }

    #[test]
    fn indirect_dependents_of_a_changed_package_are_affected() {
        let packages = three();
        let affected = |name| with_dependents(&packages, &BTreeSet::from([name]));
        assert_eq!(affected("domain"), BTreeSet::from(["cli", "domain", "store"]));
        assert_eq!(affected("cli"), BTreeSet::from(["cli"]));
    }
}
