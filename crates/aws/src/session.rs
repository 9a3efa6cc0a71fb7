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
use cordon_core::document::Written;
use cordon_core::{AccountId, Arn, Call, IncidentId};
use cordon_flow::Accounts;
use cordon_flow::make_call::Powers;
use cordon_flow::ports::Policies;
use cordon_respond::divided::Divided;
use cordon_respond::port::Account;
use cordon_respond::powers::{Power, session_policy};
use cordon_respond::{IamError, IamErrorKind};

use crate::SdkIam;
use crate::hands::SpokeHands;

const ACTION: &str = "sts:AssumeRole";
/// The shortest that STS gives: what was stopped in our account ends in another one after this.
const SESSION_SECONDS: i32 = 900;
/// The upper limit of a session that only reads; the role may allow less.
const READ_ONLY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*","cloudtrail:GetEventSelectors","cloudtrail:GetTrailStatus"],"Resource":"*"}]}"#;
/// A session that ends sooner is not begun with: the longest state takes less.
const SPARE: Duration = Duration::from_secs(120);
/// The name and the source of a session that reads for a judgement, before there is an incident. The reader's trust takes no other
/// beside an incident's id.
const CLASSIFY: &str = "probe-classify";
/// A warm function meets few incidents within a session's life.
const CACHED_MAX: usize = 64;

/// A role that another account lets somebody assume who works with `cordon` on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokeRole {
    /// Its name, with its path if it has one, the same in every account.
    pub name: String,
    /// The external id that the role's trust policy requires, so that nobody can have Cordon assume a role of theirs.
    pub external_id: Option<String>,
}

/// The four roles that other accounts have for the functions of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokeRoles {
    /// Everything before the role's word, such as `cordon/cordon-`, the same in every account.
    pub prefix: String,
    /// The external id that the roles' trust policies require.
    pub external_id: Option<String>,
    /// The functions behind which two of them stand; `None` in a function that changes nothing, or is one of the two.
    pub functions: Option<HandFunctions>,
}

/// The functions that make calls by a role of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandFunctions {
    /// The name or ARN of the function for [`Power::Documents`].
    pub documents: String,
    /// The name or ARN of the function for [`Power::Restoration`].
    pub restoration: String,
    /// The Region that they stand in.
    pub region: String,
}

/// How other accounts are opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spokes {
    /// By one role of a person's.
    One(SpokeRole),
    /// By the roles for the functions.
    Divided(SpokeRoles),
}

impl Spokes {
    fn role(&self, power: Power) -> String {
        match self {
            Self::One(role) => role.name.clone(),
            Self::Divided(roles) => format!("{}{}", roles.prefix, power.name()),
        }
    }

    fn external_id(&self) -> Option<String> {
        match self {
            Self::One(role) => role.external_id.clone(),
            Self::Divided(roles) => roles.external_id.clone(),
        }
    }
}

#[derive(Debug, Clone)]
struct Session {
    credentials: Credentials,
    ends: SystemTime,
}

/// Opens sessions, and keeps them until shortly before they end.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    own: AccountId,
    partition: String,
    sdk: SdkConfig,
    own_iam: Arc<SdkIam>,
    spokes: Option<Spokes>,
    read_only: bool,
    /// By account, incident and role, for the incident is the session's name in that account's trail. Sessions that can make one
    /// call alone are not kept.
    sessions: Mutex<HashMap<(AccountId, String, Power), Session>>,
}

impl Sessions {
    /// `own` is the account of the configuration's credentials; without `spokes` no other account is opened.
    #[must_use]
    pub fn new(sdk: &SdkConfig, own: AccountId, partition: &str, spokes: Option<Spokes>) -> Self {
        Self::made(sdk, own, partition, spokes, false)
    }

    /// Sessions that cannot change anything, whatever the role may.
    #[must_use]
    pub fn read_only(sdk: &SdkConfig, own: AccountId, partition: &str, spokes: Option<Spokes>) -> Self {
        Self::made(sdk, own, partition, spokes, true)
    }

