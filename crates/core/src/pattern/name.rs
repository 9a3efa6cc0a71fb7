//! A pattern that exempts somebody, protects them from being changed, or says who a person is: it names the account and the path.
//!
//! INVARIANT: a [`NamePattern`] has its wildcards in the name alone, and they never stand for a `/`. A user's path can be changed and a
//! new role's is chosen by whoever makes it, and in an account of their own anybody has every name. So a pattern with a wildcard
//! there would be fitted by whoever wants to. A text of that kind cannot become a `NamePattern`, so no list can hold one.

use std::fmt;
use std::str::FromStr;

use super::{ARN_PARTS, fits};
use crate::ids::AccountId;

/// An ARN with literal partition, account, type and path, and with `*` in its name at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    text: String,
    kind: NamedKind,
}

/// What a [`NamePattern`] can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedKind {
    /// An IAM user.
    User,
    /// A role.
    Role,
    /// A group of users.
    Group,
    /// A managed policy.
    Policy,
    /// A trail of CloudTrail.
    Trail,
    /// A session of a role of Identity Center, which gives the session the name of the person.
    Session,
    /// The root user.
    Root,
}

impl NamedKind {
    /// Everything that Cordon changes.
    pub const CHANGED: &'static [Self] = &[Self::User, Self::Role, Self::Group, Self::Policy, Self::Trail];
    /// Whom an exception can be for.
    pub const EXEMPT: &'static [Self] = &[Self::User, Self::Role];
    /// What a person can act as.
    pub const PEOPLE: &'static [Self] = &[Self::User, Self::Role, Self::Session, Self::Root];
    /// What automation acts as.
    pub const AUTOMATION: &'static [Self] = &[Self::Role];

    /// The kind of a service and of the first part of a resource.
    fn of(service: &str, first: &str, has_more: bool) -> Option<Self> {
        match (service, first, has_more) {
            ("iam", "user", true) => Some(Self::User),
            ("iam", "role", true) => Some(Self::Role),
            ("iam", "group", true) => Some(Self::Group),
            ("iam", "policy", true) => Some(Self::Policy),
            ("iam", "root", false) => Some(Self::Root),
            ("cloudtrail", "trail", true) => Some(Self::Trail),
            ("sts", "assumed-role", true) => Some(Self::Session),
            _ => None,
        }
    }
}

impl fmt::Display for NamedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Role => "role",
            Self::Group => "group",
            Self::Policy => "policy",
            Self::Trail => "trail",
            Self::Session => "session of Identity Center",
            Self::Root => "root user",
        })
    }
}

/// Why a text does not name an account and a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamePatternError {
    /// It has not the six parts of an ARN.
    #[error("is not an ARN pattern")]
    NotAnArn,
    /// The partition is not literal.
    #[error("does not write out its partition")]
    Partition,
    /// The account is not literal, or is missing.
    #[error("does not name one account, and in an account of their own anybody has every name")]
    Account,
    /// The region is not the one that an ARN of the service has.
    #[error("does not have the region of its service")]
    Region,
    /// It names nothing of a kind that the list is about.
    #[error("does not name a {}", or(.0))]
    Kind(&'static [NamedKind]),
    /// There is a wildcard in the path.
    #[error("has a wildcard in its path, and whoever makes or moves a user, role, group or policy chooses the path")]
    Path,
    /// The name fits whatever somebody calls theirs.
    #[error("fits every name, also that of one that somebody makes")]
    EveryName,
    /// The name has a character that no name has.
    #[error("has a name with `{0}`, which no name has")]
    NameText(char),
    /// A session of a role that is not one of Identity Center's.
    #[error("names a session of a role, and whoever assumes an ordinary role chooses the session's name")]
    ChosenSession,
    /// It is under Identity Center's path and names no permission set.
    #[error("does not name one permission set of Identity Center")]
    PermissionSet,
    /// It has a name of Identity Center's roles and another path.
    #[error("has a name of Identity Center's roles without their path, so it fits only what somebody else made")]
    NotIdentityCenter,
}

