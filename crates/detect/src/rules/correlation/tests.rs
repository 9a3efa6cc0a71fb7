use super::super::{RuleBook, RuleSource};
use crate::cases::check_cases;
use crate::counts::{Count, Counts, MemoryCounts};
use crate::enrich::Enriched;
use cordon_core::EventId;
use serde_json::{Value, json};

const FILE: &str = "\
title: A call was refused
name: refused
level: low
logsource: {product: aws, service: cloudtrail}
detection:
    selection: {eventSource: iam.amazonaws.com, errorCode: AccessDenied}
    condition: selection
cases:
    - hit: {eventSource: iam.amazonaws.com, errorCode: AccessDenied}
    - miss: {eventSource: iam.amazonaws.com}
---
title: Many calls were refused
name: refusals
level: high
correlation:
    type: event_count
    rules: [refused]
    group-by: [cordon.actor.identity]
    timespan: 5m
    condition: {gte: 3}
cases:
    - hit: [{event: &e {eventSource: iam.amazonaws.com, errorCode: AccessDenied, userIdentity: {type: Root, accountId: '111111111111'}}, repeat: 3}]
    - miss: [{event: *e, repeat: 2}, {after: 10m, event: *e}]
";

fn load(text: &str) -> Result<RuleBook, Vec<String>> {
    RuleBook::load(vec![RuleSource::new("a.yml", text)]).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    assert!(FILE.contains(from), "`{from}` is not in the file");
    let errors = load(&FILE.replace(from, to)).unwrap_err();
    let has_line =
        |error: &str| error.strip_prefix("a.yml:").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    assert!(errors.iter().any(|error| has_line(error) && error.contains(expected)), "{errors:#?}");
}

fn call(user: &str, error: &str) -> Value {
    json!({"eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "errorCode": error,
        "userIdentity": {"type": "IAMUser", "userName": user, "accountId": "111111111111"}})
}

#[test]
fn one_file_holds_a_rule_and_the_correlation_that_counts_it() {
    let book = load(FILE).unwrap();
    assert_eq!(check_cases(&book), []);
    let ids: Vec<&str> = book.all().map(|about| about.id.as_str()).collect();
    assert_eq!(ids, ["refused", "refusals"]);
    let [correlation] = book.correlations() else { panic!() };
    assert_eq!((correlation.at_least, correlation.span_seconds, correlation.level), (3, 300, cordon_core::Level::High));
}

#[test]
fn each_group_is_counted_by_itself_and_a_counted_rule_is_silent() {
    let (book, mut counts) = (load(FILE).unwrap(), MemoryCounts::default());
    let mut count = |n: u8, record: &Value| {
        let judged = book.judge(&Enriched::new(record));
        assert_eq!(judged.detections, [], "counted, not reported");
        judged.tallies.iter().map(|tally| counts.count(tally, &EventId::from_content(&[n]), 0)).collect::<Vec<_>>()
    };
    for (n, user) in (0..).zip(["a", "b", "a", "b"]) {
        assert_eq!(count(n, &call(user, "AccessDenied")), [Count::Below], "{user}");
    }
    assert_eq!(count(8, &call("a", "Throttling")), []);
    assert_eq!(count(9, &call("a", "AccessDenied")), [Count::Opened]);
}

#[test]
fn a_counted_rule_is_reported_where_the_correlation_says_so() {
    let book = load(&FILE.replace("level: high\n", "level: high\ngenerate: true\n")).unwrap();
    assert_eq!(book.judge(&Enriched::new(&call("a", "AccessDenied"))).detections.len(), 1);
}

#[test]
fn a_log_that_is_read_from_its_beginning_reports_a_burst_once() {
    let (book, mut counts) = (load(FILE).unwrap(), MemoryCounts::default());
    let record = call("a", "AccessDenied");
    let mut reported = |n: u8, at| book.correlate(&Enriched::new(&record), &EventId::from_content(&[n]), at, &mut counts).len();
    let first: Vec<usize> = (0..6).map(|n| reported(n, i64::from(n))).collect();
    assert_eq!(first, [0, 0, 1, 0, 0, 0]);
    let second: Vec<usize> = (10..14).map(|n| reported(n, 10_000)).collect();
    assert_eq!(second, [0, 0, 1, 0]);
}

#[test]
fn distinct_values_of_a_field_are_counted() {
    let text = FILE.replace("event_count", "value_count").replace("{gte: 3}", "{gt: 1, field: eventName}");
    let (text, _) = text.rsplit_once("cases:").unwrap();
    let book = load(text).unwrap();
    let mut record = call("a", "AccessDenied");
    let tally = |record: &Value| book.judge(&Enriched::new(record)).tallies;
    assert_eq!((tally(&record)[0].value.as_deref(), tally(&record)[0].at_least), (Some("CreateUser"), 2));
    record["eventName"] = Value::Null;
    assert_eq!(tally(&record), [], "no value, nothing to count");
}

