//! Every card against Slack's limits, against hostile text, and, for what people read, against a snapshot.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::blocks::validate;
use crate::text::units;

fn at(time: &str) -> Option<Timestamp> {
    Some(time.parse().unwrap())
}

/// The story that the sandbox plays: a user makes themself an administrator.
fn card() -> Card {
    Card {
        incident: "inc-0123456789abcdef0123".into(),
        severity: Severity::Critical,
        rules: vec![RuleLine { title: "Administrator policy attached to a user".into(), author: "Cordon".into() }],
        event_name: "AttachUserPolicy".into(),
        actor: "arn:aws:iam::111122223333:user/iam-test-mallory".into(),
        subject: "arn:aws:iam::111122223333:user/iam-test-mallory".into(),
        account: "111122223333".into(),
        source_ip: Some("203.0.113.7".into()),
        user_agent: Some("aws-cli/2.15.0 Python/3.11".into()),
        event_time: at("2026-01-02T03:04:05Z"),
        detected: at("2026-01-02T03:04:07Z"),
        request: Some(r#"{"userName":"iam-test-mallory","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#.into()),
        why: vec![
            "`AdministratorAccess` allows every action on every resource of the account.".into(),
            "The actor gave it to themself.".into(),
        ],
        policy_arn: Some("arn:aws:iam::aws:policy/AdministratorAccess".into()),
        statements: vec![r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#.into()],
        reach: vec![
            "Access key `AKIAIOSFODNN7EXAMPLE`: active, last used 2026-01-02 03:03:58 UTC for `iam` in `us-east-1`.".into(),
            "Policies: `AdministratorAccess`, `ReadOnlyAccess`.".into(),
            "Groups: `developers`.".into(),
        ],
        merged: None,
        calls: vec![
            "iam:DetachUserPolicy UserName=iam-test-mallory PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess".into(),
            "iam:PutUserPolicy UserName=iam-test-mallory PolicyName=CordonDenyIam PolicyDocument={\"Statement\":[…]}".into(),
        ],
        undo: vec![
            "iam:DeleteUserPolicy UserName=iam-test-mallory PolicyName=CordonDenyIam".into(),
            "iam:AttachUserPolicy UserName=iam-test-mallory PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess".into(),
        ],
        cannot_undo: vec![],
        by_hand: vec![],
        notes: vec![],
        exceptions_checked: vec![
            "The subject has no tag `SecurityApproved`.".into(),
            "The actor is in no exempt group (`admins`).".into(),
        ],
        execution_url: Some(
            "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/x".into(),
        ),
        event_url: Some("https://us-east-1.console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events/e-1".into()),
        dry_run: false,
        approved_for_remediation: true,
        decision_reason: "Approved for remediation".into(),
    }
}

fn question() -> Question {
    Question { deadline: at("2026-01-02T03:19:05Z"), ..Question::default() }
}

fn approver() -> Decider {
    Decider::Slack { user_id: "U0APPROVER".into(), name: Some("dana".into()) }
}

fn report(verdict: Verdict, states: [StepState; 2]) -> Report {
    let steps = states.into_iter().zip(card().calls).map(|(state, call)| StepLine { state, call, detail: None }).collect();
    let times = Times {
        detected: at("2026-01-02T03:04:07Z"),
        asked: at("2026-01-02T03:04:09.400Z"),
        decided: at("2026-01-02T03:05:14Z"),
        contained: at("2026-01-02T03:05:18Z").filter(|_| verdict == Verdict::Contained),
    };
    Report {
        verdict,
        decided_by: Some(approver()),
        steps,
        times,
        undoable: verdict == Verdict::Contained,
        ahead: Ahead::Nothing,
        note: None,
    }
}

const VERDICTS: [Verdict; 8] = [
    Verdict::Exempt,
    Verdict::Alerted,
    Verdict::Denied,
    Verdict::Expired,
    Verdict::Contained,
    Verdict::Partial,
    Verdict::Failed,
    Verdict::NeedsPerson,
];

/// Every message that there can be of a card.
fn every(card: &Card, report: &Report, decider: &Decider) -> Vec<Message> {
    let mut all = vec![
        card.asking(&question()),
        card.asking(&Question {
            needed: 2,
            approved_by: vec![decider.clone(); 9],
            looking: vec![decider.clone(); 9],
            break_glass: true,
            ..question()
        }),
        card.note(&card.decision_reason),
        card.acting(),
        card.alert(),
        card.exempt(),
        card.needs_person(),
        card.decided(true, decider, Ahead::Nothing),
        card.decided(true, decider, Ahead::Stands),
        card.decided(false, decider, Ahead::Nothing),
        card.decided(false, decider, Ahead::Stands),
        card.asking(&Question { ahead: Ahead::Stands, ..question() }),
    ];
    for verdict in VERDICTS {
        all.push(card.outcome(&Report { verdict, ..report.clone() }));
        all.push(card.outcome(&Report { verdict, steps: vec![], decided_by: None, ..report.clone() }));
    }
    all
}

/// Every message of a card, with a text in all places of the report and of who decided.
pub(crate) fn messages_of(card: &Card, text: &str) -> Vec<Message> {
    let steps = [StepState::Verified, StepState::Unverified, StepState::NotMade, StepState::Failed];
    let steps = steps.map(|state| StepLine { state, call: text.to_owned(), detail: Some(text.to_owned()) }).to_vec();
    let report =
        Report { steps, note: Some(text.to_owned()), undoable: true, ..report(Verdict::Partial, [StepState::Failed; 2]) };
    let named = Decider::Slack { user_id: text.to_owned(), name: Some(text.to_owned()) };
    let mut all = every(card, &report, &named);
    all.extend(
        [Decider::Principal(text.to_owned()), Decider::Configuration].map(|decider| card.decided(true, &decider, Ahead::Nothing)),
    );
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
    insta::assert_json_snapshot!(card().asking(&question()));
}

#[test]
fn the_card_that_asks_two_people_and_lets_one_break_the_glass() {
    let asks_two = Question { needed: 2, approved_by: vec![approver()], break_glass: true, ..question() };
    insta::assert_json_snapshot!(card().asking(&asks_two));
}

#[test]
fn votes_and_who_is_looking_stand_on_the_card() {
    let said = |question: &Question| read(&card().asking(question));
    assert!(!said(&question()).contains("approvals"));
    let one = Question { needed: 2, approved_by: vec![approver()], looking: vec![approver(); 7], ..question() };
    let said_one = said(&one);
    assert!(said_one.contains("1 of 2 approvals so far, by <@U0APPROVER>."), "{said_one}");
    assert!(said_one.contains("Looking: <@U0APPROVER>, ") && said_one.contains(", 4 more."), "{said_one}");
    assert!(said_one.contains("1 of 2 approvals so far, by dana (U0APPROVER)."), "{said_one}");
    assert!(said(&Question { needed: 2, ..question() }).contains("0 of 2 approvals so far."));
}

#[test]
fn the_alert_of_a_dry_run() {
    insta::assert_json_snapshot!(Card { dry_run: true, ..card() }.alert());
}

#[test]
fn the_outcome_contained() {
    insta::assert_json_snapshot!(card().outcome(&report(Verdict::Contained, [StepState::Verified; 2])));
}

#[test]
fn the_outcome_partial() {
    let mut partial = report(Verdict::Partial, [StepState::Verified, StepState::Failed]);
    partial.steps[1].detail = Some("AccessDenied when the policy was put".into());
    partial.note = Some("The deny policy was stripped within 6 s, and put back once".into());
    insta::assert_json_snapshot!(card().outcome(&partial));
}

fn buttons(message: &Message) -> Vec<String> {
    let actions = message.blocks.iter().filter(|block| block["type"] == "actions");
    let elements = actions.flat_map(|block| block["elements"].as_array().unwrap());
    elements.map(|button| button["action_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn only_a_question_and_what_can_be_taken_back_have_buttons() {
    for message in every(&card(), &report(Verdict::Contained, [StepState::Verified; 2]), &approver()) {
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
    let nothing_stands = Report { undoable: false, ..report(Verdict::Partial, [StepState::Failed; 2]) };
    assert!(buttons(&card().outcome(&nothing_stands)).is_empty());
}

#[test]
fn later_events_are_counted_on_every_card() {
    let merged = Merged {
        count: 3,
        event_name: Some("AttachUserPolicy".into()),
        time: at("2026-01-02T03:06:00Z"),
        source_ip: Some("203.0.113.9".into()),
    };
    let said = read(&Card { merged: Some(merged), ..card() }.asking(&question()));
    let line = "3 further events of this case; the newest: `AttachUserPolicy` at 2026-01-02 03:06:00 UTC from `203.0.113.9`";
    assert!(said.contains(line), "{said}");
}

#[test]
fn a_button_carries_the_incidents_id_and_nothing_else() {
    let asking = card().asking(&Question { needed: 2, break_glass: true, ..question() });
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
    let contained = read(&card().outcome(&report(Verdict::Contained, [StepState::Verified; 2])));
    assert!(contained.contains("*Contained.* Approved by <@U0APPROVER>; 2 of 2 calls verified."), "{contained}");
    let denied = Report { steps: vec![], ..report(Verdict::Denied, [StepState::NotMade; 2]) };
    assert!(read(&card().outcome(&denied)).contains("*Denied: nothing was changed.* Denied by <@U0APPROVER>."));
}

#[test]
fn what_does_not_fit_is_counted() {
    let many = Card { calls: (0..200).map(|n| format!("iam:Call N={n}")).collect(), ..card() };
    let said = read(&many.asking(&question()));
    assert!(said.contains("What Approve does: 200 calls") && said.contains(" more: `cordon incident show inc-"), "{said}");
}

#[test]
fn a_deny_policy_is_shown_whole() {
    let document = format!("PolicyDocument={{\"Statement\":[{}]}}", "\"iam:*\",".repeat(250));
    let long = Card { calls: vec![card().calls[0].clone(), document.clone()], ..card() };
    let mut found = Vec::new();
    texts(&long.asking(&question()).to_value(), &mut found);
    assert!(found.iter().any(|(_, text)| text.contains(&document)));
}

#[test]
fn scenario_13_an_attackers_text_neither_mentions_nor_links_nor_formats() {
    let hostile = "<!channel> <@U0VICTIM> <https://evil.example|Approve> *bold* `code` :siren: \u{202E}";
    let card = hostile_card(hostile);
    let report = Report {
        note: Some(hostile.into()),
        steps: vec![StepLine { state: StepState::Failed, call: hostile.into(), detail: Some(hostile.into()) }],
        ..report(Verdict::Partial, [StepState::Verified; 2])
    };
    let by = Decider::Slack { user_id: hostile.into(), name: Some(hostile.into()) };
    for message in every(&card, &report, &by) {
        let mut found = vec![("notification".to_owned(), message.text.clone())];
        texts(&message.to_value(), &mut found);
        for (kind, text) in found {
            let text = text.replace("<@U0APPROVER>", "");
            for wrong in ["<!channel", "<@", "<https://evil", "\u{202E}"] {
                assert!(!text.contains(wrong), "{kind}: {text}");
            }
            if text.starts_with("<https://console.example/%3C!channel") {
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
    let empty = Card { execution_url: None, source_ip: None, event_time: None, policy_arn: None, ..hostile_card("") };
    for message in every(&empty, &report(Verdict::Expired, [StepState::NotMade; 2]), &approver()) {
        assert_eq!(validate(&message.blocks), Ok(()));
        assert!(message.blocks.len() == 2 || read(&message).contains("not in the event"));
    }
}

#[test]
fn a_failure_is_told_with_and_without_an_incident() {
    for incident in [None, Some("inc-0123456789abcdef0123".to_owned())] {
        let failure = Failure {
            incident: incident.clone(),
            state: "Remediate".into(),
            error: "Transient".into(),
            cause: "<!channel> ".repeat(1_000),
            execution_url: None,
        };
        let message = failure.message();
        assert_eq!(validate(&message.blocks), Ok(()));
        assert!(message.text.contains("State Remediate gave up with Transient"), "{}", message.text);
        assert_eq!(message.text.contains("inc-0123"), incident.is_some());
    }
}

/// A card all of whose strings are the given one.
pub(crate) fn hostile_card(text: &str) -> Card {
    let text = text.to_owned();
    let list = vec![text.clone(); 12];
    Card {
        incident: text.clone(),
        rules: vec![RuleLine { title: text.clone(), author: text.clone() }; 5],
        event_name: text.clone(),
        actor: text.clone(),
        subject: text.clone(),
        account: text.clone(),
        source_ip: Some(text.clone()),
        user_agent: Some(text.clone()),
        request: Some(text.clone()),
        why: list.clone(),
        policy_arn: Some(text.clone()),
        statements: list.clone(),
        reach: list.clone(),
        merged: Some(Merged {
            count: u32::MAX,
            event_name: Some(text.clone()),
            time: at("2026-01-02T03:04:05Z"),
            source_ip: Some(text.clone()),
        }),
        cannot_undo: list.clone(),
        calls: list.clone(),
        undo: list.clone(),
        by_hand: list.clone(),
        notes: vec![text.clone()],
        exceptions_checked: list,
        execution_url: Some(format!("https://console.example/{text}")),
        event_url: Some(format!("https://console.example/{text}")),
        decision_reason: text,
        ..card()
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
    let report = Report {
        verdict: Verdict::Partial,
        decided_by: None,
        steps: vec![StepLine { state: StepState::Failed, call: text.to_owned(), detail: Some(text.to_owned()) }; 12],
        times: Times { detected: at("2026-01-02T03:04:07Z"), ..Times::default() },
        undoable: true,
        ahead: Ahead::Stands,
        note: Some(text.to_owned()),
    };
    let by = Decider::Principal(text.to_owned());
    for message in every(&hostile_card(text), &report, &by) {
        assert_eq!(crate::validate_message(&message), Ok(()));
        assert!(!message.text.is_empty() && units(&message.text) <= 3_000);
    }
}

/// What is shortened where a card is too long, and what is not.
#[test]
fn a_card_that_is_too_long_keeps_its_calls_and_its_buttons() {
    let long = vec!["A sentence that is not short, and of which there are many on this card.".to_owned(); 12];
    let name = format!("arn:aws:iam::111122223333:user/{}", "n".repeat(150));
    let document = format!("iam:PutUserPolicy UserName=iam-test-mallory PolicyDocument={}", "\"iam:*\",".repeat(220));
    let card = Card {
        actor: name.clone(),
        subject: name.clone(),
        policy_arn: Some(name.clone()),
        user_agent: Some(name),
        why: long.clone(),
        reach: long.clone(),
        undo: long.clone(),
        by_hand: long.clone(),
        notes: long.clone(),
        cannot_undo: long.clone(),
        exceptions_checked: long.clone(),
        statements: vec!["{\"Effect\":\"Allow\"}".repeat(20); 3],
        request: Some("x".repeat(2_000)),
        rules: vec![RuleLine { title: "r".repeat(140), author: "a".repeat(70) }; 5],
        execution_url: Some(format!("https://console.example/{}", "e".repeat(500))),
        calls: vec![document.clone()],
        ..card()
    };
    let shown = |card: &Card| {
        let mut found = Vec::new();
        texts(&card.asking(&question()).to_value(), &mut found);
        found.into_iter().map(|(_, text)| text).collect::<String>()
    };
    let only_exceptions = Card { exceptions_checked: long.clone(), ..self::card() };
    let lines = |text: &str| text.matches("many on this card").count();
    assert!(lines(&shown(&card)) < 7 * lines(&shown(&only_exceptions)), "{}", shown(&card));
    assert!(shown(&card).contains(&document));
    assert!(shown(&card).contains(": `cordon incident show inc-0123456789abcdef0123`"));
    assert!(read(&card.asking(&question())).contains("\"action_id\":\"cordon_approve\""));
}
