//! The fake's ports. `call` writes the logged calls as the plan shows them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cordon_core::{Principal, PrincipalKind, same_arn};
use cordon_respond::{AccessKey, Iam, IamError, IamErrorKind, KeyLastUse, PolicyFacts, PrincipalFacts, TrailFacts, Trails, call};

use super::{FakeIam, ManagedPolicy, Trail, World, inline_quota, key, named, service_linked, size};

#[async_trait]
impl Iam for FakeIam {
    async fn principal(&self, principal: &Principal) -> Result<Option<PrincipalFacts>, IamError> {
        let facts = |world: &World| {
            Ok(world.state.principals.get(&key(principal)).map(|entity| PrincipalFacts {
                arn: entity.arn.clone(),
                unique_id: entity.unique_id.clone(),
                path: entity.path.clone(),
                service_linked: service_linked(entity),
                boundary: entity.boundary.clone(),
                trust: entity.trust.clone(),
                max_session_seconds: (principal.kind == PrincipalKind::Role).then_some(3_600),
                created_at: entity.created_at,
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
        let user = self.named(PrincipalKind::User, user);
        self.read(action, |world| Ok(world.entity(action, &user)?.groups.iter().cloned().collect())).await
    }

    async fn attached_policies(&self, principal: &Principal) -> Result<Vec<String>, IamError> {
        let action = named("ListAttached", principal, "Policies");
        self.read(&action, |world| Ok(world.entity(&action, principal)?.attached.iter().cloned().collect())).await
    }

    async fn attach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            if world.deleted_policies.contains(policy_arn) {
                return Err(IamErrorKind::NotFound);
            }
            let entity = world.writable(principal)?;
            let stored = entity.attached_as(policy_arn);
            if entity.attached.len() >= Self::ATTACHED_QUOTA && !entity.attached.contains(&stored) {
                return Err(IamErrorKind::LimitExceeded);
            }
            entity.attached.insert(stored);
            Ok(())
        };
        self.write(call::attach_policy(principal, policy_arn), effect).await
    }

    async fn detach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let entity = world.writable(principal)?;
            let stored = entity.attached_as(policy_arn);
            found(entity.attached.remove(&stored))
        };
        self.write(call::detach_policy(principal, policy_arn), effect).await
    }

    async fn inline_policy(&self, principal: &Principal, name: &str) -> Result<Option<String>, IamError> {
        let document = |world: &World| {
            Ok(world.state.principals.get(&key(principal)).and_then(|entity| entity.inline.get(&entity.inline_as(name)).cloned()))
        };
        self.read(&named("Get", principal, "Policy"), document).await
    }

    async fn inline_policies(&self, principal: &Principal) -> Result<Vec<String>, IamError> {
        let action = named("List", principal, "Policies");
        self.read(&action, |world| Ok(world.entity(&action, principal)?.inline.keys().cloned().collect())).await
    }

