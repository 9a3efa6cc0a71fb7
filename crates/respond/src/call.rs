//! IAM's names for one and the same act on a user, a role or a group, as the card shows them.

use cordon_core::{Call, Principal, PrincipalKind};

/// The parameter of a call that carries the policy document.
pub const DOCUMENT: &str = "PolicyDocument";

#[must_use]
pub fn attach_policy(target: &Principal, policy_arn: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:AttachUserPolicy",
        PrincipalKind::Role => "iam:AttachRolePolicy",
        PrincipalKind::Group => "iam:AttachGroupPolicy",
    };
    Call::new(action, [(name_key(target), &target.name), ("PolicyArn", policy_arn)])
}

#[must_use]
pub fn detach_policy(target: &Principal, policy_arn: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:DetachUserPolicy",
        PrincipalKind::Role => "iam:DetachRolePolicy",
        PrincipalKind::Group => "iam:DetachGroupPolicy",
    };
    Call::new(action, [(name_key(target), &target.name), ("PolicyArn", policy_arn)])
}

#[must_use]
pub fn put_inline_policy(target: &Principal, name: &str, document: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:PutUserPolicy",
        PrincipalKind::Role => "iam:PutRolePolicy",
        PrincipalKind::Group => "iam:PutGroupPolicy",
    };
    Call::new(action, [(name_key(target), &target.name), ("PolicyName", name), (DOCUMENT, document)])
}

#[must_use]
pub fn delete_inline_policy(target: &Principal, name: &str) -> Call {
    let action = match target.kind {
        PrincipalKind::User => "iam:DeleteUserPolicy",
        PrincipalKind::Role => "iam:DeleteRolePolicy",
        PrincipalKind::Group => "iam:DeleteGroupPolicy",
    };
    Call::new(action, [(name_key(target), &target.name), ("PolicyName", name)])
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
