//! Sessions in the account of an event: our own credentials in our own account, an assumed role in another.
//!
//! One never replaces the other: if the role cannot be assumed, nothing of that account is read or changed. No credential reaches
//! an error or a log line.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use cordon_core::{AccountId, IncidentId};
use cordon_flow::Accounts;
use cordon_respond::port::Account;
use cordon_respond::{IamError, IamErrorKind};

use crate::SdkIam;

const ACTION: &str = "sts:AssumeRole";
/// The shortest that STS gives: what was stopped in our account ends in another one after this.
const SESSION_SECONDS: i32 = 900;
/// The upper limit of a session that only reads; the role may allow less.
const READ_ONLY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*","cloudtrail:GetEventSelectors","cloudtrail:GetTrailStatus"],"Resource":"*"}]}"#;
/// A session that ends sooner is not begun with: the longest state takes less.
const SPARE: Duration = Duration::from_secs(120);
/// A warm function meets few incidents within a session's life.
const CACHED_MAX: usize = 64;

/// The role that other accounts let Cordon assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokeRole {
    /// Its name, with its path if it has one, the same in every account.
    pub name: String,
    /// The external id that the role's trust policy requires, so that nobody can have Cordon assume a role of theirs.
    pub external_id: Option<String>,
}

#[derive(Debug, Clone)]
struct Session {
    credentials: Credentials,
    ends: SystemTime,
}

/// Opens sessions, and keeps them until shortly before they end.
pub struct Sessions {
    own: AccountId,
    partition: String,
    sdk: SdkConfig,
    own_iam: Arc<SdkIam>,
    spoke: Option<SpokeRole>,
    read_only: bool,
    /// By account and incident, for the incident is the session's name in that account's trail.
    sessions: Mutex<HashMap<(AccountId, IncidentId), Session>>,
}

impl Sessions {
    /// `own` is the account of the configuration's credentials; without a `spoke` role no other account is opened.
    #[must_use]
    pub fn new(sdk: &SdkConfig, own: AccountId, partition: &str, spoke: Option<SpokeRole>) -> Self {
        Self {
            own,
            partition: partition.to_owned(),
            sdk: sdk.clone(),
            own_iam: Arc::new(SdkIam::new(sdk)),
            spoke,
            read_only: false,
            sessions: Mutex::default(),
        }
    }

    /// Sessions that cannot change anything, whatever the role may.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// The SDK's configuration with credentials for an account.
    ///
    /// # Errors
    /// The account's role is not known or cannot be assumed.
    pub async fn config(&self, account: &AccountId, incident: &IncidentId) -> Result<SdkConfig, IamError> {
        if *account == self.own {
            return Ok(self.sdk.clone());
        }
        let Some(spoke) = &self.spoke else {
            let message = format!("Cordon runs in account {} and has no role in {account}", self.own);
            return Err(IamError::new(IamErrorKind::AccessDenied, ACTION, &message));
        };
        let key = (account.clone(), incident.clone());
        let session = match self.cached(&key, SystemTime::now()) {
            Some(session) => session,
            None => {
                let session = self.assume(spoke, account, incident).await?;
                self.keep(key, session.clone(), SystemTime::now());
                session
            }
        };
        let provider = SharedCredentialsProvider::new(session.credentials);
        Ok(self.sdk.to_builder().credentials_provider(provider).build())
    }

    fn cached(&self, key: &(AccountId, IncidentId), now: SystemTime) -> Option<Session> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(key).filter(|session| session.ends > now + SPARE).cloned()
    }

    fn keep(&self, key: (AccountId, IncidentId), session: Session, now: SystemTime) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.ends > now + SPARE);
        if sessions.len() >= CACHED_MAX {
            sessions.clear();
        }
        sessions.insert(key, session);
    }

    async fn assume(&self, spoke: &SpokeRole, account: &AccountId, incident: &IncidentId) -> Result<Session, IamError> {
        let arn = role_arn(&self.partition, account, spoke);
        let assumed = aws_sdk_sts::Client::new(&self.sdk)
            .assume_role()
            .role_arn(&arn)
            .role_session_name(incident.as_str())
            .duration_seconds(SESSION_SECONDS)
            .set_policy(self.read_only.then(|| READ_ONLY.to_owned()))
            .set_external_id(spoke.external_id.clone())
            .send()
            .await
            .map_err(|error| refused(&arn, error))?;
        let unusable = || IamError::new(IamErrorKind::Other, ACTION, "STS answered without credentials");
        let given = assumed.credentials.ok_or_else(unusable)?;
        let ends = SystemTime::try_from(given.expiration).map_err(|_| unusable())?;
        let credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            Some(ends),
            "cordon-spoke-role",
        );
        Ok(Session { credentials, ends })
    }
}

