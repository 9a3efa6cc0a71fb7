//! Checks Terraform for statements that it must never make, and that functions, state machine, Terraform and rules agree.

use std::collections::{BTreeMap, BTreeSet};

use cordon_tests::repository::SourceFile;
use hcl::edit::expr::{Expression, Object, ObjectKey, ObjectValue};
use hcl::edit::parser::{parse_body, parse_expr};
use hcl::edit::structure::{Attribute, Block, Body};
use hcl::edit::visit::{Visit, visit_attr, visit_block, visit_object, visit_object_item};
use hcl::edit::{Decorated, Ident, Span};

/// The functions that are no state: one answers HTTP, one makes calls for another function.
const NO_STATE: [&str; 2] = ["slack-callback", "make-call"];

/// A file of `infra/` by its structure, with the place of each part.
enum Structure {
    /// A Terraform file.
    Body(Body),
    /// A JSON file, which is an expression in Terraform's language too.
    Expression(Expression),
}

impl Structure {
    /// `None` for a file that is no Terraform.
    fn of(file: &SourceFile) -> Option<Result<Self, hcl::edit::parser::Error>> {
        let is_json = file.path.starts_with("infra/") && file.has_extension("json");
        if file.has_extension("tf") {
            Some(parse_body(&file.text).map(Self::Body))
        } else {
            is_json.then(|| parse_expr(file.text.trim()).map(Self::Expression))
        }
    }

    fn visit(&self, visitor: &mut impl Visit) {
        match self {
            Self::Body(body) => visitor.visit_body(body),
            Self::Expression(expression) => visitor.visit_expr(expression),
        }
    }
}

/// The faults that a visitor finds in each file of Terraform. A file that cannot be parsed is a fault too.
fn in_each<V: Visit>(files: &[SourceFile], visitor: fn(&SourceFile) -> V, faults_of: fn(V) -> Vec<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        match Structure::of(file) {
            None => {}
            Some(Ok(structure)) => {
                let mut visitor = visitor(file);
                structure.visit(&mut visitor);
                faults.extend(faults_of(visitor));
            }
            Some(Err(error)) => faults.push(format!("{} is no Terraform: {error}", file.path)),
        }
    }
    faults
}

/// The line of a part of a file, from 1.
fn line(file: &SourceFile, part: &impl Span) -> usize {
    let start = part.span().map_or(0, |span| span.start);
    file.text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1
}

/// Statements that let anybody in, but for an organisation's members, or allow everything a service has.
pub fn open_to_anybody(files: &[SourceFile]) -> Vec<String> {
    let statements =
        |file: &SourceFile| Statements { file: file.clone(), denied: false, in_organization: false, faults: Vec::new() };
    in_each(files, statements, |statements| statements.faults)
}

/// Walks policies, and knows whether it is inside a statement that denies, or lets an organisation in and nobody else.
struct Statements {
    file: SourceFile,
    denied: bool,
    in_organization: bool,
    faults: Vec<String>,
}

impl Statements {
    /// `principal`: the value of a key that says who.
    fn principal(&mut self, principal: &Expression) {
        if self.denied || self.in_organization {
            return;
        }
        match principal {
            Expression::String(text) if text.as_str() == "*" => {
                let place = format!("{}:{}", self.file.path, line(&self.file, text));
                self.faults.push(format!("{place} lets anybody in (`*` as the principal): name who may, or deny"));
            }
            Expression::Array(list) => list.iter().for_each(|one| self.principal(one)),
            _ => {}
        }
    }

    /// Visits a statement, or a part of one.
    fn inside(&mut self, effect: Option<&Expression>, visit: impl FnOnce(&mut Self)) {
        let outer = self.denied;
        if let Some(effect) = effect {
            self.denied = effect.as_str() == Some("Deny");
        }
        visit(self);
        self.denied = outer;
    }
}