    async fn put_inline_policy(&self, principal: &Principal, name: &str, document: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let entity = world.writable(principal)?;
            let name = entity.inline_as(name);
            let others = entity.inline.iter().filter(|(other, _)| **other != name).map(|(_, text)| size(text)).sum::<usize>();
            if others + size(document) > inline_quota(principal.kind) {
                return Err(IamErrorKind::LimitExceeded);
            }
            entity.inline.insert(name, document.to_owned());
            Ok(())
        };
        self.write(call::put_inline_policy(principal, name, document), effect).await
    }

    async fn delete_inline_policy(&self, principal: &Principal, name: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let entity = world.writable(principal)?;
            let stored = entity.inline_as(name);
            found(entity.inline.remove(&stored).is_some())
        };
        self.write(call::delete_inline_policy(principal, name), effect).await
    }

    async fn set_trust_policy(&self, role: &str, document: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            world.writable(&self.named(PrincipalKind::Role, role))?.trust = Some(document.to_owned());
            Ok(())
        };
        self.write(call::set_trust_policy(role, document), effect).await
    }

    async fn set_boundary(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            world.writable(principal)?.boundary = Some(policy_arn.to_owned());
            Ok(())
        };
        self.write(call::set_boundary(principal, policy_arn), effect).await
    }

    async fn delete_boundary(&self, principal: &Principal) -> Result<(), IamError> {
        let effect = |world: &mut World| found(world.writable(principal)?.boundary.take().is_some());
        self.write(call::delete_boundary(principal), effect).await
    }

    async fn tag(&self, principal: &Principal, key: &str, value: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let entity = world.writable(principal)?;
            entity.tags.insert(entity.tag_as(key), value.to_owned());
            Ok(())
        };
        self.write(call::tag(principal, key, value), effect).await
    }

    async fn untag(&self, principal: &Principal, key: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let entity = world.writable(principal)?;
            let stored = entity.tag_as(key);
            entity.tags.remove(&stored);
            Ok(())
        };
        self.write(call::untag(principal, key), effect).await
    }

    async fn access_keys(&self, user: &str) -> Result<Vec<AccessKey>, IamError> {
        let action = "iam:ListAccessKeys";
        let user = self.named(PrincipalKind::User, user);
        let keys = |world: &World| {
            let entity = world.entity(action, &user)?;
            let key = |(id, key): (&String, &super::Key)| AccessKey {
                id: id.clone(),
                active: key.active,
                created_at: Some(key.created_at),
            };
            Ok(entity.keys.iter().map(key).collect())
        };
        self.read(action, keys).await
    }

    async fn access_key_last_used(&self, id: &str) -> Result<Option<KeyLastUse>, IamError> {
        let used = |world: &World| {
            Ok(world.state.principals.values().find_map(|entity| entity.keys.get(id)).and_then(|key| key.last_used.clone()))
        };
        self.read("iam:GetAccessKeyLastUsed", used).await
    }

    async fn set_access_key(&self, user: &str, id: &str, active: bool) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let user = world.writable(&self.named(PrincipalKind::User, user))?;
            user.keys.get_mut(id).ok_or(IamErrorKind::NotFound)?.active = active;
            Ok(())
        };
        self.write(call::set_access_key(user, id, active), effect).await
    }

    async fn has_login_profile(&self, user: &str) -> Result<bool, IamError> {
        let user = self.named(PrincipalKind::User, user);
        let has = |world: &World| Ok(world.state.principals.get(&key(&user)).is_some_and(|user| user.login_profile));
        self.read("iam:GetLoginProfile", has).await
    }

    async fn delete_login_profile(&self, user: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let user = world.writable(&self.named(PrincipalKind::User, user))?;
            found(std::mem::take(&mut user.login_profile))
        };
        self.write(call::delete_login_profile(user), effect).await
    }

    async fn add_to_group(&self, user: &str, group: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let known = world.state.principals.get(&key(&self.named(PrincipalKind::Group, group)));
            let stored = known.and_then(|group| group.arn.rsplit('/').next()).unwrap_or(group).to_owned();
            let user = world.writable(&self.named(PrincipalKind::User, user))?;
            user.groups.insert(user.group_as(&stored));
            Ok(())
        };
        self.write(call::add_to_group(user, group), effect).await
    }

    async fn remove_from_group(&self, user: &str, group: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let user = world.writable(&self.named(PrincipalKind::User, user))?;
            let stored = user.group_as(group);
            found(user.groups.remove(&stored))
        };
        self.write(call::remove_from_group(user, group), effect).await
    }

    async fn policy(&self, policy_arn: &str) -> Result<Option<PolicyFacts>, IamError> {
        let facts = |world: &World| {
            Ok(world.policy(policy_arn).map(|(arn, policy)| PolicyFacts {
                arn: arn.to_owned(),
                unique_id: policy.unique_id.clone(),
                default_version: policy.default_version.clone(),
            }))
        };
        self.read("iam:GetPolicy", facts).await
    }

    async fn policy_versions(&self, policy_arn: &str) -> Result<Vec<String>, IamError> {
        let action = "iam:ListPolicyVersions";
        let versions = |world: &World| match world.policy(policy_arn) {
            Some((_, policy)) => Ok(policy.versions.keys().rev().map(|n| format!("v{n}")).collect()),
            None => Err(IamError::new(IamErrorKind::NotFound, action, "")),
        };
        self.read(action, versions).await
    }

    async fn policy_version(&self, policy_arn: &str, version: &str) -> Result<Option<String>, IamError> {
        let document =
            |world: &World| Ok(world.policy(policy_arn).and_then(|(_, policy)| policy.versions.get(&number(version)).cloned()));
        self.read("iam:GetPolicyVersion", document).await
    }

    async fn set_default_policy_version(&self, policy_arn: &str, version: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let policy = policy_of(world, policy_arn)?;
            found(policy.versions.contains_key(&number(version)))?;
            policy.default_version = version.to_owned();
            Ok(())
        };
        self.write(call::set_default_policy_version(policy_arn, version), effect).await
    }

    async fn create_policy_version(&self, policy_arn: &str, document: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let policy = policy_of(world, policy_arn)?;
            if policy.versions.len() >= Self::VERSIONS_QUOTA {
                return Err(IamErrorKind::LimitExceeded);
            }
            policy.versions.insert(policy.next, document.to_owned());
            policy.next += 1;
            Ok(())
        };
        self.write(call::create_policy_version(policy_arn, document), effect).await
    }

    async fn delete_policy_version(&self, policy_arn: &str, version: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            let policy = policy_of(world, policy_arn)?;
            // IAM's own code for it is `DeleteConflict`.
            if policy.default_version == version {
                return Err(IamErrorKind::Other);
            }
            found(policy.versions.remove(&number(version)).is_some())
        };
        self.write(call::delete_policy_version(policy_arn, version), effect).await
    }
}

