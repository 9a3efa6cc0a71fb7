//! Turns the emulator's record of a call into the one that CloudTrail would have written.
//!
//! The emulator keeps the request as it was sent (`Action`, `UserName`, `Tags.member.1.Key`) under a name such as `POST.iam`. It
//! keeps neither the response nor whether the call succeeded, and nothing of calls that IAM refused. So `responseElements` is null
//! but for the one that `answers` finds out, and a call that failed for another reason (such as a name that exists already) looks
//! successful. Tests that need either one write their own records.

use serde_json::{Map, Value, json};

/// Parameters that CloudTrail writes as numbers.
const NUMBERS: [&str; 5] =
    ["durationSeconds", "maxSessionDuration", "maxPasswordAge", "minimumPasswordLength", "passwordReusePrevention"];
/// Parameters that CloudTrail writes as booleans.
const BOOLEANS: [&str; 8] = [
    "setAsDefault",
    "passwordResetRequired",
    "allowUsersToChangePassword",
    "hardExpiry",
    "requireLowercaseCharacters",
    "requireNumbers",
    "requireSymbols",
    "requireUppercaseCharacters",
];
/// What the emulator puts in the place of a secret. CloudTrail leaves such parameters out.
const REDACTED: &str = "***REDACTED***";
/// Read-only calls that EventBridge delivers all the same.
const DELIVERED_READS: [&str; 6] =
    ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetFederationToken", "GetSessionToken", "AssumeRoot"];

/// A call as the emulator recorded it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The `eventID` that the emulator gave the call.
    pub event_id: String,
    /// `iam`, `sts`, …
    pub service: String,
    /// The API's name for the call, such as `AttachUserPolicy`.
    pub action: String,
    /// The key that the call was made with.
    pub access_key_id: String,
    account: String,
    region: String,
    time: String,
    request_id: String,
    user_agent: String,
    source_ip: String,
    pub(super) parameters: Value,
}

impl Recorded {
    /// Reads the `CloudTrailEvent` text of a `LookupEvents` answer; `None` where it lacks what every record has.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let record: Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut parameters = record.get("requestParameters").and_then(Value::as_object).cloned().unwrap_or_default();
        let (action, parameters) = match parameters.remove("Action") {
            Some(action) => {
                parameters.remove("Version");
                (first_text(&action), from_query(&parameters))
            }
            None => (field("eventName")?, from_json(parameters.into())),
        };
        Some(Self {
            event_id: field("eventID")?,
            service: field("eventSource")?.strip_suffix(".amazonaws.com")?.to_owned(),
            action,
            access_key_id: record.get("userIdentity")?.get("accessKeyId")?.as_str()?.to_owned(),
            account: field("recipientAccountId")?,
            region: field("awsRegion").unwrap_or_else(|| crate::aws::REGION.to_owned()),
            time: field("eventTime")?,
            request_id: field("requestID").unwrap_or_default(),
            user_agent: field("userAgent").unwrap_or_default(),
            source_ip: field("sourceIPAddress").unwrap_or_default(),
            parameters: if parameters.as_object().is_some_and(Map::is_empty) { Value::Null } else { parameters },
        })
    }

    /// Whether CloudTrail calls it a read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        let reads = ["Get", "List", "Describe", "Head", "Simulate", "Generate", "AssumeRole", "Decode"];
        reads.iter().any(|prefix| self.action.starts_with(prefix))
    }

    /// Whether an enabled EventBridge rule would get to see it: writes, and the calls that give out credentials.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        !self.is_read_only() || DELIVERED_READS.contains(&self.action.as_str())
    }

    /// The account that the call was made in. 12 digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// When the call was made, as the emulator wrote its `eventTime`.
    #[must_use]
    pub fn time(&self) -> &str {
        &self.time
    }

    /// The record, with `identity` as its `userIdentity` and `answer` as its `responseElements`.
    #[must_use]
    pub fn into_cloudtrail(self, identity: Value, answer: Value) -> Value {
        let read_only = self.is_read_only();
        json!({
            "eventVersion": "1.11",
            "userIdentity": identity,
            "eventTime": self.time,
            "eventSource": format!("{}.amazonaws.com", self.service),
            "eventName": self.action,
            "awsRegion": self.region,
            "sourceIPAddress": self.source_ip,
            "userAgent": self.user_agent,
            "requestParameters": self.parameters,
            "responseElements": answer,
            "requestID": self.request_id,
            "eventID": self.event_id,
            "readOnly": read_only,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": self.account,
            "eventCategory": "Management",
        })
    }
}

