//! The four roles that Cordon has in an account, and which of them makes a call.
//!
//! Each role stands behind a function of its own, so that an attacker who gets one of them gets no more than its part:
//!
//! - the *reader* reads;
//! - *containment* reads, too, and takes rights away by means that IAM can judge: AWS's own deny, attached or as a boundary, and keys;
//! - *documents* writes inline documents that deny, whose content IAM cannot judge;
//! - *restoration* gives a former state back: that from before the event, or that from before the containment.
//!
//! A call and its role stand in [`GRANTS`]. The policies of the roles ([`policy`]) are made from that table and nothing else, so
//! what a role may do and what the runner asks of it cannot part.
//!
//! INVARIANT: whatever the scope says and whatever else is attached to it, the reader reads, and every role that writes is denied
//! all but reads of what `never_touch` names, of Cordon's own roles and policies, and of the roles that an organisation relies on.
//!
//! Containment can also switch a key on: IAM has no condition on the status that `UpdateAccessKey` sets.

use std::collections::{BTreeMap, BTreeSet};

use cordon_core::pattern::{NamePattern, Pattern};
use cordon_core::{AccountId, Call, same_arn};
use serde_json::{Value, json};

use crate::authorised::{Authorised, CALLS, Resource};
use crate::deny;

/// One of the four roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Power {
    /// Reads principals, policies and trails.
    Reader,
    /// Takes rights away, as far as IAM can judge the call.
    Containment,
    /// Writes and removes inline documents.
    Documents,
    /// Gives a former state back.
    Restoration,
}

impl Power {
    /// All of them, the weakest first.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Containment, Self::Documents, Self::Restoration];

    /// The word in the role's name, such as `cordon-containment`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Containment => "containment",
            Self::Documents => "documents",
            Self::Restoration => "restoration",
        }
    }

    /// The role that makes a call; `None` for a call that no role makes, because a person's own rights have to.
    #[must_use]
    pub fn of(call: &Call) -> Option<Self> {
        GRANTS.iter().find(|grant| grant.action == call.action && grant.limit.admits(call)).map(|grant| grant.power)
    }
}

/// How a grant is limited. What IAM can judge is a condition of the role's policy, everything else is kept by the code alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Not at all.
    None,
    /// `AWSDenyAll` as the policy.
    DenyPolicy,
    /// Any other policy.
    OtherPolicy,
    /// `AWSDenyAll` as the boundary.
    DenyBoundary,
    /// Any other boundary.
    OtherBoundary,
    /// The keys of the exception tags.
    ExceptionTags,
    /// An inline policy that is a deny of Cordon's, by its name. IAM has no condition on the name.
    OwnDeny,
    /// Any other inline policy. IAM has no condition on the name.
    OtherDocument,
    /// Switching a key off. IAM has no condition on the status.
    KeyOff,
    /// Switching a key on. IAM has no condition on the status.
    KeyOn,
}

impl Limit {
    /// True where a call of the grant's action keeps to the limit.
    #[must_use]
    pub fn admits(self, call: &Call) -> bool {
        let parameter = |name: &str| call.parameters.get(name).map(String::as_str).unwrap_or_default();
        match self {
            Self::None | Self::ExceptionTags => true,
            Self::DenyPolicy => is_deny_all(parameter("PolicyArn")),
            Self::OtherPolicy => !is_deny_all(parameter("PolicyArn")),
            Self::DenyBoundary => is_deny_all(parameter("PermissionsBoundary")),
            Self::OtherBoundary => !is_deny_all(parameter("PermissionsBoundary")),
            Self::OwnDeny => deny::is_own_policy(parameter("PolicyName")),
            Self::OtherDocument => !deny::is_own_policy(parameter("PolicyName")),
            Self::KeyOff => parameter("Status") == "Inactive",
            Self::KeyOn => parameter("Status") != "Inactive",
        }
    }

