//! The modules of one crate, and the resolution of paths in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FilePath, PathBuf};

use anyhow::{Context, bail};

use super::content::{self, Binds, Content, Import, Scope};

/// Index into [`Tree::modules`]; the root of the crate is 0.
pub(crate) type ModuleId = usize;

/// All modules of a crate, without modules for tests.
pub(crate) struct Tree {
    pub(crate) modules: Vec<Module>,
}

/// One module.
pub(crate) struct Module {
    /// `a::b`; `crate` for the root.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<ModuleId>,
    pub(crate) children: BTreeMap<String, ModuleId>,
    pub(crate) content: Content,
}

/// The result of resolving a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The module that defines the item, or that the path names.
    pub(crate) module: ModuleId,
    /// The modules whose imports or re-exports were followed.
    pub(crate) through: Vec<ModuleId>,
}

impl Tree {
    /// Reads a crate from its root file (`lib.rs` or `main.rs`).
    pub(crate) fn read(root: &FilePath) -> anyhow::Result<Self> {
        let mut tree = Self { modules: Vec::new() };
        let folder = root.parent().context("a file has a folder")?;
        tree.add(None, "crate", root, folder, read(root)?)?;
        Ok(tree)
    }

    /// Adds a module and those that it declares, whose files are in `folder`.
    fn add(
        &mut self,
        parent: Option<ModuleId>,
        name: &str,
        file: &FilePath,
        folder: &FilePath,
        mut content: Content,
    ) -> anyhow::Result<ModuleId> {
        let declared = std::mem::take(&mut content.modules);
        let id = self.modules.len();
        let children = BTreeMap::new();
        let (name, file) = (name.to_owned(), file.to_owned());
        self.modules.push(Module { name, file, parent, children, content });
        for declaration in declared {
            let inner = folder.join(&declaration.name);
            let (file, content) = if let Some(content) = declaration.inline {
                (self.modules[id].file.clone(), content)
            } else {
                let file = file_of(&inner).with_context(|| {
                    format!(
                        "`{}` declares `mod {}`, which has no file",
                        self.modules[id].file.display(),
                        declaration.name
                    )
                })?;
                let content = read(&file)?;
                (file, content)
            };
            let name = match parent {
                None => declaration.name.clone(),
                Some(_) => format!("{}::{}", self.modules[id].name, declaration.name),
            };
            let child = self.add(Some(id), &name, &file, &inner, content)?;
            self.modules[id].children.insert(declaration.name, child);
        }
        Ok(id)
    }

    /// Resolves a path in the module `from`. `None` if it leads to another crate or to a local name.
    pub(crate) fn resolve(&self, from: ModuleId, segments: &[String]) -> Option<Target> {
        Resolution { tree: self, seen: BTreeSet::new() }.path(from, segments)
    }

    /// Whether `ancestor` contains `module`.
    pub(crate) fn is_above(&self, ancestor: ModuleId, module: ModuleId) -> bool {
        self.ancestors(module).any(|above| above == ancestor)
    }

    /// The modules above `module`, the nearest first.
    pub(crate) fn ancestors(&self, module: ModuleId) -> impl Iterator<Item = ModuleId> {
        std::iter::successors(self.modules[module].parent, |above| self.modules[*above].parent)
    }
}

fn file_of(inner: &FilePath) -> Option<PathBuf> {
    [inner.with_extension("rs"), inner.join("mod.rs")].into_iter().find(|file| file.is_file())
}

fn read(file: &FilePath) -> anyhow::Result<Content> {
    match std::fs::read_to_string(file) {
        Ok(source) => Ok(content::content(&source)),
        Err(error) => bail!("cannot read `{}`: {error}", file.display()),
    }
}

/// Follows one path through imports and re-exports.
struct Resolution<'a> {
    tree: &'a Tree,
    /// The imports being followed, to stop at one that leads back to itself.
    seen: BTreeSet<(ModuleId, String)>,
}

/// A path followed up to some segment.
enum Step {
    Module(Target),
    Item(Target),
}

impl Resolution<'_> {
    fn path(&mut self, from: ModuleId, segments: &[String]) -> Option<Target> {
        match self.follow(from, segments)? {
            Step::Module(target) | Step::Item(target) => Some(target),
        }
    }

    fn follow(&mut self, from: ModuleId, segments: &[String]) -> Option<Step> {
        let (first, mut rest) = segments.split_first()?;
        let at = |module| Step::Module(Target { module, through: Vec::new() });
        let mut step = match first.as_str() {
            "crate" => at(0),
            "self" => at(from),
            "super" => {
                let mut module = self.tree.modules[from].parent?;
                while let Some(("super", others)) = rest.split_first().map(|(s, o)| (s.as_str(), o))
                {
                    module = self.tree.modules[module].parent?;
                    rest = others;
                }
                at(module)
            }
            name => self.member(from, name, Scope::Block)?,
        };
        for segment in rest {
            let Step::Module(target) = step else {
                break;
            };
            let found = self.member(target.module, segment, Scope::Module);
            // A name that is not found is an item that a macro defines.
            let (is_item, mut next) = match found {
                Some(Step::Module(next)) => (false, next),
                Some(Step::Item(next)) => (true, next),
                None => (true, Target { module: target.module, through: Vec::new() }),
            };
            next.through.splice(0..0, target.through);
            step = if is_item { Step::Item(next) } else { Step::Module(next) };
        }
        Some(step)
    }

    /// Resolves a name in a module; `scope` says whether imports inside its functions count.
    fn member(&mut self, module: ModuleId, name: &str, scope: Scope) -> Option<Step> {
        let found = &self.tree.modules[module];
        if let Some(child) = found.children.get(name) {
            return Some(Step::Module(Target { module: *child, through: Vec::new() }));
        }
        if found.content.items.contains(name) {
            return Some(Step::Item(Target { module, through: Vec::new() }));
        }
        if !self.seen.insert((module, name.to_owned())) {
            return None;
        }
        let holds = |import: &&Import| scope == Scope::Block || import.scope == Scope::Module;
        let imports = || found.content.imports.iter().filter(holds);
        let named = imports()
            .filter(|import| matches!(&import.binds, Binds::Name(bound) if bound == name))
            .find_map(|import| self.follow(module, &import.path.segments));
        let step = named.or_else(|| {
            imports().filter(|import| import.binds == Binds::Glob).find_map(|import| {
                let globbed = self.path(module, &import.path.segments)?;
                let mut step = self.member(globbed.module, name, Scope::Module)?;
                let (Step::Module(target) | Step::Item(target)) = &mut step;
                target.through.splice(0..0, globbed.through);
                Some(step)
            })
        });
        self.seen.remove(&(module, name.to_owned()));
        let mut step = step?;
        let (Step::Module(target) | Step::Item(target)) = &mut step;
        target.through.insert(0, module);
        Some(step)
    }
}
