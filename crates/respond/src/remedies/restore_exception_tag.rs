//! restore-exception-tag: restores the exception tag of a user or role to its value before the event.
//!
//! If no earlier event recorded that value, a tag that the event set is removed, which exempts nobody. A tag that the event
//! removed is then left to a person, because a guess would exempt someone; so is one that the actor had given. The remedy never
//! touches another tag.

use async_trait::async_trait;
use cordon_core::{Change, PlannedStep, Principal, PrincipalKind, RemedyKind, Setting, redact, same_name};

use super::{changed_since, skipped, source, trusted_former, unmodifiable};
use crate::port::{Account, IamError};
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct RestoreExceptionTag;

#[async_trait]
impl Remedy for RestoreExceptionTag {
    fn kind(&self) -> RemedyKind {
        RemedyKind::RestoreExceptionTag
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["TagUser", "UntagUser", "TagRole", "UntagRole"])
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.principal().filter(|(target, _)| target.kind != PrincipalKind::Group) else {
            return Ok(request.does_not_fit(self.kind(), "a user or role"));
        };
        if let Some(by_hand) = unmodifiable(target, facts) {
            return Ok(Planned::ByHand(by_hand));
        }
        let (key, touched) = (request.exception_tag, &request.event.touched);
        // IAM does not tell the keys of tags apart by their case.
        let set = touched.tags_set.iter().find(|(tag, _)| same_name(tag, key)).map(|(_, value)| value);
        if set.is_none() && !touched.tags_removed.iter().any(|removed| same_name(removed, key)) {
            return Ok(Planned::Nothing(format!("the event did not touch the tag `{key}`")));
        }
        let stands = account.tags(target).await?.into_iter().find(|(tag, _)| same_name(tag, key));
        let (key, now) = stands.map_or_else(|| (key.to_owned(), None), |(key, value)| (key, Some(value)));
        let key = key.as_str();
        let former = trusted_former(request);
        let (to, note) = match (former, set) {
            (Some(former), _) => (former.value.clone(), format!("The tag comes back {}.{}", source(former), skipped(request))),
            (None, Some(_)) => (
                None,
                "What the tag was before is not known, or was set by the actor: it is taken off, which exempts nobody."
                    .to_owned(),
            ),
            (None, None) => return Ok(Planned::ByHand(by_hand(target, key))),
        };
        let is_as_set = now.as_ref() == set || now.as_deref().map(|value| redact::tag(key, value)).as_ref() == set;
        if !is_as_set && now != to {
            return Ok(Planned::ByHand(changed_since(&format!("the tag `{key}` of `{target}`"))));
        }
        let is_unknown = former.is_none();
        let unknown_before = is_unknown.then(|| {
            super::unknown_before(
                &format!("the tag `{key}` of `{target}`"),
                "find in CloudTrail whether somebody had rightly given it before the event, and give it again if so",
            )
        });
        let undo_note = is_unknown.then(|| super::undo_note(&format!("the value of the tag `{key}`")));
        let change = Change { setting: Setting::Tag { key: key.to_owned() }, from: now, to };
        let step = PlannedStep { note: Some(note), unknown_before, undo_note, ..request.step(self.kind()) };
        Ok(settings::planned(request, step, vec![change], &format!("the tag `{key}` of `{target}` is as it was before")))
    }
}

fn by_hand(target: &Principal, key: &str) -> ByHand {
    let kind = target.kind;
    ByHand {
        reason: format!("what the tag `{key}` of `{target}` was before it was taken off is not known, or was set by the actor"),
        instruction: format!(
            "find in CloudTrail who had given it; if that was rightly, give it again (`aws iam tag-{kind} --{kind}-name {} --tags \
             Key={key},Value=…`)",
            target.name
        ),
    }
}
