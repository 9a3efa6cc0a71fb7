//! Every card against Slack's limits, against hostile text, and, for what people read, against a snapshot.

use cordon_core::detection::Detection;
use cordon_core::event::Origin;
use cordon_core::incident::{EventFacts, Found, Looking, MergedEvent, ShownVote};
use cordon_core::{
    Actor, ActorKind, Ballot, BlastRadius, Call, Decision, Incident, Level, Outcome, PlannedStep, Principal, PrincipalKind,
    Purpose, Question, RemedyKind, Route, Subject, Target, Vote,
};
use cordon_respond::runner::StepState;
use cordon_slack::text::units;
use cordon_slack::{validate, validate_message};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::card::Card;
use crate::ending::{Ahead, Ending, Tried};
use crate::links::Links;
use crate::people::Decider;

const ACCOUNT: &str = "111122223333";
const MALLORY: &str = "arn:aws:iam::111122223333:user/iam-test-mallory";
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn call(text: &str) -> Call {
    Call::new(text, [])
}

/// A step with these calls, which these take back.
fn step(calls: &[&str], undo: &[&str]) -> PlannedStep {
    PlannedStep {
        remedy: RemedyKind::DetachPolicy,
        purpose: Purpose::Revert,
        target: Target::Principal(Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory")),
        target_unique_id: "AIDAEXAMPLE".into(),
        policy_arn: None,
        inline_policy: None,
        calls: calls.iter().map(|text| call(text)).collect(),
        undo: undo.iter().map(|text| call(text)).collect(),
        changes: vec![],
        version: None,
        note: None,
        irreversible: None,
    }
}

fn rule(title: &str, author: &str, description: &str) -> Detection {
    Detection {
        rule: "administrator-attached".parse().unwrap(),
        title: title.into(),
        author: author.into(),
        level: Level::Critical,
        description: description.into(),
        tags: vec![],
        response: None,
    }
}

fn reach(unknown: &[&str]) -> BlastRadius {
    BlastRadius {
        principal: Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory"),
        keys: vec![],
        policies: vec![],
        groups: vec![],
        more: 0,
        unknown: unknown.iter().map(|text| (*text).to_owned()).collect(),
    }
}

/// The story that the sandbox plays: a user makes themself an administrator.
fn incident() -> Incident {
    let actor = Actor {
        kind: ActorKind::IamUser,
        arn: Some(MALLORY.into()),
        account: ACCOUNT.parse().ok(),
        name: Some("iam-test-mallory".into()),
        session: None,
        issuer_arn: None,
        unique_id: None,
        access_key_id: None,
    };
    let found = Found {
        account: ACCOUNT.parse().ok(),
        subject: Subject::Principal { principal: actor.principal().unwrap() },
        actor,
        detections: vec![rule(
            "Administrator policy attached to a user",
            "Cordon",
            "`AdministratorAccess` allows every action on every resource of the account.",
        )],
        event: EventFacts {
            id: "e-1".parse().unwrap(),
            shared_id: None,
            origin: Origin::Aws,
            name: "AttachUserPolicy".into(),
            service: "iam.amazonaws.com".into(),
            region: Some("us-east-1".into()),
            time: Some(at("2026-01-02T03:04:05Z")),
            source_ip: Some("203.0.113.7".into()),
            user_agent: Some("aws-cli/2.15.0 Python/3.11".into()),
            policy_arn: Some(ADMINISTRATOR.into()),
            error_code: None,
            parameters: format!(r#"{{"userName":"iam-test-mallory","policyArn":"{ADMINISTRATOR}"}}"#),
            touched: Default::default(),
        },
    };
    let execution = "arn:aws:states:us-east-1:111122223333:execution:cordon:x".to_owned();
    let mut incident = Incident::open("inc-0123456789abcdef0123".parse().unwrap(), found, execution, at("2026-01-02T03:04:07Z"));
    incident.unreadable = Some("The actor gave it to themself.".into());
    incident.statements = vec![r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#.into()];
    incident.assessment.blast_radius = Some(reach(&[
        "Access key `AKIAIOSFODNN7EXAMPLE`: active, last used 2026-01-02 03:03:58 UTC for `iam` in `us-east-1`.",
        "Policies: `AdministratorAccess`, `ReadOnlyAccess`.",
        "Groups: `developers`.",
    ]));
    incident.assessment.plan.steps = vec![
        step(
            &[&format!("iam:DetachUserPolicy UserName=iam-test-mallory PolicyArn={ADMINISTRATOR}")],
            &[&format!("iam:AttachUserPolicy UserName=iam-test-mallory PolicyArn={ADMINISTRATOR}")],
        ),
        step(
            &["iam:PutUserPolicy UserName=iam-test-mallory PolicyName=CordonDenyIam PolicyDocument={\"Statement\":[…]}"],
            &["iam:DeleteUserPolicy UserName=iam-test-mallory PolicyName=CordonDenyIam"],
        ),
    ];
    incident.assessment.exceptions_checked =
        vec!["The subject has no tag `SecurityApproved`.".into(), "The actor is in no exempt group (`admins`).".into()];
    incident.assessment.decision = Some(Decision {
        route: Route::Ask,
        approved_for_remediation: true,
        decision_reason: "Approved for remediation".into(),
        dry_run: false,
    });
    incident
}

/// The same in a dry run, and with the containment ahead of the question.
fn dry_run(mut incident: Incident) -> Incident {
    incident.assessment.decision.as_mut().unwrap().dry_run = true;
    incident
}

fn ahead(mut incident: Incident) -> Incident {
    incident.assessment.decision.as_mut().unwrap().route = Route::ContainThenAsk;
    incident
}

/// With an execution of a short name, so that a snapshot of it stays readable.
fn card(incident: &Incident) -> Card<'_> {
    let address = "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/x";
    Card { incident, links: Links { execution: Some(address.into()), ..Links::of(incident) } }
}

fn ballot(by: &str, name: &str) -> Ballot {
    Ballot { person: by.into(), name: name.into(), by: by.into(), at: at("2026-01-02T03:05:14Z"), reason: None }
}

fn looking(by: &str, name: &str) -> Looking {
    Looking { by: by.into(), name: name.into(), at: at("2026-01-02T03:05:14Z") }
}

fn dana() -> Ballot {
    ballot("U0APPROVER", "dana")
}

fn question(quorum: u32, ballots: &[Ballot]) -> Question<'_> {
    let deadline = at("2026-01-02T03:19:05Z");
    Question { vote: Vote::Waiting, deadline, quorum, ballots, by: None, on_timeout: Default::default() }
}

const APPROVER: Decider<'_> = Decider::Person { by: "U0APPROVER", name: Some("dana") };

/// The incident as it is after an approval.
fn decided_incident(outcome: Outcome) -> Incident {
    let mut incident = incident();
    incident.approval.asked_at = Some(at("2026-01-02T03:04:09.400Z"));
    incident.approval.decided_at = Some(at("2026-01-02T03:05:14Z"));
    incident.contained_at = Some(at("2026-01-02T03:05:18Z")).filter(|_| outcome == Outcome::Contained);
    incident
}

/// The end of an incident: each call of the plan with the state at its place, or with the first.
fn ending<'a>(incident: &'a Incident, outcome: Outcome, states: &'a [StepState]) -> Ending<'a> {
    let calls = incident.assessment.plan.steps.iter().flat_map(|step| step.calls.iter().map(move |call| (step, call)));
    let tried = calls.zip(0..).map(|((step, call), n)| Tried { step, call, state: states.get(n).or(states.first()) });
    Ending {
        outcome,
        decided_by: Some(APPROVER),
        tried: tried.collect(),
        undoable: outcome == Outcome::Contained,
        ahead: Ahead::Nothing,
        note: None,
    }
}

const OUTCOMES: [Outcome; 8] = [
    Outcome::Exempt,
    Outcome::Alerted,
    Outcome::Denied,
    Outcome::Expired,
    Outcome::Contained,
    Outcome::Partial,
    Outcome::Failed,
    Outcome::NeedsPerson,
];

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
        card(incident).decided(true, &decider),
        card(&ahead).decided(true, &decider),
        card(incident).decided(false, &decider),
        card(&ahead).decided(false, &decider),
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
        [Decider::Person { by: &arn, name: None }, Decider::Configuration].map(|decider| card(&incident).decided(true, &decider)),
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
    merged.merges = cordon_core::incident::Merges { merged: 3, last_merged: Some(newest) };
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
    assert!(contained.contains("*Contained.* Approved by <@U0APPROVER>; 2 of 2 calls verified."), "{contained}");
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

/// An incident all of whose free texts are the given one. Ids and accounts are checked where they are decoded.
pub(crate) fn hostile_incident(text: &str) -> Incident {
    let (text, mut incident) = (text.to_owned(), incident());
    let list = vec![text.clone(); 12];
    incident.actor.arn = Some(text.clone());
    incident.subject = Subject::Policy { arn: text.clone() };
    incident.detections = vec![rule(&text, &text, &text); 5];
    incident.unreadable = Some(text.clone());
    incident.execution = format!("arn:aws:states:us-east-1:111122223333:execution:{text}");
    let event = &mut incident.event;
    (event.name, event.parameters) = (text.clone(), text.clone());
    (event.source_ip, event.user_agent, event.policy_arn) = (Some(text.clone()), Some(text.clone()), Some(text.clone()));
    incident.statements = list.clone();
    incident.assessment.blast_radius = Some(BlastRadius { policies: list.clone(), groups: list.clone(), ..reach(&[&*text; 12]) });
    incident.merges.merged = u32::MAX;
    incident.merges.last_merged =
        Some(MergedEvent { name: text.clone(), time: Some(at("2026-01-02T03:04:05Z")), source_ip: Some(text.clone()) });
    let undoable = PlannedStep { note: Some(text.clone()), ..step(&[&*text; 6], &[&*text; 12]) };
    let final_step = PlannedStep { irreversible: Some(text.clone()), ..step(&[&*text; 6], &[]) };
    incident.assessment.plan.steps = vec![undoable, final_step];
    incident.assessment.plan.by_hand = list.clone();
    incident.assessment.exceptions_checked = list;
    incident.approval.votes =
        vec![ShownVote { by: text.clone(), name: text.clone(), approves: true, at: at("2026-01-02T03:05:14Z"), reason: None }];
    incident.assessment.decision.as_mut().unwrap().decision_reason = text;
    incident
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
