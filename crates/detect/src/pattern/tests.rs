use super::*;
use crate::rules::RuleSource;
use proptest::prelude::*;

fn book(detections: &[String]) -> RuleBook {
    let sources = detections.iter().enumerate().map(|(at, detection)| {
        let text = format!("title: t\nname: r{at}\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}\n");
        RuleSource::new(format!("r{at}.yml"), text)
    });
    RuleBook::load(sources.collect()).map_err(|errors| format!("{errors:#?}")).unwrap()
}

/// The `detail` parts for rules with these detections.
fn generated(detections: &[&str]) -> Vec<Value> {
    details(&book(&detections.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()))
}

fn details(book: &RuleBook) -> Vec<Value> {
    patterns_within(book, MAX_PATTERN_CHARS)
}

fn selected(patterns: &[Value], event: &Value) -> usize {
    patterns.iter().filter(|pattern| matching::matches(pattern, event)).count()
}

#[test]
fn equal_values_of_service_call_and_caller_are_selected() {
    let patterns = generated(&[
        "  a: {eventSource: iam.amazonaws.com, eventName: [CreateUser, DeleteUser]}\n  condition: a",
        "  a: {eventSource: iam.amazonaws.com, eventName: [DeleteUser]}\n  condition: a",
        "  a: {userIdentity.type: Root}\n  condition: a",
    ]);
    let expected = json!([{"$or": [
        {"userIdentity": {"type": ["Root"]}},
        {"eventSource": ["iam.amazonaws.com"], "eventName": ["CreateUser", "DeleteUser", null, {"exists": false}]},
    ]}]);
    assert_eq!(json!(patterns), expected);
}

#[test]
fn what_a_negation_leaves_is_not_narrowed() {
    let patterns = generated(&["  a: {eventSource: iam.amazonaws.com}\n  b: {eventName: CreateUser}\n  condition: a and not b"]);
    assert_eq!(json!(patterns), json!([{"eventSource": ["iam.amazonaws.com"]}]));
}

#[test]
fn both_sides_of_an_and_narrow_and_impossible_alternatives_vanish() {
    let patterns = generated(&[
        "  a: {eventSource: iam.amazonaws.com, eventName: [CreateUser, DeleteUser]}\n  b: {eventName|startswith: Delete}\n  condition: a and b",
        "  a: {eventName: X}\n  b: {eventName: Y}\n  condition: a and b",
    ]);
    assert_eq!(
        json!(patterns),
        json!([{"eventSource": ["iam.amazonaws.com"], "eventName": ["DeleteUser", null, {"exists": false}]}])
    );
}

#[test]
fn a_rule_that_selects_nothing_usable_widens_to_every_record() {
    for detection in [
        "  a: {userAgent|contains: pacu}\n  condition: a",
        "  a: [pacu]\n  condition: a",
        "  a: {eventName|re: 'Create.*'}\n  condition: a",
        "  a: {eventName: [CreateUser, null]}\n  condition: a",
        "  a: {eventName|contains|all: [Create, User]}\n  condition: a",
        "  a: {eventName: 'Cr?ate*User'}\n  condition: a",
        "  a: {eventName: CreateUser}\n  b: {sourceIPAddress: 1.2.3.4}\n  condition: a or b",
        "  a: {eventName: CreateUser}\n  condition: not a",
    ] {
        assert_eq!(json!(generated(&[detection])), json!([{"eventSource": [{"exists": true}]}]), "{detection}");
    }
}

#[test]
fn a_name_that_is_not_spelled_as_aws_spells_it_is_matched_without_case() {
    let patterns = generated(&["  a: {eventSource: IAM.amazonaws.com, eventName: createuser}\n  condition: a"]);
    assert_eq!(selected(&patterns, &json!({"eventSource": "iam.amazonaws.com", "eventName": "CreateUser"})), 1);
}

#[test]
fn wildcards_at_one_end_are_selected() {
    let patterns = generated(&["  a: {eventSource: iam.amazonaws.com, eventName: ['Create*', '*Policy']}\n  condition: a"]);
    let call = |name: &str| selected(&patterns, &json!({"eventSource": "iam.amazonaws.com", "eventName": name}));
    assert_eq!([call("CreateUser"), call("PutUserPolicy"), call("DeleteUser")], [1, 1, 0]);
}

