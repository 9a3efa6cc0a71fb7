//! The loop of a function: decode the input, handle it under a span, answer with an output or a named error.
//!
//! INVARIANT: a failure is a failed invocation, never a success payload, so that the state machine's `Catch` sees it. It is
//! logged once, here.

use std::fmt;
use std::io;

use cordon_contract::{ErrorName, StateError};
use cordon_core::json::at;
use cordon_core::redact;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;
use tracing::Instrument;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::start::StartError;

/// Sets up logs as JSON lines: our own at the level of `CORDON_LOG`, by default `info`. The SDK and the HTTP client log warnings
/// and errors at most, because in detail they print requests, which carry task tokens and secrets.
pub fn logs() {
    let level = std::env::var("CORDON_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let ours = ["cordon", "slack_callback", "state"].into_iter().map(|target| (target, level));
    let filter = Targets::new().with_default(LevelFilter::WARN.min(level)).with_targets(ours);
    let lines = tracing_subscriber::fmt::layer().json().with_current_span(true).with_span_list(false).with_writer(|| Lines);
    let _already_set = tracing_subscriber::registry().with(lines).with(filter).try_init();
}

/// Standard output, line by line, without what looks like a secret: an error of AWS can repeat what a caller sent.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        io::stdout().write_all(redact::text(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// An error as Lambda reports it: `errorType` is one of the contract's names.
struct Named(StateError);

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.name.as_str(), self.0.message)
    }
}

impl From<Named> for Diagnostic {
    fn from(named: Named) -> Self {
        Self { error_type: named.0.name.as_str().to_owned(), error_message: named.0.message }
    }
}

/// Serves a state: `start` makes what outlives an invocation, `handle` answers one. A start that fails is tried again at each
/// invocation and answered with its reason, so that a broken policy ends in `failed` rather than in a crash loop.
///
/// # Errors
/// Only if Lambda's runtime API itself fails.
pub async fn serve<A, I, O, S, H>(start: S, handle: H) -> Result<(), Error>
where
    I: DeserializeOwned,
    O: Serialize,
    S: AsyncFn() -> Result<A, StartError>,
    H: AsyncFn(&A, I) -> Result<O, StateError>,
{
    let app = OnceCell::new();
    if let Ok(started) = start().await {
        // Nothing else can have set it yet.
        let _first = app.set(started);
    }
    let (app, start, handle) = (&app, &start, &handle);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let incident = at(&event.payload, "/incident").as_str().unwrap_or_default().to_owned();
        let span = tracing::info_span!("state", incident, request = event.context.request_id);
        one(app, start, handle, event.payload).instrument(span).await
    }))
    .await
}

async fn one<A, I, O, S, H>(app: &OnceCell<A>, start: &S, handle: &H, payload: Value) -> Result<Value, Named>
where
    I: DeserializeOwned,
    O: Serialize,
    S: AsyncFn() -> Result<A, StartError>,
    H: AsyncFn(&A, I) -> Result<O, StateError>,
{
    let result = match (app.get_or_try_init(|| start()).await, serde_json::from_value::<I>(payload)) {
        (Err(error), _) => Err(error.into()),
        (_, Err(error)) => Err(StateError::new(ErrorName::BadInput, format!("the input of this state cannot be read: {error}"))),
        (Ok(app), Ok(input)) => handle(app, input).await,
    };
    let output = result.and_then(|output| {
        serde_json::to_value(output)
            .map_err(|error| StateError::new(ErrorName::Internal, format!("the output cannot be written: {error}")))
    });
    match output {
        Ok(output) => Ok(output),
        Err(error) => {
            tracing::error!(name = error.name.as_str(), error = %error.message, "the state failed");
            Err(Named(error))
        }
    }
}
