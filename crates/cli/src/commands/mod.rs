//! One module a command.

pub mod check;
pub mod exception;
pub mod incident;
pub mod package;
pub mod record;
pub mod replay;
pub mod rule;
pub mod sandbox;
pub mod switch;
