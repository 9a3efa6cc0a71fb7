//! IAM and CloudTrail of one account in memory: principals and policies with unique ids, quotas, a log of the writes, and
//! injected faults.
//!
//! It finds names in any case of letters and answers with the stored spelling, as IAM does. It never waits, except when a test
//! kills it. It refuses less than IAM does: it does not parse documents.

#![expect(clippy::expect_used, reason = "a fake that is told nonsense has to fail its test")]

mod ports;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cordon_core::{AccountId, Arn, Call, Name, Principal, PrincipalKind, Target, same_arn, same_name};
use cordon_respond::{IamError, IamErrorKind, KeyLastUse};
use jiff::Timestamp;

use crate::faults::{Faults, When};

/// The trust policy of a new role of the fake.
pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// When the fake's principals were made.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// A principal of the fake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// With the path.
    pub arn: String,
    /// Another one after [`FakeIam::recreate`].
    pub unique_id: String,
    /// Such as `/` or `/division/`.
    pub path: String,
    /// ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// Documents by the names of the policies.
    pub inline: BTreeMap<String, String>,
    /// Values by keys.
    pub tags: BTreeMap<String, String>,
    /// Names of groups.
    pub groups: BTreeSet<String>,
    /// The ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// A role's trust policy.
    pub trust: Option<String>,
    /// Access keys by their ids.
    pub keys: BTreeMap<String, Key>,
    /// Whether there is a console password.
    pub login_profile: bool,
    /// When it was made: long ago, unless a test says otherwise.
    pub created_at: Option<Timestamp>,
}

impl Entity {
    /// The stored spelling of an attached policy; the given one where it is not attached.
    #[must_use]
    pub fn attached_as(&self, arn: &str) -> String {
        self.attached.iter().find(|stored| same_arn(stored, arn)).map_or_else(|| arn.to_owned(), Clone::clone)
    }

    /// The stored spelling of an inline policy.
    #[must_use]
    pub fn inline_as(&self, name: &str) -> String {
        self.inline.keys().find(|stored| same_name(stored, name)).map_or_else(|| name.to_owned(), Clone::clone)
    }

    /// The stored spelling of a tag's key.
    #[must_use]
    pub fn tag_as(&self, key: &str) -> String {
        self.tags.keys().find(|stored| same_name(stored, key)).map_or_else(|| key.to_owned(), Clone::clone)
    }

    /// The stored spelling of a group that the user is in.
    #[must_use]
    pub fn group_as(&self, group: &str) -> String {
        self.groups.iter().find(|stored| same_name(stored, group)).map_or_else(|| group.to_owned(), Clone::clone)
    }
}

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Whether it can be used.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its last use.
    pub last_used: Option<KeyLastUse>,
}

/// A managed policy of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Another one after [`FakeIam::recreate_target`].
    pub unique_id: String,
    /// Such as `v2`.
    pub default_version: String,
    /// The documents by the number in `v2`. Numbers are not used again.
    pub versions: BTreeMap<u32, String>,
    /// The number of the next version.
    pub next: u32,
}

/// A trail of CloudTrail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Whether it logs.
    pub logging: bool,
    /// Its event selectors as CloudTrail's JSON.
    pub selectors: Option<String>,
}

/// The whole account, to be compared as one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IamState {
    /// By kind and name.
    pub principals: BTreeMap<(PrincipalKind, Name), Entity>,
    /// By ARN.
    pub policies: BTreeMap<String, ManagedPolicy>,
    /// By ARN.
    pub trails: BTreeMap<String, Trail>,
}

#[derive(Debug, Default)]
struct World {
    state: IamState,
    /// Managed policies that were deleted: attaching them is `NoSuchEntity`.
    deleted_policies: BTreeSet<String>,
    writes: Vec<Call>,
    calls: Vec<String>,
    made: usize,
}

