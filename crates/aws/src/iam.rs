//! IAM and CloudTrail of one account over the SDK: every page of a list, documents as plain JSON text, errors by their code.
//!
//! It reports what AWS answers. A remedy decides whether `NoSuchEntity` is acceptable and whether a call may be repeated.

mod port;
mod trails;

use std::error::Error as StdError;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use cordon_core::Principal;
use cordon_core::document::Written;
use cordon_flow::ports::Policies;
use cordon_respond::{Iam as _, IamError, IamErrorKind, PrincipalFacts};

/// IAM and CloudTrail in the account of the credentials.
#[derive(Debug, Clone)]
pub struct SdkIam {
    client: Client,
    trails: aws_sdk_cloudtrail::Client,
}

impl SdkIam {
    /// With the credentials of the configuration.
    #[must_use]
    pub fn new(sdk: &SdkConfig) -> Self {
        Self { client: Client::new(sdk), trails: aws_sdk_cloudtrail::Client::new(sdk) }
    }
}

impl SdkIam {
    /// A principal, unless the one of that name is another account's: the credentials are for one account, an event may be of another.
    async fn of_same_account(&self, principal: &Principal) -> Result<Option<PrincipalFacts>, IamError> {
        let facts = self.principal(principal).await?;
        Ok(facts.filter(|facts| principal.has_arn(&facts.arn)))
    }
}

fn facts(arn: &str, unique_id: &str, path: &str) -> PrincipalFacts {
    PrincipalFacts {
        arn: arn.to_owned(),
        unique_id: unique_id.to_owned(),
        path: path.to_owned(),
        service_linked: path.starts_with("/aws-service-role/"),
        boundary: None,
        trust: None,
        max_session_seconds: None,
        created_at: None,
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

    async fn written(&self, written: &Written) -> Result<Option<String>, IamError> {
        match written {
            Written::Version { policy, version: None } => self.document(policy).await,
            Written::Version { policy, version: Some(version) } => self.policy_version(policy, version).await,
            Written::Inline { principal, name } => match self.of_same_account(principal).await? {
                Some(_) => self.inline_policy(principal, name).await,
                None => Ok(None),
            },
            Written::Trust { role } => Ok(self.of_same_account(role).await?.and_then(|facts| facts.trust)),
        }
    }
}

/// A document as the port hands it out.
fn decoded(action: &str, document: &str) -> Result<String, IamError> {
    let text = cordon_core::document::decode(document);
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
