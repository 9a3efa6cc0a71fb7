//! The deny-IAM document, which says what a suspected actor may no longer do.
//!
//! It denies every way to change access: all of IAM, a change of identity through STS or Roles Anywhere, the directories that
//! grant access above an account (Identity Center, Organizations, account settings), and the calls that run the caller's code
//! under a role that some resource already has (a function, a stack, an instance, a build), which need no IAM at all. It never
//! denies a workload its own data: processes that run as the actor continue, unless they assume or pass roles or deploy code.
//!
//! AWS's own `AWSCompromisedKeyQuarantineV3` lists single IAM actions. It leaves out, among others, `iam:DeleteUserPolicy`,
//! `iam:DetachRolePolicy`, the removal of permissions boundaries, `iam:TagUser`, service-specific credentials and
//! `sts:AssumeRole`. With any of these, its holder can remove or bypass the quarantine. This document therefore denies whole
//! services.
//!
//! No policy can deny `sts:GetSessionToken` ("Permissions for GetSessionToken", IAM user guide). A session made with it is still
//! the user's, so this document applies inside it.

use cordon_core::{IncidentId, redact};

/// A test derives from the known methods of escalation that none of them is left open.
///
/// Short, because all inline policies of a user together may have 2,048 characters without white space
/// ("IAM and AWS STS quotas", IAM user guide), and the user may have some already.
pub const DOCUMENT: &str = concat!(
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"CordonDenyIam","Effect":"Deny","Action":["#,
    r#""iam:*","sts:Assume*","sts:GetFederationToken","sts:GetSessionToken","sts:GetWebIdentityToken","#,
    r#""rolesanywhere:*","#,
    r#""sso:*","sso-directory:*","identitystore:*","organizations:*","account:*","#,
    // Code of the caller's under a role that is there already.
    r#""apprunner:UpdateService","batch:SubmitJob","bedrock-agentcore:*Command*","bedrock-agentcore:*Interpreter*","#,
    r#""cloudformation:Create*","cloudformation:Execute*","cloudformation:Update*","#,
    r#""codebuild:StartBuild*","codebuild:UpdateProject","codedeploy:CreateDeployment*","codestar:*","datapipeline:*","#,
    r#""ec2-instance-connect:*","ec2:CreateLaunchTemplate*","ec2:ModifyInstanceAttribute","ec2:ModifyLaunchTemplate","#,
    r#""ecs:ExecuteCommand","glue:UpdateDevEndpoint","lambda:UpdateFunctionCo*","#,
    r#""sagemaker:CreatePresigned*","sagemaker:UpdateNotebook*","#,
    r#""ssm:CreateAssociation*","ssm:SendCommand","ssm:StartAutomation*","ssm:StartSession","states:UpdateStateMachine""#,
    r#"],"Resource":"*"}]}"#
);

/// The start of the name of an inline policy that denies IAM; the incident's id follows.
pub const POLICY_PREFIX: &str = "CordonDenyIam-";

/// Everything. What AWS's quarantine forgets is in it by not being a list.
pub const ALL_DOCUMENT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"CordonDenyAll","Effect":"Deny","Action":"*","Resource":"*"}]}"#;
/// The start of the name of an inline policy that denies everything.
pub const ALL_PREFIX: &str = "CordonDenyAll-";

/// Everything that is done with temporary credentials. The console works with nothing else: it has a session made of the
/// password ("`aws:MultiFactorAuthPresent`", IAM user guide). Long-term access keys carry no `aws:TokenIssueTime`.
pub const CONSOLE_DOCUMENT: &str = concat!(
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"CordonDenyConsole","Effect":"Deny","Action":"*","Resource":"*","#,
    r#""Condition":{"Null":{"aws:TokenIssueTime":"false"}}}]}"#
);
/// The start of the name of an inline policy that denies everything to console sessions.
pub const CONSOLE_PREFIX: &str = "CordonDenyConsole-";

/// The start of the name of an inline policy that denies everything to earlier sessions.
pub const SESSIONS_PREFIX: &str = "CordonRevokeSessions-";

/// AWS's own policy that denies everything; as a permissions boundary it allows nothing.
pub const AWS_DENY_ALL: &str = "arn:aws:iam::aws:policy/AWSDenyAll";

/// Everything, to sessions that were begun before a moment, as AWS's own `AWSRevokeOlderSessions` has it.
#[must_use]
pub fn sessions_document(before: jiff::Timestamp) -> String {
    let before = before.strftime("%Y-%m-%dT%H:%M:%SZ");
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"CordonRevokeSessions","Effect":"Deny","Action":"*","Resource":"*","Condition":{{"DateLessThan":{{"aws:TokenIssueTime":"{before}"}}}}}}]}}"#
    )
}

/// The same deny on sessions, as of a later moment: the sessions that were begun until then are denied too. `None` where the
/// document is no such deny, or is as late already.
#[must_use]
pub fn sessions_document_at(document: &str, moment: jiff::Timestamp) -> Option<String> {
    let planned: serde_json::Value = serde_json::from_str(document).ok()?;
    let before = planned.pointer("/Statement/0/Condition/DateLessThan/aws:TokenIssueTime")?.as_str()?;
    let before: jiff::Timestamp = before.parse().ok()?;
    (before < moment && document == sessions_document(before)).then(|| sessions_document(moment))
}

/// True where a policy's name is one of ours.
#[must_use]
pub fn is_own_policy(name: &str) -> bool {
    [POLICY_PREFIX, ALL_PREFIX, CONSOLE_PREFIX, SESSIONS_PREFIX].iter().any(|prefix| name.starts_with(prefix))
}

