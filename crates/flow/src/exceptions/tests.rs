use super::*;
use serde_json::Value;

const CONFIG: &str = r#"
[exceptions]
max_days = 30
[[approval.approvers]]
name = "Ada"
slack_user_id = "U0ADA"
principals = ["arn:aws:iam::111111111111:user/ada", "arn:aws:iam::111111111111:role/ada-*"]
[[approval.approvers]]
name = "Ben"
slack_user_id = "U0BEN"
principals = ["arn:aws:iam::111111111111:user/ben"]
"#;
const ADA: &str = "arn:aws:iam::111111111111:user/ada";
const DEPLOY: &str = "arn:aws:iam::111111111111:user/deploy";

fn config() -> Config {
    Config::parse("cordon.toml", CONFIG).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-01-02T03:00:00Z")
}

fn wanted() -> Wanted {
    Wanted {
        principal: DEPLOY.to_owned(),
        rule: RuleScope::Rule("iam-write".parse().unwrap()),
        until: "2026-01-10".to_owned(),
        reason: "Moves the users".to_owned(),
        owner: Some("Platform".to_owned()),
    }
}

fn recorded() -> RecordedException {
    record(&wanted(), &[ADA.to_owned()], &config(), now()).unwrap()
}

fn actor(name: &str) -> Actor {
    let record: Value = json!({"userIdentity": {"type": "IAMUser", "userName": name, "accountId": "111111111111", "arn": format!("arn:aws:iam::111111111111:user/{name}")}});
    Actor::from_record(&record)
}

#[test]
fn only_an_approver_records_for_somebody_else_until_a_near_day_with_a_reason() {
    let check = |change: fn(&mut Wanted), caller: &str, says: &str| {
        let mut wanted = wanted();
        change(&mut wanted);
        match record(&wanted, &[caller.to_owned()], &config(), now()) {
            Ok(recorded) => assert!(says.is_empty(), "{recorded:?} {says}"),
            Err(refused) => assert!(!says.is_empty() && refused.to_string().contains(says), "{refused}"),
        }
    };
    check(|_| {}, ADA, "");
    check(|_| {}, "arn:aws:iam::111111111111:user/ada2", "only approvers");
    check(|w| w.principal = ADA.to_owned(), ADA, "nobody exempts themself");
    check(|w| w.principal = "arn:aws:iam::111111111111:user/*a".to_owned(), ADA, "nobody exempts themself");
    check(|w| w.principal = "arn:aws:iam::111111111111:role/*-admin".to_owned(), ADA, "nobody exempts themself");
    check(|w| w.principal = ADA.to_owned(), "arn:aws:iam::111111111111:user/ben", "");
    check(|w| w.principal = "deploy".to_owned(), ADA, "not an ARN pattern");
    check(|w| w.principal = "arn:aws:iam::111111111111:group/admins".to_owned(), ADA, "does not name a user or role");
    check(|w| w.principal = "arn:aws:iam::111111111111:role/*".to_owned(), ADA, "fits every name");
    check(|w| w.principal = "arn:aws:iam::*:role/deploy".to_owned(), ADA, "`arn:aws:iam::111122223333:role/deploy`");
    check(|w| w.principal = "arn:aws:iam::111111111111:role/*/deploy".to_owned(), ADA, "a wildcard in its path");
    check(|w| w.until = "soon".to_owned(), ADA, "neither a date");
    check(|w| w.until = "2026-01-01".to_owned(), ADA, "passed already");
    check(|w| w.until = "2026-02-01".to_owned(), ADA, "");
    check(|w| w.until = "2026-02-03".to_owned(), ADA, "more than 30 days");
    check(|w| w.reason = "  ".to_owned(), ADA, "the reason of");
    check(|w| w.reason = "x".repeat(501), ADA, "the reason of");
    check(|w| w.owner = Some("a\u{1b}[2Jb".to_owned()), ADA, "the owner of");
    assert_eq!(record(&Wanted { owner: None, ..wanted() }, &[ADA.to_owned()], &config(), now()).unwrap().owner, ADA);
}

