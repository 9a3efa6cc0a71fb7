//! Judges whether a `Condition` restricts a caller.
//!
//! It decides from the operator, the key and the values, and from the context that such a call is known to carry. A condition
//! that an ordinary caller meets or can choose to meet (a second factor, a user agent, a tag of the request) does not restrict. A
//! condition on the caller's identity or location does.

use super::document::Condition;
use super::wildcard::matches;

/// Policies of AWS that are as good as everything: whoever may attach one of them may attach what they like.
const STRONG_POLICIES: [&str; 2] = ["arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/IAMFullAccess"];

/// How far a condition holds for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It cannot hold.
    Never,
    /// It holds in circumstances that the document does not settle.
    Limits,
    /// The caller can make it hold.
    Reachable,
    /// It holds whatever the caller does.
    Always,
}

/// What is known of the call that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request<'a> {
    /// `service:Call`.
    pub(super) action: &'a str,
    /// The service that gets a role, where the call passes one.
    pub(super) passed_to: Option<&'a str>,
}

/// What a call carries under a condition key.
enum Carried<'a> {
    Absent,
    This(&'a str),
    /// The caller picks one of these.
    OneOf(&'static [&'static str]),
    /// The caller picks anything, or leaves it out.
    Anything,
    /// Something, or nothing.
    UnknownOrAbsent,
    Unknown,
}

/// A condition, read once to be weighed for many calls.
pub(super) struct Clause<'d> {
    test: Test,
    /// In lower case.
    key: String,
    values: &'d [String],
}

/// What a condition asks of its key.
enum Test {
    /// That it is there, or that it is not.
    Null,
    Compare {
        operator: Operator,
        holds_when_absent: bool,
    },
    /// Nobody knows what.
    Unknown,
}

impl<'d> Clause<'d> {
    pub(super) fn new(condition: &'d Condition) -> Self {
        let operator = condition.operator.to_lowercase();
        let (for_all, operator) = match (operator.strip_prefix("forallvalues:"), operator.strip_prefix("foranyvalue:")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => (false, operator.as_str()),
        };
        let (if_exists, operator) = match operator.strip_suffix("ifexists") {
            Some(rest) => (true, rest),
            None => (false, operator),
        };
        let test = match Operator::named(operator) {
            _ if operator == "null" => Test::Null,
            // A negated comparison, one with `IfExists` and one over all values of a key hold where there is no value.
            Some(operator) => Test::Compare { operator, holds_when_absent: operator.negated || if_exists || for_all },
            None => Test::Unknown,
        };
        Self { test, key: condition.key.to_lowercase(), values: &condition.values }
    }

    pub(super) fn weigh(&self, request: Request<'_>) -> Weight {
        match self.test {
            Test::Null => weigh_null(self.values, &carried(&self.key, request)),
            Test::Compare { operator, holds_when_absent } => {
                weigh_comparison(operator, holds_when_absent, self.values, &carried(&self.key, request))
            }
            Test::Unknown => Weight::Limits,
        }
    }
}

