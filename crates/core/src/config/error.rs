//! The faults of a `cordon.toml`, each with the place where the parser found it and the way to mend it.

use std::fmt;
use std::ops::Range;

use crate::ids::RuleId;
use crate::pattern::NamePatternError;

/// A `cordon.toml` that cannot be used, with every fault in it, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    file: String,
    text: String,
    faults: Vec<Fault>,
}

impl ConfigError {
    /// `None` if there is no fault.
    pub(super) fn of(file: &str, text: &str, mut faults: Vec<Fault>) -> Option<Self> {
        faults.sort_by_key(|fault| (fault.span.start, fault.span.end));
        (!faults.is_empty()).then(|| Self { file: file.to_owned(), text: text.to_owned(), faults })
    }

    /// The name of the file, as it was given to the parser.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The whole text, for an excerpt around [`Fault::span`].
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// At least one.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl std::error::Error for ConfigError {}

/// A line a fault: `cordon.toml:12:9: <problem>; <fix>`.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.faults.iter().enumerate() {
            let newline = if n == 0 { "" } else { "\n" };
            write!(f, "{newline}{}:{}:{}: {fault}", self.file, fault.line, fault.column)?;
        }
        Ok(())
    }
}

/// One fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    span: Range<usize>,
    line: usize,
    column: usize,
    problem: Problem,
}

impl Fault {
    /// A fault at some bytes of a text.
    #[must_use]
    pub fn new(text: &str, span: Range<usize>, problem: Problem) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column, span, problem }
    }

    /// The bytes of the text that are wrong.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem.fix() {
            Some(fix) => write!(f, "{}; {fix}", self.problem),
            None => write!(f, "{}", self.problem),
        }
    }
}

