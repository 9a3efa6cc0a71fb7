//! Finds the principals that a role's trust policy admits.
//!
//! It decides from the document and the role's account. An allow counts even if a deny in the same document might revoke it.
//! Trust policies with a deny are rare; a person looks at a false report, but nobody looks at a missing one. A deny that covers
//! everyone is honoured.

use cordon_core::{AccountId, Arn};

use super::condition::{Clause, Request, Weight};
use super::document::{Condition, Document, Effect, Statement};
use super::wildcard::matches_any_case;

/// The calls by which a role is assumed.
const ASSUME: [&str; 3] = ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];

/// Who is let in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trusted {
    /// Every principal of every account.
    Anyone,
    /// An account, or a principal in it.
    Account {
        /// The account.
        account: AccountId,
        /// The principal as the policy names it.
        principal: String,
    },
    /// A user, role or session that was deleted or is otherwise only known by its unique id, or a text that is no principal.
    Unknown {
        /// The principal as the policy names it.
        principal: String,
    },
    /// An identity provider: SAML, OIDC or one of the public ones.
    Federated {
        /// The provider as the policy names it.
        provider: String,
    },
    /// A service of AWS.
    Service {
        /// The service's principal.
        service: String,
    },
}

/// One way into a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Who is let in.
    pub who: Trusted,
    /// The conditions that hold somebody back, as `operator key values`. Empty: none does.
    pub conditions: Vec<String>,
}

impl Trust {
    /// True where principals outside of the role's own account are let in: anyone, another account, or a provider without a
    /// condition. Services of AWS are not outside.
    #[must_use]
    pub fn is_outside(&self, own: Option<&AccountId>) -> bool {
        match &self.who {
            Trusted::Anyone => true,
            Trusted::Account { account, .. } => own != Some(account),
            Trusted::Federated { .. } => self.conditions.is_empty(),
            Trusted::Unknown { .. } | Trusted::Service { .. } => false,
        }
    }
}

/// The ways into a role, each once, in a fixed order.
#[must_use]
pub fn trusts(document: &Document) -> Vec<Trust> {
    if document.statements.iter().any(|statement| statement.effect == Effect::Deny && shuts_everybody_out(statement)) {
        return Vec::new();
    }
    let allows = document.statements.iter().filter(|statement| statement.effect == Effect::Allow && lets_assume(statement));
    let mut ways: Vec<Trust> = Vec::new();
    for statement in allows {
        let conditions = limits(&statement.conditions);
        let Some(conditions) = conditions else { continue };
        let Some(principals) = &statement.principal else { continue };
        if principals.all_but {
            ways.push(Trust { who: Trusted::Anyone, conditions: conditions.clone() });
            continue;
        }
        ways.extend(principals.named.iter().map(|(kind, name)| Trust { who: who(kind, name), conditions: conditions.clone() }));
    }
    ways.sort_by(|a, b| a.who.cmp(&b.who).then_with(|| a.conditions.cmp(&b.conditions)));
    ways.dedup();
    ways
}

fn lets_assume(statement: &Statement) -> bool {
    ASSUME.iter().any(|call| statement.actions.holds(|pattern| matches_any_case(pattern, call)))
}

/// A deny for everybody, of every way to assume the role, under no condition.
fn shuts_everybody_out(statement: &Statement) -> bool {
    let everybody = statement.principal.as_ref().is_some_and(|principals| {
        !principals.all_but
            && principals.named.iter().any(|(kind, name)| name == "*" && (kind == "*" || kind.eq_ignore_ascii_case("AWS")))
    });
    let all_calls = ASSUME.iter().all(|call| statement.actions.holds(|pattern| matches_any_case(pattern, call)));
    everybody && all_calls && statement.conditions.is_empty()
}

/// The conditions that hold somebody back; `None` where they can never hold.
fn limits(conditions: &[Condition]) -> Option<Vec<String>> {
    let request = Request { action: "sts:AssumeRole", passed_to: None };
    let mut found = Vec::new();
    for condition in conditions {
        match Clause::new(condition).weigh(request) {
            Weight::Never => return None,
            Weight::Always => {}
            // A second factor says nothing about who the caller is, but a person reads it as a condition.
            Weight::Limits | Weight::Reachable => {
                let mut values = condition.values.clone();
                values.sort();
                found.push(format!("{} {} {}", condition.operator, condition.key, values.join(" ")));
            }
        }
    }
    found.sort();
    Some(found)
}

