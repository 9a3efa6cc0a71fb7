//! What approval must survive, by the scenarios' numbers: 4, 5, 6, 7, 12, 15 and what belongs to them.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ErrorName, NotifyInput, RemediateInput, RemediateOutput, WaitInput, WaitOutput};
use cordon_core::{IncidentId, Outcome, Principal, PrincipalKind, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use cordon_flow::undo::UndoAnswer;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{ACCOUNT, ACTOR_AS_APPROVER, APPROVER, CONFIG, World, attach};

const SECOND: &str = "U0SECOND";
const TWO: &str = "[approval.quorum]\nhigh = 2\n";
const AHEAD: &str = "[gates]\ncontain_then_ask = [\"admin-attached\"]\n";

fn with(extra: &str) -> World {
    World::with(&format!("{CONFIG}\n{extra}"))
}

fn mallory() -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory")
}

fn ask(world: &World, incident: &IncidentId, token: &str, last: bool) {
    let ask = WaitInput::Ask { incident: incident.clone(), task_token: token.to_owned(), timeout_seconds: 600, last };
    assert_eq!(run(world.wait().run(ask)).unwrap(), None);
}

fn asked(world: &World) -> IncidentId {
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Ask);
    ask(world, &incident, "token-1", false);
    incident
}

fn say(world: &World, incident: &IncidentId, voter: Voter<'_>, choice: Choice, reason: Option<&str>) -> Answer {
    run(world.decide().run(incident, voter, choice, reason)).unwrap()
}

fn click(world: &World, incident: &IncidentId, user: &str, choice: Choice) -> Answer {
    say(world, incident, Voter::Slack(user), choice, None)
}

fn escalate(world: &World, incident: &IncidentId) -> WaitOutput {
    run(world.wait().run(WaitInput::Escalate { incident: incident.clone(), escalate: true })).unwrap().unwrap()
}

fn expire(world: &World, incident: &IncidentId) -> WaitOutput {
    run(world.wait().run(WaitInput::Expire { incident: incident.clone(), expire: true })).unwrap().unwrap()
}

fn completed(world: &World) -> Vec<(String, Value)> {
    world.heard.completed.lock().unwrap().clone()
}

fn remediate(world: &World, input: RemediateInput) -> Result<RemediateOutput, ErrorName> {
    run(world.remediate().run(input)).map_err(|error| error.name)
}

fn apply(world: &World, incident: &IncidentId) -> Result<RemediateOutput, ErrorName> {
    remediate(world, RemediateInput::Apply { incident: incident.clone() })
}

fn verify(world: &World, incident: &IncidentId) -> Result<RemediateOutput, ErrorName> {
    remediate(world, RemediateInput::Verify { incident: incident.clone() })
}

fn revert(world: &World, incident: &IncidentId) -> Result<RemediateOutput, ErrorName> {
    remediate(world, RemediateInput::Revert { incident: incident.clone() })
}

fn close(world: &World, incident: &IncidentId, outcome: Outcome) {
    run(world.notify().run(NotifyInput::Outcome { incident: incident.clone(), outcome })).unwrap();
}

/// Contained, and closed.
fn contained(world: &World) -> IncidentId {
    let incident = asked(world);
    click(world, &incident, APPROVER, Choice::Approve);
    apply(world, &incident).unwrap();
    assert_eq!(verify(world, &incident), Ok(RemediateOutput::Contained));
    close(world, &incident, Outcome::Contained);
    incident
}

#[test]
fn scenario_04_of_approve_and_deny_at_the_same_time_one_wins_and_the_other_is_told_who() {
    let world = World::new();
    let incident = asked(&world);
    // Both have read the question before either writes: the second write is refused.
    let question = world.store.item(&incident, "APPROVAL#1");
    assert_eq!(click(&world, &incident, SECOND, Choice::Deny), Answer::Accepted(Choice::Deny));
    world.store.read_before_others_wrote(question);
    let answer = click(&world, &incident, APPROVER, Choice::Approve);
    assert_eq!(answer, Answer::Already { approved: false, by: SECOND.to_owned() });
    assert_eq!(completed(&world), [("token-1".to_owned(), json!({"decision": "denied", "by": SECOND}))]);
    assert_eq!(apply(&world, &incident), Err(ErrorName::Refused));
    assert_eq!(world.timeline(&incident).iter().filter(|kind| *kind == "approved" || *kind == "denied").count(), 1);
}

