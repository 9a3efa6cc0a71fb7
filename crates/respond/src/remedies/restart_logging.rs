//! restart-logging: starts a trail's logging again, and restores its event selectors if an earlier event recorded them.
//!
//! It never creates a trail, and never touches its bucket, key or topic: a person has to recreate a deleted trail. Undo stops the
//! logging again, as it was found.

use async_trait::async_trait;
use cordon_core::{Arn, Change, PlannedStep, RemedyKind, Setting};

use super::{changed_since, refused, skipped, source, trusted_former};
use crate::deny::is_as_set;
use crate::port::{Account, IamError};
use crate::remedy::{Answers, ByHand, On, Planned, Remedy, Request, WorksOn};
use crate::settings;

/// The remedy.
pub struct RestartLogging;

#[async_trait]
impl Remedy for RestartLogging {
    fn kind(&self) -> RemedyKind {
        RemedyKind::RestartLogging
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"])
    }

    fn works_on(&self) -> WorksOn {
        WorksOn::Trail
    }

    async fn plan(&self, _: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let On::Trail(arn, facts) = request.on else {
            return Ok(request.does_not_fit(self.kind(), "a trail"));
        };
        let mut changes = Vec::new();
        let from = Some(if facts.logging { Setting::ON } else { Setting::OFF }.to_owned());
        if !facts.logging || request.held(&Setting::Logging).is_some() {
            changes.push(Change { setting: Setting::Logging, from, to: Some(Setting::ON.to_owned()) });
        }
        let (mut note, mut unknown_before) = (None, None);
        if let "UpdateTrail" | "DeleteTrail" = request.event.name.as_str() {
            let by_hand = settings_by_hand(arn, &request.event.name);
            if changes.is_empty() {
                return Ok(Planned::ByHand(by_hand));
            }
            unknown_before = Some(by_hand.sentence());
        } else if let Some(change) = request.held_change(&Setting::EventSelectors, facts.selectors.as_deref()) {
            changes.push(change);
        } else if let Some(set) = &request.event.touched.selectors {
            let stands = facts.selectors.as_deref().is_some_and(|now| is_as_set(now, set));
            match trusted_former(request).and_then(|former| Some((former.value.clone()?, source(former)))) {
                Some((former, source)) if stands => {
                    note = Some(format!("The event selectors come back {source}.{}", skipped(request)));
                    changes.push(Change { setting: Setting::EventSelectors, from: facts.selectors.clone(), to: Some(former) });
                }
                // What stands is neither the event's nor what was before it: the trail may be narrowed in another way.
                Some((former, _)) if facts.selectors.as_deref().is_some_and(|now| is_as_set(now, &former)) => {}
                Some(_) => {
                    let by_hand = changed_since(&format!("what `{arn}` logs"));
                    if changes.is_empty() {
                        return Ok(Planned::ByHand(by_hand));
                    }
                    unknown_before = Some(by_hand.sentence());
                }
                None if changes.is_empty() => return Ok(Planned::ByHand(by_hand(arn, refused(request)))),
                None => {
                    let by_hand = by_hand(arn, refused(request));
                    note = Some(
                        "What the trail logged before is not known: its event selectors stay as the event set them.".to_owned(),
                    );
                    unknown_before = Some(format!("{}: {}", by_hand.reason, by_hand.instruction));
                }
            }
        }
        let step = PlannedStep { note, unknown_before, ..request.step(self.kind()) };
        Ok(settings::planned(request, step, changes, &format!("`{arn}` logs")))
    }
}

/// A trail's own settings are not in CloudTrail's records as they were before, and a trail that was deleted and made again is
/// another one of the same ARN.
fn settings_by_hand(arn: &Arn, call: &str) -> ByHand {
    ByHand {
        reason: format!("The settings of `{arn}` before `{call}` are not known, and what stands is not put right"),
        instruction: format!(
            "compare its regions, services, bucket, validation and event selectors with your infrastructure code (`aws cloudtrail \
             get-trail --name {arn}`), and set them as they were"
        ),
    }
}

fn by_hand(arn: &Arn, refused: Option<String>) -> ByHand {
    ByHand {
        reason: match refused {
            Some(why) => format!("what `{arn}` logged right before does not come back: {why}"),
            None => format!("what `{arn}` logged before is not known"),
        },
        instruction: format!(
            "take the former event selectors from your infrastructure code, and set them (`aws cloudtrail put-event-selectors \
             --trail-name {arn} --advanced-event-selectors file://selectors.json`)"
        ),
    }
}
