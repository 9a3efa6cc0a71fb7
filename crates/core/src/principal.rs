//! The actor of a call and its subject, read from a CloudTrail record.
//!
//! Every field of a record is somebody else's text and may be absent, null or of another type: what cannot be read is
//! `Unknown`, never a guess.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::ids::{AccountId, Arn, ArnParts};
use crate::names::{Name, same_name};
use crate::record::{Field, Record};
use serde::{Deserialize, Serialize};

/// The kinds of principal that a policy can be put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// An IAM user.
    User,
    /// A role.
    Role,
    /// A group of users.
    Group,
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Role => "role",
            Self::Group => "group",
        })
    }
}

/// A user, role or group of an account, by name. The path is not part of an IAM name and is only known where an ARN gave it.
///
/// INVARIANT: two are equal where IAM would find the same principal, whatever is known of the path and however the name is spelt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Principal {
    /// User, role or group.
    pub kind: PrincipalKind,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name, without the path.
    pub name: Name,
    /// The ARN that was given or read; without one, the ARN of a principal at the root path is assumed by [`Principal::arn`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_arn: Option<Arn>,
}

impl Principal {
    /// A principal whose path is not known.
    #[must_use]
    pub fn new(kind: PrincipalKind, account: AccountId, name: &str) -> Self {
        Self { kind, account, name: name.into(), known_arn: None }
    }

    /// The ARN, with the path where it is known.
    #[must_use]
    pub fn arn(&self) -> String {
        match &self.known_arn {
            Some(arn) => arn.to_string(),
            None => format!("arn:aws:iam::{}:{}/{}", self.account, self.kind, self.name),
        }
    }

    /// True where an ARN is this principal's, with or without its path and in any spelling of its name.
    #[must_use]
    pub fn has_arn(&self, arn: &str) -> bool {
        let Some(parts) = ArnParts::of(arn).filter(|parts| parts.account().as_ref() == Some(&self.account)) else { return false };
        let mut resource = parts.resource.split('/');
        resource.next() == Some(self.kind.to_string().as_str()) && resource.next_back().is_some_and(|name| self.name == *name)
    }
}

impl Principal {
    fn identity(&self) -> (PrincipalKind, &AccountId, &Name) {
        (self.kind, &self.account, &self.name)
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Principal {}

impl Ord for Principal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl PartialOrd for Principal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn())
    }
}

/// CloudTrail's `userIdentity.type`, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// The root user of an account.
    Root,
    /// An IAM user.
    IamUser,
    /// A session of a role.
    AssumedRole,
    /// A session that `GetFederationToken` made.
    FederatedUser,
    /// A principal of another account.
    AwsAccount,
    /// A service of AWS.
    AwsService,
    /// Anything else, or nothing that can be read.
    Unknown,
}

/// The principal that made the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its kind.
    pub kind: ActorKind,
    /// The ARN, of a session the ARN of the session.
    #[serde(default)]
    pub arn: Option<String>,
    /// The account that it belongs to.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// The user's or the role's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The role session's name, which the caller of `AssumeRole` chose.
    #[serde(default)]
    pub session: Option<String>,
    /// The role behind a session, or the user behind a federated session, as CloudTrail's `sessionIssuer` names it.
    #[serde(default)]
    pub issuer_arn: Option<String>,
    /// `AIDA…` of a user, `AROA…` of a role: differs when a principal is deleted and made again.
    #[serde(default)]
    pub unique_id: Option<String>,
    /// The access key that signed the call: `AKIA…`, or `ASIA…` of a session.
    #[serde(default)]
    pub access_key_id: Option<String>,
}