#[test]
fn scenario_04_two_approvals_at_the_same_time_are_both_counted() {
    let world = with(TWO);
    let incident = asked(&world);
    let question = world.store.item(&incident, "APPROVAL#1");
    assert_eq!(click(&world, &incident, SECOND, Choice::Approve), Answer::Counted { approved: 1, wanted: 2 });
    world.store.read_before_others_wrote(question);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Accepted(Choice::Approve));
    assert_eq!(completed(&world).len(), 1);
}

#[test]
fn scenario_05_a_click_after_the_last_deadline_or_on_an_old_card_is_told_so_and_changes_nothing() {
    let world = World::new();
    let (incident, _) = world.checked(attach("e"));
    ask(&world, &incident, "token-1", true);
    world.clock.pass(601);
    for choice in [Choice::Approve, Choice::Deny, Choice::Looking] {
        assert!(matches!(click(&world, &incident, APPROVER, choice), Answer::Expired(_)), "{choice:?}");
    }
    assert_eq!(expire(&world, &incident), WaitOutput::Expired);
    close(&world, &incident, Outcome::Expired);
    for choice in [Choice::Approve, Choice::Deny, Choice::Looking] {
        assert!(matches!(click(&world, &incident, APPROVER, choice), Answer::Expired(_)), "{choice:?}");
    }
    assert!(completed(&world).is_empty() && world.iam.writes().is_empty());
    assert!(world.head(&incident).votes.is_empty() && world.head(&incident).looking.is_none());
}

#[test]
fn scenario_06_a_decision_that_was_written_and_not_delivered_is_finished_by_whatever_comes_next() {
    type Finish = fn(&World, &IncidentId);
    let finishes: [Finish; 4] = [
        |world, incident| assert!(matches!(click(world, incident, SECOND, Choice::Deny), Answer::Already { approved: true, .. })),
        |world, incident| assert_eq!(escalate(world, incident), WaitOutput::Approved { by: APPROVER.to_owned() }),
        |world, incident| assert_eq!(expire(world, incident), WaitOutput::Approved { by: APPROVER.to_owned() }),
        |world, incident| ask(world, incident, "token-2", true),
    ];
    for finish in finishes {
        let world = World::new();
        let incident = asked(&world);
        *world.heard.tasks_are_down.lock().unwrap() = true;
        assert!(run(world.decide().run(&incident, Voter::Slack(APPROVER), Choice::Approve, None)).is_err());
        *world.heard.tasks_are_down.lock().unwrap() = false;
        finish(&world, &incident);
        assert!(completed(&world).iter().all(|(_, output)| output["decision"] == "approved"), "{:?}", completed(&world));
        assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    }
}

#[test]
fn scenario_07_nobody_answers_so_more_people_are_called_and_then_the_incident_expires() {
    let world =
        with("[approval.escalation]\nslack_channel = \"C0LOUD\"\ntopic = \"arn:aws:sns:us-east-1:111111111111:on-call\"\n");
    let incident = asked(&world);
    world.clock.pass(601);
    assert_eq!(escalate(&world, &incident), WaitOutput::Escalate);
    assert_eq!(escalate(&world, &incident), WaitOutput::Escalate, "a retry says the same");
    run(world.notify().run(NotifyInput::Escalated { incident: incident.clone() })).unwrap();
    {
        let elsewhere = world.heard.posts_elsewhere.lock().unwrap();
        assert_eq!(elsewhere[0].0, "C0LOUD");
        let said = elsewhere[0].1.to_value().to_string();
        assert!(said.contains("<@U0APPROVER>") && said.contains("<@U0SECOND>") && !said.contains("<@U0MALLORY>"), "{said}");
        assert_eq!(world.heard.replies.lock().unwrap().len(), 1);
        let alerts = world.heard.alerts.lock().unwrap();
        let called = alerts.iter().find(|alert| alert.topic.is_some()).unwrap();
        assert!(called.topic.as_ref().unwrap().ends_with(":on-call") && called.body["message"] == "escalated");
    }
    ask(&world, &incident, "token-2", true);
    assert_eq!(world.head(&incident).deadline, Some("2026-01-02T03:24:06Z".parse().unwrap()), "the card shows the last one");
    world.clock.pass(601);
    assert_eq!(expire(&world, &incident), WaitOutput::Expired);
    assert!(matches!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Expired(_)));
    assert_eq!(world.timeline(&incident).iter().filter(|kind| *kind == "escalated").count(), 1);
    assert!(world.iam.writes().is_empty());
}

