//! The record as rules see it: CloudTrail's own fields, and the fields `cordon.*` that a plain record lacks.
//!
//! INVARIANT: `cordon.*` comes from here alone. A record's own field of that name, or a flat key that looks like one, does not
//! pass enrichment.

mod documents;

use std::cell::OnceCell;
use std::collections::BTreeMap;

use cordon_core::document::Written;
use cordon_core::record::{Field, Lookup, Record};
use cordon_core::{Actor, Log, Subject, same_name};
use serde_json::Value;

use crate::policy::Document;

/// What was read from the account because the record only names it.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    /// The default versions of managed policies, by ARN.
    pub policies: BTreeMap<String, Document>,
    /// The document that the call wrote, if the record lacks it: as IAM had it when it was read.
    pub written: Option<Document>,
}

/// A record with the fields that were added to it. The record is borrowed, and nothing is added before a rule asks: replay
/// reads millions of them.
#[derive(Clone)]
pub struct Enriched<'a> {
    record: &'a dyn Record,
    log: Log,
    documents: Option<&'a Documents>,
    actor: OnceCell<Actor>,
    subject: OnceCell<Subject>,
    parts: Parts,
    added: OnceCell<Value>,
}

/// What stands below `cordon`, each part worked out when it is asked for.
#[derive(Debug, Clone, Default)]
struct Parts {
    actor: OnceCell<Value>,
    subject: OnceCell<Value>,
    actor_is_subject: OnceCell<Value>,
    failed: OnceCell<Value>,
    tool: OnceCell<Option<Value>>,
    policy: OnceCell<Option<Value>>,
}

const PARTS: [&str; 6] = ["actor", "subject", "actor_is_subject", "failed", "tool", "policy"];

impl<'a> Enriched<'a> {
    /// Enriches a CloudTrail record from what it says itself. Any JSON is accepted: what cannot be read adds nothing.
    #[must_use]
    pub fn new(record: &'a dyn Record) -> Self {
        Self::of(Log::CloudTrail, record, None)
    }

    /// Enriches a CloudTrail record, also from what was read for it.
    #[must_use]
    pub fn with(record: &'a dyn Record, documents: &'a Documents) -> Self {
        Self::of(Log::CloudTrail, record, Some(documents))
    }

    /// Enriches a record of any log. Only the rules about that log can match it.
    #[must_use]
    pub fn of(log: Log, record: &'a dyn Record, documents: Option<&'a Documents>) -> Self {
        let (actor, subject) = (OnceCell::new(), OnceCell::new());
        Self { record, log, documents, actor, subject, parts: Parts::default(), added: OnceCell::new() }
    }

    /// Where the record was taken from.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log
    }

    /// CloudTrail's record, as it came.
    #[must_use]
    pub fn record(&self) -> &'a dyn Record {
        self.record
    }

    /// Who made the call.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        self.actor.get_or_init(|| Actor::from_record(self.record))
    }

    /// What the call touched.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        self.subject.get_or_init(|| Subject::of(self.record, self.actor()))
    }

    /// What is added: an object with the one key `cordon`, so that a rule's field path walks it from its root.
    #[must_use]
    pub fn added(&self) -> &Value {
        self.added.get_or_init(|| object([("cordon", Some(object(PARTS.map(|name| (name, self.part(name).cloned())))))]))
    }

    /// What stands below `cordon` under a name; `None` where nothing does.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Value> {
        let Parts { actor, subject, actor_is_subject, failed: fails, tool: program, policy } = &self.parts;
        match name {
            "actor" => Some(actor.get_or_init(|| describe_actor(self.actor()))),
            "subject" => Some(subject.get_or_init(|| describe_subject(self.subject()))),
            "actor_is_subject" => Some(actor_is_subject.get_or_init(|| Value::Bool(is_own(self.actor(), self.subject())))),
            "failed" => Some(fails.get_or_init(|| Value::Bool(failed(self.record)))),
            "tool" => {
                let name = || self.record.text(Field::UserAgent).and_then(tool);
                program.get_or_init(|| name().map(Value::from)).as_ref()
            }
            "policy" => {
                let fields = || Some(documents::describe(self.record, self.documents)).filter(|fields| !fields.is_empty());
                policy.get_or_init(|| fields().map(Value::Object)).as_ref()
            }
            _ => None,
        }
    }
}

/// The managed policy whose document would have to be read before it is known what the call of this record grants.
#[must_use]
pub fn policy_to_read(record: &dyn Record) -> Option<&str> {
    documents::unknown_policy(record)
}

