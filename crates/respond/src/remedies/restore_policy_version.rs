//! restore-policy-version: makes the previous default version of a managed policy the default again.
//!
//! IAM does not record which version was the default. An earlier event may have. Otherwise it is the newest of the other versions
//! after `CreatePolicyVersion`, and the only other one after `SetDefaultPolicyVersion`, and the card says so. Otherwise a person
//! is asked. The remedy never deletes a version (`delete-policy-version` does) and never writes one. Undo makes the event's
//! version the default again, even if that version was deleted and recreated under another id.

use async_trait::async_trait;
use cordon_core::{PlannedStep, RemedyKind, Target};
use serde::{Deserialize, Serialize};

use super::delete_policy_version::{of_event, versions_with};
use super::{skipped, source, trusted_former};
use crate::call;
use crate::holds;
use crate::port::{Account, IamError, IamErrorKind, PolicyFacts};
use crate::remedy::{
    Answers, Applied, Attempt, ByHand, Identity, On, Planned, Remedy, Request, Reverted, Snapshot, StepError, Verified, WorksOn,
};

/// The remedy.
pub struct RestorePolicyVersion;

/// The snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// `ANPA…` of the policy, as in the step.
    pub target_unique_id: String,
    /// The default version.
    pub version: String,
    /// Its document, by which it is found again under another id; empty where the id alone says it.
    pub document: String,
}

#[async_trait]
impl Remedy for RestorePolicyVersion {
    fn kind(&self) -> RemedyKind {
        RemedyKind::RestorePolicyVersion
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["CreatePolicyVersion", "SetDefaultPolicyVersion"])
    }

    fn works_on(&self) -> WorksOn {
        WorksOn::Policy
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let On::Policy(arn, facts) = request.on else {
            return Ok(request.does_not_fit(self.kind(), "a managed policy"));
        };
        let versions = account.policy_versions(arn.as_str()).await?;
        let made = of_event(account, request, &versions).await?;
        if let Some(step) = held(request, arn.as_str(), facts, made.as_deref()) {
            return Ok(step.into());
        }
        if made.as_deref().is_some_and(|made| made != facts.default_version) {
            return Ok(Planned::Nothing(format!(
                "the event's version is not the default of `{arn}`: `{}` is",
                facts.default_version
            )));
        }
        let (Some(_), Some((version, note, is_known))) = (made, former(request, facts, &versions)) else {
            return Ok(Planned::ByHand(by_hand(arn.as_str(), facts, &versions)));
        };
        let unknown_before = (!is_known).then(|| {
            super::unknown_before(
                &format!("the default version of `{arn}`"),
                &format!(
                    "`{version}` is a guess: read the versions ({}), and make the right one the default",
                    versions.join(", ")
                ),
            )
        });
        Ok(PlannedStep {
            unknown_before,
            policy_arn: Some(arn.to_string()),
            calls: vec![call::set_default_policy_version(arn.as_str(), &version)],
            undo: vec![call::set_default_policy_version(arn.as_str(), &facts.default_version)],
            version: Some(version),
            note: Some(note),
            ..request.step(self.kind())
        }
        .into())
    }

    async fn snapshot(&self, account: &dyn Account, step: &PlannedStep) -> Result<Snapshot, StepError> {
        let (arn, _) = planned(step, RemedyKind::RestorePolicyVersion)?;
        Identity::of(account, step).await?.required(step)?;
        let version = default(account, arn).await?;
        let document = account.policy_version(arn, &version).await?.ok_or_else(|| gone(arn, &version))?;
        Ok(Snapshot::RestorePolicyVersion(Before { target_unique_id: step.target_unique_id.clone(), version, document }))
    }

    async fn apply(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        attempt: Attempt,
    ) -> Result<Applied, StepError> {
        let (arn, version) = planned(step, RemedyKind::RestorePolicyVersion)?;
        let before = before(snapshot)?;
        Identity::of(account, step).await?.required(step)?;
        let now = default(account, arn).await?;
        if now == version {
            return Ok(Applied::AlreadyHeld);
        }
        // The approval covers leaving the event's version, not one that somebody chose since.
        let expected = step.undo.first().and_then(|call| call.parameters.get("VersionId"));
        if attempt == Attempt::First && (now != before.version || expected != Some(&now)) {
            let expected = expected.map_or(before.version.as_str(), String::as_str);
            return Err(StepError::Conflict { expected: is_default(expected), found: is_default(&now) });
        }
        match account.set_default_policy_version(arn, version).await {
            Ok(()) => Ok(Applied::Changed),
            Err(error) if error.kind() == IamErrorKind::NotFound => Err(gone(arn, version)),
            Err(error) => Err(error.into()),
        }
    }

    async fn verify(&self, account: &dyn Account, step: &PlannedStep) -> Result<Verified, StepError> {
        let (arn, version) = planned(step, RemedyKind::RestorePolicyVersion)?;
        if let Some((expected, found)) = Identity::of(account, step).await?.difference(step) {
            return Ok(Verified::Missing(format!("expected {expected}, found {found}")));
        }
        let now = default(account, arn).await?;
        Ok(if now == version {
            Verified::Holds
        } else {
            Verified::Missing(format!("on `{arn}`: expected {}, found {}", is_default(version), is_default(&now)))
        })
    }

    async fn revert(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        dry_run: bool,
    ) -> Result<Reverted, StepError> {
        let (arn, version) = planned(step, RemedyKind::RestorePolicyVersion)?;
        let before = before(snapshot)?;
        if let Some((expected, found)) = Identity::of(account, step).await?.difference(step) {
            return Ok(Reverted::Drift { expected, found });
        }
        let now = default(account, arn).await?;
        let same = if before.document.is_empty() {
            account.policy_versions(arn).await?.into_iter().filter(|id| *id == before.version).collect()
        } else {
            versions_with(account, arn, &before.document).await?
        };
        if same.contains(&now) {
            return Ok(Reverted::Nothing(format!("{} of `{arn}`, as before", is_default(&now))));
        }
        if now != version {
            return Ok(Reverted::Drift { expected: is_default(version), found: is_default(&now) });
        }
        let Some(back) = same.iter().find(|same| **same == before.version).or(same.last()) else {
            return Ok(Reverted::Drift {
                expected: format!("a version of `{arn}` with {}", before.document),
                found: "none".to_owned(),
            });
        };
        let calls = vec![call::set_default_policy_version(arn, back)];
        if dry_run {
            return Ok(Reverted::Would(calls));
        }
        account.set_default_policy_version(arn, back).await?;
        Ok(Reverted::Done(calls))
    }
}

