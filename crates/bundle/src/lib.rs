//! The operator's policy and the rules, as a deployment uses them: read from a folder or packed, checked against each other,
//! and packed with the functions for Terraform.
//!
//! It reads and writes files, and nothing else: no environment, no AWS, no Lambda runtime, and it compiles nothing. It never
//! leaves out a rule that does not load, and never guesses a policy that cannot be read.

#![warn(missing_docs)]

mod files;
mod load;
mod package;
mod spoke;

pub use files::{ReadError, read_config, read_config_file, read_rules};
pub use load::{Bundle, BundleError, Faults};
pub use package::{
    Architecture, FUNCTIONS, FunctionZip, Manifest, PackageError, PackageOptions, ROLES_TEMPLATE, RULES_TEMPLATE, package,
};
pub use spoke::{ROLE_PATH, Spoke, SpokeError, rules_template};
