use super::*;
use serde_json::json;

const RULE: &str = "\
title: A user was made
id: 11111111-2222-4333-8444-555555555555
name: user-made
author: Somebody
level: high
description: Why it is dangerous.
logsource:
    product: aws
    service: cloudtrail
detection:
    selection:
        eventSource: iam.amazonaws.com
        eventName: CreateUser
    condition: selection
response:
    contain: [deny-iam]
cases:
    - hit: {eventSource: iam.amazonaws.com, eventName: CreateUser}
    - miss: {eventSource: iam.amazonaws.com, eventName: CreateRole}
";

fn load(text: &str) -> Result<RuleBook, Vec<String>> {
    RuleBook::load(vec![RuleSource::new("rules/a.yml", text)])
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// The change makes the file bad, and the error names the file, the line and the reason.
#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    assert!(RULE.contains(from), "`{from}` is not in the rule");
    let errors = load(&RULE.replace(from, to)).unwrap_err();
    assert!(errors.iter().any(|error| error.starts_with("rules/a.yml") && error.contains(expected)), "{errors:#?}");
}

#[test]
fn a_rule_says_who_wrote_it_how_bad_it_is_and_what_is_done() {
    let book = load(RULE).unwrap();
    let [detection] = &book.evaluate(&json!({"eventSource": "iam.amazonaws.com", "eventName": "CreateUser"}))[..] else {
        panic!()
    };
    assert_eq!((detection.rule.as_str(), detection.author.as_str(), detection.level), ("user-made", "Somebody", Level::High));
    assert_eq!(detection.response.as_ref().unwrap().contain, [cordon_core::RemedyKind::DenyIam]);
    assert!(book.evaluate(&json!({"eventSource": "iam.amazonaws.com", "eventName": "CreateRole"})).is_empty());
}

#[test]
fn a_rule_without_a_response_only_alerts() {
    let (alert, _) = RULE.split_once("response:").unwrap();
    assert_eq!(load(alert).unwrap().rules()[0].response, None);
}

#[test]
fn a_rule_is_known_by_its_name_else_its_uuid_else_its_file() {
    let id = |text: &str| load(text).unwrap().rules()[0].id.to_string();
    let unnamed = RULE.replace("name: user-made\n", "");
    assert_eq!(id(RULE), "user-made");
    assert_eq!(id(&unnamed), "11111111-2222-4333-8444-555555555555");
    assert_eq!(id(&unnamed.replace("id: 1", "# id: 1")), "a");
    refused("name: user-made", "name: User made!", "the rule's name cannot be its id");
}

#[test]
fn a_bad_file_is_named_with_the_line_and_the_reason() {
    refused("title: A user was made", "title: [", "rules/a.yml:");
    refused("title: A user was made\n", "", "title");
    refused("level: high", "level: hihg", "rules/a.yml:5: invalid level: 'hihg'");
    refused("condition: selection", "condition: selection and", "rules/a.yml:14: ");
    refused("condition: selection", "condition: selektion", "rules/a.yml:14: ");
    refused("condition: selection", "condition: 1 of sel_*", "rules/a.yml:14: `sel_*`");
    refused("eventName: CreateUser\n    cond", "eventName|contain: CreateUser\n    cond", "rules/a.yml:13: ");
    refused("eventName: CreateUser\n    cond", "eventName|re: '('\n    cond", "rules/a.yml:");
    refused("contain: [deny-iam]", "contain: [deny-everything]", "rules/a.yml:16: ");
    refused("contain: [deny-iam]", "contian: [deny-iam]", "rules/a.yml:16: ");
    refused("contain: [deny-iam]", "contain: []", "rules/a.yml:15: `response` names no remedy");
    refused("    contain: [deny-iam]\n", "", "rules/a.yml:15: `response` is empty");
    refused("response:", "respones:", "rules/a.yml:15: `respones` is not a key of a rule: is `response` meant?");
    refused("    - hit:", "    - hitt:", "rules/a.yml:18: ");
    refused(
        "    - hit: {eventSource: iam.amazonaws.com, eventName: CreateUser}",
        "    - why: no event",
        "either a `hit` or a `miss`",
    );
    refused("{eventSource: iam.amazonaws.com, eventName: CreateUser}", "CreateUser", "mapping of fields");
    refused("product: aws", "product: windows", "rules/a.yml:7: the logsource");
    refused("service: cloudtrail", "service: waf", "rules/a.yml:7: the logsource");
    refused("cases:", "level: low\ncases:", "rules/a.yml:");
    refused("cases:", "---\ncases:", "rules/a.yml");
    assert!(load("").is_err());
    assert!(load("- a\n- b\n").is_err());
    assert!(load("title: t\ncorrelation: {type: event_count, rules: [a], timespan: 1h, condition: {gte: 3}}\n").is_err());
}