/// Where another incident's containment made the default what it is: a step that needs it as well.
fn held(request: &Request<'_>, arn: &str, facts: &PolicyFacts, made: Option<&str>) -> Option<PlannedStep> {
    let held = request.held_thing(holds::DEFAULT_VERSION)?;
    let version = held.to.filter(|version| *version == facts.default_version && Some(*version) != made)?;
    let before: Before = serde_json::from_str(held.before?).ok()?;
    Some(PlannedStep {
        policy_arn: Some(arn.to_owned()),
        calls: vec![call::set_default_policy_version(arn, version)],
        undo: vec![call::set_default_policy_version(arn, &before.version)],
        version: Some(version.to_owned()),
        note: Some(format!(
            "`{version}` is the default already, for the incident `{}`: `{}` becomes it again only when neither needs this any more.",
            held.incident, before.version
        )),
        ..request.step(RemedyKind::RestorePolicyVersion)
    })
}

/// The version to go back to, how it is known, and whether it is.
fn former(request: &Request<'_>, facts: &PolicyFacts, versions: &[String]) -> Option<(String, String, bool)> {
    let touched = &request.event.touched;
    let known = trusted_former(request);
    if let Some(former) = known
        && let Some(version) =
            former.value.clone().filter(|version| versions.contains(version) && *version != facts.default_version)
    {
        let note = format!("`{version}` becomes the default again, {}.{}", source(former), skipped(request));
        return Some((version, note, true));
    }
    // A version that the actor had made the default before is no better, and neither is any that somebody could have prepared.
    let theirs = touched.former.as_ref().filter(|_| known.is_none()).and_then(|former| former.value.as_ref());
    let refused =
        |id: &String| Some(id) == theirs || touched.former_refused.iter().any(|refused| refused.value.as_ref() == Some(id));
    let mut others: Vec<&String> = versions.iter().filter(|id| **id != facts.default_version && !refused(id)).collect();
    others.sort_by_key(|id| number(id));
    let newest = (*others.last()?).clone();
    if others.len() == 1 {
        let note = format!("`{newest}` becomes the default: it is the only other version.");
        return Some((newest, note, true));
    }
    (request.event.name == "CreatePolicyVersion").then(|| {
        let note = format!(
            "`{newest}` becomes the default: it is the newest of the other versions ({}). IAM does not keep which one was it before.",
            others.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ")
        );
        (newest, note, false)
    })
}

/// The number in `v12`.
pub(super) fn number(version: &str) -> u32 {
    version.trim_start_matches('v').parse().unwrap_or(0)
}

async fn default(account: &dyn Account, arn: &str) -> Result<String, StepError> {
    let facts = account.policy(arn).await?;
    facts.map(|facts| facts.default_version).ok_or_else(|| gone(arn, "its default version"))
}

fn is_default(version: &str) -> String {
    format!("`{version}` to be the default")
}

fn gone(arn: &str, version: &str) -> StepError {
    StepError::Conflict { expected: format!("`{version}` of `{arn}`"), found: "none".to_owned() }
}

fn by_hand(arn: &str, facts: &PolicyFacts, versions: &[String]) -> ByHand {
    ByHand {
        reason: format!("which version of `{arn}` was the default before is not known"),
        instruction: format!(
            "its default is `{}`, and it has {}: read them (`aws iam get-policy-version --policy-arn {arn} --version-id …`), and set the \
             right one (`aws iam set-default-policy-version --policy-arn {arn} --version-id …`)",
            facts.default_version,
            versions.join(", ")
        ),
    }
}

/// The policy and the version that a step of this remedy is about.
pub(crate) fn planned(step: &PlannedStep, remedy: RemedyKind) -> Result<(&str, &str), StepError> {
    match (&step.target, step.version.as_deref()) {
        (Target::Policy { policy }, Some(version)) => Ok((policy.as_str(), version)),
        _ => Err(StepError::Mismatch(remedy)),
    }
}

fn before(snapshot: &Snapshot) -> Result<&Before, StepError> {
    match snapshot {
        Snapshot::RestorePolicyVersion(before) => Ok(before),
        Snapshot::DetachPolicy(_) | Snapshot::DenyIam(_) | Snapshot::DeletePolicyVersion(_) | Snapshot::Settings(_) => {
            Err(StepError::Mismatch(RemedyKind::RestorePolicyVersion))
        }
    }
}