    fn made(sdk: &SdkConfig, own: AccountId, partition: &str, spokes: Option<Spokes>, read_only: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                own,
                partition: partition.to_owned(),
                sdk: sdk.clone(),
                own_iam: Arc::new(SdkIam::new(sdk)),
                spokes,
                read_only,
                sessions: Mutex::default(),
            }),
        }
    }

    /// IAM in another account by one of its roles.
    ///
    /// # Errors
    /// The account's role is not known or cannot be assumed.
    pub(crate) async fn by(&self, power: Power, account: &AccountId, incident: &IncidentId) -> Result<SdkIam, IamError> {
        let inner = &self.inner;
        let key = (account.clone(), incident.to_string(), power);
        let session = match inner.cached(&key, SystemTime::now()) {
            Some(session) => session,
            None => {
                let policy = inner.read_only.then(|| READ_ONLY.to_owned());
                let session = inner.assume(power, account, incident.as_str(), policy).await?;
                inner.keep(key, session.clone(), SystemTime::now());
                session
            }
        };
        Ok(inner.iam(session))
    }

    /// IAM in an account, to read before there is an incident.
    async fn reader(&self, account: &AccountId) -> Result<SdkIam, IamError> {
        let inner = &self.inner;
        if *account == inner.own {
            return Ok(SdkIam::clone(&inner.own_iam));
        }
        let key = (account.clone(), CLASSIFY.to_owned(), Power::Reader);
        if let Some(session) = inner.cached(&key, SystemTime::now()) {
            return Ok(inner.iam(session));
        }
        let session = inner.assume(Power::Reader, account, CLASSIFY, Some(READ_ONLY.to_owned())).await?;
        inner.keep(key, session.clone(), SystemTime::now());
        Ok(inner.iam(session))
    }
}

#[async_trait]
impl Policies for Sessions {
    async fn document(&self, policy_arn: &str) -> Result<Option<String>, IamError> {
        // A policy of AWS's own is the same in every account.
        let account = policy_arn.parse::<Arn>().ok().and_then(|arn| arn.account());
        match account {
            Some(account) => self.reader(&account).await?.document(policy_arn).await,
            None => self.inner.own_iam.document(policy_arn).await,
        }
    }

    async fn written(&self, written: &Written) -> Result<Option<String>, IamError> {
        match written {
            Written::Version { policy, version: None } => self.document(policy).await,
            Written::Version { policy, version: Some(_) } => match policy.parse::<Arn>().ok().and_then(|arn| arn.account()) {
                Some(account) => self.reader(&account).await?.written(written).await,
                None => self.inner.own_iam.written(written).await,
            },
            Written::Inline { principal, .. } | Written::Trust { role: principal } => {
                self.reader(&principal.account).await?.written(written).await
            }
        }
    }
}

impl Inner {
    fn iam(&self, session: Session) -> SdkIam {
        let provider = SharedCredentialsProvider::new(session.credentials);
        SdkIam::new(&self.sdk.to_builder().credentials_provider(provider).build())
    }

    fn spokes(&self, account: &AccountId) -> Result<&Spokes, IamError> {
        self.spokes.as_ref().ok_or_else(|| {
            let message = format!("Cordon runs in account {} and has no role in {account}", self.own);
            IamError::new(IamErrorKind::AccessDenied, ACTION, &message)
        })
    }

    fn cached(&self, key: &(AccountId, String, Power), now: SystemTime) -> Option<Session> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(key).filter(|session| session.ends > now + SPARE).cloned()
    }

    fn keep(&self, key: (AccountId, String, Power), session: Session, now: SystemTime) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.ends > now + SPARE);
        if sessions.len() >= CACHED_MAX {
            sessions.clear();
        }
        sessions.insert(key, session);
    }

    async fn assume(&self, power: Power, account: &AccountId, name: &str, policy: Option<String>) -> Result<Session, IamError> {
        let spokes = self.spokes(account)?;
        let arn = role_arn(&self.partition, account, &spokes.role(power));
        // A person's own role need not let them set a source identity.
        let source = match spokes {
            Spokes::One(_) => None,
            Spokes::Divided(_) => Some(name.to_owned()),
        };
        let assumed = aws_sdk_sts::Client::new(&self.sdk)
            .assume_role()
            .role_arn(&arn)
            .role_session_name(name)
            .set_source_identity(source)
            .duration_seconds(SESSION_SECONDS)
            .set_policy(policy)
            .set_external_id(spokes.external_id())
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
        let inner = &self.inner;
        if *account == inner.own {
            return Ok(Arc::clone(&inner.own_iam) as Arc<dyn Account>);
        }
        match inner.spokes(account)? {
            // A function that changes things reads by the role that contains, and opens no other.
            Spokes::Divided(SpokeRoles { functions: Some(functions), .. }) => {
                let reader = Arc::new(self.by(Power::Containment, account, incident).await?);
                let hands = SpokeHands::new(&inner.sdk, self.clone(), functions, account, incident)?;
                Ok(Arc::new(Divided { reader, hands: Arc::new(hands) }))
            }
            Spokes::One(_) | Spokes::Divided(SpokeRoles { functions: None, .. }) => {
                Ok(Arc::new(self.by(Power::Reader, account, incident).await?))
            }
        }
    }
}

