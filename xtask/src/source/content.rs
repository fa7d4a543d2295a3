//! The content of one module, read from its tokens: items, imports, paths and declared modules. Code that is compiled
//! for tests only is skipped.

use std::collections::BTreeSet;
use std::ops::Range;

use super::tokens::{Kind, Token, tokens};

/// The content of a module.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Names of the items defined here.
    pub(crate) items: BTreeSet<String>,
    /// Each imported name is one entry: `use a::{b, c}` makes two.
    pub(crate) imports: Vec<Import>,
    /// Paths outside of imports, such as `crate::a::f` in an expression.
    pub(crate) paths: Vec<Path>,
    /// Modules declared here.
    pub(crate) modules: Vec<Declaration>,
}

impl Content {
    /// Whether an import, other than a glob, brings in a name.
    pub(crate) fn imports_name(&self, name: &str) -> bool {
        self.imports
            .iter()
            .any(|import| matches!(&import.binds, Binds::Name(bound) if bound == name))
    }
}

/// Names separated by `::`, and their line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) line: u32,
}

impl Path {
    /// As it is written.
    pub(crate) fn shown(&self) -> String {
        self.segments.join("::")
    }
}

/// One imported name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// The complete path; of a glob import the path before `::*`.
    pub(crate) path: Path,
    pub(crate) binds: Binds,
    pub(crate) scope: Scope,
    pub(crate) visibility: Visibility,
}

/// Whether an import is offered to other modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    Private,
    /// `pub use`, `pub(crate) use`, `pub(super) use` …
    ReExport,
}

/// The name under which an import is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binds {
    Name(String),
    /// `use a::*`
    Glob,
}

/// Where an import is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In the whole module, and for other modules that import through it.
    Module,
    /// In a function.
    Block,
}

/// A module declared by another one.
#[derive(Debug)]
pub(crate) struct Declaration {
    pub(crate) name: String,
    /// The content of `mod name { … }`; `None` for `mod name;`, which has its own file.
    pub(crate) inline: Option<Content>,
}

/// Reads the source of a module. A file with `#![cfg(test)]` gives no content.
pub(crate) fn content(source: &str) -> Content {
    Reader { tokens: &tokens(source), at: 0, depth: 0, content: Content::default() }.read()
}

/// What may stand between `const` and `fn`, and `fn` itself.
const QUALIFIERS: [&str; 4] = ["async", "unsafe", "extern", "fn"];
/// Keywords that begin a path.
const ROOTS: [&str; 3] = ["crate", "self", "super"];

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    depth: u32,
    content: Content,
}

impl<'a> Reader<'a> {
    fn read(mut self) -> Content {
        while let Some(token) = self.tokens.get(self.at) {
            match token.text {
                "#" if attribute(&self.tokens[self.at..]).is_some() => {
                    if let Attribute::OfTestFile = self.skip_attribute() {
                        return Content::default();
                    }
                }
                _ if token.kind == Kind::Word => self.word(token),
                _ => {
                    match token.text {
                        _ if token.kind != Kind::Punctuation => {}
                        "{" | "(" | "[" => self.depth += 1,
                        "}" | ")" | "]" => self.depth = self.depth.saturating_sub(1),
                        _ => {}
                    }
                    self.at += 1;
                }
            }
        }
        self.content
    }

