//! CheckExceptions, wired: the table, IAM for reading, the policy.

use cordon_aws::{SdkIam, SystemClock, Table};
use cordon_contract::{CheckInput, StateError};
use cordon_core::Config;
use cordon_core::pattern::Pattern;
use cordon_flow::Cases;
use cordon_flow::check::Check;
use cordon_lambda::{Settings, bundle};

struct App {
    table: Table,
    iam: SdkIam,
    config: Config,
    own: Vec<Pattern>,
}

async fn start() -> Result<App, StateError> {
    let settings = Settings::from_env()?;
    let config = bundle::config(&settings.root)?;
    let sdk = cordon_aws::config::load().await;
    Ok(App {
        table: Table::new(aws_sdk_dynamodb::Client::new(&sdk), settings.table),
        iam: SdkIam::new(&sdk),
        config,
        own: settings.own_principals,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, input: CheckInput| {
        let check =
            Check { cases: Cases::new(&app.table), config: &app.config, iam: &app.iam, own: &app.own, clock: &SystemClock };
        check.run(input).await
    })
    .await
}