    fn condition(self, keys: &[String]) -> Option<Value> {
        match self {
            Self::None | Self::OwnDeny | Self::OtherDocument | Self::KeyOff | Self::KeyOn => None,
            Self::DenyPolicy => Some(json!({"ArnEquals": {"iam:PolicyARN": DENY_ALL}})),
            Self::OtherPolicy => Some(json!({"ArnNotEquals": {"iam:PolicyARN": DENY_ALL}})),
            Self::DenyBoundary => Some(json!({"ArnEquals": {"iam:PermissionsBoundary": DENY_ALL}})),
            Self::OtherBoundary => Some(json!({"ArnNotEquals": {"iam:PermissionsBoundary": DENY_ALL}})),
            // `ForAllValues` is also true of no key at all.
            Self::ExceptionTags => {
                Some(json!({"ForAllValues:StringEquals": {"aws:TagKeys": keys}, "Null": {"aws:TagKeys": "false"}}))
            }
        }
    }
}

const DENY_ALL: &str = "arn:{partition}:iam::aws:policy/AWSDenyAll";

fn is_deny_all(arn: &str) -> bool {
    same_arn(arn, deny::AWS_DENY_ALL) || arn.ends_with(":iam::aws:policy/AWSDenyAll")
}

/// A call that a role makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Such as `iam:DetachUserPolicy`.
    pub action: &'static str,
    /// The role.
    pub power: Power,
    /// Within this.
    pub limit: Limit,
}

const fn grant(action: &'static str, power: Power, limit: Limit) -> Grant {
    Grant { action, power, limit }
}

/// Every call that a role of Cordon makes in an account. Each call of [`CALLS`] that takes no person's rights fits exactly one row.
pub const GRANTS: &[Grant] = &[
    grant("iam:AttachUserPolicy", Power::Containment, Limit::DenyPolicy),
    grant("iam:AttachRolePolicy", Power::Containment, Limit::DenyPolicy),
    grant("iam:AttachGroupPolicy", Power::Containment, Limit::DenyPolicy),
    grant("iam:AttachUserPolicy", Power::Restoration, Limit::OtherPolicy),
    grant("iam:AttachRolePolicy", Power::Restoration, Limit::OtherPolicy),
    grant("iam:AttachGroupPolicy", Power::Restoration, Limit::OtherPolicy),
    grant("iam:DetachUserPolicy", Power::Restoration, Limit::None),
    grant("iam:DetachRolePolicy", Power::Restoration, Limit::None),
    grant("iam:DetachGroupPolicy", Power::Restoration, Limit::None),
    grant("iam:PutUserPolicy", Power::Documents, Limit::OwnDeny),
    grant("iam:PutRolePolicy", Power::Documents, Limit::OwnDeny),
    grant("iam:PutGroupPolicy", Power::Documents, Limit::OwnDeny),
    grant("iam:PutUserPolicy", Power::Restoration, Limit::OtherDocument),
    grant("iam:PutRolePolicy", Power::Restoration, Limit::OtherDocument),
    grant("iam:PutGroupPolicy", Power::Restoration, Limit::OtherDocument),
    grant("iam:DeleteUserPolicy", Power::Restoration, Limit::None),
    grant("iam:DeleteRolePolicy", Power::Restoration, Limit::None),
    grant("iam:DeleteGroupPolicy", Power::Restoration, Limit::None),
    grant("iam:PutUserPermissionsBoundary", Power::Containment, Limit::DenyBoundary),
    grant("iam:PutRolePermissionsBoundary", Power::Containment, Limit::DenyBoundary),
    grant("iam:PutUserPermissionsBoundary", Power::Restoration, Limit::OtherBoundary),
    grant("iam:PutRolePermissionsBoundary", Power::Restoration, Limit::OtherBoundary),
    grant("iam:DeleteUserPermissionsBoundary", Power::Restoration, Limit::None),
    grant("iam:DeleteRolePermissionsBoundary", Power::Restoration, Limit::None),
    grant("iam:TagUser", Power::Restoration, Limit::ExceptionTags),
    grant("iam:TagRole", Power::Restoration, Limit::ExceptionTags),
    grant("iam:UntagUser", Power::Restoration, Limit::ExceptionTags),
    grant("iam:UntagRole", Power::Restoration, Limit::ExceptionTags),
    grant("iam:UpdateAssumeRolePolicy", Power::Restoration, Limit::None),
    grant("iam:UpdateAccessKey", Power::Containment, Limit::KeyOff),
    grant("iam:UpdateAccessKey", Power::Restoration, Limit::KeyOn),
    grant("iam:DeleteLoginProfile", Power::Restoration, Limit::None),
    grant("iam:RemoveUserFromGroup", Power::Restoration, Limit::None),
    grant("iam:SetDefaultPolicyVersion", Power::Restoration, Limit::None),
    grant("iam:DeletePolicyVersion", Power::Restoration, Limit::None),
    grant("cloudtrail:StartLogging", Power::Restoration, Limit::None),
    grant("cloudtrail:PutEventSelectors", Power::Restoration, Limit::None),
];

