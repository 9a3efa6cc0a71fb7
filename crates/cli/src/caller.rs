//! Who runs the command, as AWS knows them: never as they say.

use cordon_aws::SdkIam;
use cordon_aws::config::SdkConfig;
use cordon_core::{AccountId, Arn, Principal, PrincipalKind};
use cordon_respond::port::Iam;

use crate::failure::Failure;

pub struct Caller {
    /// What STS says: a session's ARN for a role.
    pub arn: String,
    pub account: AccountId,
    pub partition: String,
    /// The user or role behind it with its path, where IAM gives it; else without.
    pub principals: Vec<String>,
}

impl Caller {
    pub async fn find(sdk: &SdkConfig) -> Result<Self, Failure> {
        let unknown = |why: String| Failure::Input(format!("AWS does not say who you are{why}; check your credentials"));
        let identity = aws_sdk_sts::Client::new(sdk).get_caller_identity().send().await;
        let identity = identity.map_err(|error| unknown(format!(" ({})", aws_sdk_sts::error::DisplayErrorContext(error))))?;
        let arn: Arn = identity.arn.as_deref().unwrap_or_default().parse().map_err(|_| unknown(String::new()))?;
        let account = arn.account().ok_or_else(|| unknown(String::new()))?;
        let principals = principals(&SdkIam::new(sdk), &arn, &account).await;
        Ok(Self { account, partition: arn.partition().to_owned(), principals, arn: arn.to_string() })
    }
}

async fn principals(iam: &dyn Iam, arn: &Arn, account: &AccountId) -> Vec<String> {
    let mut parts = arn.resource().split('/');
    let (Some("assumed-role"), Some(role)) = (parts.next(), parts.next()) else { return vec![arn.to_string()] };
    let role = Principal::new(PrincipalKind::Role, account.clone(), role);
    // Whoever may not read their own role is known without its path, which fits fewer patterns.
    match iam.principal(&role).await {
        Ok(Some(facts)) => vec![facts.arn],
        Ok(None) | Err(_) => vec![role.arn()],
    }
}