/// The form of the query protocol as CloudTrail nests and names it: `Tags.member.1.Key` becomes `tags: [{key}]`.
fn from_query(form: &Map<String, Value>) -> Value {
    let mut root = Node::default();
    for (name, value) in form {
        let text = first_text(value);
        if text != REDACTED {
            root.insert(&name.split('.').collect::<Vec<_>>(), text);
        }
    }
    root.into_object().into()
}

/// The body of a JSON protocol: its own types, CloudTrail's names.
fn from_json(body: Value) -> Value {
    match body {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| value.as_str() != Some(REDACTED))
            .map(|(name, value)| (lower_camel(&name), from_json(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(from_json).collect(),
        other => other,
    }
}

/// The tree that the dotted names of the query protocol spell out.
#[derive(Default)]
struct Node {
    value: Option<String>,
    children: Vec<(String, Node)>,
}

impl Node {
    fn insert(&mut self, path: &[&str], value: String) {
        let Some((first, rest)) = path.split_first() else {
            self.value = Some(value);
            return;
        };
        let index = self.children.iter().position(|(name, _)| name == first).unwrap_or_else(|| {
            self.children.push(((*first).to_owned(), Node::default()));
            self.children.len() - 1
        });
        if let Some((_, child)) = self.children.get_mut(index) {
            child.insert(rest, value);
        }
    }

    fn into_value(mut self, name: &str) -> Value {
        if let Some(value) = self.value.take() {
            return typed(name, value);
        }
        let is_list = self.children.len() == 1 && self.children.first().is_some_and(|(name, _)| name == "member");
        match self.children.pop() {
            Some((_, member)) if is_list => member.into_list(),
            Some(last) => {
                self.children.push(last);
                Value::Object(self.into_object())
            }
            None => Value::Null,
        }
    }

    /// Children named `1`, `2`, … in the order of their numbers.
    fn into_list(mut self) -> Value {
        self.children.sort_by_key(|(name, _)| name.parse::<u32>().unwrap_or(u32::MAX));
        self.children.into_iter().map(|(_, child)| child.into_value("")).collect()
    }

    fn into_object(self) -> Map<String, Value> {
        self.children
            .into_iter()
            .map(|(name, child)| {
                let name = lower_camel(&name);
                let value = child.into_value(&name);
                (name, value)
            })
            .collect()
    }
}

/// The query protocol has only text; CloudTrail writes some of it as numbers and booleans.
fn typed(name: &str, text: String) -> Value {
    if NUMBERS.contains(&name)
        && let Ok(number) = text.parse::<i64>()
    {
        return number.into();
    }
    if BOOLEANS.contains(&name)
        && let Ok(boolean) = text.parse::<bool>()
    {
        return boolean.into();
    }
    text.into()
}

/// A form may carry a name twice; AWS takes the first.
fn first_text(value: &Value) -> String {
    let value = value.as_array().and_then(|items| items.first()).unwrap_or(value);
    value.as_str().unwrap_or_default().to_owned()
}

/// `UserName` to `userName`; also `SAMLMetadataDocument` to `sAMLMetadataDocument`, as CloudTrail has it.
fn lower_camel(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(parameters: Value) -> Recorded {
        let text = json!({
            "eventVersion": "1.08",
            "userIdentity": {"type": "IAMUser", "accessKeyId": "AKIA1"},
            "eventTime": "2025-01-02T03:04:05Z",
            "eventSource": "iam.amazonaws.com",
            "eventName": "POST.iam",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "127.0.0.1",
            "userAgent": "aws-cli/2",
            "requestParameters": parameters,
            "responseElements": null,
            "requestID": "r-1",
            "eventID": "e-1",
            "eventType": "AwsApiCall",
            "readOnly": "false",
            "recipientAccountId": "111122223333",
        });
        Recorded::read(&text.to_string()).unwrap()
    }

    #[test]
    fn wire_parameters_become_cloudtrails() {
        let cases = [
            (
                json!({"Action": "AttachUserPolicy", "Version": "2010-05-08", "UserName": "mallory", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
                json!({"userName": "mallory", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
            ),
            (
                json!({"Action": "PutUserPolicy", "UserName": "m", "PolicyName": "p", "PolicyDocument": "{\"Version\":\"2012-10-17\"}"}),
                json!({"userName": "m", "policyName": "p", "policyDocument": "{\"Version\":\"2012-10-17\"}"}),
            ),
            (
                json!({"Action": "TagUser", "UserName": "m", "Tags.member.2.Key": "b", "Tags.member.2.Value": "2", "Tags.member.1.Key": "a", "Tags.member.1.Value": "1"}),
                json!({"userName": "m", "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]}),
            ),
            (
                json!({"Action": "UntagUser", "UserName": "m", "TagKeys.member.1": "a"}),
                json!({"userName": "m", "tagKeys": ["a"]}),
            ),
            (
                json!({"Action": "CreateRole", "RoleName": "r", "AssumeRolePolicyDocument": "{}", "MaxSessionDuration": "3600"}),
                json!({"roleName": "r", "assumeRolePolicyDocument": "{}", "maxSessionDuration": 3600}),
            ),
            (
                json!({"Action": "CreatePolicyVersion", "PolicyArn": "a", "PolicyDocument": "{}", "SetAsDefault": "true"}),
                json!({"policyArn": "a", "policyDocument": "{}", "setAsDefault": true}),
            ),
            (
                json!({"Action": "CreateLoginProfile", "UserName": "m", "Password": "***REDACTED***", "PasswordResetRequired": "false"}),
                json!({"userName": "m", "passwordResetRequired": false}),
            ),
            (
                json!({"Action": "AssumeRole", "RoleArn": "a", "RoleSessionName": "s", "PolicyArns.member.1.arn": "p", "DurationSeconds": "900"}),
                json!({"roleArn": "a", "roleSessionName": "s", "policyArns": [{"arn": "p"}], "durationSeconds": 900}),
            ),
            (json!({"Action": "CreateSAMLProvider", "SAMLMetadataDocument": "x"}), json!({"sAMLMetadataDocument": "x"})),
            (json!({"Action": "CreateUser", "UserName": ["first", "second"]}), json!({"userName": "first"})),
            (json!({"Action": "CreateAccessKey", "Version": "2010-05-08"}), Value::Null),
        ];
        for (wire, expected) in cases {
            let record = recorded(wire.clone()).into_cloudtrail(json!({}), Value::Null);
            assert_eq!(record["requestParameters"], expected, "{wire}");
            assert_eq!(record["eventName"], wire["Action"]);
        }
    }

    #[test]
    fn a_json_protocols_parameters_keep_their_types() {
        let body = json!({"SecretId": "s", "RecoveryWindowInDays": 7, "Tags": [{"Key": "a", "Value": "1"}], "Names": ["a", "b"]});
        assert_eq!(
            recorded(body).into_cloudtrail(json!({}), Value::Null)["requestParameters"],
            json!({"secretId": "s", "recoveryWindowInDays": 7, "tags": [{"key": "a", "value": "1"}], "names": ["a", "b"]})
        );
    }

    #[test]
    fn a_record_has_what_cloudtrail_writes_and_keeps_the_ids() {
        let record =
            recorded(json!({"Action": "CreateUser", "UserName": "x"})).into_cloudtrail(json!({"type": "IAMUser"}), Value::Null);
        assert_eq!(
            record,
            json!({
                "eventVersion": "1.11",
                "userIdentity": {"type": "IAMUser"},
                "eventTime": "2025-01-02T03:04:05Z",
                "eventSource": "iam.amazonaws.com",
                "eventName": "CreateUser",
                "awsRegion": "us-east-1",
                "sourceIPAddress": "127.0.0.1",
                "userAgent": "aws-cli/2",
                "requestParameters": {"userName": "x"},
                "responseElements": null,
                "requestID": "r-1",
                "eventID": "e-1",
                "readOnly": false,
                "eventType": "AwsApiCall",
                "managementEvent": true,
                "recipientAccountId": "111122223333",
                "eventCategory": "Management",
            })
        );
        assert!(record.get("errorCode").is_none(), "on success the key is absent, not null");
    }

    #[test]
    fn reads_are_not_delivered_but_new_credentials_are() {
        for (action, delivered) in [
            ("GetUser", false),
            ("ListAttachedUserPolicies", false),
            ("GetCallerIdentity", false),
            ("SimulatePrincipalPolicy", false),
            ("CreateUser", true),
            ("DetachUserPolicy", true),
            ("AssumeRole", true),
            ("GetSessionToken", true),
            ("GetFederationToken", true),
        ] {
            assert_eq!(recorded(json!({"Action": action})).is_delivered(), delivered, "{action}");
        }
    }

    #[test]
    fn what_is_not_a_record_is_passed_over() {
        for text in ["", "null", "[]", "{}", "{\"eventID\":\"e\",\"eventName\":\"x\"}"] {
            assert_eq!(Recorded::read(text), None, "{text}");
        }
    }
}
