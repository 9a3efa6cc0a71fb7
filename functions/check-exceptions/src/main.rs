//! Wires CheckExceptions: the table, read access to IAM of the event's account, the policy.

use cordon_aws::{DynamoTable, Sessions, SystemClock};
use cordon_contract::CheckInput;
use cordon_core::Config;
use cordon_core::pattern::Pattern;
use cordon_flow::check::Check;
use cordon_lambda::{Settings, StartError};
use cordon_store::Store;

struct App {
    table: DynamoTable,
    sessions: Sessions,
    config: Config,
    own: Vec<Pattern>,
}

async fn start() -> Result<App, StartError> {
    let settings = Settings::from_env()?;
    let config = cordon_bundle::read_config(&settings.config_file())?;
    let (account, partition) = settings.account()?;
    let sdk = cordon_aws::config::load().await;
    Ok(App {
        table: DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), settings.table),
        sessions: Sessions::read_only(&sdk, account, &partition, settings.spokes),
        config,
        own: settings.own_principals,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, input: CheckInput| {
        let check = Check {
            store: Store::new(&app.table),
            config: &app.config,
            accounts: &app.sessions,
            own: &app.own,
            clock: &SystemClock,
        };
        check.run(input).await
    })
    .await
}
