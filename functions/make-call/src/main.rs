//! Wires MakeCall: the table, and one role in the event's account. It is deployed once for each role that needs a function of its
//! own, and `CORDON_POWER` says which one this is.

use cordon_aws::{DynamoTable, Sessions, SystemClock};
use cordon_core::Config;
use cordon_flow::make_call::{MakeCall, MakeCallInput};
use cordon_lambda::{Settings, SettingsError, StartError};
use cordon_respond::powers::Power;
use cordon_store::Store;

struct App {
    table: DynamoTable,
    sessions: Sessions,
    config: Config,
    power: Power,
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
        power: settings.power.ok_or(SettingsError::Missing("CORDON_POWER"))?,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, input: MakeCallInput| {
        let make_call = MakeCall {
            store: Store::new(&app.table),
            config: &app.config,
            power: app.power,
            powers: &app.sessions,
            clock: &SystemClock,
        };
        make_call.run(input).await
    })
    .await
}
