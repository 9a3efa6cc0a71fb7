//! The interface of a remedy: plan, snapshot, apply, verify, revert, and the types in which it answers.
//!
//! A remedy reads before it writes, writes only to the target that was planned for, and never decides whether it may act:
//! scope, exceptions and approval are settled before a step reaches it.

use async_trait::async_trait;
use cordon_core::incident::EventFacts;
use cordon_core::{Arn, Call, Change, IncidentId, PlannedStep, Principal, PrincipalKind, Purpose, RemedyKind, Setting, Target};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::holds::{self, Hold};
use crate::port::{Account, IamError, PolicyFacts, PrincipalFacts, TrailFacts};
use crate::remedies::{delete_policy_version, deny_iam, detach_policy, restore_policy_version};
use crate::settings;

/// The input of planning. Everything in it was read from AWS, except `event`, which only says where to look.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The incident, which names the policies that are put on.
    pub incident: &'a IncidentId,
    /// Whether the step stops the actor or undoes what was done.
    pub purpose: Purpose,
    /// The target.
    pub on: On<'a>,
    /// The facts of the event.
    pub event: &'a EventFacts,
    /// The principal whose permissions the call used.
    pub actor: Option<&'a Principal>,
    /// The exception tag of the configuration.
    pub exception_tag: &'a str,
    /// The steps that come before this one in the plan.
    pub planned: &'a [PlannedStep],
    /// What incidents hold of the target.
    pub held: &'a [Hold],
    /// The time of planning.
    pub now: Timestamp,
}

/// How another incident holds something of the target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'a> {
    /// The value before all of the incidents that hold it.
    pub before: Option<&'a str>,
    /// The value that the other incident needs.
    pub to: Option<&'a str>,
    pub incident: &'a IncidentId,
}

/// The target, with what AWS says of it at the time of planning.
#[derive(Debug, Clone, Copy)]
pub enum On<'a> {
    /// As IAM names it, with the ARN that IAM gave.
    Principal(&'a Principal, &'a PrincipalFacts),
    /// A managed policy of the account.
    Policy(&'a Arn, &'a PolicyFacts),
    /// A trail of CloudTrail.
    Trail(&'a Arn, &'a TrailFacts),
}

impl On<'_> {
    /// The target as a plan stores it.
    #[must_use]
    pub fn target(&self) -> Target {
        match *self {
            Self::Principal(principal, _) => Target::Principal(principal.clone()),
            Self::Policy(arn, _) => Target::Policy { policy: arn.clone() },
            Self::Trail(arn, _) => Target::Trail { trail: arn.clone() },
        }
    }
}

impl<'a> Request<'a> {
    pub(crate) fn principal(&self) -> Option<(&'a Principal, &'a PrincipalFacts)> {
        match self.on {
            On::Principal(principal, facts) => Some((principal, facts)),
            On::Policy(..) | On::Trail(..) => None,
        }
    }

    pub(crate) fn user(&self) -> Option<(&'a Principal, &'a PrincipalFacts)> {
        self.principal().filter(|(principal, _)| principal.kind == PrincipalKind::User)
    }

