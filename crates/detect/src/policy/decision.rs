//! Asks a document about concrete calls, as IAM would.
//!
//! A call names an action and a resource. Two kinds of resource are tried: those that the document cannot have in mind ("any
//! user"), and those that its own patterns name. Allowed on the former means [`Answer::Yes`], only on the latter
//! [`Answer::Limited`].

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Answer;
use super::condition::{Clause, Request, Weight, weigh_all};
use super::document::{Document, Effect, Selection, Statement};
use super::wildcard::{matches, matches_any_case};

/// The name of a resource that no document has in mind.
const ANYBODY: &str = "zz-any-other";
/// The caller's own user name, for which `${aws:username}` stands.
const ONESELF: &str = "zz-the-caller";
/// What any other `${…}` stands for: something of the caller's, and nobody knows what.
const VARIABLE: &str = "zz-variable";
/// The account that is asked about where a document names none.
const ACCOUNT: &str = "111111111111";
/// More named resources than these are not tried. IAM takes no document with so many: its largest quota is 10,240 characters.
const MAX_NAMED: usize = 512;
/// The region that is asked about where a document names none.
const REGION: &str = "us-east-1";
/// More accounts or regions than these are not tried in every combination; each pattern's own combination always is.
const MAX_PLACES: usize = 4;
/// More patterns than these are not looked at for their places. As with [`MAX_NAMED`], IAM takes no such document.
const MAX_PATTERNS: usize = 512;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place<'d> {
    partition: &'d str,
    region: &'d str,
    account: &'d str,
}

/// What a statement says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ruling {
    Denies,
    Allows(Answer),
}

/// A statement, read once: a document is asked a few hundred times.
struct Prepared<'d> {
    effect: Effect,
    actions: &'d Selection,
    /// Of `NotResource`, what is left out.
    all_but: bool,
    /// With the policy variables filled in.
    resources: Vec<Cow<'d, str>>,
    conditions: Vec<Clause<'d>>,
    /// True where it holds for every resource and under no condition.
    everywhere: bool,
}

impl<'d> Prepared<'d> {
    fn new(statement: &'d Statement) -> Self {
        let (all_but, patterns) = match &statement.resources {
            Selection::Only(patterns) => (false, patterns),
            Selection::AllBut(patterns) => (true, patterns),
        };
        let is_anything = |pattern: &String| !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*');
        let every_resource = if all_but { patterns.is_empty() } else { patterns.iter().any(is_anything) };
        Self {
            effect: statement.effect,
            actions: &statement.actions,
            all_but,
            resources: patterns.iter().map(|pattern| expand(statement, pattern)).collect(),
            conditions: statement.conditions.iter().map(Clause::new).collect(),
            everywhere: every_resource && statement.conditions.is_empty(),
        }
    }

    /// What it says of a call, where it covers the resource; `None`: nothing.
    fn ruling(&self, request: Request<'_>) -> Option<Ruling> {
        match (self.effect, weigh_all(&self.conditions, request)) {
            (Effect::Deny, Weight::Always) => Some(Ruling::Denies),
            // A deny that a caller can step out of takes nothing back.
            (Effect::Deny, Weight::Never | Weight::Limits | Weight::Reachable) | (Effect::Allow, Weight::Never) => None,
            (Effect::Allow, Weight::Limits) => Some(Ruling::Allows(Answer::Limited)),
            (Effect::Allow, Weight::Reachable | Weight::Always) => Some(Ruling::Allows(Answer::Yes)),
        }
    }

    fn covers(&self, resource: &str) -> bool {
        self.resources.iter().any(|pattern| matches(pattern, resource)) != self.all_but
    }
}

/// Which statements cover the resources of one template, each as a list beside the document's.
struct Covered {
    /// Resources that are nobody's in particular.
    at_large: Vec<Vec<bool>>,
    /// Those of its kind that the document's own patterns name.
    named: OnceCell<Vec<Vec<bool>>>,
}

