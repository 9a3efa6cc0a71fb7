//! Every fault of a `cordon.toml` is reported in one run, at the line and column where it is written.
//!
//! The files have comments and values that stand more than once, so that a search of the text would find the wrong place.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may fail by panicking")]

use cordon_core::config::{ConfigFile, Problem};
use cordon_core::pattern::NamePatternError;
use cordon_core::{Config, RuleId};

/// Line and column, counted from 1, and the problem.
type Place = (usize, usize, Problem);

fn check(text: &str, expected: Vec<Place>) {
    let error = Config::parse("cordon.toml", text).expect_err(text);
    let found: Vec<Place> = error.faults().iter().map(|fault| (fault.line(), fault.column(), fault.problem().clone())).collect();
    assert_eq!(found, expected, "{text}\n{error}");
}

fn key(key: &str) -> String {
    key.to_owned()
}

fn rule(id: &str) -> RuleId {
    id.parse().unwrap()
}

#[test]
fn a_rule_in_both_gates_is_reported_where_the_second_gate_names_it() {
    let text = "\
# user-made is what we ask about in contain_then_ask.
[rules]
disabled = [\"user-made\"]      # user-made
[gates]
# auto = [\"user-made\"]
auto = [\"user-made\", \"other\"]
contain_then_ask = [
  # user-made
  \"more\", \"user-made\",
]
";
    check(text, vec![(9, 11, Problem::InBothGates(rule("user-made")))]);
}

#[test]
fn a_value_that_is_right_in_one_section_is_reported_where_it_is_wrong() {
    let text = "\
# 12
[notifications]
cards_per_minute = 12           # 12 a minute
[scope]
# accounts = [\"12\"]
accounts = [\"111111111111\", \"12\"]
principals = [
  \"arn:aws:iam::*:user/a\",     # not: \"user/a\"
  \"user/a\",
]
never_touch = [\"user/a\"]
";
    check(
        text,
        vec![
            (6, 29, Problem::NotAnAccount(key("12"))),
            (9, 3, Problem::NotAnArnPattern { key: key("scope.principals"), pattern: key("user/a") }),
            (
                11,
                16,
                Problem::NotNamed { key: key("scope.never_touch"), pattern: key("user/a"), why: NamePatternError::NotAnArn },
            ),
        ],
    );
}

#[test]
fn an_id_that_stands_twice_is_reported_at_its_second_entry() {
    let text = "\
# U0ADA01 is Ada.
mode = \"enforce\"
[[approval.approvers]]
name = \"Ada\"
slack_user_id = \"U0ADA01\"
principals = [\"arn:aws:iam::111111111111:user/ada\"]
[[approval.approvers]]
name = \"Ada again\"             # U0ADA01, too
slack_user_id = \"U0ADA01\"
principals = []
[approval.quorum]
# high = 3
high = 2
critical = 3
";
    let section = || key("approval.approvers");
    check(
        text,
        vec![
            (9, 17, Problem::ListedTwice { section: section(), id: key("U0ADA01") }),
            (10, 14, Problem::NoPrincipals { section: section(), name: key("Ada again") }),
            (14, 12, Problem::QuorumTooHigh { level: "critical", wanted: 3, approvers: 2 }),
        ],
    );
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let text = "[exceptions]\n# 管理者\nexempt_groups = [\"管理者\", \"\"]\n";
    check(text, vec![(3, 25, Problem::EmptyGroup)]);
}

#[test]
fn wrong_types_missing_keys_and_unknown_keys_do_not_hide_each_other() {
    let text = "\
mode = \"enforced\"
[limits]
enforcements_per_hour = 1001
max_event_age_minutes = \"1001\"
[[approval.approvers]]
# name
slack_user_id = \"U0ADA01\"
principals = \"arn:aws:iam::*:user/ada\"
[[exceptions.automation]]
name = \"CI\"
roles = [1, \"arn:aws:iam::111111111111:role/*\"]
role = \"arn:aws:iam::*:role/ci\"
[notifications]
routes = [{ channel = \"#general\" }, { rules = [], topic = \"arn:aws:sns:us-east-1:111122223333:a\" }]
";
    let error = Config::parse("cordon.toml", text).unwrap_err();
    let told: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    let expected = [
        "cordon.toml:1:8: mode: unknown variant `enforced`, expected `dry-run` or `enforce`",
        "cordon.toml:3:25: limits.enforcements_per_hour must be between 0 and 1000",
        "cordon.toml:4:25: limits.max_event_age_minutes: invalid type: string \"1001\", expected u32",
        "cordon.toml:5:1: approval.approvers: `name` is missing; add `name = …`",
        "cordon.toml:8:14: approval.approvers.principals: invalid type: string, expected a list",
        "cordon.toml:11:10: exceptions.automation.roles: invalid type: integer `1`, expected a string",
        "cordon.toml:11:13: exceptions.automation.roles: `arn:aws:iam::111111111111:role/*` fits every name, also that of one that \
         somebody makes; write the name, or what it begins with: `break-glass-*`",
        "cordon.toml:12:1: unknown key `role` in `exceptions.automation`; did you mean `roles`?",
        "cordon.toml:14:23: notifications.routes.channel: `#general` is not the id of a Slack channel; copy the id from the \
         channel's details (`C…` or `G…`); it is not the channel's name",
        "cordon.toml:14:47: notifications.routes.rules must not be an empty list; leave the key out to match everything",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_faulty_entry_brings_no_fault_that_only_follows_from_it() {
    // The one approver is unusable, but there is one: neither the mode nor the rehearsal is wrong.
    let text = "mode = \"enforce\"\n[approval]\nrehearse = true\n[[approval.approvers]]\nname = \"A\"\nslack_user_id = 7\n\
                principals = [\"arn:aws:iam::111111111111:user/a\"]\n";
    let error = Config::parse("cordon.toml", text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cordon.toml:6:17: approval.approvers.slack_user_id: invalid type: integer `7`, expected a string"
    );
    let text = "mode = \"enforce\"   # not \"dry-run\"\n[approval]\nrehearse = true\n";
    check(text, vec![(1, 8, Problem::NobodyApproves), (3, 12, Problem::NobodyRehearses)]);
}

#[test]
fn the_end_tag_is_compared_with_the_default_and_reported_where_the_file_says_something() {
    check("[exceptions]\n# until_key\nuntil_key = \"securityapproved\"\n", vec![(3, 13, Problem::UntilKey)]);
    check("[exceptions]\ntag_key = \"SecurityApprovedUntil\" # and until_key\n", vec![(2, 11, Problem::UntilKey)]);
    check(
        "[exceptions]\ntag_key = \"a*b\"\ntag_value = \" \"\n",
        vec![
            (2, 11, Problem::TagText { key: key("exceptions.tag_key"), value: key("a*b") }),
            (3, 13, Problem::EmptyTag { key: key("exceptions.tag_value") }),
        ],
    );
}

#[test]
fn a_key_that_is_there_twice_does_not_hide_the_faults_behind_it() {
    let text = "mode = \"dry-run\"\nmode = \"enforce\"\n[gates]\nauto = [\"Not A Rule\"]\n";
    let error = Config::parse("cordon.toml", text).unwrap_err().to_string();
    let told: Vec<&str> = error.lines().collect();
    assert_eq!(told.len(), 2, "{error}");
    assert!(told[0].starts_with("cordon.toml:2:1: duplicate key"), "{error}");
    assert!(told[1].starts_with("cordon.toml:4:9: gates.auto: `Not A Rule` is not a rule id"), "{error}");
}

#[test]
fn broken_syntax_is_told_once_and_not_followed_by_guesses() {
    let check = |text: &str, expected: &str| {
        let error = Config::parse("cordon.toml", text).unwrap_err();
        assert_eq!(error.faults().len(), 1, "{error}");
        assert!(error.to_string().starts_with(expected), "{error}");
    };
    check("[gates]\nauto = [\"a\"\n[rules]\ndisabled = [\"q\"]\n", "cordon.toml:3:1: missing comma");
    check("# mode\nmode \"enforce\"\n[rules]\n", "cordon.toml:2:");
    check("# mode\nmode = \"dry-run\n[scope]\n", "cordon.toml:2:");
}

#[test]
fn whoever_knows_the_rules_adds_faults_at_the_names() {
    let text = "# a b\n[rules]\ndisabled = [\"a\"]\n[gates]\nauto = [\"b\", \"a\"]\n\
                [[exceptions.automation]]\nname = \"a\"\nroles = [\"arn:aws:iam::111111111111:role/a\"]\nrules = [\n\"a\"]\n";
    let mut file = ConfigFile::read("cordon.toml", text);
    let named: Vec<(String, String)> =
        file.references().iter().map(|named| (named.key.clone(), named.rule.to_string())).collect();
    let expected = [("exceptions.automation.rules", "a"), ("gates.auto", "b"), ("gates.auto", "a"), ("rules.disabled", "a")];
    assert_eq!(named, expected.map(|(key, rule)| (key.to_owned(), rule.to_owned())));
    for named in file.references().to_vec().into_iter().filter(|named| named.rule.as_str() == "a") {
        file.add(named.span, Problem::UnknownRule { key: named.key, rule: named.rule, similar: None });
    }
    let error = file.finish().unwrap_err();
    let places: Vec<_> = error.faults().iter().map(|fault| (fault.line(), fault.column())).collect();
    assert_eq!(places, [(3, 13), (5, 14), (10, 1)]);
}