#[async_trait]
impl Powers for Sessions {
    async fn open(
        &self,
        power: Power,
        account: &AccountId,
        incident: &IncidentId,
        call: &Call,
    ) -> Result<Arc<dyn Account>, IamError> {
        let inner = &self.inner;
        match power {
            Power::Reader | Power::Containment | Power::Documents => Ok(Arc::new(self.by(power, account, incident).await?)),
            Power::Restoration => {
                let policy = session_policy(call, account, &inner.partition)
                    .ok_or_else(|| IamError::new(IamErrorKind::Other, &call.action, "no session can be cut to this call"))?;
                let session = inner.assume(power, account, incident.as_str(), Some(policy.to_string())).await?;
                Ok(Arc::new(inner.iam(session)))
            }
        }
    }
}

fn role_arn(partition: &str, account: &AccountId, role: &str) -> String {
    format!("arn:{partition}:iam::{account}:role/{}", role.trim_start_matches('/'))
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

    fn sessions(spokes: Option<Spokes>) -> Sessions {
        let sdk = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        Sessions::new(&sdk, "111111111111".parse().unwrap(), "aws", spokes)
    }

    fn session(seconds: u64) -> Session {
        let credentials = Credentials::new("a", "b", None, None, "test");
        Session { credentials, ends: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) }
    }

    fn key(account: &str, n: u8, power: Power) -> (AccountId, String, Power) {
        (account.parse().unwrap(), format!("inc-{n:020x}"), power)
    }

    #[tokio::test]
    async fn our_own_account_needs_no_role_and_another_one_is_never_opened_without() {
        let sessions = sessions(None);
        let incident = "inc-00000000000000000001".parse().unwrap();
        let (own, ..) = key("111111111111", 1, Power::Reader);
        assert!(sessions.iam(&own, &incident).await.is_ok());
        let (other, ..) = key("222222222222", 1, Power::Reader);
        let error = sessions.iam(&other, &incident).await.err().unwrap();
        assert!(!error.retryable() && error.to_string().contains("has no role in 222222222222"), "{error}");
    }

    #[test]
    fn a_session_is_kept_for_its_account_incident_and_role_until_shortly_before_its_end() {
        let sessions = sessions(None).inner;
        let now = SystemTime::UNIX_EPOCH;
        sessions.keep(key("222222222222", 1, Power::Reader), session(900), now);
        let check = |account: &str, n: u8, power: Power, seconds: u64, kept: bool| {
            let found = sessions.cached(&key(account, n, power), now + Duration::from_secs(seconds));
            assert_eq!(found.is_some(), kept, "{account} {n} {seconds}");
        };
        check("222222222222", 1, Power::Reader, 0, true);
        check("222222222222", 1, Power::Reader, 779, true);
        check("222222222222", 1, Power::Reader, 780, false);
        check("222222222222", 1, Power::Containment, 0, false);
        check("222222222222", 2, Power::Reader, 0, false);
        check("333333333333", 1, Power::Reader, 0, false);
        for n in 0..100 {
            sessions.keep(key("333333333333", n, Power::Reader), session(900), now);
        }
        assert!(sessions.sessions.lock().unwrap().len() <= CACHED_MAX);
    }

    #[test]
    fn the_role_is_in_the_account_that_was_asked_for() {
        let account = "222222222222".parse().unwrap();
        let one = Spokes::One(SpokeRole { name: "/security/responder".to_owned(), external_id: None });
        let divided = Spokes::Divided(SpokeRoles { prefix: "/cordon/cordon-".to_owned(), external_id: None, functions: None });
        let arn = |spokes: &Spokes, power| role_arn("aws", &account, &spokes.role(power));
        assert_eq!(arn(&one, Power::Containment), "arn:aws:iam::222222222222:role/security/responder");
        assert_eq!(arn(&divided, Power::Containment), "arn:aws:iam::222222222222:role/cordon/cordon-containment");
        assert_eq!(arn(&divided, Power::Reader), "arn:aws:iam::222222222222:role/cordon/cordon-reader");
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
