//! Identifiers as newtypes. Each is checked when it is made or decoded, so no other module checks it again.

use std::fmt;
use std::str::FromStr;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// An identifier that does not have the shape its type promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {expected}")]
pub struct InvalidId {
    value: String,
    expected: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($text:ty), $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name($text);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// True for a text that is one.
            #[must_use]
            pub fn is_valid(value: &str) -> bool {
                let valid: fn(&str) -> bool = $valid;
                valid(value)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(value: &str) -> Result<Self, InvalidId> {
                let text = if Self::is_valid(value) { value.try_into().ok() } else { None };
                text.map(Self).ok_or_else(|| InvalidId { value: value.chars().take(120).collect(), expected: $expected })
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(value: String) -> Result<Self, InvalidId> {
                value.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// An AWS account: twelve digits.
    AccountId(ArrayString<12>),
    "an account id of twelve digits",
    |v| v.len() == 12 && v.bytes().all(|b| b.is_ascii_digit())
);

id!(
    /// An Amazon Resource Name: `arn:partition:service:region:account:resource`.
    Arn(String),
    "an ARN of the form `arn:partition:service:region:account:resource`",
    |v| ArnParts::of(v).is_some()
);

id!(
    /// CloudTrail's `eventID`, or what stands for it where a record has none: at most 128 visible characters.
    EventId(String),
    "an event id of 1 to 128 visible ASCII characters",
    |v| (1..=128).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_graphic())
);

id!(
    /// A rule's name: lower-case letters, digits, `-` and `_`, at most 128.
    RuleId(String),
    "a rule id of 1 to 128 lower-case letters, digits, `-` or `_`",
    |v| {
        (1..=128).contains(&v.len())
            && v.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    }
);

id!(
    /// An incident: `inc-` and 20 hexadecimal digits, the same for the same account and event however often it is retried.
    IncidentId(String),
    "an incident id of the form `inc-` and 20 hexadecimal digits",
    |v| v.strip_prefix("inc-").is_some_and(|hex| hex.len() == 20 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
);

id!(
    /// A recorded exception: `exc-` and 12 hexadecimal digits.
    ExceptionId(String),
    "an exception id of the form `exc-` and 12 hexadecimal digits",
    |v| v.strip_prefix("exc-").is_some_and(|hex| hex.len() == 12 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
);

impl RuleId {
    /// The rule that nobody can switch off: one of Cordon's own roles made a call that Cordon had not announced. It is not among
    /// those of the deployment.
    #[must_use]
    pub fn role_misused() -> Self {
        Self("cordon-role-misused".to_owned())
    }
}

impl ExceptionId {
    /// The id of an exception with this content: recorded twice at the same moment, it is the same one.
    #[must_use]
    pub fn derive(content: &[u8]) -> Self {
        let digest = hex::encode(Sha256::digest(content));
        Self(format!("exc-{}", digest.get(..12).unwrap_or_default()))
    }
}

impl IncidentId {
    /// Derives the id from the account and the event, so that every retry of the same event finds the same incident.
    #[must_use]
    pub fn derive(account: Option<&AccountId>, event: &EventId) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(account.map_or("unknown", AccountId::as_str));
        hasher.update(b"|");
        hasher.update(event.as_str());
        let digest = hex::encode(hasher.finalize());
        Self(format!("inc-{}", digest.get(..20).unwrap_or_default()))
    }
}

impl EventId {
    /// The id of an event that anybody may have sent, in a room of its own: such an event chooses its id, and must not take the place
    /// of one of AWS's.
    #[must_use]
    pub fn untrusted(&self) -> Self {
        let apart = format!("untrusted:{self}");
        apart.parse().unwrap_or_else(|_| Self::from_content(apart.as_bytes()))
    }

    /// Stands for an event that carries no usable id: the hash of its content, so that a redelivery still finds its claim.
    #[must_use]
    pub fn from_content(content: &[u8]) -> Self {
        Self(format!("sha256-{}", hex::encode(Sha256::digest(content))))
    }
}

/// The parts of an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArnParts<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    account: &'a str,
    /// The part behind the fifth colon, such as `user/division/name`.
    pub resource: &'a str,
}

impl<'a> ArnParts<'a> {
    /// `None` for a text that is no ARN.
    #[must_use]
    pub fn of(text: &'a str) -> Option<Self> {
        let (partition, rest) = text.strip_prefix("arn:")?.split_once(':')?;
        let (service, rest) = rest.split_once(':')?;
        let (_region, rest) = rest.split_once(':')?;
        let (account, resource) = rest.split_once(':')?;
        let fits = partition.starts_with("aws") && !service.is_empty() && !resource.is_empty() && text.len() <= 2048;
        fits.then_some(Self { partition, account, resource })
    }

    /// The account in the ARN; `None` for AWS-managed resources (`arn:aws:iam::aws:policy/…`) and those without one.
    #[must_use]
    pub fn account(self) -> Option<AccountId> {
        self.account.parse().ok()
    }
}

impl Arn {
    fn parts(&self) -> ArnParts<'_> {
        // INVARIANT: an ARN has its parts.
        ArnParts::of(&self.0).unwrap_or_default()
    }

    /// As [`ArnParts::account`].
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.parts().account()
    }

    /// The part behind the fifth colon, such as `user/division/name`.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.parts().resource
    }

    /// The path of a principal or policy of IAM, such as `/` or `/division/`; `None` where the resource has no name.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let (_, rest) = self.resource().split_once('/')?;
        let (path, _) = rest.rsplit_once('/').unwrap_or_default();
        Some(if path.is_empty() { "/".to_owned() } else { format!("/{path}/") })
    }

    /// `aws`, `aws-cn`, `aws-us-gov`.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.parts().partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_wrong_shape_are_refused_by_name() {
        assert!("12345678901".parse::<AccountId>().is_err());
        assert!("1234567890ab".parse::<AccountId>().is_err());
        assert!("arn:aws:iam::123456789012:user/a".parse::<Arn>().is_ok());
        assert!("arn:aws:iam::123456789012:".parse::<Arn>().is_err());
        assert!("iam::123456789012:user/a".parse::<Arn>().is_err());
        assert!("inc-0123456789abcdef012".parse::<IncidentId>().is_err());
        assert!("".parse::<EventId>().is_err());
        assert!("exc-0123456789ab".parse::<ExceptionId>().is_ok() && "exc-0123456789aB".parse::<ExceptionId>().is_err());
        assert!(ExceptionId::derive(b"x").as_str().parse::<ExceptionId>().is_ok());
        assert_eq!(RuleId::role_misused().as_str().parse::<RuleId>().unwrap(), RuleId::role_misused());
        let error = "x y".parse::<RuleId>().unwrap_err().to_string();
        assert!(error.contains("`x y`"), "{error}");
    }

    #[test]
    fn an_incident_id_is_the_same_on_every_retry_and_differs_by_account() {
        let event: EventId = "1-2-3".parse().unwrap();
        let a: AccountId = "111111111111".parse().unwrap();
        let b: AccountId = "222222222222".parse().unwrap();
        assert_eq!(IncidentId::derive(Some(&a), &event), IncidentId::derive(Some(&a), &event));
        assert_ne!(IncidentId::derive(Some(&a), &event), IncidentId::derive(Some(&b), &event));
        assert!(IncidentId::derive(None, &event).as_str().parse::<IncidentId>().is_ok());
    }
}
