//! What Terraform may never say, and that functions, state machine, Terraform and rules speak of the same things.

use std::collections::{BTreeMap, BTreeSet};

use cordon_tests::repository::SourceFile;

/// The one function that is no state: it answers HTTP.
const NO_STATE: &str = "slack-callback";

fn terraform(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files.iter().filter(|file| file.has_extension("tf") || (file.path.starts_with("infra/") && file.has_extension("json")))
}

/// Statements that let anybody in, or allow everything a service has.
pub fn open_to_anybody(files: &[SourceFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in terraform(files) {
        let mut start = 0;
        for (number, line) in file.lines() {
            let names_anybody = ["identifiers", "rincipal", "AWS"]
                .iter()
                .any(|key| after_word(line, key).is_some_and(|rest| rest.contains("\"*\"")));
            let is_comment = line.trim_start().starts_with('#') || line.trim_start().starts_with("description");
            let wide = line.split('"').skip(1).step_by(2).find(|text| is_whole_service(text));
            let denied = || says_deny(statement(&file.text, start + line.find('"').unwrap_or_default()));
            if names_anybody && !is_comment && !denied() {
                faults.push(format!("{}:{number} lets anybody in (`*` as the principal): name who may, or deny", file.path));
            }
            if let Some(actions) = wide.filter(|_| !is_comment && !denied()) {
                faults.push(format!("{}:{number} allows `{actions}`: name the actions that are needed", file.path));
            }
            start += line.len() + 1;
        }
    }
    faults
}

fn after_word<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.find(word).and_then(|at| line.get(at + word.len()..))
}

/// `iam:*`, and not `arn:…:*`.
fn is_whole_service(text: &str) -> bool {
    text.strip_suffix(":*")
        .is_some_and(|service| !service.is_empty() && service.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'))
}

/// The text of the statement around a place: the nearest block that is not only the statement's principal.
fn statement(text: &str, at: usize) -> &str {
    let mut open: Vec<usize> = Vec::new();
    for (index, letter) in text.char_indices().take_while(|(index, _)| *index < at) {
        match letter {
            '{' => open.push(index),
            '}' => {
                open.pop();
            }
            _ => {}
        }
    }
    while let Some(start) = open.pop() {
        let header = text.get(..start).and_then(|before| before.rsplit(['\n', '{', ',']).next()).unwrap_or_default();
        if !header.contains("rincipal") {
            return block(text.get(start..).unwrap_or_default());
        }
    }
    ""
}

/// From an opening brace to the closing one.
fn block(text: &str) -> &str {
    let mut depth = 0_usize;
    for (index, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(..=index).unwrap_or(text);
        }
    }
    text
}

fn says_deny(statement: &str) -> bool {
    statement.match_indices("ffect").any(|(at, word)| {
        let rest = statement.get(at + word.len()..).unwrap_or_default();
        rest.trim_start_matches(['"', ' ', ':', '=']).starts_with("Deny")
    })
}

/// Terraform keeps what it is told in its state, so it is never told a secret.
pub fn secret_values(files: &[SourceFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in terraform(files) {
        for (number, line) in file.lines() {
            if ["aws_secretsmanager_secret_version", "secret_string", "secret_binary"].iter().any(|word| line.contains(word)) {
                faults.push(format!(
                    "{}:{number} gives a secret its value, which then stands in Terraform's state: set it by hand",
                    file.path
                ));
            }
        }
    }
    faults
}

/// `called`: the functions of the state machine.
pub fn functions(files: &[SourceFile], called: &BTreeSet<String>) -> Vec<String> {
    let folder = |file: &SourceFile| Some(file.path.strip_prefix("functions/")?.strip_suffix("/Cargo.toml")?.to_owned());
    let built: BTreeSet<String> = files.iter().filter_map(folder).collect();
    let deployed: BTreeSet<String> = files
        .iter()
        .find(|file| file.path == "infra/modules/cordon/functions.tf")
        .map(|file| locals(&file.text))
        .unwrap_or_default();
    let mut faults = Vec::new();
    for name in built.union(&deployed) {
        if !deployed.contains(name) {
            faults.push(format!(
                "functions/{name} is never deployed: add it to the `functions` of infra/modules/cordon/functions.tf"
            ));
        }
        if !built.contains(name) {
            faults.push(format!(
                "Terraform deploys `{name}`, which is no folder of functions/: take it out of infra/modules/cordon/functions.tf"
            ));
        }
        if !called.contains(name) && name != NO_STATE {
            faults.push(format!(
                "no state calls functions/{name}, and it is not {NO_STATE}: call it in statemachine/, or take it out"
            ));
        }
    }
    let unknown = called.iter().filter(|name| !built.contains(*name));
    faults.extend(unknown.map(|name| format!("a state calls `{name}`, which is no folder of functions/: correct the name")));
    faults
}

/// The keys of `functions = { … }`.
fn locals(text: &str) -> BTreeSet<String> {
    let body = text.split_once("  functions = {").map_or("", |(_, rest)| rest.split("\n  }").next().unwrap_or_default());
    body.lines().filter_map(|line| line.split_once(" = {")).map(|(name, _)| name.trim().trim_matches('"').to_owned()).collect()
}

/// Rules are known by their file, their `name` and Sigma's `id`; none of them twice.
pub fn rules(files: &[SourceFile]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.starts_with("rules/")) {
        let known = file.path.strip_suffix(".yml").map(|path| path.split('/').collect::<Vec<_>>());
        let Some([_, _, stem]) = known.as_deref() else {
            if !file.has_extension("md") {
                faults.push(format!("{} is no rules/<group>/<name>.yml: move or rename it, or it is never packed", file.path));
            }
            continue;
        };
        let rule: yaml_serde::Value = match yaml_serde::from_str(&file.text) {
            Ok(rule) => rule,
            Err(error) => {
                faults.push(format!("{} is no YAML: {error}", file.path));
                continue;
            }
        };
        let text = |key: &str| rule.get(key).and_then(yaml_serde::Value::as_str).unwrap_or_default();
        if text("name") != *stem {
            faults.push(format!("{} must have `name: {stem}`, so that an alert leads to its file", file.path));
        }
        for key in [text("name"), text("id")] {
            match seen.insert(key.to_owned(), &file.path) {
                _ if key.is_empty() => faults.push(format!("{} needs a `name` and an `id` (a UUID)", file.path)),
                Some(first) => faults.push(format!("`{key}` is in {} and in {first}: give one of them another", file.path)),
                None => {}
            }
        }
    }
    faults
}

