//! The organisation's guardrails of `infra/guardrails`: what they deny to whom, and that they fit.

#![cfg(test)]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod evaluate;
mod module;

use std::sync::LazyLock;

use cordon_tests::repository;
use evaluate::{Call, denied_by};
use module::{Module, variables};
use serde_json::json;

const HUB: &str = "111122223333";
const ATTACKER: &str = "arn:aws:iam::111122223333:role/admin";
const SECURITY: &str = "arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Security_0f";
const ON_CALL: &str = "arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_OnCall_0f";
const DEPLOY: &str = "arn:aws:iam::111122223333:role/deploy";
/// "Maximum size of an SCP document", AWS Organizations user guide.
const SCP_MAX_CHARS: usize = 5_120;

#[track_caller]
fn check(policy: &str, principal: &str, action: &str, resource: &str, context: &[(&str, &[&str])], expected: Option<&str>) {
    static EXAMPLE: LazyLock<Module> = LazyLock::new(|| Module::new(&variables()));
    let policy = EXAMPLE.policy(policy);
    let call = Call { action, resource, principal, context };
    assert_eq!(denied_by(&policy, &call), expected, "{action} on {resource} by {principal} with {context:?}");
}

const USER: &str = "arn:aws:iam::444455556666:user/ops/bob";

#[test]
fn only_the_named_roles_change_an_exception_tag_however_it_is_spelt() {
    let tagging = |principal: &str, action: &str, keys: &[&str], expected: Option<&str>| {
        check("exceptions", principal, action, USER, &[("aws:TagKeys", keys)], expected);
    };
    for action in ["iam:TagUser", "iam:TagRole", "iam:UntagUser", "iam:UntagRole", "iam:CreateUser", "iam:CreateRole"] {
        tagging(ATTACKER, action, &["SecurityApproved"], Some("ExceptionTags"));
        tagging(ATTACKER, action, &["team", "securityapproveduntil"], Some("ExceptionTags"));
        tagging("arn:aws:iam::444455556666:user/ops/bob", action, &["SECURITYAPPROVED"], Some("ExceptionTags"));
        tagging("arn:aws:iam::444455556666:root", action, &["SecurityApproved"], Some("ExceptionTags"));
        tagging(SECURITY, action, &["SecurityApproved"], None);
        tagging(ATTACKER, action, &["team", "SecurityApproved2"], None);
        tagging(ATTACKER, action, &[], None);
    }
    // Look-alikes of the named role.
    for role in [
        "role/AWSReservedSSO_Security_0f",
        "role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Securityx",
        "user/AWSReservedSSO_Security_0f",
    ] {
        tagging(&format!("arn:aws:iam::444455556666:{role}"), "iam:TagUser", &["SecurityApproved"], Some("ExceptionTags"));
    }
}

#[test]
fn nobody_else_takes_over_who_is_exempt_or_joins_an_exempt_group() {
    let tagged: &[(&str, &[&str])] = &[("aws:ResourceTag/SecurityApproved", &["true"])];
    for action in [
        "iam:UpdateUser",
        "iam:CreateAccessKey",
        "iam:CreateLoginProfile",
        "iam:UpdateLoginProfile",
        "iam:UpdateAssumeRolePolicy",
    ] {
        check("exceptions", ATTACKER, action, USER, tagged, Some("ExemptPrincipals"));
        check("exceptions", SECURITY, action, USER, tagged, None);
        check("exceptions", ATTACKER, action, USER, &[], None);
    }
    let joins = |principal: &str, group: &str, expected: Option<&str>| {
        check("exceptions", principal, "iam:AddUserToGroup", &format!("arn:aws:iam::444455556666:group/{group}"), &[], expected);
    };
    joins(ATTACKER, "admins", Some("ExemptGroups"));
    joins(ATTACKER, "ops/admins", Some("ExemptGroups"));
    joins(SECURITY, "admins", None);
    joins(ATTACKER, "admins2", None);
}

#[test]
fn a_managed_quarantine_stays_on_and_an_inline_one_is_said_not_to_be_protected() {
    let detach = |principal: &str, policy: &str, expected: Option<&str>| {
        check("quarantine", principal, "iam:DetachUserPolicy", USER, &[("iam:PolicyARN", &[policy])], expected);
    };
    for policy in [
        "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3",
        "arn:aws:iam::aws:policy/AWSDenyAll",
        "arn:aws:iam::444455556666:policy/CordonDenyAll-inc-0123456789abcdef0123",
    ] {
        detach(ATTACKER, policy, Some("AttachedQuarantine"));
        detach(ON_CALL, policy, None);
        detach("arn:aws:iam::444455556666:role/cordon-remediate", policy, None);
    }
    detach(ATTACKER, "arn:aws:iam::aws:policy/ReadOnlyAccess", None);
    let own = "arn:aws:iam::444455556666:policy/CordonDenyAll-inc-0123456789abcdef0123";
    for action in ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy"] {
        check("quarantine", ATTACKER, action, own, &[], Some("QuarantineDocuments"));
        check("quarantine", ATTACKER, action, "arn:aws:iam::444455556666:policy/web", &[], None);
    }
    let boundary: &[(&str, &[&str])] = &[("iam:PermissionsBoundary", &[own])];
    check("quarantine", ATTACKER, "iam:DeleteUserPermissionsBoundary", USER, boundary, Some("QuarantineBoundary"));
    check("quarantine", ATTACKER, "iam:DeleteUserPermissionsBoundary", USER, &[], None);
    // IAM tells a control policy whose inline policy is deleted, and not which one. The page has to say so.
    check("quarantine", ATTACKER, "iam:DeleteUserPolicy", USER, &[], None);
    let page = repository::read("docs/operating.md").unwrap();
    assert!(page.contains("inline") && page.contains("iam:DeleteUserPolicy"), "docs/operating.md must say what is not protected");
}