#[test]
fn scenario_07_a_click_between_two_waits_counts_and_goes_out_with_the_next_token() {
    let world = World::new();
    let incident = asked(&world);
    world.clock.pass(601);
    assert_eq!(escalate(&world, &incident), WaitOutput::Escalate);
    world.heard.gone.lock().unwrap().push("token-1".to_owned());
    let Answer::Expired(said) = click(&world, &incident, APPROVER, Choice::Approve) else { panic!() };
    assert!(said.contains("on record"), "{said}");
    ask(&world, &incident, "token-2", true);
    assert_eq!(completed(&world), [("token-2".to_owned(), json!({"decision": "approved", "by": APPROVER}))]);
}

#[test]
fn scenario_07_somebody_who_is_looking_puts_the_escalation_off_once_and_only_once() {
    let world = World::new();
    let incident = asked(&world);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Looking), Answer::Looking { escalated: false });
    assert_eq!(click(&world, &incident, SECOND, Choice::Looking), Answer::LookingAlready { by: APPROVER.to_owned() });
    world.clock.pass(601);
    assert_eq!(escalate(&world, &incident), WaitOutput::Looking);
    assert_eq!(escalate(&world, &incident), WaitOutput::Looking, "a retry says the same");
    ask(&world, &incident, "token-2", false);
    world.clock.pass(601);
    assert_eq!(escalate(&world, &incident), WaitOutput::Escalate);
    ask(&world, &incident, "token-3", true);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Accepted(Choice::Approve));
    assert_eq!(completed(&world)[0].0, "token-3", "the newest token");
    let shown = world.heard.updates.lock().unwrap().last().unwrap().to_value().to_string();
    assert!(shown.contains("Looking: <@U0APPROVER>"), "{shown}");
}

#[test]
fn scenario_07_what_becomes_of_nobodys_answer_is_the_policys() {
    let world = |policy: &str, gate: &str| {
        World::with(&format!(
            "{}\n{gate}",
            CONFIG.replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n[approval]\non_timeout = \"{policy}\""))
        ))
    };
    // Nothing had gone ahead.
    for (policy, expected, left) in
        [("close", WaitOutput::Expired, 0), ("hold-containment", WaitOutput::Expired, 0), ("contain", WaitOutput::Contain, 1)]
    {
        let world = world(policy, "");
        let incident = asked(&world);
        assert_eq!(expire(&world, &incident), expected, "{policy}");
        assert_eq!(expire(&world, &incident), expected, "{policy}, a retry");
        assert_eq!(apply(&world, &incident).is_ok(), policy == "contain", "{policy}");
        let entity = world.iam.entity(&mallory()).unwrap();
        assert_eq!(
            (entity.inline.len(), entity.attached.len()),
            (left, 1),
            "{policy}: only what can be taken back, and only that"
        );
        if policy == "contain" {
            assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Partial), "the policy is still attached, and that is said");
        }
    }
    // The containment had.
    for (policy, expected, left) in [
        ("close", WaitOutput::ExpiredContained, 0),
        ("hold-containment", WaitOutput::Expired, 1),
        ("contain", WaitOutput::Contain, 1),
    ] {
        let world = world(policy, AHEAD);
        let (incident, route) = world.checked(attach("e"));
        assert_eq!(route, Route::ContainThenAsk);
        apply(&world, &incident).unwrap();
        ask(&world, &incident, "token-1", true);
        assert_eq!(expire(&world, &incident), expected, "{policy}");
        assert_eq!(revert(&world, &incident).is_ok(), policy == "close", "{policy}");
        assert_eq!(world.iam.entity(&mallory()).unwrap().inline.len(), left, "{policy}");
    }
}

