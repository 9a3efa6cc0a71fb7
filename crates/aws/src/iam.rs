//! IAM of one account over the SDK: every page of a list, documents as plain JSON text, errors by their code.
//!
//! It says what IAM says. Whether `NoSuchEntity` is fine, and whether a call may be repeated, is for a remedy to decide.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use async_trait::async_trait;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::StatusType;
use cordon_core::{KeyUse, Principal, PrincipalKind};
use cordon_flow::ports::Policies;
use cordon_respond::{Iam, IamError, IamErrorKind, PrincipalFacts};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

/// IAM in the account of the client's credentials.
#[derive(Debug, Clone)]
pub struct SdkIam {
    client: Client,
}

impl SdkIam {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Iam for SdkIam {
    async fn principal(&self, principal: &Principal) -> Result<Option<PrincipalFacts>, IamError> {
        let name = &principal.name;
        let facts = match principal.kind {
            PrincipalKind::User => {
                let answer = self.client.get_user().user_name(name).send().await.map_err(|e| failed("iam:GetUser", e));
                answer.map(|answer| answer.user.map(|user| facts(user.arn(), user.user_id(), user.path())))
            }
            PrincipalKind::Role => {
                let answer = self.client.get_role().role_name(name).send().await.map_err(|e| failed("iam:GetRole", e));
                answer.map(|answer| answer.role.map(|role| facts(role.arn(), role.role_id(), role.path())))
            }
            PrincipalKind::Group => {
                let answer = self.client.get_group().group_name(name).max_items(1).send().await;
                let answer = answer.map_err(|e| failed("iam:GetGroup", e));
                answer.map(|answer| answer.group.map(|group| facts(group.arn(), group.group_id(), group.path())))
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

    async fn keys_last_used(&self, user: &str) -> Result<Vec<KeyUse>, IamError> {
        let pages = self.client.list_access_keys().user_name(user).into_paginator().items().send();
        let keys: Vec<_> = pages.collect::<Result<_, _>>().await.map_err(|e| failed("iam:ListAccessKeys", e))?;
        let mut uses = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(id) = key.access_key_id else { continue };
            let answer = self.client.get_access_key_last_used().access_key_id(&id).send().await;
            let used = answer.map_err(|e| failed("iam:GetAccessKeyLastUsed", e))?.access_key_last_used;
            // For a key that was never used, AWS says `N/A` as service and region.
            let named = |text: &str| (text != "N/A").then(|| text.to_owned());
            uses.push(KeyUse {
                id,
                active: key.status == Some(StatusType::Active),
                last_used: used.as_ref().and_then(|used| Timestamp::from_second(used.last_used_date.as_ref()?.secs()).ok()),
                service: used.as_ref().and_then(|used| named(&used.service_name)),
                region: used.as_ref().and_then(|used| named(&used.region)),
            });
        }
        Ok(uses)
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
}

fn facts(arn: &str, unique_id: &str, path: &str) -> PrincipalFacts {
    PrincipalFacts {
        arn: arn.to_owned(),
        unique_id: unique_id.to_owned(),
        path: path.to_owned(),
        service_linked: path.starts_with("/aws-service-role/"),
    }
}

fn none_if_missing<T>(answer: Result<Option<T>, IamError>) -> Result<Option<T>, IamError> {
    match answer {
        Err(error) if error.kind() == IamErrorKind::NotFound => Ok(None),
        answer => answer,
    }
}

#[async_trait]
impl Policies for SdkIam {
    async fn document(&self, policy_arn: &str) -> Result<Option<String>, IamError> {
        let policy = self.client.get_policy().policy_arn(policy_arn).send().await.map_err(|e| failed("iam:GetPolicy", e));
        let policy = none_if_missing(policy.map(|answer| answer.policy))?;
        let Some(version) = policy.as_ref().and_then(|policy| policy.default_version_id()) else { return Ok(None) };
        let answer = self.client.get_policy_version().policy_arn(policy_arn).version_id(version).send().await;
        let answer = answer.map_err(|e| failed("iam:GetPolicyVersion", e));
        let found = none_if_missing(answer.map(|answer| answer.policy_version))?;
        found.and_then(|version| version.document).map(|document| decoded("iam:GetPolicyVersion", &document)).transpose()
    }
}

/// IAM gives documents percent-encoded after RFC 3986 ("`GetUserPolicy`", IAM API reference), in which a quotation mark never
/// stands for itself; a text with one is taken as already plain, so that a `%` inside it is kept.
fn decoded(action: &str, document: &str) -> Result<String, IamError> {
    if document.contains('"') {
        return Ok(document.to_owned());
    }
    let text = percent_decode_str(document).decode_utf8();
    text.map(std::borrow::Cow::into_owned)
        .map_err(|error| IamError::new(IamErrorKind::Other, action, "the policy document is not UTF-8").caused_by(error))
}

/// The port's error for the SDK's. IAM's own message is kept; the SDK's is only the cause, and only where there was no answer.
fn failed<E>(action: &str, error: SdkError<E>) -> IamError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    match &error {
        SdkError::ServiceError(answer) => {
            let (code, message) = (answer.err().code().unwrap_or_default(), answer.err().message().unwrap_or_default());
            let kind = match (IamErrorKind::from_code(code), status) {
                // A code that is not known, behind a status that says whose fault it is.
                (IamErrorKind::Other, Some(429 | 500..)) => IamErrorKind::Transient,
                (kind, _) => kind,
            };
            let message = if kind == IamErrorKind::Other { format!("{code}: {message}") } else { message.to_owned() };
            IamError::new(kind, action, &message)
        }
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            IamError::new(IamErrorKind::Transient, action, "").caused_by(error)
        }
        _ => IamError::new(IamErrorKind::Other, action, "the call could not be made").caused_by(error),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::error::ErrorMetadata;
    use aws_sdk_iam::operation::get_user::GetUserError;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn answered(status: u16, code: &str) -> IamError {
        let error = GetUserError::generic(ErrorMetadata::builder().code(code).message("why").build());
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        failed("iam:GetUser", SdkError::service_error(error, response))
    }

    #[test]
    fn iams_code_decides_and_a_servers_fault_without_one_is_transient() {
        let check = |status, code: &str, kind| assert_eq!(answered(status, code).kind(), kind, "{status} {code}");
        check(404, "NoSuchEntity", IamErrorKind::NotFound);
        check(409, "LimitExceeded", IamErrorKind::LimitExceeded);
        check(400, "UnmodifiableEntity", IamErrorKind::Unmodifiable);
        check(403, "AccessDenied", IamErrorKind::AccessDenied);
        check(400, "Throttling", IamErrorKind::Transient);
        check(409, "ConcurrentModification", IamErrorKind::Conflict);
        check(409, "EntityTemporarilyUnmodifiable", IamErrorKind::Conflict);
        check(503, "", IamErrorKind::Transient);
        check(429, "SlowDown", IamErrorKind::Transient);
        check(403, "InvalidClientTokenId", IamErrorKind::Other);
    }

    #[test]
    fn the_action_and_iams_message_are_kept_and_an_unknown_code_is_named() {
        assert_eq!(answered(403, "AccessDenied").to_string(), "`iam:GetUser` failed: access is denied (why)");
        assert_eq!(answered(400, "ValidationError").to_string(), "`iam:GetUser` failed: IAM refused (ValidationError: why)");
    }

    #[test]
    fn no_answer_is_transient_and_keeps_its_cause() {
        let error = failed("iam:GetUser", SdkError::<GetUserError>::timeout_error("too slow"));
        assert!(error.retryable() && StdError::source(&error).is_some());
        let error = failed("iam:GetUser", SdkError::<GetUserError>::construction_failure("no region"));
        assert!(!error.retryable());
    }

    #[test]
    fn only_what_iam_does_not_know_is_none() {
        assert!(matches!(none_if_missing::<()>(Err(answered(404, "NoSuchEntity"))), Ok(None)));
        assert!(none_if_missing::<()>(Err(answered(403, "AccessDenied"))).is_err());
    }

    #[test]
    fn documents_are_decoded_once_and_plain_ones_are_kept() {
        let plain = "{ \"Resource\": \"arn:aws:s3:::a%2Fb+c/ü\" }";
        let encoded = "%7B%20%22Resource%22%3A%20%22arn%3Aaws%3As3%3A%3A%3Aa%252Fb%2Bc%2F%C3%BC%22%20%7D";
        assert_eq!(decoded("iam:GetUserPolicy", encoded).unwrap(), plain);
        assert_eq!(decoded("iam:GetUserPolicy", plain).unwrap(), plain);
        assert_eq!(decoded("iam:GetUserPolicy", "%FF").unwrap_err().kind(), IamErrorKind::Other);
    }

    #[test]
    fn the_path_tells_a_service_linked_role() {
        assert!(facts("a", "b", "/aws-service-role/ecs.amazonaws.com/").service_linked);
        assert!(!facts("a", "b", "/").service_linked);
    }
}
