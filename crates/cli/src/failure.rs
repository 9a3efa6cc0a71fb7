//! The failures of the commands, and the exit code of each. Nothing below this crate knows an exit code.

use cordon_bundle::{BundleError, PackageError, ReadError};
use cordon_flow::decide::DecideError;
use cordon_flow::switch::SwitchError;
use cordon_flow::undo::{AskUndoError, UndoError};
use cordon_respond::runner::RunError;
use cordon_sandbox::SandboxError;
use cordon_store::{AddExceptionError, StoreError};

use crate::caller::CallerError;
use crate::commands::exception::ExceptionError;
use crate::commands::incident::IncidentError;
use crate::commands::record::RecordError;
use crate::commands::replay::ReplayError;
use crate::commands::rule::RulesError;

/// Wrong use or bad input.
const INPUT: u8 = 2;
/// It was tried and did not work, or something was found.
const WORK: u8 = 1;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file of the policy or a folder of rules.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The policy with the rules.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The rules alone.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// `cordon package`
    #[error(transparent)]
    Package(#[from] PackageError),
    /// `cordon sandbox`, before it starts.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The caller's AWS identity.
    #[error(transparent)]
    Caller(#[from] CallerError),
    /// `cordon incident`
    #[error(transparent)]
    Incident(#[from] IncidentError),
    /// `cordon incident export` and `verify`
    #[error(transparent)]
    Record(#[from] RecordError),
    /// `cordon exception`
    #[error(transparent)]
    Exception(#[from] ExceptionError),
    /// `cordon stop` and `resume`
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// `cordon replay`
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl Failure {
    /// 2 for wrong use and bad input, 1 for work that failed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Read(_) | Self::Bundle(_) | Self::Rules(_) | Self::Package(_) | Self::Sandbox(_) | Self::Caller(_) => INPUT,
            Self::Incident(error) => incident(error),
            Self::Record(error) => match error {
                RecordError::Incident(error) => incident(error),
                RecordError::Broken(_) | RecordError::NotProven(_) => WORK,
                RecordError::NotAnExport { .. }
                | RecordError::Exists { .. }
                | RecordError::Write { .. }
                | RecordError::Read { .. }
                | RecordError::NotAHash => INPUT,
            },
            Self::Exception(error) => match error {
                ExceptionError::Store(error) | ExceptionError::Add(AddExceptionError::Store(error)) => store(error),
                ExceptionError::Add(AddExceptionError::TooMany(_))
                | ExceptionError::Refused(_)
                | ExceptionError::Id(_)
                | ExceptionError::Rule(_)
                | ExceptionError::NoRule(_)
                | ExceptionError::OnlyAlerts(_)
                | ExceptionError::NotHonoured(_)
                | ExceptionError::NoException(_) => INPUT,
            },
            Self::Switch(SwitchError::NoSuchRole(_) | SwitchError::Reason) => INPUT,
            Self::Switch(SwitchError::Iam { .. } | SwitchError::Store(_) | SwitchError::NotSeen(_)) => WORK,
            Self::Replay(ReplayError::Disabled { .. } | ReplayError::Nothing(_)) => INPUT,
            Self::Replay(ReplayError::Write(_)) => WORK,
        }
    }
}

fn incident(error: &IncidentError) -> u8 {
    match error {
        IncidentError::Id(_) | IncidentError::NoReason => INPUT,
        IncidentError::Store(error)
        | IncidentError::Decide(DecideError::Store(error))
        | IncidentError::AskUndo(AskUndoError::Store(error))
        | IncidentError::Undo(UndoError::Store(error)) => store(error),
        IncidentError::Undo(UndoError::Run(RunError::NoSuchStep { .. })) => INPUT,
        IncidentError::Decide(DecideError::Delivery(_) | DecideError::Crowded)
        | IncidentError::AskUndo(AskUndoError::Delivery(_) | AskUndoError::Crowded)
        | IncidentError::Undo(UndoError::Busy(_) | UndoError::NoSession(_) | UndoError::Run(_)) => WORK,
    }
}

fn store(error: &StoreError) -> u8 {
    match error {
        StoreError::NotFound(_) => INPUT,
        StoreError::Table(_) | StoreError::Unreadable(_) | StoreError::Unwritable(_) => WORK,
    }
}
