//! Who runs the command, as AWS knows them: never as they say.

use aws_sdk_sts::error::{BoxError, SdkError};
use cordon_aws::SdkIam;
use cordon_aws::config::SdkConfig;
use cordon_core::{AccountId, Arn, Principal, PrincipalKind};
use cordon_respond::port::Iam;

/// The caller's AWS identity.
pub struct Caller {
    /// As STS gives it: the ARN of a session for a role.
    pub arn: String,
    /// The account of the credentials.
    pub account: AccountId,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The user or role behind it, with its path if IAM gives it.
    pub principals: Vec<String>,
}

/// A caller whom AWS does not identify.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// STS refused, or could not be reached.
    #[error("cannot identify you with `sts:GetCallerIdentity`; check your AWS credentials")]
    Sts(#[source] BoxError),
    /// STS answered with something else than an ARN with an account.
    #[error("`sts:GetCallerIdentity` gave `{0}`, which is not the ARN of a user or role; use other AWS credentials")]
    Arn(String),
}

impl Caller {
    /// Asks STS, and IAM for the path of a role.
    pub async fn find(sdk: &SdkConfig) -> Result<Self, CallerError> {
        let identity = aws_sdk_sts::Client::new(sdk).get_caller_identity().send().await;
        let identity = identity.map_err(|error| CallerError::Sts(SdkError::into_source(error).unwrap_or_else(Into::into)))?;
        let text = identity.arn.unwrap_or_default();
        let found = text.parse::<Arn>().ok().and_then(|arn| Some((arn.account()?, arn)));
        let (account, arn) = found.ok_or(CallerError::Arn(text))?;
        let principals = principals(&SdkIam::new(sdk), &arn, &account).await;
        Ok(Self { account, partition: arn.partition().to_owned(), principals, arn: arn.to_string() })
    }
}

async fn principals(iam: &dyn Iam, arn: &Arn, account: &AccountId) -> Vec<String> {
    let mut parts = arn.resource().split('/');
    let (Some("assumed-role"), Some(role)) = (parts.next(), parts.next()) else { return vec![arn.to_string()] };
    let role = Principal::new(PrincipalKind::Role, account.clone(), role);
    // A caller who may not read their own role is known without its path, which fits fewer patterns.
    match iam.principal(&role).await {
        Ok(Some(facts)) => vec![facts.arn],
        Ok(None) | Err(_) => vec![role.arn()],
    }
}
