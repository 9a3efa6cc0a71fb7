//! The fields of a CloudTrail record that code asks for, by name.
//!
//! Every field of a record is somebody else's text: it may be absent, null or of another type. The deployed functions read a
//! parsed [`Value`]; `cordon replay` reads text in which it only looked up some fields, and implements [`Record`] for that. Both run
//! the same code over it.

use serde_json::Value;

/// A field that code asks for. Rules name others by their paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `errorCode`
    ErrorCode,
    /// `errorMessage`
    ErrorMessage,
    /// `eventID`
    EventId,
    /// `eventName`
    EventName,
    /// `eventSource`
    EventSource,
    /// `eventTime`
    EventTime,
    /// `recipientAccountId`
    RecipientAccountId,
    /// `requestParameters.accessKeyId`
    AskedAccessKeyId,
    /// `requestParameters.groupName`
    AskedGroupName,
    /// `requestParameters.inlinePolicy`
    AskedInlinePolicy,
    /// `requestParameters.managedPolicyArn`
    AskedManagedPolicyArn,
    /// `requestParameters.policyArn`
    AskedPolicyArn,
    /// `requestParameters.policyDocument`
    AskedPolicyDocument,
    /// `requestParameters.roleName`
    AskedRoleName,
    /// `requestParameters.assumeRolePolicyDocument`
    AskedTrustPolicy,
    /// `requestParameters.userName`
    AskedUserName,
    /// `responseElements`
    ResponseElements,
    /// `userAgent`
    UserAgent,
    /// `userIdentity.accessKeyId`
    ActorAccessKeyId,
    /// `userIdentity.accountId`
    ActorAccountId,
    /// `userIdentity.arn`
    ActorArn,
    /// `userIdentity.principalId`
    ActorPrincipalId,
    /// `userIdentity.type`
    ActorType,
    /// `userIdentity.userName`
    ActorUserName,
    /// `userIdentity.sessionContext.sessionIssuer.arn`
    IssuerArn,
    /// `userIdentity.sessionContext.sessionIssuer.principalId`
    IssuerPrincipalId,
    /// `userIdentity.sessionContext.sessionIssuer.userName`
    IssuerUserName,
}

impl Field {
    /// Every field, in the order of declaration.
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

    /// Its names from object to object, joined by dots.
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

    /// Its value in a parsed record, or null.
    #[must_use]
    pub fn of(self, record: &Value) -> &Value {
        let found = self.path().split('.').try_fold(record, |value, name| value.as_object()?.get(name));
        found.unwrap_or(&Value::Null)
    }
}

/// What a record tells of a field without being parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'r> {
    /// A string without escapes.
    Text(&'r str),
    /// `null`
    Null,
    /// The record does not have it.
    Absent,
    /// Anything else, or the field was not looked up: only [`Record::value`] tells.
    Unparsed,
}

/// A record whose fields are asked for one by one.
pub trait Record {
    /// The parsed record.
    fn value(&self) -> &Value;

    /// Looks a field up. By default it tells nothing, so that callers go on to [`Self::value`].
    fn lookup(&self, field: Field) -> Lookup<'_> {
        let _ = field;
        Lookup::Unparsed
    }

    /// Looks up the field at a path of a rule, names from object to object joined by dots. As in Sigma, a key that reads like the
    /// whole path comes first.
    fn lookup_path(&self, path: &str) -> Lookup<'_> {
        let _ = path;
        Lookup::Unparsed
    }

    /// The text of a field; `None` for anything else.
    fn text(&self, field: Field) -> Option<&str> {
        match self.lookup(field) {
            Lookup::Text(text) => Some(text),
            Lookup::Null | Lookup::Absent => None,
            Lookup::Unparsed => field.of(self.value()).as_str(),
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