/// The reads, with the resources that AWS authorises them on.
const READS: &[(&[&str], &[&str])] = &[
    (
        &[
            "iam:GetGroup",
            "iam:GetGroupPolicy",
            "iam:GetLoginProfile",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:GetUser",
            "iam:GetUserPolicy",
            "iam:ListAccessKeys",
            "iam:ListAttachedGroupPolicies",
            "iam:ListAttachedRolePolicies",
            "iam:ListAttachedUserPolicies",
            "iam:ListGroupsForUser",
            "iam:ListRolePolicies",
            "iam:ListRoleTags",
            "iam:ListUserPolicies",
            "iam:ListUserTags",
        ],
        &[
            "arn:{partition}:iam::{account}:group/*",
            "arn:{partition}:iam::{account}:role/*",
            "arn:{partition}:iam::{account}:user/*",
        ],
    ),
    (
        &["iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions"],
        &["arn:{partition}:iam::{account}:policy/*", "arn:{partition}:iam::aws:policy/*"],
    ),
    // The request names a key, not its user, so that the user's ARN is not always there to be judged by.
    (&["iam:GetAccessKeyLastUsed"], &["*"]),
    (&["cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus"], &["arn:{partition}:cloudtrail:*:{account}:trail/*"]),
];

/// Roles that no scope opens: AWS's own, and those by which an organisation reaches its accounts.
const NEVER: &[&str] = &[
    "arn:{partition}:iam::{account}:role/OrganizationAccountAccessRole",
    "arn:{partition}:iam::{account}:role/AWSControlTowerExecution",
    "arn:{partition}:iam::{account}:role/stacksets-exec-*",
    "arn:{partition}:iam::{account}:role/aws-service-role/*",
    "arn:{partition}:iam::{account}:role/aws-reserved/*",
];

/// The part of an account in which the roles may act.
#[derive(Debug, Clone, Copy)]
pub struct Territory<'a> {
    /// ARN patterns of users, roles and groups: `scope.principals`.
    pub principals: &'a [Pattern],
    /// ARN patterns of the account's own managed policies: `scope.policies`.
    pub policies: &'a [Pattern],
    /// ARN patterns of trails: `scope.trails`.
    pub trails: &'a [Pattern],
    /// What wins over all of these: `scope.never_touch`.
    pub never: &'a [NamePattern],
    /// The keys of the exception tags.
    pub tag_keys: &'a [String],
    /// The path of Cordon's own roles in the account, such as `/cordon/`.
    pub own_path: &'a str,
}

/// The policy of a role, with `{partition}` and `{account}` where those of the account belong.
#[must_use]
pub fn policy(power: Power, territory: &Territory<'_>) -> Value {
    let statements = match power {
        Power::Reader => {
            let nothing_else = json!({"Effect": "Deny", "NotAction": read_actions(), "Resource": "*"});
            reads().chain([nothing_else]).collect()
        }
        // Whoever contains reads before and after; one session for both is one fewer that a function may open.
        Power::Containment => reads().chain(writes(power, territory)).collect(),
        Power::Documents | Power::Restoration => writes(power, territory),
    };
    json!({"Version": "2012-10-17", "Statement": Value::Array(statements)})
}

