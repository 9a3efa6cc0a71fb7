//! Recognises the calls by which Cordon itself answers an incident, so that they open no incident.
//!
//! A call counts only if one of Cordon's own roles made it, which the caller of this module checks. A remedy's call is recognised
//! by its form. A call that reverts a remedy looks like an attack (it attaches the policy again), so it counts only if an undo
//! announced this very call in the table. An attacker who takes over Cordon's role is therefore still detected.

use cordon_core::event::Event;
use cordon_core::json::at;
use cordon_respond::deny;

/// A call that a remedy makes, with the parameters that it makes it with.
pub(crate) fn is_remedys(event: &Event) -> bool {
    let asked = |key: &str| at(&event.record, "/requestParameters")[key].as_str().unwrap_or_default();
    match (event.service.as_str(), event.name.as_str()) {
        // Our denies. A former document that comes back over the attacker's has no name of ours, and is judged.
        ("iam.amazonaws.com", "PutUserPolicy" | "PutRolePolicy") => deny::is_own_policy(asked("policyName")),
        ("iam.amazonaws.com", "AttachUserPolicy" | "AttachRolePolicy") => asked("policyArn") == deny::AWS_DENY_ALL,
        ("iam.amazonaws.com", "UpdateAccessKey") => asked("status") == "Inactive",
        (
            "iam.amazonaws.com",
            "DetachUserPolicy"
            | "DetachRolePolicy"
            | "DetachGroupPolicy"
            | "DeleteUserPolicy"
            | "DeleteRolePolicy"
            | "DeleteGroupPolicy"
            | "SetDefaultPolicyVersion"
            | "DeletePolicyVersion"
            | "UpdateAssumeRolePolicy"
            | "RemoveUserFromGroup"
            | "DeleteLoginProfile"
            | "PutUserPermissionsBoundary"
            | "PutRolePermissionsBoundary"
            | "DeleteUserPermissionsBoundary"
            | "DeleteRolePermissionsBoundary"
            | "TagUser"
            | "TagRole"
            | "UntagUser"
            | "UntagRole",
        )
        | ("cloudtrail.amazonaws.com", "StartLogging" | "PutEventSelectors") => true,
        _ => false,
    }
}
