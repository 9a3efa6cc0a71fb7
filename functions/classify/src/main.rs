//! Wires Classify: the table, the packed rules, IAM of the event's account for a policy's document, the clock.

use cordon_aws::{DynamoTable, Sessions, SystemClock};
use cordon_bundle::Bundle;
use cordon_contract::ClassifyInput;
use cordon_core::pattern::Pattern;
use cordon_flow::classify::Classify;
use cordon_lambda::{Settings, StartError};
use cordon_store::Store;

struct App {
    table: DynamoTable,
    sessions: Sessions,
    bundle: Bundle,
    own: Vec<Pattern>,
    relay_source: Option<String>,
}

async fn start() -> Result<App, StartError> {
    let settings = Settings::from_env()?;
    let bundle = Bundle::load_packed(&settings.root, &settings.name)?;
    let (account, partition) = settings.account()?;
    let sdk = cordon_aws::config::load().await;
    let table = DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), settings.table);
    let sessions = Sessions::read_only(&sdk, account, &partition, settings.spokes);
    Ok(App { table, sessions, bundle, own: settings.own_principals, relay_source: settings.relay_source })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, input: ClassifyInput| {
        let classify = Classify {
            store: Store::new(&app.table),
            rules: app.bundle.book(),
            policies: &app.sessions,
            config: app.bundle.config(),
            own: &app.own,
            clock: &SystemClock,
            relay_source: app.relay_source.as_deref(),
        };
        classify.run(input).await
    })
    .await
}
