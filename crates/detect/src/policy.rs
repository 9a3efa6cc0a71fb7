//! Analyses policy documents: the actions that a policy allows its holder, and the principals that a trust policy admits.
//!
//! It decides from the text of documents alone. Permissions boundaries, service control policies and session policies can only
//! reduce the result. If the answer depends on circumstances that the document does not name, it is [`Answer::Limited`], never a
//! guess.
//!
//! It asks the document about concrete calls, as IAM would ("may the holder call `iam:PutUserPolicy` on a user that the document
//! does not name?"). The order, the case and the splitting of statements therefore cannot change an answer.

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
    /// It does not allow it.
    No,
    /// Only on resources that the document names, or under a condition that the caller cannot simply meet.
    Limited,
    /// On any resource of the kind, under no condition that stops a caller who wants to.
    Yes,
}

#[cfg(test)]
mod tests;
