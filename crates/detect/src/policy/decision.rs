//! Puts concrete calls to a document, as IAM would be asked.
//!
//! A call names an action and a resource. Resources are tried that the document cannot have in mind ("any user"), and those that
//! its own patterns name: allowed on the former is [`Answer::Yes`], only on the latter [`Answer::Limited`].

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Answer;
use super::condition::{Request, Weight, weigh_all};
use super::document::{Document, Effect, Statement};
use super::wildcard::{matches, matches_any_case};

/// The name of a resource that no document has in mind.
const ANYBODY: &str = "zz-any-other";
/// The caller's own user name, for which `${aws:username}` stands.
const ONESELF: &str = "zz-the-caller";
/// What any other `${…}` stands for: something of the caller's, and nobody knows what.
const VARIABLE: &str = "zz-variable";
/// The account that is asked about where a document names none.
const ACCOUNT: &str = "111111111111";
/// More named resources than these are not tried: one that is allowed settles the matter, and a real policy has few.
const MAX_NAMED: usize = 64;
/// The region that is asked about where a document names none.
const REGION: &str = "us-east-1";
/// More accounts or regions than these in the resources of one document are not tried.
const MAX_PLACES: usize = 4;

/// A call that a document is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    /// `service:Name`.
    pub(super) action: &'static str,
    /// The resource's ARN with `{p}` for the partition, `{r}` for the region, `{a}` for the account and `{n}` for the name, or `*`.
    pub(super) resource: &'static str,
    /// The service that gets a role, where the call passes one.
    pub(super) passed_to: Option<&'static str>,
    /// True where doing it to oneself is enough.
    pub(super) on_oneself: bool,
}

/// Where a resource lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    partition: String,
    region: String,
    account: String,
}

/// A document, prepared to be asked many times.
pub(super) struct Judge<'d> {
    document: &'d Document,
    /// Where to look for resources that are nobody's in particular: wherever the document has some, and elsewhere.
    places: Vec<Place>,
    /// Resources that the document's own patterns name.
    named: BTreeSet<String>,
}

impl<'d> Judge<'d> {
    pub(super) fn new(document: &'d Document) -> Self {
        let patterns: Vec<(&Statement, &String)> = document
            .statements
            .iter()
            .flat_map(|statement| statement.resources.patterns().iter().map(move |pattern| (statement, pattern)))
            .collect();
        let parts = |at: usize, valid: fn(&str) -> bool, other: &str| -> Vec<String> {
            let found = patterns.iter().filter_map(|(_, pattern)| pattern.splitn(6, ':').nth(at)).filter(|part| valid(part));
            let found: BTreeSet<&str> = found.collect();
            let elsewhere = Some(other).filter(|other| !found.contains(other));
            found.into_iter().take(MAX_PLACES).chain(elsewhere).map(str::to_owned).collect()
        };
        let (partitions, regions, accounts) =
            (parts(1, is_partition, "aws"), parts(3, is_region, REGION), parts(4, is_account, ACCOUNT));
        let mut places = Vec::new();
        for (partition, region) in partitions.iter().flat_map(|partition| regions.iter().map(move |region| (partition, region))) {
            places.extend(accounts.iter().map(|account| Place {
                partition: partition.clone(),
                region: region.clone(),
                account: account.clone(),
            }));
        }
        let named = patterns.iter().filter_map(|(statement, pattern)| example(&expand(statement, pattern))).collect();
        Self { document, places, named }
    }

    /// Whether the document lets its holder make the call.
    pub(super) fn answer(&self, call: Call) -> Answer {
        let request = Request { action: call.action, passed_to: call.passed_to };
        let concerned: Vec<&Statement> = self
            .document
            .statements
            .iter()
            .filter(|statement| statement.actions.holds(|pattern| matches_any_case(pattern, call.action)))
            .collect();
        if concerned.iter().all(|statement| statement.effect == Effect::Deny) {
            return Answer::No;
        }
        let ask = |resource: &str| on_resource(&concerned, resource, request);
        let names = [Some(ANYBODY), call.on_oneself.then_some(ONESELF)];
        let anybody =
            names.into_iter().flatten().flat_map(|name| self.places.iter().map(move |place| fill(call.resource, place, name)));
        let at_large = anybody.map(|resource| ask(&resource)).max().unwrap_or(Answer::No);
        if at_large == Answer::Yes {
            return Answer::Yes;
        }
        let anywhere = Place { partition: "*".to_owned(), region: "*".to_owned(), account: "*".to_owned() };
        let kind = fill(call.resource, &anywhere, "*");
        let named = self.named.iter().filter(|resource| matches(&kind, resource)).take(MAX_NAMED);
        named.map(|resource| ask(resource)).chain([at_large]).max().unwrap_or(Answer::No).min(Answer::Limited)
    }
}

/// IAM's rule: an explicit deny wins, then an allow is needed.
fn on_resource(concerned: &[&Statement], resource: &str, request: Request<'_>) -> Answer {
    let applies = |statement: &Statement| statement.resources.holds(|pattern| matches(&expand(statement, pattern), resource));
    let mut allowed = Answer::No;
    for statement in concerned.iter().filter(|statement| applies(statement)) {
        let weight = weigh_all(&statement.conditions, request);
        match (statement.effect, weight) {
            // A deny that a caller can step out of takes nothing back.
            (Effect::Deny, Weight::Always) => return Answer::No,
            (Effect::Deny, Weight::Never | Weight::Limits | Weight::Reachable) | (Effect::Allow, Weight::Never) => {}
            (Effect::Allow, Weight::Limits) => allowed = allowed.max(Answer::Limited),
            (Effect::Allow, Weight::Reachable | Weight::Always) => allowed = Answer::Yes,
        }
    }
    allowed
}