#[test]
fn scenario_07_nobodys_answer_never_contains_what_a_failed_read_left_to_a_person() {
    let config = CONFIG.replace("mode = \"enforce\"", "mode = \"enforce\"\n[approval]\non_timeout = \"contain\"");
    let world = World::with(&config);
    let denied = cordon_testkit::Failure::Error(cordon_respond::IamErrorKind::AccessDenied);
    world.iam.faults().strike_action("iam:ListUserTags", cordon_testkit::When::Before, denied);
    let incident = asked(&world);
    assert_eq!(expire(&world, &incident), WaitOutput::Expired);
    assert_eq!(apply(&world, &incident), Err(ErrorName::Refused));
}

#[test]
fn scenario_12_the_actor_decides_nothing_by_any_button_or_identity() {
    let world = with(
        "[approval.quorum]\nhigh = 2\n[[approval.groups]]\nname = \"Testers\"\nslack_user_group = \"S0TEST\"\nprincipals = [\"arn:aws:iam::*:user/iam-test-*\"]\n",
    );
    world.heard.groups.lock().unwrap().insert("S0TEST".to_owned(), vec!["U0MEMBER".to_owned()]);
    let incident = asked(&world);
    let actor = format!("arn:aws:iam::{ACCOUNT}:user/iam-test-mallory");
    for voter in [Voter::Slack(ACTOR_AS_APPROVER), Voter::Slack("U0MEMBER"), Voter::Principal(&actor)] {
        for choice in [Choice::Approve, Choice::Deny, Choice::Looking] {
            assert!(matches!(say(&world, &incident, voter, choice, None), Answer::Refused(_)), "{voter:?} {choice:?}");
        }
    }
    assert!(world.head(&incident).votes.is_empty());
    assert_eq!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Counted { approved: 1, wanted: 2 });
    assert!(matches!(click(&world, &incident, ACTOR_AS_APPROVER, Choice::Approve), Answer::Refused(_)));
    assert!(completed(&world).is_empty());
    assert_eq!(click(&world, &incident, SECOND, Choice::Approve), Answer::Accepted(Choice::Approve));
    apply(&world, &incident).unwrap();
    close(&world, &incident, Outcome::Contained);
    let undo = run(world.ask_undo().run(&incident, Voter::Slack(ACTOR_AS_APPROVER), None)).unwrap();
    assert!(matches!(undo, UndoAnswer::No(said) if said.contains("You are the actor")));
    assert!(world.heard.started.lock().unwrap().is_empty());
}

#[test]
fn a_quorum_counts_people_and_one_denial_decides() {
    let world = with(TWO);
    let incident = asked(&world);
    let counted = Answer::Counted { approved: 1, wanted: 2 };
    for _ in 0..2 {
        assert_eq!(click(&world, &incident, APPROVER, Choice::Approve), counted);
    }
    let own = format!("arn:aws:iam::{ACCOUNT}:user/approver");
    assert_eq!(
        say(&world, &incident, Voter::Principal(&own), Choice::Approve, None),
        counted,
        "the same person on the command line"
    );
    assert_eq!(apply(&world, &incident), Err(ErrorName::Refused));
    assert_eq!(world.head(&incident).votes.len(), 1);
    assert_eq!(world.timeline(&incident).iter().filter(|kind| *kind == "voted").count(), 1);
    // Whoever approved may still see a reason not to.
    assert_eq!(say(&world, &incident, Voter::Slack(APPROVER), Choice::Deny, Some("planned")), Answer::Accepted(Choice::Deny));
    assert_eq!(world.head(&incident).votes[0].reason.as_deref(), Some("planned"));
    assert_eq!(completed(&world)[0].1["decision"], "denied");
}

