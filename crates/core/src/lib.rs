//! The words of Cordon as types: what an event says, who did it to whom, what an incident is, how its timeline is chained,
//! which decision follows from which facts, and what the operator wrote in `cordon.toml`.
//!
//! Nothing here reads a clock, a file or the network, so nothing here fails except on the input it is given.

pub mod approval;
pub mod blast_radius;
pub mod config;
pub mod decision;
pub mod detection;
pub mod document;
pub mod event;
pub mod ids;
pub mod incident;
pub mod json;
pub mod pattern;
pub mod plan;
pub mod principal;
pub mod record;
pub mod timeline;
pub mod touched;

pub use approval::{Ballot, Question, Vote};
pub use blast_radius::{BlastRadius, KeyUse};
pub use config::{Config, Destination, Notifications};
pub use decision::{Decision, Route};
pub use detection::{Detection, ExceptionKind, Gate, Level, RemedyKind, Response};
pub use event::{Event, Log, Origin};
pub use ids::{AccountId, Arn, ArnParts, EventId, ExceptionId, IncidentId, RuleId};
pub use incident::{Head, Outcome, State};
pub use plan::{Call, Change, Plan, PlannedStep, Purpose, Setting, Target};
pub use principal::{Actor, ActorKind, Principal, PrincipalKind, Subject};
pub use record::{Field, Record};
pub use timeline::Entry;
pub use touched::{Former, Touched};
