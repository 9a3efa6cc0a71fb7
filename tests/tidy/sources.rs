//! Checks every source file: its size, its first line, its names, and that nothing in it is true on one machine only.

use std::path::Path;

use cordon_tests::repository::SourceFile;

const LINES_MAX: usize = 500;
/// A function's `main` is wiring: what branches lives in a library, with its tests.
const FUNCTION_LINES_MAX: usize = 120;
/// Files that may be longer, with the reason.
const LONGER: [(&str, &str); 0] = [];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 9] = ["common", "data", "helper", "helpers", "manager", "misc", "shared", "util", "utils"];

/// Folders of one person's machine. Written in two parts, so that this file passes its own check.
const MACHINE_FOLDERS: [&str; 4] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Marks of unfinished work, with advice.
const LEFT_OVERS: [(&str, &str); 4] = [
    (concat!("#[ig", "nore"), "a test that does not run proves nothing: make it run, or take it out"),
    (concat!("to", "do!("), "finish it, or return an error that says what is missing"),
    (concat!("unimpl", "emented!("), "finish it, or return an error that says what is missing"),
    (concat!("db", "g!("), "take it out, or log with `tracing`"),
];

fn rust(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files.iter().filter(|file| file.has_extension("rs"))
}

pub fn too_long(files: &[SourceFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in rust(files) {
        let lines = file.text.lines().count();
        let limit = if file.path.starts_with("functions/") { FUNCTION_LINES_MAX } else { LINES_MAX };
        let allowed = LONGER.iter().any(|(path, _)| *path == file.path);
        if lines > limit && !allowed {
            faults.push(format!(
                "{} has {lines} lines, more than {limit}: split it by what it decides, or name it with a reason in LONGER",
                file.path
            ));
        }
        if lines <= limit && allowed {
            faults.push(format!("{} is no longer too long: take it out of LONGER", file.path));
        }
    }
    faults
}

pub fn without_purpose(files: &[SourceFile]) -> Vec<String> {
    let has_none = |file: &&SourceFile| !file.text.starts_with("//!") && !file.path.ends_with("/tests.rs");
    rust(files)
        .filter(has_none)
        .map(|file| format!("{} must open with `//!`: what it decides, and what it must never do", file.path))
        .collect()
}

pub fn empty_names(files: &[SourceFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in rust(files) {
        let path = Path::new(&file.path).with_extension("");
        let parts = path.iter().filter_map(|part| part.to_str()).filter(|part| EMPTY_NAMES.contains(part));
        let modules = file.text.lines().filter_map(declared_module).filter(|name| EMPTY_NAMES.contains(name));
        faults.extend(
            parts.chain(modules).map(|name| {
                format!("{}: `{name}` says nothing of what is inside: name the module for what it decides", file.path)
            }),
        );
    }
    faults
}

fn declared_module(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    line.strip_prefix("mod ")?.trim_end_matches([' ', ';', '{', '}']).split_whitespace().next()
}

pub fn machine_paths(files: &[SourceFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            let found = MACHINE_FOLDERS.iter().any(|folder| line.match_indices(folder).any(|(at, _)| starts_a_path(line, at)));
            if found {
                faults.push(format!(
                    "{}:{number} names a folder of one machine: use a path from the root of the repository, or a setting",
                    file.path
                ));
            }
        }
    }
    faults
}

/// Whether a path begins here: not in the middle of an address or of a longer path.
fn starts_a_path(line: &str, at: usize) -> bool {
    let before = line.get(..at).and_then(|text| text.chars().next_back());
    before.is_none_or(|letter| !(letter.is_alphanumeric() || "._~}>)-*".contains(letter)))
}

pub fn left_overs(files: &[SourceFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in rust(files) {
        for (number, line) in file.lines() {
            let found = LEFT_OVERS.iter().filter(|(what, _)| line.contains(what));
            faults.extend(found.map(|(what, advice)| format!("{}:{number} has `{what}`: {advice}", file.path)));
        }
    }
    faults
}

/// The pages that people look for at the top.
pub fn missing_pages(files: &[SourceFile]) -> Vec<String> {
    const PAGES: [(&str, &str); 5] = [
        ("README.md", "what Cordon is, and how to see it work"),
        ("ARCHITECTURE.md", "where what is decided"),
        ("CONTRIBUTING.md", "how to change it"),
        ("CHANGELOG.md", "what changed, for those who run it"),
        ("LICENSE", "the Apache License, Version 2.0"),
    ];
    let is_there = |page: &str| files.iter().any(|file| file.path == page && !file.text.trim().is_empty());
    PAGES
        .iter()
        .filter(|(page, _)| !is_there(page))
        .map(|(page, about)| format!("{page} is missing or empty: write {about}"))
        .collect()
}

mod tests {
    use super::*;

    fn check(check: impl Fn(&[SourceFile]) -> Vec<String>, path: &str, text: &str, says: &str) {
        let faults = check(&[SourceFile::new(path, text)]);
        let right = if says.is_empty() { faults.is_empty() } else { faults.len() == 1 && faults[0].contains(says) };
        assert!(right, "{path}, {text:?}, {says:?}: {faults:?}");
    }

    #[test]
    fn each_fault_of_a_source_file_is_noticed_and_nothing_else_is() {
        check(too_long, "crates/core/src/a.rs", &"\n".repeat(500), "");
        check(too_long, "crates/core/src/a.rs", &"\n".repeat(501), "501 lines");
        check(too_long, "functions/notify/src/main.rs", &"\n".repeat(121), "121 lines");
        check(too_long, "README.md", &"\n".repeat(900), "");
        check(without_purpose, "crates/core/src/a.rs", "//! Why.\n", "");
        check(without_purpose, "crates/core/src/a.rs", "use x;\n", "must open with");
        check(empty_names, "crates/core/src/utils.rs", "", "`utils`");
        check(empty_names, "crates/core/src/helpers/a.rs", "", "`helpers`");
        check(empty_names, "crates/core/src/a.rs", "pub(crate) mod common;", "`common`");
        check(empty_names, "crates/core/src/a.rs", "mod manager {", "`manager`");
        check(empty_names, "crates/core/src/a.rs", "mod commons;\nlet data = 1;", "");
        for folder in MACHINE_FOLDERS {
            check(machine_paths, "README.md", &format!("cd {folder}main"), "README.md:1");
            check(machine_paths, "README.md", &format!("https://example.org{folder}main ~{folder} ${{x}}{folder}"), "");
        }
        for (what, _) in LEFT_OVERS {
            check(left_overs, "crates/core/src/a.rs", &format!("x\n{what}"), "a.rs:2");
            check(left_overs, "README.md", what, "");
        }
    }

    #[test]
    fn a_page_that_is_missing_or_empty_is_noticed() {
        let pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"];
        let mut files = pages.map(|page| SourceFile::new(page, "text"));
        assert_eq!(missing_pages(&files), Vec::<String>::new());
        assert_eq!(missing_pages(&files[1..]).len(), 1);
        files[3].text = "\n".to_owned();
        assert!(missing_pages(&files)[0].contains("CHANGELOG.md"));
    }
}
