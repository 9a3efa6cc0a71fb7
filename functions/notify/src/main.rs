//! Notify, wired: the table, the topic, Slack where it is set up.

use cordon_aws::{SystemClock, Table, Topic};
use cordon_contract::{NotifyInput, StateError};
use cordon_core::Config;
use cordon_flow::Cases;
use cordon_flow::notify::Notify;
use cordon_flow::ports::Channel;
use cordon_lambda::slack::{self, SlackChannel};
use cordon_lambda::{Settings, bundle};

struct App {
    table: Table,
    topic: Topic,
    slack: Option<SlackChannel>,
    config: Config,
}

async fn start() -> Result<App, StateError> {
    let settings = Settings::from_env()?;
    let config = bundle::config(&settings.root)?;
    let sdk = cordon_aws::config::load().await;
    let slack = slack::connect(&aws_sdk_secretsmanager::Client::new(&sdk), &settings).await;
    Ok(App {
        table: Table::new(aws_sdk_dynamodb::Client::new(&sdk), settings.table),
        topic: Topic::new(aws_sdk_sns::Client::new(&sdk), settings.topic_arn),
        slack,
        config,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, input: NotifyInput| {
        let notify = Notify {
            cases: Cases::new(&app.table),
            publisher: &app.topic,
            channel: app.slack.as_ref().map(|slack| slack as &dyn Channel),
            notifications: &app.config.notifications,
            approval: &app.config.approval,
            clock: &SystemClock,
        };
        notify.run(input).await
    })
    .await
}