impl Visit for Statements {
    fn visit_block(&mut self, block: &Block) {
        // Without an effect, a statement of Terraform's allows.
        let allow = Expression::from("Allow");
        let effect = block.body.get_attribute("effect").map(|effect| &effect.value);
        let effect = if block.has_ident("statement") { Some(effect.unwrap_or(&allow)) } else { None };
        let outer = self.in_organization;
        if block.has_ident("statement") {
            self.in_organization = block.body.get_blocks("condition").any(is_of_organization);
        }
        self.inside(effect, |inside| visit_block(inside, block));
        self.in_organization = outer;
    }

    fn visit_object(&mut self, object: &Object) {
        let effect = object.iter().find(|(key, _)| is_key(key, "Effect")).map(|(_, value)| value.expr());
        self.inside(effect, |inside| visit_object(inside, object));
    }

    fn visit_object_item(&mut self, key: &ObjectKey, value: &ObjectValue) {
        if is_key(key, "Principal") || is_key(key, "AWS") {
            self.principal(value.expr());
        }
        visit_object_item(self, key, value);
    }

    fn visit_attr(&mut self, attribute: &Attribute) {
        if attribute.has_key("identifiers") || attribute.has_key("principal") {
            self.principal(&attribute.value);
        }
        if !attribute.has_key("description") {
            visit_attr(self, attribute);
        }
    }

    fn visit_string(&mut self, text: &Decorated<String>) {
        if !self.denied && is_whole_service(text) {
            let place = format!("{}:{}", self.file.path, line(&self.file, text));
            self.faults.push(format!("{place} allows `{}`: name the actions that are needed", text.as_str()));
        }
    }
}

/// A condition that only members of one organisation meet.
fn is_of_organization(condition: &Block) -> bool {
    let is = |key: &str, value: &str| condition.body.get_attribute(key).is_some_and(|found| found.value.as_str() == Some(value));
    is("test", "StringEquals") && is("variable", "aws:PrincipalOrgID")
}

fn is_key(key: &ObjectKey, name: &str) -> bool {
    key.as_ident().map(Ident::as_str) == Some(name) || key.as_expr().and_then(Expression::as_str) == Some(name)
}

/// `iam:*`, and not `arn:…:*`.
fn is_whole_service(text: &str) -> bool {
    text.strip_suffix(":*")
        .is_some_and(|service| !service.is_empty() && service.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'))
}

/// Terraform keeps what it is told in its state, so it is never told a secret.
pub fn secret_values(files: &[SourceFile]) -> Vec<String> {
    in_each(files, |file| Secrets { file: file.clone(), faults: Vec::new() }, |secrets| secrets.faults)
}

/// Walks whatever gives or reads a secret's value.
struct Secrets {
    file: SourceFile,
    faults: Vec<String>,
}

impl Secrets {
    fn found(&mut self, part: &impl Span) {
        let place = format!("{}:{}", self.file.path, line(&self.file, part));
        self.faults.push(format!("{place} gives a secret its value, which then stands in Terraform's state: set it by hand"));
    }
}

impl Visit for Secrets {
    fn visit_block(&mut self, block: &Block) {
        if block.labels.first().is_some_and(|kind| kind.as_str() == "aws_secretsmanager_secret_version") {
            return self.found(&block.ident);
        }
        visit_block(self, block);
    }

    fn visit_attr(&mut self, attribute: &Attribute) {
        if attribute.has_key("secret_string") || attribute.has_key("secret_binary") {
            return self.found(&attribute.key);
        }
        visit_attr(self, attribute);
    }
}

/// `called`: the functions of the state machine.
pub fn functions(files: &[SourceFile], called: &BTreeSet<String>) -> Vec<String> {
    let folder = |file: &SourceFile| Some(file.path.strip_prefix("functions/")?.strip_suffix("/Cargo.toml")?.to_owned());
    let built: BTreeSet<String> = files.iter().filter_map(folder).collect();
    let in_file = |path: &str, read: fn(&SourceFile) -> BTreeSet<String>| {
        files.iter().find(|file| file.path == path).map(read).unwrap_or_default()
    };
    let mut deployed = in_file("infra/modules/cordon/functions.tf", deployed);
    deployed.extend(in_file("infra/modules/cordon/spokes.tf", deployed_by_package));
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
        if !called.contains(name) && !NO_STATE.contains(&name.as_str()) {
            faults.push(format!(
                "no state calls functions/{name}, and it is none of {}: call it in statemachine/, or take it out",
                NO_STATE.join(", ")
            ));
        }
    }
    let unknown = called.iter().filter(|name| !built.contains(*name));
    faults.extend(unknown.map(|name| format!("a state calls `{name}`, which is no folder of functions/: correct the name")));
    faults
}

