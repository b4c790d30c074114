//! Files of one folder use each other in one direction only.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::architecture::{is_test, rust_files};

/// A module by the names on the way to it from the crate.
type Module = Vec<String>;

/// What a module is made of.
#[derive(Debug, Default)]
struct Source {
    /// The paths to which it refers, from the crate on.
    refers_to: BTreeSet<Module>,
    /// The names that it takes out of its own modules, and these modules.
    takes: BTreeMap<String, String>,
}

/// The modules of a folder, and which others of them each uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn module_of(path: &Path) -> Module {
    let inside = path.strip_prefix("src").unwrap().with_extension("");
    let names = inside
        .iter()
        .map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name != "mod").collect()
}

/// The code without comments and without what is there for tests.
fn code(text: &str) -> String {
    let mut lines = text.lines();
    let mut code = String::new();
    while let Some(line) = lines.next() {
        let bare = line.trim_start();
        if bare.starts_with("//") {
            continue;
        }
        if bare != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        let indentation = &line[..line.len() - bare.len()];
        let mut begun = false;
        for line in lines.by_ref() {
            // What is formatted ends where it begins, or with a brace at the same indentation.
            let rest = line.strip_prefix(indentation).unwrap_or_default();
            let is_whole = !begun && rest.ends_with(['}', ';', ',']);
            if is_whole || rest.starts_with('}') {
                break;
            }
            begun |= !rest.starts_with('#');
        }
    }
    code
}

/// The paths that begin here, those of a group each on its own: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(text: &str) -> Vec<Module> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        return members(group).into_iter().flat_map(paths).collect();
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    if name.is_empty() {
        return Vec::new();
    }
    let mut behind = rest.strip_prefix("::").map(paths).unwrap_or_default();
    if behind.is_empty() {
        behind.push(Vec::new());
    }
    for path in &mut behind {
        path.insert(0, name.to_owned());
    }
    behind
}

/// The members of a group whose brace is open.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut members) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                members.push(&group[begin..at]);
                begin = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    members
}

/// The paths behind every `crate::`, `self::` and `super::` of a module, from the crate on.
fn references(module: &Module, code: &str) -> BTreeSet<Module> {
    let mut references = BTreeSet::new();
    for (root, up) in [("crate::", module.len()), ("self::", 0), ("super::", 1)] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let (mut rest, mut up) = (&code[at + root.len()..], up);
            while let Some(further) = rest.strip_prefix("super::") {
                (rest, up) = (further, up + 1);
            }
            let from = &module[..module.len().saturating_sub(up)];
            references.extend(paths(rest).into_iter().map(|path| [from, &path].concat()));
        }
    }
    references
}

/// The names that a module has for others: what it declares, and what it takes by `use`.
fn names_of(code: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = used(code)
        .into_iter()
        .filter_map(|mut path| path.pop())
        .collect();
    for keyword in [
        "struct ", "enum ", "trait ", "fn ", "const ", "static ", "type ",
    ] {
        let declared = code
            .split(keyword)
            .skip(1)
            .filter_map(|rest| paths(rest).pop()?.pop());
        names.extend(declared);
    }
    names
}

/// The paths of all `use`, those of `self::` from there on.
fn used(code: &str) -> Vec<Module> {
    let used = code.split("use ").skip(1);
    used.flat_map(|used| paths(used.trim_start().trim_start_matches("self::")))
        .collect()
}

/// The names that a module takes out of its own modules by `use`; all of one by `use own::*`.
fn taken(code: &str, own: &BTreeMap<&str, &str>) -> BTreeMap<String, String> {
    let mut taken = BTreeMap::new();
    for path in used(code) {
        let (Some(module), Some(name)) = (path.first(), path.last()) else {
            continue;
        };
        let Some(inner) = own.get(module.as_str()) else {
            continue;
        };
        let names = if path.len() > 1 {
            BTreeSet::from([name.clone()])
        } else if code.contains(&format!("use {module}::*;")) {
            names_of(inner)
        } else {
            BTreeSet::new()
        };
        taken.extend(names.into_iter().map(|name| (name, module.clone())));
    }
    taken
}

fn sources(files: impl IntoIterator<Item = (PathBuf, String)>) -> BTreeMap<Module, Source> {
    let files = files.into_iter();
    let texts: BTreeMap<Module, String> = files
        .map(|(path, text)| (module_of(&path), code(&text)))
        .collect();
    let sources = texts.iter().map(|(module, code)| {
        let inside = texts.iter().filter(|(other, _)| other.starts_with(module));
        let own = inside.filter_map(|(other, code)| match &other[module.len()..] {
            [name] => Some((name.as_str(), code.as_str())),
            _ => None,
        });
        let source = Source {
            refers_to: references(module, code),
            takes: taken(code, &own.collect()),
        };
        (module.clone(), source)
    });
    sources.collect()
}

/// The modules of a folder with all that is in them, and which others of it they use.
fn uses(folder: &Module, sources: &BTreeMap<Module, Source>) -> Uses {
    let at = folder.len();
    let of_folder = sources.get(folder).map(|source| &source.takes);
    let inside = sources
        .iter()
        .filter(|(module, _)| module.len() > at && module.starts_with(folder));
    let names: BTreeSet<&String> = inside.clone().map(|(module, _)| &module[at]).collect();
    let mut uses = Uses::new();
    for (module, source) in inside {
        let others = uses.entry(module[at].clone()).or_default();
        let paths = source
            .refers_to
            .iter()
            .filter(|path| path.starts_with(folder));
        for name in paths.filter_map(|path| path.get(at)) {
            let owner = of_folder.and_then(|names| names.get(name));
            let name = if names.contains(name) {
                Some(name)
            } else {
                owner
            };
            others.extend(name.filter(|name| **name != module[at]).cloned());
        }
    }
    uses
}

