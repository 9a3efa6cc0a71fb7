//! Which crate may say what: keys of the table are made in one place, and no modules import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use cordon_tests::repository::SourceFile;

/// How the keys of the table begin, or are whole.
const KEYS: [&str; 16] = [
    "\"INCIDENT#",
    "\"EVENT#",
    "\"OPEN#",
    "\"COUNT#",
    "\"TAG#",
    "\"GROUP#",
    "\"DOC#",
    "\"EXCEPTION#",
    "\"EXCEPTIONS\"",
    "\"OWN#",
    "\"RATE#",
    "\"PACE#",
    "\"SWITCH\"",
    "\"STATE#",
    "\"PRINCIPAL#",
    "\"STEP#",
];

/// Where keys are made; who puts items there as a stranger would, for tests; and who reads the table without our code, so that a
/// mistake in it cannot hide.
const MAY_SAY_KEYS: [&str; 3] = ["crates/store/", "crates/testkit/", "crates/sandbox/"];

/// What a file says in production: everything before its tests.
fn production(file: &SourceFile) -> &str {
    file.text.split("#[cfg(test)]").next().unwrap_or_default()
}

pub fn keys_made_elsewhere(files: &[SourceFile]) -> Vec<String> {
    let sources = files.iter().filter(|file| file.has_extension("rs") && file.path.contains("/src/"));
    let others = sources.filter(|file| !MAY_SAY_KEYS.iter().any(|folder| file.path.starts_with(folder)));
    let mut faults = Vec::new();
    for file in others.filter(|file| file.path.starts_with("crates/") || file.path.starts_with("functions/")) {
        for (number, line) in production(file).lines().enumerate() {
            if let Some(key) = KEYS.iter().find(|key| line.contains(*key)) {
                faults.push(format!(
                    "{}:{} makes a key of the table ({key}…): let `crates/store` make it, and ask the store",
                    file.path,
                    number + 1
                ));
            }
        }
    }
    faults
}

type Module = Vec<String>;

/// Modules below `folder` that import each other in a circle. A module and the modules inside it belong together and may.
pub fn circles(files: &[SourceFile], folder: &str) -> Vec<String> {
    let modules: BTreeMap<Module, &SourceFile> =
        files.iter().filter_map(|file| Some((module(file.path.strip_prefix(folder)?)?, file))).collect();
    let mut imports: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (own, file) in &modules {
        for path in paths(production(file), own) {
            let Some(target) =
                (0..=path.len()).rev().find_map(|length| path.get(..length).filter(|found| modules.contains_key(*found)))
            else {
                continue;
            };
            let shared = own.iter().zip(target).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to), Some(parent)) = (own.get(shared), target.get(shared), own.get(..shared)) {
                imports.entry(parent.to_vec()).or_default().entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    let mut faults = Vec::new();
    for (parent, edges) in &imports {
        if let Some(circle) = edges.keys().find_map(|start| circle(edges, start)) {
            let inside = if parent.is_empty() { String::new() } else { format!(" (in {})", parent.join("::")) };
            faults.push(format!(
                "{folder}: {}{inside} import each other in a circle: move what they share below them",
                circle.join(" → ")
            ));
        }
    }
    faults
}

/// `notify/card.rs` is `notify::card`; nothing for what is no module of production.
fn module(path: &str) -> Option<Module> {
    let path = path.strip_suffix(".rs")?;
    let parts: Module = path.split('/').map(str::to_owned).collect();
    match parts.last().map(String::as_str) {
        Some("tests") => None,
        Some("lib" | "main") if parts.len() == 1 => Some(Vec::new()),
        _ => Some(parts),
    }
}

/// Every path of the crate that a module's text names, from the crate's root.
fn paths(text: &str, own: &Module) -> Vec<Module> {
    let mut found = Vec::new();
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let before = code.get(..at).unwrap_or_default();
            // A part of another word, or the second `super` of a path that is read from its first.
            if before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_') || before.ends_with("super::") {
                continue;
            }
            let start = if root == "crate::" { Vec::new() } else { own.clone() };
            let rest = code.get(at..).unwrap_or_default();
            tree(rest.strip_prefix("crate::").unwrap_or(rest), start, &mut found);
        }
    }
    found
}