/// The policy of a session that makes one call and no other, for [`Power::Restoration`]: the role gives back whatever it is asked to,
/// and the session only this. `None` for a call that is in no row. Shorter than the 2,048 characters that STS takes, because it names
/// the call's target and holds no document.
#[must_use]
pub fn session_policy(call: &Call, account: &AccountId, partition: &str) -> Option<Value> {
    let row = Authorised::of(call)?;
    let grant = GRANTS.iter().find(|grant| grant.action == call.action && grant.limit.admits(call))?;
    let name = call.parameters.get(row.named_by)?;
    let of_iam = |kind: &str| {
        json!([
            format!("arn:{partition}:iam::{account}:{kind}/{name}"),
            format!("arn:{partition}:iam::{account}:{kind}/*/{name}")
        ])
    };
    let on = match row.on {
        Resource::User => of_iam("user"),
        Resource::Role => of_iam("role"),
        Resource::Group => of_iam("group"),
        Resource::Policy | Resource::Trail => json!(name),
    };
    let limited = |key: &str, by: &str| call.parameters.get(by).map(|value| json!({"ArnEquals": {key: value}}));
    let condition = match grant.limit {
        Limit::DenyPolicy | Limit::OtherPolicy => limited("iam:PolicyARN", "PolicyArn"),
        Limit::DenyBoundary | Limit::OtherBoundary => limited("iam:PermissionsBoundary", "PermissionsBoundary"),
        Limit::ExceptionTags => {
            call.parameters.get("Key").map(|key| json!({"ForAllValues:StringEquals": {"aws:TagKeys": [key]}}))
        }
        Limit::None | Limit::OwnDeny | Limit::OtherDocument | Limit::KeyOff | Limit::KeyOn => None,
    };
    let mut statement = json!({"Effect": "Allow", "Action": call.action, "Resource": on});
    if let (Some(condition), Some(fields)) = (condition, statement.as_object_mut()) {
        fields.insert("Condition".to_owned(), condition);
    }
    Some(json!({"Version": "2012-10-17", "Statement": [statement]}))
}

fn reads() -> impl Iterator<Item = Value> {
    READS.iter().map(|(actions, on)| json!({"Effect": "Allow", "Action": actions, "Resource": on}))
}

fn read_actions() -> Vec<&'static str> {
    READS.iter().flat_map(|(actions, _)| actions.iter().copied()).collect()
}

fn writes(power: Power, territory: &Territory<'_>) -> Vec<Value> {
    let mut grouped: BTreeMap<(Resource, Limit), BTreeSet<&str>> = BTreeMap::new();
    for grant in GRANTS.iter().filter(|grant| grant.power == power) {
        let Some(row) = CALLS.iter().find(|row| row.action == grant.action) else { continue };
        let limit = if grant.limit.condition(&[]).is_some() { grant.limit } else { Limit::None };
        grouped.entry((row.on, limit)).or_default().insert(grant.action);
    }
    let mut statements = Vec::new();
    for ((on, limit), actions) in grouped {
        let resources = territory.of(on);
        if resources.is_empty() {
            continue;
        }
        let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": resources});
        if let (Some(condition), Some(fields)) = (limit.condition(territory.tag_keys), statement.as_object_mut()) {
            fields.insert("Condition".to_owned(), condition);
        }
        statements.push(statement);
    }
    statements.push(json!({"Effect": "Deny", "NotAction": read_actions(), "Resource": territory.never_touched()}));
    statements
}

impl Territory<'_> {
    fn of(&self, on: Resource) -> Vec<String> {
        let of_kind = |kind: &str| {
            let is_kind =
                |arn: &String| arn.splitn(6, ':').nth(5).is_some_and(|resource| kind_of(resource).is_none_or(|k| k == kind));
            self.principals.iter().map(|pattern| in_account(pattern.as_str())).filter(is_kind).collect()
        };
        match on {
            Resource::User => of_kind("user"),
            Resource::Role => of_kind("role"),
            Resource::Group => of_kind("group"),
            Resource::Policy => self.policies.iter().map(|pattern| in_account(pattern.as_str())).collect(),
            Resource::Trail => self.trails.iter().map(|pattern| in_account(pattern.as_str())).collect(),
        }
    }

    fn never_touched(&self) -> Vec<String> {
        let own = ["role", "policy"].map(|kind| format!("arn:{{partition}}:iam::{{account}}:{kind}{}*", self.own_path));
        let named = self.never.iter().map(|pattern| in_account(pattern.as_str()));
        NEVER.iter().map(|arn| (*arn).to_owned()).chain(own).chain(named).collect()
    }
}

