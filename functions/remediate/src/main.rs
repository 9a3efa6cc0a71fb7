//! Remediate and Verify, wired: the table and IAM.

use cordon_aws::{SdkIam, SystemClock, Table};
use cordon_contract::{RemediateInput, StateError};
use cordon_core::Config;
use cordon_flow::Cases;
use cordon_flow::remediate::Remediate;
use cordon_lambda::{Settings, bundle};

struct App {
    table: Table,
    iam: SdkIam,
    config: Config,
}

async fn start() -> Result<App, StateError> {
    let settings = Settings::from_env()?;
    let config = bundle::config(&settings.root)?;
    let sdk = cordon_aws::config::load().await;
    Ok(App { table: Table::new(aws_sdk_dynamodb::Client::new(&sdk), settings.table), iam: SdkIam::new(&sdk), config })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, input: RemediateInput| {
        let remediate = Remediate { cases: Cases::new(&app.table), config: &app.config, iam: &app.iam, clock: &SystemClock };
        remediate.run(input).await
    })
    .await
}
