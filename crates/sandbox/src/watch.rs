//! Reads a deployment for the page: incidents from the table, executions from Step Functions. It only reads, and at most a few
//! times a second for all open pages together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tracing::debug;

use crate::error::{SandboxError, chain};

const FRESH: Duration = Duration::from_millis(500);
const EXECUTIONS_MAX: i32 = 40;
/// Executions that are over never change; their history is kept.
const HISTORIES_MAX: usize = 500;

/// A deployment to look at.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub stack: String,
    pub account: String,
    pub mode: String,
    pub table: String,
    pub state_machine: String,
    pub operator: SdkConfig,
}

/// A handle on what was last read; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    stacks: Vec<Watched>,
    last: Option<(Instant, Value)>,
    histories: BTreeMap<String, Value>,
}

impl Watch {
    pub async fn add(&self, watched: Watched) {
        let mut inner = self.inner.lock().await;
        inner.stacks.push(watched);
        inner.last = None;
    }

    pub async fn snapshot(&self) -> Value {
        let mut inner = self.inner.lock().await;
        if let Some((at, value)) = &inner.last
            && at.elapsed() < FRESH
        {
            return value.clone();
        }
        let value = inner.read().await;
        inner.last = Some((Instant::now(), value.clone()));
        value
    }
}

impl Inner {
    async fn read(&mut self) -> Value {
        let mut incidents = Vec::new();
        let mut executions = Vec::new();
        let stacks = self.stacks.clone();
        for stack in &stacks {
            match items(&stack.operator, &stack.table).await {
                Ok(items) => incidents.extend(gather(&stack.stack, items)),
                Err(error) => debug!(error = chain(&error), "the table cannot be read"),
            }
            match self.executions(stack).await {
                Ok(found) => executions.extend(found),
                Err(error) => debug!(error = chain(&error), "the executions cannot be read"),
            }
        }
        let stacks: Vec<Value> =
            stacks.iter().map(|stack| json!({"name": stack.stack, "account": stack.account, "mode": stack.mode})).collect();
        json!({"stacks": stacks, "incidents": incidents, "executions": executions})
    }

    async fn executions(&mut self, stack: &Watched) -> Result<Vec<Value>, SandboxError> {
        let client = aws_sdk_sfn::Client::new(&stack.operator);
        let list = client
            .list_executions()
            .state_machine_arn(&stack.state_machine)
            .max_results(EXECUTIONS_MAX)
            .send()
            .await
            .map_err(SandboxError::aws("cannot list the executions"))?;
        let mut found = Vec::new();
        for execution in list.executions() {
            let arn = execution.execution_arn();
            let status = execution.status().as_str();
            let key = format!("{arn} {status}");
            if let Some(known) = self.histories.get(&key).filter(|_| status != "RUNNING") {
                found.push(known.clone());
                continue;
            }
            let states = history(&client, arn).await?;
            let value = json!({
                "arn": arn,
                "name": execution.name(),
                "stack": stack.stack,
                "status": status,
                "started_at_ms": execution.start_date().to_millis().ok(),
                "stopped_at_ms": execution.stop_date().and_then(|time| time.to_millis().ok()),
                "states": states,
            });
            if self.histories.len() < HISTORIES_MAX {
                self.histories.insert(key, value.clone());
            }
            found.push(value);
        }
        Ok(found)
    }
}

/// The states that an execution entered, in order, each with its times.
async fn history(client: &aws_sdk_sfn::Client, arn: &str) -> Result<Vec<Value>, SandboxError> {
    let mut states: Vec<Value> = Vec::new();
    let mut token = None;
    loop {
        let page = client
            .get_execution_history()
            .execution_arn(arn)
            .include_execution_data(false)
            .set_next_token(token)
            .send()
            .await
            .map_err(SandboxError::aws("cannot read an execution's history"))?;
        for event in page.events() {
            let at = event.timestamp().to_millis().ok();
            if let Some(entered) = event.state_entered_event_details() {
                states.push(json!({"name": entered.name(), "entered_at_ms": at, "left_at_ms": null}));
            } else if let Some(exited) = event.state_exited_event_details() {
                let open = states.iter_mut().rev().find(|state| {
                    state.get("name").and_then(Value::as_str) == Some(exited.name())
                        && state.get("left_at_ms").is_some_and(Value::is_null)
                });
                if let Some(fields) = open.and_then(Value::as_object_mut) {
                    fields.insert("left_at_ms".to_owned(), json!(at));
                }
            }
        }
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(states);
        }
    }
}

/// Every item of a table, as plain JSON.
pub(crate) async fn items(config: &SdkConfig, table: &str) -> Result<Vec<Value>, SandboxError> {
    let client = aws_sdk_dynamodb::Client::new(config);
    let mut found = Vec::new();
    let mut from = None;
    loop {
        let page = client
            .scan()
            .table_name(table)
            .set_exclusive_start_key(from)
            .send()
            .await
            .map_err(SandboxError::aws(format!("cannot read the table `{table}`")))?;
        for item in page.items.unwrap_or_default() {
            let value = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)
                .map_err(SandboxError::aws(format!("cannot read an item of the table `{table}`")))?;
            found.push(value);
        }
        from = page.last_evaluated_key.filter(|key| !key.is_empty());
        if from.is_none() {
            return Ok(found);
        }
    }
}

/// An incident's items; the timeline by its sort key.
#[derive(Default)]
struct Parts {
    head: Value,
    log: BTreeMap<String, Value>,
    steps: Vec<Value>,
}

/// Puts the items of each incident together: its header, its timeline and its steps. Task tokens stay where they are.
pub(crate) fn gather(stack: &str, items: Vec<Value>) -> Vec<Value> {
    let mut incidents: BTreeMap<String, Parts> = BTreeMap::new();
    for item in items {
        let field = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(id) = field("pk").strip_prefix("INCIDENT#").map(str::to_owned) else { continue };
        let parts = incidents.entry(id).or_default();
        let kind = field("sk");
        if kind == "HEAD" {
            parts.head = item;
        } else if kind.starts_with("LOG#") {
            parts.log.insert(kind, item);
        } else if kind.starts_with("STEP#") {
            parts.steps.push(item);
        }
    }
    incidents
        .into_iter()
        .map(|(id, parts)| {
            let log: Vec<Value> = parts.log.into_values().collect();
            json!({"id": id, "stack": stack, "head": parts.head, "log": log, "steps": parts.steps})
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incidents_items_come_together_in_order_and_without_its_task_token() {
        let items = vec![
            json!({"pk": "INCIDENT#inc-1", "sk": "LOG#000002", "kind": "asked"}),
            json!({"pk": "INCIDENT#inc-1", "sk": "APPROVAL#1", "token": "hush"}),
            json!({"pk": "INCIDENT#inc-1", "sk": "HEAD", "state": "asking"}),
            json!({"pk": "INCIDENT#inc-1", "sk": "LOG#000001", "kind": "detected"}),
            json!({"pk": "EVENT#e-1", "sk": "CLAIM"}),
        ];
        let incidents = gather("main", items);
        assert_eq!(incidents.len(), 1);
        assert_eq!(incidents[0]["head"]["state"], "asking");
        assert_eq!(incidents[0]["log"][0]["kind"], "detected");
        assert_eq!(incidents[0]["log"][1]["kind"], "asked");
        assert!(!incidents[0].to_string().contains("hush"));
    }
}
