//! Compares the role that Terraform makes for the remediator with the table of the calls that Cordon makes.

use std::collections::{BTreeMap, BTreeSet};

use cordon_respond::authorised::{Authorised, CALLS, Resource, Rights};
use cordon_tests::repository::SourceFile;
use hcl::edit::expr::Expression;
use hcl::edit::parser::parse_body;
use hcl::edit::structure::{Block, BlockLabel, Body};

const FILE: &str = "infra/modules/cordon/permissions.tf";

/// A statement of the remediator's policy.
#[derive(Debug, Default)]
struct Statement {
    sid: String,
    denies: bool,
    actions: BTreeSet<String>,
    /// As Terraform writes them.
    resources: String,
    /// The condition keys.
    conditions: BTreeSet<String>,
}

/// Where the role and the table differ.
pub fn faults(files: &[SourceFile], calls: &[Authorised]) -> Vec<String> {
    let statements = files.iter().find(|file| file.path == FILE).map(statements).unwrap_or_default();
    if statements.is_empty() {
        return vec![format!("{FILE} has no data \"aws_iam_policy_document\" \"remediate\" with statements")];
    }
    let mut faults = Vec::new();
    let rows: BTreeMap<&str, &Authorised> = calls.iter().map(|row| (row.action, row)).collect();
    for statement in statements.iter().filter(|statement| !statement.denies) {
        let sid = &statement.sid;
        for action in &statement.actions {
            match rows.get(action.as_str()) {
                None => faults.push(format!("`{sid}` of {FILE} allows `{action}`, which no remedy calls")),
                Some(row) if row.rights == Rights::Person => {
                    faults.push(format!("`{sid}` of {FILE} allows `{action}`, which takes a person's own rights"));
                }
                Some(row) => {
                    let wanted = resources(row.on);
                    if !statement.resources.contains(wanted) {
                        faults.push(format!(
                            "`{sid}` of {FILE} allows `{action}`, and not on `{wanted}`: AWS authorises it on a {:?}",
                            row.on
                        ));
                    }
                    let conditions: BTreeSet<String> = row.condition.into_iter().map(str::to_owned).collect();
                    if statement.conditions != conditions {
                        faults.push(format!(
                            "`{sid}` of {FILE} allows `{action}` under {:?}, and the table says {conditions:?}",
                            statement.conditions
                        ));
                    }
                }
            }
        }
    }
    let of = |denies: bool| -> BTreeSet<&str> {
        statements
            .iter()
            .filter(|statement| statement.denies == denies)
            .flat_map(|statement| statement.actions.iter().map(String::as_str))
            .collect()
    };
    let (allowed, denied) = (of(false), of(true));
    for row in calls {
        if row.rights == Rights::Remediator && !allowed.contains(row.action) {
            faults.push(format!("{FILE} does not allow `{}`, which a remedy calls", row.action));
        }
        if row.on == Resource::Role && !denied.contains(row.action) {
            faults.push(format!("{FILE} does not deny `{}` on Cordon's own roles", row.action));
        }
    }
    faults
}

/// The local of Terraform that lists what may be changed.
fn resources(on: Resource) -> &'static str {
    match on {
        Resource::User | Resource::Role | Resource::Group => "local.remediable_principals",
        Resource::Policy => "local.editable_policies",
        Resource::Trail => "local.editable_trails",
    }
}

fn statements(file: &SourceFile) -> Vec<Statement> {
    let Ok(body) = parse_body(&file.text) else { return Vec::new() };
    let is_remediators = |block: &&Block| {
        let labels: Vec<&str> = block.labels.iter().map(BlockLabel::as_str).collect();
        block.has_ident("data") && labels == ["aws_iam_policy_document", "remediate"]
    };
    let Some(document) = body.blocks().find(is_remediators) else { return Vec::new() };
    document.body.blocks().filter_map(content).map(statement).collect()
}

/// The body of a statement, or of the one that a dynamic block makes.
fn content(block: &Block) -> Option<&Body> {
    if block.has_ident("statement") {
        return Some(&block.body);
    }
    let is_dynamic = block.has_ident("dynamic") && block.labels.first().is_some_and(|label| label.as_str() == "statement");
    is_dynamic.then(|| block.body.get_blocks("content").next()).flatten().map(|content| &content.body)
}

fn statement(body: &Body) -> Statement {
    let text = |body: &Body, key: &str| {
        body.get_attribute(key).and_then(|attribute| attribute.value.as_str()).unwrap_or_default().to_owned()
    };
    let list = |key: &str| match body.get_attribute(key).map(|attribute| &attribute.value) {
        Some(Expression::Array(list)) => list.iter().filter_map(Expression::as_str).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    };
    let resources = body.get_attribute("resources").map(|attribute| attribute.value.to_string()).unwrap_or_default();
    Statement {
        sid: text(body, "sid"),
        denies: text(body, "effect") == "Deny",
        actions: list("actions"),
        resources,
        conditions: body.get_blocks("condition").map(|condition| text(&condition.body, "variable")).collect(),
    }
}

#[test]
fn attack_8_the_remediators_role_has_the_rights_of_the_table_on_what_aws_authorises_them() {
    crate::assert_none(&faults(crate::files(), CALLS));
}

mod tests {
    use super::*;

    #[test]
    fn a_role_that_differs_from_the_table_is_noticed() {
        let file = crate::files().iter().find(|file| file.path == FILE).unwrap();
        let check = |from: &str, to: &str, says: &str| {
            assert!(file.text.contains(from), "{from}");
            let faults = faults(&[SourceFile::new(FILE, file.text.replace(from, to))], CALLS);
            assert!(faults.iter().any(|fault| fault.contains(says)), "{says}: {faults:?}");
        };
        check("\"iam:RemoveUserFromGroup\",", "", "does not allow `iam:RemoveUserFromGroup`");
        check(
            "\"iam:RemoveUserFromGroup\",",
            "\"iam:RemoveUserFromGroup\", \"iam:AddUserToGroup\",",
            "takes a person's own rights",
        );
        check("\"iam:UpdateAccessKey\",", "\"iam:UpdateAccessKey\", \"iam:DeleteUser\",", "which no remedy calls");
        check("resources = local.editable_policies", "resources = local.remediable_principals", "AWS authorises it on a Policy");
        check("variable = \"iam:PolicyARN\"", "variable = \"iam:PolicyName\"", "allows `iam:AttachUserPolicy` under");
        check(
            "\"iam:TagRole\",\n      \"iam:UntagRole\",\n      \"iam:UpdateAssumeRolePolicy\",",
            "",
            "does not deny `iam:TagRole`",
        );
        assert!(faults(&[SourceFile::new(FILE, "")], CALLS)[0].contains("no data"));
    }
}