/// The keys of `functions = { … }` in the file's locals.
fn deployed(file: &SourceFile) -> BTreeSet<String> {
    let Ok(body) = parse_body(&file.text) else { return BTreeSet::new() };
    let functions = body.get_blocks("locals").find_map(|locals| locals.body.get_attribute("functions"));
    let functions = functions.and_then(|functions| functions.value.as_object());
    let name = |key: &ObjectKey| key.as_ident().map(Ident::as_str).or_else(|| key.as_expr()?.as_str()).map(str::to_owned);
    functions.into_iter().flat_map(Object::iter).filter_map(|(key, _)| name(key)).collect()
}

/// The packages that `aws_lambda_function` blocks name in `filename`, as `functions["<package>"]`.
fn deployed_by_package(file: &SourceFile) -> BTreeSet<String> {
    let Ok(body) = parse_body(&file.text) else { return BTreeSet::new() };
    let is_function = |block: &&Block| block.labels.first().is_some_and(|kind| kind.as_str() == "aws_lambda_function");
    let package = |block: &Block| {
        let filename = block.body.get_attribute("filename")?.value.to_string();
        let (_, rest) = filename.split_once("functions[\"")?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    body.blocks().filter(is_function).filter_map(package).collect()
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
        let condition = |test: &str| {
            format!(
                "condition {{\n      test = \"{test}\"\n      variable = \"aws:PrincipalOrgID\"\n      values = [\"o-x\"]\n    }}"
            )
        };
        check(open_to_anybody, "infra/a.tf", &of(&condition("StringEquals")), "");
        check(open_to_anybody, "infra/a.tf", &of(&condition("StringNotEquals")), "lets anybody in");
        check(open_to_anybody, "infra/a.tf", &of(&condition("StringEqualsIfExists")), "lets anybody in");
        let beside = of("sid = \"x\"").replace("  }\n}\n", "  }\n  statement {\n    effect = \"Deny\"\n  }\n}\n");
        check(open_to_anybody, "infra/a.tf", &beside, "lets anybody in");
        check(open_to_anybody, "infra/a.tf", "x = jsonencode({ Effect = \"Allow\", Principal = \"*\" })", "lets anybody in");
        check(open_to_anybody, "infra/a.tf", "x = jsonencode({ Effect = \"Deny\", Principal = { AWS = [\"*\"] } })", "");
        check(open_to_anybody, "infra/a.json", "{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": \"*\"}}", "lets anybody in");
        check(open_to_anybody, "infra/a.json", "{\"Effect\": \"Deny\", \"Principal\": {\"AWS\": \"*\"}}", "");
        check(
            open_to_anybody,
            "infra/a.tf",
            "resource \"aws_lambda_permission\" \"x\" {\n  principal = \"*\"\n}",
            "lets anybody in",
        );
        check(open_to_anybody, "infra/a.tf", "statement {\n  actions = [\"iam:*\"]\n}", "infra/a.tf:2 allows `iam:*`");
        check(
            open_to_anybody,
            "infra/a.tf",
            "statement {\n  actions = [\n    \"iam:GetUser\", \"iam:*\",\n  ]\n}",
            "infra/a.tf:3 allows",
        );
        check(open_to_anybody, "infra/a.tf", "locals {\n  all = concat([\"iam:*\"], [])\n}", "allows `iam:*`");
        check(open_to_anybody, "infra/a.tf", "# iam:* and \"*\" are for nobody\nx { description = \"iam:*\" }", "");
        check(open_to_anybody, "infra/a.tf", "statement {", "is no Terraform");
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
        check(secret_values, "infra/a.tf", "# never secret_string\nx = \"secret_string\"", "");
        check(secret_values, "infra/a.tf", "resource \"x\" \"y\" {\n  secret_string = var.x\n}", "infra/a.tf:2");
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