/// The least of the conditions' weights: all of them have to hold.
pub(super) fn weigh_all(conditions: &[Clause<'_>], request: Request<'_>) -> Weight {
    conditions.iter().map(|condition| condition.weigh(request)).min().unwrap_or(Weight::Always)
}

fn weigh_comparison(operator: Operator, holds_when_absent: bool, wanted: &[String], carried: &Carried<'_>) -> Weight {
    let holds = |value: &str| operator.holds(value, wanted);
    match carried {
        Carried::Absent if holds_when_absent => Weight::Always,
        Carried::Absent => Weight::Never,
        Carried::This(value) => always_if(holds(value)),
        Carried::OneOf(values) if values.iter().all(|value| holds(value)) => Weight::Always,
        Carried::OneOf(values) if values.iter().any(|value| holds(value)) => Weight::Reachable,
        Carried::OneOf(_) => Weight::Limits,
        Carried::Anything if wanted.is_empty() && !holds_when_absent => Weight::Never,
        Carried::Anything => operator.whatever_the_value(wanted).unwrap_or(Weight::Reachable),
        Carried::UnknownOrAbsent | Carried::Unknown if wanted.is_empty() => {
            if holds_when_absent {
                Weight::Always
            } else {
                Weight::Never
            }
        }
        Carried::UnknownOrAbsent if holds_when_absent => operator.whatever_the_value(wanted).unwrap_or(Weight::Reachable),
        // Leaving some values out hardly narrows; naming the only ones does.
        Carried::UnknownOrAbsent | Carried::Unknown => {
            operator.whatever_the_value(wanted).unwrap_or(if operator.negated { Weight::Reachable } else { Weight::Limits })
        }
    }
}

/// `Null: true` asks for the key to be absent.
fn weigh_null(values: &[String], carried: &Carried<'_>) -> Weight {
    let absent = |wanted: bool| values.iter().any(|value| value.eq_ignore_ascii_case(if wanted { "true" } else { "false" }));
    match (absent(true), absent(false)) {
        (true, true) => return Weight::Always,
        (false, false) => return Weight::Never,
        (true, false) | (false, true) => {}
    }
    match carried {
        Carried::Absent => always_if(absent(true)),
        Carried::This(_) | Carried::OneOf(_) => always_if(absent(false)),
        Carried::Anything => Weight::Reachable,
        Carried::UnknownOrAbsent if absent(true) => Weight::Reachable,
        Carried::UnknownOrAbsent | Carried::Unknown => Weight::Limits,
    }
}

fn always_if(holds: bool) -> Weight {
    if holds { Weight::Always } else { Weight::Never }
}

/// What a direct call by an ordinary caller carries. Keys of IAM's "global condition context keys" and of IAM itself.
fn carried<'a>(key: &str, request: Request<'a>) -> Carried<'a> {
    let begins = |prefix: &str| request.action.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let in_iam = |prefixes: &[&str]| prefixes.iter().any(|prefix| begins(prefix));
    match key {
        "iam:passedtoservice" => request.passed_to.map_or(Carried::Absent, Carried::This),
        "iam:policyarn" if in_iam(&["iam:attach", "iam:detach"]) => Carried::OneOf(&STRONG_POLICIES),
        "iam:permissionsboundary" if in_iam(&["iam:create", "iam:put", "iam:attach", "iam:detach", "iam:delete"]) => {
            Carried::UnknownOrAbsent
        }
        "iam:policyarn" | "iam:permissionsboundary" | "iam:awsservicename" | "iam:associatedresourcearn" => Carried::Absent,
        "aws:securetransport" => Carried::This("true"),
        "aws:viaawsservice" | "aws:principalisawsservice" => Carried::This("false"),
        "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast" => Carried::Absent,
        // IAM is called in one region of each partition.
        "aws:requestedregion" if in_iam(&["iam:", "organizations:", "account:"]) => {
            Carried::OneOf(&["us-east-1", "us-gov-west-1", "cn-north-1"])
        }
        "aws:requestedregion" | "aws:useragent" | "aws:referer" | "aws:tagkeys" => Carried::Anything,
        "aws:multifactorauthpresent" | "aws:multifactorauthage" => Carried::Anything,
        "aws:currenttime" | "aws:epochtime" | "aws:tokenissuetime" => Carried::Anything,
        "aws:sourcevpc" | "aws:sourcevpce" | "aws:vpcsourceip" | "aws:sourceidentity" | "aws:federatedprovider" => {
            Carried::UnknownOrAbsent
        }
        _ if key.starts_with("aws:requesttag/") => Carried::Anything,
        _ if key.starts_with("aws:resourcetag/") || key.starts_with("iam:resourcetag/") => Carried::UnknownOrAbsent,
        _ => Carried::Unknown,
    }
}

/// A comparison operator, without its prefix and suffix.
#[derive(Clone, Copy)]
struct Operator {
    compare: Compare,
    negated: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Exactly,
    AnyCase,
    Like,
    Boolean,
    Address,
    /// Numbers, dates and binary values: only ever compared with what the caller picks.
    Other,
}