impl NamePatternError {
    /// What to write in place of a pattern.
    #[must_use]
    pub fn fix(&self, pattern: &str) -> String {
        match self {
            Self::NotAnArn => "write it like `arn:aws:iam::111122223333:user/ada`".to_owned(),
            Self::Partition => format!("write `{}`", with_part(pattern, 1, "aws")),
            Self::Account => {
                format!("write the account's twelve digits, a line for each account: `{}`", with_part(pattern, 4, "111122223333"))
            }
            Self::Region => {
                "write none for IAM and STS, and one for a trail: `arn:aws:cloudtrail:us-east-1:111122223333:trail/name`".to_owned()
            }
            Self::Kind(kinds) => {
                let examples: Vec<String> = kinds.iter().map(|kind| format!("`{}`", example(*kind))).collect();
                format!("write it like {}", examples.join(", or "))
            }
            Self::Path if pattern.contains(IDENTITY_CENTER) => identity_center(),
            Self::Path => {
                "write the path in full, a line for each path; `*` can stand behind the last `/` only, for a part of the name".to_owned()
            }
            Self::EveryName => "write the name, or what it begins with: `break-glass-*`".to_owned(),
            Self::NameText('?') => "write `*`, the only wildcard".to_owned(),
            Self::NameText(_) => "write the name as IAM has it".to_owned(),
            Self::ChosenSession => {
                "write the role itself where it is one person's alone, `arn:aws:iam::111122223333:role/ada`, or a session of Identity \
                 Center, `arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_NAME_*/ada@example.com`"
                    .to_owned()
            }
            Self::PermissionSet | Self::NotIdentityCenter => identity_center(),
        }
    }
}

/// The path of Identity Center's roles. Only AWS makes roles there.
const IDENTITY_CENTER: &str = "role/aws-reserved/sso.amazonaws.com/";
/// What the names of those roles begin with. The permission set and a suffix of Identity Center's follow.
const PERMISSION_SET: &str = "AWSReservedSSO_";

fn identity_center() -> String {
    format!(
        "write permission set and region: `arn:aws:iam::111122223333:{IDENTITY_CENTER}eu-west-1/{PERMISSION_SET}NAME_*`, without the region \
         where Identity Center is in us-east-1"
    )
}

fn example(kind: NamedKind) -> &'static str {
    match kind {
        NamedKind::User => "arn:aws:iam::111122223333:user/ada",
        NamedKind::Role => "arn:aws:iam::111122223333:role/ci/deploy",
        NamedKind::Group => "arn:aws:iam::111122223333:group/admins",
        NamedKind::Policy => "arn:aws:iam::111122223333:policy/base",
        NamedKind::Trail => "arn:aws:cloudtrail:us-east-1:111122223333:trail/name",
        NamedKind::Session => "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_NAME_*/ada@example.com",
        NamedKind::Root => "arn:aws:iam::111122223333:root",
    }
}

fn or(kinds: &[NamedKind]) -> String {
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// The pattern with another text as one of its parts.
fn with_part(pattern: &str, n: usize, text: &str) -> String {
    let parts = pattern.splitn(ARN_PARTS, ':').enumerate().map(|(at, part)| if at == n { text } else { part });
    parts.collect::<Vec<_>>().join(":")
}

impl FromStr for NamePattern {
    type Err = NamePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(ARN_PARTS, ':').collect();
        let &["arn", partition, service, region, account, resource] = parts.as_slice() else {
            return Err(NamePatternError::NotAnArn);
        };
        let is_partition = partition == "aws" || partition.strip_prefix("aws-").is_some_and(is_word);
        if !is_partition {
            return Err(NamePatternError::Partition);
        }
        if !AccountId::is_valid(account) {
            return Err(NamePatternError::Account);
        }
        let (first, rest) = resource.split_once('/').map_or((resource, None), |(first, rest)| (first, Some(rest)));
        let kind = NamedKind::of(service, first, rest.is_some()).ok_or(NamePatternError::Kind(ALL))?;
        let has_region = if kind == NamedKind::Trail { is_word(region) } else { region.is_empty() };
        if !has_region {
            return Err(NamePatternError::Region);
        }
        if let Some(rest) = rest {
            let (path, name) = rest.rsplit_once('/').map_or(("", rest), |(path, name)| (path, name));
            match kind {
                NamedKind::Session => session(path)?,
                _ if path.contains(['*', '?']) => return Err(NamePatternError::Path),
                NamedKind::Role => role(resource, name)?,
                _ => {}
            }
            if let Some(found) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"*+=,.@_-".contains(*c)) {
                return Err(NamePatternError::NameText(found));
            }
            if !name.contains(|c: char| c.is_ascii_alphanumeric()) {
                return Err(NamePatternError::EveryName);
            }
        }
        Ok(Self { text: text.to_owned(), kind })
    }
}

