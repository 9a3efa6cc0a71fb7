//! IAM of one account, in memory: principals with unique ids, quotas, a log of the writes, and faults on purpose.
//!
//! It never waits, except where a test kills it. Where it knows less than IAM it refuses less: it does not parse documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cordon_core::{AccountId, Call, KeyUse, Principal, PrincipalKind};
use cordon_respond::{Iam, IamError, IamErrorKind, PrincipalFacts, call};

use crate::faults::{Faults, When};

/// All that the fake knows about a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub arn: String,
    pub unique_id: String,
    pub path: String,
    pub attached: BTreeSet<String>,
    pub inline: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub groups: BTreeSet<String>,
    pub key_use: Vec<KeyUse>,
}

/// The whole account, to be compared as one.
pub type IamState = BTreeMap<(PrincipalKind, String), Entity>;

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

    #[must_use]
    pub fn new(account: AccountId) -> Self {
        Self::with_faults(account, Faults::default())
    }

    #[must_use]
    pub fn with_faults(account: AccountId, faults: Faults) -> Self {
        Self { account, world: Arc::default(), faults }
    }

    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    pub fn add_user(&self, name: &str) -> Principal {
        self.add(PrincipalKind::User, "/", name)
    }

    pub fn add_role(&self, name: &str) -> Principal {
        self.add(PrincipalKind::Role, "/", name)
    }

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
            key_use: Vec::new(),
        };
        let known_arn = entity.arn.parse().ok();
        world.state.insert((kind, name.to_owned()), entity);
        Principal { kind, account: self.account.clone(), name: name.to_owned(), known_arn }
    }

    /// Changes a principal as somebody else would: not logged, no faults, no quotas.
    pub fn change(&self, principal: &Principal, change: impl FnOnce(&mut Entity)) {
        if let Some(entity) = self.lock().state.get_mut(&key(principal)) {
            change(entity);
        }
    }

    pub fn attach(&self, principal: &Principal, policy_arn: &str) {
        self.change(principal, |entity| {
            entity.attached.insert(policy_arn.to_owned());
        });
    }

    pub fn detach(&self, principal: &Principal, policy_arn: &str) {
        self.change(principal, |entity| {
            entity.attached.remove(policy_arn);
        });
    }

    pub fn put_inline(&self, principal: &Principal, name: &str, document: &str) {
        self.change(principal, |entity| {
            entity.inline.insert(name.to_owned(), document.to_owned());
        });
    }

    pub fn tag(&self, principal: &Principal, key: &str, value: &str) {
        self.change(principal, |entity| {
            entity.tags.insert(key.to_owned(), value.to_owned());
        });
    }

    pub fn join(&self, user: &Principal, group: &str) {
        self.change(user, |entity| {
            entity.groups.insert(group.to_owned());
        });
    }

    /// Deletes a principal with all that is on it.
    pub fn delete(&self, principal: &Principal) {
        self.lock().state.remove(&key(principal));
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

    #[must_use]
    pub fn entity(&self, principal: &Principal) -> Option<Entity> {
        self.lock().state.get(&key(principal)).cloned()
    }

    #[must_use]
    pub fn state(&self) -> IamState {
        self.lock().state.clone()
    }

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

    pub fn forget_calls(&self) {
        let mut world = self.lock();
        world.writes.clear();
        world.calls.clear();
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

    async fn write(
        &self,
        principal: &Principal,
        call: Call,
        effect: impl FnOnce(&mut Entity, &BTreeSet<String>) -> Result<(), IamErrorKind>,
    ) -> Result<(), IamError> {
        let action = call.action.clone();
        let fault = self.faults.enter(&action);
        if let Some((When::Before, failure)) = fault {
            return Err(failure.of_iam(&action).await);
        }
        let result = self.lock().write(principal, call, effect);
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
        self.state.get(&key(principal)).ok_or_else(|| IamError::new(IamErrorKind::NotFound, action, ""))
    }

    fn write(
        &mut self,
        principal: &Principal,
        call: Call,
        effect: impl FnOnce(&mut Entity, &BTreeSet<String>) -> Result<(), IamErrorKind>,
    ) -> Result<(), IamErrorKind> {
        self.calls.push(call.action.clone());
        self.writes.push(call);
        let entity = self.state.get_mut(&key(principal)).ok_or(IamErrorKind::NotFound)?;
        if service_linked(entity) {
            return Err(IamErrorKind::Unmodifiable);
        }
        effect(entity, &self.deleted_policies)
    }
}

#[async_trait]
impl Iam for FakeIam {
    async fn principal(&self, principal: &Principal) -> Result<Option<PrincipalFacts>, IamError> {
        let facts = |world: &World| {
            Ok(world.state.get(&key(principal)).map(|entity| PrincipalFacts {
                arn: entity.arn.clone(),
                unique_id: entity.unique_id.clone(),
                path: entity.path.clone(),
                service_linked: service_linked(entity),
            }))
        };
        self.read(&named("Get", principal, ""), facts).await
    }

    async fn tags(&self, principal: &Principal) -> Result<BTreeMap<String, String>, IamError> {
        if principal.kind == PrincipalKind::Group {
            return Ok(BTreeMap::new());
        }
        let action = named("List", principal, "Tags");
        self.read(&action, |world| Ok(world.entity(&action, principal)?.tags.clone())).await
    }

    async fn groups_of_user(&self, user: &str) -> Result<Vec<String>, IamError> {
        let action = "iam:ListGroupsForUser";
        let user = Principal::new(PrincipalKind::User, self.account.clone(), user);
        self.read(action, |world| Ok(world.entity(action, &user)?.groups.iter().cloned().collect())).await
    }

    async fn keys_last_used(&self, user: &str) -> Result<Vec<KeyUse>, IamError> {
        let action = "iam:ListAccessKeys";
        let user = Principal::new(PrincipalKind::User, self.account.clone(), user);
        self.read(action, |world| Ok(world.entity(action, &user)?.key_use.clone())).await
    }

    async fn attached_policies(&self, principal: &Principal) -> Result<Vec<String>, IamError> {
        let action = named("ListAttached", principal, "Policies");
        self.read(&action, |world| Ok(world.entity(&action, principal)?.attached.iter().cloned().collect())).await
    }

    async fn attach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        let effect = |entity: &mut Entity, deleted: &BTreeSet<String>| {
            if deleted.contains(policy_arn) {
                return Err(IamErrorKind::NotFound);
            }
            if entity.attached.len() >= Self::ATTACHED_QUOTA && !entity.attached.contains(policy_arn) {
                return Err(IamErrorKind::LimitExceeded);
            }
            entity.attached.insert(policy_arn.to_owned());
            Ok(())
        };
        self.write(principal, call::attach_policy(principal, policy_arn), effect).await
    }

    async fn detach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        let effect = |entity: &mut Entity, _: &BTreeSet<String>| {
            if entity.attached.remove(policy_arn) { Ok(()) } else { Err(IamErrorKind::NotFound) }
        };
        self.write(principal, call::detach_policy(principal, policy_arn), effect).await
    }

    async fn inline_policy(&self, principal: &Principal, name: &str) -> Result<Option<String>, IamError> {
        let document = |world: &World| Ok(world.state.get(&key(principal)).and_then(|entity| entity.inline.get(name).cloned()));
        self.read(&named("Get", principal, "Policy"), document).await
    }

    async fn put_inline_policy(&self, principal: &Principal, name: &str, document: &str) -> Result<(), IamError> {
        let effect = |entity: &mut Entity, _: &BTreeSet<String>| {
            let others = entity.inline.iter().filter(|(other, _)| *other != name).map(|(_, text)| size(text)).sum::<usize>();
            if others + size(document) > inline_quota(principal.kind) {
                return Err(IamErrorKind::LimitExceeded);
            }
            entity.inline.insert(name.to_owned(), document.to_owned());
            Ok(())
        };
        self.write(principal, call::put_inline_policy(principal, name, document), effect).await
    }

    async fn delete_inline_policy(&self, principal: &Principal, name: &str) -> Result<(), IamError> {
        let effect =
            |entity: &mut Entity, _: &BTreeSet<String>| entity.inline.remove(name).map(|_| ()).ok_or(IamErrorKind::NotFound);
        self.write(principal, call::delete_inline_policy(principal, name), effect).await
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

fn key(principal: &Principal) -> (PrincipalKind, String) {
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
