//! Every call that Cordon makes, and what AWS authorises it on, in one table.
//!
//! A call can be about one thing and be authorised on another: taking a user out of a group is authorised on the group. So the
//! scope is asked about everything in this table ([`crate::bounds`]), and Terraform's role for the remediator is compared with it
//! by a test. A call that is not here is never planned.
//!
//! Source of the resources: "Actions, resources, and condition keys" of IAM and CloudTrail, service authorization reference.

use cordon_core::Call;

/// The kind of thing that AWS authorises a call on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A user.
    User,
    /// A role.
    Role,
    /// A group.
    Group,
    /// A managed policy.
    Policy,
    /// A trail of CloudTrail.
    Trail,
}

/// Whose rights make the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// The remediator's role has them.
    Remediator,
    /// It only undoes, and would give an attacker on the remediator too much: it needs the rights of whoever runs
    /// `cordon incident undo`.
    Person,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorised {
    /// Such as `iam:DetachUserPolicy`.
    pub action: &'static str,
    /// The kind of thing that AWS authorises it on.
    pub on: Resource,
    /// The call's parameter that names the thing.
    pub named_by: &'static str,
    /// AWS's condition key by which Terraform limits the call further.
    pub condition: Option<&'static str>,
    /// Whose rights make it.
    pub rights: Rights,
}

const POLICY: Option<&str> = Some("iam:PolicyARN");
const BOUNDARY: Option<&str> = Some("iam:PermissionsBoundary");
const TAGS: Option<&str> = Some("aws:TagKeys");

/// Every call that a plan can hold, to make or to take back.
pub const CALLS: &[Authorised] = &[
    call("iam:AttachUserPolicy", Resource::User, POLICY),
    call("iam:AttachRolePolicy", Resource::Role, POLICY),
    call("iam:AttachGroupPolicy", Resource::Group, POLICY),
    call("iam:DetachUserPolicy", Resource::User, POLICY),
    call("iam:DetachRolePolicy", Resource::Role, POLICY),
    call("iam:DetachGroupPolicy", Resource::Group, POLICY),
    call("iam:PutUserPolicy", Resource::User, None),
    call("iam:PutRolePolicy", Resource::Role, None),
    call("iam:PutGroupPolicy", Resource::Group, None),
    call("iam:DeleteUserPolicy", Resource::User, None),
    call("iam:DeleteRolePolicy", Resource::Role, None),
    call("iam:DeleteGroupPolicy", Resource::Group, None),
    call("iam:PutUserPermissionsBoundary", Resource::User, BOUNDARY),
    call("iam:PutRolePermissionsBoundary", Resource::Role, BOUNDARY),
    call("iam:DeleteUserPermissionsBoundary", Resource::User, None),
    call("iam:DeleteRolePermissionsBoundary", Resource::Role, None),
    call("iam:TagUser", Resource::User, TAGS),
    call("iam:TagRole", Resource::Role, TAGS),
    call("iam:UntagUser", Resource::User, TAGS),
    call("iam:UntagRole", Resource::Role, TAGS),
    call("iam:UpdateAssumeRolePolicy", Resource::Role, None),
    call("iam:UpdateAccessKey", Resource::User, None),
    call("iam:DeleteLoginProfile", Resource::User, None),
    // Authorised on the group, not on the user.
    call("iam:RemoveUserFromGroup", Resource::Group, None),
    by_a_person(call("iam:AddUserToGroup", Resource::Group, None)),
    call("iam:SetDefaultPolicyVersion", Resource::Policy, None),
    call("iam:DeletePolicyVersion", Resource::Policy, None),
    by_a_person(call("iam:CreatePolicyVersion", Resource::Policy, None)),
    call("cloudtrail:StartLogging", Resource::Trail, None),
    by_a_person(call("cloudtrail:StopLogging", Resource::Trail, None)),
    Authorised { named_by: "TrailName", ..call("cloudtrail:PutEventSelectors", Resource::Trail, None) },
];

const fn call(action: &'static str, on: Resource, condition: Option<&'static str>) -> Authorised {
    let named_by = match on {
        Resource::User => "UserName",
        Resource::Role => "RoleName",
        Resource::Group => "GroupName",
        Resource::Policy => "PolicyArn",
        Resource::Trail => "Name",
    };
    Authorised { action, on, named_by, condition, rights: Rights::Remediator }
}

const fn by_a_person(call: Authorised) -> Authorised {
    Authorised { rights: Rights::Person, ..call }
}

impl Authorised {
    /// The row of a call.
    #[must_use]
    pub fn of(call: &Call) -> Option<&'static Self> {
        CALLS.iter().find(|row| row.action == call.action)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn attack_8_every_call_that_cordon_can_make_has_its_row_and_no_row_is_idle() {
        let source = include_str!("call.rs");
        let (code, _) = source.split_once("#[cfg(test)]").unwrap();
        let texts = code.split('"').skip(1).step_by(2);
        let made: BTreeSet<&str> = texts.filter(|text| text.starts_with("iam:") || text.starts_with("cloudtrail:")).collect();
        let rows: BTreeSet<&str> = CALLS.iter().map(|row| row.action).collect();
        assert_eq!(made, rows);
        assert_eq!(rows.len(), CALLS.len(), "an action stands twice");
    }
}
