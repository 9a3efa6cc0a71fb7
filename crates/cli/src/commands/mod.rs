//! The commands, one module each: arguments, wiring, output.

pub mod check;
pub mod exception;
pub mod incident;
pub mod package;
pub mod record;
pub mod replay;
pub mod rule;
pub mod sandbox;
pub mod switch;

/// What the names of the deployment's parts begin with: `CORDON_NAME`, as the functions read it, else `cordon`.
pub fn deployment_name() -> String {
    std::env::var("CORDON_NAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "cordon".to_owned())
}
