//! What Cordon says in Slack, and how it knows that an answer comes from Slack.
//!
//! Cards are made from plain fields and become plain JSON; the only module that touches the network is [`client`].
//! This crate never decides who may approve and never sees a task token: a button carries the incident's id, nothing else.
//! Everything an attacker can choose (names, agents, policy documents) goes through [`text`] before it reaches a message.

pub mod blocks;
#[cfg(feature = "client")]
pub mod client;
pub mod interaction;
pub mod message;
pub mod modal;
pub mod notice;
pub mod secret;
pub mod signature;
pub mod text;

pub use blocks::{LimitError, validate, validate_message};
#[cfg(feature = "client")]
pub use client::{Posted, Reply, SlackClient, SlackError};
pub use interaction::{Action, Click, Interaction, InteractionError, Sender, Submission};
pub use message::Message;
pub use modal::{Modal, ModalKind};
pub use notice::Notice;
pub use secret::{Delivery, Secret, SecretError, SlackSecret};
pub use signature::{SignatureError, sign, verify};

/// The `action_id` of the button that approves.
pub const APPROVE: &str = "cordon_approve";
/// The `action_id` of the button that denies.
pub const DENY: &str = "cordon_deny";
/// The `action_id` of the button that takes an incident on without deciding it.
pub const LOOKING: &str = "cordon_looking";
/// The `action_id` of the button that takes the changes back.
pub const UNDO: &str = "cordon_undo";
/// The `action_id` of the button that approves past the quorum.
pub const BREAK_GLASS: &str = "cordon_break_glass";
