//! The incident table in DynamoDB.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, ReturnValue, TransactWriteItem};
use cordon_core::Cause;
use cordon_store::{Condition, End, Key, Table, TableError, Write};
use serde_json::Value;

/// The longest that the first pause between two tries can be, and any pause.
const PAUSE_FIRST_MS: u64 = 25;
const PAUSE_MAX_MS: u64 = 400;

type Item = HashMap<String, AttributeValue>;

/// One DynamoDB table with the keys `pk` and `sk`.
pub struct DynamoTable {
    client: aws_sdk_dynamodb::Client,
    name: String,
}

impl DynamoTable {
    /// A table by its name.
    #[must_use]
    pub fn new(client: aws_sdk_dynamodb::Client, name: String) -> Self {
        Self { client, name }
    }
}

#[async_trait]
impl Table for DynamoTable {
    async fn get(&self, key: &Key) -> Result<Option<Value>, TableError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key_item(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(failure)?;
        found.item.map(to_json).transpose()
    }

    async fn list(&self, pk: &str, prefix: &str) -> Result<Vec<Value>, TableError> {
        let mut pages = self.below(pk, prefix).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(to_json(item.map_err(failure)?)?);
        }
        Ok(items)
    }

    async fn page(&self, pk: &str, prefix: &str, end: End, limit: u32) -> Result<Vec<Value>, TableError> {
        let mut pages = self
            .below(pk, prefix)
            .scan_index_forward(end == End::First)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while items.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
            let Some(item) = pages.next().await else { break };
            items.push(to_json(item.map_err(failure)?)?);
        }
        Ok(items)
    }

    async fn pause(&self, tries: u32) {
        tokio::time::sleep(Duration::from_millis(pause_ms(tries, RandomState::new().hash_one(tries)))).await;
    }

    async fn by_state(&self, state: &str, limit: u32) -> Result<Vec<Value>, TableError> {
        let page = self
            .client
            .query()
            .table_name(&self.name)
            .index_name("by_state")
            .key_condition_expression("gsi1pk = :state")
            .expression_attribute_values(":state", AttributeValue::S(state.to_owned()))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(failure)?;
        page.items.unwrap_or_default().into_iter().map(to_json).collect()
    }

    async fn count(&self, key: &Key, expires_at: i64) -> Result<u64, TableError> {
        let counted = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key_item(key)))
            .update_expression("ADD n :one SET expires_at = :expires_at")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(":expires_at", AttributeValue::N(expires_at.to_string()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(failure)?;
        let number = counted.attributes.as_ref().and_then(|attributes| attributes.get("n")?.as_n().ok()?.parse().ok());
        number.ok_or_else(|| TableError::Refused(Cause::new("the table gave no count back")))
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        let items = writes.into_iter().map(|write| self.transact_item(write)).collect::<Result<Vec<_>, _>>()?;
        match self.client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(transaction_failure(error)),
        }
    }
}

impl DynamoTable {
    /// The query for the items of a partition whose sort key begins with `prefix`.
    fn below(&self, pk: &str, prefix: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
    }

    fn transact_item(&self, write: Write) -> Result<TransactWriteItem, TableError> {
        let (expression, version) = match write.condition {
            Condition::Always => (None, None),
            Condition::Absent => (Some("attribute_not_exists(pk)".to_owned()), None),
            Condition::Version(version) => (Some("version = :version".to_owned()), Some(version)),
        };
        let values = version.map(|version| HashMap::from([(":version".to_owned(), AttributeValue::N(version.to_string()))]));
        let built = |error: aws_sdk_dynamodb::error::BuildError| TableError::Refused(Cause::new(error));
        match write.item {
            Some(item) => {
                let mut item = to_item(item)?;
                item.extend(key_item(&write.key));
                let put = Put::builder()
                    .table_name(&self.name)
                    .set_item(Some(item))
                    .set_condition_expression(expression)
                    .set_expression_attribute_values(values)
                    .build()
                    .map_err(built)?;
                Ok(TransactWriteItem::builder().put(put).build())
            }
            None => {
                let delete = Delete::builder()
                    .table_name(&self.name)
                    .set_key(Some(key_item(&write.key)))
                    .set_condition_expression(expression)
                    .set_expression_attribute_values(values)
                    .build()
                    .map_err(built)?;
                Ok(TransactWriteItem::builder().delete(delete).build())
            }
        }
    }
}

/// Full jitter: anything up to a ceiling that doubles with every try.
fn pause_ms(tries: u32, random: u64) -> u64 {
    let ceiling = PAUSE_FIRST_MS.saturating_mul(1_u64 << tries.saturating_sub(1).min(16)).min(PAUSE_MAX_MS);
    random % ceiling.saturating_add(1)
}

fn key_item(key: &Key) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(key.pk().to_owned())),
        ("sk".to_owned(), AttributeValue::S(key.sk().to_owned())),
    ])
}

fn to_item(value: Value) -> Result<Item, TableError> {
    serde_dynamo::to_item(value).map_err(|error| TableError::Refused(Cause::new(error)))
}

fn to_json(mut item: Item) -> Result<Value, TableError> {
    for key in ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"] {
        item.remove(key);
    }
    serde_dynamo::from_item(item).map_err(|error| TableError::Refused(Cause::new(error)))
}

fn failure<E>(error: SdkError<E>) -> TableError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let refused = match error.code() {
        Some(code) => !is_transient(code),
        None => false,
    };
    let contended = error.code().is_some_and(is_conflict);
    let cause = Cause::new(error);
    if contended {
        return TableError::Contended(cause);
    }
    if refused { TableError::Refused(cause) } else { TableError::Transient(cause) }
}

fn transaction_failure(error: SdkError<TransactWriteItemsError>) -> TableError {
    if let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() {
        let codes: Vec<&str> = canceled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
        if codes.contains(&"ConditionalCheckFailed") {
            return TableError::Condition;
        }
        if codes.contains(&"TransactionConflict") {
            return TableError::Contended(Cause::new(codes.join(", ")));
        }
        if codes.iter().any(|code| is_transient(code)) {
            return TableError::Transient(Cause::new(codes.join(", ")));
        }
    }
    failure(error)
}

fn is_transient(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ThrottlingException"
            | "ThrottlingError"
            | "ProvisionedThroughputExceeded"
            | "InternalServerError"
            | "ServiceUnavailable"
    )
}

fn is_conflict(code: &str) -> bool {
    matches!(code, "TransactionConflictException" | "TransactionInProgressException")
}
