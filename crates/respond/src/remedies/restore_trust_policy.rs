//! restore-trust-policy: restores a role's trust policy that an earlier event recorded. If none did, it removes the statements
//! that admit someone outside the account, and keeps the others.
//!
//! It never touches a trust policy that is no longer the event's, never writes one without a statement, and never invents a
//! statement. Restoring the trust policy ends no session: `revoke-sessions` on the role does. Undo restores the event's document.

use async_trait::async_trait;
use cordon_core::json::set;
use cordon_core::{Change, PlannedStep, Principal, PrincipalKind, RemedyKind, Setting};
use serde_json::Value;

use super::{changed_since, refused, skipped, source, trusted_former, unmodifiable};
use crate::deny::is_as_set;
use crate::port::{Account, IamError};
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct RestoreTrustPolicy;

#[async_trait]
impl Remedy for RestoreTrustPolicy {
    fn kind(&self) -> RemedyKind {
        RemedyKind::RestoreTrustPolicy
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["UpdateAssumeRolePolicy"])
    }

    async fn plan(&self, _: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.principal().filter(|(target, _)| target.kind == PrincipalKind::Role) else {
            return Ok(request.does_not_fit(self.kind(), "a role"));
        };
        if let Some(by_hand) = unmodifiable(target, facts) {
            return Ok(Planned::ByHand(by_hand));
        }
        let touched = &request.event.touched;
        let (Some(now), Some(written)) = (&facts.trust, &touched.document) else {
            return Ok(Planned::ByHand(by_hand(target, "the event does not say what was set")));
        };
        if let Some(change) = request.held_change(&Setting::TrustPolicy, Some(now)) {
            let reason = format!("the trust policy of `{target}` is as another incident needs it");
            return Ok(settings::planned(request, request.step(self.kind()), vec![change], &reason));
        }
        if !is_as_set(now, written) {
            return Ok(Planned::ByHand(changed_since(&format!("the trust policy of `{target}`"))));
        }
        let former = trusted_former(request).and_then(|former| Some((former.value.clone()?, source(former))));
        let is_unknown = former.is_none();
        let unknown_before = is_unknown.then(|| {
            super::unknown_before(
                &format!("the trust policy of `{target}`"),
                "compare what is left of it with your infrastructure code, a backup or AWS Config: what the event added beside outsiders \
                 is still in it, and what it took out is missing",
            )
        });
        let undo_note = is_unknown.then(|| super::undo_note("the trust policy"));
        let (to, how) = match former {
            Some((document, source)) => (document, format!("The trust policy comes back {source}.{}", skipped(request))),
            None => match without(now, &touched.outside_statements) {
                Some(document) => (
                    document,
                    format!(
                        "Of the trust policy, {}: only the statements that let somebody outside of the account in are taken out.",
                        unknown(request)
                    ),
                ),
                None => {
                    return Ok(Planned::ByHand(by_hand(
                        target,
                        &format!("{}, and nothing can be taken out of it that leaves a trust policy", unknown(request)),
                    )));
                }
            },
        };
        let note = Some(how);
        let change = Change { setting: Setting::TrustPolicy, from: Some(now.clone()), to: Some(to) };
        let step = PlannedStep { note, unknown_before, undo_note, ..request.step(self.kind()) };
        Ok(settings::planned(request, step, vec![change], &format!("the trust policy of `{target}` is as it was before")))
    }
}

/// Why no former trust policy is restored, in a clause.
fn unknown(request: &Request<'_>) -> String {
    match refused(request) {
        Some(why) => format!("what stood before does not come back ({why}), and no older one is known"),
        None => "what it was before is not known".to_owned(),
    }
}

/// The document without some of its statements; `None` where none would go, or none would be left.
fn without(document: &str, statements: &[usize]) -> Option<String> {
    let mut document: Value = serde_json::from_str(document).ok()?;
    let all = document.get("Statement")?.as_array()?.clone();
    let kept: Vec<Value> =
        all.iter().enumerate().filter(|(n, _)| !statements.contains(n)).map(|(_, statement)| statement.clone()).collect();
    if kept.is_empty() || kept.len() == all.len() {
        return None;
    }
    set(&mut document, "Statement", Value::Array(kept));
    Some(document.to_string())
}

fn by_hand(target: &Principal, why: &str) -> ByHand {
    ByHand {
        reason: format!("the trust policy of `{target}` is not restored: {why}"),
        instruction: format!(
            "take the former trust policy from your infrastructure code, a backup or AWS Config, and set it (`aws iam \
             update-assume-role-policy --role-name {0} --policy-document file://trust.json`); then revoke the role's sessions (in \
             the console: Roles, {0}, Revoke sessions)",
            target.name
        ),
    }
}