    fn peek(&self, ahead: usize) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at + ahead)
    }

    fn peek_is(&self, ahead: usize, text: &str) -> bool {
        self.peek(ahead).is_some_and(|token| token.is(text))
    }

    fn word(&mut self, token: &Token<'_>) {
        match token.text {
            // `impl Trait + use<'a>` is no import.
            "use" if !self.peek_is(1, "<") => self.import(),
            "mod" if self.peek(1).is_some_and(|name| name.kind == Kind::Word) => self.module(),
            _ => {
                self.item(token.text);
                self.path();
            }
        }
    }

    /// Skips an attribute, and the item after it if that is compiled for tests only.
    fn skip_attribute(&mut self) -> Attribute {
        let Some((inside, length)) = attribute(&self.tokens[self.at..]) else {
            return Attribute::Other;
        };
        let for_tests = is_for_tests(inside);
        if for_tests && self.peek_is(1, "!") {
            return Attribute::OfTestFile;
        }
        if for_tests {
            self.at += length;
            self.at += item_length(&self.tokens[self.at..]);
            return Attribute::Other;
        }
        // `#[serde(with = "crate::dates")]` names a module in a string.
        for text in inside.iter().filter(|token| token.kind == Kind::Text) {
            self.content.paths.extend(path_in_text(text));
        }
        // Its other tokens are read like code: `#[arg(value_parser = crate::parse)]`.
        self.at += 1;
        Attribute::Other
    }

    fn module(&mut self) {
        let name = self.tokens[self.at + 1].text.to_owned();
        let inline = self.peek_is(2, "{");
        if !inline {
            self.content.modules.push(Declaration { name, inline: None });
            self.at += 2;
            return;
        }
        let start = self.at + 2;
        let length = group(&self.tokens[start..]);
        let inside = &self.tokens[start + 1..start + length - 1];
        let reader = Reader { tokens: inside, at: 0, depth: 0, content: Content::default() };
        self.content.modules.push(Declaration { name, inline: Some(reader.read()) });
        self.at = start + length;
    }

    /// Records the name of an item of this module, but not of items inside functions and `impl` blocks.
    fn item(&mut self, keyword: &str) {
        if self.depth > 0 {
            return;
        }
        let ahead = match keyword {
            "static" if self.peek_is(1, "mut") => 2,
            "struct" | "enum" | "union" | "trait" | "type" | "fn" | "const" | "static" => 1,
            "macro_rules" => 2,
            _ => return,
        };
        let name = self.peek(ahead).filter(|token| token.kind == Kind::Word);
        // Of `const fn f`, the name comes with the next keyword.
        if let Some(name) = name.filter(|name| !QUALIFIERS.contains(&name.text)) {
            self.content.items.insert(name.text.to_owned());
        }
    }

    /// Records the path that begins here; also a single name, because a glob import may define it.
    fn path(&mut self) {
        let first = &self.tokens[self.at];
        let continued = is_continued(&self.tokens[..self.at]);
        let mut segments = vec![first.text.to_owned()];
        self.at += 1;
        while self.peek_is(0, "::")
            && let Some(next) = self.peek(1).filter(|token| token.kind == Kind::Word)
        {
            segments.push(next.text.to_owned());
            self.at += 2;
        }
        // The `crate` of `pub(crate)`, the `self` of a method: no path.
        let alone = segments.len() == 1 && ROOTS.contains(&first.text);
        if !continued && !alone {
            self.content.paths.push(Path { segments, line: first.line });
        }
    }

    fn import(&mut self) {
        self.at += 1;
        let form = Form {
            scope: if self.depth == 0 { Scope::Module } else { Scope::Block },
            visibility: visibility_before(&self.tokens[..self.at - 1]),
        };
        // `use ::name` can only be another crate.
        if !self.peek_is(0, "::") {
            self.import_tree(&[], form);
        }
        while self.peek(0).is_some() && !self.peek_is(0, ";") {
            self.at += 1;
        }
    }

    /// One branch of an import: `a::b`, `a::b as c`, `a::*` or `a::{b, c::d}` behind `before`.
    fn import_tree(&mut self, before: &[String], form: Form) {
        let mut segments = before.to_vec();
        let line = self.peek(0).map_or(0, |token| token.line);
        let Form { scope, visibility } = form;
        let import =
            |segments, binds| Import { path: Path { segments, line }, binds, scope, visibility };
        while let Some(token) = self.peek(0) {
            self.at += 1;
            match token.text {
                "::" => {}
                "*" => {
                    self.content.imports.push(import(segments, Binds::Glob));
                    return;
                }
                "{" => return self.import_group(&segments, form),
                "as" => break,
                _ if token.kind == Kind::Word => segments.push(token.text.to_owned()),
                _ => {
                    self.at -= 1;
                    break;
                }
            }
        }
        // `a::{self}` is `a`; `self` alone in front is kept.
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        let renamed = self.tokens[self.at - 1].is("as").then(|| self.peek(0)).flatten();
        if renamed.is_some() {
            self.at += 1;
        }
        let name = renamed.map(|token| token.text.to_owned()).or_else(|| segments.last().cloned());
        if let Some(name) = name {
            self.content.imports.push(import(segments, Binds::Name(name)));
        }
    }

    fn import_group(&mut self, before: &[String], form: Form) {
        while let Some(token) = self.peek(0) {
            match token.text {
                "}" => {
                    self.at += 1;
                    return;
                }
                "," => self.at += 1,
                _ if token.kind == Kind::Word || token.is("*") || token.is("{") => {
                    self.import_tree(before, form);
                }
                _ => return,
            }
        }
    }
}

/// The properties that all names of one `use` share.
#[derive(Clone, Copy)]
struct Form {
    scope: Scope,
    visibility: Visibility,
}

