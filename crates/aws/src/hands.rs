//! Makes the changes of an incident in another account: what contains by a role of this function's own, everything else by the
//! functions behind which the other roles stand.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use cordon_core::{AccountId, Call, IncidentId};
use cordon_flow::make_call::{MakeCallInput, MakeCallOutput};
use cordon_respond::divided::{Hands, perform};
use cordon_respond::powers::Power;
use cordon_respond::{IamError, IamErrorKind};
use serde_json::json;

use crate::session::{HandFunctions, Sessions};
use crate::signed::SignedClient;

const ACTION: &str = "lambda:InvokeFunction";
/// A cold start, the reads of the table and one call of IAM; below the time limit of the function that waits.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The hands of one incident in one account.
pub(crate) struct SpokeHands {
    sessions: Sessions,
    lambda: SignedClient,
    functions: HandFunctions,
    account: AccountId,
    incident: IncidentId,
}

impl SpokeHands {
    pub(crate) fn new(
        sdk: &SdkConfig,
        sessions: Sessions,
        functions: &HandFunctions,
        account: &AccountId,
        incident: &IncidentId,
    ) -> Result<Self, IamError> {
        let lambda = SignedClient::new(sdk, "lambda", &functions.region, TIMEOUT)
            .map_err(|error| IamError::new(IamErrorKind::Other, ACTION, &error.to_string()))?;
        Ok(Self { sessions, lambda, functions: functions.clone(), account: account.clone(), incident: incident.clone() })
    }

    /// Whether the call was made is not known where the function does not answer: then the remedy reads again.
    async fn ask(&self, function: &str, call: &Call) -> Result<(), IamError> {
        let unanswered =
            |message: &str| IamError::new(IamErrorKind::Transient, &call.action, &format!("`{function}`: {message}"));
        let input = MakeCallInput { incident: self.incident.clone(), call: call.clone() };
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let answer = self.lambda.post(&path, &json!(input)).await.map_err(|error| unanswered(&error.to_string()))?;
        match answer.status {
            403 => return Err(IamError::new(IamErrorKind::AccessDenied, ACTION, &format!("`{function}` may not be called"))),
            404 => return Err(IamError::new(IamErrorKind::Other, ACTION, &format!("there is no function `{function}`"))),
            200 if !answer.headers.contains_key("x-amz-function-error") => {}
            status => return Err(unanswered(&format!("it failed (status {status})"))),
        }
        match serde_json::from_value(answer.body) {
            Ok(MakeCallOutput::Made) => Ok(()),
            Ok(MakeCallOutput::Refused { kind, message }) => Err(IamError::new(kind, &call.action, &message)),
            Err(_) => Err(unanswered("its answer cannot be read")),
        }
    }
}

#[async_trait]
impl Hands for SpokeHands {
    async fn make(&self, power: Power, call: &Call) -> Result<(), IamError> {
        match power {
            Power::Documents => self.ask(&self.functions.documents, call).await,
            Power::Restoration => self.ask(&self.functions.restoration, call).await,
            Power::Reader | Power::Containment => {
                let iam = self.sessions.by(Power::Containment, &self.account, &self.incident).await?;
                perform(&iam, &self.account, call).await
            }
        }
    }
}
