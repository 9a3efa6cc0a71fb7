//! Every card against Slack's limits, against hostile text, and, for what people read, against a snapshot.

mod sample;

use cordon_core::incident::MergedEvent;
use cordon_core::{Ballot, Incident, Outcome, PlannedStep, Subject};
use cordon_respond::runner::StepState;
use cordon_slack::text::units;
use cordon_slack::{validate, validate_message};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::card::Card;
use crate::ending::{Ahead, Ending};
use crate::people::Decider;
use sample::*;

/// Every message that there can be of a card.
fn every(incident: &Incident, ending: &Ending<'_>, by: (&str, &str)) -> Vec<Message> {
    let (ballots, decider) = (vec![ballot(by.0, by.1); 9], Decider::Person { by: by.0, name: Some(by.1) });
    let mut looked = incident.clone();
    looked.approval.looking = Some(looking(by.0, by.1));
    let ahead = ahead(incident.clone());
    let mut all = vec![
        card(incident).asking(&question(1, &[]), false),
        card(&looked).asking(&question(2, &ballots), true),
        note(incident, &incident.assessment.decision.as_ref().unwrap().decision_reason),
        card(incident).acting(),
        card(incident).alert(),
        card(incident).exempt(),
        card(incident).needs_person(),
        card(incident).decided(true, &decider, None),
        card(&ahead).decided(true, &decider, None),
        card(incident).decided(false, &decider, None),
        card(&ahead).decided(false, &decider, None),
        card(&ahead).asking(&question(1, &[]), false),
    ];
    for outcome in OUTCOMES {
        all.push(card(incident).ending(&Ending { outcome, ..ending.clone() }));
        all.push(card(incident).ending(&Ending { outcome, tried: vec![], decided_by: None, ..ending.clone() }));
    }
    all
}

/// Every message of a card, with a text in all places of the outcome and of who decided.
pub(crate) fn messages_of(text: &str) -> Vec<Message> {
    let incident = hostile_incident(text);
    let failed = [
        StepState::Verified,
        StepState::Stripped { missing: text.into() },
        StepState::Planned,
        StepState::Failed { reason: text.into() },
    ];
    let ending = Ending { note: Some(text.to_owned()), undoable: true, ..ending(&incident, Outcome::Partial, &failed) };
    let mut all = every(&incident, &ending, (text, text));
    let arn = format!("arn:{text}");
    all.extend(
        [Decider::Person { by: &arn, name: None }, Decider::Configuration]
            .map(|decider| card(&incident).decided(true, &decider, None)),
    );
    all.extend([joined(&incident), escalated(&incident, &[]), undone(&incident, text, true, &[text.to_owned()])]);
    all
}

fn read(message: &Message) -> String {
    message.to_value().to_string()
}

