//! Notices of other AWS services about identities: AWS Health, GuardDuty and IAM Access Analyzer, each in its own envelope.
//!
//! A notice is turned into a record with CloudTrail's field names for whom it is about, beside the notice's own fields, so that
//! everything after this reads one kind of record. It names the holder of the credentials as the actor: that is who has to be
//! stopped. What a notice does not say stays unsaid.
//!
//! The shapes: <https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>,
//! <https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Finding.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-eventbridge.html>.

use serde_json::{Map, Value, json};

use super::believed::BELIEVED;
use super::{Event, Log, Standing, Unreadable, text};
use crate::ids::{AccountId, Arn, EventId};
use crate::json::at;

/// The fields that only CloudTrail fills; nothing of these names is taken from a notice.
const RECORD_FIELDS: [&str; 12] = [
    "errorCode",
    "errorMessage",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "awsRegion",
    "recipientAccountId",
    "requestParameters",
    "sharedEventID",
    "userAgent",
    "userIdentity",
];

/// The facts of a notice.
struct Notice {
    /// The identity of the notice, which is the same on every delivery.
    id: Vec<Option<String>>,
    region: Option<String>,
    time: Option<String>,
    name: String,
    service: &'static str,
    source_ip: Option<String>,
    identity: Option<Value>,
    parameters: Value,
}

/// Decodes a notice.
pub(super) fn decode(log: Log, envelope: &Value, standing: Standing) -> Result<Event, Unreadable> {
    let detail = at(envelope, "/detail");
    let account = account_in(log, detail).or_else(|| envelope["account"].as_str()?.parse().ok());
    let read = match log {
        Log::Health => health(detail, account.as_ref()),
        Log::GuardDuty => guard_duty(detail, account.as_ref()),
        Log::AccessAnalyzer => access_analyzer(detail, account.as_ref()),
        Log::CloudTrail => Err("the event is a record of CloudTrail, and no notice"),
    };
    let notice = match read {
        Ok(notice) => notice,
        Err(reason) => {
            return Err(Unreadable {
                id: super::identify(envelope),
                account,
                origin: standing.origin,
                distrust: standing.distrust,
                reason: reason.to_owned(),
            });
        }
    };
    let id = identify(log, &notice.id, account.as_ref()).unwrap_or_else(|| super::identify(envelope));
    let region = notice.region.or_else(|| text(&envelope["region"]));
    let time = notice.time.or_else(|| text(&envelope["time"]));
    let mut fields: Map<String, Value> = detail.as_object().cloned().unwrap_or_default();
    fields.retain(|name, _| !RECORD_FIELDS.contains(&name.as_str()));
    fields.insert("eventID".to_owned(), json!(id));
    fields.insert("eventName".to_owned(), json!(notice.name));
    fields.insert("eventSource".to_owned(), json!(notice.service));
    fields.insert("requestParameters".to_owned(), notice.parameters);
    let account_id = account.as_ref().map(AccountId::as_str);
    let mut identity = notice.identity;
    if let Some(identity) = identity.as_mut().and_then(Value::as_object_mut)
        && let Some(account) = account_id
    {
        identity.insert("accountId".to_owned(), json!(account));
    }
    let optional = [
        ("userIdentity", identity),
        ("recipientAccountId", account_id.map(|account| json!(account))),
        ("awsRegion", region.as_ref().map(|region| json!(region))),
        ("eventTime", time.as_ref().map(|time| json!(time))),
        ("sourceIPAddress", notice.source_ip.map(|ip| json!(ip))),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Ok(Event {
        id,
        log,
        shared_id: None,
        origin: standing.origin,
        distrust: standing.distrust,
        account,
        region,
        time: time.and_then(|time| time.parse().ok()),
        name: notice.name,
        service: notice.service.to_owned(),
        error_code: None,
        record: Value::Object(fields),
    })
}

/// The account that the notice is about, from the one field by which it is believed.
fn account_in(log: Log, detail: &Value) -> Option<AccountId> {
    let line = BELIEVED.iter().find(|line| line.log == log)?;
    detail[line.named_by].as_str()?.parse().ok()
}

/// An ARN of the account that the notice is about. One of another account names nobody there.
fn of_account(text: &str, account: Option<&AccountId>) -> Option<Arn> {
    text.parse::<Arn>().ok().filter(|arn| arn.account().as_ref() == account)
}

/// The id of a notice: the same on a redelivery, and in each Region to which it was sent. `None` where it lacks a part.
fn identify(log: Log, parts: &[Option<String>], account: Option<&AccountId>) -> Option<EventId> {
    let mut id = match log {
        Log::CloudTrail => "record".to_owned(),
        Log::Health => "health".to_owned(),
        Log::GuardDuty => "guardduty".to_owned(),
        Log::AccessAnalyzer => "access-analyzer".to_owned(),
    };
    for part in parts.iter().map(Option::as_deref).chain([account.map(AccountId::as_str)]) {
        id.push(':');
        id.push_str(part?);
    }
    Some(id.parse().unwrap_or_else(|_| EventId::from_content(id.as_bytes())))
}

/// AWS found credentials in public, or sees them misused.
fn health(detail: &Value, account: Option<&AccountId>) -> Result<Notice, &'static str> {
    let name =
        text(&detail["eventTypeCode"]).ok_or("the notice of AWS Health does not say what it is about (`eventTypeCode`)")?;
    let metadata = at(detail, "/eventMetadata");
    let entities: Vec<&str> =
        detail["affectedEntities"].as_array().into_iter().flatten().filter_map(|entity| entity["entityValue"].as_str()).collect();
    let key =
        [metadata["publicKey"].as_str()].into_iter().flatten().chain(entities.iter().copied()).find(|text| is_access_key(text));
    let arn = entities.iter().find_map(|entity| of_account(entity, account));
    let named = arn.as_ref().and_then(|arn| arn.resource().strip_prefix("user/")?.rsplit('/').next().map(str::to_owned));
    let user = text(&metadata["userName"]).or(named);
    let mut identity = Map::from_iter([("type".to_owned(), json!("IAMUser"))]);
    let mut parameters = Map::new();
    if let Some(key) = key {
        identity.insert("accessKeyId".to_owned(), json!(key));
        parameters.insert("accessKeyId".to_owned(), json!(key));
    }
    if let Some(user) = &user {
        identity.insert("userName".to_owned(), json!(user));
        parameters.insert("userName".to_owned(), json!(user));
    }
    if let Some(arn) = arn.filter(|arn| arn.resource().starts_with("user/")) {
        identity.insert("arn".to_owned(), json!(arn));
    }
    let known = key.is_some() || user.is_some();
    // A notice may come in pages, each with some of the entities; `communicationId` is the same in all of them.
    let page = text(&detail["page"]).unwrap_or_else(|| "1".to_owned());
    Ok(Notice {
        id: vec![text(&detail["communicationId"]), Some(page)],
        region: text(&detail["eventRegion"]),
        time: None,
        name,
        service: "health.amazonaws.com",
        source_ip: None,
        identity: known.then_some(Value::Object(identity)),
        parameters: Value::Object(parameters),
    })
}