const ALL: &[NamedKind] = &[NamedKind::User, NamedKind::Role, NamedKind::Group, NamedKind::Policy, NamedKind::Trail];

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Whether a name is one of Identity Center's roles, and says of which permission set.
fn names_permission_set(name: &str) -> bool {
    name.strip_prefix(PERMISSION_SET).is_some_and(|set| set.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

/// Whoever assumes an ordinary role chooses the session's name; only Identity Center can assume its own roles, and names each session
/// after the person.
fn session(role: &str) -> Result<(), NamePatternError> {
    let literal = role.strip_suffix('*').unwrap_or(role);
    let is_role = names_permission_set(role) && !literal.contains(['*', '?', '/']);
    if is_role { Ok(()) } else { Err(NamePatternError::ChosenSession) }
}

fn role(resource: &str, name: &str) -> Result<(), NamePatternError> {
    match (resource.starts_with(IDENTITY_CENTER), name.starts_with(PERMISSION_SET)) {
        (true, _) if !names_permission_set(name) => Err(NamePatternError::PermissionSet),
        (false, true) => Err(NamePatternError::NotIdentityCenter),
        (true | false, _) => Ok(()),
    }
}

impl NamePattern {
    /// The pattern, if it names something of one of these kinds.
    ///
    /// # Errors
    /// [`NamePatternError`].
    pub fn parse(text: &str, kinds: &'static [NamedKind]) -> Result<Self, NamePatternError> {
        let of_kind = |pattern: &Self| kinds.contains(&pattern.kind);
        match text.parse::<Self>() {
            Ok(pattern) if of_kind(&pattern) => Ok(pattern),
            Ok(_) | Err(NamePatternError::Kind(_)) => Err(NamePatternError::Kind(kinds)),
            Err(NamePatternError::ChosenSession) if !kinds.contains(&NamedKind::Session) => Err(NamePatternError::Kind(kinds)),
            Err(error) => Err(error),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it names.
    #[must_use]
    pub fn kind(&self) -> NamedKind {
        self.kind
    }

    /// True when the whole of an ARN fits.
    #[must_use]
    pub fn matches(&self, arn: &str) -> bool {
        self.compare(arn, fits)
    }

    /// As [`Self::matches`], and true also where only the case of the letters of a name differs, which IAM does not tell apart. For
    /// what forbids, never for what permits: under a `*`, another spelling can be another name.
    #[must_use]
    pub fn matches_any_spelling(&self, arn: &str) -> bool {
        self.compare(arn, |pattern, name| fits(pattern, name) || self.is_of_iam() && fits(&lower(pattern), &lower(name)))
    }

    /// True where one name can fit both, in any spelling.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.compare(&other.text, |a, b| meet(a, b) || self.is_of_iam() && meet(&lower(a), &lower(b)))
    }

    /// The ARN that a role of Identity Center has under this pattern's path; `None` for every other pattern. STS leaves the path of
    /// a session's role away.
    #[must_use]
    pub fn identity_center_role(&self, name: &str) -> Option<String> {
        let (path, _) = self.text.rsplit_once('/').filter(|_| is_identity_center_role(&self.text))?;
        name.starts_with(PERMISSION_SET).then(|| format!("{path}/{name}"))
    }

    /// Compares part by part, the last one as `names` does.
    fn compare(&self, arn: &str, names: impl Fn(&str, &str) -> bool) -> bool {
        let (Some((head, resource)), Some((other_head, other_resource))) = (split(&self.text), split(arn)) else { return false };
        let (mut parts, mut other) = (resource.split('/'), other_resource.split('/'));
        let (Some(name), Some(other_name)) = (parts.next_back(), other.next_back()) else { return false };
        // Only the role of a session has a wildcard before the last part.
        head == other_head
            && parts.clone().count() == other.clone().count()
            && parts.zip(other).all(|(a, b)| fits(a, b))
            && names(name, other_name)
    }

    fn is_of_iam(&self) -> bool {
        matches!(self.kind, NamedKind::User | NamedKind::Role | NamedKind::Group | NamedKind::Policy)
    }
}

/// Whether a role's ARN has the path at which only Identity Center makes roles.
#[must_use]
pub fn is_identity_center_role(arn: &str) -> bool {
    split(arn).is_some_and(|(_, resource)| resource.starts_with(IDENTITY_CENTER))
}

/// An ARN up to its fifth colon, and its resource.
fn split(arn: &str) -> Option<(&str, &str)> {
    let (colon, _) = arn.match_indices(':').nth(ARN_PARTS - 2)?;
    Some((arn.get(..colon)?, arn.get(colon + 1..)?))
}

fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// Whether one text fits two patterns. Their lengths multiplied, whatever they are.
fn meet(a: &str, b: &str) -> bool {
    let is_star = |byte: u8| byte == b'*';
    // For the whole of `a` that was seen: whether it and each beginning of `b` have a text in common.
    let stars = b.bytes().scan(true, |stars, byte| {
        *stars &= is_star(byte);
        Some(*stars)
    });
    let mut row: Vec<bool> = std::iter::once(true).chain(stars).collect();
    for x in a.bytes() {
        let mut before = row.first().copied().unwrap_or_default();
        let mut left = before && is_star(x);
        let mut next = vec![left];
        for (y, above) in b.bytes().zip(row.iter().skip(1).copied()) {
            left = if is_star(x) || is_star(y) { above || left } else { before && x == y };
            before = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
