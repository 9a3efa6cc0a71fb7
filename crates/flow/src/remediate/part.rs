//! The released part of a plan: its steps alone, recorded under the numbers that they have in the whole plan.

use async_trait::async_trait;
use cordon_core::{Call, IncidentId, Plan};
use cordon_respond::runner::{PlanResult, Progress, ProgressError, StepRecord};
use cordon_respond::{Hold, Thing};
use cordon_store::Steps;
use jiff::Timestamp;

/// How much of a plan may be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    All,
    /// What stops the actor and can be taken back, for nobody decided in time.
    Containment,
    /// The same, ahead of the question.
    Ahead,
}

/// Some steps of a plan.
pub struct Part<'a> {
    pub plan: Plan,
    /// The number in the whole plan, for each step here.
    numbers: Vec<usize>,
    steps: Steps<'a>,
    whole: bool,
}

impl<'a> Part<'a> {
    #[must_use]
    pub fn of(plan: &Plan, released: Released, steps: Steps<'a>) -> Self {
        let numbered = plan.steps.iter().enumerate().map(|(index, step)| (index + 1, step));
        let (numbers, chosen): (Vec<_>, Vec<_>) = numbered
            .filter(|(_, step)| match released {
                Released::All => true,
                Released::Containment | Released::Ahead => step.may_go_ahead(),
            })
            .map(|(number, step)| (number, step.clone()))
            .unzip();
        let whole = chosen.len() == plan.steps.len();
        Self { plan: Plan { steps: chosen, by_hand: plan.by_hand.clone() }, numbers, steps, whole }
    }

    /// Whether this is all of the plan, with nothing left to a person. A plan of nothing is not: it contains nobody.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.whole && self.plan.by_hand.is_empty() && !self.plan.steps.is_empty()
    }

    /// A result with the numbers that people know.
    #[must_use]
    pub fn renumbered<R>(&self, mut result: PlanResult<R>) -> PlanResult<R> {
        for step in &mut result.steps {
            step.n = self.number(step.n);
        }
        result
    }

    fn number(&self, n: usize) -> usize {
        n.checked_sub(1).and_then(|index| self.numbers.get(index)).copied().unwrap_or(n)
    }
}

#[async_trait]
impl Progress for Part<'_> {
    fn now(&self) -> Timestamp {
        self.steps.now()
    }

    fn incident(&self) -> &IncidentId {
        self.steps.incident()
    }

    async fn announce(&self, calls: &[Call]) -> Result<(), ProgressError> {
        self.steps.announce(calls).await
    }

    async fn hold(&self, thing: &Thing) -> Result<Option<Hold>, ProgressError> {
        self.steps.hold(thing).await
    }

    async fn save_hold(&self, thing: &Thing, hold: &Hold) -> Result<(), ProgressError> {
        self.steps.save_hold(thing, hold).await
    }

    async fn load(&self, n: usize) -> Result<Option<StepRecord>, ProgressError> {
        self.steps.load(self.number(n)).await
    }

    async fn save(&self, n: usize, record: &StepRecord) -> Result<(), ProgressError> {
        self.steps.save(self.number(n), record).await
    }
}
