//! delete-policy-version: deletes the managed policy version that the event created, so that nobody makes it the default again.
//!
//! It never deletes the default version: `restore-policy-version` comes first, and if that does not fit, this does not either.
//! The document is in the snapshot. Undo creates a version with the same document; only its id differs.

use async_trait::async_trait;
use cordon_core::{PlannedStep, RemedyKind};
use serde::{Deserialize, Serialize};

use super::restore_policy_version::{number, planned};
use crate::call;
use crate::deny::{is_as_set, same_document};
use crate::port::{Account, IamError, IamErrorKind};
use crate::remedy::{
    Answers, Applied, Attempt, ByHand, Identity, On, Planned, Remedy, Request, Reverted, Snapshot, StepError, Verified, WorksOn,
};

/// The remedy.
pub struct DeletePolicyVersion;

/// The snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// `ANPA…` of the policy, as in the step.
    pub target_unique_id: String,
    /// The version's document; none where the version was deleted already.
    pub document: Option<String>,
}

#[async_trait]
impl Remedy for DeletePolicyVersion {
    fn kind(&self) -> RemedyKind {
        RemedyKind::DeletePolicyVersion
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["CreatePolicyVersion"])
    }

    fn works_on(&self) -> WorksOn {
        WorksOn::Policy
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let On::Policy(arn, _) = request.on else {
            return Ok(request.does_not_fit(self.kind(), "a managed policy"));
        };
        if request.event.name != "CreatePolicyVersion" {
            return Ok(Planned::Nothing(format!("the event made no version of `{arn}`")));
        }
        let versions = account.policy_versions(arn.as_str()).await?;
        let made = of_event(account, request, &versions).await?;
        let Some(made) = made else {
            return Ok(Planned::ByHand(ByHand {
                reason: format!("the version of `{arn}` that the event made cannot be told"),
                instruction: format!("read its versions ({}), and delete the one that nobody of yours made", versions.join(", ")),
            }));
        };
        let Some(version) = Some(made).filter(|made| versions.contains(made)) else {
            return Ok(Planned::Nothing(format!("the version of `{arn}` that the event made is gone")));
        };
        let Some(document) = account.policy_version(arn.as_str(), &version).await? else {
            return Ok(Planned::Nothing(format!("`{version}` of `{arn}` is gone")));
        };
        Ok(PlannedStep {
            policy_arn: Some(arn.to_string()),
            calls: vec![call::delete_policy_version(arn.as_str(), &version)],
            undo: vec![call::create_policy_version(arn.as_str(), &document)],
            note: Some(format!("Undo makes the version again under another id than `{version}`.")),
            version: Some(version),
            ..request.step(self.kind())
        }
        .into())
    }

    async fn snapshot(&self, account: &dyn Account, step: &PlannedStep) -> Result<Snapshot, StepError> {
        let (arn, version) = planned(step, RemedyKind::DeletePolicyVersion)?;
        Identity::of(account, step).await?.required(step)?;
        let document = account.policy_version(arn, version).await?;
        Ok(Snapshot::DeletePolicyVersion(Before { target_unique_id: step.target_unique_id.clone(), document }))
    }

    async fn apply(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        _: Attempt,
    ) -> Result<Applied, StepError> {
        let (arn, version) = planned(step, RemedyKind::DeletePolicyVersion)?;
        before(snapshot)?;
        Identity::of(account, step).await?.required(step)?;
        if !account.policy_versions(arn).await?.iter().any(|id| id == version) {
            return Ok(Applied::AlreadyHeld);
        }
        if account.policy(arn).await?.is_some_and(|facts| facts.default_version == version) {
            return Err(StepError::Conflict {
                expected: format!("another version than `{version}` to be the default of `{arn}`"),
                found: "that it is the default".to_owned(),
            });
        }
        match account.delete_policy_version(arn, version).await {
            Ok(()) => Ok(Applied::Changed),
            Err(error) if error.kind() == IamErrorKind::NotFound => Ok(Applied::AlreadyHeld),
            Err(error) => Err(error.into()),
        }
    }

    async fn verify(&self, account: &dyn Account, step: &PlannedStep) -> Result<Verified, StepError> {
        let (arn, version) = planned(step, RemedyKind::DeletePolicyVersion)?;
        if let Some((expected, found)) = Identity::of(account, step).await?.difference(step) {
            return Ok(Verified::Missing(format!("expected {expected}, found {found}")));
        }
        Ok(if account.policy_versions(arn).await?.iter().any(|id| id == version) {
            Verified::Missing(format!("`{version}` of `{arn}` is there"))
        } else {
            Verified::Holds
        })
    }

    async fn revert(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        dry_run: bool,
    ) -> Result<Reverted, StepError> {
        let (arn, version) = planned(step, RemedyKind::DeletePolicyVersion)?;
        let Some(document) = &before(snapshot)?.document else {
            return Ok(Reverted::Nothing(format!("`{version}` of `{arn}` was not there before")));
        };
        if let Some((expected, found)) = Identity::of(account, step).await?.difference(step) {
            return Ok(Reverted::Drift { expected, found });
        }
        // Version ids are never used twice: one that is not older than ours and has its document is ours, or what undo made.
        let made = versions_with(account, arn, document).await?;
        if let Some(again) = made.iter().find(|id| number(id) >= number(version)) {
            return Ok(Reverted::Nothing(format!("`{again}` of `{arn}` has the document")));
        }
        let calls = vec![call::create_policy_version(arn, document)];
        if dry_run {
            return Ok(Reverted::Would(calls));
        }
        account.create_policy_version(arn, document).await?;
        Ok(Reverted::Done(calls))
    }
}

/// The version that the event made or chose; where a record without a response does not say, the newest with its document.
pub(super) async fn of_event(
    account: &dyn Account,
    request: &Request<'_>,
    versions: &[String],
) -> Result<Option<String>, IamError> {
    let touched = &request.event.touched;
    if let Some(version) = &touched.version_id {
        return Ok(Some(version.clone()));
    }
    let (On::Policy(arn, _), Some(written)) = (request.on, &touched.document) else { return Ok(None) };
    let mut newest_first: Vec<&String> = versions.iter().collect();
    newest_first.sort_by_key(|id| std::cmp::Reverse(number(id)));
    for version in newest_first {
        if account.policy_version(arn.as_str(), version).await?.is_some_and(|document| is_as_set(&document, written)) {
            return Ok(Some(version.clone()));
        }
    }
    Ok(None)
}

/// The versions that have a document, the newest last.
pub(super) async fn versions_with(account: &dyn Account, arn: &str, document: &str) -> Result<Vec<String>, IamError> {
    let mut found = Vec::new();
    for version in account.policy_versions(arn).await? {
        if account.policy_version(arn, &version).await?.is_some_and(|other| same_document(&other, document)) {
            found.push(version);
        }
    }
    found.sort_by_key(|id| number(id));
    Ok(found)
}

fn before(snapshot: &Snapshot) -> Result<&Before, StepError> {
    match snapshot {
        Snapshot::DeletePolicyVersion(before) => Ok(before),
        Snapshot::DetachPolicy(_) | Snapshot::DenyIam(_) | Snapshot::RestorePolicyVersion(_) | Snapshot::Settings(_) => {
            Err(StepError::Mismatch(RemedyKind::DeletePolicyVersion))
        }
    }
}