/// Whether a name after these tokens continues a path, is a field or method, or is the scope in `pub(in crate::a)`.
fn is_continued(before: &[Token<'_>]) -> bool {
    match before {
        [.., visibility, opening, last] if last.is("in") => visibility.is("pub") && opening.is("("),
        [.., last] => last.is("::") || last.is("."),
        [] => false,
    }
}

/// The visibility that ends a list of tokens: `pub` or `pub(…)`.
fn visibility_before(tokens: &[Token<'_>]) -> Visibility {
    let opening = tokens.iter().rposition(|token| token.is("("));
    let before = match tokens.last() {
        Some(last) if last.is(")") => &tokens[..opening.unwrap_or(0)],
        _ => tokens,
    };
    match before.last() {
        Some(last) if last.is("pub") => Visibility::ReExport,
        _ => Visibility::Private,
    }
}

/// The result of reading an attribute.
enum Attribute {
    /// `#![cfg(test)]`: the whole file is for tests.
    OfTestFile,
    Other,
}

/// The parts of a file that are compiled for tests only, as ranges of its tokens.
pub(crate) fn parts_for_tests(tokens: &[Token<'_>]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match attribute(&tokens[at..]) {
            Some((inside, length)) if is_for_tests(inside) => {
                let end = at + length + item_length(&tokens[at + length..]);
                parts.push(at..end);
                at = end;
            }
            _ => at += 1,
        }
    }
    parts
}

/// The content of the attribute at the head of a list, without its brackets, and the number of tokens of the whole.
fn attribute<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<(&'t [Token<'a>], usize)> {
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.is(text));
    let opening = if is(1, "!") { 2 } else { 1 };
    if !is(0, "#") || !is(opening, "[") {
        return None;
    }
    let length = group(&tokens[opening..]);
    Some((&tokens[opening + 1..opening + length - 1], opening + length))
}