/// A document, prepared to be asked many times.
pub(super) struct Judge<'d> {
    statements: Vec<Prepared<'d>>,
    /// Where to look for resources that are nobody's in particular: wherever the document has some, and elsewhere.
    places: BTreeSet<[Cow<'d, str>; 3]>,
    /// Resources that the document's own patterns name.
    named: BTreeSet<String>,
    /// By template, and by whether oneself is enough: many calls are about the same resources.
    covered: RefCell<BTreeMap<(&'static str, bool), Rc<Covered>>>,
    /// Which statements are about the action that is asked about: here, so that a question allocates nothing.
    concerned: RefCell<Vec<bool>>,
}

impl<'d> Judge<'d> {
    pub(super) fn new(document: &'d Document) -> Self {
        let statements: Vec<Prepared<'_>> = document.statements.iter().map(Prepared::new).collect();
        let patterns = || document.statements.iter().flat_map(|statement| statement.resources.patterns());
        let parts = |at: usize, valid: fn(&str) -> bool, other: &'static str| -> Vec<&'d str> {
            let found = patterns().filter_map(|pattern| pattern.splitn(6, ':').nth(at)).filter(|part| valid(part));
            let found: BTreeSet<&str> = found.collect();
            let elsewhere = Some(other).filter(|other| !found.contains(other));
            found.into_iter().take(MAX_PLACES).chain(elsewhere).collect()
        };
        let (partitions, regions, accounts) =
            (parts(1, is_partition, "aws"), parts(3, is_region, REGION), parts(4, is_account, ACCOUNT));
        let mut places = BTreeSet::new();
        for (partition, region) in partitions.iter().flat_map(|partition| regions.iter().map(move |region| (partition, region))) {
            places.extend(accounts.iter().map(|account| [*partition, *region, *account].map(Cow::Borrowed)));
        }
        // However many accounts stand beside it, what a pattern allows lies where that pattern says.
        let expanded = || statements.iter().flat_map(|statement| &statement.resources);
        let own: BTreeSet<[Cow<'_, str>; 3]> = expanded().filter_map(|pattern| place_of(pattern)).collect();
        places.extend(own.into_iter().take(MAX_PATTERNS).map(|place| place.map(|part| Cow::Owned(part.into_owned()))));
        let named = statements.iter().flat_map(|statement| &statement.resources).filter_map(|pattern| example(pattern)).collect();
        Self { statements, places, named, covered: RefCell::default(), concerned: RefCell::default() }
    }

    /// Whether the document lets its holder make the call.
    pub(super) fn answer(&self, call: Call) -> Answer {
        let mut concerned = self.concerned.borrow_mut();
        concerned.clear();
        let (mut allowed, mut everywhere, mut denied) = (false, false, false);
        for statement in &self.statements {
            let concerns = statement.actions.holds(|pattern| matches_any_case(pattern, call.action));
            concerned.push(concerns);
            match statement.effect {
                Effect::Allow => (allowed, everywhere) = (allowed || concerns, everywhere || concerns && statement.everywhere),
                Effect::Deny => denied |= concerns,
            }
        }
        match (allowed, everywhere, denied) {
            (false, _, _) => Answer::No,
            // What most policies say, and all that can be said of it.
            (true, true, false) => Answer::Yes,
            (true, true, true) | (true, false, _) => self.answer_by_resource(call, &concerned),
        }
    }

    fn answer_by_resource(&self, call: Call, concerned: &[bool]) -> Answer {
        let request = Request { action: call.action, passed_to: call.passed_to };
        let concerned = self.statements.iter().zip(concerned).enumerate().filter(|(_, (_, concerned))| **concerned);
        let rulings: Vec<(usize, Ruling)> =
            concerned.filter_map(|(at, (statement, _))| Some((at, statement.ruling(request)?))).collect();
        if rulings.iter().all(|(_, ruling)| *ruling == Ruling::Denies) {
            return Answer::No;
        }
        let covered = self.covered(call);
        let at_large = covered.at_large.iter().map(|resource| on_resource(&rulings, resource)).max().unwrap_or(Answer::No);
        if at_large != Answer::No {
            return at_large;
        }
        let named = covered.named.get_or_init(|| self.named(call.resource));
        if named.iter().any(|resource| on_resource(&rulings, resource) != Answer::No) { Answer::Limited } else { Answer::No }
    }

    fn covered(&self, call: Call) -> Rc<Covered> {
        let find = || {
            let (mut resource, mut at_large) = (String::new(), Vec::new());
            for name in [Some(ANYBODY), call.on_oneself.then_some(ONESELF)].into_iter().flatten() {
                for [partition, region, account] in &self.places {
                    fill(&mut resource, call.resource, Place { partition, region, account }, name);
                    at_large.push(self.covering(&resource));
                }
            }
            Rc::new(Covered { at_large, named: OnceCell::new() })
        };
        let mut covered = self.covered.borrow_mut();
        Rc::clone(covered.entry((call.resource, call.on_oneself)).or_insert_with(find))
    }

    fn named(&self, template: &str) -> Vec<Vec<bool>> {
        let mut kind = String::new();
        fill(&mut kind, template, Place { partition: "*", region: "*", account: "*" }, "*");
        let named = self.named.iter().filter(|named| matches(&kind, named)).take(MAX_NAMED);
        named.map(|named| self.covering(named)).collect()
    }

    fn covering(&self, resource: &str) -> Vec<bool> {
        self.statements.iter().map(|statement| statement.covers(resource)).collect()
    }
}

/// IAM's rule: an explicit deny wins, then an allow is needed.
fn on_resource(rulings: &[(usize, Ruling)], covered: &[bool]) -> Answer {
    let mut allowed = Answer::No;
    for (_, ruling) in rulings.iter().filter(|(at, _)| covered.get(*at).copied().unwrap_or_default()) {
        match ruling {
            Ruling::Denies => return Answer::No,
            Ruling::Allows(how_far) => allowed = allowed.max(*how_far),
        }
    }
    allowed
}

/// Writes a resource's ARN from its template, in one pass: this is done a few hundred times for each document.
fn fill(out: &mut String, template: &str, place: Place<'_>, name: &str) {
    out.clear();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push_str(match after.as_bytes().first() {
            Some(b'p') => place.partition,
            Some(b'r') => place.region,
            Some(b'a') => place.account,
            _ => name,
        });
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
}

/// Where the resources of a pattern lie: partition, region and account, with something in place of wildcards.
fn place_of(pattern: &str) -> Option<[Cow<'_, str>; 3]> {
    let mut parts = pattern.splitn(6, ':').skip(1);
    let (partition, _service, region, account) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some([(partition, "aws"), (region, REGION), (account, ACCOUNT)].map(|(part, other)| match part {
        part if part.bytes().all(|byte| byte == b'*') => Cow::Borrowed(other),
        part if part.contains(['*', '?']) => Cow::Owned(part.replace('*', "").replace('?', "1")),
        part => Cow::Borrowed(part),
    }))
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
    use proptest::prelude::*;
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

    fn statement() -> impl Strategy<Value = Value> {
        let resources =
            ["*", "**", "arn:aws:iam::*:user/*", "arn:aws:iam::*:user/bob", "arn:aws:iam::*:user/${aws:username}", "x"];
        let resource = prop::sample::subsequence(resources.to_vec(), 0..3);
        let action = prop::sample::select(vec!["*", "iam:*", "IAM:put*", "iam:CreateAccessKey", "s3:*"]);
        let condition = prop::sample::select(vec![
            json!({}),
            json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
            json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
        ]);
        (prop::bool::weighted(0.7), action, any::<bool>(), resource, condition).prop_map(
            |(allow, action, only, resource, when)| {
                json!({
                    "Effect": if allow { "Allow" } else { "Deny" }, "Action": action, "Condition": when,
                    if only { "Resource" } else { "NotResource" }: resource,
                })
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_answered_at_once_is_what_asking_about_resources_answers(statements in prop::collection::vec(statement(), 0..4)) {
            let document = Document::parse(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap();
            let judge = Judge::new(&document);
            for call in [PUT, KEY] {
                let concerns = |statement: &Prepared<'_>| statement.actions.holds(|pattern| matches_any_case(pattern, call.action));
                let concerned: Vec<bool> = judge.statements.iter().map(concerns).collect();
                prop_assert_eq!(judge.answer(call), judge.answer_by_resource(call, &concerned), "{}", json!(statements));
            }
        }
    }
}