/// The fake. Clones share the account.
#[derive(Debug, Clone)]
pub struct FakeIam {
    account: AccountId,
    world: Arc<Mutex<World>>,
    faults: Faults,
}

impl FakeIam {
    /// "IAM and AWS STS quotas", IAM user guide.
    pub const ATTACHED_QUOTA: usize = 10;
    /// Versions of one managed policy: the same page.
    pub const VERSIONS_QUOTA: usize = 5;

    /// An empty account without faults.
    #[must_use]
    pub fn new(account: AccountId) -> Self {
        Self::with_faults(account, Faults::default())
    }

    /// An empty account that shares its faults with other fakes.
    #[must_use]
    pub fn with_faults(account: AccountId, faults: Faults) -> Self {
        Self { account, world: Arc::default(), faults }
    }

    /// The faults on purpose.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// A user at the root path.
    pub fn add_user(&self, name: &str) -> Principal {
        self.add(PrincipalKind::User, "/", name)
    }

    /// A role at the root path.
    pub fn add_role(&self, name: &str) -> Principal {
        self.add(PrincipalKind::Role, "/", name)
    }

    /// A group at the root path.
    pub fn add_group(&self, name: &str) -> Principal {
        self.add(PrincipalKind::Group, "/", name)
    }

    /// A principal with a path, which begins and ends with `/`. Roles below `/aws-service-role/` are service-linked.
    pub fn add(&self, kind: PrincipalKind, path: &str, name: &str) -> Principal {
        let mut world = self.lock();
        let entity = Entity {
            arn: format!("arn:aws:iam::{}:{kind}{path}{name}", self.account),
            unique_id: world.next_id(kind),
            path: path.to_owned(),
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
            tags: BTreeMap::new(),
            groups: BTreeSet::new(),
            boundary: None,
            trust: (kind == PrincipalKind::Role).then(|| TRUST.to_owned()),
            keys: BTreeMap::new(),
            login_profile: false,
            created_at: LONG_AGO.parse().ok(),
        };
        let known_arn = entity.arn.parse().ok();
        world.state.principals.insert((kind, name.into()), entity);
        Principal { kind, account: self.account.clone(), name: name.into(), known_arn }
    }

    /// Changes a principal as somebody else would: not logged, no faults, no quotas.
    pub fn change(&self, principal: &Principal, change: impl FnOnce(&mut Entity)) {
        if let Some(entity) = self.lock().state.principals.get_mut(&key(principal)) {
            change(entity);
        }
    }

    /// Attaches a managed policy as somebody else would.
    pub fn attach(&self, principal: &Principal, policy_arn: &str) {
        self.change(principal, |entity| {
            entity.attached.insert(entity.attached_as(policy_arn));
        });
    }

    /// Detaches a managed policy as somebody else would.
    pub fn detach(&self, principal: &Principal, policy_arn: &str) {
        self.change(principal, |entity| {
            let stored = entity.attached_as(policy_arn);
            entity.attached.remove(&stored);
        });
    }

    /// Writes an inline policy as somebody else would.
    pub fn put_inline(&self, principal: &Principal, name: &str, document: &str) {
        self.change(principal, |entity| {
            entity.inline.insert(entity.inline_as(name), document.to_owned());
        });
    }

    /// Sets a tag as somebody else would.
    pub fn tag(&self, principal: &Principal, key: &str, value: &str) {
        self.change(principal, |entity| {
            entity.tags.insert(entity.tag_as(key), value.to_owned());
        });
    }

    /// Puts a user into a group as somebody else would.
    pub fn join(&self, user: &Principal, group: &str) {
        self.change(user, |entity| {
            entity.groups.insert(group.to_owned());
        });
    }

    /// An active access key, which is never a real one.
    pub fn add_key(&self, user: &Principal, id: &str, created_at: &str) {
        let key = Key { active: true, created_at: created_at.parse().unwrap_or_default(), last_used: None };
        self.change(user, |entity| {
            entity.keys.insert(id.to_owned(), key);
        });
    }