#[test]
fn an_event_of_a_named_service_that_cannot_be_read_reaches_the_classifier() {
    let patterns = generated(&[
        "  a: {eventSource: iam.amazonaws.com, eventName: CreateUser}\n  condition: a",
        "  a: {eventSource: sts.amazonaws.com, userIdentity.type: IAMUser}\n  condition: a",
    ]);
    for event in [
        json!({"eventSource": "iam.amazonaws.com"}),
        json!({"eventSource": "iam.amazonaws.com", "eventName": null}),
        json!({"eventSource": "sts.amazonaws.com", "eventName": "GetFederationToken"}),
        json!({"eventSource": "sts.amazonaws.com", "eventName": "GetFederationToken", "userIdentity": null}),
    ] {
        assert_eq!(selected(&patterns, &event), 1, "{event}");
    }
    for event in [json!({}), json!({"state": "running"}), json!({"eventSource": "ec2.amazonaws.com"})] {
        assert_eq!(selected(&patterns, &event), 0, "{event}");
    }
}

fn many(service: &str, calls: usize) -> String {
    let names: Vec<String> =
        (0..calls).map(|at| format!("{}Something{at:03}", if at % 2 == 0 { "Create" } else { "Delete" })).collect();
    format!("  a: {{eventSource: {service}.amazonaws.com, eventName: [{}]}}\n  condition: a", names.join(", "))
}

#[test]
fn what_does_not_fit_the_quota_is_dealt_out_without_overlap() {
    let mut detections: Vec<String> = ["iam", "sts", "ec2", "lambda"].iter().map(|service| many(service, 40)).collect();
    detections.push(many("organizations", 150));
    detections.push("  a: {eventSource: organizations.amazonaws.com, userIdentity.type: IAMUser}\n  condition: a".to_owned());
    detections.push("  a: {userIdentity.type: Root}\n  condition: a".to_owned());
    let patterns = details(&book(&detections));
    assert!((2..=4).contains(&patterns.len()), "{}", patterns.len());
    for pattern in &patterns {
        assert!(envelope(&json!({ "detail": pattern })).to_string().chars().count() <= MAX_PATTERN_CHARS);
    }
    for service in ["iam", "sts", "ec2", "lambda", "organizations", "s3"] {
        for caller in ["Root", "IAMUser", "AssumedRole"] {
            for call in ["CreateSomething000", "DeleteSomething039", "DeleteSomething149", "Other"] {
                let event = json!({"eventSource": format!("{service}.amazonaws.com"), "eventName": call, "userIdentity": {"type": caller}});
                let known = |last: &str| service != "s3" && call != "Other" && call <= last;
                let expected = caller == "Root"
                    || (service == "organizations" && caller == "IAMUser")
                    || known(if service == "organizations" { "DeleteSomething149" } else { "DeleteSomething039" })
                        && !(service != "organizations" && call == "DeleteSomething149");
                assert_eq!(selected(&patterns, &event), usize::from(expected), "{event}");
            }
        }
    }
}

#[test]
fn what_is_left_of_the_patterns_is_put_together() {
    // Four services of some 1,200 characters, then four of some 500: in the order of their names they would take five.
    let calls = |service: &str, count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("Create{}{at:03}", service.to_uppercase())).collect();
        format!("  a: {{eventSource: {service}.amazonaws.com, eventName: [{}]}}\n  condition: a", names.join(", "))
    };
    let mut detections: Vec<String> =
        ["a", "b", "c", "d", "e", "f", "g", "h"].iter().map(|name| calls(name, if *name < "e" { 90 } else { 35 })).collect();
    assert_eq!(details(&book(&detections)).len(), 4);
    // Alternatives for any service stay one `$or` deep.
    detections.push("  a: {userIdentity.type: Root}\n  condition: a".to_owned());
    detections.push("  a: {eventName: Other, userIdentity.type: IAMUser}\n  condition: a".to_owned());
    for pattern in details(&book(&detections)) {
        let text = pattern.to_string();
        assert_eq!(text.matches("$or").count(), usize::from(pattern.get("$or").is_some()), "{text}");
    }
}

#[test]
fn a_name_that_fits_no_pattern_widens_to_every_record() {
    let long = format!("  a: {{eventSource: iam.amazonaws.com, eventName: C{}}}\n  condition: a", "x".repeat(MAX_PATTERN_CHARS));
    assert_eq!(json!(generated(&[&long])), json!([{"eventSource": [{"exists": true}]}]));
}

#[test]
fn no_rules_need_no_pattern() {
    assert_eq!(event_patterns(&RuleBook::load(vec![]).unwrap()), Vec::<Value>::new());
}

#[test]
fn errors_are_selected_by_name_and_a_success_never_is() {
    let patterns = generated(&[
        "  a: {eventSource: [iam.amazonaws.com, sts.amazonaws.com], errorCode: [AccessDenied, Client.Denied]}\n  condition: a",
    ]);
    let expected =
        json!([{"eventSource": ["iam.amazonaws.com", "sts.amazonaws.com"], "errorCode": ["AccessDenied", "Client.Denied"]}]);
    assert_eq!(json!(patterns), expected);
    assert_eq!(selected(&patterns, &json!({"eventSource": "iam.amazonaws.com", "eventName": "CreateUser"})), 0);
}

