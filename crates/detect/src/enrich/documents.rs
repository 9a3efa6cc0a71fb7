//! `cordon.policy.*`: the grants of the policies in a record, and the principals that its trust policy admits.
//!
//! A document in the record is analysed. A policy that the record only names is known if AWS maintains it or if its document was
//! read. Otherwise `grants` is absent, which rules must not mistake for an empty list.

use cordon_core::document::Written;
use cordon_core::json::at;
use cordon_core::record::{Field, Lookup, Record};
use cordon_core::{AccountId, Principal, PrincipalKind, Subject, event};
use serde_json::{Map, Value, json};

use super::Documents;
use crate::managed;
use crate::policy::{Answer, Document, Grants, Trust, Trusted, grants, trusts};

const IAM: &str = "iam.amazonaws.com";

/// The fields below `cordon.policy`; empty where the record has nothing to do with a policy.
pub(super) fn describe(record: &dyn Record, documents: Option<&Documents>) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(arn) = named_policy(record) {
        fields.insert("arn".to_owned(), json!(arn));
        match documents.and_then(|documents| documents.policies.get(arn)) {
            Some(document) => describe_grants(&grants(document), &mut fields),
            None => {
                if let Some(known) = managed::of(arn) {
                    describe_grants(known, &mut fields);
                }
            }
        }
    }
    if let Some(document) = permissions(record) {
        match Document::parse(document) {
            Ok(document) => describe_grants(&grants(&document), &mut fields),
            Err(error) => {
                fields.insert("unreadable".to_owned(), json!(error.to_string()));
            }
        }
    }
    if let Some(document) = trust_policy(record) {
        match Document::parse(document) {
            Ok(document) => describe_trust(&trusts(&document), own_account(record).as_ref(), &mut fields),
            Err(error) => {
                fields.insert("unreadable".to_owned(), json!(error.to_string()));
            }
        }
    }
    if is_left_out(record) {
        fields.insert("unreadable".to_owned(), json!(event::OMITTED));
    }
    // What IAM holds is added to what the record lacks and does not replace it: it may have been changed since.
    if let Some(written) =
        documents.and_then(|documents| documents.written.as_ref()).filter(|_| fields.contains_key("unreadable"))
    {
        if writes_trust(record) {
            describe_trust(&trusts(written), own_account(record).as_ref(), &mut fields);
        } else {
            describe_grants(&grants(written), &mut fields);
        }
    }
    fields
}

/// Where the document of a record stands in IAM, if the record itself has none that can be read.
pub(super) fn written(record: &dyn Record) -> Option<Written> {
    if record.text(Field::EventSource) != Some(IAM) {
        return None;
    }
    let is_unreadable = |document: &Value| Document::parse(document).is_err();
    let unreadable =
        is_left_out(record) || permissions(record).is_some_and(is_unreadable) || trust_policy(record).is_some_and(is_unreadable);
    if !unreadable {
        return None;
    }
    let record = record.value();
    let made = |pointer: &str| at(record, pointer).as_str();
    let named = || match Subject::from_record(record) {
        Subject::Principal { principal } => Some(principal),
        Subject::Policy { .. } | Subject::AccessKey { .. } | Subject::Account { .. } | Subject::Unknown => None,
    };
    let policy =
        |arn: &str, version: Option<&str>| Written::Version { policy: arn.to_owned(), version: version.map(str::to_owned) };
    match record["eventName"].as_str()? {
        "PutUserPolicy" | "PutRolePolicy" | "PutGroupPolicy" => {
            let name = made("/requestParameters/policyName")?;
            Some(Written::Inline { principal: named()?, name: name.to_owned() })
        }
        "UpdateAssumeRolePolicy" => Some(Written::Trust { role: named()? }),
        "CreateRole" => {
            let created = || {
                let name = made("/responseElements/role/roleName")?;
                Some(Principal::new(PrincipalKind::Role, own_account(record)?, name))
            };
            Some(Written::Trust { role: named().or_else(created)? })
        }
        "CreatePolicy" => Some(policy(made("/responseElements/policy/arn")?, None)),
        "CreatePolicyVersion" => {
            let version = made("/responseElements/policyVersion/versionId");
            Some(policy(made("/requestParameters/policyArn")?, version))
        }
        _ => None,
    }
}

/// True where CloudTrail left out the parameters of a call that writes a document.
fn is_left_out(record: &dyn Record) -> bool {
    let (Some(service), Some(name)) = (record.text(Field::EventSource), record.text(Field::EventName)) else { return false };
    event::writes_document(service, name) && event::omits_parameters(record.value())
}

