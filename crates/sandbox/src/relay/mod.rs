//! Carries the emulator's recorded API calls to the hub's bus, as EventBridge carries CloudTrail's.
//!
//! The events of a hub's account have a source of the sandbox's own, because nobody may put events whose source begins with `aws.`.
//! Only the sandbox's Terraform trusts it. Those of a spoke the emulator delivers itself, under AWS's sources. Each recorded call is
//! put once. Reads and the operator's own calls are left out. Cordon's own changes are put, because CloudTrail reports them too.

mod answers;
mod identity;
mod record;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Value, json};
use tracing::{debug, warn};

use crate::aws::{Keys, sdk_config};
use crate::error::{SandboxError, chain};
use crate::process::Voice;
use answers::Answers;
use identity::{Caller, Identities};

pub use record::Recorded;

/// The source of every relayed event.
pub const SOURCE: &str = "cordon.sandbox";
/// What EventBridge calls an event that CloudTrail reported.
pub const DETAIL_TYPE: &str = "AWS API Call via CloudTrail";

const POLL: Duration = Duration::from_millis(200);
/// Of these the calls are relayed.
const SERVICES: [&str; 2] = ["iam.amazonaws.com", "sts.amazonaws.com"];
/// What `LookupEvents` gives at most.
const PAGE: i32 = 50;
/// Pages that one look goes back; more calls than this between two looks are met by the next.
const PAGES_MAX: usize = 100;
const REMEMBERED: usize = 50_000;
/// What `PutEvents` takes at most.
const BATCH: usize = 10;
/// Looks after which events that no bus takes are dropped, so that they do not hold up later ones.
const ATTEMPTS_MAX: u32 = 25;
/// How far a look reaches back behind the newest call seen, in milliseconds.
const OVERLAP_MS: i64 = 3_000;

/// An account whose calls are relayed.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub account: String,
    pub way: Way,
}

/// How a call reaches a bus.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// Put on these buses, with the sandbox's own source.
    Buses(Vec<String>),
    /// Delivered by the emulator to the account's default bus, as AWS does.
    Aws(Voice),
}