/// `user` of `user/a`; `None` where a wildcard leaves the kind open.
fn kind_of(resource: &str) -> Option<&str> {
    let (kind, _) = resource.split_once('/')?;
    (!kind.contains('*')).then_some(kind)
}

/// A pattern of `cordon.toml` as a resource of a policy. Both have `*`; a literal account stays, and fits in no other.
fn in_account(pattern: &str) -> String {
    let mut parts = pattern.splitn(6, ':');
    let (Some(scheme), Some(_), Some(service), Some(region), Some(account), Some(resource)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return pattern.to_owned();
    };
    let account = if account == "*" { "{account}" } else { account };
    format!("{scheme}:{{partition}}:{service}:{region}:{account}:{resource}")
}

#[cfg(test)]
mod tests {
    use cordon_core::{Principal, PrincipalKind};

    use super::*;
    use crate::authorised::Rights;
    use crate::call;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::new(text)).collect()
    }

    fn policies() -> BTreeMap<Power, Value> {
        let principals = patterns(&["arn:aws:iam::*:user/test-*", "arn:aws:iam::*:role/test-*", "arn:aws:iam::111122223333:*"]);
        let territory = Territory {
            principals: &principals,
            policies: &patterns(&["arn:aws:iam::*:policy/test-*"]),
            trails: &patterns(&["arn:aws:cloudtrail:*:*:trail/test-*"]),
            never: &["arn:aws:iam::111122223333:user/break-glass".parse().unwrap()],
            tag_keys: &["SecurityApproved".to_owned()],
            own_path: "/cordon/",
        };
        Power::ALL.into_iter().map(|power| (power, policy(power, &territory))).collect()
    }

    #[test]
    fn every_call_of_a_role_is_in_the_table_of_calls_and_the_other_way_round() {
        let rows: BTreeSet<&str> = CALLS.iter().filter(|row| row.rights == Rights::Remediator).map(|row| row.action).collect();
        let granted: BTreeSet<&str> = GRANTS.iter().map(|grant| grant.action).collect();
        assert_eq!(rows, granted);
    }

    #[test]
    fn a_call_has_exactly_one_role() {
        let user = Principal::new(PrincipalKind::User, "111111111111".parse().unwrap(), "u");
        let role = Principal::new(PrincipalKind::Role, "111111111111".parse().unwrap(), "r");
        let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
        for (call, expected) in [
            (call::attach_policy(&user, deny::AWS_DENY_ALL), Some(Power::Containment)),
            (call::attach_policy(&user, "arn:aws-cn:iam::aws:policy/AWSDenyAll"), Some(Power::Containment)),
            (call::attach_policy(&user, "arn:aws:iam::111111111111:policy/AWSDenyAll"), Some(Power::Restoration)),
            (call::attach_policy(&role, admin), Some(Power::Restoration)),
            (call::detach_policy(&role, admin), Some(Power::Restoration)),
            (call::detach_policy(&role, deny::AWS_DENY_ALL), Some(Power::Restoration)),
            (call::put_inline_policy(&user, "CordonDenyAll-x", "{}"), Some(Power::Documents)),
            (call::put_inline_policy(&user, "mine", "{}"), Some(Power::Restoration)),
            (call::delete_inline_policy(&user, "theirs"), Some(Power::Restoration)),
            (call::delete_inline_policy(&user, "CordonDenyIam-x"), Some(Power::Restoration)),
            (call::set_boundary(&role, deny::AWS_DENY_ALL), Some(Power::Containment)),
            (call::set_boundary(&role, admin), Some(Power::Restoration)),
            (call::delete_boundary(&role), Some(Power::Restoration)),
            (call::set_access_key("u", "AKIA", false), Some(Power::Containment)),
            (call::set_access_key("u", "AKIA", true), Some(Power::Restoration)),
            (call::tag(&user, "SecurityApproved", "true"), Some(Power::Restoration)),
            (call::untag(&user, "SecurityApproved"), Some(Power::Restoration)),
            (call::set_trust_policy("r", "{}"), Some(Power::Restoration)),
            (call::add_to_group("u", "g"), None),
            (call::stop_logging("t"), None),
        ] {
            let fitting = GRANTS.iter().filter(|grant| grant.action == call.action && grant.limit.admits(&call)).count();
            assert_eq!((Power::of(&call), fitting), (expected, usize::from(expected.is_some())), "{call}");
        }
    }

    #[test]
    fn the_policies_are_those_of_the_table() {
        let text = serde_json::to_string_pretty(&policies().into_values().collect::<Vec<_>>()).unwrap();
        for (action, count) in [("iam:PutUserPolicy", 2), ("iam:UpdateAccessKey", 2), ("iam:AddUserToGroup", 0)] {
            assert_eq!(text.matches(&format!("\"{action}\"")).count(), count, "{action}: allowed in each of its roles");
        }
    }

    #[test]
    fn the_reader_reads_and_a_role_that_writes_reads_alone_where_nothing_is_touched() {
        for (power, policy) in policies() {
            let statements = policy["Statement"].as_array().unwrap();
            let denies: Vec<&Value> = statements.iter().filter(|statement| statement["Effect"] == "Deny").collect();
            let [deny] = denies[..] else { panic!("{power:?}: {policy}") };
            let left: Vec<&str> = deny["NotAction"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect();
            assert!(left.iter().all(|action| action.contains(":Get") || action.contains(":List")), "{power:?}: {left:?}");
            if power == Power::Reader {
                assert_eq!(deny["Resource"], "*");
                continue;
            }
            let on = deny["Resource"].to_string();
            for never in [
                "role/cordon/*",
                "policy/cordon/*",
                "role/OrganizationAccountAccessRole",
                ":user/break-glass",
                "role/aws-service-role/*",
            ] {
                assert!(on.contains(never), "{power:?}: {never}");
            }
        }
    }

    #[test]
    fn a_session_makes_the_one_call_and_no_other() {
        let account = "111111111111".parse().unwrap();
        let user = Principal::new(PrincipalKind::User, "111111111111".parse().unwrap(), "u");
        let check = |call: &Call, expected: Value| {
            assert_eq!(session_policy(call, &account, "aws").unwrap()["Statement"][0], expected, "{call}");
        };
        let on_user = json!(["arn:aws:iam::111111111111:user/u", "arn:aws:iam::111111111111:user/*/u"]);
        check(
            &call::put_inline_policy(&user, "p", "{}"),
            json!({"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": on_user}),
        );
        check(
            &call::attach_policy(&user, "arn:aws:iam::aws:policy/ReadOnlyAccess"),
            json!({"Effect": "Allow", "Action": "iam:AttachUserPolicy", "Resource": on_user,
                "Condition": {"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/ReadOnlyAccess"}}}),
        );
        let longest = call::tag(&Principal { name: "n".repeat(64).into(), ..user }, &"k".repeat(128), "v");
        assert!(session_policy(&longest, &account, "aws-us-gov").unwrap().to_string().len() <= 2_048);
        assert_eq!(session_policy(&call::add_to_group("u", "g"), &account, "aws"), None);
    }

    #[test]
    fn a_pattern_becomes_a_resource_of_the_account_and_a_literal_account_stays() {
        let check = |pattern: &str, expected: &str| assert_eq!(in_account(pattern), expected);
        check("arn:aws:iam::*:user/a*", "arn:{partition}:iam::{account}:user/a*");
        check("arn:aws:iam::111122223333:role/x/y", "arn:{partition}:iam::111122223333:role/x/y");
        check("arn:aws:cloudtrail:*:*:trail/t", "arn:{partition}:cloudtrail:*:{account}:trail/t");
    }
}
