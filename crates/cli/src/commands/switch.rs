//! `cordon stop` and `cordon resume`: the kill switch, for those who may change the remediator's role.

use std::process::ExitCode;

use clap::Args;
use cordon_aws::config::SdkConfig;
use cordon_aws::{SdkIam, StateMachine, SystemClock};
use cordon_core::incident::State;
use cordon_core::{Principal, PrincipalKind, chain};
use cordon_flow::switch::{POLICY_NAME, Position, Switch};
use cordon_flow::voted;
use cordon_store::Store;
use jiff::Timestamp;

use crate::caller::Caller;
use crate::commands::incident::Deployment;
use crate::failure::Failure;

/// The most cards of one state that are updated.
const CARDS_MAX: u32 = 100;

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
    if let Some(note) = position?.note {
        show_on_cards(&sdk, Store::new(&table), note.at).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Has the cards of open questions say that enforcement is stopped, or no more. The switch is turned already, whatever happens here.
async fn show_on_cards(sdk: &SdkConfig, store: Store<'_>, turned: Timestamp) {
    let mut open = Vec::new();
    for state in [State::Asking, State::Decided, State::Remediating] {
        match store.by_state(state, CARDS_MAX).await {
            Ok(incidents) => open.extend(incidents),
            Err(error) => eprintln!("The cards of open incidents are not updated: {}", chain(&error)),
        }
    }
    let (mut shown, mut failed) = (0, None);
    for incident in &open {
        let Some(machine) = voted::state_machine(&incident.execution) else { continue };
        let machine = StateMachine::new(aws_sdk_sfn::Client::new(sdk), machine);
        match voted::show_switch_on_card(&machine, &incident.id, turned).await {
            Ok(()) => shown += 1,
            Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        let of = open.len();
        eprintln!(
            "{shown} of {of} cards of open incidents say so; the others do once somebody presses a button: {}",
            chain(&error)
        );
    }
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
