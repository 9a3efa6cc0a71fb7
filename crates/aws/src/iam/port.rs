//! The port of the remedies, call by call.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_iam::types::{AccessKeyMetadata, AttachedPermissionsBoundary, Role, StatusType, Tag};
use cordon_core::{Principal, PrincipalKind};
use cordon_respond::{AccessKey, Iam, IamError, IamErrorKind, KeyLastUse, PolicyFacts, PrincipalFacts};
use jiff::Timestamp;

use super::{SdkIam, decoded, facts, failed, none_if_missing};

#[async_trait]
impl Iam for SdkIam {
    async fn principal(&self, principal: &Principal) -> Result<Option<PrincipalFacts>, IamError> {
        let name = &principal.name;
        let facts = match principal.kind {
            PrincipalKind::User => {
                let answer = self.client.get_user().user_name(name).send().await.map_err(|e| failed("iam:GetUser", e));
                answer.map(|answer| {
                    answer.user.map(|user| PrincipalFacts {
                        boundary: boundary(user.permissions_boundary()),
                        created_at: time(user.create_date()),
                        ..facts(user.arn(), user.user_id(), user.path())
                    })
                })
            }
            PrincipalKind::Role => {
                let answer = self.client.get_role().role_name(name).send().await.map_err(|e| failed("iam:GetRole", e));
                answer.and_then(|answer| answer.role.map(|role| role_facts(&role)).transpose())
            }
            PrincipalKind::Group => {
                let answer = self.client.get_group().group_name(name).max_items(1).send().await;
                let answer = answer.map_err(|e| failed("iam:GetGroup", e));
                answer.map(|answer| {
                    answer.group.map(|group| PrincipalFacts {
                        created_at: time(group.create_date()),
                        ..facts(group.arn(), group.group_id(), group.path())
                    })
                })
            }
        };
        none_if_missing(facts)
    }

