//! The calls of IAM and CloudTrail that the remedies need, in one account, and the ways in which they are refused.
//!
//! The port says what IAM says. It never decides that an error is fine (a remedy does), never reads one account's principal
//! for another's, and never puts a document or a credential into an error.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use cordon_core::Principal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A principal, as IAM describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalFacts {
    /// With the path, which a name and a CloudTrail record may lack.
    pub arn: String,
    /// `AIDA…`, `AROA…`, `AGPA…`: another one after the principal was deleted and made again.
    pub unique_id: String,
    /// Such as `/` or `/division/`.
    pub path: String,
    /// A role that belongs to an AWS service, which nobody but the service may change.
    pub service_linked: bool,
    /// The ARN of the permissions boundary; groups have none.
    pub boundary: Option<String>,
    /// A role's trust policy as plain JSON text.
    pub trust: Option<String>,
    /// How long a role's sessions last at most.
    pub max_session_seconds: Option<u32>,
    /// When it was made; `None` where IAM does not say.
    pub created_at: Option<Timestamp>,
}

/// An access key of a user. Its secret is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Such as `AKIA…`.
    pub id: String,
    /// Whether it can be used.
    pub active: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
}

/// The last use of an access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLastUse {
    /// When.
    pub at: Timestamp,
    /// Such as `iam`; IAM does not always know.
    pub service: Option<String>,
    /// Such as `us-east-1`; IAM does not always know.
    pub region: Option<String>,
}

/// A managed policy of the account, as IAM describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFacts {
    /// The policy's ARN.
    pub arn: String,
    /// `ANPA…`: another one after the policy was deleted and made again.
    pub unique_id: String,
    /// The version that is in force, such as `v2`.
    pub default_version: String,
}

/// A trail, as CloudTrail describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailFacts {
    /// Whether it writes what happens.
    pub logging: bool,
    /// As the JSON of CloudTrail's API: an object with `eventSelectors` or `advancedEventSelectors`.
    pub selectors: Option<String>,
}