#[test]
fn an_exception_covers_its_principal_its_rule_and_its_days() {
    let check = |name: &str, rule: &str, time: &str, says: &str| {
        let bearing = bearing(&recorded(), &actor(name), &rule.parse().unwrap(), at(time), &config());
        match (says, bearing) {
            ("covers", Bearing::Covers(said)) => assert!(said.contains("Platform") && said.contains("Moves the users"), "{said}"),
            ("", Bearing::None) => {}
            (says, Bearing::Not(said)) => assert!(!says.is_empty() && said.contains(says), "{said}"),
            (says, other) => panic!("{name} {rule} {time} {says}: {other:?}"),
        }
    };
    check("deploy", "iam-write", "2026-01-10T23:59:59Z", "covers");
    check("deploy2", "iam-write", "2026-01-03T00:00:00Z", "");
    check("deploy", "iam-write2", "2026-01-03T00:00:00Z", "");
    check("deploy", "iam-write", "2026-01-11T00:00:00Z", "ended at 2026-01-11");
    check("deploy", "iam-write", "2026-03-11T00:00:00Z", "");
    check("deploy", "iam-write", "2026-01-02T02:59:59Z", "after the event");
    let any = RecordedException { rule: RuleScope::Any, ..recorded() };
    let bearing = bearing(&any, &actor("deploy"), &"whatever".parse().unwrap(), at("2026-01-03T00:00:00Z"), &config());
    assert!(matches!(bearing, Bearing::Covers(_)));
}

#[test]
fn what_was_ended_forged_or_given_by_the_actor_does_not_count() {
    let check = |recorded: RecordedException, name: &str, says: &str| {
        let bearing = bearing(&recorded, &actor(name), &"iam-write".parse().unwrap(), at("2026-01-03T00:00:00Z"), &config());
        assert!(matches!(&bearing, Bearing::Not(said) if said.contains(says)), "{says}: {bearing:?}");
    };
    let ended = end(recorded(), &[ADA.to_owned()], "done", &config(), at("2026-01-02T12:00:00Z")).unwrap();
    assert!(end(ended.clone(), &[ADA.to_owned()], "again", &config(), now()).is_err());
    assert!(!ended.stands(at("2026-01-03T00:00:00Z")));
    check(ended, "deploy", "was ended by");
    check(RecordedException { created_by: DEPLOY.to_owned(), ..recorded() }, "deploy", "not an approver");
    check(RecordedException { until: at("2030-01-01T00:00:00Z"), ..recorded() }, "deploy", "longer than the 30 days");
    let own = RecordedException { principal: Pattern::new("arn:aws:iam::111111111111:user/a*"), ..recorded() };
    check(own, "ada", "by the actor");
    assert!(end(recorded(), &["arn:aws:iam::111111111111:user/eve".to_owned()], "x", &config(), now()).is_err());
}

#[test]
fn a_stored_exception_reads_back_with_its_rule_as_a_word() {
    let value = serde_json::to_value(recorded()).unwrap();
    assert_eq!((&value["rule"], &value["principal"]), (&json!("iam-write"), &json!(DEPLOY)));
    assert_eq!(serde_json::from_value::<RecordedException>(value).unwrap(), recorded());
    assert!(serde_json::from_value::<RuleScope>(json!("Not A Rule")).is_err());
    assert_eq!(serde_json::from_value::<RuleScope>(json!("*")).unwrap(), RuleScope::Any);
}

/// Whoever acts as a role that two approvers share could be either: the one who records could be the one who is exempted.
#[test]
fn what_a_shared_role_recorded_counts_for_neither_of_those_who_share_it() {
    const SHARED: &str = "arn:aws:iam::111111111111:role/admins";
    let text = CONFIG.replace("user/ada\"", "user/ada\", \"arn:aws:iam::111111111111:role/admins\"");
    let text = text.replace("user/ben\"", "user/ben\", \"arn:aws:iam::111111111111:role/admins\"");
    let shared = Config::parse("cordon.toml", &text).unwrap();
    let for_ben = Wanted { principal: "arn:aws:iam::111111111111:user/ben".to_owned(), ..wanted() };
    let refused = record(&for_ben, &[SHARED.to_owned()], &shared, now()).unwrap_err();
    assert!(refused.to_string().contains("fits several approvers (Ada, Ben)"), "{refused}");
    let stored = RecordedException { created_by: SHARED.to_owned(), principal: Pattern::new(&for_ben.principal), ..recorded() };
    let bearing = bearing(&stored, &actor("ben"), &"iam-write".parse().unwrap(), at("2026-01-03T00:00:00Z"), &shared);
    assert!(matches!(&bearing, Bearing::Not(said) if said.contains("cannot be told from another")), "{bearing:?}");
}