    /// How another incident holds a setting of the target.
    pub(crate) fn held(&self, setting: &Setting) -> Option<Held<'a>> {
        self.held_thing(&holds::what(setting))
    }

    /// How another incident holds a thing of the target.
    pub(crate) fn held_thing(&self, what: &str) -> Option<Held<'a>> {
        let unique_id = self.unique_id();
        let hold = self.held.iter().find(|hold| hold.target_unique_id == unique_id && holds::is_same(&hold.what, what))?;
        let layer = hold.standing_for_others(self.incident)?;
        Some(Held { before: hold.before.as_deref(), to: layer.to.as_deref(), incident: &layer.incident })
    }

    /// Where the value of a setting is the one that another incident's containment gave it: the change that needs it as well.
    pub(crate) fn held_change(&self, setting: &Setting, now: Option<&str>) -> Option<Change> {
        let held = self.held(setting)?;
        let stands = settings::same(setting, held.to, now);
        let value = now.map(str::to_owned);
        stands.then(|| Change { setting: setting.clone(), from: value.clone(), to: value })
    }

    fn unique_id(&self) -> String {
        match self.on {
            On::Principal(_, facts) => facts.unique_id.clone(),
            On::Policy(_, facts) => facts.unique_id.clone(),
            On::Trail(arn, _) => arn.to_string(),
        }
    }

    /// A step without calls yet.
    pub(crate) fn step(&self, remedy: RemedyKind) -> PlannedStep {
        PlannedStep {
            remedy,
            purpose: self.purpose,
            target: self.on.target(),
            target_unique_id: self.unique_id(),
            policy_arn: None,
            inline_policy: None,
            calls: Vec::new(),
            undo: Vec::new(),
            changes: Vec::new(),
            version: None,
            note: None,
            irreversible: None,
            unknown_before: None,
            undo_note: None,
            judged: Vec::new(),
        }
    }

    /// The answer of a remedy that does not work on such a target: a call that it was to undo stands.
    pub(crate) fn does_not_fit(&self, remedy: RemedyKind, works_on: &str) -> Planned {
        let reason = format!("`{remedy}` works on {works_on}, and `{}` is none", self.on.target());
        match self.purpose {
            Purpose::Contain => Planned::Nothing(reason),
            Purpose::Revert => Planned::ByHand(ByHand {
                reason,
                instruction: "look at the request's parameters on the incident and undo the call by hand".to_owned(),
            }),
        }
    }
}

/// The calls that a remedy answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// It stops a principal, whatever was called.
    Everything,
    /// It undoes the effect of these calls, by their names in CloudTrail, such as `AttachUserPolicy`.
    Calls(&'static [&'static str]),
}

impl Answers {
    /// True where the remedy answers a call of this name.
    #[must_use]
    pub fn to(self, call: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Calls(calls) => calls.contains(&call),
        }
    }
}

/// The kind of thing that an event touched and a remedy puts right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorksOn {
    /// A user, group or role.
    Principal,
    /// A managed policy.
    Policy,
    /// A trail of CloudTrail.
    Trail,
}

/// The result of planning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// A step that can be taken.
    Step(Box<PlannedStep>),
    /// Nothing has to be done, and why.
    Nothing(String),
    /// Cordon cannot do it.
    ByHand(ByHand),
}

impl From<PlannedStep> for Planned {
    fn from(step: PlannedStep) -> Self {
        Self::Step(Box::new(step))
    }
}

/// Work that Cordon cannot do, and a person can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// Why it is left out, in a few words.
    pub reason: String,
    /// The instructions, step by step.
    pub instruction: String,
}

impl ByHand {
    /// Both in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{}: {}", self.reason, self.instruction)
    }
}

/// The state before the first write: all that `revert` needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "remedy", rename_all = "kebab-case")]
pub enum Snapshot {
    /// Of `detach-policy`, as it was stored before detaching was a setting.
    DetachPolicy(detach_policy::Before),
    /// Of `deny-iam`.
    DenyIam(deny_iam::Before),
    /// Of `restore-policy-version`.
    RestorePolicyVersion(restore_policy_version::Before),
    /// Of `delete-policy-version`.
    DeletePolicyVersion(delete_policy_version::Before),
    /// Of every remedy that sets things.
    Settings(settings::Before),
}

/// Tells the first application of a step from a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The first time, or that first time resumed: whatever is neither the snapshot's state nor ours is drift.
    First,
    /// Somebody stripped the change. The state that is there now came after the snapshot, so undo does not restore it, and it
    /// is no reason to hold back.
    Again,
}

/// The result of applying. In both cases the state is now the wanted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// This run made the change.
    Changed,
    /// There was nothing to change.
    AlreadyHeld,
}

/// The result of a read after the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// The change stands.
    Holds,
    /// The change, or a part of it, is gone: a sentence that says which.
    Missing(String),
}

/// The result of undoing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reverted {
    /// The calls that were made.
    Done(Vec<Call>),
    /// The calls that a dry run would have made.
    Would(Vec<Call>),
    /// The former state holds, and why.
    Nothing(String),
    /// Somebody else changed it since: nothing is touched.
    Drift {
        /// The state that the step had left.
        expected: String,
        /// The state that stands.
        found: String,
    },
}