/// The modules that use each other in a circle, and those that use one of them.
fn circles(uses: &Uses) -> Vec<String> {
    let mut left: Vec<_> = uses.iter().collect();
    loop {
        let modules: BTreeSet<_> = left.iter().map(|(module, _)| *module).collect();
        let before = left.len();
        left.retain(|(_, used)| used.iter().any(|used| modules.contains(used)));
        if left.len() == before {
            return left.iter().map(|(module, _)| (*module).clone()).collect();
        }
    }
}

#[test]
fn files_of_a_folder_use_each_other_in_no_circle() {
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    files.retain(|path| !is_test(path));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    let files: Vec<_> = files.into_iter().map(read).collect();
    for (path, text) in &files {
        let code = code(text);
        let mut globs = code.lines().filter(|line| line.ends_with("::*;"));
        let hides = globs.find(|line| line.contains("super::") || line.contains("crate::"));
        assert_eq!(
            hides,
            None,
            "{}: it is not told what it uses",
            path.display()
        );
    }
    let sources = sources(files);
    let folders: BTreeSet<Module> = sources
        .keys()
        .filter(|module| module.len() > 1)
        .map(|module| module[..module.len() - 1].to_vec())
        .collect();
    let (mut wrong, mut with_uses) = (Vec::new(), 0);
    for folder in &folders {
        let uses = uses(folder, &sources);
        let circles = circles(&uses);
        with_uses += uses.values().filter(|used| !used.is_empty()).count();
        let name = folder.join("/");
        for module in &circles {
            let others = uses[module].iter().filter(|used| circles.contains(used));
            let others: Vec<_> = others.map(String::as_str).collect();
            wrong.push(format!("{name}: {module} uses {}", others.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(with_uses > 100, "{with_uses} modules that use another");
}

/// The circles of a folder `room` with these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let files = files.iter();
    let sources =
        sources(files.map(|(path, text)| (Path::new("src/room").join(path), (*text).to_owned())));
    circles(&uses(&vec!["room".to_owned()], &sources))
}

#[test]
fn a_circle_is_found_whatever_way_it_takes() {
    let room = (
        "mod.rs",
        "mod a;\n#[cfg(test)]\nmod tests;\nmod b;\npub use a::{One, inner::{Two as Deux}};\npub use a::*;\npub use c::*;\n",
    );
    for (a, b, circle) in [
        ("use super::b::B;", "", false),
        ("use super::b::B;", "use super::a::A;", true),
        (
            "use super::{x, b::{B, C}};",
            "fn f() { super::a::g() }",
            true,
        ),
        ("use super::b::B;", "use super::One;", true),
        ("use super::b::B;", "use crate::{other, room::{One}};", true),
        ("use crate::room::b::B;", "use crate::room::a::A;", true),
        ("use super::b::B;", "// use super::a::A;", false),
        (
            "use super::b::B;",
            "#[cfg(test)]\nimpl super::One {\n    fn f() {}\n}\n",
            false,
        ),
        (
            "use super::b::B;",
            "#[cfg(test)]\nfn f() {}\nfn g(_: super::One) {}\n",
            true,
        ),
        ("use super::b::B;", "use other::super_::a;", false),
        ("use super::b::B;", "use super::OfC;", false),
        ("use super::b::B;", "use super::{OfC, Three};", true),
    ] {
        let a = format!("{a}\npub(super) struct Three;\n");
        let found = circles_of(&[room, ("a.rs", &a), ("b.rs", b), ("c.rs", "pub enum OfC {}")]);
        let expected: &[&str] = if circle { &["a", "b"] } else { &[] };
        assert_eq!(found, expected, "{a} {b}");
    }
}

#[test]
fn what_is_in_a_folder_belongs_to_it() {
    let room = ("mod.rs", "mod a;\nmod b;\npub use a::One;\n");
    for inner in [
        "use super::super::b::B;",
        "use crate::room::b::B;",
        "fn f(_: super::super::b::B) {}",
    ] {
        let a = [("a.rs", "mod inner;"), ("a/inner.rs", inner)];
        let files = [room, a[0], a[1], ("b.rs", "use super::One;")];
        assert_eq!(circles_of(&files), ["a", "b"], "{inner}");
        let files = [room, a[0], a[1], ("b.rs", "")];
        assert_eq!(circles_of(&files), Vec::<String>::new(), "{inner}");
    }
    // Files of a folder in a folder are compared with each other.
    let files = [
        ("mod.rs", "mod a;\n"),
        ("a.rs", "mod x;\nmod y;\nuse self::x::X;\n"),
        ("a/x.rs", "use super::y::Y;"),
        ("a/y.rs", "use crate::room::a::X;"),
    ];
    let files = files.map(|(path, text)| (Path::new("src/room").join(path), text.to_owned()));
    let folder = vec!["room".to_owned(), "a".to_owned()];
    assert_eq!(circles(&uses(&folder, &sources(files))), ["x", "y"]);
}
