//! `cordon stop` and `cordon resume`: the kill switch, for whoever may change the remediator's role.

use std::process::ExitCode;

use clap::Args;
use cordon_aws::{SdkIam, SystemClock};
use cordon_core::{Principal, PrincipalKind};
use cordon_flow::switch::{POLICY_NAME, Position, Switch, SwitchError};
use cordon_store::Store;

use crate::caller::Caller;
use crate::commands::incident::Deployment;
use crate::failure::Failure;

#[derive(Args)]
pub struct Arguments {
    /// Why, for whoever is asked next.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The remediator's role: its name, or its ARN as Terraform's output role_arns has it.
    #[arg(long, env = "CORDON_REMEDIATOR_ROLE", default_value = "cordon-remediate", value_name = "ROLE")]
    role: String,
    #[command(flatten)]
    deployment: Deployment,
}

pub async fn stop(arguments: &Arguments) -> Result<ExitCode, Failure> {
    turn(arguments, true).await
}

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
    // What stands is read and told whatever became of it: half a stop is a stop, and has to be known as half.
    let position = switch.position().await;
    if let Ok(position) = &position {
        println!("{}", said(position, name));
    }
    turned.map_err(failure)?;
    position.map_err(failure)?;
    Ok(ExitCode::SUCCESS)
}

fn said(position: &Position, role: &str) -> String {
    let stopped = position.note.as_ref().is_some_and(|note| note.stopped);
    match (stopped, position.denied) {
        (true, true) => format!(
            "Stopped: `remediate` refuses every change, and its role `{role}` carries the deny `{POLICY_NAME}`. IAM enforces that within seconds."
        ),
        (true, false) => format!("Half stopped: `remediate` refuses every change, but its role `{role}` carries no deny."),
        (false, true) => {
            format!("Half stopped: the role `{role}` carries the deny `{POLICY_NAME}`, but `remediate` was not told.")
        }
        (false, false) => "Not stopped: what is approved, and what is automatic, is carried out.".to_owned(),
    }
}

fn failure(error: SwitchError) -> Failure {
    match error {
        SwitchError::NoSuchRole(_) | SwitchError::Reason => Failure::Input(error.to_string()),
        SwitchError::Iam { .. } | SwitchError::Store(_) | SwitchError::NotSeen(_) => Failure::Work(error.to_string()),
    }
}