mod tests {
    use super::*;

    fn check(check: impl Fn(&[SourceFile]) -> Vec<String>, path: &str, text: &str, says: &str) {
        let faults = check(&[SourceFile::new(path, text)]);
        let right = if says.is_empty() { faults.is_empty() } else { faults.len() == 1 && faults[0].contains(says) };
        assert!(right, "{path}, {text}, {says:?}: {faults:?}");
    }

    #[test]
    fn only_a_denial_may_speak_of_anybody_or_of_everything() {
        let of = |effect: &str| {
            format!(
                "data \"x\" \"y\" {{\n  statement {{\n    {effect}\n    principals {{\n      type = \"AWS\"\n      identifiers = [\"*\"]\n    }}\n  }}\n}}\n"
            )
        };
        check(open_to_anybody, "infra/a.tf", &of("effect = \"Deny\""), "");
        check(open_to_anybody, "infra/a.tf", &of("effect = \"Allow\""), "infra/a.tf:6 lets anybody in");
        check(open_to_anybody, "infra/a.tf", &of("sid = \"DefaultsToAllow\""), "lets anybody in");
        let beside = of("sid = \"x\"").replace("  }\n}\n", "  }\n  statement {\n    effect = \"Deny\"\n  }\n}\n");
        check(open_to_anybody, "infra/a.tf", &beside, "lets anybody in");
        check(open_to_anybody, "infra/a.tf", "{ Effect = \"Allow\", Principal = \"*\" }", "lets anybody in");
        check(open_to_anybody, "infra/a.json", "{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": \"*\"}}", "lets anybody in");
        check(open_to_anybody, "infra/a.json", "{\"Effect\": \"Deny\", \"Principal\": {\"AWS\": \"*\"}}", "");
        check(
            open_to_anybody,
            "infra/a.tf",
            "resource \"aws_lambda_permission\" \"x\" {\n  principal = \"*\"\n}",
            "lets anybody in",
        );
        check(open_to_anybody, "infra/a.tf", "statement {\n  actions = [\"iam:*\"]\n}", "allows `iam:*`");
        check(
            open_to_anybody,
            "infra/a.tf",
            "statement {\n  resources = [\"arn:aws:logs:*:*\"]\n  actions = [\"iam:GetUser\"]\n}",
            "",
        );
    }

    #[test]
    fn a_secret_with_a_value_is_noticed() {
        check(secret_values, "infra/a.tf", "resource \"aws_secretsmanager_secret\" \"x\" {}", "");
        check(secret_values, "infra/a.tf", "\nresource \"aws_secretsmanager_secret_version\" \"x\" {}", "infra/a.tf:2");
    }

    #[test]
    fn a_function_that_is_missing_somewhere_is_noticed() {
        let check = |deployed: &str, called: &str, says: &str| {
            let files = [
                SourceFile::new("functions/notify/Cargo.toml", ""),
                SourceFile::new("functions/slack-callback/Cargo.toml", ""),
                SourceFile::new(
                    "infra/modules/cordon/functions.tf",
                    format!("locals {{\n  functions = {{\n{deployed}  }}\n}}\n"),
                ),
            ];
            let faults = functions(&files, &BTreeSet::from([called.to_owned()]));
            assert!(
                if says.is_empty() { faults.is_empty() } else { faults.iter().any(|fault| fault.contains(says)) },
                "{says}: {faults:?}"
            );
        };
        let both = "    notify = { timeout = 30 }\n    slack-callback = { timeout = 10 }\n";
        check(both, "notify", "");
        check("    notify = { timeout = 30 }\n", "notify", "functions/slack-callback is never deployed");
        check(&format!("{both}    gone = {{ timeout = 30 }}\n"), "notify", "deploys `gone`");
        check(both, "gone", "no state calls functions/notify");
        check(both, "gone", "a state calls `gone`");
    }

    #[test]
    fn rules_that_cannot_be_told_apart_are_noticed() {
        check(rules, "rules/impact/a.yml", "name: a\nid: 1-2-3\n", "");
        check(rules, "rules/impact/a.yml", "name: b\nid: 1-2-3\n", "must have `name: a`");
        check(rules, "rules/impact/a.yml", "name: a\n", "needs a `name` and an `id`");
        check(rules, "rules/impact/a.yml", "name: [", "is no YAML");
        check(rules, "rules/a.yml", "name: a\nid: 1-2-3\n", "move or rename it");
        check(rules, "rules/impact/a.yaml", "name: a\nid: 1-2-3\n", "move or rename it");
        let twice = [
            SourceFile::new("rules/impact/a.yml", "name: a\nid: 1-2-3\n"),
            SourceFile::new("rules/discovery/b.yml", "name: b\nid: 1-2-3\n"),
        ];
        assert!(
            rules(&twice)[0].contains("`1-2-3` is in rules/discovery/b.yml and in rules/impact/a.yml"),
            "{:?}",
            rules(&twice)
        );
    }
}