#[test]
fn votes_outlive_the_escalation() {
    let world = with(TWO);
    let incident = asked(&world);
    click(&world, &incident, APPROVER, Choice::Approve);
    world.clock.pass(601);
    assert_eq!(escalate(&world, &incident), WaitOutput::Escalate);
    ask(&world, &incident, "token-2", true);
    assert_eq!(click(&world, &incident, SECOND, Choice::Approve), Answer::Accepted(Choice::Approve));
}

#[test]
fn members_of_a_group_decide_unless_slack_does_not_say_who_they_are() {
    let group =
        "[[approval.groups]]\nname = \"Security\"\nslack_user_group = \"S0SEC\"\nprincipals = [\"arn:aws:iam::*:user/sec-*\"]\n";
    let world = with(group);
    world.heard.groups.lock().unwrap().insert("S0SEC".to_owned(), vec!["U0MEMBER".to_owned()]);
    let incident = asked(&world);
    assert!(matches!(click(&world, &incident, "U0STRANGER", Choice::Approve), Answer::Refused(_)));
    *world.heard.slack_is_down.lock().unwrap() = true;
    let Answer::Refused(said) = click(&world, &incident, "U0MEMBER", Choice::Approve) else { panic!() };
    assert!(said.contains("does not say who is in `Security`"), "{said}");
    *world.heard.slack_is_down.lock().unwrap() = false;
    assert_eq!(click(&world, &incident, "U0MEMBER", Choice::Approve), Answer::Accepted(Choice::Approve));
}

#[test]
fn an_aws_identity_has_to_name_exactly_one_approver() {
    let extra = "[[approval.approvers]]\nname = \"Role A\"\nslack_user_id = \"U0ROLEA\"\nprincipals = [\"arn:aws:iam::*:role/security\"]\n\
        [[approval.approvers]]\nname = \"Role B\"\nslack_user_id = \"U0ROLEB\"\nprincipals = [\"arn:aws:sts::*:assumed-role/security/b\"]\n\
        [[approval.approvers]]\nname = \"Sso\"\nslack_user_id = \"U0SSO\"\nprincipals = [\"arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Own_*\"]\n\
        [[approval.approvers]]\nname = \"Shared\"\nslack_user_id = \"U0SHARED\"\nprincipals = [\"arn:aws:iam::*:role/shared\"]\n\
        [[approval.groups]]\nname = \"Team\"\nslack_user_group = \"S0TEAM\"\nprincipals = [\"arn:aws:iam::*:role/shared\"]\n";
    let check = |arn: &str, says: &str| {
        let world = with(extra);
        let incident = asked(&world);
        match say(&world, &incident, Voter::Principal(arn), Choice::Approve, Some("because")) {
            Answer::Accepted(Choice::Approve) => {
                assert_eq!(says, "", "{arn}");
                assert_eq!(completed(&world)[0].1["by"], arn);
            }
            Answer::Refused(said) => assert!(!says.is_empty() && said.contains(says), "{arn}: {said}"),
            other => panic!("{arn}: {other:?}"),
        }
    };
    check("arn:aws:iam::111111111111:user/approver", "");
    check("arn:aws:iam::111111111111:user/approver2", "is no approver's");
    check("arn:aws:sts::111111111111:assumed-role/security/anybody", "");
    check("arn:aws:sts::111111111111:assumed-role/security/b", "fits several approvers (Role A, Role B)");
    check("arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Own_0123/ada@example.com", "");
    check("arn:aws:sts::111111111111:assumed-role/shared/somebody", "members of `Team` share");
    check("arn:aws:iam::111111111111:root", "is no approver's");
    check("", "is no approver's");
}

