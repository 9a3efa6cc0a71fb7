//! The ports over the AWS SDK, one module each. Nothing here decides: each module maps a port's call to the service's call, and
//! the service's errors to the port's.

pub mod bus;
pub mod clock;
pub mod config;
mod hands;
pub mod iam;
pub mod publish;
pub mod secret;
pub mod security_hub;
pub mod session;
mod signed;
pub mod table;
pub mod tasks;

pub use bus::EventBus;
pub use clock::SystemClock;
pub use iam::SdkIam;
pub use publish::Topic;
pub use secret::StoredSecret;
pub use security_hub::SecurityHub;
pub use session::{HandFunctions, Sessions, SpokeRole, SpokeRoles, Spokes};
pub use table::DynamoTable;
pub use tasks::{StateMachine, StepFunctions};