impl Operator {
    fn named(operator: &str) -> Option<Self> {
        let (compare, negated) = match operator {
            "stringequals" => (Compare::Exactly, false),
            "stringnotequals" => (Compare::Exactly, true),
            "stringequalsignorecase" => (Compare::AnyCase, false),
            "stringnotequalsignorecase" => (Compare::AnyCase, true),
            // For ARNs, `Equals` knows wildcards too.
            "stringlike" | "arnlike" | "arnequals" => (Compare::Like, false),
            "stringnotlike" | "arnnotlike" | "arnnotequals" => (Compare::Like, true),
            "bool" => (Compare::Boolean, false),
            "ipaddress" => (Compare::Address, false),
            "notipaddress" => (Compare::Address, true),
            "numericnotequals" | "datenotequals" => (Compare::Other, true),
            _ if operator.starts_with("numeric") || operator.starts_with("date") || operator == "binaryequals" => {
                (Compare::Other, false)
            }
            _ => return None,
        };
        Some(Self { compare, negated })
    }

    /// Whether a call that carries `value` meets the comparison with any of `wanted`.
    fn holds(self, value: &str, wanted: &[String]) -> bool {
        let any = wanted.iter().any(|want| match self.compare {
            Compare::Exactly => want == value,
            Compare::AnyCase | Compare::Boolean => want.eq_ignore_ascii_case(value),
            Compare::Like => matches(want, value),
            Compare::Address | Compare::Other => false,
        });
        any != self.negated
    }

