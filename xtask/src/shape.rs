//! `cargo xtask shape`: lines per crate, sizes of files and functions, and the ratio of tests to production code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::packages::{Package, packages};
use crate::source::content::{group, parts_for_tests};
use crate::source::tokens::{Kind, Token, tokens};
use crate::source::tree::Tree;
use crate::workspace::Workspace;

/// Files with more lines of production code than this are listed.
const LONG_FILE: usize = 500;
/// Functions with more lines than this are listed.
const LONG_FUNCTION: usize = 80;
/// The tests that are written in Python.
const PYTHON_TESTS: [&str; 2] = ["conformance", "python/tests"];

/// Prints the figures of every crate except xtask, and of all together.
pub(crate) fn print(workspace: &Workspace) -> anyhow::Result<()> {
    println!(
        "{:<20} {:>6} {:>6} {:>5}   files: {:>3} median 90%  max >{LONG_FILE}   functions: median 90% max >{LONG_FUNCTION}",
        "crate", "code", "tests", "ratio", "n"
    );
    let mut total = Shape::default();
    for package in packages(workspace)?.iter().filter(|package| package.name != "xtask") {
        let shape = Shape::of(package)?;
        println!("{}", shape.line(&package.name));
        total.add(shape);
    }
    println!("{}", total.line("all"));
    let mut python = 0;
    for folder in PYTHON_TESTS {
        for file in files(&workspace.root.join(folder), "py")? {
            python += std::fs::read_to_string(file)?.lines().count();
        }
    }
    let ratio = (total.test_lines + python) as f64 / total.code_lines().max(1) as f64;
    println!("with {python} lines of tests in Python: ratio {ratio:.2}");
    let shown =
        |file: &Path| file.strip_prefix(&workspace.root).unwrap_or(file).display().to_string();
    for (lines, file) in total.files.iter().filter(|(lines, _)| *lines > LONG_FILE) {
        println!("long file: {lines} lines in {}", shown(file));
    }
    for function in total.functions.iter().filter(|function| function.lines > LONG_FUNCTION) {
        println!(
            "long function: {} lines, `{}` in {}",
            function.lines,
            function.name,
            shown(&function.file)
        );
    }
    Ok(())
}

/// The sizes of some files.
#[derive(Default)]
struct Shape {
    /// Lines of production code, comments and blank lines included, by file.
    files: Vec<(usize, PathBuf)>,
    test_lines: usize,
    functions: Vec<Function>,
}

/// A function of production code.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    /// From `fn` to the closing brace.
    lines: usize,
    file: PathBuf,
}

impl Shape {
    /// Measures a package: its sources and its tests, without benches and examples.
    fn of(package: &Package) -> anyhow::Result<Self> {
        let mut modules = BTreeSet::new();
        for root in &package.roots {
            modules.extend(Tree::read(root)?.modules.into_iter().map(|module| module.file));
        }
        let mut shape = Self::default();
        for folder in ["src", "tests"] {
            for file in files(&package.folder.join(folder), "rs")? {
                let source = std::fs::read_to_string(&file)?;
                // A file that is not a module of the crate is a module of its tests.
                if modules.contains(&file) {
                    shape.add_file(&file, &source);
                } else {
                    shape.test_lines += source.lines().count();
                }
            }
        }
        Ok(shape)
    }

    fn add_file(&mut self, file: &Path, source: &str) {
        let tokens = tokens(source);
        let mut lines = source.lines().count();
        let mut code_from = 0;
        for part in parts_for_tests(&tokens) {
            let (Some(first), Some(last)) = (tokens.get(part.start), tokens.get(part.end - 1))
            else {
                continue;
            };
            let test_lines = (last.line - first.line + 1) as usize;
            self.test_lines += test_lines;
            lines -= test_lines;
            self.functions.extend(functions(&tokens[code_from..part.start], file));
            code_from = part.end;
        }
        self.functions.extend(functions(&tokens[code_from..], file));
        self.files.push((lines, file.to_owned()));
    }

