//! Cordon's vocabulary as types: event, actor and subject, incident, hash-chained timeline, decision, plan, and the operator's
//! `cordon.toml`.
//!
//! Nothing here reads a clock, a file or the network. A function can fail only because of its input.

pub mod approval;
pub mod blast_radius;
pub mod cause;
pub mod config;
pub mod decision;
pub mod detection;
pub mod document;
pub mod event;
pub mod fingerprint;
pub mod ids;
pub mod incident;
pub mod json;
pub mod names;
pub mod pattern;
pub mod plan;
pub mod principal;
pub mod record;
pub mod redact;
pub mod request;
pub mod stays;
pub mod timeline;
pub mod touched;

pub use approval::{Ballot, Choice, Question, Vote};
pub use blast_radius::{BlastRadius, KeyUse};
pub use cause::{Cause, chain};
pub use config::{Config, Destination, Notifications};
pub use decision::{Decision, Route};
pub use detection::{Detection, ExceptionKind, Gate, Level, RemedyKind, Response};
pub use event::{Event, Log, Origin};
pub use fingerprint::Fingerprint;
pub use ids::{AccountId, Arn, ArnParts, EventId, ExceptionId, IncidentId, RuleId};
pub use incident::{Incident, Outcome, State};
pub use names::{Name, canonical_arn, same_arn, same_name};
pub use plan::{Call, Change, JudgedArn, Plan, PlannedStep, Purpose, Setting, Target};
pub use principal::{Actor, ActorKind, Principal, PrincipalKind, Subject};
pub use stays::Stays;
pub use timeline::Entry;
pub use touched::{Former, RefusedFormer, Touched};