    /// The weight where the wanted values cover everything there is.
    fn whatever_the_value(self, wanted: &[String]) -> Option<Weight> {
        let everything = wanted.iter().any(|want| match self.compare {
            Compare::Like => !want.is_empty() && want.chars().all(|c| c == '*') || want == "arn:*" || want == "arn:*:*:*:*:*",
            Compare::Address => want == "0.0.0.0/0" || want == "::/0",
            Compare::Exactly | Compare::AnyCase | Compare::Boolean | Compare::Other => false,
        });
        everything.then_some(if self.negated { Weight::Never } else { Weight::Always })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: Request<'_> = Request { action: "iam:PutUserPolicy", passed_to: None };
    const ATTACH: Request<'_> = Request { action: "iam:AttachRolePolicy", passed_to: None };
    const PASS: Request<'_> = Request { action: "iam:PassRole", passed_to: Some("lambda.amazonaws.com") };
    const RUN: Request<'_> = Request { action: "ec2:RunInstances", passed_to: None };

    #[track_caller]
    fn check(request: Request<'_>, operator: &str, key: &str, values: &[&str], expected: Weight) {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let condition = Condition { operator: operator.to_owned(), key: key.to_owned(), values };
        assert_eq!(Clause::new(&condition).weigh(request), expected, "{condition:?}");
    }

    #[test]
    fn what_every_caller_meets_or_can_choose_does_not_limit() {
        check(PUT, "Bool", "aws:SecureTransport", &["true"], Weight::Always);
        check(PUT, "Bool", "aws:MultiFactorAuthPresent", &["true"], Weight::Reachable);
        check(PUT, "NumericLessThan", "aws:MultiFactorAuthAge", &["3600"], Weight::Reachable);
        check(PUT, "StringLike", "aws:UserAgent", &["aws-cli*"], Weight::Reachable);
        check(PUT, "StringLike", "aws:PrincipalArn", &["*"], Weight::Always);
        check(PUT, "ArnLike", "aws:PrincipalArn", &["arn:*"], Weight::Always);
        check(PUT, "IpAddress", "aws:SourceIp", &["10.0.0.0/8", "0.0.0.0/0"], Weight::Always);
        check(PUT, "DateLessThan", "aws:CurrentTime", &["2030-01-01T00:00:00Z"], Weight::Reachable);
        check(PUT, "ForAllValues:StringEquals", "aws:TagKeys", &["team"], Weight::Reachable);
        check(PUT, "StringEqualsIfExists", "iam:PermissionsBoundary", &["arn:x"], Weight::Reachable);
        check(PUT, "Bool", "aws:ViaAWSService", &["false"], Weight::Always);
        check(RUN, "StringEquals", "aws:RequestedRegion", &["eu-central-1"], Weight::Reachable);
        check(PUT, "StringEquals", "aws:RequestedRegion", &["eu-central-1", "us-east-1"], Weight::Reachable);
        check(PUT, "StringNotEquals", "aws:PrincipalTag/team", &["x"], Weight::Reachable);
        check(PUT, "NotIpAddress", "aws:SourceIp", &["10.0.0.0/8"], Weight::Reachable);
    }

    #[test]
    fn who_and_where_the_caller_is_limits() {
        check(PUT, "StringEquals", "aws:PrincipalTag/team", &["x"], Weight::Limits);
        check(PUT, "IpAddress", "aws:SourceIp", &["10.0.0.0/8"], Weight::Limits);
        check(PUT, "StringEquals", "aws:PrincipalOrgID", &["o-1"], Weight::Limits);
        check(PUT, "StringEquals", "aws:ResourceTag/team", &["x"], Weight::Limits);
        check(PUT, "StringEquals", "iam:PermissionsBoundary", &["arn:x"], Weight::Limits);
        check(PUT, "StringEquals", "aws:RequestedRegion", &["eu-central-1"], Weight::Limits);
        check(PUT, "SomethingNew", "aws:SourceIp", &["x"], Weight::Limits);
    }

    #[test]
    fn what_cannot_hold_is_known() {
        check(PUT, "ForAnyValue:StringEquals", "aws:CalledVia", &["cloudformation.amazonaws.com"], Weight::Never);
        check(PUT, "Bool", "aws:SecureTransport", &["false"], Weight::Never);
        check(PUT, "StringEquals", "iam:PassedToService", &["lambda.amazonaws.com"], Weight::Never);
        check(PUT, "StringEquals", "aws:PrincipalTag/team", &[], Weight::Never);
        check(PUT, "StringNotLike", "aws:PrincipalArn", &["*"], Weight::Never);
    }

    #[test]
    fn a_passed_role_and_an_attached_policy_are_compared() {
        check(PASS, "StringEquals", "iam:PassedToService", &["ec2.amazonaws.com", "lambda.amazonaws.com"], Weight::Always);
        check(PASS, "StringLike", "iam:PassedToService", &["lambda.*"], Weight::Always);
        check(PASS, "StringEquals", "iam:PassedToService", &["ec2.amazonaws.com"], Weight::Never);
        check(PASS, "StringEqualsIfExists", "iam:PassedToService", &["ec2.amazonaws.com"], Weight::Never);
        check(ATTACH, "ArnEquals", "iam:PolicyARN", &["arn:aws:iam::aws:policy/*"], Weight::Always);
        check(ATTACH, "ArnNotEquals", "iam:PolicyARN", &["arn:aws:iam::aws:policy/AdministratorAccess"], Weight::Reachable);
        check(ATTACH, "ArnEquals", "iam:PolicyARN", &["arn:aws:iam::aws:policy/ReadOnlyAccess"], Weight::Limits);
    }

    #[test]
    fn null_asks_whether_there_is_a_value() {
        check(PUT, "Null", "iam:PassedToService", &["true"], Weight::Always);
        check(PUT, "Null", "iam:PassedToService", &["false"], Weight::Never);
        check(PUT, "Null", "aws:SecureTransport", &["false"], Weight::Always);
        check(PUT, "Null", "aws:MultiFactorAuthAge", &["false"], Weight::Reachable);
        check(PUT, "Null", "aws:SourceVpc", &["true"], Weight::Reachable);
        check(PUT, "Null", "aws:PrincipalTag/team", &["false"], Weight::Limits);
    }
}
