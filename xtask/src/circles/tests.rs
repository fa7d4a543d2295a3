//! Tests of the check on small made-up crates.

use super::*;

/// The violations in a crate with the given files, with paths relative to its folder.
fn faults(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, source).unwrap();
    }
    let tree = Tree::read(&folder.path().join("lib.rs")).unwrap();
    let root = format!("{}/", folder.path().display());
    faults_of(&tree).iter().map(|fault| fault.replace(&root, "")).collect()
}

const A_AND_B: (&str, &str) = ("lib.rs", "mod a; mod b;");

#[test]
fn crate_whose_imports_point_one_way_passes() {
    let clean = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::{A, go};\npub use c::C;\n"),
        (
            "a.rs",
            "use crate::b::B;\nuse std::fmt;\npub struct A(B);\npub fn go() { crate::c::inner::f() }",
        ),
        ("b.rs", "use crate::c;\npub struct B(c::C);"),
        ("c/mod.rs", "pub(crate) mod inner;\npub(crate) use inner::C;"),
        ("c/inner.rs", "pub struct C;\npub fn f() {}\nimpl C { fn new() -> Self { Self } }"),
    ];
    assert_eq!(faults(&clean), [] as [&str; 0]);
}

#[test]
fn two_modules_that_import_each_other_are_named_with_the_lines() {
    let found = faults(&[
        A_AND_B,
        ("a.rs", "//! A.\n\nuse crate::b::B;\npub struct A;"),
        ("b.rs", "use crate::a::{\n    A,\n};\npub struct B;"),
    ]);
    assert_eq!(found, ["a -> b -> a\n    a.rs:3: use crate::b::B\n    b.rs:2: use crate::a::A"]);
}

#[test]
fn circle_of_three_is_found() {
    let found = faults(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use super::c::C; pub struct B;"),
        ("c.rs", "use crate::a::A; pub struct C;"),
    ]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("a -> b -> c -> a\n"), "{}", found[0]);
}

#[test]
fn paths_in_code_count_like_imports() {
    for back in [
        "pub struct B; fn f() { crate::a::go() }",
        "pub struct B; fn f() { super::a::go() }",
        "use crate::a; pub struct B; fn f() { a::go() }",
        "pub struct B; fn f() { use super::a::go; go() }",
        "pub struct B; #[serde(with = \"crate::a\")] struct S;",
        "use crate::a::*; pub struct B;",
        "use crate::{a::{self, go}}; pub struct B;",
        "pub struct B { f: <u8 as crate::a::Trait>::Out }",
        "pub struct B; mod inline { fn f() { crate::a::go() } }",
    ] {
        let a = "use crate::b::B;\npub fn go() {}";
        let found = faults(&[A_AND_B, ("a.rs", a), ("b.rs", back)]);
        assert_eq!(found.len(), 1, "{back}: {found:?}");
        assert!(found[0].starts_with("a -> b -> a\n"), "{back}: {found:?}");
    }
}

#[test]
fn modules_for_tests_may_import_anything() {
    for apart in [
        "#[cfg(test)]\nmod tests { use crate::a::go; }",
        "#[cfg(test)]\nmod check;",
        "#[cfg(all(test, unix))]\nuse crate::a::go;",
        "#[test]\nfn f() { crate::a::go() }",
    ] {
        let b = format!("pub struct B;\n{apart}");
        let a = "use crate::b::B;\npub fn go() {}";
        let files = [A_AND_B, ("a.rs", a), ("b.rs", &b), ("b/check.rs", "use crate::a::go;")];
        assert_eq!(faults(&files), [] as [&str; 0], "{apart}");
    }
}

#[test]
fn import_through_the_root_is_a_fault_and_is_followed_to_the_module_that_defines_it() {
    let found = faults(&[
        ("lib.rs", "mod a; mod b; pub use a::A;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::A; pub struct B;"),
    ]);
    assert_eq!(
        found,
        [
            "`b` imports through a re-export in `crate` above it\n    b.rs:1: use crate::A (defined in `a`)",
            "a -> b -> a\n    a.rs:1: use crate::b::B\n    b.rs:1: use crate::A"
        ]
    );
}