/// Polls until the task is aborted.
pub(crate) async fn run(endpoint: String, ledger: PathBuf, feeds: Vec<Feed>) {
    let mut accounts: Vec<Account> = feeds.into_iter().map(|feed| Account::new(&endpoint, &ledger, feed)).collect();
    loop {
        for account in &mut accounts {
            if let Err(error) = account.look().await {
                warn!(account = account.feed.account, error = chain(&error), "the relay skipped a beat");
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Puts CloudTrail records on a bus in the relay's envelope.
pub(crate) async fn put(config: &SdkConfig, bus: &str, records: &[Value]) -> Result<(), SandboxError> {
    put_as(config, bus, DETAIL_TYPE, records).await
}

/// Puts events of a kind on a bus in the relay's envelope.
pub(crate) async fn put_as(config: &SdkConfig, bus: &str, kind: &str, records: &[Value]) -> Result<(), SandboxError> {
    let client = aws_sdk_eventbridge::Client::new(config);
    for batch in records.chunks(BATCH) {
        let entries = batch.iter().map(|record| entry(bus, kind, record)).collect();
        let answer = client
            .put_events()
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(SandboxError::aws(format!("cannot put events on the bus `{bus}`")))?;
        if let Some(refused) = answer.entries().iter().find(|entry| entry.error_code().is_some()) {
            let why = refused.error_message().unwrap_or_default();
            return Err(SandboxError::unexpected(format!("the bus `{bus}` refused an event"), why));
        }
    }
    Ok(())
}

async fn put_on_all(config: &SdkConfig, buses: &[String], records: &[Value]) -> Result<(), SandboxError> {
    for bus in buses {
        put(config, bus, records).await?;
    }
    Ok(())
}

/// The line by which the emulator's launcher delivers a record as AWS does; see `launcher/organisation/voice.py`.
pub(crate) fn spoken(record: &Value) -> String {
    let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let service = text("eventSource").split('.').next().unwrap_or_default();
    let event = json!({
        "account": text("recipientAccountId"),
        "region": text("awsRegion"),
        "source": format!("aws.{service}"),
        "detail-type": DETAIL_TYPE,
        "detail": record,
    });
    format!("event {event}\n")
}

fn entry(bus: &str, kind: &str, record: &Value) -> PutEventsRequestEntry {
    let time = record.get("eventTime").and_then(Value::as_str).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    PutEventsRequestEntry::builder()
        .event_bus_name(bus)
        .source(SOURCE)
        .detail_type(kind)
        .detail(record.to_string())
        .set_time(time.map(|time| aws_sdk_eventbridge::primitives::DateTime::from_secs(time.as_second())))
        .build()
}

struct Account {
    feed: Feed,
    operator: SdkConfig,
    cloudtrail: aws_sdk_cloudtrail::Client,
    identities: Identities,
    answers: Answers,
    seen: Seen,
    /// The time of the newest call seen, in milliseconds.
    newest_ms: i64,
    /// Made but not yet taken by every bus.
    unsent: Vec<Value>,
    attempts: u32,
}

impl Account {
    fn new(endpoint: &str, ledger: &std::path::Path, feed: Feed) -> Self {
        let operator = sdk_config(endpoint, &Keys::operator(&feed.account));
        Self {
            cloudtrail: aws_sdk_cloudtrail::Client::new(&operator),
            operator,
            feed,
            identities: Identities::new(ledger.to_owned()),
            answers: Answers::default(),
            seen: Seen::default(),
            newest_ms: jiff::Timestamp::now().as_millisecond(),
            unsent: Vec::new(),
            attempts: 0,
        }
    }

    async fn look(&mut self) -> Result<(), SandboxError> {
        let since_ms = self.newest_ms - OVERLAP_MS;
        let mut fresh = HashMap::new();
        for service in SERVICES {
            self.collect(service, since_ms, &mut fresh).await?;
        }
        let mut fresh: Vec<(i64, Recorded)> = fresh.into_values().collect();
        fresh.sort_by_key(|(at_ms, _)| *at_ms);
        for (at_ms, recorded) in fresh {
            self.newest_ms = self.newest_ms.max(at_ms);
            self.seen.add(recorded.event_id.clone());
            if !recorded.is_delivered() {
                continue;
            }
            let iam = aws_sdk_iam::Client::new(&self.operator);
            let answer = self.answers.of(&recorded.action, &recorded.parameters, &iam).await;
            match self.identities.resolve(&recorded.access_key_id, &self.feed.account, &self.operator).await {
                Caller::Operator => {}
                Caller::Identity(identity) => {
                    debug!(action = recorded.action, event = recorded.event_id, "relayed");
                    self.unsent.push(recorded.into_cloudtrail(identity, answer));
                }
            }
        }
        self.deliver().await
    }

    async fn deliver(&mut self) -> Result<(), SandboxError> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let sent = match &self.feed.way {
            Way::Buses(buses) => put_on_all(&self.operator, buses, &self.unsent).await,
            Way::Aws(voice) => self
                .unsent
                .iter()
                .try_for_each(|record| voice.tell(&spoken(record)))
                .map_err(SandboxError::io("cannot reach the emulator's launcher")),
        };
        if let Err(error) = sent {
            self.attempts += 1;
            if self.attempts >= ATTEMPTS_MAX {
                warn!(events = self.unsent.len(), "the relay gave up on events that the bus does not take");
                self.unsent.clear();
                self.attempts = 0;
            }
            return Err(error);
        }
        self.unsent.clear();
        self.attempts = 0;
        Ok(())
    }

    /// Goes back page by page from the newest call to those already seen. The emulator gives no token for the next page, so
    /// each look asks for what is not newer than the oldest of the page before.
    async fn collect(
        &mut self,
        service: &str,
        since_ms: i64,
        fresh: &mut HashMap<String, (i64, Recorded)>,
    ) -> Result<(), SandboxError> {
        let mut until_ms = None;
        for _ in 0..PAGES_MAX {
            let attribute = LookupAttribute::builder()
                .attribute_key(LookupAttributeKey::EventSource)
                .attribute_value(service)
                .build()
                .map_err(SandboxError::aws("cannot ask for recorded calls"))?;
            let page = self
                .cloudtrail
                .lookup_events()
                .lookup_attributes(attribute)
                .start_time(aws_sdk_cloudtrail::primitives::DateTime::from_millis(since_ms))
                .set_end_time(until_ms.map(aws_sdk_cloudtrail::primitives::DateTime::from_millis))
                .max_results(PAGE)
                .send()
                .await
                .map_err(SandboxError::aws("cannot read the recorded calls"))?;
            let mut oldest_ms = None;
            let mut new_here = 0;
            for event in page.events() {
                let at_ms = event.event_time().and_then(|time| time.to_millis().ok()).unwrap_or(since_ms);
                oldest_ms = Some(oldest_ms.map_or(at_ms, |oldest: i64| oldest.min(at_ms)));
                let Some(recorded) = event.cloud_trail_event().and_then(Recorded::read) else { continue };
                if self.seen.has(&recorded.event_id) || fresh.contains_key(&recorded.event_id) {
                    continue;
                }
                new_here += 1;
                fresh.insert(recorded.event_id.clone(), (at_ms, recorded));
            }
            let full = i32::try_from(page.events().len()).is_ok_and(|length| length >= PAGE);
            if !full || new_here == 0 {
                return Ok(());
            }
            // A millisecond more: times are cut when they are sent.
            until_ms = oldest_ms.map(|oldest| oldest + 1);
        }
        Ok(())
    }
}

/// The ids of calls already dealt with, forgetting the oldest.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    fn has(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    fn add(&mut self, id: String) {
        if self.ids.insert(id.clone()) {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_never_claims_to_come_from_aws() {
        let entry = entry("hub", DETAIL_TYPE, &json!({"eventTime": "2025-01-02T03:04:05Z", "eventName": "CreateUser"}));
        assert_eq!(entry.source(), Some("cordon.sandbox"));
        assert_eq!(entry.detail_type(), Some("AWS API Call via CloudTrail"));
        assert!(entry.time().is_some_and(|time| time.secs() == 1_735_787_045));
        assert_eq!(entry.event_bus_name(), Some("hub"));
    }

    #[test]
    fn a_call_is_taken_once() {
        let mut seen = Seen::default();
        assert!(!seen.has("e-1"));
        seen.add("e-1".into());
        seen.add("e-1".into());
        assert!(seen.has("e-1"));
        assert_eq!(seen.order.len(), 1);
    }
}
