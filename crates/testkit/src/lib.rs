//! Fakes that never wait, and the laws that every remedy keeps. A dev-dependency only.
//!
//! A fake answers at once, so a future over fakes is ready at its first poll. A future that is not ready has met
//! [`Failure::Killed`]; dropping it then looks from outside like a killed function. No test here needs a runtime.

#[cfg(feature = "table")]
pub mod busy_table;
pub mod fake_iam;
pub mod faults;
pub mod laws;
pub mod memory_progress;
#[cfg(feature = "table")]
pub mod memory_table;
pub mod needs;
pub mod python;

use std::future::Future;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use cordon_core::Config;
use cordon_core::config::Scope;
use cordon_core::pattern::Pattern;
use cordon_respond::Bounds;

/// The crate under test. Unit tests inside `cordon-respond` use it by this name: they are compiled apart from the crate that
/// the fakes implement the ports of.
pub use cordon_respond as respond;

#[cfg(feature = "table")]
pub use busy_table::{BusyTable, Usage, run_together};
pub use fake_iam::{Entity, FakeIam, IamState};
pub use faults::{Failure, Faults, When};
pub use memory_progress::MemoryProgress;
#[cfg(feature = "table")]
pub use memory_table::MemoryTable;
pub use needs::Need;

/// Limits that let every step through, for tests of the steps themselves.
#[must_use]
pub fn no_limits() -> Bounds<'static> {
    static CONFIG: LazyLock<Config> = LazyLock::new(|| {
        let any = || vec![Pattern::new("*")];
        let scope = Scope {
            accounts: any(),
            principals: any(),
            policies: any(),
            trails: any(),
            never_touch: vec![],
            management_account: None,
        };
        Config { scope, ..Config::default() }
    });
    Bounds { config: &CONFIG, never: &[] }
}

/// Runs a future over fakes until it is done or killed; `None` where it was killed.
pub fn until_killed<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Runs a future over fakes to its end.
///
/// # Panics
/// If the future waits for something that is no fake, or is killed.
#[expect(clippy::expect_used, reason = "a test that waits has to fail")]
pub fn run<F: Future>(future: F) -> F::Output {
    until_killed(future).expect("a future over fakes is done at once")
}