/// True where a document can only deny: every statement of it is a `Deny`, and it is written as Cordon writes them, without white
/// space. A key that stands twice is read once, so its text is longer than what was read, and IAM may read the other one. What cannot be
/// read is none.
#[must_use]
pub fn denies_only(document: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<serde_json::Value>(document) else { return false };
    if policy.to_string().len() != document.len() {
        return false;
    }
    let is_deny = |statement: &serde_json::Value| statement.get("Effect").is_some_and(|effect| effect == "Deny");
    match policy.get("Statement") {
        Some(serde_json::Value::Array(statements)) => !statements.is_empty() && statements.iter().all(is_deny),
        Some(statement @ serde_json::Value::Object(_)) => is_deny(statement),
        _ => false,
    }
}

/// One name an incident, so that undoing one incident never lifts the deny of another.
#[must_use]
pub fn policy_name(incident: &IncidentId) -> String {
    named(POLICY_PREFIX, incident)
}

/// The name of an incident's inline policy: a prefix and the incident's id.
#[must_use]
pub fn named(prefix: &str, incident: &IncidentId) -> String {
    format!("{prefix}{incident}")
}

/// True where both texts are the same policy: the same bytes, or the same JSON, since white space carries no meaning.
#[must_use]
pub fn same_document(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (serde_json::from_str::<serde_json::Value>(a), serde_json::from_str::<serde_json::Value>(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// Whether a document that IAM returns is the one that the event set, of which only what is no secret is kept
/// ([`cordon_core::Touched::cut_secrets`]).
#[must_use]
pub fn is_as_set(now: &str, set: &str) -> bool {
    same_document(now, set) || same_document(&redact::document(now), set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_core::pattern::Pattern;
    use serde_json::Value;

    fn denies(action: &str) -> bool {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let actions = document["Statement"][0]["Action"].as_array().unwrap().clone();
        actions.iter().any(|pattern| Pattern::new(pattern.as_str().unwrap()).matches(action))
    }

    #[test]
    fn the_document_is_one_unconditional_deny_on_everything() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let statements = document["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 1);
        assert_eq!((&statements[0]["Effect"], &statements[0]["Resource"]), (&Value::from("Deny"), &Value::from("*")));
        assert!(statements[0].get("Condition").is_none() && statements[0].get("NotAction").is_none());
    }

    #[test]
    fn what_awss_own_quarantine_forgets_is_denied() {
        for action in [
            "iam:DeleteUserPolicy",
            "iam:DetachRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:DeleteUserPermissionsBoundary",
            "iam:DeleteRolePermissionsBoundary",
            "iam:TagUser",
            "iam:CreateServiceSpecificCredential",
            "sts:AssumeRole",
        ] {
            assert!(denies(action), "{action}");
        }
    }

    #[test]
    fn every_way_to_another_identity_is_denied() {
        for action in [
            "iam:PassRole",
            "iam:CreateUser",
            "iam:UpdateAssumeRolePolicy",
            "sts:AssumeRoot",
            "sts:GetFederationToken",
            "sts:GetSessionToken",
            "sts:GetWebIdentityToken",
            "rolesanywhere:CreateTrustAnchor",
            "sso:CreateAccountAssignment",
            "sso-directory:CreateUser",
            "identitystore:CreateGroupMembership",
            "organizations:LeaveOrganization",
            "account:StartPrimaryEmailUpdate",
        ] {
            assert!(denies(action), "{action}");
        }
    }

    #[test]
    fn the_workload_goes_on() {
        for action in [
            "s3:GetObject",
            "dynamodb:PutItem",
            "logs:PutLogEvents",
            "sts:GetCallerIdentity",
            "sts:GetServiceBearerToken",
            "lambda:InvokeFunction",
            "ec2:DescribeLaunchTemplates",
            "ssm:GetParameter",
            "ssm:UpdateInstanceInformation",
            "sagemaker:InvokeEndpoint",
            "cloudformation:DescribeStacks",
            "states:StartExecution",
        ] {
            assert!(!denies(action), "{action}");
        }
    }

    #[test]
    fn the_document_leaves_room_in_the_quota_of_a_user() {
        // Two incidents of one user each have theirs.
        assert!(2 * DOCUMENT.len() <= 2_048, "{}", DOCUMENT.len());
        assert!(!DOCUMENT.contains(char::is_whitespace));
    }

    #[test]
    fn two_incidents_never_share_a_policy_and_the_name_is_one_that_iam_takes() {
        let name = |id: &str| policy_name(&id.parse().unwrap());
        let one = name("inc-0123456789abcdef0123");
        assert_ne!(one, name("inc-0123456789abcdef0124"));
        assert!(one.len() <= 128 && one.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b)));
    }

    #[test]
    fn the_deny_of_sessions_moves_to_a_later_moment_and_nothing_else_does() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let (planned, later) = (at("2026-01-02T03:04:05Z"), at("2026-01-02T05:00:00Z"));
        let moved = sessions_document_at(&sessions_document(planned), later).unwrap();
        assert_eq!(moved, sessions_document(later));
        assert_eq!(sessions_document_at(&moved, planned), None, "never to an earlier one");
        assert_eq!(sessions_document_at(ALL_DOCUMENT, later), None);
        let edited = sessions_document(planned).replace("\"Action\":\"*\"", "\"Action\":\"s3:*\"");
        assert_eq!(sessions_document_at(&edited, later), None);
    }

    #[test]
    fn white_space_does_not_make_another_document_and_content_does() {
        assert!(same_document("{\"a\": 1}", "{ \"a\":1 }"));
        assert!(!same_document("{\"a\":1}", "{\"a\":2}"));
        assert!(same_document("not json", "not json"));
        assert!(!same_document("not json", "nor this"));
    }
}