/// Where the document that a record lacks stands in IAM: CloudTrail leaves a long one out, and some cannot be parsed. `None` where the
/// record has it, or does not say of what it was.
#[must_use]
pub fn document_to_read(record: &dyn Record) -> Option<Written> {
    documents::written(record)
}

/// The dangerous statements of the policy that a record carries or names, in a few lines of text; empty where none is known.
#[must_use]
pub fn dangerous_statements(record: &Value, documents: &Documents) -> Vec<String> {
    documents::dangerous_statements(record, documents)
}

/// True where AWS refused the call or it failed. CloudTrail leaves `errorCode` out of a success; the sign-in service has no
/// `errorCode` but an `errorMessage`, or `Failure` as the response of that name (`ConsoleLogin`, `PasswordUpdated`).
fn failed(record: &dyn Record) -> bool {
    let is_fault = |text: &str| !text.is_empty() && !text.eq_ignore_ascii_case("success");
    let says = |field: Field| match record.lookup(field) {
        Lookup::Text(text) => is_fault(text),
        Lookup::Null | Lookup::Absent => false,
        Lookup::Unparsed => match field.of(record.value()) {
            Value::Null => false,
            Value::String(text) => is_fault(text),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
        },
    };
    let outcome = || match record.lookup(Field::ResponseElements) {
        Lookup::Text(_) | Lookup::Null | Lookup::Absent => None,
        Lookup::Unparsed => Field::ResponseElements.of(record.value()).get(record.text(Field::EventName)?)?.as_str(),
    };
    says(Field::ErrorCode) || says(Field::ErrorMessage) || outcome() == Some("Failure")
}

/// The program of a user agent, without its version and what else changes from call to call: `aws-cli` of
/// `aws-cli/2.31.4 md/awscrt#0.27.6 …`. Terraform and others name their partner first (`APN/1.0 HashiCorp/1.0 …`).
fn tool(agent: &str) -> Option<&str> {
    let mut products = agent.split([' ', '[', ']', '(', ')', ',', ';']).filter(|product| !product.is_empty());
    let name = products.find(|product| !product.starts_with("APN/"))?.split('/').next()?;
    Some(name).filter(|name| !name.is_empty())
}

fn describe_actor(actor: &Actor) -> Value {
    object([
        ("kind", serde_json::to_value(actor.kind).ok()),
        ("name", actor.name.clone().map(Value::String)),
        ("arn", actor.arn.clone().map(Value::String)),
        ("principal_arn", actor.principal().map(|principal| Value::String(principal.arn()))),
        ("identity", identity(actor).map(Value::String)),
    ])
}

/// What an actor is counted under: the user, or the role behind the sessions, because whoever holds a role can begin as many
/// sessions as they like. Root, services and strangers have their ARN, unique id or account instead.
fn identity(actor: &Actor) -> Option<String> {
    let account = || actor.account.as_ref().map(ToString::to_string);
    let principal = actor.principal().map(|principal| principal.arn());
    principal.or_else(|| actor.arn.clone()).or_else(|| actor.unique_id.clone()).or_else(account)
}

fn describe_subject(subject: &Subject) -> Value {
    let text = |value: &str| Some(Value::String(value.to_owned()));
    match subject {
        Subject::Principal { principal } => object([
            ("kind", text(&principal.kind.to_string())),
            ("name", text(&principal.name)),
            ("arn", text(&principal.arn())),
        ]),
        Subject::Policy { arn } => {
            object([("kind", text("policy")), ("name", text(arn.rsplit('/').next().unwrap_or_default())), ("arn", text(arn))])
        }
        Subject::AccessKey { id, .. } => object([("kind", text("access_key")), ("name", text(id))]),
        Subject::Account { account } => object([("kind", text("account")), ("name", text(account.as_str()))]),
        Subject::Unknown => object([("kind", text("unknown"))]),
    }
}

/// True where somebody changes themself.
fn is_own(actor: &Actor, subject: &Subject) -> bool {
    match subject {
        Subject::Principal { principal } => actor.principal().as_ref() == Some(principal),
        Subject::AccessKey { user, .. } => match (user, &actor.name) {
            (Some(user), Some(name)) => same_name(user, name),
            (Some(_), None) | (None, _) => false,
        },
        Subject::Policy { .. } | Subject::Account { .. } | Subject::Unknown => false,
    }
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    Value::Object(fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
}

#[cfg(test)]
mod tests;