/// What is wrong at a place. `Display` says what; [`Problem::fix`] says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not TOML.
    #[error("{message}")]
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// A key that no version of Cordon reads.
    #[error("unknown key `{key}`{}", in_section(.section))]
    UnknownKey {
        /// The key.
        key: String,
        /// The section that it is in; empty at the top.
        section: String,
        /// The keys that can be there.
        known: Vec<&'static str>,
    },
    /// A value of the wrong type or shape.
    #[error("{key}: {message}")]
    Value {
        /// The key with its section.
        key: String,
        /// What is wrong with the value.
        message: String,
    },
    /// A required key is missing.
    #[error("{section}: `{key}` is missing")]
    Missing {
        /// The section.
        section: String,
        /// The key.
        key: &'static str,
    },
    /// A number outside of its limits.
    #[error("{key} must be {}", limits(*.min, *.max))]
    OutOfRange {
        /// The key with its section.
        key: String,
        /// The smallest value.
        min: u32,
        /// The largest value.
        max: u32,
    },
    /// An entry of `scope.accounts`.
    #[error("scope.accounts: `{0}` is not an account id of twelve digits")]
    NotAnAccount(String),
    /// An entry of `[organization]`.
    #[error("{key}: `{value}` is not an account id of twelve digits")]
    NotAnAdministrator {
        /// The key with its section.
        key: String,
        /// The text.
        value: String,
        /// The service principal whose administrator it is.
        service: &'static str,
    },
    /// A pattern that is not an ARN's.
    #[error("{key}: `{pattern}` is not an ARN pattern")]
    NotAnArnPattern {
        /// The key with its section.
        key: String,
        /// The pattern.
        pattern: String,
    },
    /// A pattern that exempts, protects or says who somebody is, and does not name account and path.
    #[error("{key}: `{pattern}` {why}")]
    NotNamed {
        /// The key with its section.
        key: String,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: NamePatternError,
    },
    /// An empty `tag_key` or `tag_value`.
    #[error("{key} must not be empty: an empty text would exempt by accident")]
    EmptyTag {
        /// The key with its section.
        key: String,
    },
    /// A tag's key or value that AWS would not accept, and that could not be filled into a rule.
    #[error("{key} cannot be `{value}`")]
    TagText {
        /// The key with its section.
        key: String,
        /// The text.
        value: String,
    },
    /// `until_key` is empty or the same tag as `tag_key`. IAM does not tell keys apart by their case.
    #[error("exceptions.until_key must be the key of a tag of its own")]
    UntilKey,
    /// A group without a name.
    #[error("exceptions.exempt_groups: the name of a group must not be empty")]
    EmptyGroup,
    /// A text that no group is called.
    #[error("exceptions.exempt_groups: `{0}` is not the name of a group")]
    NotAGroupName(String),
    /// Automation that nobody owns.
    #[error("exceptions.automation: `name` must not be empty")]
    AutomationWithoutName,
    /// Automation without a role.
    #[error("exceptions.automation: `{0}` names no role")]
    AutomationWithoutRoles(String),
    /// Automation with an empty list of rules.
    #[error("exceptions.automation: `{0}` is exempt from no rule")]
    AutomationWithoutRules(String),
    /// An approver's `slack_user_id`.
    #[error("approval.approvers: `{0}` is not a Slack member id")]
    NotAMemberId(String),
    /// A group's `slack_user_group`.
    #[error("approval.groups: `{0}` is not the id of a Slack user group")]
    NotAUserGroupId(String),
    /// An approver or a group without `principals`.
    #[error("{section}: `{name}` has no `principals`")]
    NoPrincipals {
        /// The section.
        section: String,
        /// The approver or group.
        name: String,
    },
    /// An id that an earlier entry has.
    #[error("{section}: `{id}` is listed twice")]
    ListedTwice {
        /// The section.
        section: String,
        /// The id.
        id: String,
    },
    /// A quorum of nobody.
    #[error("approval.quorum: `{level}` is 0, and at least 1 person has to approve")]
    NoQuorum {
        /// The severity.
        level: &'static str,
    },
    /// A quorum that cannot be reached.
    #[error("approval.quorum: `{level}` wants {wanted} people and there are {approvers} approvers")]
    QuorumTooHigh {
        /// The severity.
        level: &'static str,
        /// The quorum.
        wanted: u32,
        /// How many approvers there are.
        approvers: usize,
    },
    /// `[approval.escalation]` without a place.
    #[error("approval.escalation names neither `slack_channel` nor `topic`")]
    EscalationToNobody,
    /// The id of a Slack channel.
    #[error("{key}: `{value}` is not the id of a Slack channel")]
    NotAChannel {
        /// The key with its section.
        key: String,
        /// The text.
        value: String,
    },
    /// The ARN of an SNS topic.
    #[error("{key}: `{value}` is not the ARN of an SNS topic")]
    NotATopic {
        /// The key with its section.
        key: String,
        /// The text.
        value: String,
    },
    /// A route without a place.
    #[error("notifications.routes: a route names neither `channel` nor `topic`")]
    RouteToNowhere,
    /// A route that matches nothing.
    #[error("{key} must not be an empty list")]
    EmptyRouteList {
        /// The key with its section.
        key: String,
    },
    /// A rule in both gates.
    #[error("gates: `{0}` is in `auto` and in `contain_then_ask`")]
    InBothGates(RuleId),
    /// `mode = "enforce"` without approvers.
    #[error("mode is `enforce` and there are no approvers, so nobody could approve")]
    NobodyApproves,
    /// `rehearse = true` without approvers.
    #[error("approval.rehearse is true and there are no approvers, so nobody could answer")]
    NobodyRehearses,
    /// A rule that does not exist.
    #[error("{key}: there is no rule `{rule}`")]
    UnknownRule {
        /// The key with its section.
        key: String,
        /// The name.
        rule: RuleId,
        /// The rule that is nearest to it by name.
        similar: Option<RuleId>,
    },
    /// A rule that `rules.disabled` switches off.
    #[error("{key}: the rule `{rule}` is disabled")]
    DisabledRule {
        /// The key with its section.
        key: String,
        /// The name.
        rule: RuleId,
    },
    /// A correlation, to which the key does not apply.
    #[error("{key}: `{rule}` is a correlation, and no exception applies to one")]
    CorrelationNotExempt {
        /// The key with its section.
        key: String,
        /// The name.
        rule: RuleId,
    },
}

