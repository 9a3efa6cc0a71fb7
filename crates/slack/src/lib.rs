//! Slack's protocol: signatures, clicks and dialogs as they arrive; messages and dialogs as Slack takes them, with its limits and
//! its escaping; and the secret that holds the keys. The client of the Web API is behind the feature `client`, which brings an HTTP
//! stack; nothing else here touches the network or a clock.
//!
//! It knows nothing of incidents: what a button means, and what a dialog asks, is for the caller. Everything an attacker can choose
//! (names, agents, policy documents) must go through [`text`] before it reaches a message.

#![warn(missing_docs)]

pub mod blocks;
#[cfg(feature = "client")]
pub mod client;
pub mod interaction;
pub mod message;
pub mod modal;
pub mod origin;
pub mod prose;
pub mod request;
pub mod secret;
pub mod signature;
pub mod text;

pub use blocks::{LimitError, validate, validate_message};
#[cfg(feature = "client")]
pub use client::{Posted, Reply, SlackClient, SlackError};
pub use interaction::{Click, Interaction, InteractionError, Sender, Submission};
pub use message::Message;
pub use modal::{Modal, TextArea};
pub use origin::OriginError;
pub use prose::Prose;
pub use request::{HttpResponse, Request, RequestError, receive};
pub use secret::{Credential, Secret, SecretError, SlackSecret};
pub use signature::{SignatureError, sign, verify};