#[async_trait]
impl Accounts for Sessions {
    async fn iam(&self, account: &AccountId, incident: &IncidentId) -> Result<Arc<dyn Account>, IamError> {
        if *account == self.own {
            return Ok(Arc::clone(&self.own_iam) as Arc<dyn Account>);
        }
        let sdk = self.config(account, incident).await?;
        Ok(Arc::new(SdkIam::new(&sdk)))
    }
}

fn role_arn(partition: &str, account: &AccountId, spoke: &SpokeRole) -> String {
    format!("arn:{partition}:iam::{account}:role/{}", spoke.name.trim_start_matches('/'))
}

/// STS's own message names the role and the caller, and no credential.
fn refused(arn: &str, error: SdkError<AssumeRoleError>) -> IamError {
    let kind = match &error {
        SdkError::ServiceError(answer) => match IamErrorKind::from_code(answer.err().code().unwrap_or_default()) {
            IamErrorKind::Other if answer.raw().status().as_u16() >= 500 => IamErrorKind::Transient,
            kind => kind,
        },
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => IamErrorKind::Transient,
        _ => IamErrorKind::Other,
    };
    let message = format!("`{arn}`: {}", error.message().unwrap_or("STS did not answer"));
    IamError::new(kind, ACTION, &message).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sts::error::ErrorMetadata;
    use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
    use aws_smithy_types::body::SdkBody;

    fn sessions(spoke: Option<SpokeRole>) -> Sessions {
        let sdk = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        Sessions::new(&sdk, "111111111111".parse().unwrap(), "aws", spoke)
    }

    fn session(seconds: u64) -> Session {
        let credentials = Credentials::new("a", "b", None, None, "test");
        Session { credentials, ends: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) }
    }

    fn key(account: &str, n: u8) -> (AccountId, IncidentId) {
        (account.parse().unwrap(), format!("inc-{n:020x}").parse().unwrap())
    }

    #[tokio::test]
    async fn our_own_account_needs_no_role_and_another_one_is_never_opened_without() {
        let sessions = sessions(None);
        let (own, incident) = key("111111111111", 1);
        assert!(sessions.iam(&own, &incident).await.is_ok());
        let (other, _) = key("222222222222", 1);
        let error = sessions.iam(&other, &incident).await.err().unwrap();
        assert!(!error.retryable() && error.to_string().contains("has no role in 222222222222"), "{error}");
    }

    #[test]
    fn a_session_is_kept_for_its_account_and_incident_until_shortly_before_its_end() {
        let sessions = sessions(None);
        let now = SystemTime::UNIX_EPOCH;
        sessions.keep(key("222222222222", 1), session(900), now);
        let check = |account: &str, n: u8, seconds: u64, kept: bool| {
            let found = sessions.cached(&key(account, n), now + Duration::from_secs(seconds));
            assert_eq!(found.is_some(), kept, "{account} {n} {seconds}");
        };
        check("222222222222", 1, 0, true);
        check("222222222222", 1, 779, true);
        check("222222222222", 1, 780, false);
        check("222222222222", 2, 0, false);
        check("333333333333", 1, 0, false);
        for n in 0..100 {
            sessions.keep(key("333333333333", n), session(900), now);
        }
        assert!(sessions.sessions.lock().unwrap().len() <= CACHED_MAX);
    }

    #[test]
    fn the_role_is_in_the_account_that_was_asked_for() {
        let spoke = SpokeRole { name: "/cordon/cordon-spoke".to_owned(), external_id: None };
        let account = "222222222222".parse().unwrap();
        assert_eq!(role_arn("aws", &account, &spoke), "arn:aws:iam::222222222222:role/cordon/cordon-spoke");
    }

    #[test]
    fn a_refusal_is_final_and_a_throttle_is_not() {
        let answered = |status: u16, code: &str| {
            let error = AssumeRoleError::generic(ErrorMetadata::builder().code(code).message("why").build());
            let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
            refused("arn:aws:iam::222222222222:role/x", SdkError::service_error(error, response))
        };
        let denied = answered(403, "AccessDenied");
        assert_eq!(denied.kind(), IamErrorKind::AccessDenied);
        assert_eq!(denied.to_string(), "`sts:AssumeRole` failed: access is denied (`arn:aws:iam::222222222222:role/x`: why)");
        assert!(answered(400, "Throttling").retryable() && answered(503, "").retryable());
        assert!(!answered(400, "RegionDisabledException").retryable());
    }
}
