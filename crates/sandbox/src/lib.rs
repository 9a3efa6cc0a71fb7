//! The whole of Cordon on one machine: the AWS emulator with enforced IAM, the same Terraform as a real deployment, a relay that
//! turns the emulator's recorded calls into CloudTrail events, and a Slack stand-in with a page.
//!
//! [`run`] is the command `cordon sandbox`; [`Sandbox::start`] is for tests.
//! It never reaches the real AWS or the real Slack, writes only below Cargo's target directory, listens on 127.0.0.1 only, and
//! leaves no process behind.

mod artifacts;
mod aws;
mod background;
mod deploy;
mod emulator;
mod error;
mod http;
mod launcher;
mod layout;
mod options;
mod page;
mod process;
mod progress;
mod relay;
mod session;
mod setup;
pub mod slack;
mod snapshot;
mod stack;
pub mod story;
mod terraform;
mod tools;
mod watch;

pub use aws::{Keys, REGION, sdk_config};
pub use error::SandboxError;
pub use layout::find_workspace;
pub use options::{Mode, Options, Person, SlackMode, StackSpec, people};
pub use progress::{Progress, Step};
pub use relay::{DETAIL_TYPE, Recorded, SOURCE};
pub use session::{ACCOUNT, STACK, run};
pub use stack::{Sandbox, Stack};
pub use terraform::Outputs;