#[test]
fn breaking_the_glass_takes_a_reason_and_the_policys_leave_and_tells_everybody_who_was_skipped() {
    let refused = with(TWO);
    let incident = asked(&refused);
    let alone =
        |world: &World, incident: &IncidentId, reason| say(world, incident, Voter::Slack(APPROVER), Choice::BreakGlass, reason);
    assert!(matches!(alone(&refused, &incident, Some("on fire")), Answer::Refused(said) if said.contains("break_glass")));

    let world = World::with(&format!(
        "{}\n{TWO}",
        CONFIG.replace("mode = \"enforce\"", "mode = \"enforce\"\n[approval]\nbreak_glass = true")
    ));
    let incident = asked(&world);
    assert!(matches!(alone(&world, &incident, Some("  ")), Answer::Refused(said) if said.contains("needs a reason")));
    let stranger = say(&world, &incident, Voter::Slack("U0STRANGER"), Choice::BreakGlass, Some("on fire"));
    assert!(matches!(stranger, Answer::Refused(_)));
    assert_eq!(alone(&world, &incident, Some("on fire <!channel>")), Answer::Accepted(Choice::BreakGlass));
    assert_eq!(completed(&world)[0].1, json!({"decision": "break_glass", "by": APPROVER}));
    run(world.notify().run(NotifyInput::BreakGlass { incident: incident.clone() })).unwrap();
    let said = world.heard.replies.lock().unwrap()[0].1.to_value().to_string();
    assert!(said.contains("<@U0SECOND>") && said.contains("on fire") && !said.contains("<!channel>"), "{said}");
    assert!(!said.contains("<@U0APPROVER>") && !said.contains("<@U0MALLORY>"), "{said}");
    let (_, alert) = world.heard.published.lock().unwrap().last().unwrap().clone();
    assert_eq!((&alert["message"], &alert["break_glass"]["skipped"][0]["name"]), (&json!("break_glass"), &json!("Second")));
    assert!(world.timeline(&incident).contains(&"break_glass".to_owned()));
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
}

#[test]
fn no_glass_is_broken_where_the_vote_is_enough_anyway() {
    let world = World::with(&CONFIG.replace("mode = \"enforce\"", "mode = \"enforce\"\n[approval]\nbreak_glass = true"));
    let incident = asked(&world);
    say(&world, &incident, Voter::Slack(APPROVER), Choice::BreakGlass, Some("on fire"));
    assert_eq!(completed(&world)[0].1["decision"], "approved");
}

#[test]
fn containment_goes_ahead_and_a_denial_takes_it_back_byte_for_byte() {
    let world = with(AHEAD);
    let before = world.iam.state();
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::ContainThenAsk);
    assert_eq!(revert(&world, &incident), Err(ErrorName::Refused), "nobody has denied anything");
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    let entity = world.iam.entity(&mallory()).unwrap();
    assert_eq!((entity.inline.len(), entity.attached.len()), (1, 1), "the rest waits");
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Partial), "not all of the plan");
    ask(&world, &incident, "token-1", false);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Deny), Answer::Accepted(Choice::Deny));
    assert_eq!(completed(&world)[0].1["decision"], "denied_contained");
    for _ in 0..2 {
        assert_eq!(revert(&world, &incident), Ok(RemediateOutput::Reverted));
    }
    assert_eq!(world.iam.state(), before);
    assert_eq!(apply(&world, &incident), Err(ErrorName::Refused), "what was denied is not applied by a late retry");
    close(&world, &incident, Outcome::Denied);
    assert_eq!(world.iam.state(), before);
}

#[test]
fn containment_goes_ahead_and_an_approval_does_the_rest() {
    let world = with(AHEAD);
    let (incident, _) = world.checked(attach("e"));
    apply(&world, &incident).unwrap();
    verify(&world, &incident).unwrap();
    ask(&world, &incident, "token-1", false);
    click(&world, &incident, APPROVER, Choice::Approve);
    assert_eq!(completed(&world)[0].1["decision"], "approved");
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
    assert!(world.iam.entity(&mallory()).unwrap().attached.is_empty());
    assert_eq!(revert(&world, &incident), Err(ErrorName::Refused));
}