#[test]
fn a_rule_without_its_cases_is_the_same_rule_on_the_same_lines() {
    let whole = RuleSource::new("rules/a.yml", format!("{RULE}falsepositives: [none]\nscope: x\n"));
    let lean = whole.without_cases();
    let load = |source: RuleSource| RuleBook::load(vec![source]).unwrap().rules()[0].clone();
    let expected = Rule { cases: vec![], ..load(whole) };
    assert_eq!(load(lean.clone()), expected);
    let bad = RuleSource { text: lean.text.replace("scope: x", "respones: {}"), ..lean };
    assert_eq!(RuleBook::load(vec![bad]).unwrap_err()[0].line, Some(21));
}

#[test]
fn keys_of_others_are_let_through() {
    assert!(load(&RULE.replace("level: high", "level: high\nsimulation: []\nregression_tests_path: x")).is_ok());
}

#[test]
fn every_bad_file_is_named_at_once() {
    let source = |path: &str, text: String| RuleSource::new(path, text);
    let errors = RuleBook::load(vec![
        source(
            "rules/c.yml",
            RULE.replace("selection\nresponse", "no\nresponse").replace("user-made", "c").replace("id: 1", "id: 3"),
        ),
        source("rules/b.yml", RULE.replace("level: high", "level: hihg")),
        source("rules/a.yml", RULE.to_owned()),
    ])
    .unwrap_err();
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["rules/b.yml", "rules/c.yml"], "{errors:#?}");
}

#[test]
fn two_rules_of_one_id_are_refused_by_both_names() {
    let other = RULE.replace("name: user-made", "name: other");
    for second in [RULE.to_owned(), other] {
        let sources = vec![RuleSource::new("rules/a.yml", RULE), RuleSource::new("rules/b.yml", second)];
        let errors = RuleBook::load(sources).unwrap_err();
        let text = errors[0].to_string();
        assert!(text.contains("rules/a.yml") && text.contains("rules/b.yml"), "{text}");
    }
}

#[test]
fn a_disabled_rule_does_not_match_and_an_unknown_name_is_an_error() {
    let event = json!({"eventSource": "iam.amazonaws.com", "eventName": "CreateUser"});
    let id: RuleId = "user-made".parse().unwrap();
    assert!(load(RULE).unwrap().without(&[id]).unwrap().evaluate(&event).is_empty());
    let typo: RuleId = "user-maed".parse().unwrap();
    assert_eq!(load(RULE).unwrap().without(std::slice::from_ref(&typo)).unwrap_err(), [typo]);
}

#[test]
fn matches_come_with_the_worst_first() {
    let variant = |name: &str, level: &str| {
        let text = RULE.replace("user-made", name).replace("level: high", level).replace("id: 1", "# id: 1");
        RuleSource::new(format!("{name}.yml"), text)
    };
    let book = RuleBook::load(vec![
        variant("b", "level: low"),
        variant("a", "level: low"),
        variant("c", "level: critical"),
        variant("d", ""),
    ])
    .unwrap();
    let found = book.evaluate(&json!({"eventSource": "iam.amazonaws.com", "eventName": "CreateUser"}));
    let order: Vec<String> = found.iter().map(|detection| format!("{} {}", detection.rule, detection.level)).collect();
    assert_eq!(order, ["c critical", "d medium", "a low", "b low"]);
}

#[test]
fn a_book_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<RuleBook>();
}