#[test]
fn path_through_the_root_is_a_fault_too() {
    for b in ["fn f() { crate::A::new() }", "use super::A;", "fn f(a: super::A) {}"] {
        let files =
            [("lib.rs", "mod a; mod b; pub use a::A;"), ("a.rs", "pub struct A;"), ("b.rs", b)];
        let found = faults(&files);
        assert_eq!(found.len(), 1, "{b}: {found:?}");
        assert!(
            found[0].starts_with("`b` imports through a re-export in `crate`"),
            "{b}: {found:?}"
        );
    }
}

#[test]
fn child_that_imports_a_sibling_through_its_parent_is_a_fault() {
    let found = faults(&[
        ("lib.rs", "mod c;"),
        ("c/mod.rs", "mod x; mod y; pub(crate) use x::X;"),
        ("c/x.rs", "pub struct X;"),
        ("c/y.rs", "use super::X;"),
    ]);
    let detour = "`c::y` imports through a re-export in `c` above it";
    assert_eq!(found, [format!("{detour}\n    c/y.rs:1: use super::X (defined in `c::x`)")]);
}

#[test]
fn parent_and_child_that_use_each_other_are_a_circle() {
    let found = faults(&[
        ("lib.rs", "mod c;"),
        ("c.rs", "mod x;\npub struct C;\nfn f() { x::g() }"),
        ("c/x.rs", "use super::C;\npub fn g() {}"),
    ]);
    assert_eq!(found, ["c -> c::x -> c\n    c.rs:3: x::g\n    c/x.rs:1: use super::C"]);
}

#[test]
fn re_export_alone_is_no_dependency_but_its_use_is() {
    let x = ("c/x.rs", "use super::C;\npub fn g() {}");
    let facade = "mod x;\npub use x::g;\npub struct C;";
    assert_eq!(faults(&[("lib.rs", "mod c;"), ("c.rs", facade), x]), [] as [&str; 0]);
    let user = format!("{facade}\nfn f() {{ g() }}");
    let found = faults(&[("lib.rs", "mod c;"), ("c.rs", &user), x]);
    assert_eq!(found, ["c -> c::x -> c\n    c.rs:4: g\n    c/x.rs:1: use super::C"]);
}

#[test]
fn glob_of_the_parent_counts_names_that_it_brings_in() {
    let found = faults(&[
        ("lib.rs", "mod b; mod c;"),
        ("b.rs", "use crate::c::x::X;\npub struct B;"),
        ("c/mod.rs", "pub(crate) mod x;\nuse crate::b::B;"),
        ("c/x.rs", "use super::*;\npub struct X;\nfn f(b: B) {}"),
    ]);
    let of_modules = "b -> c::x -> b\n    b.rs:1: use crate::c::x::X\n    c/x.rs:3: B";
    assert!(found.iter().any(|fault| fault == of_modules), "{found:#?}");
}

#[test]
fn folders_that_use_each_other_are_a_circle_though_their_modules_are_none() {
    let found = faults(&[
        A_AND_B,
        ("a/mod.rs", "pub(crate) mod x; pub(crate) mod w;"),
        ("a/x.rs", "use crate::b::y::Y; pub struct X;"),
        ("a/w.rs", "pub struct W;"),
        ("b/mod.rs", "pub(crate) mod y; pub(crate) mod z;"),
        ("b/y.rs", "pub struct Y;"),
        ("b/z.rs", "use crate::a::w::W; pub struct Z;"),
    ]);
    assert_eq!(
        found,
        ["a -> b -> a\n    a/x.rs:1: use crate::b::y::Y\n    b/z.rs:1: use crate::a::w::W"]
    );
}

#[test]
fn items_of_a_macro_belong_to_the_module_that_calls_it() {
    let found = faults(&[
        A_AND_B,
        ("a.rs", "use crate::b::B; closed_set! { A, \"a\" {} }"),
        ("b.rs", "use crate::a::A; pub struct B;"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn names_of_other_crates_and_local_names_are_ignored() {
    let found = faults(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use b_crate::b::c; use ::b::d; use crate::b::B;"),
        ("b.rs", "pub struct B; fn f<T: Iterator>() { T::Item::new(); std::a::go(); x.a() }"),
    ]);
    assert_eq!(found, [] as [&str; 0]);
}

#[test]
fn module_without_a_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lib.rs"), "mod gone;").unwrap();
    let error = Tree::read(&folder.path().join("lib.rs")).err().unwrap().to_string();
    assert!(error.ends_with("declares `mod gone`, which has no file"), "{error}");
}
