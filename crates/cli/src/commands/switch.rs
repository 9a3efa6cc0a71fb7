//! `cordon stop` and `cordon resume`: the kill switch, for those who may change the remediator's role.

use std::process::ExitCode;

use clap::Args;
use cordon_aws::{SdkIam, SystemClock};
use cordon_core::{Principal, PrincipalKind};
use cordon_flow::switch::{POLICY_NAME, Position, Switch};
use cordon_store::Store;

use crate::caller::Caller;
use crate::commands::incident::Deployment;
use crate::failure::Failure;

/// The reason, and the deployment.
#[derive(Args)]
pub struct Arguments {
    /// The reason, for those who are asked next.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The remediator's role: its name, or its ARN as Terraform's output role_arns has it.
    #[arg(long, env = "CORDON_REMEDIATOR_ROLE", default_value = "cordon-remediate", value_name = "ROLE")]
    role: String,
    #[command(flatten)]
    deployment: Deployment,
}

/// Stops all changes.
pub async fn stop(arguments: &Arguments) -> Result<ExitCode, Failure> {
    turn(arguments, true).await
}

/// Allows changes again.
pub async fn resume(arguments: &Arguments) -> Result<ExitCode, Failure> {
    turn(arguments, false).await
}

async fn turn(arguments: &Arguments, stop: bool) -> Result<ExitCode, Failure> {
    let sdk = cordon_aws::config::load().await;
    let table = arguments.deployment.table(&sdk);
    let caller = Caller::find(&sdk).await?;
    let iam = SdkIam::new(&sdk);
    let name = arguments.role.rsplit('/').next().unwrap_or_default();
    let role = Principal::new(PrincipalKind::Role, caller.account.clone(), name);
    let switch = Switch { store: Store::new(&table), iam: &iam, role, clock: &SystemClock };
    let turned = if stop {
        switch.stop(&caller.arn, &arguments.reason).await
    } else {
        switch.resume(&caller.arn, &arguments.reason).await
    };
    // The position is read and printed even after a failure: half a stop is a stop, and has to be known as half.
    let position = switch.position().await;
    if let Ok(position) = &position {
        println!("{}", sentence(position, name));
    }
    turned?;
    position?;
    Ok(ExitCode::SUCCESS)
}

fn sentence(position: &Position, role: &str) -> String {
    let stopped = position.note.as_ref().is_some_and(|note| note.stopped);
    match (stopped, position.denied) {
        (true, true) => format!(
            "Stopped: `remediate` refuses every change, and its role `{role}` carries the deny `{POLICY_NAME}`. IAM enforces that within seconds."
        ),
        (true, false) => format!(
            "Half stopped: `remediate` refuses every change, but its role `{role}` carries no deny. Run `cordon stop` or `cordon resume` again."
        ),
        (false, true) => format!(
            "Half stopped: the role `{role}` carries the deny `{POLICY_NAME}`, but `remediate` does not refuse. Run `cordon stop` or `cordon resume` again."
        ),
        (false, false) => "Not stopped: approved and automatic changes are made.".to_owned(),
    }
}
