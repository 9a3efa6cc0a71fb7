//! Somebody with credentials of their own, the sessions that they make with them, and what IAM lets them do.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::error::ProvideErrorMetadata;

use super::deployment::{ADMINISTRATOR, LIMIT, POLL};

pub const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

pub struct Person {
    pub name: String,
    pub config: SdkConfig,
    pub iam: aws_sdk_iam::Client,
    pub trails: aws_sdk_cloudtrail::Client,
}

impl Person {
    pub fn new(name: &str, config: SdkConfig) -> Self {
        let (iam, trails) = (aws_sdk_iam::Client::new(&config), aws_sdk_cloudtrail::Client::new(&config));
        Self { name: name.to_owned(), config, iam, trails }
    }

    /// The same person, or whom they became, with a session's credentials.
    fn with(&self, name: &str, session: Option<&aws_sdk_sts::types::Credentials>) -> Self {
        let session = session.unwrap();
        let token = Some(session.session_token().to_owned());
        let credentials = Credentials::new(session.access_key_id(), session.secret_access_key(), token, None, "session");
        let provider = SharedCredentialsProvider::new(credentials);
        Self::new(name, self.config.clone().into_builder().credentials_provider(provider).build())
    }

    /// A session of a role, or IAM's error code.
    pub async fn assumes(&self, role_arn: &str, name: &str) -> Result<Self, String> {
        let call = aws_sdk_sts::Client::new(&self.config).assume_role().role_arn(role_arn).role_session_name("night-shift");
        call.send().await.map(|made| self.with(name, made.credentials())).map_err(|error| code(&error))
    }

    /// A session of `GetSessionToken`: temporary credentials of the user's own, as the console works with.
    pub async fn session(&self) -> Self {
        let made = aws_sdk_sts::Client::new(&self.config).get_session_token().send().await.unwrap();
        self.with(&self.name, made.credentials())
    }

    /// A session of `GetFederationToken`, limited by nothing but the user's own rights. It outlives the key that it is made with.
    pub async fn federated(&self) -> Self {
        let call = aws_sdk_sts::Client::new(&self.config).get_federation_token().name("elsewhere").policy(EVERYTHING);
        let made = call.send().await.unwrap();
        self.with(&self.name, made.credentials())
    }

    pub async fn attaches_administrator_to(&self, user: &str) {
        self.iam.attach_user_policy().user_name(user).policy_arn(ADMINISTRATOR).send().await.unwrap();
    }

    /// `Ok` where IAM lets them make a user, else IAM's error code.
    pub async fn creates_user(&self, name: &str) -> Result<(), String> {
        self.iam.create_user().user_name(name).send().await.map(drop).map_err(|error| code(&error))
    }

    /// `Ok` where they may look at the trails, which a deny of IAM alone leaves open; else the error code.
    pub async fn reads_trails(&self) -> Result<(), String> {
        self.trails.describe_trails().send().await.map(drop).map_err(|error| code(&error))
    }

    /// Waits until IAM refuses them.
    pub async fn is_refused(&self, prefix: &str) {
        let began = std::time::Instant::now();
        for n in 0.. {
            match self.creates_user(&format!("{prefix}-{n}")).await {
                Err(code) => return assert_eq!(code, "AccessDenied"),
                Ok(()) => assert!(began.elapsed() < LIMIT, "{} is never refused", self.name),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Neither IAM nor anything else lets them in.
    pub async fn may_do_nothing(&self) {
        assert_eq!(self.creates_user("iam-test-never-made").await, Err("AccessDenied".to_owned()), "{}", self.name);
        assert_eq!(self.reads_trails().await, Err("AccessDeniedException".to_owned()), "{}", self.name);
    }
}

fn code(error: &impl ProvideErrorMetadata) -> String {
    error.code().unwrap_or("no code").to_owned()
}
