//! Plans, makes, verifies and undoes Cordon's changes.
//!
//! A remedy is one file of [`remedies`]; [`planner`] decides which remedies fit an incident, [`runner`] carries a stored plan
//! out, verifies it and undoes it. Everything here speaks to IAM through [`port::Iam`] and to the table through
//! [`runner::Progress`]; there is no SDK, no runtime and no clock in this crate.
//!
//! INVARIANT: nothing is written to IAM before a snapshot is stored, and nothing is written to a principal whose unique id is
//! not the one that was planned for.

pub mod arns;
pub mod authorised;
pub mod bounds;
pub mod call;
pub mod deny;
pub mod divided;
pub mod holds;
pub mod planner;
pub mod port;
pub mod powers;
mod quarantine;
pub mod remedies;
pub mod remedy;
pub mod runner;
pub mod sessions;
pub mod settings;
pub mod stays;

pub use arns::{ArnBefore, Arns, Known, Since};
pub use bounds::Bounds;
pub use holds::{Hold, Holds, Kept, Layer, NoHolds, Renaming, Thing};
pub use planner::{Case, Planning};
pub use port::{AccessKey, Account, Iam, IamError, IamErrorKind, KeyLastUse, PolicyFacts, PrincipalFacts, TrailFacts, Trails};
pub use remedies::remedy;
pub use remedy::{
    Answers, Applied, Attempt, ByHand, On, Planned, Remedy, Request, Reverted, Snapshot, StepError, Verified, WorksOn,
};
pub use runner::{
    ApplyResult, PlanResult, Progress, ProgressError, RevertResult, RunError, StepOutcome, StepRecord, StepState, UnfinishedStep,
    VerifyResult, apply_plan, revert_plan, verify_plan,
};
