use super::*;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::json;

const RULE: &str = "\
title: A user was made
name: user-made
level: high
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        eventName|startswith: ['Create', '%cordon%-']
        requestParameters.userName|re: '^%cordon%-.*$'
    condition: selection
response:
    contain: [deny-iam]
guide: Look at it.
cases:
    - hit: {eventName: CreateUser}
";

/// Every kind of detection and of value that Sigma knows.
const EVERYTHING: &str = r"
title: Everything
sigma-version: 3
logsource: {product: aws, service: cloudtrail, category: c, definition: d, other: o}
detection:
    words: [one, 'two*', 3]
    fields:
        eventName: ['A*', 'b?', 'c\*', 'd\\e', '', null, true, 7, 1.5]
        a|re|i: '^x\.y$'
        b|contains|all: [x, y]
        c|cidr: 10.0.0.0/8
        d|gte: 3
        e|exists: false
        f|fieldref: g
        h|base64offset|contains: secret
        i|cased: Exactly
    either:
        - eventName: x
        - {eventName: y, eventSource: z}
    listed:
        tags[any]: {key: k, value: v}
    scoped:
        tags[all]:
            one: {key: k}
            two: {value: v}
            condition: one and not two
    mixed:
        eventName: x
        tags[none]: {key: k}
    condition:
        - words or fields or either or listed
        - 1 of mix* and not all of scop*
        - any of them
---
title: A burst
name: burst
correlation:
    type: value_count
    rules: [user-made]
    group-by: [who]
    timespan: 10m
    condition: {gte: 5, field: eventName}
    aliases:
        who: {user-made: cordon.actor.identity}
    generate: true
";

fn packed(texts: &[&str]) -> RuleSource {
    let sources: Vec<RuleSource> =
        texts.iter().enumerate().map(|(at, text)| RuleSource::new(format!("rules/{at}.yml"), *text)).collect();
    RuleSource::new("rules.json", pack(&sources).unwrap())
}

/// Why the packed rules are refused.
fn refused(text: impl Into<String>) -> String {
    let source = RuleSource::new("rules.json", text);
    let errors = RuleBook::load_packed(&source, &Placeholders::default()).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn packed_rules_are_the_rules_but_for_their_cases() {
    let sources = [RuleSource::new("rules/0.yml", RULE).without_cases(), RuleSource::new("rules/1.yml", EVERYTHING)];
    let placeholders = Placeholders::new("team:approved", "team:until", "yes", "watch").unwrap();
    let written = RuleBook::load_for(sources.to_vec(), &placeholders).unwrap();
    let read = RuleBook::load_packed(&packed(&[RULE, EVERYTHING]), &placeholders).unwrap();
    assert_eq!((written.rules().len(), written.correlations().len()), (2, 1));
    assert_eq!((read.rules(), read.correlations()), (written.rules(), written.correlations()));
    let matches =
        |name: &str| !read.evaluate(&json!({"eventName": name, "requestParameters": {"userName": "watch-x"}})).is_empty();
    assert!(matches("CreateUser") && matches("watch-x") && !matches("cordon-x"));
}

#[test]
fn what_was_changed_after_packing_is_refused_wherever_it_was_changed() {
    let packed = packed(&[RULE]).text;
    assert!(refused(packed.replace("deny-iam", "deny-all")).contains("changed after they were packed"));
    assert!(refused(packed.trim_end()).contains("changed"), "cut off");
    assert!(refused(format!("{packed}\n")).contains("changed"));
    assert!(refused("").contains("no packed rules"));
    assert!(refused(RULE).contains("no packed rules"));
    let (header, lines) = packed.split_once('\n').unwrap();
    assert!(refused(header).contains("changed"));
    assert!(refused(lines).contains("no packed rules"));
    let other = header.replace("\"format\":1", "\"format\":2");
    let reason = refused(format!("{other}\n{lines}"));
    assert_eq!(
        reason,
        "rules.json:1: the rules were packed in format 2, and this version reads format 1; \
         pack the rules again with `cordon package`"
    );
}

#[test]
fn what_is_not_a_rule_is_refused_even_under_its_own_hash() {
    let with = |lines: &str| format!("{{\"format\":1,\"sha256\":\"{}\"}}\n{lines}", hash(lines));
    assert!(refused(with("{}\n")).starts_with("rules.json:2: this rule cannot be read"));
    let (_, lines) = packed(&[RULE]).text.split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(refused(with(&lines.replace("\"log\":", "\"extra\":1,\"log\":"))).contains("unknown field `extra`"));
    assert!(refused(with(&lines.replace("startswith", "startwith"))).contains("`startwith` is no modifier"));
    assert!(refused(with(&lines.repeat(2))).contains("is also the id of"));
}

#[test]
fn a_rule_that_a_deployments_values_could_turn_into_another_is_not_packed() {
    let pack_of = |value: &str| pack(&[RuleSource::new("rules/a.yml", RULE.replace("'%cordon%-'", value))]);
    let errors = pack_of("1%cordon%").unwrap_err();
    assert!(errors[0].path == "rules/a.yml" && errors[0].reason.contains("has to stand in quotes"), "{errors:?}");
    assert!(pack_of("'1%cordon%'").is_ok());
    assert!(pack(&[RuleSource::new("rules/a.yml", "title: [")]).is_err(), "nor is one that cannot be loaded");
}

/// The form is fixed: who changes it raises [`FORMAT`], for functions that were built before read what is packed now.
#[test]
fn the_form_of_packed_rules_is_the_one_that_its_format_number_stands_for() {
    let (_, lines) = packed(&[RULE]).text.split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(FORMAT, 1);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&lines).unwrap(),
        json!({"rule": {
            "about": {
                "id": "user-made", "sigma_id": null, "path": "rules/0.yml", "title": "A user was made", "author": "unknown",
                "level": "high", "tags": [], "description": "", "falsepositives": [], "references": [], "guide": "Look at it.",
                "response": {"revert": [], "contain": ["deny-iam"], "gate": "ask", "exceptions": ["tag", "recorded", "automation"]},
            },
            "log": "cloud_trail",
            "sigma": {
                "logsource": {"category": null, "product": "aws", "service": "cloudtrail", "definition": null, "custom": {}},
                "sigma_version": null,
                "named": {"selection": {"AllOf": [
                    {"field": "eventName", "modifiers": ["startswith"], "values": [{"Text": "Create"}, {"Text": "%cordon%-"}]},
                    {"field": "requestParameters.userName", "modifiers": ["re"], "values": [{"Raw": "^%cordon%-.*$"}]},
                ]}},
                "conditions": [{"Identifier": "selection"}],
            },
        }})
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_changed_character_anywhere_is_noticed(at in any::<prop::sample::Index>(), with in "[a-z0-9{}\" ]") {
        let text = packed(&[RULE]).text;
        let at = at.index(text.len());
        let (Some(before), Some(behind)) = (text.get(..at), text.get(at + 1..)) else { return Err(TestCaseError::reject("inside a character")) };
        let changed = format!("{before}{with}{behind}");
        let loaded = RuleBook::load_packed(&RuleSource::new("rules.json", changed.clone()), &Placeholders::default());
        prop_assert!(loaded.is_err() || changed == text, "{}", changed);
    }
}
