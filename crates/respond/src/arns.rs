//! The ARN that a principal had before: a new name or path must not put it out of the scope, onto `never_touch`, or off it.
//!
//! What an attacker made or moved lately is judged by both ARNs, the one of now and the one from before.

use async_trait::async_trait;
use cordon_core::{Arn, Principal};
use jiff::Timestamp;

use crate::holds::{Holds, NoHolds};
use crate::port::IamError;

/// Which changes of an ARN are not believed.
#[derive(Debug, Clone, Copy)]
pub struct Since<'a> {
    /// Those that are younger than this.
    pub believed_until: Timestamp,
    /// Those that the actor made, however old.
    pub actor: Option<&'a Principal>,
}

/// The ARN of a principal before the changes of it that are not believed. `how` tells of them, in a sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArnBefore {
    /// It had the ARN of now, as far as was seen.
    Same,
    /// It had another one.
    Was {
        /// That one.
        arn: Arn,
        /// How it changed.
        how: String,
    },
    /// There was no such principal.
    Made {
        /// How it was made.
        how: String,
    },
    /// It had another one that nobody saw.
    Unknown {
        /// How it changed.
        how: String,
    },
}

/// Reads what was seen of ARNs, for planning.
#[async_trait]
pub trait Arns: Send + Sync {
    /// `now` has the ARN that IAM gives. An error means that it is not known.
    async fn before(&self, now: &Principal, since: &Since<'_>) -> Result<ArnBefore, IamError>;
}

/// All that planning reads beside AWS.
pub trait Known: Holds + Arns {}

impl<T: Holds + Arns> Known for T {}

#[async_trait]
impl Arns for NoHolds {
    async fn before(&self, _now: &Principal, _since: &Since<'_>) -> Result<ArnBefore, IamError> {
        Ok(ArnBefore::Same)
    }
}