/// IAM in one account. Lists are complete: an implementation reads every page.
#[async_trait]
pub trait Iam: Send + Sync {
    /// `None` where IAM knows no such principal.
    async fn principal(&self, principal: &Principal) -> Result<Option<PrincipalFacts>, IamError>;
    /// Empty for groups, which cannot be tagged.
    async fn tags(&self, principal: &Principal) -> Result<BTreeMap<String, String>, IamError>;
    /// The names of the groups that the user is in.
    async fn groups_of_user(&self, user: &str) -> Result<Vec<String>, IamError>;
    /// The ARNs of the managed policies on the principal.
    async fn attached_policies(&self, principal: &Principal) -> Result<Vec<String>, IamError>;
    /// Succeeds also where the policy is attached already, as IAM does.
    async fn attach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError>;
    /// [`IamErrorKind::NotFound`] where the policy is not attached.
    async fn detach_policy(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError>;
    /// The document as plain JSON text; `None` where there is no inline policy of that name, or no such principal.
    async fn inline_policy(&self, principal: &Principal, name: &str) -> Result<Option<String>, IamError>;
    /// Replaces the inline policy of that name, if there is one.
    async fn put_inline_policy(&self, principal: &Principal, name: &str, document: &str) -> Result<(), IamError>;
    /// [`IamErrorKind::NotFound`] where there is no inline policy of that name.
    async fn delete_inline_policy(&self, principal: &Principal, name: &str) -> Result<(), IamError>;
    /// The names of the inline policies on the principal.
    async fn inline_policies(&self, principal: &Principal) -> Result<Vec<String>, IamError>;

    /// Replaces a role's trust policy.
    async fn set_trust_policy(&self, role: &str, document: &str) -> Result<(), IamError>;
    /// Replaces the permissions boundary, if there is one.
    async fn set_boundary(&self, principal: &Principal, policy_arn: &str) -> Result<(), IamError>;
    /// [`IamErrorKind::NotFound`] where the principal has no boundary.
    async fn delete_boundary(&self, principal: &Principal) -> Result<(), IamError>;
    /// Replaces the value of the tag, if there is one.
    async fn tag(&self, principal: &Principal, key: &str, value: &str) -> Result<(), IamError>;
    /// Succeeds also where there is no such tag, as IAM does.
    async fn untag(&self, principal: &Principal, key: &str) -> Result<(), IamError>;

    /// Every access key of a user, on or off.
    async fn access_keys(&self, user: &str) -> Result<Vec<AccessKey>, IamError>;
    /// `None` where IAM has reported no use yet, which it does hours late: it never means that there was none.
    async fn access_key_last_used(&self, id: &str) -> Result<Option<KeyLastUse>, IamError>;
    /// [`IamErrorKind::NotFound`] where the user has no such key.
    async fn set_access_key(&self, user: &str, id: &str, active: bool) -> Result<(), IamError>;
    /// Whether a user has a console password.
    async fn has_login_profile(&self, user: &str) -> Result<bool, IamError>;
    /// [`IamErrorKind::NotFound`] where the user has no console password.
    async fn delete_login_profile(&self, user: &str) -> Result<(), IamError>;
    /// Succeeds also where the user is in the group already, as IAM does.
    async fn add_to_group(&self, user: &str, group: &str) -> Result<(), IamError>;
    /// [`IamErrorKind::NotFound`] where there is no such user or group.
    async fn remove_from_group(&self, user: &str, group: &str) -> Result<(), IamError>;

    /// `None` where IAM knows no such managed policy.
    async fn policy(&self, policy_arn: &str) -> Result<Option<PolicyFacts>, IamError>;
    /// The ids of all versions.
    async fn policy_versions(&self, policy_arn: &str) -> Result<Vec<String>, IamError>;
    /// The document of a version as plain JSON text; `None` where there is no such version, or no such policy.
    async fn policy_version(&self, policy_arn: &str, version: &str) -> Result<Option<String>, IamError>;
    /// Makes a version the one that is in force.
    async fn set_default_policy_version(&self, policy_arn: &str, version: &str) -> Result<(), IamError>;
    /// Makes a version that is not the default.
    async fn create_policy_version(&self, policy_arn: &str, document: &str) -> Result<(), IamError>;
    /// [`IamErrorKind::NotFound`] where there is no such version. IAM refuses to delete the default.
    async fn delete_policy_version(&self, policy_arn: &str, version: &str) -> Result<(), IamError>;
}

/// CloudTrail in one account. Its errors are [`IamError`]s too: they name their action.
#[async_trait]
pub trait Trails: Send + Sync {
    /// `None` where CloudTrail knows no such trail.
    async fn trail(&self, arn: &str) -> Result<Option<TrailFacts>, IamError>;
    /// Succeeds also where the trail logs already, as CloudTrail does.
    async fn start_logging(&self, arn: &str) -> Result<(), IamError>;
    /// Succeeds also where the trail does not log, as CloudTrail does.
    async fn stop_logging(&self, arn: &str) -> Result<(), IamError>;
    /// Takes what [`TrailFacts::selectors`] gives.
    async fn put_event_selectors(&self, arn: &str, selectors: &str) -> Result<(), IamError>;
}

/// All of an account that remedies change.
pub trait Account: Iam + Trails {}

impl<T: Iam + Trails> Account for T {}

/// Why IAM did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IamErrorKind {
    /// `NoSuchEntity`: the principal, the policy or the attachment is not there.
    NotFound,
    /// A quota of the account or the principal is full.
    LimitExceeded,
    /// IAM keeps the principal from being changed, as it does with service-linked roles.
    Unmodifiable,
    /// Our own role lacks the action, or a control policy denies it.
    AccessDenied,
    /// Throttled, unavailable or out of reach: the call may or may not have taken effect.
    Transient,
    /// Somebody else changed the same entity at the same moment.
    Conflict,
    /// Everything else.
    Other,
}

