//! The grants of AWS's own managed policies. Attackers attach these because they already exist.
//!
//! It decides only for policies whose document is here. Every other policy is "not known", never "harmless".

use std::sync::OnceLock;

use cordon_core::same_name;
use serde_json::{Value, json};

use crate::policy::{Document, Grants, grants};

/// The policies by what follows `arn:<partition>:iam::aws:policy/`.
const NAMES: [&str; 7] = [
    "AdministratorAccess",
    "AdministratorAccess-Amplify",
    "IAMFullAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
    "SecurityAudit",
    "job-function/ViewOnlyAccess",
];

/// Each is analysed when it is first asked for.
static GRANTS: [OnceLock<Option<Grants>>; NAMES.len()] = [const { OnceLock::new() }; NAMES.len()];

/// What decides in the published documents, see
/// <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>. What only reads is left out.
fn document(name: &str) -> Value {
    match name {
        "AdministratorAccess" => json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}),
        "AdministratorAccess-Amplify" => json!({"Statement": {"Effect": "Allow", "Resource": "*", "Action": [
            "iam:PutRolePolicy", "iam:CreatePolicy", "iam:AttachRolePolicy", "iam:CreateRole", "iam:PassRole", "iam:DeleteRolePolicy",
            "iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:DeleteRole", "iam:DetachRolePolicy", "lambda:AddPermission",
            "lambda:CreateFunction", "lambda:DeleteFunction", "lambda:InvokeFunction", "sts:AssumeRole", "amplify:*"]}}),
        "IAMFullAccess" => json!({"Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}}),
        "PowerUserAccess" => json!({"Statement": [
            {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
            {"Effect": "Allow", "Action": ["iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole"], "Resource": "*"}]}),
        _ => json!({"Statement": []}),
    }
}

/// What an AWS-managed policy grants; `None` where it is not known, which includes every policy of a customer, whatever its
/// name.
#[must_use]
pub fn of(policy_arn: &str) -> Option<&'static Grants> {
    let name = aws_name(policy_arn)?;
    let position = NAMES.iter().position(|known| same_name(known, name))?;
    GRANTS.get(position)?.get_or_init(|| Document::parse(&document(name)).ok().map(|document| grants(&document))).as_ref()
}

/// What decides of the document of an AWS-managed policy; `None` where it is not known.
pub(crate) fn document_of(policy_arn: &str) -> Option<Document> {
    let name = NAMES.iter().find(|known| aws_name(policy_arn).is_some_and(|name| same_name(known, name)))?;
    Document::parse(&document(name)).ok()
}

/// The name of a policy that AWS maintains, in whichever partition.
fn aws_name(policy_arn: &str) -> Option<&str> {
    let mut parts = policy_arn.splitn(6, ':');
    let from_aws = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition == "aws" || partition.starts_with("aws-"))
        && parts.next() == Some("iam")
        && parts.next() == Some("")
        && parts.next() == Some("aws");
    parts.next().filter(|_| from_aws)?.strip_prefix("policy/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Answer;

    #[test]
    fn an_administrator_policy_is_known_in_every_partition() {
        for partition in ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"] {
            let arn = format!("arn:{partition}:iam::aws:policy/AdministratorAccess");
            assert_eq!(of(&arn).map(|grants| grants.admin), Some(Answer::Yes), "{arn}");
        }
    }

    #[test]
    fn attack_2_an_administrator_policy_is_known_in_every_spelling() {
        for name in ["ADMINISTRATORACCESS", "administratoraccess"] {
            let arn = format!("arn:aws:iam::aws:policy/{name}");
            assert_eq!(of(&arn).map(|grants| grants.admin), Some(Answer::Yes), "{arn}");
            assert!(document_of(&arn).is_some(), "{arn}");
        }
    }

    #[test]
    fn each_known_policy_grants_what_its_document_says() {
        let grants = |name: &str| of(&format!("arn:aws:iam::aws:policy/{name}")).unwrap();
        let check = |name: &str, admin: Answer, iam_write: Answer| {
            assert_eq!((grants(name).admin, grants(name).iam_write), (admin, iam_write), "{name}");
        };
        check("AdministratorAccess", Answer::Yes, Answer::Yes);
        check("IAMFullAccess", Answer::No, Answer::Yes);
        check("AdministratorAccess-Amplify", Answer::No, Answer::Yes);
        check("PowerUserAccess", Answer::No, Answer::No);
        assert!(grants("PowerUserAccess").names(Answer::Yes).all(|name| !name.starts_with("pass-role")));
        for name in ["ReadOnlyAccess", "SecurityAudit", "job-function/ViewOnlyAccess"] {
            assert_eq!(grants(name).names(Answer::Yes).count(), 0, "{name}");
        }
    }

    #[test]
    fn a_customers_policy_of_the_same_name_is_not_known() {
        for arn in [
            "arn:aws:iam::111111111111:policy/AdministratorAccess",
            "arn:aws:iam::aws:policy/AdministratorAccess2",
            "arn:aws:iam::aws:role/AdministratorAccess",
            "arn:awsx:iam::aws:policy/AdministratorAccess",
            "AdministratorAccess",
            "",
        ] {
            assert_eq!(of(arn), None, "{arn}");
        }
    }
}