#[test]
fn a_containment_that_somebody_changed_is_not_taken_back_and_that_is_said() {
    let world = with(AHEAD);
    let (incident, _) = world.checked(attach("e"));
    apply(&world, &incident).unwrap();
    ask(&world, &incident, "token-1", false);
    world.iam.change(&mallory(), |entity| {
        for document in entity.inline.values_mut() {
            *document = "{\"Statement\": []}".to_owned();
        }
    });
    click(&world, &incident, APPROVER, Choice::Deny);
    assert_eq!(revert(&world, &incident), Ok(RemediateOutput::RevertRefused));
    assert_eq!(world.timeline(&incident).last().unwrap(), "undo_refused");
}

#[test]
fn a_rehearsal_asks_for_real_and_changes_nothing_whatever_is_clicked() {
    let config =
        CONFIG.replace("mode = \"enforce\"", "mode = \"dry-run\"\n[approval]\nrehearse = true\non_timeout = \"contain\"");
    for (choice, decision) in [(Choice::Approve, "rehearsed"), (Choice::Deny, "denied")] {
        let world = World::with(&config);
        let incident = asked(&world);
        click(&world, &incident, APPROVER, choice);
        assert_eq!(completed(&world)[0].1["decision"], decision);
        for input in [
            RemediateInput::Apply { incident: incident.clone() },
            RemediateInput::Verify { incident: incident.clone() },
            RemediateInput::Revert { incident: incident.clone() },
        ] {
            assert_eq!(remediate(&world, input), Err(ErrorName::Refused));
        }
        close(&world, &incident, if choice == Choice::Approve { Outcome::Alerted } else { Outcome::Denied });
        assert_eq!(world.heard.published.lock().unwrap().last().unwrap().1["message"], "outcome", "people hear how it ended");
        assert!(world.iam.writes().is_empty());
    }
    let world = World::with(&config);
    let incident = asked(&world);
    assert_eq!(expire(&world, &incident), WaitOutput::Expired, "also where the policy would contain");
}

#[test]
fn an_undo_from_slack_is_carried_out_once_and_can_be_asked_for_again() {
    let world = World::new();
    let before = world.iam.state();
    let undo = |world: &World, incident: &IncidentId| remediate(world, RemediateInput::Undo { incident: incident.clone() });
    let wish = |world: &World, incident: &IncidentId, user: &str| {
        run(world.ask_undo().run(incident, Voter::Slack(user), Some("it was planned"))).unwrap()
    };
    let open = asked(&world);
    assert!(matches!(wish(&world, &open, APPROVER), UndoAnswer::No(said) if said.contains("still open")));
    click(&world, &open, APPROVER, Choice::Approve);
    apply(&world, &open).unwrap();
    verify(&world, &open).unwrap();
    close(&world, &open, Outcome::Contained);
    let incident = open;

    assert_eq!(undo(&world, &incident), Err(ErrorName::Refused), "an execution that anybody started undoes nothing");
    assert!(matches!(wish(&world, &incident, "U0STRANGER"), UndoAnswer::No(_)));
    assert_eq!(undo(&world, &incident), Err(ErrorName::Refused));
    for user in [APPROVER, SECOND] {
        assert_eq!(wish(&world, &incident, user), UndoAnswer::Started, "the second one finds the first one's wish");
    }
    let started = world.heard.started.lock().unwrap().clone();
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].1["cordon"], "undo");
    for _ in 0..2 {
        assert_eq!(undo(&world, &incident), Ok(RemediateOutput::Undone));
    }
    assert_eq!(world.iam.state(), before);
    run(world.notify().run(NotifyInput::Undone { incident: incident.clone() })).unwrap();
    assert_eq!(world.heard.published.lock().unwrap().last().unwrap().1["undo_result"]["by"], APPROVER);
    let kinds = world.timeline(&incident);
    assert_eq!(kinds.iter().filter(|kind| *kind == "undone").count(), 1, "{kinds:?}");
    assert_eq!(wish(&world, &incident, APPROVER), UndoAnswer::Started);
    assert_eq!(world.heard.started.lock().unwrap().len(), 2, "it can be run again");
    assert_eq!(undo(&world, &incident), Ok(RemediateOutput::Undone));
}

