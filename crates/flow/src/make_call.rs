//! Makes one call in another account by a role that no other function may assume: `documents` or `restoration`.
//!
//! It is asked by `remediate`, and does not believe it: the call has to be one that a step of the stored plan has announced, of the
//! kind that this function is for, in an incident that may change something. Then
//!
//! - a document that is written has to be one that only denies. IAM cannot judge the content of an inline policy, so this does;
//! - a former state is given back only after a decision that stands in the table.
//!
//! INVARIANT: whatever is asked of it, it never writes a document that allows something under a name of Cordon's own, and without a
//! recorded decision it gives nothing back.

use std::sync::Arc;

use async_trait::async_trait;
use cordon_contract::StateError;
use cordon_core::approval::Vote;
use cordon_core::config::OnTimeout;
use cordon_core::incident::Incident;
use cordon_core::{AccountId, Call, Config, IncidentId, Route};
use cordon_respond::divided::perform;
use cordon_respond::port::{Account, IamError, IamErrorKind};
use cordon_respond::powers::Power;
use cordon_respond::{call, deny};
use cordon_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::ports::Clock;
use crate::remediate::never_writes;
use crate::switch;
use crate::undo::has_enough;

/// What the function is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeCallInput {
    /// The incident.
    pub incident: IncidentId,
    /// The call, as it was announced.
    pub call: Call,
}

/// What became of the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum MakeCallOutput {
    /// IAM has done it.
    Made,
    /// IAM, or this function, has not.
    Refused {
        /// The kind.
        kind: IamErrorKind,
        /// For people; never a document or a credential.
        message: String,
    },
}

/// Opens an account by one of the roles there.
#[async_trait]
pub trait Powers: Send + Sync {
    /// IAM in `account` by the role of `power`. The session can make `call` and nothing else where the role could give rights.
    async fn open(
        &self,
        power: Power,
        account: &AccountId,
        incident: &IncidentId,
        call: &Call,
    ) -> Result<Arc<dyn Account>, IamError>;
}

/// Why a call was not judged.
#[derive(Debug, thiserror::Error)]
pub enum MakeCallError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What making a call is given.
pub struct MakeCall<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// The policy: `cordon.toml`.
    pub config: &'a Config,
    /// The role that stands behind this function.
    pub power: Power,
    /// Sessions of it.
    pub powers: &'a dyn Powers,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl MakeCall<'_> {
    /// Makes the call where it may be made.
    ///
    /// # Errors
    /// [`MakeCallError`], under the contract's names. Nothing was done.
    pub async fn run(&self, input: MakeCallInput) -> Result<MakeCallOutput, StateError> {
        Ok(self.answer(&input).await?)
    }

    async fn answer(&self, input: &MakeCallInput) -> Result<MakeCallOutput, MakeCallError> {
        let incident = self.store.incident(&input.incident).await?;
        if let Some(reason) = self.refusal(&incident, &input.call).await? {
            return Ok(MakeCallOutput::Refused { kind: IamErrorKind::AccessDenied, message: reason.to_owned() });
        }
        let Some(account) = &incident.account else {
            return Ok(MakeCallOutput::Refused {
                kind: IamErrorKind::Other,
                message: "the event does not say in which account the call took effect".to_owned(),
            });
        };
        let made = match self.powers.open(self.power, account, &input.incident, &input.call).await {
            Ok(iam) => perform(&*iam, account, &input.call).await,
            Err(error) => Err(error),
        };
        Ok(match made {
            Ok(()) => MakeCallOutput::Made,
            Err(error) => MakeCallOutput::Refused { kind: error.kind(), message: error.to_string() },
        })
    }

    /// Why the call must not be made; `None` where it may.
    async fn refusal(&self, incident: &Incident, asked: &Call) -> Result<Option<&'static str>, StoreError> {
        if Power::of(asked) != Some(self.power) {
            return Ok(Some("this function makes no such call"));
        }
        if let Some(reason) = never_writes(self.config, incident) {
            return Ok(Some(reason));
        }
        let Some(account) = &incident.account else { return Ok(None) };
        if !self.store.is_call_announced(account, asked, self.clock.now()).await? {
            return Ok(Some("no step of a stored plan has announced this call"));
        }
        match self.power {
            Power::Reader | Power::Containment => Ok(Some("this function is for documents or for restoration")),
            Power::Documents => self.documents_refusal(asked).await,
            Power::Restoration => self.restoration_refusal(incident).await,
        }
    }

    async fn documents_refusal(&self, asked: &Call) -> Result<Option<&'static str>, StoreError> {
        if switch::stopped(self.store).await?.is_some() {
            return Ok(Some("enforcement is stopped"));
        }
        let allows = asked.parameters.get(call::DOCUMENT).is_some_and(|document| !deny::denies_only(document));
        Ok(allows.then_some("the document has a statement that is no Deny"))
    }

    /// A decision is an approval, a policy that acts by itself, the denial or the end of a question that a containment went ahead of,
    /// or the wish to undo of as many approvers as that takes.
    async fn restoration_refusal(&self, incident: &Incident) -> Result<Option<&'static str>, StoreError> {
        let question = self.store.approval(&incident.id).await?;
        let request = self.store.undo_request(&incident.id).await?;
        if request.is_some_and(|request| has_enough(self.config, incident, question.as_ref(), &request)) {
            return Ok(None);
        }
        let route = incident.assessment.decision.as_ref().map(|decision| decision.route);
        let went_ahead = route == Some(Route::ContainThenAsk);
        let is_decided = match question.map(|question| (question.vote, question.on_timeout)) {
            Some((Vote::Approved, _)) => true,
            // Where nothing went ahead of the question, there is nothing to take back.
            Some((Vote::Denied, _) | (Vote::Expired, OnTimeout::Close)) => went_ahead,
            Some((Vote::Expired, OnTimeout::HoldContainment | OnTimeout::Contain)) => false,
            Some((Vote::Waiting, _)) | None => route == Some(Route::Act),
        };
        Ok((!is_decided).then_some("nobody has decided that a former state is given back"))
    }
}
