//! `cordon incident`: the incidents of a deployment, read, decided and undone with the caller's own AWS identity.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cordon_aws::config::SdkConfig;
use cordon_aws::{DynamoTable, Sessions, SpokeRole, StateMachine, StepFunctions, SystemClock};
use cordon_core::incident::State;
use cordon_core::{Config, IncidentId};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Choice, Decide};
use cordon_flow::undo::Undo;
use cordon_flow::voted::{self, VotedError};
use cordon_store::Store;
use serde_json::json;

use crate::caller::Caller;
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
    /// Approve the plan of an incident, as the approver whose AWS identity this is. Exit code 1: refused, or too late.
    Approve {
        id: String,
        #[command(flatten)]
        deployment: Deployment,
        #[command(flatten)]
        policy: Policy,
        /// Stands on the incident's record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Approve alone where more people are wanted. Each of them is told, with the reason.
        #[arg(long, requires = "reason")]
        break_glass: bool,
    },
    /// Deny an incident: nothing stays changed. Exit code 1: refused, or too late.
    Deny {
        id: String,
        #[command(flatten)]
        deployment: Deployment,
        #[command(flatten)]
        policy: Policy,
        /// Stands on the incident's record.
        #[arg(long, value_name = "TEXT")]
        reason: String,
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
        #[command(flatten)]
        spoke: Spoke,
    },
}

/// Which deployment to talk to. Region and credentials are AWS's usual ones.
#[derive(Args)]
pub struct Deployment {
    /// The deployment's table.
    #[arg(long, env = "CORDON_TABLE", default_value = "cordon", value_name = "NAME")]
    table: String,
}

impl Deployment {
    pub fn table(&self, sdk: &SdkConfig) -> DynamoTable {
        DynamoTable::new(aws_sdk_dynamodb::Client::new(sdk), self.table.clone())
    }
}

/// How to reach an incident's account, where it is not the caller's.
#[derive(Args)]
pub struct Spoke {
    /// The role to assume in an incident's account, where that is another one than yours.
    #[arg(long, env = "CORDON_SPOKE_ROLE", value_name = "NAME")]
    spoke_role: Option<String>,
    /// The external id that the role's trust policy wants.
    #[arg(long, env = "CORDON_EXTERNAL_ID", value_name = "ID")]
    external_id: Option<String>,
}

impl Spoke {
    fn role(self) -> Option<SpokeRole> {
        let external_id = self.external_id.filter(|id| !id.is_empty());
        self.spoke_role.filter(|name| !name.is_empty()).map(|name| SpokeRole { name, external_id })
    }
}

/// By which policy a decision is judged.
#[derive(Args)]
pub struct Policy {
    /// The cordon.toml that is deployed: it says who may approve.
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml", value_name = "FILE")]
    config: PathBuf,
}

pub async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List { deployment, open, limit, json } => list(&deployment, open, limit, json).await,
        Command::Show { id, deployment, json } => show_one(&id, &deployment, json).await,
        Command::Export(export) => record::export(export).await,
        Command::Verify(verify) => record::verify(&verify),
        Command::Approve { id, deployment, policy, reason, break_glass } => {
            let choice = if break_glass { Choice::BreakGlass } else { Choice::Approve };
            decide(&id, &deployment, &policy, choice, reason.as_deref()).await
        }
        Command::Deny { id, deployment, policy, reason } => decide(&id, &deployment, &policy, Choice::Deny, Some(&reason)).await,
        Command::Undo { id, deployment, step, dry_run, spoke } => undo(&id, &deployment, step, dry_run, spoke).await,
    }
}

pub(super) fn parse(id: &str) -> Result<IncidentId, Failure> {
    id.parse().map_err(|error| Failure::Input(format!("{error}; `cordon incident list` prints them")))
}

pub(super) async fn table(deployment: &Deployment) -> (SdkConfig, DynamoTable) {
    let sdk = cordon_aws::config::load().await;
    let table = deployment.table(&sdk);
    (sdk, table)
}

async fn list(deployment: &Deployment, open: bool, limit: u32, as_json: bool) -> Result<ExitCode, Failure> {
    let (_, table) = table(deployment).await;
    let store = Store::new(&table);
    let mut states = vec![State::Asking, State::Remediating, State::Opened, State::Decided];
    if !open {
        states.push(State::Closed);
    }
    let mut heads = Vec::new();
    for state in states {
        heads.extend(store.by_state(state, limit).await?);
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

async fn undo(id: &str, deployment: &Deployment, step: Option<usize>, dry_run: bool, spoke: Spoke) -> Result<ExitCode, Failure> {
    let id = parse(id)?;
    let (sdk, table) = table(deployment).await;
    let caller = Caller::find(&sdk).await?;
    let sessions = Sessions::new(&sdk, caller.account.clone(), &caller.partition, spoke.role());
    let undo = Undo { store: Store::new(&table), accounts: &sessions, clock: &SystemClock };
    let result = undo.run(&id, &caller.arn, step, dry_run).await?;
    for step in &result.steps {
        println!("{}", show::undone(step));
    }
    if result.steps.is_empty() {
        println!("Nothing was changed in this incident, so there is nothing to undo.");
    }
    Ok(if result.complete || result.steps.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn decide(
    id: &str,
    deployment: &Deployment,
    policy: &Policy,
    choice: Choice,
    reason: Option<&str>,
) -> Result<ExitCode, Failure> {
    let id = parse(id)?;
    if choice != Choice::Approve && reason.is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Failure::Input("the reason is empty; say why, it stands on the incident's record".to_owned()));
    }
    let file = policy.config.display().to_string();
    let text = fs::read_to_string(&policy.config)
        .map_err(|error| Failure::Input(format!("`{file}` cannot be read: {error}; name the deployed one with --config")))?;
    let config = Config::parse(&file, &text).map_err(|error| Failure::Input(error.to_string()))?;
    let (sdk, table) = table(deployment).await;
    let arn = Caller::find(&sdk).await?.arn;
    let tasks = StepFunctions::new(aws_sdk_sfn::Client::new(&sdk));
    let decide = Decide { store: Store::new(&table), config: &config, channel: None, tasks: &tasks, clock: &SystemClock };
    let answer = decide.run(&id, Voter::Principal(&arn), choice, reason).await?;
    println!("{}", answer.sentence());
    if !answer.counts() {
        return Ok(ExitCode::from(1));
    }
    if let Err(error) = show_on_card(&sdk, &table, &id).await {
        eprintln!("It counts; the card in Slack shows it at its next update ({error}).");
    }
    Ok(ExitCode::SUCCESS)
}

/// The vote stands; what may fail here is only that people see it at once.
async fn show_on_card(sdk: &SdkConfig, table: &DynamoTable, id: &IncidentId) -> Result<(), VotedError> {
    let store = Store::new(table);
    let Some(machine) = voted::state_machine(&store.head(id).await?.execution) else { return Ok(()) };
    voted::show_on_card(store, &StateMachine::new(aws_sdk_sfn::Client::new(sdk), machine), id).await
}