/// A resource's ARN from its template, in one pass: this is asked a few hundred times for each document.
fn fill(template: &str, place: &Place, name: &str) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push_str(match after.as_bytes().first() {
            Some(b'p') => &place.partition,
            Some(b'r') => &place.region,
            Some(b'a') => &place.account,
            _ => name,
        });
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

/// A pattern with its policy variables filled in.
fn expand<'p>(statement: &Statement, pattern: &'p str) -> Cow<'p, str> {
    if !statement.variables || !pattern.contains("${") {
        return Cow::Borrowed(pattern);
    }
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((variable, tail)) = after.split_once('}') else { break };
        out.push_str(before);
        let name = variable.split(',').next().unwrap_or_default().trim();
        out.push_str(if name.eq_ignore_ascii_case("aws:username") { ONESELF } else { VARIABLE });
        rest = tail;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A resource that a pattern names: an ARN with something in place of each wildcard.
fn example(pattern: &str) -> Option<String> {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts.as_slice() else { return None };
    let or = |part: &str, other: &str| if part.contains(['*', '?']) { other.to_owned() } else { part.to_owned() };
    let resource = resource.replace('*', "zz").replace('?', "z");
    Some(format!(
        "{}:{}:{service}:{}:{}:{resource}",
        or(arn, "arn"),
        or(partition, "aws"),
        or(region, REGION),
        or(account, ACCOUNT)
    ))
}

fn is_partition(text: &str) -> bool {
    text == "aws" || text.starts_with("aws-") && text.len() <= 16 && !text.contains(['*', '?'])
}

fn is_region(text: &str) -> bool {
    (9..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const PUT: Call =
        Call { action: "iam:PutUserPolicy", resource: "arn:{p}:iam::{a}:user/{n}", passed_to: None, on_oneself: true };
    const KEY: Call = Call { action: "iam:CreateAccessKey", on_oneself: false, ..PUT };

    #[track_caller]
    fn check(call: Call, statements: Value, expected: Answer) {
        let document = Document::parse(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap();
        assert_eq!(Judge::new(&document).answer(call), expected, "{statements}");
    }

    fn allow(action: &str, resource: Value) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    fn deny(action: &str, resource: Value) -> Value {
        json!({"Effect": "Deny", "Action": action, "Resource": resource})
    }

    #[test]
    fn a_resource_pattern_covers_everybody_or_somebody() {
        check(PUT, allow("iam:*", json!("*")), Answer::Yes);
        check(PUT, allow("IAM:putUSERpolicy", json!("arn:aws:iam::*:user/*")), Answer::Yes);
        check(PUT, allow("iam:Put*", json!(["x", "arn:aws-cn:iam::222222222222:*"])), Answer::Yes);
        check(PUT, allow("iam:Put*", json!("arn:aws:iam::222222222222:user/bob")), Answer::Limited);
        check(PUT, allow("iam:Put*", json!("arn:aws:iam::*:user/dev-*")), Answer::Limited);
        check(PUT, allow("iam:Put*", json!("arn:aws:iam::*:role/*")), Answer::No);
        check(PUT, json!({"Effect": "Allow", "Action": "iam:*", "NotResource": "arn:aws:iam::*:user/admin"}), Answer::Yes);
        check(PUT, json!({"Effect": "Allow", "Action": "iam:*", "NotResource": "arn:aws:iam::*:user/*"}), Answer::No);
        check(PUT, json!({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}), Answer::Yes);
        check(PUT, json!({"Effect": "Allow", "NotAction": ["s3:*", "iam:Put*"], "Resource": "*"}), Answer::No);
    }

    #[test]
    fn oneself_is_enough_for_some_calls_and_not_for_others() {
        let own = json!("arn:aws:iam::*:user/${aws:username}");
        check(PUT, allow("iam:*", own.clone()), Answer::Yes);
        check(KEY, allow("iam:*", own), Answer::Limited);
        check(PUT, allow("iam:*", json!("arn:aws:iam::*:user/${aws:PrincipalTag/team}-*")), Answer::Limited);
    }

    #[test]
    fn an_explicit_deny_takes_back_what_it_covers() {
        check(PUT, json!([allow("*", json!("*")), deny("iam:*", json!("*"))]), Answer::No);
        check(PUT, json!([deny("iam:put*", json!("*")), allow("*", json!("*"))]), Answer::No);
        check(PUT, json!([allow("*", json!("*")), deny("iam:*", json!("arn:aws:iam::*:user/admin"))]), Answer::Yes);
        check(PUT, json!([allow("*", json!("*")), {"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}]), Answer::Yes);
        let all_but_bob = json!({"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:iam::111111111111:user/bob"});
        check(PUT, json!([allow("*", json!("*")), all_but_bob]), Answer::Limited);
    }

    #[test]
    fn a_deny_takes_back_only_where_nobody_can_step_out_of_it() {
        let deny_if = |condition: Value| json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition});
        let with = |condition: Value| json!([allow("*", json!("*")), deny_if(condition)]);
        check(PUT, with(json!({"Bool": {"aws:SecureTransport": "true"}})), Answer::No);
        check(PUT, with(json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": false}})), Answer::Yes);
        check(PUT, with(json!({"StringNotEquals": {"aws:PrincipalTag/team": "x"}})), Answer::Yes);
    }

    #[test]
    fn an_allow_counts_as_far_as_its_conditions_do() {
        let allow_if = |condition: Value| json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition});
        check(PUT, allow_if(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})), Answer::Yes);
        check(PUT, allow_if(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})), Answer::Limited);
        check(PUT, allow_if(json!({"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}})), Answer::No);
        let both = json!({"Bool": {"aws:SecureTransport": "true"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
        check(PUT, allow_if(both), Answer::Limited);
    }
}