#[test]
fn a_call_that_is_selected_by_name_and_by_its_error_fits_one_pattern_of_a_service_that_needs_several() {
    let patterns = generated(&[
        &many("iam", 200),
        "  a: {eventSource: iam.amazonaws.com, errorCode: AccessDenied}\n  condition: a",
        "  a: {eventSource: iam.amazonaws.com, userIdentity.type: Root}\n  condition: a",
    ]);
    assert!(patterns.len() > 1);
    for error in [Value::Null, json!("AccessDenied"), json!("Throttling")] {
        for caller in ["Root", "IAMUser"] {
            let event = json!({"eventSource": "iam.amazonaws.com", "eventName": "CreateSomething000", "errorCode": error, "userIdentity": {"type": caller}});
            let count = selected(&patterns, &event);
            // Root's refused call fits the alternatives for root and for the error, which stand in one pattern.
            assert_eq!(count, 1, "{event}");
        }
    }
}

fn notices(rules: &[(&str, &str)]) -> Vec<Value> {
    let sources = rules.iter().enumerate().map(|(at, (service, detection))| {
        let text = format!("title: t\nname: r{at}\nlogsource: {{product: aws, service: {service}}}\ndetection:\n{detection}\n");
        RuleSource::new(format!("r{at}.yml"), text)
    });
    event_patterns(&RuleBook::load(sources.collect()).map_err(|errors| format!("{errors:#?}")).unwrap())
}

#[test]
fn notices_have_a_pattern_for_each_source_with_the_kinds_that_rules_name() {
    let patterns = notices(&[
        ("guardduty", "  a: {type|startswith: 'Recon:IAMUser/'}\n  condition: a"),
        ("guardduty", "  a: {type: 'Policy:IAMUser/RootCredentialUsage', severity|gte: 2}\n  condition: a"),
        ("health", "  a: {eventTypeCode: AWS_RISK_CREDENTIALS_EXPOSED}\n  b: {service: RISK}\n  condition: a or b"),
        ("cloudtrail", "  a: {eventSource: iam.amazonaws.com}\n  condition: a"),
    ]);
    let kinds = json!(["Policy:IAMUser/RootCredentialUsage", {"prefix": "Recon:IAMUser/"}, null, {"exists": false}]);
    assert_eq!(
        json!(patterns),
        json!([
            {"detail": {"eventSource": ["iam.amazonaws.com"]}},
            {"source": ["aws.health"], "detail-type": ["AWS Health Event", "AWS Health Abuse Event"]},
            {"source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"], "detail": {"type": kinds}},
        ])
    );
    assert_eq!(envelope(&patterns[0])["source"], json!([{"prefix": "aws."}, "cordon.sandbox"]));
    assert_eq!(envelope(&patterns[2])["source"], json!(["aws.guardduty", "cordon.sandbox"]));
}

#[test]
fn a_notice_reaches_only_the_pattern_of_its_own_source() {
    let patterns = notices(&[("guardduty", "  a: {type|startswith: 'Recon:IAMUser/'}\n  condition: a")]);
    let fits = |source: &str, kind: &str, detail: Value| {
        let event = json!({"source": source, "detail-type": kind, "detail": detail});
        matching::matches(&envelope(&patterns[0]), &event)
    };
    assert!(fits("aws.guardduty", "GuardDuty Finding", json!({"type": "Recon:IAMUser/TorIPCaller"})));
    assert!(fits("aws.guardduty", "GuardDuty Finding", json!({})), "what cannot be read needs a person");
    assert!(!fits("aws.guardduty", "GuardDuty Finding", json!({"type": "Recon:EC2/Portscan"})));
    assert!(!fits("aws.guardduty", "AWS API Call via CloudTrail", json!({"type": "Recon:IAMUser/TorIPCaller"})));
    assert!(!fits("somebody", "GuardDuty Finding", json!({"type": "Recon:IAMUser/TorIPCaller"})));
}

const SERVICES: [&str; 3] = ["iam.amazonaws.com", "sts.amazonaws.com", "s3.amazonaws.com"];
const CALLS: [&str; 6] = ["CreateUser", "CreateRole", "DeleteUser", "DeleteRole", "PutPolicy", "GetPolicy"];
const CALLERS: [&str; 3] = ["Root", "IAMUser", "AssumedRole"];