fn writes_trust(record: &dyn Record) -> bool {
    matches!(record.text(Field::EventName), Some("UpdateAssumeRolePolicy" | "CreateRole"))
}

/// The statements that people have to read of the policies in a record.
pub(super) fn dangerous_statements(record: &Value, documents: &Documents) -> Vec<String> {
    let carried = permissions(record).and_then(|document| Document::parse(document).ok());
    let trust = trust_policy(record).and_then(|document| Document::parse(document).ok());
    let written = |is_trust: bool| documents.written.clone().filter(|_| writes_trust(record) == is_trust);
    let (carried, trust) = (carried.or_else(|| written(false)), trust.or_else(|| written(true)));
    let read = || named_policy(record).and_then(|arn| documents.policies.get(arn).cloned().or_else(|| managed::document_of(arn)));
    let permissions = carried.or_else(read).map(|document| document.dangerous_statements()).unwrap_or_default();
    permissions.into_iter().chain(trust.map(|document| document.trusting_statements()).unwrap_or_default()).collect()
}

/// The policy that a record names without saying, or our knowing, what it grants.
pub(super) fn unknown_policy(record: &dyn Record) -> Option<&str> {
    let arn = named_policy(record)?;
    let carries_it = permissions(record).is_some();
    Some(arn).filter(|arn| !carries_it && managed::of(arn).is_none())
}

/// The managed policy that a record names. Identity Center has a name of its own for it.
fn named_policy(record: &dyn Record) -> Option<&str> {
    [Field::AskedPolicyArn, Field::AskedManagedPolicyArn].into_iter().find_map(|field| record.text(field))
}

/// The permissions policy that a record carries. Other services than IAM and Identity Center call other things by these names.
fn permissions(record: &dyn Record) -> Option<&Value> {
    let field = match (record.text(Field::EventSource)?, record.text(Field::EventName)?) {
        (IAM, "UpdateAssumeRolePolicy") => None,
        (IAM, _) => Some(Field::AskedPolicyDocument),
        ("sso.amazonaws.com", "PutInlinePolicyToPermissionSet") => Some(Field::AskedInlinePolicy),
        _ => None,
    };
    document(record, field?)
}

/// The trust policy that a record carries.
fn trust_policy(record: &dyn Record) -> Option<&Value> {
    let field = match (record.text(Field::EventSource)?, record.text(Field::EventName)?) {
        (IAM, "UpdateAssumeRolePolicy") => Some(Field::AskedPolicyDocument),
        (IAM, "CreateRole") => Some(Field::AskedTrustPolicy),
        _ => None,
    };
    document(record, field?)
}

fn document(record: &dyn Record, field: Field) -> Option<&Value> {
    let document = match record.lookup(field) {
        Lookup::Null | Lookup::Absent => return None,
        Lookup::Text(_) | Lookup::Unparsed => field.of(record.value()),
    };
    Some(document).filter(|document| !document.is_null())
}

fn own_account(record: &dyn Record) -> Option<AccountId> {
    [Field::RecipientAccountId, Field::ActorAccountId].into_iter().find_map(|field| record.text(field)?.parse().ok())
}

fn describe_grants(grants: &Grants, fields: &mut Map<String, Value>) {
    fields.insert("grants".to_owned(), grants.names(Answer::Yes).collect());
    fields.insert("grants_if".to_owned(), grants.names(Answer::Limited).collect());
}

fn describe_trust(ways: &[Trust], own: Option<&AccountId>, fields: &mut Map<String, Value>) {
    let mut kinds: Vec<String> = ways.iter().map(|way| kind(way, own)).collect();
    kinds.sort();
    kinds.dedup();
    fields.insert("trusts".to_owned(), json!(kinds));
    fields.insert("trusted".to_owned(), ways.iter().map(name).collect());
}

/// The kind of a way in, with `-if` where a condition narrows it.
fn kind(way: &Trust, own: Option<&AccountId>) -> String {
    let kind = match &way.who {
        Trusted::Anyone => "anyone",
        Trusted::Account { account, .. } if own == Some(account) => "own-account",
        Trusted::Account { .. } => "outside-account",
        Trusted::Unknown { .. } => "unknown",
        Trusted::Federated { .. } => "federation",
        Trusted::Service { .. } => "service",
    };
    if way.conditions.is_empty() { kind.to_owned() } else { format!("{kind}-if") }
}

fn name(way: &Trust) -> &str {
    match &way.who {
        Trusted::Anyone => "*",
        Trusted::Account { principal, .. } | Trusted::Unknown { principal } => principal,
        Trusted::Federated { provider } => provider,
        Trusted::Service { service } => service,
    }
}
