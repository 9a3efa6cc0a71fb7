//! What people read of an incident: the card in Slack in each of its forms with its buttons and dialogs, the thread below it, the
//! summary of a burst, the notice of a failure, the answer to a click, and the structured alert for SNS.
//!
//! A card answers, in this order, what somebody woken at night asks: what is this, must I do something, who did what to whom from
//! where, why is it dangerous, what exactly will happen, how is it undone. An incident has one card, which is posted once and then
//! updated, so every form of it carries the same facts.
//!
//! INVARIANT: everything here is made from an incident and the times in it. It never decides, reads or sends, and it knows no
//! clock. A card holds no token and no secret; its buttons carry the incident's id.
//!
//! Most of an incident's texts are an attacker's. Each goes through [`cordon_slack::text`], and each list has a budget, so that a
//! card stays inside Slack's limits whatever goes in. Lines that do not fit are counted on the card, never dropped in silence.

#![warn(missing_docs)]

mod alert;
mod answer;
mod burst;
mod card;
mod dialog;
mod electorate;
mod ending;
mod failure;
mod layout;
mod links;
mod open;
mod people;
mod press;
mod reach;
#[cfg(test)]
mod slack_sdk;
#[cfg(test)]
mod tests;
mod thread;

pub use cordon_slack::{Message, Prose};

pub use alert::{ALERT_SCHEMA, Alert, Occasion};
pub use answer::Answer;
pub use burst::{Burst, Left};
pub use dialog::{Dialog, DialogKind, REASON};
pub use ending::outcome;
pub use failure::Failure;
pub use open::{acting, alert, asking, current, decided, exempt, needs_person};
pub use press::{Button, Press, PressError, Pressed, foreign};
pub use thread::{ended, escalated, glass_broken, held, joined, nobody_may_decide, note, undo_wanted, undone};
