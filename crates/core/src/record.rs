//! A CloudTrail record, however it is held: as a JSON value, or as text of which only some fields were looked up.
//!
//! Every field of a record is somebody else's text and may be absent, null or of another type.

use serde_json::Value;

/// The fields that code asks for. Rules ask for others, by their paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    ErrorCode,
    ErrorMessage,
    EventId,
    EventName,
    EventSource,
    EventTime,
    RecipientAccountId,
    AskedAccessKeyId,
    AskedGroupName,
    AskedInlinePolicy,
    AskedManagedPolicyArn,
    AskedPolicyArn,
    AskedPolicyDocument,
    AskedRoleName,
    AskedTrustPolicy,
    AskedUserName,
    ResponseElements,
    UserAgent,
    ActorAccessKeyId,
    ActorAccountId,
    ActorArn,
    ActorPrincipalId,
    ActorType,
    ActorUserName,
    IssuerArn,
    IssuerPrincipalId,
    IssuerUserName,
}

impl Field {
    /// In the order of their declaration.
    pub const ALL: [Self; 27] = [
        Self::ErrorCode,
        Self::ErrorMessage,
        Self::EventId,
        Self::EventName,
        Self::EventSource,
        Self::EventTime,
        Self::RecipientAccountId,
        Self::AskedAccessKeyId,
        Self::AskedGroupName,
        Self::AskedInlinePolicy,
        Self::AskedManagedPolicyArn,
        Self::AskedPolicyArn,
        Self::AskedPolicyDocument,
        Self::AskedRoleName,
        Self::AskedTrustPolicy,
        Self::AskedUserName,
        Self::ResponseElements,
        Self::UserAgent,
        Self::ActorAccessKeyId,
        Self::ActorAccountId,
        Self::ActorArn,
        Self::ActorPrincipalId,
        Self::ActorType,
        Self::ActorUserName,
        Self::IssuerArn,
        Self::IssuerPrincipalId,
        Self::IssuerUserName,
    ];

    /// The names from object to object.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::ErrorCode => "errorCode",
            Self::ErrorMessage => "errorMessage",
            Self::EventId => "eventID",
            Self::EventName => "eventName",
            Self::EventSource => "eventSource",
            Self::EventTime => "eventTime",
            Self::RecipientAccountId => "recipientAccountId",
            Self::AskedAccessKeyId => "requestParameters.accessKeyId",
            Self::AskedGroupName => "requestParameters.groupName",
            Self::AskedInlinePolicy => "requestParameters.inlinePolicy",
            Self::AskedManagedPolicyArn => "requestParameters.managedPolicyArn",
            Self::AskedPolicyArn => "requestParameters.policyArn",
            Self::AskedPolicyDocument => "requestParameters.policyDocument",
            Self::AskedRoleName => "requestParameters.roleName",
            Self::AskedTrustPolicy => "requestParameters.assumeRolePolicyDocument",
            Self::AskedUserName => "requestParameters.userName",
            Self::ResponseElements => "responseElements",
            Self::UserAgent => "userAgent",
            Self::ActorAccessKeyId => "userIdentity.accessKeyId",
            Self::ActorAccountId => "userIdentity.accountId",
            Self::ActorArn => "userIdentity.arn",
            Self::ActorPrincipalId => "userIdentity.principalId",
            Self::ActorType => "userIdentity.type",
            Self::ActorUserName => "userIdentity.userName",
            Self::IssuerArn => "userIdentity.sessionContext.sessionIssuer.arn",
            Self::IssuerPrincipalId => "userIdentity.sessionContext.sessionIssuer.principalId",
            Self::IssuerUserName => "userIdentity.sessionContext.sessionIssuer.userName",
        }
    }

    /// What stands there in a record, or null.
    #[must_use]
    pub fn of(self, record: &Value) -> &Value {
        let found = self.path().split('.').try_fold(record, |value, name| value.as_object()?.get(name));
        found.unwrap_or(&Value::Null)
    }
}

/// What is known of a field without a look at the whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'r> {
    Text(&'r str),
    Null,
    Absent,
    /// It is something else, or nobody has looked: the value tells.
    Unknown,
}

/// A record whose fields are asked for one by one.
pub trait Record {
    /// All of it.
    fn value(&self) -> &Value;

    /// What is known of a field.
    fn known(&self, field: Field) -> Known<'_> {
        let _ = field;
        Known::Unknown
    }

    /// What is known of what stands at a path of names from object to object, as a rule has it. A key of the record that reads like
    /// the whole path comes first, which is how Sigma looks for fields.
    fn known_at(&self, path: &str) -> Known<'_> {
        let _ = path;
        Known::Unknown
    }

    /// The text of a field; `None` for anything else.
    fn text(&self, field: Field) -> Option<&str> {
        match self.known(field) {
            Known::Text(text) => Some(text),
            Known::Null | Known::Absent => None,
            Known::Unknown => field.of(self.value()).as_str(),
        }
    }
}

impl Record for Value {
    fn value(&self) -> &Value {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_is_found_through_objects_and_is_a_text_or_nothing() {
        let check = |record: Value, expected: Option<&str>| assert_eq!(record.text(Field::ActorArn), expected, "{record}");
        check(json!({"userIdentity": {"arn": "x"}, "userIdentity.arn": "flat"}), Some("x"));
        check(json!({"userIdentity.arn": "flat"}), None);
        check(json!({"userIdentity": {"arn": null}}), None);
        check(json!({"userIdentity": {"arn": ["x"]}}), None);
        check(json!({"userIdentity": [{"arn": "x"}]}), None);
        check(json!({"userIdentity": "x"}), None);
        check(json!([]), None);
    }

    #[test]
    fn each_field_stands_once_and_in_its_place() {
        for (place, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!(field as usize, place, "{field:?}");
            assert_eq!(Field::ALL.iter().filter(|other| other.path() == field.path()).count(), 1, "{field:?}");
        }
    }
}