/// All strings that Slack shows, with what kind of text they are.
fn texts(value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            if let (Some(Value::String(kind)), Some(Value::String(text))) = (fields.get("type"), fields.get("text")) {
                found.push((kind.clone(), text.clone()));
            }
            fields.values().for_each(|value| texts(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[test]
fn the_card_that_asks() {
    insta::assert_json_snapshot!(card(&incident()).asking(&question(1, &[]), false));
}

#[test]
fn the_card_that_asks_two_people_and_lets_one_break_the_glass() {
    insta::assert_json_snapshot!(card(&incident()).asking(&question(2, &[dana()]), true));
}

#[test]
fn votes_and_who_is_looking_stand_on_the_card() {
    let said = |incident: &Incident, quorum, ballots: &[Ballot]| read(&card(incident).asking(&question(quorum, ballots), false));
    assert!(!said(&incident(), 1, &[]).contains("approvals"));
    let mut looked = incident();
    looked.approval.looking = Some(looking("U0APPROVER", "dana"));
    let one = said(&looked, 2, &[dana()]);
    assert!(one.contains("1 of 2 approvals so far, by <@U0APPROVER>."), "{one}");
    assert!(one.contains("Looking: <@U0APPROVER>."), "{one}");
    assert!(one.contains("1 of 2 approvals so far, by dana (U0APPROVER)."), "{one}");
    let seven = said(&incident(), 8, &vec![dana(); 7]);
    assert!(seven.contains("by <@U0APPROVER>, ") && seven.contains(", 4 more."), "{seven}");
    assert!(said(&incident(), 2, &[]).contains("0 of 2 approvals so far."));
}

#[test]
fn the_alert_of_a_dry_run() {
    insta::assert_json_snapshot!(card(&dry_run(incident())).alert());
}

#[test]
fn the_outcome_contained() {
    let incident = decided_incident(Outcome::Contained);
    insta::assert_json_snapshot!(card(&incident).ending(&ending(&incident, Outcome::Contained, &[StepState::Verified])));
}

#[test]
fn the_outcome_partial() {
    let incident = decided_incident(Outcome::Partial);
    let failed = StepState::Failed { reason: "AccessDenied when the policy was put".into() };
    let states = [StepState::Verified, failed];
    let note = Some("The deny policy was stripped within 6 s, and put back once".into());
    insta::assert_json_snapshot!(card(&incident).ending(&Ending { note, ..ending(&incident, Outcome::Partial, &states) }));
}

fn buttons(message: &Message) -> Vec<String> {
    let actions = message.blocks.iter().filter(|block| block["type"] == "actions");
    let elements = actions.flat_map(|block| block["elements"].as_array().unwrap());
    elements.map(|button| button["action_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn only_a_question_and_what_can_be_taken_back_have_buttons() {
    let incident = decided_incident(Outcome::Contained);
    let contained = ending(&incident, Outcome::Contained, &[StepState::Verified]);
    for message in every(&incident, &contained, ("U0APPROVER", "dana")) {
        let asks = message.text.contains("Approve or deny");
        let done = ["Contained.", "Partial:", "Failed."].iter().any(|word| message.text.contains(word));
        let expected: &[&str] = match (asks, done) {
            (true, _) if message.text.contains("of 2 approvals") => {
                &["cordon_approve", "cordon_deny", "cordon_looking", "cordon_break_glass"]
            }
            (true, _) => &["cordon_approve", "cordon_deny", "cordon_looking"],
            (false, true) => &["cordon_undo"],
            (false, false) => &[],
        };
        assert_eq!(buttons(&message), expected, "{}", message.text);
    }
    let nothing_stands = Ending { undoable: false, outcome: Outcome::Partial, ..contained };
    assert!(buttons(&card(&incident).ending(&nothing_stands)).is_empty());
}

#[test]
fn later_events_are_counted_on_every_card() {
    let newest = MergedEvent {
        name: "AttachUserPolicy".into(),
        time: Some(at("2026-01-02T03:06:00Z")),
        source_ip: Some("203.0.113.9".into()),
    };
    let mut merged = incident();
    merged.merges = cordon_core::incident::Merges { merged: 3, last_merged: Some(newest), folded: 0, merged_calls: vec![] };
    let said = read(&card(&merged).asking(&question(1, &[]), false));
    let line = "3 further events of this case; the newest: `AttachUserPolicy` at 2026-01-02 03:06:00 UTC from `203.0.113.9`";
    assert!(said.contains(line), "{said}");
}

#[test]
fn a_button_carries_the_incidents_id_and_nothing_else() {
    let asking = card(&incident()).asking(&question(2, &[]), true);
    let actions = asking.blocks.iter().find(|block| block["type"] == "actions").unwrap();
    let buttons = actions["elements"].as_array().unwrap();
    assert_eq!(buttons.iter().map(|button| &button["value"]).collect::<Vec<_>>(), ["inc-0123456789abcdef0123"; 4]);
    assert_eq!(
        buttons.iter().map(|button| &button["action_id"]).collect::<Vec<_>>(),
        ["cordon_approve", "cordon_deny", "cordon_looking", "cordon_break_glass"]
    );
    assert_eq!(buttons.iter().map(|button| button["confirm"].is_object()).collect::<Vec<_>>(), [true, true, false, false]);
}

#[test]
fn the_outcome_says_who_decided_and_what_held() {
    let incident = decided_incident(Outcome::Contained);
    let contained = read(&card(&incident).ending(&ending(&incident, Outcome::Contained, &[StepState::Verified])));
    assert!(
        contained
            .contains("*Contained. What this does not stop is listed below.* Approved by <@U0APPROVER>; 2 of 2 calls verified."),
        "{contained}"
    );
    let denied = Ending { tried: vec![], ..ending(&incident, Outcome::Denied, &[]) };
    assert!(read(&card(&incident).ending(&denied)).contains("*Denied: nothing was changed.* Denied by <@U0APPROVER>."));
}

#[test]
fn what_does_not_fit_is_counted() {
    let mut many = incident();
    many.assessment.plan.steps[0].calls = (0..199).map(|n| call(&format!("iam:Call N={n}"))).collect();
    let said = read(&card(&many).asking(&question(1, &[]), false));
    assert!(said.contains("What Approve does: 200 calls") && said.contains(" more: `cordon incident show inc-"), "{said}");
}

#[test]
fn a_deny_policy_is_shown_whole() {
    let document = format!("PolicyDocument={{\"Statement\":[{}]}}", "\"iam:*\",".repeat(250));
    let mut long = incident();
    long.assessment.plan.steps[1].calls = vec![call(&document)];
    let mut found = Vec::new();
    texts(&card(&long).asking(&question(1, &[]), false).to_value(), &mut found);
    assert!(found.iter().any(|(_, text)| text.contains(&document)));
}

#[test]
fn scenario_13_an_attackers_text_neither_mentions_nor_links_nor_formats() {
    let hostile = "<!channel> <@U0VICTIM> <https://evil.example|Approve> *bold* `code` :siren: \u{202E}";
    let incident = hostile_incident(hostile);
    let failed = [StepState::Failed { reason: hostile.into() }];
    let ending = Ending { note: Some(hostile.into()), ..ending(&incident, Outcome::Partial, &failed) };
    for message in every(&incident, &ending, (hostile, hostile)) {
        let mut found = vec![("notification".to_owned(), message.text.clone())];
        texts(&message.to_value(), &mut found);
        for (kind, text) in found {
            let text = text.replace("<@U0APPROVER>", "");
            for wrong in ["<!channel", "<@", "<https://evil", "\u{202E}"] {
                assert!(!text.contains(wrong), "{kind}: {text}");
            }
            if text.starts_with("<https://us-east-1.console.aws.amazon.com/") {
                continue; // The execution's address, whose inside Slack does not format.
            }
            let outside: String = text.split('`').step_by(2).collect();
            // Plain text formats nothing; a notification shows a shortcode as it stands.
            assert!(kind == "plain_text" || !outside.contains("*bold*"), "{kind}: {text}");
            assert!(kind != "mrkdwn" || !outside.contains(":siren:"), "{kind}: {text}");
        }
    }
}

#[test]
fn a_card_with_nothing_in_it_still_says_so() {
    let mut empty = hostile_incident("");
    (empty.event.source_ip, empty.event.time, empty.event.policy_arn) = (None, None, None);
    for message in every(&empty, &ending(&empty, Outcome::Expired, &[StepState::Planned]), ("U0APPROVER", "dana")) {
        assert_eq!(validate(&message.blocks), Ok(()));
        assert!(message.blocks.len() == 2 || read(&message).contains("not in the event"));
    }
}

#[test]
fn a_failure_is_told_with_and_without_an_incident() {
    let id = incident().id;
    let cause = "<!channel> ".repeat(1_000);
    for incident in [None, Some(&id)] {
        let failure = Failure { incident, execution: "x", state: "Remediate", error: "Transient", cause: &cause };
        let message = failure.message();
        assert_eq!(validate(&message.blocks), Ok(()));
        assert!(message.text.contains("State Remediate gave up with Transient"), "{}", message.text);
        assert_eq!(message.text.contains("inc-0123"), incident.is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scenario_13_whatever_strings_go_in_every_card_is_one_that_slack_takes(
        text in "\\PC{0,80}|[`*_<>&:\u{202e}\u{1F600} a-z]{0,60}",
        repeat in 1_usize..50,
    ) {
        slack_takes_every_card_of(&text.repeat(repeat));
    }
}

/// The strings that fill every part of a card to its budget.
#[test]
fn scenario_13_a_card_that_is_full_in_every_part_is_one_that_slack_takes() {
    for text in ["x", "xx ", "<", "\"", "😀", "`a` ", "a`", ":q:", "\u{202e}", "🔴<!channel> `*x*` & a.example/b ", " &&&*&"]
    {
        // Long ones are cut; some still fit where a longer one is left out.
        for repeat in [1, 8, 40, 98, 130, 4_096] {
            slack_takes_every_card_of(&text.repeat(repeat));
        }
    }
}

fn slack_takes_every_card_of(text: &str) {
    let incident = hostile_incident(text);
    let failed = [StepState::Failed { reason: text.to_owned() }];
    let ending = Ending {
        decided_by: None,
        undoable: true,
        ahead: Ahead::Stands,
        note: Some(text.to_owned()),
        ..ending(&incident, Outcome::Partial, &failed)
    };
    for message in every(&incident, &ending, (&format!("arn:{text}"), text)) {
        assert_eq!(validate_message(&message), Ok(()));
        assert!(!message.text.is_empty() && units(&message.text) <= 3_000);
    }
}

/// What is shortened where a card is too long, and what is not.
#[test]
fn a_card_that_is_too_long_keeps_its_calls_and_its_buttons() {
    let long = vec!["A sentence that is not short, and of which there are many on this card.".to_owned(); 12];
    let name = format!("arn:aws:iam::111122223333:user/{}", "n".repeat(150));
    let document = format!("iam:PutUserPolicy UserName=iam-test-mallory PolicyDocument={}", "\"iam:*\",".repeat(220));
    let sentences: Vec<&str> = long.iter().map(String::as_str).collect();
    let mut full = incident();
    full.actor.arn = Some(name.clone());
    full.subject = Subject::Policy { arn: name.clone() };
    (full.event.policy_arn, full.event.user_agent) = (Some(name.clone()), Some(name));
    full.event.parameters = "x".repeat(2_000);
    full.detections = vec![rule(&"r".repeat(140), &"a".repeat(70), sentences[0]); 12];
    full.statements = vec!["{\"Effect\":\"Allow\"}".repeat(20); 3];
    full.assessment.blast_radius = Some(reach(&sentences));
    let noted = PlannedStep { note: Some(long[0].clone()), irreversible: Some(long[0].clone()), ..step(&[], &sentences) };
    full.assessment.plan.steps = vec![PlannedStep { calls: vec![call(&document)], ..noted.clone() }, noted];
    full.assessment.plan.by_hand = long.clone();
    full.assessment.exceptions_checked = long.clone();
    full.execution = format!("arn:aws:states:us-east-1:111122223333:execution:{}", "e".repeat(400));
    let shown = |incident: &Incident| {
        let mut found = Vec::new();
        texts(&Card::of(incident).asking(&question(1, &[]), false).to_value(), &mut found);
        found.into_iter().map(|(_, text)| text).collect::<String>()
    };
    let mut only_exceptions = incident();
    only_exceptions.assessment.exceptions_checked = long.clone();
    let lines = |text: &str| text.matches("many on this card").count();
    assert!(lines(&shown(&full)) < 7 * lines(&shown(&only_exceptions)), "{}", shown(&full));
    assert!(shown(&full).contains(&document));
    assert!(shown(&full).contains(": `cordon incident show inc-0123456789abcdef0123`"));
    assert!(read(&card(&full).asking(&question(1, &[]), false)).contains("\"action_id\":\"cordon_approve\""));
}