/// The number of tokens from an opening bracket to the closing one that belongs to it, both counted.
pub(crate) fn group(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_u32;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            _ if token.kind != Kind::Punctuation => {}
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// The number of tokens of the item, field, variant, arm or statement at the head of a list, with its attributes.
fn item_length(tokens: &[Token<'_>]) -> usize {
    let mut at = 0;
    while tokens.get(at).is_some_and(|token| token.is("#")) {
        at += 1 + group(&tokens[at + 1..]);
    }
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token: &Token<'_>| token.is(text));
    let mut start = at;
    if is(start, "pub") {
        start += 1;
        if is(start, "(") {
            start += group(&tokens[start..]);
        }
    }
    let has_value = ["use", "static", "type", "let"].iter().any(|word| is(start, word))
        || (is(start, "const") && !is(start + 1, "fn"));
    let has_body = ["fn", "impl", "struct", "enum", "trait", "mod", "const", "async", "unsafe"]
        .iter()
        .any(|word| is(start, word));
    while let Some(token) = tokens.get(at) {
        match token.text {
            _ if token.kind != Kind::Punctuation => at += 1,
            ";" => return at + 1,
            "," if !has_value && !has_body => return at + 1,
            "{" if !has_value => return at + group(&tokens[at..]),
            "{" | "(" | "[" => at += group(&tokens[at..]),
            // The end of the surrounding block.
            "}" | ")" | "]" => return at,
            _ => at += 1,
        }
    }
    at
}

/// Whether an attribute (without its brackets) is `test` or a `cfg` that holds only in tests.
fn is_for_tests(attribute: &[Token<'_>]) -> bool {
    match attribute {
        [test] => test.is("test"),
        [cfg, predicate @ ..] if cfg.is("cfg") && predicate.len() > 2 => {
            implies_test(&predicate[1..predicate.len() - 1])
        }
        _ => false,
    }
}

/// Whether a predicate of `cfg` can only be true in tests.
fn implies_test(predicate: &[Token<'_>]) -> bool {
    match predicate {
        [word] => word.is("test"),
        [word, inside @ ..] if word.is("all") => arguments(inside).iter().any(|p| implies_test(p)),
        [word, inside @ ..] if word.is("any") => arguments(inside).iter().all(|p| implies_test(p)),
        _ => false,
    }
}

/// The parts between the outer commas of `(a, b(c, d))`.
fn arguments<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let inside = tokens.get(1..tokens.len().saturating_sub(1)).unwrap_or_default();
    let mut depth = 0_u32;
    inside
        .split(|token| {
            match token.text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token.is(",")
        })
        .filter(|argument| !argument.is_empty())
        .collect()
}

fn path_in_text(token: &Token<'_>) -> Option<Path> {
    let segments: Vec<String> = token.text.split("::").map(str::to_owned).collect();
    let is_name =
        |name: &String| !name.is_empty() && name.chars().all(|c| c == '_' || c.is_alphanumeric());
    (segments.len() > 1 && segments.iter().all(is_name))
        .then_some(Path { segments, line: token.line })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(source: &str) -> Vec<String> {
        let shown = |import: &Import| {
            let path = import.path.segments.join("::");
            match &import.binds {
                Binds::Glob => format!("{path}::*"),
                Binds::Name(name) if import.path.segments.last() == Some(name) => path,
                Binds::Name(name) => format!("{path} as {name}"),
            }
        };
        content(source).imports.iter().map(shown).collect()
    }

    fn paths(source: &str) -> Vec<String> {
        let all = content(source).paths;
        all.iter().filter(|p| p.segments.len() > 1).map(|p| p.segments.join("::")).collect()
    }

    #[test]
    fn import_trees_are_taken_apart() {
        let source = "pub(crate) use a::{b, c::{self, d as e}, f::*};\nuse self::g; use {h::i, j};";
        let expected = ["a::b", "a::c", "a::c::d as e", "a::f::*", "self::g", "h::i", "j"];
        assert_eq!(imports(source), expected);
        let lines = "use a::{\n    b,\n    c,\n};";
        let lines: Vec<u32> = content(lines).imports.iter().map(|i| i.path.line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn imports_in_functions_are_not_imports_of_the_module() {
        let content = content("use a::b; fn f() { use c::d; }");
        let scopes: Vec<Scope> = content.imports.iter().map(|import| import.scope).collect();
        assert_eq!(scopes, [Scope::Module, Scope::Block]);
    }

    #[test]
    fn re_exports_are_told_from_imports() {
        let content = content("use a::b; pub use a::c; pub(in crate::a) use a::d; f(); use a::e;");
        let is_re_export = |i: &Import| i.visibility == Visibility::ReExport;
        let kinds: Vec<bool> = content.imports.iter().map(is_re_export).collect();
        assert_eq!(kinds, [false, true, true, false]);
    }

    #[test]
    fn paths_are_found_in_code_attributes_and_strings_of_attributes() {
        assert_eq!(
            paths("fn f() { let x = crate::a::g(super::b::H::<u8>::new()); }"),
            ["crate::a::g", "super::b::H"]
        );
        assert_eq!(paths("#[serde(with = \"crate::dates\")] struct S;"), ["crate::dates"]);
        assert_eq!(paths("#[arg(value_parser = self::a::parse)] x: u8,"), ["self::a::parse"]);
        assert_eq!(paths("let x = \"crate::a\"; // crate::b"), [] as [&str; 0]);
        assert_eq!(paths("for x in crate::a::all() {}"), ["crate::a::all"]);
        assert_eq!(paths("pub(in crate::a) struct S;"), [] as [&str; 0]);
    }

    #[test]
    fn code_for_tests_is_skipped() {
        for apart in [
            "#[cfg(test)] mod tests { use a::b; }",
            "#[cfg(test)]\n#[rustfmt::skip]\npub(crate) mod tests;",
            "#[cfg(all(test, unix))] use a::{b, c};",
            "#[cfg(any(test, all(test, unix)))] pub(crate) const fn f(a: u8, b: u8) { a::b() }",
            "#[test] fn f() { a::b() }",
            "#![cfg(test)] use a::b;",
            "#[cfg(test)] const A: T = T { a: a::b, b: [a::c; 2] };",
        ] {
            let content = content(apart);
            assert!(content.imports.is_empty(), "{apart}: {:?}", content.imports);
            assert!(content.paths.iter().all(|p| p.segments.len() == 1), "{apart}");
            assert!(content.modules.is_empty(), "{apart}");
        }
    }

    #[test]
    fn code_after_code_for_tests_is_read() {
        assert_eq!(imports("#[cfg(test)] use a::{b}; use c::d;"), ["c::d"]);
        assert_eq!(imports("#[cfg(test)] mod tests { fn f() {} } use c::d;"), ["c::d"]);
        assert_eq!(paths("struct S { #[cfg(test)] a: a::B, c: c::D }"), ["c::D"]);
        assert_eq!(paths("fn f() { #[cfg(test)] { a::b() } c::d() }"), ["c::d"]);
        assert_eq!(imports("#[cfg(not(test))] use c::d;"), ["c::d"]);
        assert_eq!(imports("#[cfg(any(test, feature = \"x\"))] use c::d;"), ["c::d"]);
    }

    #[test]
    fn items_and_modules_are_those_of_the_module_itself() {
        let content = content(
            "pub struct A; impl A { fn method() {} } pub const fn b() { fn inner() {} }\n\
             static mut C: u8 = 0; macro_rules! d { () => {} } mod e; mod f { struct G; }",
        );
        let items: Vec<&str> = content.items.iter().map(String::as_str).collect();
        assert_eq!(items, ["A", "C", "b", "d"]);
        let modules: Vec<(&str, bool)> =
            content.modules.iter().map(|m| (m.name.as_str(), m.inline.is_some())).collect();
        assert_eq!(modules, [("e", false), ("f", true)]);
    }
}