#[test]
fn an_alias_names_the_field_of_each_rule() {
    let aliased = "    aliases: {who: {refused: userIdentity.userName}}\n    timespan: 5m";
    let text = FILE.replace("[cordon.actor.identity]", "[who]").replace("    timespan: 5m", aliased);
    let (text, _) = text.rsplit_once("cases:").unwrap();
    let book = load(text).unwrap();
    assert_eq!(book.judge(&Enriched::new(&call("dana", "AccessDenied"))).tallies[0].key, "refusals#dana");
}

#[test]
fn what_cannot_be_counted_forward_is_refused_with_the_reason() {
    refused("event_count", "temporal", "a.yml:");
    refused("type: event_count", "type: value_sum", "`value_sum` is not supported");
    refused("{gte: 3}", "{lt: 3}", "lower bound");
    refused("{gte: 3}", "{gte: 3, lte: 9}", "lower bound");
    refused("{gte: 3}", "{gte: 0}", "1 to 500");
    refused("{gte: 3}", "{gte: 501}", "1 to 500");
    refused("{gte: 3}", "{gte: 3, field: eventName}", "`event_count` counts events");
    refused("event_count", "value_count", "`value_count` needs one `field`");
    refused("timespan: 5m", "timespan: 8d", "a week");
    refused("rules: [refused]", "rules: [other]", "counts `other`, and no rule is called so");
    refused("rules: [refused]", "rules: []", "names no rule");
    refused("repeat: 3", "repeat: 0", "`repeat` 1 to 1000");
    refused("after: 10m", "after: 10 minutes", "`after`");
    refused("timespan: 5m", "timespan: 5m\n    window: tumbling", "the timespan slides");
}

#[test]
fn a_rule_that_is_answered_does_not_become_silent_by_being_counted() {
    let answered = FILE.replacen("level: low\n", "level: low\nresponse: {contain: [deny-iam]}\n", 1);
    let errors = load(&answered).unwrap_err();
    assert!(errors[0].contains("`generate: true`"), "{errors:?}");
    assert!(load(&answered.replace("level: high\n", "level: high\ngenerate: true\n")).is_ok());
}

#[test]
fn a_correlation_undoes_nothing() {
    refused("level: high\n", "level: high\nresponse: {revert: [detach-policy]}\n", "`revert` is not possible");
}

#[test]
fn attack_spoke_a_window_that_stops_somebody_is_of_one_account_and_of_calls_in_it() {
    let answered = FILE.replace("level: high\n", "level: high\nresponse: {contain: [deny-iam]}\n");
    let by_address = answered.replace("[cordon.actor.identity]", "[sourceIPAddress]");
    let tally = |text: &str, seen_by: &str| {
        let mut record = call("dana", "AccessDenied");
        record["sourceIPAddress"] = json!("203.0.113.9");
        record["recipientAccountId"] = json!(seen_by);
        load(text.rsplit_once("cases:").unwrap().0).unwrap().judge(&Enriched::new(&record)).tallies.remove(0)
    };
    let (own, other) = ("111111111111", "222222222222");
    for text in [&answered, &by_address] {
        let (own, foreign) = (tally(text, own), tally(text, other));
        assert!(own.key != foreign.key && foreign.key.ends_with("@seen-by-222222222222"), "{} {}", own.key, foreign.key);
        assert!(own.detection.response.is_some() && foreign.detection.response.is_none(), "{}", own.key);
    }
    assert_eq!(tally(&by_address, own).key, "refusals#203.0.113.9@111111111111");
    // One that only tells may see several accounts at once.
    assert_eq!(tally(&FILE.replace("[cordon.actor.identity]", "[sourceIPAddress]"), own).key, "refusals#203.0.113.9");
}

#[test]
fn a_fault_in_the_second_document_is_named_by_the_line_of_the_file() {
    let errors = load(&FILE.replace("level: high\n", "level: high\nrespones: {}\n")).unwrap_err();
    assert_eq!(errors, ["a.yml:15: `respones` is not a key of a rule: is `response` meant?"]);
}

#[test]
fn a_disabled_correlation_takes_the_rule_that_only_it_counts_along() {
    let book = load(FILE).unwrap().without(&["refusals".parse().unwrap()]).unwrap();
    assert_eq!(book.all().count(), 0);
    let book = load(FILE).unwrap().without(&["refused".parse().unwrap()]).unwrap();
    assert_eq!(book.judge(&Enriched::new(&call("a", "AccessDenied"))).tallies.len(), 1, "still counted");
}

#[test]
fn a_file_without_its_cases_loads_the_same() {
    let source = RuleSource::new("a.yml", FILE).without_cases();
    let book = RuleBook::load(vec![source]).unwrap();
    assert_eq!((book.rules().len(), book.correlations().len()), (1, 1));
    assert!(book.rules()[0].cases.is_empty() && book.correlations()[0].series.is_empty());
}
