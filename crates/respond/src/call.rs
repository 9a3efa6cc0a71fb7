//! AWS's names of the calls, as the card shows them: the same action has different names on a user, a role and a group.
//!
//! Groups have neither boundaries nor tags, so no plan calls this with one.

use cordon_core::{Call, Principal, PrincipalKind};

/// The parameter of a call that carries the policy document.
pub const DOCUMENT: &str = "PolicyDocument";

/// Attaches a managed policy to a principal.
#[must_use]
pub fn attach_policy(target: &Principal, policy_arn: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:AttachUserPolicy",
        PrincipalKind::Role => "iam:AttachRolePolicy",
        PrincipalKind::Group => "iam:AttachGroupPolicy",
    };
    Call::new(action, [(name_key(target), &target.name), ("PolicyArn", policy_arn)])
}

/// Detaches a managed policy from a principal.
#[must_use]
pub fn detach_policy(target: &Principal, policy_arn: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:DetachUserPolicy",
        PrincipalKind::Role => "iam:DetachRolePolicy",
        PrincipalKind::Group => "iam:DetachGroupPolicy",
    };
    Call::new(action, [(name_key(target), &target.name), ("PolicyArn", policy_arn)])
}

/// Writes an inline policy of a principal.
#[must_use]
pub fn put_inline_policy(target: &Principal, name: &str, document: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:PutUserPolicy",
        PrincipalKind::Role => "iam:PutRolePolicy",
        PrincipalKind::Group => "iam:PutGroupPolicy",
    };
    Call::new(action, [(name_key(target), &target.name), ("PolicyName", name), (DOCUMENT, document)])
}

/// Deletes an inline policy of a principal.
#[must_use]
pub fn delete_inline_policy(target: &Principal, name: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:DeleteUserPolicy",
        PrincipalKind::Role => "iam:DeleteRolePolicy",
        PrincipalKind::Group => "iam:DeleteGroupPolicy",
    };
    Call::new(action, [(name_key(target), &target.name), ("PolicyName", name)])
}

/// Sets the permissions boundary of a user or role.
#[must_use]
pub fn set_boundary(target: &Principal, policy_arn: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:PutUserPermissionsBoundary",
        PrincipalKind::Role | PrincipalKind::Group => "iam:PutRolePermissionsBoundary",
    };
    Call::new(action, [(name_key(target), &target.name), ("PermissionsBoundary", policy_arn)])
}

/// Takes the permissions boundary off a user or role.
#[must_use]
pub fn delete_boundary(target: &Principal) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:DeleteUserPermissionsBoundary",
        PrincipalKind::Role | PrincipalKind::Group => "iam:DeleteRolePermissionsBoundary",
    };
    Call::new(action, [(name_key(target), target.name.as_str())])
}

/// Sets a tag of a user or role.
#[must_use]
pub fn tag(target: &Principal, key: &str, value: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:TagUser",
        PrincipalKind::Role | PrincipalKind::Group => "iam:TagRole",
    };
    Call::new(action, [(name_key(target), target.name.as_str()), ("Key", key), ("Value", value)])
}

/// Takes a tag off a user or role.
#[must_use]
pub fn untag(target: &Principal, key: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:UntagUser",
        PrincipalKind::Role | PrincipalKind::Group => "iam:UntagRole",
    };
    Call::new(action, [(name_key(target), target.name.as_str()), ("Key", key)])
}

/// Replaces a role's trust policy.
#[must_use]
pub fn set_trust_policy(role: &str, document: &str) -> Call {
    Call::new("iam:UpdateAssumeRolePolicy", [("RoleName", role), (DOCUMENT, document)])
}

/// Turns an access key of a user on or off.
#[must_use]
pub fn set_access_key(user: &str, id: &str, active: bool) -> Call {
    let status = if active { "Active" } else { "Inactive" };
    Call::new("iam:UpdateAccessKey", [("UserName", user), ("AccessKeyId", id), ("Status", status)])
}

/// Deletes a user's console password.
#[must_use]
pub fn delete_login_profile(user: &str) -> Call {
    Call::new("iam:DeleteLoginProfile", [("UserName", user)])
}

/// Puts a user into a group.
#[must_use]
pub fn add_to_group(user: &str, group: &str) -> Call {
    Call::new("iam:AddUserToGroup", [("UserName", user), ("GroupName", group)])
}

/// Takes a user out of a group.
#[must_use]
pub fn remove_from_group(user: &str, group: &str) -> Call {
    Call::new("iam:RemoveUserFromGroup", [("UserName", user), ("GroupName", group)])
}

/// Makes a version of a managed policy its default.
#[must_use]
pub fn set_default_policy_version(policy_arn: &str, version: &str) -> Call {
    Call::new("iam:SetDefaultPolicyVersion", [("PolicyArn", policy_arn), ("VersionId", version)])
}

/// Makes a version of a managed policy that is not its default.
#[must_use]
pub fn create_policy_version(policy_arn: &str, document: &str) -> Call {
    Call::new("iam:CreatePolicyVersion", [("PolicyArn", policy_arn), (DOCUMENT, document), ("SetAsDefault", "false")])
}

/// Deletes a version of a managed policy.
#[must_use]
pub fn delete_policy_version(policy_arn: &str, version: &str) -> Call {
    Call::new("iam:DeletePolicyVersion", [("PolicyArn", policy_arn), ("VersionId", version)])
}

/// Starts the logging of a trail.
#[must_use]
pub fn start_logging(trail_arn: &str) -> Call {
    Call::new("cloudtrail:StartLogging", [("Name", trail_arn)])
}

/// Stops the logging of a trail.
#[must_use]
pub fn stop_logging(trail_arn: &str) -> Call {
    Call::new("cloudtrail:StopLogging", [("Name", trail_arn)])
}

/// Replaces the event selectors of a trail.
#[must_use]
pub fn put_event_selectors(trail_arn: &str, selectors: &str) -> Call {
    Call::new("cloudtrail:PutEventSelectors", [("TrailName", trail_arn), ("Selectors", selectors)])
}

fn name_key(target: &Principal) -> &'static str {
    match target.kind {
        PrincipalKind::User => "UserName",
        PrincipalKind::Role => "RoleName",
        PrincipalKind::Group => "GroupName",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_principal_has_its_own_call() {
        let check = |kind, expected: [&str; 2]| {
            let target = Principal::new(kind, "111111111111".parse().unwrap(), "a");
            let calls = [detach_policy(&target, "p").to_string(), put_inline_policy(&target, "n", "{}").to_string()];
            assert_eq!(calls, expected);
        };
        check(
            PrincipalKind::User,
            ["iam:DetachUserPolicy PolicyArn=p UserName=a", "iam:PutUserPolicy PolicyDocument={} PolicyName=n UserName=a"],
        );
        check(
            PrincipalKind::Role,
            ["iam:DetachRolePolicy PolicyArn=p RoleName=a", "iam:PutRolePolicy PolicyDocument={} PolicyName=n RoleName=a"],
        );
        check(
            PrincipalKind::Group,
            ["iam:DetachGroupPolicy GroupName=a PolicyArn=p", "iam:PutGroupPolicy GroupName=a PolicyDocument={} PolicyName=n"],
        );
    }
}
