//! `cordon exception`: exempts a principal from a rule until a day, recorded with the caller's own AWS identity.
//!
//! The same code decides here and in `check-exceptions`, which does not trust the table about who is an approver.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cordon_aws::{DynamoTable, SdkIam, SystemClock};
use cordon_bundle::{Bundle, read_config};
use cordon_core::ids::InvalidId;
use cordon_core::{Arn, Config, ExceptionId, ExceptionKind, Principal, PrincipalKind, RuleId};
use cordon_flow::exceptions::{self, ExceptionRefused, Wanted};
use cordon_flow::ports::Clock;
use cordon_respond::port::Iam;
use cordon_store::{AddExceptionError, Pin, RecordedException, RuleScope, Store, StoreError};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::commands::deployment_name;
use crate::commands::incident::Deployment;
use crate::failure::Failure;
use crate::show;

/// Why an exception was not recorded, listed or ended.
#[derive(Debug, thiserror::Error)]
pub enum ExceptionError {
    /// Not by this caller, or not in this way.
    #[error(transparent)]
    Refused(#[from] ExceptionRefused),
    /// The argument is not an id.
    #[error("{0}; `cordon exception list` prints the ids")]
    Id(InvalidId),
    /// `--rule` is not the id of a rule.
    #[error("{0}, or `*`; `cordon rule list` prints the ids")]
    Rule(InvalidId),
    /// `--rule` is the id of no rule.
    #[error("there is no enabled rule `{0}`; `cordon rule list` prints the rules")]
    NoRule(RuleId),
    /// The rule only alerts.
    #[error(
        "`{0}` only alerts, so there is nothing to be exempt from; to silence it, use [rules] or [notifications] in cordon.toml"
    )]
    OnlyAlerts(RuleId),
    /// The rule would never look at the exception.
    #[error("`{0}` does not honour recorded exceptions; choose another rule")]
    NotHonoured(RuleId),
    /// No exception has this id.
    #[error("there is no exception `{0}`; `cordon exception list` prints the exceptions")]
    NoException(ExceptionId),
    /// The table has too many already, or failed.
    #[error(transparent)]
    Add(#[from] AddExceptionError),
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// `cordon exception`
#[derive(Subcommand)]
pub enum Command {
    /// Record an exception. Only approvers can, and not for themselves.
    Add {
        /// ARN of the user or role to exempt, with account and path in full; `*` can stand for a part of the name.
        #[arg(long, value_name = "ARN-PATTERN")]
        principal: String,
        /// The id of the rule, or `*` for every rule that honours recorded exceptions.
        #[arg(long, value_name = "RULE")]
        rule: String,
        /// A date, up to its end in UTC, or an RFC 3339 time.
        #[arg(long, value_name = "DATE")]
        until: String,
        /// Why it is needed.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who answers for it [default: you].
        #[arg(long, value_name = "WHO")]
        owner: Option<String>,
        #[command(flatten)]
        policy: Policy,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Print the exceptions in force.
    List {
        /// Include exceptions that have ended.
        #[arg(long)]
        all: bool,
        /// Print a line of JSON for each.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// End an exception before its time.
    End {
        /// The id of the exception.
        id: String,
        /// Why it is ended.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        policy: Policy,
        #[command(flatten)]
        deployment: Deployment,
    },
}

/// The policy that says who may record exceptions.
#[derive(Args)]
pub struct Policy {
    /// The folder that holds the deployment's cordon.toml and rules/.
    #[arg(long, default_value = ".", value_name = "DIR")]
    policy: PathBuf,
}

/// Runs one of the commands.
pub async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Add { principal, rule, until, reason, owner, policy, deployment } => {
            let bundle = Bundle::load_packed(&policy.policy, &deployment_name())?;
            let wanted = Wanted { principal, rule: scope(&rule, &bundle)?, until, reason, owner };
            add(&wanted, bundle.config(), &deployment).await
        }
        Command::List { all, json, deployment } => Ok(list(all, json, &deployment).await?),
        Command::End { id, reason, policy, deployment } => {
            end(&id, &reason, &read_config(&policy.policy.join("cordon.toml"))?, &deployment).await
        }
    }
}

/// A rule that would never look at the exception is refused, so that nobody relies on it.
fn scope(rule: &str, bundle: &Bundle) -> Result<RuleScope, ExceptionError> {
    let scope = RuleScope::try_from(rule.to_owned()).map_err(ExceptionError::Rule)?;
    let RuleScope::Rule(id) = &scope else { return Ok(scope) };
    let found = bundle.book().rule(id).ok_or_else(|| ExceptionError::NoRule(id.clone()))?;
    match &found.response {
        None => Err(ExceptionError::OnlyAlerts(id.clone())),
        Some(response) if !response.exceptions.contains(&ExceptionKind::Recorded) => Err(ExceptionError::NotHonoured(id.clone())),
        Some(_) => Ok(scope),
    }
}

async fn table(deployment: &Deployment) -> (cordon_aws::config::SdkConfig, DynamoTable) {
    let sdk = cordon_aws::config::load().await;
    let table = deployment.table(&sdk);
    (sdk, table)
}

async fn add(wanted: &Wanted, config: &Config, deployment: &Deployment) -> Result<ExitCode, Failure> {
    let (sdk, table) = table(deployment).await;
    let caller = Caller::find(&sdk).await?;
    let now = SystemClock.now();
    let recorded = exceptions::record(wanted, &caller.principals, config, now).map_err(ExceptionError::Refused)?;
    let store = Store::new(&table);
    store.add_exception(&recorded, now).await.map_err(ExceptionError::Add)?;
    pin(&store, &sdk, &caller, &recorded, now).await?;
    println!("{}", show::exception(&recorded, now));
    Ok(ExitCode::SUCCESS)
}

/// Pins the exception to the principal that has the ARN now, where IAM of the caller's account knows it. Else the first one that is
/// seen with it is pinned.
async fn pin(
    store: &Store<'_>,
    sdk: &cordon_aws::config::SdkConfig,
    caller: &Caller,
    recorded: &RecordedException,
    now: jiff::Timestamp,
) -> Result<(), Failure> {
    let arn = recorded.principal.as_str().parse::<Arn>().ok().filter(|arn| !arn.as_str().contains('*'));
    let Some(arn) = arn.filter(|arn| arn.account().as_ref() == Some(&caller.account)) else { return Ok(()) };
    let kind = if arn.resource().starts_with("role/") { PrincipalKind::Role } else { PrincipalKind::User };
    let Some(name) = arn.resource().rsplit('/').next() else { return Ok(()) };
    let principal = Principal::new(kind, caller.account.clone(), name);
    let Ok(Some(facts)) = SdkIam::new(sdk).principal(&principal).await else { return Ok(()) };
    let pin = Pin { unique_id: facts.unique_id, since: now, expires_at: recorded.expires_at };
    store.pin(&recorded.id, &principal, &pin).await.map_err(ExceptionError::Store)?;
    Ok(())
}

async fn list(all: bool, as_json: bool, deployment: &Deployment) -> Result<ExitCode, ExceptionError> {
    let (_, table) = table(deployment).await;
    let now = SystemClock.now();
    let mut recorded = Store::new(&table).exceptions().await?;
    recorded.retain(|exception| all || exception.stands(now));
    recorded.sort_by_key(|exception| exception.until);
    if recorded.is_empty() && !as_json {
        println!("No exceptions are in force. `--all` includes those that have ended.");
    }
    for exception in &recorded {
        if as_json {
            println!("{}", as_json_line(exception));
        } else {
            println!("{}", show::exception(exception, now));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As it is stored, with `refused` where it exempts nobody.
fn as_json_line(exception: &RecordedException) -> Value {
    let mut line = json!(exception);
    if let (Some(fields), Some(why)) = (line.as_object_mut(), exceptions::refusal(exception)) {
        fields.insert("refused".to_owned(), why.into());
    }
    line
}

async fn end(id: &str, reason: &str, config: &Config, deployment: &Deployment) -> Result<ExitCode, Failure> {
    let id: ExceptionId = id.parse().map_err(ExceptionError::Id)?;
    let (sdk, table) = table(deployment).await;
    let caller = Caller::find(&sdk).await?;
    let now = SystemClock.now();
    let store = Store::new(&table);
    let Some(found) = store.exception(&id).await.map_err(ExceptionError::Store)? else {
        return Err(ExceptionError::NoException(id).into());
    };
    let ended = exceptions::end(found, &caller.principals, reason, config, now).map_err(ExceptionError::Refused)?;
    store.end_exception(&ended).await.map_err(ExceptionError::Store)?;
    println!("{}", show::exception(&ended, now));
    Ok(ExitCode::SUCCESS)
}
