//! An account in which Cordon works by four roles: one reads, and each change is made by the role that may make it.
//!
//! A remedy sees an account like any other. Whether a role's session stands right here or behind another function is the business of
//! [`Hands`].

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use cordon_core::{AccountId, Call, Principal, PrincipalKind};

use crate::call;
use crate::port::{AccessKey, Account, Iam, IamError, IamErrorKind, KeyLastUse, PolicyFacts, PrincipalFacts, TrailFacts, Trails};
use crate::powers::Power;

/// Makes single calls, each by the role for it.
#[async_trait]
pub trait Hands: Send + Sync {
    /// Makes a call by the role of a power.
    async fn make(&self, power: Power, call: &Call) -> Result<(), IamError>;
}

/// An account that is read by one role and changed by the others.
pub struct Divided {
    /// The reader.
    pub reader: Arc<dyn Account>,
    /// The other three.
    pub hands: Arc<dyn Hands>,
}

impl Divided {
    async fn make(&self, call: Call) -> Result<(), IamError> {
        match Power::of(&call) {
            Some(power @ (Power::Containment | Power::Documents | Power::Restoration)) => self.hands.make(power, &call).await,
            Some(Power::Reader) | None => {
                let message = "no role of Cordon makes this call in another account: make it with rights of your own";
                Err(IamError::new(IamErrorKind::AccessDenied, &call.action, message))
            }
        }
    }
}

#[async_trait]
impl Iam for Divided {
    async fn principal(&self, principal: &Principal) -> Result<Option<PrincipalFacts>, IamError> {
        self.reader.principal(principal).await
    }

    async fn tags(&self, principal: &Principal) -> Result<BTreeMap<String, String>, IamError> {
        self.reader.tags(principal).await
    }

    async fn groups_of_user(&self, user: &str) -> Result<Vec<String>, IamError> {
        self.reader.groups_of_user(user).await
    }

    async fn attached_policies(&self, principal: &Principal) -> Result<Vec<String>, IamError> {
        self.reader.attached_policies(principal).await
    }

    async fn attach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        self.make(call::attach_policy(principal, policy_arn)).await
    }

    async fn detach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        self.make(call::detach_policy(principal, policy_arn)).await
    }

    async fn inline_policy(&self, principal: &Principal, name: &str) -> Result<Option<String>, IamError> {
        self.reader.inline_policy(principal, name).await
    }

    async fn put_inline_policy(&self, principal: &Principal, name: &str, document: &str) -> Result<(), IamError> {
        self.make(call::put_inline_policy(principal, name, document)).await
    }

    async fn delete_inline_policy(&self, principal: &Principal, name: &str) -> Result<(), IamError> {
        self.make(call::delete_inline_policy(principal, name)).await
    }

    async fn inline_policies(&self, principal: &Principal) -> Result<Vec<String>, IamError> {
        self.reader.inline_policies(principal).await
    }

    async fn set_trust_policy(&self, role: &str, document: &str) -> Result<(), IamError> {
        self.make(call::set_trust_policy(role, document)).await
    }

    async fn set_boundary(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        self.make(call::set_boundary(principal, policy_arn)).await
    }

    async fn delete_boundary(&self, principal: &Principal) -> Result<(), IamError> {
        self.make(call::delete_boundary(principal)).await
    }

    async fn tag(&self, principal: &Principal, key: &str, value: &str) -> Result<(), IamError> {
        self.make(call::tag(principal, key, value)).await
    }

    async fn untag(&self, principal: &Principal, key: &str) -> Result<(), IamError> {
        self.make(call::untag(principal, key)).await
    }

    async fn access_keys(&self, user: &str) -> Result<Vec<AccessKey>, IamError> {
        self.reader.access_keys(user).await
    }

    async fn access_key_last_used(&self, id: &str) -> Result<Option<KeyLastUse>, IamError> {
        self.reader.access_key_last_used(id).await
    }

    async fn set_access_key(&self, user: &str, id: &str, active: bool) -> Result<(), IamError> {
        self.make(call::set_access_key(user, id, active)).await
    }

    async fn has_login_profile(&self, user: &str) -> Result<bool, IamError> {
        self.reader.has_login_profile(user).await
    }

    async fn delete_login_profile(&self, user: &str) -> Result<(), IamError> {
        self.make(call::delete_login_profile(user)).await
    }

    async fn add_to_group(&self, user: &str, group: &str) -> Result<(), IamError> {
        self.make(call::add_to_group(user, group)).await
    }

    async fn remove_from_group(&self, user: &str, group: &str) -> Result<(), IamError> {
        self.make(call::remove_from_group(user, group)).await
    }

    async fn policy(&self, policy_arn: &str) -> Result<Option<PolicyFacts>, IamError> {
        self.reader.policy(policy_arn).await
    }

    async fn policy_versions(&self, policy_arn: &str) -> Result<Vec<String>, IamError> {
        self.reader.policy_versions(policy_arn).await
    }

    async fn policy_version(&self, policy_arn: &str, version: &str) -> Result<Option<String>, IamError> {
        self.reader.policy_version(policy_arn, version).await
    }

    async fn set_default_policy_version(&self, policy_arn: &str, version: &str) -> Result<(), IamError> {
        self.make(call::set_default_policy_version(policy_arn, version)).await
    }

    async fn create_policy_version(&self, policy_arn: &str, document: &str) -> Result<(), IamError> {
        self.make(call::create_policy_version(policy_arn, document)).await
    }

    async fn delete_policy_version(&self, policy_arn: &str, version: &str) -> Result<(), IamError> {
        self.make(call::delete_policy_version(policy_arn, version)).await
    }
}