#[test]
fn cordons_own_parts_are_its_own_its_deployers_and_its_responders() {
    let remediator = format!("arn:aws:iam::{HUB}:role/cordon-remediate");
    for (action, resource, sid) in [
        ("iam:PutRolePolicy", remediator.as_str(), "RolesOfCordon"),
        ("iam:UpdateAssumeRolePolicy", "arn:aws:iam::444455556666:role/cordon-spoke", "RolesOfCordon"),
        ("iam:CreateRole", "arn:aws:iam::444455556666:role/cordon-x", "RolesOfCordon"),
        ("iam:PassRole", remediator.as_str(), "RolesOfCordon"),
        ("sts:AssumeRole", "arn:aws:iam::444455556666:role/cordon-spoke", "RolesOfCordon"),
        ("dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:111122223333:table/cordon", "PartsOfCordon"),
        ("dynamodb:DeleteItem", "arn:aws:dynamodb:us-east-1:111122223333:table/cordon", "PartsOfCordon"),
        ("dynamodb:UpdateContinuousBackups", "arn:aws:dynamodb:us-east-1:111122223333:table/cordon", "PartsOfCordon"),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:us-east-1:111122223333:function:cordon-classify", "PartsOfCordon"),
        ("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:111122223333:function:cordon-remediate:7", "PartsOfCordon"),
        ("states:StartExecution", "arn:aws:states:us-east-1:111122223333:stateMachine:cordon", "PartsOfCordon"),
        ("states:StopExecution", "arn:aws:states:us-east-1:111122223333:execution:cordon:x", "PartsOfCordon"),
        ("events:DisableRule", "arn:aws:events:us-east-1:111122223333:rule/cordon-incident-00", "PartsOfCordon"),
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:us-east-1:111122223333:secret:cordon-slack-AbCdEf",
            "PartsOfCordon",
        ),
        ("sns:DeleteTopic", "arn:aws:sns:us-east-1:111122223333:cordon-alerts", "PartsOfCordon"),
        ("logs:DeleteLogGroup", "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/cordon-notify", "PartsOfCordon"),
    ] {
        check("cordon", ATTACKER, action, resource, &[], Some(sid));
        for allowed in [DEPLOY, ON_CALL, "arn:aws:iam::111122223333:role/cordon-events"] {
            check("cordon", allowed, action, resource, &[], None);
        }
    }
    // The same names in an account that is not Cordon's, and names that only look like Cordon's.
    check("cordon", ATTACKER, "dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:444455556666:table/cordon", &[], None);
    check("cordon", ATTACKER, "dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:111122223333:table/cordon2", &[], None);
    check("cordon", ATTACKER, "iam:PutRolePolicy", "arn:aws:iam::111122223333:role/cordonbleu", &[], None);
    check("cordon", ATTACKER, "dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:111122223333:table/cordon", &[], None);
    // A role of that name in another account is no part of Cordon here.
    check(
        "cordon",
        "arn:aws:iam::444455556666:role/cordon-x",
        "dynamodb:PutItem",
        "arn:aws:dynamodb:us-east-1:111122223333:table/cordon",
        &[],
        Some("PartsOfCordon"),
    );
}

#[test]
fn every_policy_fits_and_names_its_statements() {
    let mut variables = variables();
    for list in ["exception_role_arns", "responder_role_arns"] {
        let role = format!("arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com/eu-central-1/{}", "x".repeat(64));
        variables[list].as_array_mut().unwrap().extend(vec![hcl::Value::from(role); 5]);
    }
    let module = Module::new(&variables);
    for name in ["exceptions", "quarantine", "cordon"] {
        let policy = module.policy(name);
        let size = policy.to_string().len();
        assert!(size <= SCP_MAX_CHARS, "{name} has {size} characters with five long roles more");
        assert_eq!(policy["Version"], "2012-10-17");
        for statement in policy["Statement"].as_array().unwrap() {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(sid.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{sid}");
            assert!(statement.get("Principal").is_none(), "a control policy names no principal");
            assert!(statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"].is_array(), "{sid} denies its own roles too");
        }
    }
    let tags = module.policy("tags");
    assert_eq!(tags["tags"]["securityapproved"]["tag_key"]["@@assign"], "SecurityApproved");
    assert_eq!(tags["tags"]["securityapproveduntil"]["tag_value"]["@@assign"], json!(["20*"]));
}
