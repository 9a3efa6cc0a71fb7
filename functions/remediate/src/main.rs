//! Wires Remediate and Verify: the table, and IAM of the event's account.

use cordon_aws::{DynamoTable, Sessions, SystemClock};
use cordon_contract::RemediateInput;
use cordon_core::Config;
use cordon_core::pattern::Pattern;
use cordon_flow::remediate::Remediate;
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
        sessions: Sessions::new(&sdk, account, &partition, settings.spokes),
        config,
        own: settings.own_principals,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, input: RemediateInput| {
        let remediate = Remediate {
            store: Store::new(&app.table),
            config: &app.config,
            accounts: &app.sessions,
            own: &app.own,
            clock: &SystemClock,
        };
        remediate.run(input).await
    })
    .await
}
