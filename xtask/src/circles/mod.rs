//! The check `circles`: inside a crate, dependencies between modules point one way, and no module imports through a
//! re-export above it.
//!
//! It reads the sources as text, without compiling them. A module depends on another when one of its imports or
//! paths leads to an item there. Re-exports are followed to the module that defines the item; a re-export alone is no
//! dependency. Modules are compared one by one and, below each module, as whole folders: `a::x` may not use `b::y`
//! if `b::z` uses `a::w`. Code for tests is ignored. Methods called on values, and macros used without a path, are not
//! seen; the types that they belong to usually are.

mod graph;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;

use self::graph::Graph;
use crate::packages::packages;
use crate::source::content::{Binds, Path, Visibility};
use crate::source::tree::{ModuleId, Tree};
use crate::workspace::Workspace;

/// Fails if a crate of the workspace has a circle of imports. Prints each circle with the lines that form it.
pub(crate) fn check_none(workspace: &Workspace) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    let mut modules = 0;
    let root = format!("{}/", workspace.root.display());
    for package in packages(workspace)? {
        // The library and the program of a package are separate crates.
        for file in &package.roots {
            let tree = Tree::read(file)?;
            modules += tree.modules.len();
            for fault in faults_of(&tree) {
                faults.push(format!("{}: {}", package.name, fault.replace(&root, "")));
            }
        }
    }
    for fault in &faults {
        println!("{fault}");
    }
    ensure!(faults.is_empty(), "{} findings, listed above", faults.len());
    println!("   {modules} modules, no circle");
    Ok(())
}

/// The violations in one crate, as text for the user.
fn faults_of(tree: &Tree) -> Vec<String> {
    let dependencies = Dependencies::of(tree);
    let mut faults: Vec<String> = dependencies.detours().collect();
    faults.extend(dependencies.circles_of_modules());
    faults.extend(dependencies.circles_of_folders());
    faults
}

/// The dependencies between the modules of a crate.
struct Dependencies<'a> {
    tree: &'a Tree,
    /// For each pair of modules, the first place where the first uses the second, as text for the user.
    uses: BTreeMap<(ModuleId, ModuleId), String>,
    /// For each module and each module above it, the places where the first imports through a re-export of the second,
    /// as text for the user.
    detours: BTreeMap<(ModuleId, ModuleId), BTreeSet<String>>,
}

impl<'a> Dependencies<'a> {
    fn of(tree: &'a Tree) -> Self {
        let mut found = Self { tree, uses: BTreeMap::new(), detours: BTreeMap::new() };
        for (id, module) in tree.modules.iter().enumerate() {
            for import in &module.content.imports {
                let glob = if import.binds == Binds::Glob { "::*" } else { "" };
                let shown = format!("use {}{glob}", import.path.shown());
                found.add(id, &import.path, &shown, import.visibility);
            }
            for path in &module.content.paths {
                found.add(id, path, &path.shown(), Visibility::Private);
            }
        }
        found
    }

    /// Records what a path in the module `from` uses.
    fn add(&mut self, from: ModuleId, path: &Path, shown: &str, visibility: Visibility) {
        let Some(target) = self.tree.resolve(from, &path.segments) else {
            return;
        };
        let module = &self.tree.modules[from];
        let place = format!("{}:{}: {shown}", module.file.display(), path.line);
        let above = target.through.iter().find(|through| self.tree.is_above(**through, from));
        // A name that this module imports was already recorded with the import.
        if let Some(above) = above
            && (shown.starts_with("use ") || !module.content.imports_name(&path.segments[0]))
        {
            let defined = &self.tree.modules[target.module].name;
            let detour = format!("{place} (defined in `{defined}`)");
            self.detours.entry((from, *above)).or_default().insert(detour);
        }
        if target.module != from && visibility == Visibility::Private {
            self.uses.entry((from, target.module)).or_insert(place);
        }
    }

    /// The imports through a re-export of a module above.
    fn detours(&self) -> impl Iterator<Item = String> {
        self.detours.iter().map(|((from, above), places)| {
            let [from, above] = [from, above].map(|id| &self.tree.modules[*id].name);
            let places: Vec<&str> = places.iter().map(String::as_str).collect();
            let places = places.join("\n    ");
            format!("`{from}` imports through a re-export in `{above}` above it\n    {places}")
        })
    }

    /// Circles of single modules.
    fn circles_of_modules(&self) -> Vec<String> {
        let mut graph = Graph::new();
        for (from, to) in self.uses.keys() {
            graph.entry(*from).or_default().insert(*to);
        }
        let circles = graph::circles(graph).into_iter();
        circles.map(|circle| self.shown(&circle, |from, to| self.uses.get(&(from, to)))).collect()
    }

    /// Circles of sibling modules, each taken with all modules below it, unless the siblings themselves form the circle.
    fn circles_of_folders(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in 0..self.tree.modules.len() {
            let mut graph = Graph::new();
            let mut places: BTreeMap<(ModuleId, ModuleId), &String> = BTreeMap::new();
            for ((from, to), place) in &self.uses {
                let sides = (self.child_above(folder, *from), self.child_above(folder, *to));
                if let (Some(from), Some(to)) = sides
                    && from != to
                {
                    graph.entry(from).or_default().insert(to);
                    places.entry((from, to)).or_insert(place);
                }
            }
            for circle in graph::circles(graph) {
                let of_modules = circle_pairs(&circle).all(|pair| self.uses.contains_key(&pair));
                if !of_modules {
                    found.push(self.shown(&circle, |from, to| places.get(&(from, to)).copied()));
                }
            }
        }
        found
    }

    /// The child of `folder` that is `module` or contains it.
    fn child_above(&self, folder: ModuleId, module: ModuleId) -> Option<ModuleId> {
        let line = std::iter::once(module).chain(self.tree.ancestors(module));
        line.into_iter().find(|above| self.tree.modules[*above].parent == Some(folder))
    }

    fn shown<'p>(
        &self,
        circle: &[ModuleId],
        place: impl Fn(ModuleId, ModuleId) -> Option<&'p String>,
    ) -> String {
        let names = circle.iter().chain(circle.first()).map(|id| &*self.tree.modules[*id].name);
        let mut text = names.collect::<Vec<_>>().join(" -> ");
        for (from, to) in circle_pairs(circle) {
            if let Some(place) = place(from, to) {
                text.push_str("\n    ");
                text.push_str(place);
            }
        }
        text
    }
}

/// Each pair of neighbours in a circle, the last and the first included.
fn circle_pairs(circle: &[ModuleId]) -> impl Iterator<Item = (ModuleId, ModuleId)> {
    let next = circle.iter().cycle().skip(1);
    circle.iter().copied().zip(next.copied())
}

#[cfg(test)]
mod tests;