/// `AKIA…` of a user, `ASIA…` of a session.
fn is_access_key(text: &str) -> bool {
    (text.starts_with("AKIA") || text.starts_with("ASIA")) && text.len() >= 14 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// GuardDuty sees credentials used in a way that their holder would not.
fn guard_duty(detail: &Value, account: Option<&AccountId>) -> Result<Notice, &'static str> {
    let name = text(&detail["type"]).ok_or("the finding of GuardDuty does not say what it is about (`type`)")?;
    let holder = at(detail, "/resource/accessKeyDetails");
    let user = text(&holder["userName"]);
    let key = text(&holder["accessKeyId"]);
    let mut parameters = Map::new();
    let identity = holder.is_object().then(|| {
        let kind = text(&holder["userType"]).unwrap_or_else(|| "IAMUser".to_owned());
        let kind = if kind == "Role" { "AssumedRole".to_owned() } else { kind };
        if let Some(user) = &user {
            let of = if kind == "AssumedRole" { "roleName" } else { "userName" };
            // Root has no name of IAM's, whatever the finding calls it.
            if matches!(kind.as_str(), "AssumedRole" | "IAMUser") {
                parameters.insert(of.to_owned(), json!(user));
            }
        }
        if let Some(key) = &key {
            parameters.insert("accessKeyId".to_owned(), json!(key));
        }
        holder_identity(&kind, user.as_deref(), key.as_deref(), text(&holder["principalId"]).as_deref(), account)
    });
    Ok(Notice {
        // GuardDuty sends a finding again when it sees more of the same: that is another event of the same case.
        id: vec![text(&detail["id"]), text(&detail["updatedAt"])],
        region: text(&detail["region"]),
        time: text(at(detail, "/service/eventLastSeen")).or_else(|| text(&detail["updatedAt"])),
        name,
        service: "guardduty.amazonaws.com",
        source_ip: source_ip(detail),
        identity,
        parameters: Value::Object(parameters),
    })
}

fn source_ip(detail: &Value) -> Option<String> {
    let call = at(detail, "/service/action/awsApiCallAction/remoteIpDetails");
    ["ipAddressV4", "ipAddressV6"].into_iter().find_map(|field| text(call.get(field)?))
}

fn holder_identity(
    kind: &str,
    user: Option<&str>,
    key: Option<&str>,
    unique: Option<&str>,
    account: Option<&AccountId>,
) -> Value {
    let mut identity = json!({ "type": kind });
    let Some(fields) = identity.as_object_mut() else { return Value::Null };
    let strings = [("userName", user), ("accessKeyId", key), ("principalId", unique)];
    fields.extend(strings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    if kind == "AssumedRole"
        && let Some(role) = user
    {
        fields.remove("userName");
        fields.insert("sessionContext".to_owned(), json!({"sessionIssuer": {"type": "Role", "userName": role}}));
        // The unique id of a session is the role's, a colon, and the session's name.
        if let (Some((_, session)), Some(account)) = (unique.and_then(|id| id.split_once(':')), account) {
            fields.insert("arn".to_owned(), json!(format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")));
        }
    }
    identity
}

/// IAM Access Analyzer sees something that can be reached from outside. It does not say who opened it.
fn access_analyzer(detail: &Value, account: Option<&AccountId>) -> Result<Notice, &'static str> {
    let resource =
        text(&detail["resource"]).ok_or("the finding of IAM Access Analyzer does not say what it is about (`resource`)")?;
    if text(&detail["status"]).is_none() {
        return Err("the finding of IAM Access Analyzer does not say whether it still holds (`status`)");
    }
    let named = of_account(&resource, account);
    let role = named.and_then(|arn| arn.resource().strip_prefix("role/")?.rsplit('/').next().map(str::to_owned));
    let parameters = role.map_or_else(|| json!({ "resource": resource }), |role| json!({ "roleName": role }));
    Ok(Notice {
        id: vec![text(&detail["id"]), text(&detail["updatedAt"]), text(&detail["status"])],
        region: text(&detail["region"]),
        time: text(&detail["updatedAt"]),
        name: "Access Analyzer Finding".to_owned(),
        service: "access-analyzer.amazonaws.com",
        source_ip: None,
        identity: None,
        parameters,
    })
}

#[cfg(test)]
mod tests;
