//! Wires Notify: the table, the topic, and Slack if it is set up.

use cordon_aws::config::SdkConfig;
use cordon_aws::{DynamoTable, EventBus, SecurityHub, SystemClock, Topic};
use cordon_contract::NotifyInput;
use cordon_core::Config;
use cordon_flow::notify::Notify;
use cordon_flow::ports::Findings;
use cordon_lambda::{Settings, StartError};
use cordon_record::Hub;
use cordon_slack_channel::Connection;
use cordon_store::Store;

struct App {
    table: DynamoTable,
    topic: Topic,
    slack: Connection,
    findings: Vec<Box<dyn Findings>>,
    config: Config,
}

async fn start() -> Result<App, StartError> {
    let settings = Settings::from_env()?;
    let config = cordon_bundle::read_config(&settings.config_file())?;
    let sdk = cordon_aws::config::load().await;
    let slack = Connection::of(&sdk, settings.slack_secret_arn.clone(), settings.slack_api_url.clone());
    // Ahead of the first invocation; where it fails, that one tries again.
    slack.slack().await;
    let findings = places(&sdk, &settings);
    Ok(App {
        table: DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), settings.table),
        topic: Topic::new(aws_sdk_sns::Client::new(&sdk), settings.topic_arn),
        slack,
        findings,
        config,
    })
}

/// Where findings go. A place that cannot be set up is left out, and the log says why: people are told all the same.
fn places(sdk: &SdkConfig, settings: &Settings) -> Vec<Box<dyn Findings>> {
    let mut places: Vec<Box<dyn Findings>> = Vec::new();
    if let Some(bus) = &settings.findings_bus {
        places.push(Box::new(EventBus::new(sdk, bus.clone())));
    }
    if settings.security_hub {
        let hub = Hub::of(&settings.state_machine_arn).map(|hub| SecurityHub::new(sdk, hub));
        match hub {
            Some(Ok(hub)) => places.push(Box::new(hub)),
            Some(Err(error)) => tracing::warn!(%error, "Security Hub is left out"),
            None => tracing::warn!("Security Hub is left out: `CORDON_STATE_MACHINE_ARN` names no account"),
        }
    }
    places
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, input: NotifyInput| {
        let slack = app.slack.slack().await;
        let notify = Notify {
            store: Store::new(&app.table),
            publisher: &app.topic,
            channel: slack.channel(),
            notifications: &app.config.notifications,
            approval: &app.config.approval,
            findings: &app.findings,
            clock: &SystemClock,
        };
        notify.run(input).await
    })
    .await
}