    /// A managed policy with a version for each of `documents`; the last one is the default.
    pub fn add_policy(&self, name: &str, documents: &[&str]) -> Arn {
        let mut world = self.lock();
        world.made += 1;
        let versions: BTreeMap<u32, String> = (1..).zip(documents.iter().map(|&document| document.to_owned())).collect();
        let next = versions.last_key_value().map_or(1, |(last, _)| last + 1);
        let unique_id = format!("ANPA{:0>17}", world.made);
        let policy = ManagedPolicy { unique_id, default_version: format!("v{}", next - 1), versions, next };
        let arn = format!("arn:aws:iam::{}:policy/{name}", self.account);
        world.state.policies.insert(arn.clone(), policy);
        arn.parse().expect("an ARN")
    }

    /// Changes a managed policy as somebody else would.
    pub fn change_policy(&self, arn: &Arn, change: impl FnOnce(&mut ManagedPolicy)) {
        if let Some(policy) = self.lock().state.policies.get_mut(arn.as_str()) {
            change(policy);
        }
    }

    /// A managed policy as it is now.
    #[must_use]
    pub fn managed_policy(&self, arn: &Arn) -> Option<ManagedPolicy> {
        self.lock().state.policies.get(arn.as_str()).cloned()
    }

    /// Makes a trail, or replaces the one of that name.
    pub fn add_trail(&self, name: &str, logging: bool, selectors: Option<&str>) -> Arn {
        let arn = format!("arn:aws:cloudtrail:us-east-1:{}:trail/{name}", self.account);
        self.lock().state.trails.insert(arn.clone(), Trail { logging, selectors: selectors.map(str::to_owned) });
        arn.parse().expect("an ARN")
    }

    /// A trail as it is now.
    #[must_use]
    pub fn trail_of(&self, arn: &Arn) -> Option<Trail> {
        self.lock().state.trails.get(arn.as_str()).cloned()
    }

    /// Deletes what a step works on.
    pub fn delete_target(&self, target: &Target) {
        match target {
            Target::Principal(principal) => self.delete(principal),
            Target::Policy { policy } => drop(self.lock().state.policies.remove(policy.as_str())),
            Target::Trail { trail } => drop(self.lock().state.trails.remove(trail.as_str())),
        }
    }

    /// Deletes what a step works on and makes it again. A trail has no unique id by which that could be told.
    pub fn recreate_target(&self, target: &Target) {
        match target {
            Target::Principal(principal) => self.recreate(principal),
            Target::Policy { policy } => {
                let name = policy.resource().rsplit('/').next().unwrap_or_default().to_owned();
                drop(self.add_policy(&name, &["{}"]));
            }
            Target::Trail { trail } => {
                let name = trail.resource().rsplit('/').next().unwrap_or_default().to_owned();
                drop(self.add_trail(&name, false, None));
            }
        }
    }

    /// Deletes a principal with all that is on it.
    pub fn delete(&self, principal: &Principal) {
        self.lock().state.principals.remove(&key(principal));
    }

    /// Deletes a principal and makes it again: the same name and ARN, another unique id, nothing on it.
    pub fn recreate(&self, principal: &Principal) {
        let path = self.entity(principal).map_or_else(|| "/".to_owned(), |entity| entity.path);
        self.delete(principal);
        self.add(principal.kind, &path, &principal.name);
    }

    /// Deletes a managed policy that is attached to nobody.
    pub fn delete_policy(&self, policy_arn: &str) {
        self.lock().deleted_policies.insert(policy_arn.to_owned());
    }

    /// A principal as it is now.
    #[must_use]
    pub fn entity(&self, principal: &Principal) -> Option<Entity> {
        self.lock().state.principals.get(&key(principal)).cloned()
    }

    /// The whole account as it is now.
    #[must_use]
    pub fn state(&self) -> IamState {
        self.lock().state.clone()
    }

