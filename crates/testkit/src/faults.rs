//! Injected faults: an error or a kill, before or after the nth effect.
//!
//! Fakes that share one [`Faults`] count their effects together, so a law can strike every effect of a run in turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cordon_core::Cause;
use cordon_respond::{IamError, IamErrorKind, ProgressError};

/// Before: nothing happened. After: it happened, and the answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing happened.
    Before,
    /// It happened, and the answer was lost.
    After,
}

/// How an effect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It answers with an error.
    Error(IamErrorKind),
    /// The function dies: the future never goes on.
    Killed,
}

#[derive(Debug, Default)]
struct Plan {
    effects: usize,
    nth: Option<(usize, When, Failure)>,
    actions: Vec<(String, When, Failure)>,
}

/// The faults of a test. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

impl Faults {
    /// Strikes the nth effect from now on, counted from 1.
    pub fn strike(&self, nth: usize, when: When, failure: Failure) {
        let mut plan = self.lock();
        plan.effects = 0;
        plan.nth = Some((nth, when, failure));
    }

    /// Strikes every call of an action (`iam:GetUser`) until [`Faults::clear`].
    pub fn strike_action(&self, action: &str, when: When, failure: Failure) {
        self.lock().actions.push((action.to_owned(), when, failure));
    }

    /// Takes every fault off, and counts effects from 0.
    pub fn clear(&self) {
        *self.lock() = Plan::default();
    }

    /// How many effects there were since the last [`Faults::clear`] or [`Faults::strike`].
    #[must_use]
    pub fn effects(&self) -> usize {
        self.lock().effects
    }

    /// Runs an effect of a fake that knows no errors of IAM's: it can only be killed, before it or after it.
    pub async fn killable<T>(&self, action: &str, effect: impl FnOnce() -> T) -> T {
        match self.enter(action) {
            Some((When::Before, Failure::Killed)) => std::future::pending().await,
            Some((When::After, Failure::Killed)) => {
                let _lost = effect();
                std::future::pending().await
            }
            Some((_, Failure::Error(_))) | None => effect(),
        }
    }

    pub(crate) fn enter(&self, action: &str) -> Option<(When, Failure)> {
        let mut plan = self.lock();
        plan.effects += 1;
        let nth = plan.nth.filter(|(nth, ..)| *nth == plan.effects).map(|(_, when, failure)| (when, failure));
        nth.or_else(|| plan.actions.iter().find(|(name, ..)| name == action).map(|(_, when, failure)| (*when, *failure)))
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    pub(crate) async fn of_iam(self, action: &str) -> IamError {
        match self {
            Self::Error(kind) => IamError::new(kind, action, "a fault on purpose"),
            Self::Killed => std::future::pending().await,
        }
    }

    pub(crate) async fn of_progress(self) -> ProgressError {
        match self {
            Self::Error(IamErrorKind::Transient | IamErrorKind::Conflict) => {
                ProgressError::Unavailable(Cause::new("a fault on purpose"))
            }
            Self::Error(_) => ProgressError::Broken(Cause::new("a fault on purpose")),
            Self::Killed => std::future::pending().await,
        }
    }
}