impl Actor {
    /// Reads `userIdentity` of a CloudTrail record.
    #[must_use]
    pub fn from_record(record: &(impl Record + ?Sized)) -> Self {
        let text = |field| text(record, field);
        let arn = text(Field::ActorArn);
        let kind = match record.text(Field::ActorType) {
            Some("Root") => ActorKind::Root,
            Some("IAMUser") => ActorKind::IamUser,
            Some("AssumedRole") => ActorKind::AssumedRole,
            Some("FederatedUser") => ActorKind::FederatedUser,
            Some("AWSAccount") => ActorKind::AwsAccount,
            Some("AWSService") => ActorKind::AwsService,
            _ => ActorKind::Unknown,
        };
        let parsed = arn.as_deref().and_then(ArnParts::of);
        let resource = parsed.map(|parts| parts.resource).unwrap_or_default();
        let mut parts = resource.split('/');
        let head = parts.next().unwrap_or_default();
        let issuer_name = || text(Field::IssuerUserName);
        let (name, session) = match (kind, head) {
            (ActorKind::AssumedRole, "assumed-role") => {
                (parts.next().map(str::to_owned).or_else(issuer_name), parts.next_back().map(str::to_owned))
            }
            (ActorKind::AssumedRole, _) => (issuer_name(), None),
            (ActorKind::IamUser, _) => (
                text(Field::ActorUserName).or_else(|| resource.rsplit('/').next().filter(|n| !n.is_empty()).map(str::to_owned)),
                None,
            ),
            (ActorKind::FederatedUser, _) => (issuer_name(), parts.next_back().map(str::to_owned)),
            _ => (text(Field::ActorUserName), None),
        };
        let account = record.text(Field::ActorAccountId).and_then(|account| account.parse().ok());
        let own_id = || record.text(Field::ActorPrincipalId).filter(|id| !id.is_empty());
        Self {
            kind,
            account: account.or_else(|| parsed.and_then(ArnParts::account)),
            name,
            session,
            issuer_arn: text(Field::IssuerArn),
            unique_id: text(Field::IssuerPrincipalId)
                .or_else(|| own_id().map(|id| id.split(':').next().unwrap_or_default().to_owned())),
            access_key_id: text(Field::ActorAccessKeyId),
            arn,
        }
    }

    /// The accounts that the record names for the actor: one, unless it contradicts itself.
    fn accounts(&self) -> impl Iterator<Item = AccountId> {
        let of_arn = |arn: &Option<String>| arn.as_deref().and_then(ArnParts::of).and_then(ArnParts::account);
        self.account.clone().into_iter().chain(of_arn(&self.arn)).chain(of_arn(&self.issuer_arn))
    }

    /// Whether the actor came from another account than this one, as far as the record says where they came from.
    #[must_use]
    pub fn is_foreign_to(&self, account: &AccountId) -> bool {
        self.accounts().any(|own| own != *account)
    }

    /// The user or role whose permissions the call used: what a deny policy is put on. `None` for root, services, other
    /// accounts, a record that names several accounts, and whatever could not be read.
    #[must_use]
    pub fn principal(&self) -> Option<Principal> {
        let account = self.account.clone()?;
        if self.is_foreign_to(&account) {
            return None;
        }
        let name = self.name.clone()?;
        let (kind, known_arn) = match self.kind {
            ActorKind::IamUser => (PrincipalKind::User, self.arn.as_deref()),
            ActorKind::AssumedRole => (PrincipalKind::Role, self.issuer_arn.as_deref()),
            ActorKind::FederatedUser if self.issuer_arn.as_deref().is_some_and(|arn| arn.contains(":user/")) => {
                (PrincipalKind::User, self.issuer_arn.as_deref())
            }
            ActorKind::FederatedUser | ActorKind::Root | ActorKind::AwsAccount | ActorKind::AwsService | ActorKind::Unknown => {
                return None;
            }
        };
        Some(Principal { kind, account, name: name.into(), known_arn: known_arn.and_then(|arn| arn.parse().ok()) })
    }

