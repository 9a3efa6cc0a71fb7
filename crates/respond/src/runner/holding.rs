//! Registers what a step holds before it is set, and lets it go when the step is undone.

use cordon_core::PlannedStep;

use super::apply::WriteError;
use super::record::{Progress, ProgressError, StepRecord, StepState};
use crate::holds::{Above, Back, Hold, Kept, Layer, Part, Thing, aimed};
use crate::port::Account;
use crate::remedy::{Snapshot, StepError};
use crate::{holds, settings};

/// How often a hold is written against other incidents before the state machine's own retry takes over.
const TRIES: u32 = 8;

/// Registers the step's layers, and gives the step as it has to stand: with the values of later layers where there are some.
pub(super) async fn take(progress: &dyn Progress, step: &PlannedStep, parts: &[Part]) -> Result<PlannedStep, WriteError> {
    let mut above = Vec::with_capacity(parts.len());
    for part in parts {
        above.push(take_part(progress, step, part).await?);
    }
    Ok(aimed(step, above))
}

/// Registers one layer, and gives the value of a later one, if there is one.
async fn take_part(progress: &dyn Progress, step: &PlannedStep, part: &Part) -> Result<Option<Above>, WriteError> {
    let thing = thing(step, part);
    for _ in 0..TRIES {
        let found = progress.hold(&thing).await?;
        let mut hold = held(found, step, part);
        if hold.layers.iter().any(|layer| layer.incident == *progress.incident()) {
            return Ok(above(&hold, progress));
        }
        match hold.layers.last() {
            // Whatever was planned before this deny was put on must not take it off.
            Some(top) if part.is_deny(top.to.as_deref()) && !part.same(top.to.as_deref(), part.to.as_deref()) => {
                return Err(StepError::Conflict {
                    expected: "nobody else to need it".to_owned(),
                    found: format!("that {}, because the incident `{}` needs it", part.stays(top.to.as_deref()), top.incident),
                }
                .into());
            }
            Some(_) => {}
            None => hold.before.clone_from(&part.before),
        }
        hold.version += 1;
        hold.layers.push(Layer { incident: progress.incident().clone(), to: part.to.clone(), at: progress.now() });
        match progress.save_hold(&thing, &hold).await {
            Ok(()) => return Ok(None),
            Err(ProgressError::Superseded) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ProgressError::Superseded.into())
}

/// The step as it has to stand, where later layers may lie over it.
pub(super) async fn standing(
    progress: &dyn Progress,
    step: &PlannedStep,
    snapshot: &Snapshot,
) -> Result<PlannedStep, WriteError> {
    let parts = holds::parts(step, snapshot)?;
    let mut values = Vec::with_capacity(parts.len());
    for part in &parts {
        let found = progress.hold(&thing(step, part)).await?;
        values.push(found.filter(|hold| is_of(hold, step)).and_then(|hold| above(&hold, progress)));
    }
    Ok(aimed(step, values))
}

/// What an undo does with each thing that the step set.
pub(super) async fn release(
    progress: &dyn Progress,
    record: &StepRecord,
    step: &PlannedStep,
    parts: &[Part],
) -> Result<Vec<Back>, ProgressError> {
    let mut backs = Vec::with_capacity(parts.len());
    for part in parts {
        let found = progress.hold(&thing(step, part)).await?;
        backs.push(back(progress, record, part, found.filter(|hold| is_of(hold, step))));
    }
    Ok(backs)
}

fn back(progress: &dyn Progress, record: &StepRecord, part: &Part, hold: Option<Hold>) -> Back {
    let own = progress.incident();
    let is_own = |layer: &Layer| layer.incident == *own;
    let Some(hold) = hold else {
        return if record.was_let_go() { Back::Done } else { Back::To(part.before.clone()) };
    };
    let has_own = hold.layers.iter().any(is_own);
    if !has_own && record.was_let_go() {
        return Back::Done;
    }
    let Some(other) = hold.standing_for_others(own) else {
        return Back::To(if has_own { hold.before } else { part.before.clone() });
    };
    let is_covered = !hold.layers.last().is_some_and(is_own);
    if is_covered || part.same(other.to.as_deref(), part.to.as_deref()) {
        let what = part.stays(other.to.as_deref());
        return Back::Stays(Kept { what, needed_by: other.incident.clone() });
    }
    // What the other one needs stood under this step's value.
    Back::To(other.to.clone())
}

/// Takes the step's layers away, after what they held was given back or left.
pub(super) async fn let_go(
    progress: &dyn Progress,
    record: &StepRecord,
    step: &PlannedStep,
    parts: &[Part],
) -> Result<(), ProgressError> {
    for part in parts {
        remove(progress, step, part, |hold| {
            // A step of an older Cordon registered nothing: what it found is the value before the first.
            if !record.holds && part.same(hold.before.as_deref(), part.to.as_deref()) {
                hold.before.clone_from(&part.before);
            }
        })
        .await?;
    }
    Ok(())
}

/// After a step that failed for good: nothing of it that is not in force may lie over what another incident holds.
pub(super) async fn give_up(
    account: &dyn Account,
    progress: &dyn Progress,
    step: &PlannedStep,
    parts: &[Part],
) -> Result<(), ProgressError> {
    for part in parts {
        let Some(setting) = &part.setting else { continue };
        let Ok(now) = settings::read(account, &step.target, setting).await else { continue };
        if part.same(now.as_deref(), part.to.as_deref()) {
            continue;
        }
        let Some(hold) = progress.hold(&thing(step, part)).await?.filter(|hold| is_of(hold, step)) else { continue };
        let differs = |layer: &Layer| !part.same(layer.to.as_deref(), part.to.as_deref());
        if hold.standing_for_others(progress.incident()).is_some_and(differs) {
            remove(progress, step, part, |_| {}).await?;
        }
    }
    Ok(())
}

async fn remove(
    progress: &dyn Progress,
    step: &PlannedStep,
    part: &Part,
    change: impl Fn(&mut Hold),
) -> Result<(), ProgressError> {
    let thing = thing(step, part);
    for _ in 0..TRIES {
        let Some(found) = progress.hold(&thing).await?.filter(|hold| is_of(hold, step)) else { return Ok(()) };
        let mut hold = found.clone();
        hold.layers.retain(|layer| layer.incident != *progress.incident());
        change(&mut hold);
        if hold == found {
            return Ok(());
        }
        hold.version += 1;
        match progress.save_hold(&thing, &hold).await {
            Ok(()) => return Ok(()),
            Err(ProgressError::Superseded) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ProgressError::Superseded)
}

fn thing(step: &PlannedStep, part: &Part) -> Thing {
    Thing { target: step.target.clone(), what: part.what.clone() }
}

/// The hold as it was found; an empty one where there is none, or one of a target that was since made again.
fn held(found: Option<Hold>, step: &PlannedStep, part: &Part) -> Hold {
    let version = match found {
        Some(hold) if is_of(&hold, step) => return hold,
        Some(other) => other.version,
        None => 0,
    };
    let (what, target_unique_id) = (part.what.clone(), step.target_unique_id.clone());
    Hold { version, what, target_unique_id, before: None, layers: Vec::new() }
}

fn is_of(hold: &Hold, step: &PlannedStep) -> bool {
    hold.target_unique_id == step.target_unique_id
}

/// The value of the last layer, where that is another incident's and lies over this one's.
fn above(hold: &Hold, progress: &dyn Progress) -> Option<Above> {
    let has_own = hold.layers.iter().any(|layer| layer.incident == *progress.incident());
    let top = hold.layers.last().filter(|top| has_own && top.incident != *progress.incident())?;
    Some(Above { to: top.to.clone() })
}

impl StepRecord {
    /// Whether an undo had begun that takes registered layers away: one that is gone was seen to.
    fn was_let_go(&self) -> bool {
        self.holds && self.state == StepState::Reverting
    }
}
