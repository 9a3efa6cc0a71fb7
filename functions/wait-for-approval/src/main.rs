//! Wires WaitForApproval: the table, Slack if it is set up, and Step Functions to complete an undelivered decision.

use cordon_aws::{DynamoTable, StepFunctions, SystemClock};
use cordon_contract::WaitInput;
use cordon_core::Config;
use cordon_flow::wait::Wait;
use cordon_lambda::{Settings, StartError};
use cordon_slack_channel::Connection;
use cordon_store::Store;

struct App {
    table: DynamoTable,
    config: Config,
    slack: Connection,
    tasks: StepFunctions,
}

async fn start() -> Result<App, StartError> {
    let settings = Settings::from_env()?;
    let config = cordon_bundle::read_config(&settings.config_file())?;
    let sdk = cordon_aws::config::load().await;
    let slack = Connection::of(&sdk, settings.slack_secret_arn.clone(), settings.slack_api_url.clone());
    // Ahead of the first invocation; where it fails, that one tries again.
    slack.slack().await;
    Ok(App {
        table: DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), settings.table),
        config,
        slack,
        tasks: StepFunctions::new(aws_sdk_sfn::Client::new(&sdk)),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, input: WaitInput| {
        let slack = app.slack.slack().await;
        let wait = Wait {
            store: Store::new(&app.table),
            config: &app.config,
            channel: slack.channel(),
            tasks: &app.tasks,
            clock: &SystemClock,
        };
        wait.run(input).await
    })
    .await
}
