//! The kill switch: stops every change at once, without a deployment, and permits changes again.
//!
//! It stops twice. A note in the table makes `remediate` refuse, in every account and with the reason. A deny on the remediator's
//! own role removes its power, no matter what its code, its configuration or the table say. Either one alone stops all changes.

use cordon_core::Principal;
use cordon_respond::port::{Iam, IamError, IamErrorKind};
use cordon_store::{Store, StoreError, SwitchNote};
use serde_json::Value;

use crate::ports::Clock;

/// The name of the deny on the remediator's role.
pub const POLICY_NAME: &str = "CordonStop";
/// Everything that a remedy does or may come to do. Reads go on, so that a report says how things stand.
pub const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"CordonStop","Effect":"Deny","Action":["iam:Add*","iam:Attach*","iam:Change*","iam:Create*","iam:Deactivate*","iam:Delete*","iam:Detach*","iam:Put*","iam:Remove*","iam:Reset*","iam:Set*","iam:Tag*","iam:Untag*","iam:Update*","iam:Upload*","cloudtrail:Put*","cloudtrail:StartLogging","cloudtrail:StopLogging","cloudtrail:Update*","sts:AssumeRole"],"Resource":"*"}]}"#;

/// Why nothing may be changed now, in a sentence without a full stop; `None` where it may.
///
/// # Errors
/// [`StoreError`].
pub async fn stopped(store: Store<'_>) -> Result<Option<String>, StoreError> {
    Ok(store.switch().await?.filter(|note| note.stopped).map(|note| said(&note)))
}

fn said(note: &SwitchNote) -> String {
    format!(
        "enforcement was stopped by `{}` at {} ({}), so nothing is changed until `cordon resume`",
        note.by, note.at, note.reason
    )
}

/// What of the switch is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The last turn; `None` where there was none.
    pub note: Option<SwitchNote>,
    /// True where the remediator's role carries the deny.
    pub denied: bool,
}

/// Why the switch was not turned, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// No such role.
    #[error("there is no role `{0}`; name the remediator's role with --role, as Terraform's output role_arns does")]
    NoSuchRole(String),
    /// No usable reason.
    #[error("the reason has 1 to {REASON_MAX_CHARS} characters, on one line")]
    Reason,
    /// IAM refused.
    #[error("the role `{role}`: {error}")]
    Iam {
        /// The role's name.
        role: String,
        /// What IAM said.
        #[source]
        error: IamError,
    },
    /// The table.
    #[error("the table")]
    Store(#[from] StoreError),
    /// IAM did not show the change.
    #[error("IAM took the change of the role `{0}`, and does not show it; look at its inline policies, and try again")]
    NotSeen(String),
}

const REASON_MAX_CHARS: usize = 500;

/// What turning is given.
pub struct Switch<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// IAM of the hub.
    pub iam: &'a dyn Iam,
    /// The remediator's role.
    pub role: Principal,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl Switch<'_> {
    /// Stops. Both halves are tried, whatever becomes of the other; the first failure is told after both.
    ///
    /// # Errors
    /// [`SwitchError`], where one of the halves failed.
    pub async fn stop(&self, by: &str, reason: &str) -> Result<(), SwitchError> {
        let note = self.note(true, by, reason)?;
        let denied = self.deny().await;
        self.store.set_switch(&note).await?;
        denied
    }

    /// Lets changes be made again: first the role's power is back and seen, then the note says so.
    ///
    /// # Errors
    /// [`SwitchError`]; changes are still stopped then.
    pub async fn resume(&self, by: &str, reason: &str) -> Result<(), SwitchError> {
        let note = self.note(false, by, reason)?;
        match self.iam.delete_inline_policy(&self.role, POLICY_NAME).await {
            Ok(()) => {}
            Err(error) if error.kind() == IamErrorKind::NotFound => {}
            Err(error) => return Err(self.failed(error)),
        }
        if self.is_denied().await? {
            return Err(SwitchError::NotSeen(self.role.name.to_string()));
        }
        Ok(self.store.set_switch(&note).await?)
    }

    /// # Errors
    /// [`SwitchError`], where the role or the table cannot be read.
    pub async fn position(&self) -> Result<Position, SwitchError> {
        Ok(Position { note: self.store.switch().await?, denied: self.is_denied().await? })
    }

    async fn deny(&self) -> Result<(), SwitchError> {
        let known = self.iam.principal(&self.role).await.map_err(|error| self.failed(error))?;
        if known.is_none() {
            return Err(SwitchError::NoSuchRole(self.role.name.to_string()));
        }
        let put = self.iam.put_inline_policy(&self.role, POLICY_NAME, DOCUMENT).await;
        put.map_err(|error| self.failed(error))?;
        if self.is_denied().await? { Ok(()) } else { Err(SwitchError::NotSeen(self.role.name.to_string())) }
    }

    async fn is_denied(&self) -> Result<bool, SwitchError> {
        let found = self.iam.inline_policy(&self.role, POLICY_NAME).await.map_err(|error| self.failed(error))?;
        let value = |text: &str| serde_json::from_str::<Value>(text).ok();
        Ok(found.is_some_and(|found| value(&found) == value(DOCUMENT)))
    }

    fn note(&self, stopped: bool, by: &str, reason: &str) -> Result<SwitchNote, SwitchError> {
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_MAX_CHARS || reason.chars().any(char::is_control) {
            return Err(SwitchError::Reason);
        }
        Ok(SwitchNote { stopped, by: by.to_owned(), at: self.clock.now(), reason: reason.to_owned() })
    }

    fn failed(&self, error: IamError) -> SwitchError {
        SwitchError::Iam { role: self.role.name.to_string(), error }
    }
}
