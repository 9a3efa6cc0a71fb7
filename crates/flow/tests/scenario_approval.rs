//! Scenarios 4, 5, 6, 7 and 12: approval.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ErrorName, NotifyInput, RemediateOutput, WaitOutput};
use cordon_core::{IncidentId, Outcome, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use cordon_flow::undo::UndoAnswer;
use cordon_testkit::run;
use serde_json::json;
use support::asking::*;
use support::{ACCOUNT, ACTOR_AS_APPROVER, APPROVER, CONFIG, World, attach};

#[test]
fn scenario_04_of_approve_and_deny_at_the_same_time_one_wins_and_the_other_is_told_who() {
    let world = World::new();
    let incident = asked(&world);
    // Both have read the question before either writes: the second write is refused.
    let question = world.table.item(&incident, "APPROVAL#1");
    assert_eq!(click(&world, &incident, SECOND, Choice::Deny), Answer::Accepted(Choice::Deny));
    world.table.read_before_others_wrote(question);
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
    let question = world.table.item(&incident, "APPROVAL#1");
    assert_eq!(click(&world, &incident, SECOND, Choice::Approve), Answer::Counted { approved: 1, wanted: 2 });
    world.table.read_before_others_wrote(question);
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
    assert!(world.stored(&incident).approval.votes.is_empty() && world.stored(&incident).approval.looking.is_none());
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
    assert_eq!(
        world.stored(&incident).approval.deadline,
        Some("2026-01-02T03:24:06Z".parse().unwrap()),
        "the card shows the last one"
    );
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
fn scenario_07_nobodys_answer_contains_no_more_than_the_hours_budget() {
    let config = CONFIG.replace("mode = \"enforce\"", "mode = \"enforce\"\n[approval]\non_timeout = \"contain\"");
    let world = World::with(&format!("{config}\n[limits]\nenforcements_per_hour = 1"));
    let incident = asked(&world);
    let other = "inc-00000000000000000001".parse().unwrap();
    run(world.store().take_from_budget(&other, 1, cordon_flow::ports::Clock::now(&world.clock))).unwrap();
    assert_eq!(expire(&world, &incident), WaitOutput::Expired);
    assert_eq!(apply(&world, &incident), Err(ErrorName::Refused));
    let entries = run(world.store().timeline(&incident)).unwrap();
    assert!(entries.iter().any(|entry| entry.data["not_contained"].as_str().is_some_and(|why| why.contains("is used up"))));
}

#[test]
fn scenario_07_an_answer_that_came_at_the_deadline_costs_nothing_of_the_hours_budget() {
    let config = CONFIG.replace("mode = \"enforce\"", "mode = \"enforce\"\n[approval]\non_timeout = \"contain\"");
    let world = World::with(&format!("{config}\n[limits]\nenforcements_per_hour = 1"));
    let incident = asked(&world);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Deny), Answer::Accepted(Choice::Deny));
    assert!(matches!(expire(&world, &incident), WaitOutput::Denied { .. }));
    let other = "inc-00000000000000000001".parse().unwrap();
    let left = run(world.store().take_from_budget(&other, 1, cordon_flow::ports::Clock::now(&world.clock))).unwrap();
    assert_eq!(left, cordon_store::Budget::Taken);
}

#[test]
fn scenario_12_the_actor_decides_nothing_by_any_button_or_identity() {
    let world = with(
        "[approval.quorum]\nhigh = 2\n[[approval.groups]]\nname = \"Testers\"\nslack_user_group = \"S0TEST\"\nprincipals = [\"arn:aws:iam::111111111111:user/iam-test-*\"]\n",
    );
    world.heard.groups.lock().unwrap().insert("S0TEST".to_owned(), vec!["U0MEMBER".to_owned()]);
    let incident = asked(&world);
    let actor = format!("arn:aws:iam::{ACCOUNT}:user/iam-test-mallory");
    for voter in [Voter::Slack(ACTOR_AS_APPROVER), Voter::Slack("U0MEMBER"), Voter::Principal(&actor)] {
        for choice in [Choice::Approve, Choice::Deny, Choice::Looking] {
            assert!(matches!(say(&world, &incident, voter, choice, None), Answer::Refused(_)), "{voter:?} {choice:?}");
        }
    }
    assert!(world.stored(&incident).approval.votes.is_empty());
    assert_eq!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Counted { approved: 1, wanted: 2 });
    assert!(matches!(click(&world, &incident, ACTOR_AS_APPROVER, Choice::Approve), Answer::Refused(_)));
    assert!(completed(&world).is_empty());
    assert_eq!(click(&world, &incident, SECOND, Choice::Approve), Answer::Accepted(Choice::Approve));
    apply(&world, &incident).unwrap();
    close(&world, &incident, Outcome::Contained);
    let undo = run(world.ask_undo().run(&world.heard, &incident, Voter::Slack(ACTOR_AS_APPROVER), None)).unwrap();
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
    assert_eq!(world.stored(&incident).approval.votes.len(), 1);
    assert_eq!(world.timeline(&incident).iter().filter(|kind| *kind == "voted").count(), 1);
    // Whoever approved may still see a reason not to.
    assert_eq!(say(&world, &incident, Voter::Slack(APPROVER), Choice::Deny, Some("planned")), Answer::Accepted(Choice::Deny));
    assert_eq!(world.stored(&incident).approval.votes[0].reason.as_deref(), Some("planned"));
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
    let group = "[[approval.groups]]\nname = \"Security\"\nslack_user_group = \"S0SEC\"\nprincipals = [\"arn:aws:iam::111111111111:user/sec-*\"]\n";
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
    let extra = "[[approval.approvers]]\nname = \"Role A\"\nslack_user_id = \"U0ROLEA\"\nprincipals = [\"arn:aws:iam::111111111111:role/security\"]\n\
        [[approval.approvers]]\nname = \"Session B\"\nslack_user_id = \"U0ROLEB\"\nprincipals = [\"arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Team_*/ben@example.com\", \"arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Team_*/ada.ben\"]\n\
        [[approval.approvers]]\nname = \"Sso\"\nslack_user_id = \"U0SSO\"\nprincipals = [\"arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Own_*\", \"arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Team_0123/ada*\"]\n\
        [[approval.approvers]]\nname = \"Shared\"\nslack_user_id = \"U0SHARED\"\nprincipals = [\"arn:aws:iam::111111111111:role/shared\"]\n\
        [[approval.groups]]\nname = \"Team\"\nslack_user_group = \"S0TEAM\"\nprincipals = [\"arn:aws:iam::111111111111:role/shared\"]\n";
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
    check("arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Own_0123/ada@example.com", "");
    check("arn:aws:sts::222222222222:assumed-role/AWSReservedSSO_Own_0123/ada@example.com", "is no approver's");
    check("arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Owner_0123/ada@example.com", "is no approver's");
    check("arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Team_0123/ben@example.com", "");
    check("arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Team_0123/ada.ben", "fits several approvers (Session B, Sso)");
    check("arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Team_0123/eve@example.com", "is no approver's");
    check("arn:aws:sts::111111111111:assumed-role/Team/ben@example.com", "is no approver's");
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