#[test]
fn an_undo_that_would_overwrite_somebodys_work_is_refused_and_told() {
    let world = World::new();
    let incident = contained(&world);
    world.iam.change(&mallory(), |entity| {
        for document in entity.inline.values_mut() {
            *document = "{\"Statement\": []}".to_owned();
        }
    });
    run(world.ask_undo().run(&incident, Voter::Slack(SECOND), None)).unwrap();
    assert_eq!(remediate(&world, RemediateInput::Undo { incident: incident.clone() }), Ok(RemediateOutput::UndoRefused));
    run(world.notify().run(NotifyInput::Undone { incident })).unwrap();
    let (_, alert) = world.heard.published.lock().unwrap().last().unwrap().clone();
    assert!(alert["undo_result"]["steps"].to_string().contains("changed since"), "{alert}");
}

#[test]
fn an_incident_that_classify_opened_before_it_died_is_closed_as_failed() {
    let world = World::new();
    let (incident, _) = world.checked(attach("e"));
    let failure = |event: &str, execution: &str| NotifyInput::Failure {
        incident: None,
        event: Some(event.to_owned()),
        execution: execution.to_owned(),
        state: "Classify".to_owned(),
        error: "Lambda.Unknown".to_owned(),
        cause: "killed".to_owned(),
    };
    for (event, execution) in [("e", "execution-2"), ("another", "execution-1"), ("", "execution-1")] {
        run(world.notify().run(failure(event, execution))).unwrap();
        assert_eq!(world.head(&incident).outcome, None, "{event} {execution}");
    }
    run(world.notify().run(failure("e", "execution-1"))).unwrap();
    assert_eq!(world.head(&incident).outcome, Some(Outcome::Failed));
}

#[test]
fn what_people_read_of_a_containment_that_went_ahead_is_what_happened() {
    let said = |world: &World, id: &IncidentId| {
        let posts = world.heard.posts.lock().unwrap();
        let updates = world.heard.updates.lock().unwrap();
        assert_eq!(world.head(id).slack.as_ref().unwrap().ts.as_deref(), Some("1.1"));
        (posts[0].to_value().to_string(), updates.last().map(|update| update.to_value().to_string()).unwrap_or_default())
    };
    for (policy, outcome, headline) in [
        ("close", Outcome::Denied, "Denied: the containment was taken back."),
        ("close", Outcome::Expired, "and the containment was taken back."),
        ("hold-containment", Outcome::Expired, "The containment stays."),
    ] {
        let config = CONFIG.replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n[approval]\non_timeout = \"{policy}\""));
        let world = World::with(&format!("{config}\n{AHEAD}"));
        let (incident, _) = world.checked(attach("e"));
        apply(&world, &incident).unwrap();
        ask(&world, &incident, "token-1", true);
        let (card, _) = said(&world, &incident);
        assert!(card.contains("contained for now") && !card.contains("Nothing has been changed yet"), "{card}");
        match outcome {
            Outcome::Denied => assert_eq!(click(&world, &incident, APPROVER, Choice::Deny), Answer::Accepted(Choice::Deny)),
            _ => drop(expire(&world, &incident)),
        }
        if headline.contains("taken back") {
            revert(&world, &incident).unwrap();
        }
        close(&world, &incident, outcome);
        let (_, end) = said(&world, &incident);
        assert!(end.contains(headline) && !end.contains("nothing was changed"), "{end}");
        assert_eq!(end.contains("cordon_undo"), headline.contains("stays"), "the button to undo, where something stands: {end}");
    }
}

#[test]
fn a_rehearsals_card_says_that_it_is_one() {
    let world = World::with(&CONFIG.replace("mode = \"enforce\"", "mode = \"dry-run\"\n[approval]\nrehearse = true"));
    asked(&world);
    let card = world.heard.posts.lock().unwrap()[0].to_value().to_string();
    assert!(card.contains("Rehearsal") && card.contains("cordon_approve"), "{card}");
}