#[async_trait]
impl Trails for Divided {
    async fn trail(&self, arn: &str) -> Result<Option<TrailFacts>, IamError> {
        self.reader.trail(arn).await
    }

    async fn start_logging(&self, arn: &str) -> Result<(), IamError> {
        self.make(call::start_logging(arn)).await
    }

    async fn stop_logging(&self, arn: &str) -> Result<(), IamError> {
        self.make(call::stop_logging(arn)).await
    }

    async fn put_event_selectors(&self, arn: &str, selectors: &str) -> Result<(), IamError> {
        self.make(call::put_event_selectors(arn, selectors)).await
    }
}

/// Makes one call in the account `owner`, with the rights that `account` has.
///
/// # Errors
/// What IAM says, and [`IamErrorKind::Other`] for a call that no remedy makes or that lacks a parameter.
pub async fn perform(account: &dyn Account, owner: &AccountId, call: &Call) -> Result<(), IamError> {
    let unknown = || IamError::new(IamErrorKind::Other, &call.action, "it is no call of Cordon's, or lacks a parameter");
    let given = |name: &str| call.parameters.get(name).map(String::as_str).ok_or_else(unknown);
    let principal = |kind| -> Result<Principal, IamError> {
        let named_by = match kind {
            PrincipalKind::User => "UserName",
            PrincipalKind::Role => "RoleName",
            PrincipalKind::Group => "GroupName",
        };
        Ok(Principal::new(kind, owner.clone(), given(named_by)?))
    };
    let user = || principal(PrincipalKind::User);
    let role = || principal(PrincipalKind::Role);
    let group = || principal(PrincipalKind::Group);
    match call.action.as_str() {
        "iam:AttachUserPolicy" => account.attach_policy(&user()?, given("PolicyArn")?).await,
        "iam:AttachRolePolicy" => account.attach_policy(&role()?, given("PolicyArn")?).await,
        "iam:AttachGroupPolicy" => account.attach_policy(&group()?, given("PolicyArn")?).await,
        "iam:DetachUserPolicy" => account.detach_policy(&user()?, given("PolicyArn")?).await,
        "iam:DetachRolePolicy" => account.detach_policy(&role()?, given("PolicyArn")?).await,
        "iam:DetachGroupPolicy" => account.detach_policy(&group()?, given("PolicyArn")?).await,
        "iam:PutUserPolicy" => account.put_inline_policy(&user()?, given("PolicyName")?, given(call::DOCUMENT)?).await,
        "iam:PutRolePolicy" => account.put_inline_policy(&role()?, given("PolicyName")?, given(call::DOCUMENT)?).await,
        "iam:PutGroupPolicy" => account.put_inline_policy(&group()?, given("PolicyName")?, given(call::DOCUMENT)?).await,
        "iam:DeleteUserPolicy" => account.delete_inline_policy(&user()?, given("PolicyName")?).await,
        "iam:DeleteRolePolicy" => account.delete_inline_policy(&role()?, given("PolicyName")?).await,
        "iam:DeleteGroupPolicy" => account.delete_inline_policy(&group()?, given("PolicyName")?).await,
        "iam:PutUserPermissionsBoundary" => account.set_boundary(&user()?, given("PermissionsBoundary")?).await,
        "iam:PutRolePermissionsBoundary" => account.set_boundary(&role()?, given("PermissionsBoundary")?).await,
        "iam:DeleteUserPermissionsBoundary" => account.delete_boundary(&user()?).await,
        "iam:DeleteRolePermissionsBoundary" => account.delete_boundary(&role()?).await,
        "iam:TagUser" => account.tag(&user()?, given("Key")?, given("Value")?).await,
        "iam:TagRole" => account.tag(&role()?, given("Key")?, given("Value")?).await,
        "iam:UntagUser" => account.untag(&user()?, given("Key")?).await,
        "iam:UntagRole" => account.untag(&role()?, given("Key")?).await,
        "iam:UpdateAssumeRolePolicy" => account.set_trust_policy(given("RoleName")?, given(call::DOCUMENT)?).await,
        "iam:UpdateAccessKey" => {
            let active = match given("Status")? {
                "Active" => true,
                "Inactive" => false,
                _ => return Err(unknown()),
            };
            account.set_access_key(given("UserName")?, given("AccessKeyId")?, active).await
        }
        "iam:DeleteLoginProfile" => account.delete_login_profile(given("UserName")?).await,
        "iam:RemoveUserFromGroup" => account.remove_from_group(given("UserName")?, given("GroupName")?).await,
        "iam:SetDefaultPolicyVersion" => account.set_default_policy_version(given("PolicyArn")?, given("VersionId")?).await,
        "iam:DeletePolicyVersion" => account.delete_policy_version(given("PolicyArn")?, given("VersionId")?).await,
        "cloudtrail:StartLogging" => account.start_logging(given("Name")?).await,
        "cloudtrail:PutEventSelectors" => account.put_event_selectors(given("TrailName")?, given("Selectors")?).await,
        _ => Err(unknown()),
    }
}