impl IamErrorKind {
    /// The kind for an error code of IAM's API.
    /// Source: "Errors" of each action and "Common Errors" in the IAM API reference.
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        match code {
            "NoSuchEntity" | "NoSuchEntityException" | "TrailNotFoundException" => Self::NotFound,
            "LimitExceeded" | "LimitExceededException" => Self::LimitExceeded,
            "UnmodifiableEntity" | "UnmodifiableEntityException" => Self::Unmodifiable,
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => Self::AccessDenied,
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "RequestTimeout"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "ServiceFailure"
            | "InternalFailure"
            | "InternalError" => Self::Transient,
            "ConcurrentModification"
            | "ConcurrentModificationException"
            | "EntityTemporarilyUnmodifiable"
            | "EntityTemporarilyUnmodifiableException" => Self::Conflict,
            _ => Self::Other,
        }
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::NotFound => "IAM knows no such entity",
            Self::LimitExceeded => "a quota of IAM is full",
            Self::Unmodifiable => "IAM does not let this be changed",
            Self::AccessDenied => "access is denied",
            Self::Transient => "IAM is busy or out of reach",
            Self::Conflict => "somebody else is changing the same entity",
            Self::Other => "IAM refused",
        }
    }
}

/// A call that IAM refused or did not answer.
#[derive(Debug)]
pub struct IamError {
    kind: IamErrorKind,
    action: String,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl IamError {
    /// Keeps a state's output and a log line small; IAM's own messages are far shorter.
    const MESSAGE_MAX_CHARS: usize = 300;

    /// `action` is IAM's name for it, such as `iam:PutUserPolicy`; `message` is IAM's own and may be empty.
    #[must_use]
    pub fn new(kind: IamErrorKind, action: &str, message: &str) -> Self {
        let message = message.chars().take(Self::MESSAGE_MAX_CHARS).collect();
        Self { kind, action: action.to_owned(), message, source: None }
    }

    /// Adds the cause. This error never prints it: a caller that walks the chain does.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Why it was refused.
    #[must_use]
    pub fn kind(&self) -> IamErrorKind {
        self.kind
    }

    /// The action that was refused, such as `iam:PutUserPolicy`.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// True where the same call may succeed a little later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self.kind {
            IamErrorKind::Transient | IamErrorKind::Conflict => true,
            IamErrorKind::NotFound
            | IamErrorKind::LimitExceeded
            | IamErrorKind::Unmodifiable
            | IamErrorKind::AccessDenied
            | IamErrorKind::Other => false,
        }
    }
}

impl fmt::Display for IamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed: {}", self.action, self.kind.phrase())?;
        if self.message.is_empty() { Ok(()) } else { write!(f, " ({})", self.message) }
    }
}

impl Error for IamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_by_itself_is_retryable() {
        let check = |code: &str, kind: IamErrorKind, retryable: bool| {
            assert_eq!(IamErrorKind::from_code(code), kind, "{code}");
            assert_eq!(IamError::new(kind, "iam:GetUser", "").retryable(), retryable, "{code}");
        };
        check("NoSuchEntity", IamErrorKind::NotFound, false);
        check("LimitExceeded", IamErrorKind::LimitExceeded, false);
        check("UnmodifiableEntity", IamErrorKind::Unmodifiable, false);
        check("AccessDenied", IamErrorKind::AccessDenied, false);
        check("Throttling", IamErrorKind::Transient, true);
        check("ThrottlingException", IamErrorKind::Transient, true);
        check("RequestLimitExceeded", IamErrorKind::Transient, true);
        check("ServiceUnavailable", IamErrorKind::Transient, true);
        check("ConcurrentModification", IamErrorKind::Conflict, true);
        check("EntityTemporarilyUnmodifiable", IamErrorKind::Conflict, true);
        check("MalformedPolicyDocument", IamErrorKind::Other, false);
        check("InvalidClientTokenId", IamErrorKind::Other, false);
        check("", IamErrorKind::Other, false);
    }

    #[test]
    fn an_error_names_the_action_and_stays_short() {
        let error = IamError::new(IamErrorKind::AccessDenied, "iam:PutUserPolicy", &"x".repeat(5_000));
        assert!(error.to_string().starts_with("`iam:PutUserPolicy` failed: access is denied (xxx"));
        assert!(error.to_string().len() < 400);
        assert_eq!(
            IamError::new(IamErrorKind::Transient, "iam:GetUser", "").to_string(),
            "`iam:GetUser` failed: IAM is busy or out of reach"
        );
    }

    #[test]
    fn a_cause_is_in_the_chain_and_not_in_the_message() {
        let error = IamError::new(IamErrorKind::Transient, "iam:GetUser", "").caused_by("connection reset");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("connection reset"));
        assert!(!error.to_string().contains("connection reset"));
    }
}