    async fn tags(&self, principal: &Principal) -> Result<BTreeMap<String, String>, IamError> {
        let name = &principal.name;
        let tags: Vec<_> = match principal.kind {
            PrincipalKind::User => {
                let pages = self.client.list_user_tags().user_name(name).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListUserTags", e))?
            }
            PrincipalKind::Role => {
                let pages = self.client.list_role_tags().role_name(name).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListRoleTags", e))?
            }
            PrincipalKind::Group => Vec::new(),
        };
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    async fn groups_of_user(&self, user: &str) -> Result<Vec<String>, IamError> {
        let pages = self.client.list_groups_for_user().user_name(user).into_paginator().items().send();
        let groups: Vec<_> = pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListGroupsForUser", e))?;
        Ok(groups.into_iter().map(|group| group.group_name).collect())
    }

    async fn attached_policies(&self, principal: &Principal) -> Result<Vec<String>, IamError> {
        let name = &principal.name;
        let policies: Vec<_> = match principal.kind {
            PrincipalKind::User => {
                let pages = self.client.list_attached_user_policies().user_name(name).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListAttachedUserPolicies", e))?
            }
            PrincipalKind::Role => {
                let pages = self.client.list_attached_role_policies().role_name(name).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListAttachedRolePolicies", e))?
            }
            PrincipalKind::Group => {
                let pages = self.client.list_attached_group_policies().group_name(name).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListAttachedGroupPolicies", e))?
            }
        };
        Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).collect())
    }

    async fn attach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        let name = &principal.name;
        match principal.kind {
            PrincipalKind::User => {
                let sent = self.client.attach_user_policy().user_name(name).policy_arn(policy_arn).send().await;
                sent.map(drop).map_err(|e| failed("iam:AttachUserPolicy", e))
            }
            PrincipalKind::Role => {
                let sent = self.client.attach_role_policy().role_name(name).policy_arn(policy_arn).send().await;
                sent.map(drop).map_err(|e| failed("iam:AttachRolePolicy", e))
            }
            PrincipalKind::Group => {
                let sent = self.client.attach_group_policy().group_name(name).policy_arn(policy_arn).send().await;
                sent.map(drop).map_err(|e| failed("iam:AttachGroupPolicy", e))
            }
        }
    }

    async fn detach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        let name = &principal.name;
        match principal.kind {
            PrincipalKind::User => {
                let sent = self.client.detach_user_policy().user_name(name).policy_arn(policy_arn).send().await;
                sent.map(drop).map_err(|e| failed("iam:DetachUserPolicy", e))
            }
            PrincipalKind::Role => {
                let sent = self.client.detach_role_policy().role_name(name).policy_arn(policy_arn).send().await;
                sent.map(drop).map_err(|e| failed("iam:DetachRolePolicy", e))
            }
            PrincipalKind::Group => {
                let sent = self.client.detach_group_policy().group_name(name).policy_arn(policy_arn).send().await;
                sent.map(drop).map_err(|e| failed("iam:DetachGroupPolicy", e))
            }
        }
    }

    async fn inline_policy(&self, principal: &Principal, name: &str) -> Result<Option<String>, IamError> {
        let (client, target) = (&self.client, &principal.name);
        let (action, document) = match principal.kind {
            PrincipalKind::User => {
                let answer = client.get_user_policy().user_name(target).policy_name(name).send().await;
                let answer = answer.map_err(|e| failed("iam:GetUserPolicy", e));
                ("iam:GetUserPolicy", answer.map(|answer| answer.policy_document))
            }
            PrincipalKind::Role => {
                let answer = client.get_role_policy().role_name(target).policy_name(name).send().await;
                let answer = answer.map_err(|e| failed("iam:GetRolePolicy", e));
                ("iam:GetRolePolicy", answer.map(|answer| answer.policy_document))
            }
            PrincipalKind::Group => {
                let answer = client.get_group_policy().group_name(target).policy_name(name).send().await;
                let answer = answer.map_err(|e| failed("iam:GetGroupPolicy", e));
                ("iam:GetGroupPolicy", answer.map(|answer| answer.policy_document))
            }
        };
        none_if_missing(document.and_then(|encoded| decoded(action, &encoded)).map(Some))
    }

    async fn put_inline_policy(&self, principal: &Principal, name: &str, document: &str) -> Result<(), IamError> {
        let (client, target) = (&self.client, &principal.name);
        match principal.kind {
            PrincipalKind::User => {
                let call = client.put_user_policy().user_name(target).policy_name(name).policy_document(document);
                call.send().await.map(drop).map_err(|e| failed("iam:PutUserPolicy", e))
            }
            PrincipalKind::Role => {
                let call = client.put_role_policy().role_name(target).policy_name(name).policy_document(document);
                call.send().await.map(drop).map_err(|e| failed("iam:PutRolePolicy", e))
            }
            PrincipalKind::Group => {
                let call = client.put_group_policy().group_name(target).policy_name(name).policy_document(document);
                call.send().await.map(drop).map_err(|e| failed("iam:PutGroupPolicy", e))
            }
        }
    }

    async fn delete_inline_policy(&self, principal: &Principal, name: &str) -> Result<(), IamError> {
        let (client, target) = (&self.client, &principal.name);
        match principal.kind {
            PrincipalKind::User => {
                let sent = client.delete_user_policy().user_name(target).policy_name(name).send().await;
                sent.map(drop).map_err(|e| failed("iam:DeleteUserPolicy", e))
            }
            PrincipalKind::Role => {
                let sent = client.delete_role_policy().role_name(target).policy_name(name).send().await;
                sent.map(drop).map_err(|e| failed("iam:DeleteRolePolicy", e))
            }
            PrincipalKind::Group => {
                let sent = client.delete_group_policy().group_name(target).policy_name(name).send().await;
                sent.map(drop).map_err(|e| failed("iam:DeleteGroupPolicy", e))
            }
        }
    }

    async fn inline_policies(&self, principal: &Principal) -> Result<Vec<String>, IamError> {
        let name = &principal.name;
        match principal.kind {
            PrincipalKind::User => {
                let pages = self.client.list_user_policies().user_name(name).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListUserPolicies", e))
            }
            PrincipalKind::Role => {
                let pages = self.client.list_role_policies().role_name(name).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListRolePolicies", e))
            }
            PrincipalKind::Group => {
                let pages = self.client.list_group_policies().group_name(name).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListGroupPolicies", e))
            }
        }
    }

    async fn set_trust_policy(&self, role: &str, document: &str) -> Result<(), IamError> {
        let call = self.client.update_assume_role_policy().role_name(role).policy_document(document);
        call.send().await.map(drop).map_err(|e| failed("iam:UpdateAssumeRolePolicy", e))
    }

    async fn set_boundary(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError> {
        let name = &principal.name;
        if principal.kind == PrincipalKind::User {
            let call = self.client.put_user_permissions_boundary().user_name(name).permissions_boundary(policy_arn);
            return call.send().await.map(drop).map_err(|e| failed("iam:PutUserPermissionsBoundary", e));
        }
        let call = self.client.put_role_permissions_boundary().role_name(name).permissions_boundary(policy_arn);
        call.send().await.map(drop).map_err(|e| failed("iam:PutRolePermissionsBoundary", e))
    }

    async fn delete_boundary(&self, principal: &Principal) -> Result<(), IamError> {
        let name = &principal.name;
        if principal.kind == PrincipalKind::User {
            let sent = self.client.delete_user_permissions_boundary().user_name(name).send().await;
            return sent.map(drop).map_err(|e| failed("iam:DeleteUserPermissionsBoundary", e));
        }
        let sent = self.client.delete_role_permissions_boundary().role_name(name).send().await;
        sent.map(drop).map_err(|e| failed("iam:DeleteRolePermissionsBoundary", e))
    }

    async fn tag(&self, principal: &Principal, key: &str, value: &str) -> Result<(), IamError> {
        let action = if principal.kind == PrincipalKind::User { "iam:TagUser" } else { "iam:TagRole" };
        let tag = Tag::builder().key(key).value(value).build().map_err(|e| malformed(action, e))?;
        if principal.kind == PrincipalKind::User {
            let sent = self.client.tag_user().user_name(&principal.name).tags(tag).send().await;
            return sent.map(drop).map_err(|e| failed(action, e));
        }
        self.client.tag_role().role_name(&principal.name).tags(tag).send().await.map(drop).map_err(|e| failed(action, e))
    }

    async fn untag(&self, principal: &Principal, key: &str) -> Result<(), IamError> {
        if principal.kind == PrincipalKind::User {
            let sent = self.client.untag_user().user_name(&principal.name).tag_keys(key).send().await;
            return sent.map(drop).map_err(|e| failed("iam:UntagUser", e));
        }
        let sent = self.client.untag_role().role_name(&principal.name).tag_keys(key).send().await;
        sent.map(drop).map_err(|e| failed("iam:UntagRole", e))
    }

    async fn access_keys(&self, user: &str) -> Result<Vec<AccessKey>, IamError> {
        let pages = self.client.list_access_keys().user_name(user).into_paginator().items().send();
        let keys: Vec<_> = pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListAccessKeys", e))?;
        let key = |key: AccessKeyMetadata| {
            let active = key.status == Some(StatusType::Active);
            let created_at = key.create_date.as_ref().and_then(time);
            Some(AccessKey { id: key.access_key_id?, active, created_at })
        };
        Ok(keys.into_iter().filter_map(key).collect())
    }

    async fn access_key_last_used(&self, id: &str) -> Result<Option<KeyLastUse>, IamError> {
        let answer = self.client.get_access_key_last_used().access_key_id(id).send().await;
        let answer = answer.map_err(|e| failed("iam:GetAccessKeyLastUsed", e))?;
        // IAM says `N/A` for a service or region that it does not know.
        let named = |text: &str| (text != "N/A").then(|| text.to_owned());
        Ok(answer.access_key_last_used.and_then(|used| {
            let at = used.last_used_date.as_ref().and_then(time)?;
            Some(KeyLastUse { at, service: named(&used.service_name), region: named(&used.region) })
        }))
    }

    async fn set_access_key(&self, user: &str, id: &str, active: bool) -> Result<(), IamError> {
        let status = if active { StatusType::Active } else { StatusType::Inactive };
        let call = self.client.update_access_key().user_name(user).access_key_id(id).status(status);
        call.send().await.map(drop).map_err(|e| failed("iam:UpdateAccessKey", e))
    }

    async fn has_login_profile(&self, user: &str) -> Result<bool, IamError> {
        let answer = self.client.get_login_profile().user_name(user).send().await;
        let found = answer.map(|_| Some(())).map_err(|e| failed("iam:GetLoginProfile", e));
        Ok(none_if_missing(found)?.is_some())
    }

    async fn delete_login_profile(&self, user: &str) -> Result<(), IamError> {
        let sent = self.client.delete_login_profile().user_name(user).send().await;
        sent.map(drop).map_err(|e| failed("iam:DeleteLoginProfile", e))
    }

    async fn add_to_group(&self, user: &str, group: &str) -> Result<(), IamError> {
        let sent = self.client.add_user_to_group().user_name(user).group_name(group).send().await;
        sent.map(drop).map_err(|e| failed("iam:AddUserToGroup", e))
    }

    async fn remove_from_group(&self, user: &str, group: &str) -> Result<(), IamError> {
        let sent = self.client.remove_user_from_group().user_name(user).group_name(group).send().await;
        sent.map(drop).map_err(|e| failed("iam:RemoveUserFromGroup", e))
    }

    async fn policy(&self, policy_arn: &str) -> Result<Option<PolicyFacts>, IamError> {
        let answer = self.client.get_policy().policy_arn(policy_arn).send().await.map_err(|e| failed("iam:GetPolicy", e));
        let facts = |policy: aws_sdk_iam::types::Policy| {
            let (unique_id, default_version) = (policy.policy_id?, policy.default_version_id?);
            Some(PolicyFacts { arn: policy_arn.to_owned(), unique_id, default_version })
        };
        none_if_missing(answer.map(|answer| answer.policy.and_then(facts)))
    }

    async fn policy_versions(&self, policy_arn: &str) -> Result<Vec<String>, IamError> {
        let pages = self.client.list_policy_versions().policy_arn(policy_arn).into_paginator().items().send();
        let versions: Vec<_> = pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListPolicyVersions", e))?;
        Ok(versions.into_iter().filter_map(|version| version.version_id).collect())
    }

    async fn policy_version(&self, policy_arn: &str, version: &str) -> Result<Option<String>, IamError> {
        let action = "iam:GetPolicyVersion";
        let answer = self.client.get_policy_version().policy_arn(policy_arn).version_id(version).send().await;
        let found = none_if_missing(answer.map(|answer| answer.policy_version).map_err(|e| failed(action, e)))?;
        found.and_then(|version| version.document).map(|document| decoded(action, &document)).transpose()
    }

    async fn set_default_policy_version(&self, policy_arn: &str, version: &str) -> Result<(), IamError> {
        let call = self.client.set_default_policy_version().policy_arn(policy_arn).version_id(version);
        call.send().await.map(drop).map_err(|e| failed("iam:SetDefaultPolicyVersion", e))
    }

    async fn create_policy_version(&self, policy_arn: &str, document: &str) -> Result<(), IamError> {
        let call = self.client.create_policy_version().policy_arn(policy_arn).policy_document(document).set_as_default(false);
        call.send().await.map(drop).map_err(|e| failed("iam:CreatePolicyVersion", e))
    }

    async fn delete_policy_version(&self, policy_arn: &str, version: &str) -> Result<(), IamError> {
        let sent = self.client.delete_policy_version().policy_arn(policy_arn).version_id(version).send().await;
        sent.map(drop).map_err(|e| failed("iam:DeletePolicyVersion", e))
    }
}

fn role_facts(role: &Role) -> Result<PrincipalFacts, IamError> {
    let trust = role.assume_role_policy_document().map(|document| decoded("iam:GetRole", document)).transpose()?;
    Ok(PrincipalFacts {
        boundary: boundary(role.permissions_boundary()),
        trust,
        created_at: time(role.create_date()),
        max_session_seconds: role.max_session_duration().and_then(|seconds| u32::try_from(seconds).ok()),
        ..facts(role.arn(), role.role_id(), role.path())
    })
}

fn boundary(boundary: Option<&AttachedPermissionsBoundary>) -> Option<String> {
    boundary.and_then(|boundary| boundary.permissions_boundary_arn()).map(str::to_owned)
}

fn time(time: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).unwrap_or(0)).ok()
}

fn malformed(action: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> IamError {
    IamError::new(IamErrorKind::Other, action, "the call could not be made").caused_by(error)
}