    /// Puts the whole account back to a former state.
    pub fn restore(&self, state: IamState) {
        self.lock().state = state;
    }

    /// The writes that reached IAM, also those that it refused, in order.
    #[must_use]
    pub fn writes(&self) -> Vec<Call> {
        self.lock().writes.clone()
    }

    /// The actions of all calls, reads too, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// Empties the log of the writes and calls.
    pub fn forget_calls(&self) {
        let mut world = self.lock();
        world.writes.clear();
        world.calls.clear();
    }

    fn named(&self, kind: PrincipalKind, name: &str) -> Principal {
        Principal::new(kind, self.account.clone(), name)
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read<T>(&self, action: &str, effect: impl FnOnce(&World) -> Result<T, IamError>) -> Result<T, IamError> {
        let fault = self.faults.enter(action);
        self.lock().calls.push(action.to_owned());
        if let Some((_, failure)) = fault {
            return Err(failure.of_iam(action).await);
        }
        effect(&self.lock())
    }

    async fn write<T>(&self, call: Call, effect: impl FnOnce(&mut World) -> Result<T, IamErrorKind>) -> Result<T, IamError> {
        let action = call.action.clone();
        let fault = self.faults.enter(&action);
        if let Some((When::Before, failure)) = fault {
            return Err(failure.of_iam(&action).await);
        }
        let result = {
            let mut world = self.lock();
            world.calls.push(action.clone());
            world.writes.push(call);
            effect(&mut world)
        };
        match fault {
            Some((_, failure)) => Err(failure.of_iam(&action).await),
            None => result.map_err(|kind| IamError::new(kind, &action, "")),
        }
    }
}

impl World {
    fn next_id(&mut self, kind: PrincipalKind) -> String {
        self.made += 1;
        let prefix = match kind {
            PrincipalKind::User => "AIDA",
            PrincipalKind::Role => "AROA",
            PrincipalKind::Group => "AGPA",
        };
        format!("{prefix}{:0>17}", self.made)
    }

    fn entity(&self, action: &str, principal: &Principal) -> Result<&Entity, IamError> {
        self.state.principals.get(&key(principal)).ok_or_else(|| IamError::new(IamErrorKind::NotFound, action, ""))
    }

    /// A managed policy of the account, with its ARN as it is stored.
    fn policy(&self, arn: &str) -> Option<(&str, &ManagedPolicy)> {
        self.state.policies.iter().find(|(stored, _)| same_arn(stored, arn)).map(|(stored, policy)| (stored.as_str(), policy))
    }

    /// A principal that may be written to.
    fn writable(&mut self, principal: &Principal) -> Result<&mut Entity, IamErrorKind> {
        let entity = self.state.principals.get_mut(&key(principal)).ok_or(IamErrorKind::NotFound)?;
        if service_linked(entity) { Err(IamErrorKind::Unmodifiable) } else { Ok(entity) }
    }
}

/// All inline policies of a principal together, in characters without white space: "IAM and AWS STS quotas", IAM user guide.
#[must_use]
pub fn inline_quota(kind: PrincipalKind) -> usize {
    match kind {
        PrincipalKind::User => 2_048,
        PrincipalKind::Role => 10_240,
        PrincipalKind::Group => 5_120,
    }
}

fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

fn key(principal: &Principal) -> (PrincipalKind, Name) {
    (principal.kind, principal.name.clone())
}

fn service_linked(entity: &Entity) -> bool {
    entity.path.starts_with("/aws-service-role/")
}

/// `iam:ListAttachedUserPolicies` from `ListAttached`, a user and `Policies`.
fn named(verb: &str, principal: &Principal, rest: &str) -> String {
    let kind = match principal.kind {
        PrincipalKind::User => "User",
        PrincipalKind::Role => "Role",
        PrincipalKind::Group => "Group",
    };
    format!("iam:{verb}{kind}{rest}")
}
