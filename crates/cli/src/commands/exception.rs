//! `cordon exception`: lets somebody do what a rule catches, until a day, with the caller's own AWS identity behind it.
//!
//! The same library judges here and in `check-exceptions`, which does not believe the table about who is an approver.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use cordon_aws::{DynamoTable, SystemClock};
use cordon_core::{Config, ExceptionId, ExceptionKind};
use cordon_flow::exceptions::{self, ExceptionRefused, Wanted};
use cordon_flow::ports::Clock;
use cordon_lambda::Bundle;
use cordon_store::{RuleScope, Store};
use serde_json::json;

use crate::caller::Caller;
use crate::commands::incident::Deployment;
use crate::failure::Failure;
use crate::show;

#[derive(Subcommand)]
pub enum Command {
    /// Record an exception. Only an approver of cordon.toml can, and not for themself.
    Add {
        /// ARN pattern of the user or role that acts.
        #[arg(long, value_name = "ARN-PATTERN")]
        principal: String,
        /// Id of the rule, as `cordon rule list` prints it, or `*` for every rule that honours recorded exceptions.
        #[arg(long, value_name = "RULE")]
        rule: String,
        /// A date, which lasts to its end in UTC, or an RFC 3339 time.
        #[arg(long, value_name = "DATE")]
        until: String,
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Whoever answers for it; you, without this.
        #[arg(long, value_name = "WHO")]
        owner: Option<String>,
        #[command(flatten)]
        policy: Policy,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Print the exceptions that stand.
    List {
        /// Those that have ended, too.
        #[arg(long)]
        all: bool,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// End an exception before its time.
    End {
        id: String,
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        policy: Policy,
        #[command(flatten)]
        deployment: Deployment,
    },
}

#[derive(Args)]
pub struct Policy {
    /// The folder that holds the deployment's cordon.toml and rules/.
    #[arg(long, default_value = ".", value_name = "DIR")]
    policy: PathBuf,
}

pub async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Add { principal, rule, until, reason, owner, policy, deployment } => {
            let bundle = Bundle::load_packed(&policy.policy)?;
            let wanted = Wanted { principal, rule: scope(&rule, &bundle)?, until, reason, owner };
            add(&wanted, bundle.config(), &deployment).await
        }
        Command::List { all, json, deployment } => list(all, json, &deployment).await,
        Command::End { id, reason, policy, deployment } => {
            end(&id, &reason, &cordon_lambda::bundle::config(&policy.policy)?, &deployment).await
        }
    }
}

/// A rule that would never look at the exception is refused, so that nobody believes in it.
fn scope(rule: &str, bundle: &Bundle) -> Result<RuleScope, Failure> {
    let scope = RuleScope::try_from(rule.to_owned())
        .map_err(|error| Failure::Input(format!("{error}, or `*`; `cordon rule list` prints them")))?;
    let RuleScope::Rule(id) = &scope else { return Ok(scope) };
    let Some(found) = bundle.book().rule(id) else {
        return Err(Failure::Input(format!("there is no rule `{id}` that is on; `cordon rule list` prints them")));
    };
    match &found.response {
        None => Err(Failure::Input(format!(
            "`{id}` only alerts, and an exception is from being answered; to silence it, see [rules] and [notifications] of cordon.toml"
        ))),
        Some(response) if !response.exceptions.contains(&ExceptionKind::Recorded) => {
            Err(Failure::Input(format!("`{id}` honours no recorded exceptions")))
        }
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
    let recorded = exceptions::record(wanted, &caller.principals, config, now).map_err(|error| refused(&error))?;
    Store::new(&table).add_exception(&recorded, now).await?;
    println!("{}", show::exception(&recorded, now));
    Ok(ExitCode::SUCCESS)
}

async fn list(all: bool, as_json: bool, deployment: &Deployment) -> Result<ExitCode, Failure> {
    let (_, table) = table(deployment).await;
    let now = SystemClock.now();
    let mut recorded = Store::new(&table).exceptions().await?;
    recorded.retain(|exception| all || exception.stands(now));
    recorded.sort_by_key(|exception| exception.until);
    if recorded.is_empty() && !as_json {
        println!("No exceptions stand. `--all` prints those that have ended, too.");
    }
    for exception in &recorded {
        if as_json {
            println!("{}", json!(exception));
        } else {
            println!("{}", show::exception(exception, now));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn end(id: &str, reason: &str, config: &Config, deployment: &Deployment) -> Result<ExitCode, Failure> {
    let id: ExceptionId = id.parse().map_err(|error| Failure::Input(format!("{error}; `cordon exception list` prints them")))?;
    let (sdk, table) = table(deployment).await;
    let caller = Caller::find(&sdk).await?;
    let now = SystemClock.now();
    let store = Store::new(&table);
    let Some(found) = store.exception(&id).await? else {
        return Err(Failure::Input(format!("there is no exception `{id}`; `cordon exception list` prints them")));
    };
    let ended = exceptions::end(found, &caller.principals, reason, config, now).map_err(|error| refused(&error))?;
    store.end_exception(&ended).await?;
    println!("{}", show::exception(&ended, now));
    Ok(ExitCode::SUCCESS)
}

fn refused(error: &ExceptionRefused) -> Failure {
    Failure::Input(error.to_string())
}
