//! Says what stays although a plan is carried out: effects that nothing in it takes back, and what each remedy leaves open.
//!
//! An effect is gone where the plan has a remedy that answers the call on its subject, or denies everything to the subject, so that
//! what the call gave is of no use; or where such a remedy found nothing to undo, which the last read asks again. Stopping the
//! actor takes nothing back: a deny of IAM leaves the user, key or policy that they made.
//!
//! INVARIANT: it is computed from the incident and its plan alone, in this one place, before the question and again at the end.

use cordon_core::incident::{EventFacts, Incident, JoinedEvent};
use cordon_core::stays::Stays;
use cordon_core::{Plan, PlannedStep, Principal, PrincipalKind, Purpose, RemedyKind, Subject};

use crate::quarantine;
use crate::remedies::remedy;
use crate::remedy::Answers;
use crate::sessions::{Sessions, sessions};

/// The most effects that are named one by one.
const EFFECTS_MAX: usize = 10;

/// The calls after which their own caller has a session.
const OWN_SESSION: [&str; 4] = ["ConsoleLogin", "GetFederationToken", "GetSessionToken", "GetWebIdentityToken"];

/// What stays of an incident where `plan` is carried out. `joined` are the later events that it took in.
#[must_use]
pub fn stays(incident: &Incident, plan: &Plan, nothing_to_undo: &[RemedyKind], joined: &[JoinedEvent]) -> Vec<Stays> {
    let mut found = Vec::new();
    let event = &incident.event;
    if event.had_effect() && !is_taken_back(incident, plan, nothing_to_undo) {
        found.push(Stays::Effect { event: event.name.clone(), on: Some(incident.subject.to_string()) });
    }
    // Events join that did the same to the same thing, and are taken back with it; but for those of a burst, which are about the actor.
    if !incident.burst_rules().is_empty() {
        for joined in joined.iter().filter(|joined| joined.had_effect) {
            push(&mut found, Stays::Effect { event: joined.name.clone(), on: None }, EFFECTS_MAX);
        }
    }
    for step in &plan.steps {
        let what = leaves_open(step).to_owned();
        push(&mut found, Stays::Open { remedy: step.remedy, on: step.target.to_string(), what }, usize::MAX);
    }
    found
}

/// The effects among what stays.
#[must_use]
pub fn effects(stays: &[Stays]) -> Vec<String> {
    stays.iter().filter(|stays| stays.is_effect()).map(ToString::to_string).collect()
}

fn push(found: &mut Vec<Stays>, stays: Stays, max: usize) {
    if found.len() < max && !found.contains(&stays) {
        found.push(stays);
    }
}

fn is_taken_back(incident: &Incident, plan: &Plan, nothing_to_undo: &[RemedyKind]) -> bool {
    let event = &incident.event;
    let answers = |kind: &RemedyKind| match remedy(*kind).answers() {
        Answers::Calls(calls) => calls.contains(&event.name.as_str()),
        Answers::Everything => false,
    };
    let subject = subject(incident);
    let ends_session = OWN_SESSION.contains(&event.name.as_str());
    nothing_to_undo.iter().any(answers)
        || plan.steps.iter().any(|step| {
            let is_on_subject = subject.as_ref().is_some_and(|subject| step.target.principal() == Some(subject));
            (answers(&step.remedy) && (step.purpose == Purpose::Revert || is_on_subject))
                || (is_on_subject && is_useless_without_rights(event) && denies_everything(step))
                || (ends_session && step.purpose == Purpose::Contain && ends_sessions(step))
        })
}

/// The principal that the event touched; of an access key its user.
fn subject(incident: &Incident) -> Option<Principal> {
    match &incident.subject {
        Subject::Principal { principal } => Some(principal.clone()),
        Subject::AccessKey { user: Some(user), .. } => Some(Principal::new(PrincipalKind::User, incident.account.clone()?, user)),
        Subject::AccessKey { user: None, .. } | Subject::Policy { .. } | Subject::Account { .. } | Subject::Unknown => None,
    }
}

/// Whether what the call did to its subject is of no use to one who may do nothing. A tag may exempt or let in elsewhere.
fn is_useless_without_rights(event: &EventFacts) -> bool {
    event.service == "iam.amazonaws.com" && !event.name.starts_with("Tag") && !event.name.starts_with("Untag")
}

fn denies_everything(step: &PlannedStep) -> bool {
    step.changes.iter().any(quarantine::denies_everything)
}

fn ends_sessions(step: &PlannedStep) -> bool {
    match sessions(step.remedy) {
        Sessions::Denied(_) => step.remedy != RemedyKind::DenyIam || denies_everything(step),
        Sessions::Untouched(_) | Sessions::DeniedBy(_) => false,
    }
}

/// What a step does not stop, as the end of a sentence that begins with the remedy and its target.
#[must_use]
pub fn leaves_open(step: &PlannedStep) -> &'static str {
    const NOT_DENIED: &str = "leaves sessions of other roles that it has already, and what it set running.";
    const DONE_WITH_IT: &str = "leaves its other rights, and what was done with these meanwhile.";
    match step.remedy {
        RemedyKind::DenyIam if !denies_everything(step) => {
            "leaves all that it may do outside IAM and the known ways around it, such as reading and deleting data; also sessions of \
             other roles that it has already."
        }
        RemedyKind::DenyIam | RemedyKind::DenyAll | RemedyKind::SetPermissionsBoundary => NOT_DENIED,
        RemedyKind::RevokeSessions => {
            "leaves sessions that begin later: keys, a password or a trust policy that stand open new ones."
        }
        RemedyKind::DeactivateAccessKey if step.purpose == Purpose::Contain => {
            "leaves the password, every other kind of credential, and keys that are made later."
        }
        RemedyKind::DeactivateAccessKey => "leaves the user's other keys, the password and every other kind of credential.",
        RemedyKind::DisableLoginProfile => "leaves the access keys; the password stays, and works again once this is undone.",
        RemedyKind::DeleteLoginProfile => "leaves the access keys.",
        RemedyKind::DetachPolicy | RemedyKind::RemoveInlinePolicy | RemedyKind::RemoveFromGroup => DONE_WITH_IT,
        RemedyKind::RestorePolicyVersion | RemedyKind::DeletePolicyVersion => {
            "leaves the policy's other versions, and what was done with these rights meanwhile."
        }
        RemedyKind::RestoreTrustPolicy => "leaves whoever the restored trust lets in, and what was done with the role meanwhile.",
        RemedyKind::RestorePermissionsBoundary => "leaves what was done beyond the boundary meanwhile.",
        RemedyKind::RestoreExceptionTag => "leaves what the tag exempted meanwhile.",
        RemedyKind::DisableCreatedPrincipal => "leaves the user or role itself, without rights, and what it did meanwhile.",
        RemedyKind::RestartLogging => "brings back no record of what was not logged meanwhile.",
    }
}
