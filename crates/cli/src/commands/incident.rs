//! `cordon incident`: the incidents of a deployment, read from its table with the caller's own AWS identity.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use cordon_aws::config::SdkConfig;
use cordon_aws::{SdkIam, SystemClock, Table};
use cordon_core::IncidentId;
use cordon_core::incident::State;
use cordon_flow::Cases;
use cordon_flow::undo::Undo;
use serde_json::json;

use crate::commands::record;
use crate::failure::Failure;
use crate::show;

#[derive(Subcommand)]
pub enum Command {
    /// Print a line for each incident, the newest first.
    List {
        #[command(flatten)]
        deployment: Deployment,
        /// Only incidents that are not closed.
        #[arg(long)]
        open: bool,
        /// At most so many of each state.
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        #[arg(long)]
        json: bool,
    },
    /// Print an incident with its timeline, and verify the chain of hashes.
    Show {
        id: String,
        #[command(flatten)]
        deployment: Deployment,
        #[arg(long)]
        json: bool,
    },
    /// Write an incident's whole record to a file or the screen, with the verdict on its chain of hashes.
    Export(record::Export),
    /// Check an exported record (JSON) without AWS: whether its chain of hashes holds.
    Verify(record::Verify),
    /// Restore what was changed, the last step first. Refuses where somebody changed it since.
    Undo {
        id: String,
        #[command(flatten)]
        deployment: Deployment,
        /// Only this step, counted from 1 as `show` prints them.
        #[arg(long, value_name = "N")]
        step: Option<usize>,
        /// Say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which deployment to talk to. Region and credentials are AWS's usual ones.
#[derive(Args)]
pub struct Deployment {
    /// The deployment's table.
    #[arg(long, env = "CORDON_TABLE", default_value = "cordon", value_name = "NAME")]
    table: String,
}

pub async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List { deployment, open, limit, json } => list(&deployment, open, limit, json).await,
        Command::Show { id, deployment, json } => show_one(&id, &deployment, json).await,
        Command::Export(export) => record::export(export).await,
        Command::Verify(verify) => record::verify(&verify),
        Command::Undo { id, deployment, step, dry_run } => undo(&id, &deployment, step, dry_run).await,
    }
}

pub(super) fn parse(id: &str) -> Result<IncidentId, Failure> {
    id.parse().map_err(|error| Failure::Input(format!("{error}; `cordon incident list` prints them")))
}

pub(super) async fn table(deployment: &Deployment) -> (SdkConfig, Table) {
    let sdk = cordon_aws::config::load().await;
    let table = Table::new(aws_sdk_dynamodb::Client::new(&sdk), deployment.table.clone());
    (sdk, table)
}

async fn list(deployment: &Deployment, open: bool, limit: u32, as_json: bool) -> Result<ExitCode, Failure> {
    let (_, table) = table(deployment).await;
    let cases = Cases::new(&table);
    let mut states = vec![State::Asking, State::Remediating, State::Opened, State::Decided];
    if !open {
        states.push(State::Closed);
    }
    let mut heads = Vec::new();
    for state in states {
        heads.extend(cases.by_state(state, limit).await.map_err(cordon_contract::StateError::from)?);
    }
    heads.sort_by_key(|head| std::cmp::Reverse(head.opened_at));
    if as_json {
        for head in &heads {
            println!("{}", json!(head));
        }
    } else if heads.is_empty() {
        println!("No incidents in table `{}`.", deployment.table);
    } else {
        for head in &heads {
            println!("{}", show::line(head));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_one(id: &str, deployment: &Deployment, as_json: bool) -> Result<ExitCode, Failure> {
    let record = record::read(id, deployment).await?;
    if as_json {
        println!("{}", cordon_record::export::json(&record));
    } else {
        print!("{}", show::whole(&record));
    }
    Ok(if record.verify().is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn undo(id: &str, deployment: &Deployment, step: Option<usize>, dry_run: bool) -> Result<ExitCode, Failure> {
    let id = parse(id)?;
    let (sdk, table) = table(deployment).await;
    let by = identity(&aws_sdk_sts::Client::new(&sdk)).await?;
    let iam = SdkIam::new(aws_sdk_iam::Client::new(&sdk));
    let undo = Undo { cases: Cases::new(&table), iam: &iam, clock: &SystemClock };
    let result = undo.run(&id, &by, step, dry_run).await?;
    for step in &result.steps {
        println!("{}", show::undone(step));
    }
    if result.steps.is_empty() {
        println!("Nothing was changed in this incident, so there is nothing to undo.");
    }
    Ok(if result.complete || result.steps.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The caller's ARN, which stands on the timeline.
async fn identity(sts: &aws_sdk_sts::Client) -> Result<String, Failure> {
    let caller = sts.get_caller_identity().send().await.map_err(|error| {
        let error = aws_sdk_sts::error::DisplayErrorContext(error);
        Failure::Input(format!("AWS does not say who you are ({error}); check your credentials"))
    })?;
    caller.arn.ok_or_else(|| Failure::Input("AWS does not say who you are; check your credentials".to_owned()))
}