fn limits(min: u32, max: u32) -> String {
    if max == u32::MAX { format!("at least {min}") } else { format!("between {min} and {max}") }
}

fn in_section(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" in `{name}`") }
}

impl Problem {
    /// What to write instead, if there is more to say than the problem itself.
    #[must_use]
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            Self::Syntax { .. } | Self::Value { .. } | Self::OutOfRange { .. } => return None,
            Self::UnknownKey { key, known, .. } => match nearest(key, known.iter().copied()) {
                Some(similar) => return Some(format!("did you mean `{similar}`?")),
                None => return Some(format!("the keys are `{}`", known.join("`, `"))),
            },
            Self::Missing { key, .. } => return Some(format!("add `{key} = …`")),
            Self::NotAnAccount(_) => "write an account id, or `*` for every account",
            Self::NotAnAdministrator { service, .. } => {
                return Some(format!(
                    "`aws organizations list-delegated-administrators --service-principal {service}` prints it; leave the key \
                     out to believe nobody about other accounts"
                ));
            }
            Self::NotNamed { pattern, why, .. } => return Some(why.fix(pattern)),
            Self::NotAnArnPattern { .. } => "write it like `arn:aws:iam::*:user/iam-test-*`",
            Self::EmptyTag { .. } => "write the tag that exempts, such as `SecurityApproved`",
            Self::TagText { .. } => "use letters, digits, spaces and `_.:/=+-@`",
            Self::UntilKey => "write another key, such as `SecurityApprovedUntil`",
            Self::EmptyGroup => "write a name, or leave the list empty to exempt no group",
            Self::NotAGroupName(_) => "write the name alone, without path, account and wildcards",
            Self::AutomationWithoutName => "say whose automation it is",
            Self::AutomationWithoutRoles(_) => "write `roles = [\"arn:aws:iam::111122223333:role/deploy\"]`",
            Self::AutomationWithoutRules(_) => "leave `rules` out to mean every rule that honours automation",
            Self::NotAMemberId(_) => "copy the id from the member's profile (`U…` or `W…`)",
            Self::NotAUserGroupId(_) => "copy the id from the group's menu (`S…`)",
            Self::NoPrincipals { .. } => "list the AWS principals of these people: nobody decides their own incident",
            Self::ListedTwice { .. } => "keep one entry, with all of its `principals`",
            Self::NoQuorum { .. } => "write 1 or more",
            Self::QuorumTooHigh { .. } => "add [[approval.approvers]], or lower it",
            Self::EscalationToNobody => "name one, or leave the section out",
            Self::NotAChannel { .. } => "copy the id from the channel's details (`C…` or `G…`); it is not the channel's name",
            Self::NotATopic { .. } => "write it like `arn:aws:sns:us-east-1:111122223333:name`",
            Self::RouteToNowhere => "name one, or remove the route",
            Self::EmptyRouteList { .. } => "leave the key out to match everything",
            Self::InBothGates(_) => "remove it from one of them",
            Self::NobodyApproves => "add [[approval.approvers]], or set `mode = \"dry-run\"`",
            Self::NobodyRehearses => "add [[approval.approvers]], or set `rehearse = false`",
            Self::UnknownRule { similar: Some(similar), .. } => return Some(format!("did you mean `{similar}`?")),
            Self::UnknownRule { similar: None, .. } => "`cordon rule list` prints the rules",
            Self::DisabledRule { .. } => "remove it here, or from `rules.disabled`",
            Self::CorrelationNotExempt { .. } => "remove it, or name the rules that it counts",
        };
        Some(fix.to_owned())
    }
}

/// The name that `text` is most likely a slip of the pen for: the nearest, if at most every fourth letter differs.
pub fn nearest<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names
        .map(|name| (strsim::osa_distance(text, name), name))
        .filter(|(distance, name)| distance * 4 <= name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