    /// How a person is told who it was: the ARN where there is one.
    #[must_use]
    pub fn display(&self) -> String {
        match (&self.arn, self.kind) {
            (Some(arn), _) => arn.clone(),
            (None, ActorKind::Root) => {
                format!("root of {}", self.account.as_ref().map_or("an unknown account", AccountId::as_str))
            }
            (None, ActorKind::AwsService) => "an AWS service".to_owned(),
            (None, _) => self.name.clone().unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

/// The thing that the call touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Subject {
    /// A user, role or group.
    Principal {
        /// Which one.
        principal: Principal,
    },
    /// A managed policy.
    Policy {
        /// As the event names it.
        arn: String,
    },
    /// An access key, and its user where the event names one.
    AccessKey {
        /// `AKIA…` or `ASIA…`.
        id: String,
        /// The user's name.
        user: Option<String>,
    },
    /// The account as a whole.
    Account {
        /// Its id of 12 digits.
        account: AccountId,
    },
    /// Nothing that can be read.
    Unknown,
}

impl Subject {
    /// Reads the subject from `requestParameters`, in the order in which IAM's calls name it: the principal, then the
    /// access key, then the policy. A call on oneself that names no user (`CreateAccessKey`) touches the actor.
    #[must_use]
    pub fn from_record(record: &(impl Record + ?Sized)) -> Self {
        Self::of(record, &Actor::from_record(record))
    }

    /// As [`Self::from_record`], with the record's actor where it is known already.
    #[must_use]
    pub fn of(record: &(impl Record + ?Sized), actor: &Actor) -> Self {
        let account = recipient(record).or_else(|| actor.account.clone());
        if let Some(account) = account.as_ref().filter(|_| names_iam(record)) {
            for (field, kind) in [
                (Field::AskedUserName, PrincipalKind::User),
                (Field::AskedRoleName, PrincipalKind::Role),
                (Field::AskedGroupName, PrincipalKind::Group),
            ] {
                if let Some(name) = record.text(field).filter(|name| may_be_name(name)) {
                    return Self::Principal { principal: named(kind, account, name, actor) };
                }
            }
        }
        if let Some(id) = text(record, Field::AskedAccessKeyId) {
            // A caller from another account has no name in this one.
            let is_own = account.as_ref().is_none_or(|account| !actor.is_foreign_to(account));
            return Self::AccessKey { id, user: actor.name.clone().filter(|_| is_own) };
        }
        if let Some(arn) = text(record, Field::AskedPolicyArn) {
            return Self::Policy { arn };
        }
        if on_oneself(record)
            && let Some(principal) = actor.principal()
        {
            return Self::Principal { principal };
        }
        account.map_or(Self::Unknown, |account| Self::Account { account })
    }

    /// The principal, where it is one.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Principal { principal } => Some(principal),
            Self::Policy { .. } | Self::AccessKey { .. } | Self::Account { .. } | Self::Unknown => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal { principal } => write!(f, "{principal}"),
            Self::Policy { arn } => f.write_str(arn),
            Self::AccessKey { id, user: Some(user) } => write!(f, "access key {id} of {user}"),
            Self::AccessKey { id, user: None } => write!(f, "access key {id}"),
            Self::Account { account } => write!(f, "account {account}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// The account in which the call took effect.
#[must_use]
pub fn recipient(record: &(impl Record + ?Sized)) -> Option<AccountId> {
    record.text(Field::RecipientAccountId).and_then(|account| account.parse().ok())
}

/// A name of IAM's has neither a colon nor a slash. What has is an ARN or a path, maybe of another account: it is the caller's text,
/// and names nobody of the account in which the call took effect.
fn may_be_name(text: &str) -> bool {
    !text.is_empty() && !text.contains([':', '/'])
}

/// The principal of a name; where it is the actor's own, with the actor's ARN, which has the path.
fn named(kind: PrincipalKind, account: &AccountId, name: &str, actor: &Actor) -> Principal {
    let may_be_own = actor.name.as_deref().is_some_and(|own| same_name(own, name)) && actor.account.as_ref() == Some(account);
    match may_be_own.then(|| actor.principal()).flatten() {
        Some(own) if own.kind == kind => own,
        _ => Principal::new(kind, account.clone(), name),
    }
}

/// Whether a name in the request is one of IAM's. Other services have users, groups and roles too, whose names anybody may choose after
/// somebody's: those of Identity Center, of a cache or of a mail server. Notices are read as records that name IAM's.
fn names_iam(record: &(impl Record + ?Sized)) -> bool {
    let notices = ["health.amazonaws.com", "guardduty.amazonaws.com", "access-analyzer.amazonaws.com"];
    record.text(Field::EventSource).is_none_or(|service| service == "iam.amazonaws.com" || notices.contains(&service))
}

/// IAM's calls that touch the caller where they name nobody.
fn on_oneself(record: &(impl Record + ?Sized)) -> bool {
    matches!(
        record.text(Field::EventName),
        Some("CreateAccessKey" | "UpdateAccessKey" | "DeleteAccessKey" | "ChangePassword" | "CreateVirtualMFADevice")
    )
}

fn text(record: &(impl Record + ?Sized), field: Field) -> Option<String> {
    record.text(field).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_role_session_resolves_to_its_role() {
        let record = json!({"userIdentity": {
            "type": "AssumedRole", "principalId": "AROAEXAMPLE:mallory", "accountId": "111111111111",
            "arn": "arn:aws:sts::111111111111:assumed-role/deploy/mallory",
            "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE", "arn": "arn:aws:iam::111111111111:role/ci/deploy", "userName": "deploy"}}}});
        let actor = Actor::from_record(&record);
        assert_eq!(actor.name.as_deref(), Some("deploy"));
        assert_eq!(actor.session.as_deref(), Some("mallory"));
        assert_eq!(actor.unique_id.as_deref(), Some("AROAEXAMPLE"));
        let principal = actor.principal().unwrap();
        assert_eq!(principal.kind, PrincipalKind::Role);
        assert_eq!(principal.arn(), "arn:aws:iam::111111111111:role/ci/deploy");
    }

    #[test]
    fn attack_a_user_of_another_service_is_not_the_user_of_that_name_in_iam() {
        let subject = |service: &str| {
            Subject::from_record(&json!({"eventSource": service, "eventName": "CreateUser", "recipientAccountId": "111111111111",
                "requestParameters": {"userName": "alice"}}))
        };
        for service in ["identitystore.amazonaws.com", "sso-directory.amazonaws.com", "memorydb.amazonaws.com", "iam.example.com"]
        {
            assert!(matches!(subject(service), Subject::Account { .. }), "{service}");
        }
        for service in ["iam.amazonaws.com", "guardduty.amazonaws.com", "health.amazonaws.com"] {
            assert!(matches!(subject(service), Subject::Principal { .. }), "{service}");
        }
    }

    #[test]
    fn root_and_services_are_nothing_to_put_a_policy_on() {
        for kind in ["Root", "AWSService", "AWSAccount", "Nonsense"] {
            let record = json!({"userIdentity": {"type": kind, "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:root", "userName": "x"}});
            assert_eq!(Actor::from_record(&record).principal(), None, "{kind}");
        }
        assert_eq!(Actor::from_record(&json!({})).kind, ActorKind::Unknown);
        assert_eq!(Actor::from_record(&json!({"userIdentity": "text"})).kind, ActorKind::Unknown);
    }

    #[test]
    fn the_subject_is_the_named_principal_or_the_caller_where_none_is_named() {
        let actor = json!({"type": "IAMUser", "userName": "mallory", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/ops/mallory"});
        let check = |name: &str, parameters: Value, expected: &str| {
            let record = json!({"eventName": name, "userIdentity": actor, "recipientAccountId": "111111111111", "requestParameters": parameters});
            assert_eq!(Subject::from_record(&record).to_string(), expected, "{name}");
        };
        check(
            "AttachUserPolicy",
            json!({"userName": "bob", "policyArn": "arn:aws:iam::aws:policy/X"}),
            "arn:aws:iam::111111111111:user/bob",
        );
        check("AttachUserPolicy", json!({"userName": "mallory"}), "arn:aws:iam::111111111111:user/ops/mallory");
        check("AttachRolePolicy", json!({"roleName": "r"}), "arn:aws:iam::111111111111:role/r");
        check("AttachGroupPolicy", json!({"groupName": "g"}), "arn:aws:iam::111111111111:group/g");
        check("AddUserToGroup", json!({"groupName": "g", "userName": "bob"}), "arn:aws:iam::111111111111:user/bob");
        check("CreateAccessKey", Value::Null, "arn:aws:iam::111111111111:user/ops/mallory");
        check(
            "CreatePolicyVersion",
            json!({"policyArn": "arn:aws:iam::111111111111:policy/p"}),
            "arn:aws:iam::111111111111:policy/p",
        );
        check("ListUsers", Value::Null, "account 111111111111");
    }

    #[test]
    fn attack_spoke_a_record_that_names_two_accounts_for_its_caller_names_nobody_to_put_a_policy_on() {
        let caller = |account: &str, arn: &str, issuer: &str| {
            Actor::from_record(&json!({"userIdentity": {"type": "AssumedRole", "accountId": account,
                "arn": format!("arn:aws:sts::{arn}:assumed-role/deploy/s"),
                "sessionContext": {"sessionIssuer": {"userName": "deploy", "arn": format!("arn:aws:iam::{issuer}:role/deploy")}}}}))
        };
        let (own, other) = ("111111111111", "222222222222");
        assert!(caller(own, own, own).principal().is_some());
        for (account, arn, issuer) in [(own, other, own), (own, own, other), (other, own, own)] {
            let actor = caller(account, arn, issuer);
            assert_eq!(actor.principal(), None, "{account} {arn} {issuer}");
            assert!(actor.is_foreign_to(&own.parse().unwrap()), "{account} {arn} {issuer}");
        }
        assert!(!caller(own, own, own).is_foreign_to(&own.parse().unwrap()));
    }

    #[test]
    fn attack_spoke_an_arn_in_place_of_a_name_is_nobody_of_the_account_in_which_the_call_took_effect() {
        for text in ["arn:aws:iam::222222222222:user/bob", "arn:aws:iam::111111111111:user/bob", "team/bob", "a:b"] {
            for parameter in ["userName", "roleName", "groupName"] {
                let record = json!({"recipientAccountId": "111111111111", "requestParameters": {parameter: text}});
                assert_eq!(Subject::from_record(&record).principal(), None, "{parameter} {text}");
            }
        }
    }

    #[test]
    fn attack_spoke_the_key_of_a_caller_from_another_account_is_of_no_user_of_this_one() {
        let user = |account: &str| {
            let record = json!({"recipientAccountId": "111111111111", "requestParameters": {"accessKeyId": "AKIA1"},
                "userIdentity": {"type": "IAMUser", "userName": "bob", "accountId": account}});
            match Subject::from_record(&record) {
                Subject::AccessKey { user, .. } => user,
                other => panic!("{other}"),
            }
        };
        assert_eq!((user("111111111111").as_deref(), user("222222222222")), (Some("bob"), None));
    }
}
