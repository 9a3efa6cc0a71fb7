//! Names as IAM compares them: without regard to the case of their letters.
//!
//! IAM keeps a name as it was written and finds it in any case: `ADMINS` and `admins` are one group, and there cannot be both. That
//! holds for users, groups, roles, managed policies and instance profiles ("IAM identifiers", IAM user guide), and so for the last
//! part of their ARNs. A caller chooses how an event spells a name. A path, an account and a unique id are compared exactly.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// A name in IAM. It keeps how it was written; equality, order and hash ignore the case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text for every spelling: for keys.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    fn letters(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        same_name(&self.0, &other.0)
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        same_name(&self.0, other)
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        same_name(&self.0, other)
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.letters().cmp(other.letters())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.letters().for_each(|letter| state.write_u8(letter));
        state.write_u8(0xff);
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&Name> for String {
    fn from(name: &Name) -> Self {
        name.0.clone()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// True for two spellings of one name. IAM's names are ASCII.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// True for two spellings of one ARN. Only a name of IAM has several: the last part of an ARN of that service.
#[must_use]
pub fn same_arn(a: &str, b: &str) -> bool {
    match (split(a), split(b)) {
        (Some((path_a, name_a)), Some((path_b, name_b))) => path_a == path_b && same_name(name_a, name_b),
        (None, _) | (_, None) => a == b,
    }
}

/// The same text for every spelling of an ARN: for keys.
#[must_use]
pub fn canonical_arn(arn: &str) -> String {
    match split(arn) {
        Some((path, name)) => format!("{path}{}", name.to_ascii_lowercase()),
        None => arn.to_owned(),
    }
}

/// What stands before the name in an ARN of IAM, and the name.
fn split(arn: &str) -> Option<(&str, &str)> {
    arn.strip_prefix("arn:")?.split(':').nth(1).filter(|service| *service == "iam")?;
    arn.rfind('/').and_then(|slash| arn.split_at_checked(slash + 1))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn every_spelling_is_one_name_and_is_kept_as_it_was_written() {
        let (a, b) = (Name::from("Admins"), Name::from("ADMINS"));
        assert!(a == b && a == "admins" && a.as_str() == "Admins" && a.canonical() == "admins");
        assert_ne!(a, Name::from("admins2"));
        assert_eq!(HashSet::from([a.clone(), b.clone()]).len(), 1);
        assert_eq!(BTreeSet::from([a, b, Name::from("Zoe"), Name::from("ada")]).len(), 3);
        assert_eq!(serde_json::to_string(&Name::from("Ada")).unwrap(), "\"Ada\"");
    }

    #[test]
    fn of_an_arn_the_name_alone_has_several_spellings() {
        let check = |a: &str, b: &str, same: bool| {
            assert_eq!(same_arn(a, b), same, "{a} {b}");
            assert_eq!(canonical_arn(a) == canonical_arn(b), same, "{a} {b}");
        };
        check("arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/ADMINISTRATORACCESS", true);
        check("arn:aws:iam::111111111111:user/ops/Ada", "arn:aws:iam::111111111111:user/ops/ada", true);
        check("arn:aws:iam::111111111111:user/ops/ada", "arn:aws:iam::111111111111:user/OPS/ada", false);
        check("arn:aws:iam::111111111111:user/ada", "arn:aws:iam::222222222222:user/ada", false);
        check("arn:aws:iam::111111111111:user/ada", "arn:aws:iam::111111111111:role/ada", false);
        check("arn:aws:cloudtrail:us-east-1:111111111111:trail/t", "arn:aws:cloudtrail:us-east-1:111111111111:trail/T", false);
        check("no/arn", "no/ARN", false);
        check("", "", true);
    }
}
