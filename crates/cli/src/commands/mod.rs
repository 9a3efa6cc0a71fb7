//! One module a command.

pub mod check;
pub mod incident;
pub mod package;
pub mod replay;
pub mod rule;
pub mod sandbox;