    fn add(&mut self, other: Self) {
        self.files.extend(other.files);
        self.test_lines += other.test_lines;
        self.functions.extend(other.functions);
    }

    fn code_lines(&self) -> usize {
        self.files.iter().map(|(lines, _)| lines).sum()
    }

    fn line(&self, name: &str) -> String {
        let files = Sizes::of(self.files.iter().map(|(lines, _)| *lines));
        let functions = Sizes::of(self.functions.iter().map(|function| function.lines));
        let code = self.code_lines();
        format!(
            "{name:<20} {code:>6} {:>6} {:>5.2}          {:>3} {:>6} {:>3} {:>4} {:>4}              {:>6} {:>3} {:>3} {:>3}",
            self.test_lines,
            self.test_lines as f64 / code.max(1) as f64,
            self.files.len(),
            files.at(0.5),
            files.at(0.9),
            files.at(1.0),
            files.above(LONG_FILE),
            functions.at(0.5),
            functions.at(0.9),
            functions.at(1.0),
            functions.above(LONG_FUNCTION),
        )
    }
}

/// Sizes in ascending order.
struct Sizes(Vec<usize>);

impl Sizes {
    fn of(sizes: impl Iterator<Item = usize>) -> Self {
        let mut sizes: Vec<usize> = sizes.collect();
        sizes.sort_unstable();
        Self(sizes)
    }

    /// The quantile at a share between 0 and 1.
    fn at(&self, share: f64) -> usize {
        let idx = (share * self.0.len() as f64) as usize;
        self.0.get(idx).or(self.0.last()).copied().unwrap_or(0)
    }

    fn above(&self, limit: usize) -> usize {
        self.0.iter().filter(|size| **size > limit).count()
    }
}

/// The functions with a body in a list of tokens.
fn functions(tokens: &[Token<'_>], file: &Path) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        // `fn(u8)` is a type.
        if !pair[0].is("fn") || pair[1].kind != Kind::Word {
            continue;
        }
        let rest = &tokens[at..];
        if let Some(body) = body_start(rest) {
            let end = body + group(&rest[body..]) - 1;
            let lines = (rest[end].line - rest[0].line + 1) as usize;
            found.push(Function { name: pair[1].text.to_owned(), lines, file: file.to_owned() });
        }
    }
    found
}

/// The position of the body of the function that begins the list; `None` for a declaration without a body.
fn body_start(tokens: &[Token<'_>]) -> Option<usize> {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text {
            _ if token.kind != Kind::Punctuation => at += 1,
            "{" => return Some(at),
            ";" => return None,
            // Skip the `;` of `[u8; 2]`.
            "(" | "[" => at += group(&tokens[at..]),
            _ => at += 1,
        }
    }
    None
}

/// All files with an extension in a folder and below it, sorted; none if the folder does not exist.
fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                found.extend(files(&path, extension)?);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(source: &str) -> Shape {
        let mut shape = Shape::default();
        shape.add_file(Path::new("a.rs"), source);
        shape
    }

    #[test]
    fn tests_are_not_counted_as_code() {
        let shape = shape("fn f() {\n}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n");
        assert_eq!((shape.code_lines(), shape.test_lines), (3, 4));
        assert_eq!(shape.functions.len(), 1);
    }

    #[test]
    fn function_is_measured_to_its_closing_brace() {
        let shape = shape("trait T { fn a(&self); }\nfn b(f: fn(u8)) -> [u8; 2] {\n    { }\n}\n");
        let found: Vec<(&str, usize)> =
            shape.functions.iter().map(|function| (&*function.name, function.lines)).collect();
        assert_eq!(found, [("b", 3)]);
    }

    #[test]
    fn sizes_are_taken_at_their_share() {
        let sizes = Sizes::of([30, 10, 20].into_iter());
        assert_eq!((sizes.at(0.5), sizes.at(1.0), sizes.above(15)), (20, 30, 2));
    }
}
