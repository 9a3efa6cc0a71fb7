//! remove-inline-policy: removes the inline policy that the event wrote on a user, group or role, or restores the one that it
//! replaced if an earlier event recorded that document.
//!
//! It never touches a policy of another name, or one whose document is no longer the event's. The document is in the snapshot,
//! and undo restores it byte for byte.

use async_trait::async_trait;
use cordon_core::{Change, PlannedStep, RemedyKind, Setting};

use super::{changed_since, refused, skipped, source, trusted_former, unmodifiable};
use crate::deny::is_as_set;
use crate::port::{Account, IamError};
use crate::quarantine::fits_inline;
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct RemoveInlinePolicy;

#[async_trait]
impl Remedy for RemoveInlinePolicy {
    fn kind(&self) -> RemedyKind {
        RemedyKind::RemoveInlinePolicy
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["PutUserPolicy", "PutRolePolicy", "PutGroupPolicy"])
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.principal() else {
            return Ok(request.does_not_fit(self.kind(), "a user, group or role"));
        };
        if let Some(by_hand) = unmodifiable(target, facts) {
            return Ok(Planned::ByHand(by_hand));
        }
        let Some(name) = request.event.touched.policy_name.clone() else {
            return Ok(Planned::ByHand(ByHand {
                reason: format!("the event names no inline policy of `{target}`"),
                instruction: format!("compare the inline policies of `{target}` with what it should have"),
            }));
        };
        let now = account.inline_policy(target, &name).await?;
        let setting = Setting::InlinePolicy { name: name.clone() };
        if let Some(change) = request.held_change(&setting, now.as_deref()) {
            let reason = format!("the inline policy `{name}` of `{target}` is as another incident needs it");
            return Ok(settings::planned(request, request.step(self.kind()), vec![change], &reason));
        }
        let Some(now) = now else {
            return Ok(Planned::Nothing(format!("`{target}` has no inline policy `{name}`")));
        };
        if request.event.touched.document.as_deref().is_some_and(|written| !is_as_set(&now, written)) {
            return Ok(Planned::ByHand(changed_since(&format!("the inline policy `{name}` of `{target}`"))));
        }
        let known = trusted_former(request);
        let wanted = known.and_then(|former| former.value.as_deref());
        let fits = match wanted {
            Some(document) => fits_inline(account, request, target, &name, document).await?,
            None => true,
        };
        let former = known.filter(|_| fits);
        let note = match former {
            Some(former) if former.value.is_some() => {
                Some(format!("A policy that stood there before comes back, {}.{}", source(former), skipped(request)))
            }
            Some(_) => None,
            None if !fits => Some("The policy that stood there before no longer fits beside the others.".to_owned()),
            None => Some(match refused(request) {
                Some(why) => format!("The policy that stood there right before does not come back: {why}."),
                None => {
                    "Whether it replaced a policy of the same name is not known: if so, that one does not come back.".to_owned()
                }
            }),
        };
        let to = former.and_then(|former| former.value.clone());
        let change = Change { setting, from: Some(now), to };
        let is_unknown = former.is_none();
        let unknown_before = is_unknown.then(|| {
            let kind = target.kind;
            super::unknown_before(
                &format!("the inline policy `{name}` of `{target}`"),
                &format!(
                    "if the event replaced a policy of that name, take it from your infrastructure code, a backup or AWS Config, and put \
                     it there again (`aws iam put-{kind}-policy --{kind}-name {} --policy-name {name} --policy-document \
                     file://policy.json`)",
                    target.name
                ),
            )
        });
        let undo_note = is_unknown.then(|| super::undo_note(&format!("the document of `{name}`")));
        let step = PlannedStep { note, unknown_before, undo_note, ..request.step(self.kind()) };
        Ok(settings::planned(
            request,
            step,
            vec![change],
            &format!("the inline policy `{name}` of `{target}` is as it was before"),
        ))
    }
}