#[async_trait]
impl Trails for FakeIam {
    async fn trail(&self, arn: &str) -> Result<Option<TrailFacts>, IamError> {
        let facts = |world: &World| {
            let trail = world.state.trails.get(arn);
            Ok(trail.map(|trail| TrailFacts { logging: trail.logging, selectors: trail.selectors.clone() }))
        };
        self.read("cloudtrail:GetTrailStatus", facts).await
    }

    async fn start_logging(&self, arn: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            trail_of(world, arn)?.logging = true;
            Ok(())
        };
        self.write(call::start_logging(arn), effect).await
    }

    async fn stop_logging(&self, arn: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            trail_of(world, arn)?.logging = false;
            Ok(())
        };
        self.write(call::stop_logging(arn), effect).await
    }

    async fn put_event_selectors(&self, arn: &str, selectors: &str) -> Result<(), IamError> {
        let effect = |world: &mut World| {
            trail_of(world, arn)?.selectors = Some(selectors.to_owned());
            Ok(())
        };
        self.write(call::put_event_selectors(arn, selectors), effect).await
    }
}

fn policy_of<'a>(world: &'a mut World, arn: &str) -> Result<&'a mut ManagedPolicy, IamErrorKind> {
    let found = world.state.policies.iter_mut().find(|(stored, _)| same_arn(stored, arn));
    found.map(|(_, policy)| policy).ok_or(IamErrorKind::NotFound)
}

fn trail_of<'a>(world: &'a mut World, arn: &str) -> Result<&'a mut Trail, IamErrorKind> {
    world.state.trails.get_mut(arn).ok_or(IamErrorKind::NotFound)
}

fn number(version: &str) -> u32 {
    version.trim_start_matches('v').parse().unwrap_or(0)
}

fn found(was_there: bool) -> Result<(), IamErrorKind> {
    if was_there { Ok(()) } else { Err(IamErrorKind::NotFound) }
}
