//! The flow's channel over Slack: [`SlackChannel`] posts what the cards say, [`Connection`] makes it from the stored secret, and
//! [`Clicks`] answers a click, from the bytes that the gateway hands over to the response.
//!
//! It joins Slack's protocol (`cordon-slack`), the cards and the flow, which do not know each other's business. It decides nothing,
//! and knows no Lambda runtime: the functions serve it.

#![warn(missing_docs)]

mod channel;
mod click;
pub mod connection;
pub mod gateway;
pub mod haste;

pub use channel::{Clicker, SlackChannel};
pub use click::Clicks;
pub use connection::{Connection, Slack};
