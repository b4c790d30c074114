//! Files of one folder use each other in one direction only.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::architecture::{is_test, names_below, without_tests};

/// Folders whose files still use each other in circles.
const WITH_CIRCLES: &[&str] = &[
    "runner",
    "scenario",
];

/// The files of a folder, by their module, and the modules that each of them uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The modules of the names that a folder's `mod.rs` takes out of them.
fn modules_by_name(folder: &str) -> BTreeMap<String, String> {
    let mut modules = BTreeMap::new();
    for (module, names) in folder.split("use ").skip(1).filter_map(|used| {
        let (used, _) = used.split_once(';')?;
        used.trim_start_matches("self::").split_once("::")
    }) {
        let names = names.split(|c: char| !c.is_alphanumeric() && c != '_');
        for name in names.filter(|name| !name.is_empty()) {
            modules.insert(name.to_owned(), module.to_owned());
        }
    }
    modules
}

fn uses(folder: &Path) -> Uses {
    let text = fs::read_to_string(folder.join("mod.rs")).unwrap();
    let by_name = modules_by_name(&text);
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_file() && module != "mod" && !is_test(&path) {
            files.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
    let module_of = |name: String| {
        let module = by_name.get(&name).cloned().unwrap_or(name);
        files.contains_key(&module).then_some(module)
    };
    let used = |text: &str| {
        let names = names_below("super::", without_tests(text));
        names.into_iter().filter_map(module_of).collect()
    };
    let files = files.iter();
    files
        .map(|(module, text)| (module.clone(), used(text)))
        .collect()
}

/// The modules that use each other in a circle, and those that use one of them.
fn circles(files: &Uses) -> Vec<String> {
    let mut left: Vec<_> = files.iter().collect();
    loop {
        let modules: BTreeSet<_> = left.iter().map(|(module, _)| *module).collect();
        let before = left.len();
        left.retain(|(module, used)| {
            let mut used = used.iter().filter(|used| used != module);
            used.any(|used| modules.contains(used))
        });
        if left.len() == before {
            return left.iter().map(|(module, _)| (*module).clone()).collect();
        }
    }
}

#[test]
fn files_of_a_folder_use_each_other_in_no_circle() {
    let mut files = 0;
    for entry in fs::read_dir("src").unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if !folder.join("mod.rs").is_file() || WITH_CIRCLES.contains(&&*name) {
            continue;
        }
        let uses = uses(&folder);
        assert_eq!(circles(&uses), Vec::<String>::new(), "{name}: {uses:#?}");
        files += uses.values().filter(|used| !used.is_empty()).count();
    }
    assert!(files > 20, "{files} files that use another");
}

#[test]
fn a_circle_is_found() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses = Uses::new();
        for (module, used) in pairs {
            uses.entry((*used).to_owned()).or_default();
            uses.entry((*module).to_owned())
                .or_default()
                .insert((*used).to_owned());
        }
        uses
    };
    assert!(circles(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    assert_eq!(
        circles(&uses(&[("a", "b"), ("b", "c"), ("c", "b")])),
        ["a", "b", "c"]
    );
}
