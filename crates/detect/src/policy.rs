//! What a policy document allows its holder to do, and whom a trust policy lets in.
//!
//! Decides from the text of documents alone. Permissions boundaries, service control policies and session policies can only take
//! away from what is said here. Where a document leaves something to circumstances that it does not name, the answer is
//! [`Answer::Limited`], never a guess.
//!
//! How it decides: concrete calls are put to the document, as IAM would be asked ("may the holder call `iam:PutUserPolicy` on a
//! user that the document does not name?"). So the order, the case and the splitting of statements cannot change an answer.

mod condition;
mod decision;
mod document;
mod excerpt;
mod grants;
mod methods;
mod trust;
mod wildcard;

pub use document::{Document, DocumentError};
pub use grants::{Grants, grants};
pub use methods::{METHODS, Method};
pub use trust::{Trust, Trusted, trusts};

/// Whether a document allows something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    No,
    /// Only on resources that the document names, or under a condition that the caller cannot simply meet.
    Limited,
    /// On any resource of the kind, under no condition that stops a caller who wants to.
    Yes,
}

#[cfg(test)]
mod tests;