/// Why a step could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// IAM or CloudTrail refused a call, or did not answer.
    #[error(transparent)]
    Iam(#[from] IamError),
    /// Somebody else changed the target since: it is neither what was planned for nor what this step makes of it.
    #[error("changed since it was planned: expected {expected}, found {found}")]
    Conflict {
        /// The state that the plan was made for.
        expected: String,
        /// The state that stands.
        found: String,
    },
    /// The stored step or snapshot lacks what the remedy needs, or is of another remedy.
    #[error("the stored step or snapshot does not belong to `{0}`")]
    Mismatch(RemedyKind),
    /// The limits of the deployment do not let the step touch something, in a sentence.
    #[error("nothing was changed: {0}")]
    OutOfBounds(String),
    /// Undo cannot give back what the step took.
    #[error("{0}")]
    Irreversible(String),
}

impl StepError {
    /// True where the same step may pass a little later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Iam(error) => error.retryable(),
            Self::Conflict { .. } | Self::Mismatch(_) | Self::OutOfBounds(_) | Self::Irreversible(_) => false,
        }
    }
}

/// One reversible action. A remedy that sets things ([`crate::settings`]) says in `plan` what, and inherits the rest.
#[async_trait]
pub trait Remedy: Send + Sync {
    /// Its name.
    fn kind(&self) -> RemedyKind;

    /// The calls that it answers, where it is to undo what was done.
    fn answers(&self) -> Answers;

    /// The kind of thing it works on, where it is to undo what was done.
    fn works_on(&self) -> WorksOn {
        WorksOn::Principal
    }

    /// Reads, and says which calls would be made and how they are undone. Makes every choice (names, documents), so that
    /// `apply` has none left.
    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError>;

    /// Reads what `revert` will need. Stored before `apply` is called.
    async fn snapshot(&self, account: &dyn Account, step: &PlannedStep) -> Result<Snapshot, StepError> {
        settings::snapshot(account, step).await
    }

    /// Makes the change. Safe to call again after any interruption.
    async fn apply(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        attempt: Attempt,
    ) -> Result<Applied, StepError> {
        settings::apply(account, step, snapshot, attempt).await
    }

    /// Reads whether the change stands.
    async fn verify(&self, account: &dyn Account, step: &PlannedStep) -> Result<Verified, StepError> {
        settings::verify(account, step).await
    }

    /// Restores the snapshot's state, or with `dry_run` says how. Safe to call again after any interruption.
    async fn revert(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        dry_run: bool,
    ) -> Result<Reverted, StepError> {
        settings::revert(account, step, snapshot, dry_run).await
    }
}

/// The principal of a step whose remedy works on nothing else.
pub(crate) fn principal_of(step: &PlannedStep) -> Result<&Principal, StepError> {
    step.target.principal().ok_or(StepError::Mismatch(step.remedy))
}

/// Whether the target of a step is still the one that was planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Same,
    Gone,
    /// Deleted and made again, with this unique id.
    Another(String),
}

impl Identity {
    /// The check before every write. IAM has no conditional write, so a target that is made again between this read and the
    /// write is still hit; the window is one call wide. A trail has no unique id: one that was made again is taken for the same.
    pub(crate) async fn of(account: &dyn Account, step: &PlannedStep) -> Result<Self, IamError> {
        let unique_id = match &step.target {
            Target::Principal(principal) => account.principal(principal).await?.map(|facts| facts.unique_id),
            Target::Policy { policy } => account.policy(policy.as_str()).await?.map(|facts| facts.unique_id),
            Target::Trail { trail } => account.trail(trail.as_str()).await?.map(|_| trail.to_string()),
        };
        Ok(match unique_id {
            None => Self::Gone,
            Some(id) if id == step.target_unique_id => Self::Same,
            Some(id) => Self::Another(id),
        })
    }

    /// The expected and the found target, where they differ.
    pub(crate) fn difference(self, step: &PlannedStep) -> Option<(String, String)> {
        let expected = format!("`{}` with the unique id `{}`", step.target, step.target_unique_id);
        match self {
            Self::Same => None,
            Self::Gone => Some((expected, "nothing of that name".to_owned())),
            Self::Another(id) => Some((expected, format!("another of that name, `{id}`"))),
        }
    }

    pub(crate) fn required(self, step: &PlannedStep) -> Result<(), StepError> {
        match self.difference(step) {
            None => Ok(()),
            Some((expected, found)) => Err(StepError::Conflict { expected, found }),
        }
    }
}
