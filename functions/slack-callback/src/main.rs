//! Wires the Slack callback: HTTP in, HTTP out.
//!
//! A failure answers 500 without a reason. A second click completes the same decision.

use cordon_aws::{DynamoTable, StateMachine, StepFunctions, SystemClock};
use cordon_core::Config;
use cordon_flow::callback::Callback;
use cordon_flow::decide::Decide;
use cordon_lambda::{Settings, StartError};
use cordon_slack::HttpResponse;
use cordon_slack_channel::Clicks;
use cordon_slack_channel::Connection;
use cordon_slack_channel::gateway::{ApiGatewayV2httpRequest, raw_body, response, signed};
use cordon_slack_channel::haste::SinceClick;
use cordon_store::Store;

struct App {
    table: DynamoTable,
    tasks: StepFunctions,
    executions: StateMachine,
    config: Config,
    slack: Connection,
}

async fn start() -> Result<App, StartError> {
    let settings = Settings::from_env()?;
    let config = cordon_bundle::read_config(&settings.config_file())?;
    let sdk = cordon_aws::config::load().await;
    let slack = Connection::of(&sdk, settings.slack_secret_arn.clone(), settings.slack_api_url.clone()).in_haste();
    // Ahead of the first click; where it fails, that one tries again.
    slack.slack().await;
    Ok(App {
        table: DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), settings.table),
        tasks: StepFunctions::new(aws_sdk_sfn::Client::new(&sdk)),
        executions: StateMachine::new(aws_sdk_sfn::Client::new(&sdk), settings.state_machine_arn),
        config,
        slack,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    cordon_lambda::logs();
    cordon_lambda::serve(start, async |app: &App, request: ApiGatewayV2httpRequest| Ok(response(answer(app, &request).await)))
        .await
}

async fn answer(app: &App, request: &ApiGatewayV2httpRequest) -> HttpResponse {
    let watch = SinceClick::now();
    let Some(body) = raw_body(request) else {
        return HttpResponse::text(400, "The body cannot be read.");
    };
    let slack = match app.slack.slack_in_time(&watch).await.verifier() {
        Ok(slack) => slack,
        Err(answer) => return answer,
    };
    let decide = Decide {
        store: Store::new(&app.table),
        config: &app.config,
        channel: Some(slack),
        tasks: &app.tasks,
        clock: &SystemClock,
    };
    let callback = Callback { decide, executions: &app.executions, channel: slack };
    let clicks = Clicks { secret: slack.secret(), callback };
    let interaction = match clicks.receive(&signed(request, &body)) {
        Ok(interaction) => interaction,
        Err(error) => return error.response(),
    };
    match clicks.answer(&interaction, &slack.clicker(&interaction), &watch).await {
        Ok(reply) => reply,
        Err(error) => {
            tracing::error!(%error, "a click could not be handled");
            HttpResponse::text(500, "Something failed; please click again.")
        }
    }
}