fn who(kind: &str, name: &str) -> Trusted {
    if kind == "*" || (kind.eq_ignore_ascii_case("AWS") && name.trim() == "*") {
        return Trusted::Anyone;
    }
    if kind.eq_ignore_ascii_case("Service") {
        return Trusted::Service { service: name.to_owned() };
    }
    if kind.eq_ignore_ascii_case("Federated") {
        return Trusted::Federated { provider: name.to_owned() };
    }
    let account = name.parse::<AccountId>().ok().or_else(|| name.parse::<Arn>().ok().and_then(|arn| arn.account()));
    match account {
        Some(account) => Trusted::Account { account, principal: name.to_owned() },
        // `arn:aws:iam::*:root` is refused by IAM today; were it stored, it would be everybody.
        None if name.split(':').nth(4).is_some_and(|account| account.contains('*')) => Trusted::Anyone,
        None => Trusted::Unknown { principal: name.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn own() -> AccountId {
        "111111111111".parse().unwrap()
    }

    fn ways(statements: Value) -> Vec<Trust> {
        trusts(&Document::parse(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap())
    }

    /// The one way in, whether it is from outside, and its conditions.
    #[track_caller]
    fn check(principal: Value, condition: Value, outside: bool, conditions: &[&str]) {
        let found = ways(json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole*", "Condition": condition}));
        let [way] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (way.is_outside(Some(&own())), &way.conditions[..]),
            (outside, &conditions.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
        );
    }

    #[test]
    fn another_account_and_anyone_are_outside() {
        check(json!({"AWS": "arn:aws:iam::999999999999:root"}), json!({}), true, &[]);
        check(json!({"AWS": "999999999999"}), json!({}), true, &[]);
        check(json!({"AWS": "arn:aws:iam::999999999999:role/x"}), json!({}), true, &[]);
        check(json!({"AWS": "*"}), json!({}), true, &[]);
        check(json!("*"), json!({}), true, &[]);
        check(json!({"AWS": "arn:aws:iam::*:root"}), json!({}), true, &[]);
        check(json!({"AWS": "arn:aws:iam::111111111111:role/x"}), json!({}), false, &[]);
        check(json!({"AWS": "AROAEXAMPLE"}), json!({}), false, &[]);
        check(json!({"Service": "lambda.amazonaws.com"}), json!({}), false, &[]);
    }

    #[test]
    fn conditions_that_hold_somebody_back_are_told_and_others_are_not() {
        let any = json!({"AWS": "*"});
        check(any.clone(), json!({"StringEquals": {"sts:ExternalId": "x"}}), true, &["StringEquals sts:ExternalId x"]);
        check(
            any.clone(),
            json!({"StringEquals": {"aws:PrincipalOrgID": ["o-2", "o-1"]}}),
            true,
            &["StringEquals aws:PrincipalOrgID o-1 o-2"],
        );
        check(any.clone(), json!({"StringLike": {"aws:PrincipalArn": "*"}}), true, &[]);
        check(any, json!({"Bool": {"aws:SecureTransport": true}}), true, &[]);
    }

    #[test]
    fn a_provider_without_a_condition_is_outside() {
        let provider = json!({"Federated": "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"});
        check(provider.clone(), json!({}), true, &[]);
        let subject = json!({"StringLike": {"token.actions.githubusercontent.com:sub": "repo:acme/*"}});
        check(provider, subject, false, &["StringLike token.actions.githubusercontent.com:sub repo:acme/*"]);
    }

    #[test]
    fn everybody_but_somebody_is_anyone_and_a_deny_for_everybody_is_nobody() {
        let all_but =
            json!({"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::111111111111:role/x"}, "Action": "sts:AssumeRole"});
        assert_eq!(ways(all_but.clone())[0].who, Trusted::Anyone);
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:*"});
        assert_eq!(ways(json!([all_but, deny])), []);
    }

    #[test]
    fn what_does_not_let_anybody_assume_the_role_is_no_way_in() {
        assert_eq!(ways(json!({"Effect": "Allow", "Principal": "*", "Action": "sts:TagSession"})), []);
        assert_eq!(ways(json!({"Effect": "Allow", "Action": "sts:AssumeRole"})), []);
        let never = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Condition": {"Bool": {"aws:SecureTransport": false}}});
        assert_eq!(ways(never), []);
    }
}
