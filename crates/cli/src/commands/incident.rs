//! `cordon incident`: the incidents of a deployment, read, decided and undone with the caller's own AWS identity.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cordon_aws::config::SdkConfig;
use cordon_aws::{DynamoTable, Sessions, SpokeRole, Spokes, StateMachine, StepFunctions, SystemClock};
use cordon_bundle::read_config;
use cordon_core::IncidentId;
use cordon_core::chain;
use cordon_core::ids::InvalidId;
use cordon_core::incident::State;
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Choice, Decide, DecideError};
use cordon_flow::switch;
use cordon_flow::undo::{AskUndo, AskUndoError, Undo, UndoAnswer, UndoError, UndoVote};
use cordon_flow::voted::{self, VotedError};
use cordon_record::text::visible;
use cordon_store::{Store, StoreError};
use serde_json::json;

use crate::caller::Caller;
use crate::commands::record;
use crate::failure::Failure;
use crate::show;

/// Why an incident was not read, decided or undone.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    /// The argument is not an id.
    #[error("{0}; `cordon incident list` prints the ids")]
    Id(InvalidId),
    /// A decision without the reason that it needs.
    #[error("the reason is empty; state one, it is kept with the incident")]
    NoReason,
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The decision was not taken.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// Nobody could be asked about the undo.
    #[error(transparent)]
    AskUndo(#[from] AskUndoError),
    /// Nothing was undone, or not all.
    #[error(transparent)]
    Undo(#[from] UndoError),
}

/// `cordon incident`
#[derive(Subcommand)]
pub enum Command {
    /// Print a line for each incident, newest first.
    List {
        #[command(flatten)]
        deployment: Deployment,
        /// Only incidents that are not closed.
        #[arg(long)]
        open: bool,
        /// The most incidents to print of each state.
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        /// Print a line of JSON for each.
        #[arg(long)]
        json: bool,
    },
    /// Print an incident with its timeline, and verify its chain of hashes.
    Show {
        /// The id of the incident.
        id: String,
        #[command(flatten)]
        deployment: Deployment,
        /// Print the record as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Approve the plan of an incident with your AWS identity. Exit code 1: refused, or too late.
    Approve {
        /// The id of the incident.
        id: String,
        #[command(flatten)]
        deployment: Deployment,
        #[command(flatten)]
        policy: Policy,
        /// The reason, which is kept with the incident.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Approve alone although the quorum is higher. The other approvers are told, with the reason.
        #[arg(long, requires = "reason")]
        break_glass: bool,
    },
    /// Deny an incident: all its changes are reverted. Exit code 1: refused, or too late.
    Deny {
        /// The id of the incident.
        id: String,
        #[command(flatten)]
        deployment: Deployment,
        #[command(flatten)]
        policy: Policy,
        /// The reason, which is kept with the incident.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Export the whole record of an incident, and verify its chain of hashes.
    Export(record::Export),
    /// Verify the chain of hashes of an exported record (JSON), without AWS.
    Verify(record::Verify),
    /// Undo the changes of an incident, last step first, once as many approvers have asked for it as the approval takes. A step is
    /// refused if its target was changed since. Exit code 1: refused, not enough approvers yet, or not everything was undone.
    Undo {
        /// The id of the incident.
        id: String,
        #[command(flatten)]
        deployment: Deployment,
        /// Only this step, counted from 1 as `show` prints them.
        #[arg(long, value_name = "N")]
        step: Option<usize>,
        /// Print the calls, and make none. It asks for nothing.
        #[arg(long)]
        dry_run: bool,
        /// The reason, which is kept with the incident.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        policy: Policy,
        #[command(flatten)]
        spoke: Spoke,
    },
}

/// The deployment. Region and credentials are those of the AWS CLI.
#[derive(Args)]
pub struct Deployment {
    /// The deployment's DynamoDB table.
    #[arg(long, env = "CORDON_TABLE", default_value = "cordon", value_name = "NAME")]
    table: String,
}

impl Deployment {
    /// The deployment's table, with the caller's credentials.
    pub fn table(&self, sdk: &SdkConfig) -> DynamoTable {
        DynamoTable::new(aws_sdk_dynamodb::Client::new(sdk), self.table.clone())
    }
}

/// The way into an incident's account, if it is not the caller's.
#[derive(Args)]
pub struct Spoke {
    /// The role to assume in the incident's account, if that is not yours.
    #[arg(long, env = "CORDON_SPOKE_ROLE", value_name = "NAME")]
    spoke_role: Option<String>,
    /// The external id that the role's trust policy requires.
    #[arg(long, env = "CORDON_EXTERNAL_ID", value_name = "ID")]
    external_id: Option<String>,
}

impl Spoke {
    fn role(self) -> Option<SpokeRole> {
        let external_id = self.external_id.filter(|id| !id.is_empty());
        self.spoke_role.filter(|name| !name.is_empty()).map(|name| SpokeRole { name, external_id })
    }
}

/// The policy that says who may decide.
#[derive(Args)]
pub struct Policy {
    /// The deployed cordon.toml, which says who may approve.
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml", value_name = "FILE")]
    config: PathBuf,
}

/// Runs one of the commands.
pub async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List { deployment, open, limit, json } => Ok(list(&deployment, open, limit, json).await?),
        Command::Show { id, deployment, json } => Ok(show_one(&id, &deployment, json).await?),
        Command::Export(export) => record::export(export).await,
        Command::Verify(verify) => Ok(record::verify(&verify)?),
        Command::Approve { id, deployment, policy, reason, break_glass } => {
            let choice = if break_glass { Choice::BreakGlass } else { Choice::Approve };
            decide(&id, &deployment, &policy, choice, reason.as_deref()).await
        }
        Command::Deny { id, deployment, policy, reason } => decide(&id, &deployment, &policy, Choice::Deny, Some(&reason)).await,
        Command::Undo { id, deployment, step, dry_run: true, spoke, .. } => {
            undo(&id, &deployment, Asks::Nothing(step), spoke).await
        }
        Command::Undo { id, deployment, step, dry_run: false, reason, policy, spoke } => {
            undo(&id, &deployment, Asks::ToUndo { step, reason, policy }, spoke).await
        }
    }
}

pub(super) fn parse(id: &str) -> Result<IncidentId, IncidentError> {
    id.parse().map_err(IncidentError::Id)
}

pub(super) async fn table(deployment: &Deployment) -> (SdkConfig, DynamoTable) {
    let sdk = cordon_aws::config::load().await;
    let table = deployment.table(&sdk);
    (sdk, table)
}

async fn list(deployment: &Deployment, open: bool, limit: u32, as_json: bool) -> Result<ExitCode, IncidentError> {
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
    heads.sort_by_key(|incident| std::cmp::Reverse(incident.opened_at));
    if as_json {
        for incident in &heads {
            println!("{}", json!(incident));
        }
    } else if heads.is_empty() {
        println!("No incidents in table `{}`.", deployment.table);
    } else {
        for incident in &heads {
            println!("{}", show::line(incident));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_one(id: &str, deployment: &Deployment, as_json: bool) -> Result<ExitCode, IncidentError> {
    let record = record::read(id, deployment).await?;
    if as_json {
        println!("{}", cordon_record::export::json(&record));
    } else {
        print!("{}", show::whole(&record));
    }
    Ok(if record.verify().is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What `cordon incident undo` is to do.
enum Asks {
    /// Say what it would do, to one step or all.
    Nothing(Option<usize>),
    /// Undo, if enough approvers want it.
    ToUndo { step: Option<usize>, reason: Option<String>, policy: Policy },
}

async fn undo(id: &str, deployment: &Deployment, asks: Asks, spoke: Spoke) -> Result<ExitCode, Failure> {
    let id = parse(id)?;
    let (sdk, table) = table(deployment).await;
    let caller = Caller::find(&sdk).await?;
    let store = Store::new(&table);
    let sessions = Sessions::new(&sdk, caller.account.clone(), &caller.partition, spoke.role().map(Spokes::One));
    let undo = Undo { store, accounts: &sessions, clock: &SystemClock };
    let result = match asks {
        Asks::Nothing(step) => undo.run(&id, &caller.arn, step, true).await,
        Asks::ToUndo { step, reason, policy } => {
            let config = read_config(&policy.config)?;
            let ask = AskUndo { store, config: &config, channel: None, clock: &SystemClock, while_open: true };
            let vote = ask.vote(&id, Voter::Principal(&caller.arn), reason.as_deref(), step).await;
            match vote.map_err(IncidentError::AskUndo)? {
                UndoVote::Enough(request) => undo.carry_out(&id, request).await,
                UndoVote::Counted { so_far, wanted, others } => {
                    println!("{}", visible(&UndoAnswer::Counted { so_far, wanted, others }.sentence()));
                    if let Err(error) = show_wish_on_card(&sdk, store, &id).await {
                        eprintln!("Your wish is recorded, but Slack does not show it yet: {}", chain(&error));
                    }
                    return Ok(ExitCode::from(1));
                }
                UndoVote::No(sentence) => {
                    println!("{}", visible(&sentence));
                    return Ok(ExitCode::from(1));
                }
            }
        }
    }
    .map_err(IncidentError::Undo)?;
    for step in &result.steps {
        println!("{}", show::undone(step));
    }
    if result.steps.is_empty() {
        println!("This incident has no changes to undo.");
    }
    Ok(if result.complete || result.steps.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Shows in Slack who wants an undo. The wish is recorded already, whatever happens here.
async fn show_wish_on_card(sdk: &SdkConfig, store: Store<'_>, id: &IncidentId) -> Result<(), VotedError> {
    let Some(machine) = voted::state_machine(&store.incident(id).await?.execution) else { return Ok(()) };
    voted::show_wish_on_card(store, &StateMachine::new(aws_sdk_sfn::Client::new(sdk), machine), id).await
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
        return Err(IncidentError::NoReason.into());
    }
    let config = read_config(&policy.config)?;
    let (sdk, table) = table(deployment).await;
    let arn = Caller::find(&sdk).await?.arn;
    let tasks = StepFunctions::new(aws_sdk_sfn::Client::new(&sdk));
    let decide = Decide { store: Store::new(&table), config: &config, channel: None, tasks: &tasks, clock: &SystemClock };
    let answer = decide.run(&id, Voter::Principal(&arn), choice, reason).await.map_err(IncidentError::Decide)?;
    println!("{}", visible(&answer.sentence()));
    if !answer.counts() {
        return Ok(ExitCode::from(1));
    }
    if choice != Choice::Deny
        && let Ok(Some(stopped)) = switch::stopped(Store::new(&table)).await
    {
        println!("Nothing is done now: {}. What is approved waits, and is carried out after that.", visible(&stopped));
    }
    if let Err(error) = show_on_card(&sdk, &table, &id).await {
        eprintln!("The decision is recorded, but the card in Slack is not updated yet: {}", chain(&error));
    }
    Ok(ExitCode::SUCCESS)
}

/// Updates the card. The vote is recorded already, whatever happens here.
async fn show_on_card(sdk: &SdkConfig, table: &DynamoTable, id: &IncidentId) -> Result<(), VotedError> {
    let store = Store::new(table);
    let Some(machine) = voted::state_machine(&store.incident(id).await?.execution) else { return Ok(()) };
    voted::show_on_card(store, &StateMachine::new(aws_sdk_sfn::Client::new(sdk), machine), id).await
}