fn item() -> impl Strategy<Value = String> {
    let list = |values: &'static [&'static str]| prop::sample::subsequence(values, 1..=2).prop_map(|some| some.join(", "));
    prop_oneof![
        list(&SERVICES).prop_map(|some| format!("eventSource: [{some}]")),
        list(&CALLS).prop_map(|some| format!("eventName: [{some}]")),
        list(&CALLERS).prop_map(|some| format!("userIdentity.type: [{some}]")),
        prop_oneof![Just("Create"), Just("Delete"), Just("P")].prop_map(|start| format!("eventName|startswith: {start}")),
        prop_oneof![Just("User"), Just("Role"), Just("Policy")].prop_map(|end| format!("eventName|endswith: {end}")),
        prop_oneof![Just("'Create*'"), Just("'*Policy'"), Just("createuser"), Just("'*e*'")]
            .prop_map(|text| format!("eventName: {text}")),
        Just("eventName|contains: o".to_owned()),
        Just("errorCode: null".to_owned()),
        Just("errorCode: AccessDenied".to_owned()),
        Just("userAgent: pacu".to_owned()),
    ]
}

fn detection() -> impl Strategy<Value = String> {
    let condition = prop_oneof![
        Just("a1 and a2"),
        Just("a1 or a2"),
        Just("a1 and not b1"),
        Just("1 of a*"),
        Just("all of a*"),
        Just("2 of them"),
        Just("all of them"),
        Just("b1 and (a1 or not a2)"),
    ];
    (prop::collection::vec(item(), 4), condition).prop_map(|(items, condition)| {
        let [a1, a2, b1, b2] = &items[..] else { unreachable!() };
        format!("  a1: {{{a1}}}\n  a2: {{{a2}}}\n  b1:\n    - {b1}\n    - {b2}\n  condition: {condition}")
    })
}

/// Rules that all select something, as real ones do: many of them do not fit into one pattern.
fn selective() -> impl Strategy<Value = String> {
    let some = |values: &'static [&'static str]| prop::sample::subsequence(values, 1..=3).prop_map(|some| some.join(", "));
    prop_oneof![
        4 => (prop::sample::select(&SERVICES[..]), some(&CALLS)).prop_map(|(service, calls)| format!("eventSource: {service}, eventName: [{calls}]")),
        1 => (prop::sample::select(&SERVICES[..]), some(&CALLERS)).prop_map(|(service, callers)| format!("eventSource: {service}, userIdentity.type: [{callers}]")),
        1 => (some(&CALLERS), some(&CALLS)).prop_map(|(callers, calls)| format!("userIdentity.type: [{callers}], eventName: [{calls}]")),
        1 => prop::sample::select(&CALLERS[..]).prop_map(|caller| format!("userIdentity.type: {caller}")),
        1 => prop::sample::select(&CALLS[..]).prop_map(|call| format!("eventName: {call}")),
        1 => (prop::sample::select(&CALLERS[..]), some(&CALLS), prop::sample::select(&SERVICES[..]))
            .prop_map(|(caller, calls, service)| format!("eventSource: {service}, userIdentity.type: {caller}, eventName: [{calls}]")),
        1 => prop::sample::select(&SERVICES[..]).prop_map(|service| format!("eventSource: {service}, errorCode: AccessDenied")),
        1 => some(&CALLS).prop_map(|calls| format!("errorCode: [AccessDenied, Other], eventName: [{calls}]")),
        1 => some(&CALLS).prop_map(|calls| format!("eventSource|startswith: s, eventName: [{calls}]")),
    ]
    .prop_map(|fields| format!("  a: {{{fields}}}\n  condition: a"))
}

/// What a rule matches, some pattern lets through: over every event that the rules' own values can make.
fn nothing_is_lost(detections: &[String], limit: usize) -> Result<(), TestCaseError> {
    let book = book(detections);
    let patterns = patterns_within(&book, limit);
    for service in SERVICES.iter().chain(&["ec2.amazonaws.com"]) {
        for call in CALLS.iter().chain(&["ListUsers"]) {
            for (caller, error) in
                CALLERS.iter().chain(&["AWSService"]).flat_map(|caller| [(caller, None), (caller, Some("AccessDenied"))])
            {
                let mut event = json!({"eventSource": service, "eventName": call, "userIdentity": {"type": caller}});
                if let Some(error) = error {
                    event["errorCode"] = json!(error);
                }
                let matched = !book.evaluate(&event).is_empty();
                prop_assert!(!matched || selected(&patterns, &event) > 0, "{event}\n{patterns:#?}\n{}", detections.join("\n"));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_event_that_a_rule_matches_fits_a_pattern(detections in prop::collection::vec(detection(), 1..5), limit in 260_usize..700) {
        nothing_is_lost(&detections, limit)?;
    }

    #[test]
    fn dealing_the_services_out_loses_no_event(detections in prop::collection::vec(selective(), 2..9), limit in 260_usize..700) {
        nothing_is_lost(&detections, limit)?;
    }
}