/// Reads a path or a tree of them (`a::{b, c::d}`), and gives back what follows.
fn tree<'t>(text: &'t str, mut path: Module, found: &mut Vec<Module>) -> &'t str {
    let mut rest = text.trim_start();
    loop {
        if let Some(inside) = rest.strip_prefix('{') {
            let mut item = inside;
            loop {
                item = tree(item, path.clone(), found).trim_start();
                // `as another_name`
                item = item.trim_start_matches(|letter: char| !matches!(letter, ',' | '}'));
                match item.strip_prefix(',') {
                    Some(next) if !next.trim_start().starts_with('}') => item = next,
                    Some(next) => return next.trim_start().strip_prefix('}').unwrap_or_default(),
                    None => return item.strip_prefix('}').unwrap_or_default(),
                }
            }
        }
        let length = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        match word {
            "super" => {
                path.pop();
            }
            "self" | "" => {}
            word => path.push(word.to_owned()),
        }
        match after.strip_prefix("::") {
            Some(more) if !word.is_empty() => rest = more,
            _ => {
                found.push(path);
                return after;
            }
        }
    }
}

/// A way from a module back to itself, with the module at both ends.
fn circle(edges: &BTreeMap<String, BTreeSet<String>>, start: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        let Some(next) = way.last().and_then(|last| edges.get(last)) else { continue };
        for to in next {
            let longer = way.iter().chain([to]).cloned().collect();
            if to == start {
                return Some(longer);
            }
            if seen.insert(to.clone()) {
                ways.push(longer);
            }
        }
    }
    None
}

mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_made_outside_of_the_store_is_noticed() {
        let check = |path: &str, text: &str, says: &str| {
            let faults = keys_made_elsewhere(&[SourceFile::new(path, text)]);
            let right = if says.is_empty() { faults.is_empty() } else { faults.len() == 1 && faults[0].contains(says) };
            assert!(right, "{path} {text}: {faults:?}");
        };
        let made = "//! x\nfn pk(id: &str) -> String { format!(\"INCIDENT#{id}\") }\n";
        check("crates/flow/src/a.rs", made, "crates/flow/src/a.rs:2");
        check("functions/notify/src/main.rs", made, "functions/notify/src/main.rs:2");
        check("crates/flow/src/a.rs", &format!("#[cfg(test)]\n{made}"), "");
        check("crates/flow/tests/a.rs", made, "");
        check("crates/store/src/keys.rs", made, "");
    }

    #[test]
    fn modules_that_import_each_other_are_named() {
        let check = |texts: &[(&str, &str)], says: &[&str]| {
            let files: Vec<_> = texts.iter().map(|(path, text)| SourceFile::new(format!("x/src/{path}"), *text)).collect();
            let faults = circles(&files, "x/src/");
            let right = faults.len() == says.len() && faults.iter().zip(says).all(|(fault, says)| fault.contains(says));
            assert!(right, "{texts:?} {says:?}: {faults:?}");
        };
        check(&[("a.rs", "use crate::b::B;"), ("b.rs", "use crate::c::{self, C};"), ("c.rs", "")], &[]);
        check(&[("a.rs", "use crate::b::B;"), ("b.rs", "fn f() { crate::a::f() }")], &["a → b → a"]);
        check(&[("a.rs", "use crate::{b, c};"), ("b.rs", ""), ("c.rs", "use super::a;")], &["a → c → a"]);
        // Through a child; and among children.
        check(&[("a.rs", "mod d;"), ("a/d.rs", "use crate::b;"), ("b.rs", "use crate::a::A;")], &["a → b → a"]);
        check(&[("a.rs", "use crate::a::d::D;"), ("a/d.rs", "use super::A;")], &[]);
        check(&[("a.rs", ""), ("a/d.rs", "use super::e::E;"), ("a/e.rs", "use crate::a::{A, d::D};")], &["d → e → d (in a)"]);
        // Tests and comments import as they like.
        check(&[("a.rs", "use crate::b;"), ("b.rs", "// see crate::a\n#[cfg(test)]\nmod t { use crate::a; }")], &[]);
    }
}
