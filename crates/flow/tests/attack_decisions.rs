//! Attacks on what follows a decision: an undo by one person, a card that says nothing after a failure, an approval that a stop
//! swallows.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_cards::Message;
use cordon_contract::{ErrorName, NotifyInput, RemediateInput, RemediateOutput};
use cordon_core::{IncidentId, Outcome, Principal, PrincipalKind};
use cordon_flow::approver::Voter;
use cordon_flow::decide::Choice;
use cordon_flow::switch::Switch;
use cordon_flow::undo::{UndoAnswer, UndoVote};
use cordon_respond::IamErrorKind;
use cordon_testkit::{Failure, When, run, until_killed};
use support::asking::{SECOND, TWO, apply, asked, click, close, contained, remediate, verify};
use support::{ACTOR_AS_APPROVER, APPROVER, World};

fn fail(world: &World, incident: &IncidentId, execution: &str, state: &str) {
    let failure = NotifyInput::Failure {
        incident: Some(incident.clone()),
        event: None,
        execution: execution.to_owned(),
        state: state.to_owned(),
        error: "Lambda.Unknown".to_owned(),
        cause: "it died".to_owned(),
    };
    run(world.notify().run(failure)).unwrap();
}

fn text(message: &Message) -> String {
    serde_json::to_string(&message.blocks).unwrap()
}

/// The card as it stands now.
fn card(world: &World) -> String {
    text(world.heard.updates.lock().unwrap().last().expect("the card was never updated"))
}

#[test]
fn attack_24_the_card_of_a_failed_incident_tells_what_was_done_what_was_not_and_what_is_not_known_and_has_undo() {
    let world = World::new();
    let incident = asked(&world);
    click(&world, &incident, APPROVER, Choice::Approve);
    // The function dies in the second step, after its call was made.
    world.iam.faults().strike_action("iam:DetachUserPolicy", When::After, Failure::Killed);
    assert!(until_killed(world.remediate().run(RemediateInput::Apply { incident: incident.clone() })).is_none());
    world.iam.faults().clear();
    fail(&world, &incident, "execution-1", "Remediate");
    assert_eq!(world.stored(&incident).outcome, Some(Outcome::Failed));
    let card = card(&world);
    for said in
        ["Failed. A person must look now.", "1 made, 0 not made, 1 not known", "made, but not seen to hold", "❔", "cordon_undo"]
    {
        assert!(card.contains(said), "{said}: {card}");
    }
    assert!(!card.contains("the outcome follows here") && !card.contains("cordon_approve"), "{card}");

    let before = world.iam.state();
    assert_eq!(run(world.ask_undo().run(&world.heard, &incident, Voter::Slack(APPROVER), None)).unwrap(), UndoAnswer::Started);
    assert_eq!(remediate(&world, RemediateInput::Undo { incident: incident.clone() }), Ok(RemediateOutput::Undone));
    assert_ne!(world.iam.state(), before);
    assert!(world.iam.entity(&support::asking::mallory()).unwrap().inline.is_empty(), "the deny is gone");
}

#[test]
fn attack_24_a_failure_before_anything_was_done_says_so_and_offers_no_undo() {
    let world = World::new();
    let incident = asked(&world);
    click(&world, &incident, APPROVER, Choice::Approve);
    fail(&world, &incident, "execution-1", "Remediate");
    let card = card(&world);
    assert!(card.contains("0 made, 2 not made, 0 not known") && card.contains("by hand"), "{card}");
    assert!(!card.contains("cordon_undo"), "{card}");
    fail(&world, &incident, "execution-1", "Remediate");
    let failures = world.timeline(&incident).iter().filter(|kind| *kind == "failure").count();
    assert_eq!(failures, 1, "a retry tells it once");
}

#[test]
fn attack_24_a_failure_after_the_end_shows_the_end_and_keeps_it() {
    let world = World::new();
    let incident = contained(&world);
    world.heard.updates.lock().unwrap().clear();
    fail(&world, &incident, "execution-1", "CloseContained");
    assert_eq!(world.stored(&incident).outcome, Some(Outcome::Contained));
    assert!(card(&world).contains("*Contained. What this") && card(&world).contains("cordon_undo"));
    assert!(world.timeline(&incident).contains(&"failure".to_owned()));
}

#[test]
fn attack_24_an_undo_that_failed_stands_on_the_timeline_and_can_be_asked_for_again_at_once() {
    let world = World::new();
    let incident = contained(&world);
    let ask = || run(world.ask_undo().run(&world.heard, &incident, Voter::Slack(APPROVER), None)).unwrap();
    assert_eq!(ask(), UndoAnswer::Started);
    world.iam.faults().strike_action("iam:DeleteUserPolicy", When::Before, Failure::Error(IamErrorKind::Transient));
    assert!(remediate(&world, RemediateInput::Undo { incident: incident.clone() }).is_err());
    fail(&world, &incident, "execution-of-the-undo", "Undo");
    world.iam.faults().clear();
    assert!(world.timeline(&incident).contains(&"failure".to_owned()));
    assert_eq!(ask(), UndoAnswer::Started);
    assert_eq!(world.heard.started.lock().unwrap().len(), 2, "a second execution");
    assert_eq!(remediate(&world, RemediateInput::Undo { incident: incident.clone() }), Ok(RemediateOutput::Undone));
}

#[test]
fn attack_24_where_no_card_stands_the_failure_of_a_change_posts_one() {
    let world = World::new();
    *world.heard.slack_is_down.lock().unwrap() = true;
    let incident = asked(&world);
    *world.heard.slack_is_down.lock().unwrap() = false;
    click(&world, &incident, APPROVER, Choice::Approve);
    apply(&world, &incident).unwrap();
    fail(&world, &incident, "execution-1", "Verify");
    let posts = world.heard.posts.lock().unwrap();
    assert!(posts.iter().any(|post| text(post).contains("cordon_undo")), "{posts:?}");
    assert!(world.stored(&incident).thread().is_some());
}

/// Contained with the approvals of two.
fn contained_by_two(config: &str) -> (World, IncidentId) {
    let world = support::asking::with(config);
    let incident = asked(&world);
    for user in [APPROVER, SECOND] {
        click(&world, &incident, user, Choice::Approve);
    }
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
    close(&world, &incident, Outcome::Contained);
    (world, incident)
}

fn wish(world: &World, incident: &IncidentId, user: &str) -> UndoAnswer {
    run(world.ask_undo().run(&world.heard, incident, Voter::Slack(user), Some("it was planned"))).unwrap()
}

fn undo(world: &World, incident: &IncidentId) -> Result<RemediateOutput, ErrorName> {
    remediate(world, RemediateInput::Undo { incident: incident.clone() })
}

#[test]
fn attack_16_one_approver_cannot_undo_what_two_approved_and_the_second_one_can() {
    let (world, incident) = contained_by_two(TWO);
    let held = world.iam.state();
    for _ in 0..3 {
        let answer = wish(&world, &incident, APPROVER);
        assert!(matches!(&answer, UndoAnswer::Counted { so_far: 1, wanted: 2, others } if others.len() == 1), "{answer:?}");
        assert!(answer.sentence().contains("Second"), "says who else is wanted: {}", answer.sentence());
    }
    assert_eq!(world.heard.started.lock().unwrap().len(), 0, "no execution");
    assert_eq!(undo(&world, &incident), Err(ErrorName::Refused), "an execution that somebody starts undoes nothing");
    assert_eq!(world.iam.state(), held);
    // The actor is an approver too, and counts for nothing here.
    assert!(matches!(wish(&world, &incident, ACTOR_AS_APPROVER), UndoAnswer::No(_)));

    assert_eq!(wish(&world, &incident, SECOND), UndoAnswer::Started);
    assert_eq!(undo(&world, &incident), Ok(RemediateOutput::Undone));
    let kinds = world.timeline(&incident);
    assert_eq!(kinds.iter().filter(|kind| *kind == "undo_requested").count(), 1);
    assert!(world.stored(&incident).approval.undo_votes.is_none());
}

#[test]
fn attack_16_a_change_without_a_question_takes_the_quorum_of_its_severity_to_be_undone() {
    let world = support::asking::with(&format!("{TWO}\n[gates]\nauto = [\"admin-attached\"]\n"));
    let (incident, _) = world.checked(support::attach("e"));
    apply(&world, &incident).unwrap();
    verify(&world, &incident).unwrap();
    close(&world, &incident, Outcome::Contained);
    assert!(matches!(wish(&world, &incident, APPROVER), UndoAnswer::Counted { so_far: 1, wanted: 2, .. }));
}

#[test]
fn attack_16_a_wish_of_yesterday_counts_no_more_and_one_for_a_single_step_is_another() {
    let (world, incident) = contained_by_two(TWO);
    wish(&world, &incident, APPROVER);
    world.clock.pass(24 * 3_600);
    assert!(matches!(wish(&world, &incident, SECOND), UndoAnswer::Counted { so_far: 1, .. }));
    let step = run(world.ask_undo().vote(&incident, Voter::Slack(APPROVER), None, Some(1))).unwrap();
    assert!(matches!(step, UndoVote::Counted { so_far: 1, .. }), "{step:?}");
    assert!(matches!(wish(&world, &incident, SECOND), UndoAnswer::Counted { so_far: 1, .. }));
}

#[test]
fn attack_16_a_request_that_names_too_few_is_refused_when_it_is_carried_out() {
    let (world, incident) = contained_by_two(TWO);
    wish(&world, &incident, APPROVER);
    let forged = run(world.store().undo_request(&incident)).unwrap().unwrap();
    let forged = cordon_store::UndoRequest { state: cordon_store::UndoState::Requested, version: forged.version + 1, ..forged };
    run(world.store().write_undo(&incident, &forged)).unwrap();
    assert_eq!(undo(&world, &incident), Err(ErrorName::Refused));
}

#[test]
fn attack_16_the_command_line_takes_the_same_quorum_and_nobody_who_is_not_listed() {
    let (world, incident) = contained_by_two(TWO);
    let vote = |arn: &str, step| run(world.ask_undo().vote(&incident, Voter::Principal(arn), None, step)).unwrap();
    assert!(matches!(vote("arn:aws:iam::111111111111:user/nobody", None), UndoVote::No(_)));
    assert!(matches!(vote("arn:aws:iam::111111111111:user/approver", Some(1)), UndoVote::Counted { so_far: 1, .. }));
    assert!(matches!(vote("arn:aws:iam::111111111111:user/approver", Some(1)), UndoVote::Counted { so_far: 1, .. }));
    let UndoVote::Enough(request) = vote("arn:aws:iam::111111111111:user/second", Some(1)) else { panic!("not enough") };
    let own = cordon_flow::undo::Undo { store: world.store(), accounts: &world.accounts, clock: &world.clock };
    assert_eq!(run(own.carry_out(&incident, request)).unwrap().steps.len(), 1, "only that step");
    // A wish on the command line reaches Slack by an execution of its own.
    vote("arn:aws:iam::111111111111:user/approver", None);
    run(cordon_flow::voted::show_wish_on_card(world.store(), &world.heard, &incident)).unwrap();
    assert_eq!(world.heard.started.lock().unwrap()[0].1["cordon"], "voted");
    run(world.notify().run(NotifyInput::Voted { incident: incident.clone() })).unwrap();
    assert!(card(&world).contains("1 of 2 approvers want it"), "{}", card(&world));
    let replies = world.heard.replies.lock().unwrap();
    assert!(text(&replies.last().unwrap().1).contains("<@U0SECOND>"), "{replies:?}");
}

#[test]
fn attack_16_where_the_policy_says_so_one_person_undoes() {
    let (world, incident) = contained_by_two(&format!("{TWO}[approval]\nundo_by_one = true\n"));
    assert_eq!(wish(&world, &incident, SECOND), UndoAnswer::Started);
    assert_eq!(undo(&world, &incident), Ok(RemediateOutput::Undone));
}

const ADA: &str = "arn:aws:sts::111111111111:assumed-role/on-call/ada";

fn turn(world: &World, stop: bool) {
    let name = "cordon-remediate";
    if stop {
        world.iam.add_role(name);
    }
    let role = Principal::new(PrincipalKind::Role, support::ACCOUNT.parse().unwrap(), name);
    let switch = Switch { store: world.store(), iam: &world.iam, role, clock: &world.clock };
    if stop {
        run(switch.stop(ADA, "it stops the pipeline")).unwrap();
    } else {
        run(switch.resume(ADA, "mended")).unwrap();
    }
}

fn notify(world: &World, input: NotifyInput) {
    run(world.notify().run(input)).unwrap();
}

/// Whether the attacker's policy is still attached.
fn is_administrator(world: &World) -> bool {
    !world.iam.entity(&support::asking::mallory()).unwrap().attached.is_empty()
}

#[test]
fn attack_26_an_approval_while_enforcement_is_stopped_is_carried_out_after_the_resume() {
    let world = World::new();
    turn(&world, true);
    let incident = asked(&world);
    let posted = text(world.heard.posts.lock().unwrap().last().unwrap());
    assert!(
        posted.contains("Enforcement is stopped: nothing would be done now") && posted.contains("it stops the pipeline"),
        "{posted}"
    );
    assert!(posted.contains("after `cordon resume`"), "the dialog before the click says it too: {posted}");
    click(&world, &incident, APPROVER, Choice::Approve);

    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Stopped { wait_seconds: 60 }));
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Stopped { wait_seconds: 60 }));
    notify(&world, NotifyInput::Held { incident: incident.clone() });
    assert!(card(&world).contains("Enforcement is stopped, so 2 calls wait for `cordon resume`"), "{}", card(&world));
    assert_eq!(world.heard.alerts.lock().unwrap().last().unwrap().body["message"], "held");
    for _ in 0..3 {
        world.clock.pass(60);
        assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Held { wait_seconds: 60 }), "told once, and held on");
    }
    assert!(is_administrator(&world) && world.stored(&incident).outcome.is_none());
    assert_eq!(world.timeline(&incident).iter().filter(|kind| *kind == "held").count(), 1);

    turn(&world, false);
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Resumed));
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
    assert!(!is_administrator(&world));
}

#[test]
fn attack_26_a_stop_between_the_change_and_its_second_read_waits_for_the_resume_too() {
    let world = World::new();
    let incident = asked(&world);
    click(&world, &incident, APPROVER, Choice::Approve);
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    turn(&world, true);
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Stopped { wait_seconds: 60 }));
    turn(&world, false);
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Resumed));
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
}

#[test]
fn attack_26_an_automatic_change_and_one_that_nobody_answered_are_held_too_but_no_question_is() {
    let auto = support::asking::with("[gates]\nauto = [\"admin-attached\"]\n");
    let (incident, _) = auto.checked(support::attach("e"));
    turn(&auto, true);
    assert_eq!(apply(&auto, &incident), Ok(RemediateOutput::Stopped { wait_seconds: 60 }));

    let expired = support::asking::with("[approval]\non_timeout = \"contain\"\n");
    let incident = asked(&expired);
    support::asking::expire(&expired, &incident);
    turn(&expired, true);
    assert_eq!(apply(&expired, &incident), Ok(RemediateOutput::Stopped { wait_seconds: 60 }));
    turn(&expired, false);
    assert_eq!(verify(&expired, &incident), Ok(RemediateOutput::Resumed));
    assert_eq!(apply(&expired, &incident), Ok(RemediateOutput::Applied));

    // What would go ahead of its question is not done, and the question is put all the same.
    let ahead = support::asking::with(support::asking::AHEAD);
    let (incident, _) = ahead.checked(support::attach("e"));
    turn(&ahead, true);
    assert_eq!(apply(&ahead, &incident), Ok(RemediateOutput::Partial));
    assert_eq!(verify(&ahead, &incident), Ok(RemediateOutput::Partial));
}

#[test]
fn attack_26_a_stop_of_more_than_a_month_ends_as_partial_and_says_so() {
    let world = World::new();
    let incident = asked(&world);
    turn(&world, true);
    click(&world, &incident, APPROVER, Choice::Approve);
    apply(&world, &incident).unwrap();
    world.clock.pass(2 * 3_600);
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Stopped { wait_seconds: 300 }));
    world.clock.pass(31 * 24 * 3_600);
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Partial));
    close(&world, &incident, Outcome::Partial);
    let card = card(&world);
    assert!(card.contains("Partial: not contained") && card.contains("not made"), "{card}");
    let entry = run(world.store().timeline(&incident))
        .unwrap()
        .into_iter()
        .find(|entry| entry.data.to_string().contains("cordon resume"));
    assert!(entry.is_some());
}

#[test]
fn attack_26_a_card_that_stands_when_enforcement_is_stopped_says_so_before_the_click_and_no_more_after_the_resume() {
    let world = World::new();
    let incident = asked(&world);
    let at = cordon_flow::ports::Clock::now(&world.clock);
    turn(&world, true);
    run(cordon_flow::voted::show_switch_on_card(&world.heard, &incident, at)).unwrap();
    assert_eq!(world.heard.started.lock().unwrap()[0].1["cordon"], "voted");
    notify(&world, NotifyInput::Voted { incident: incident.clone() });
    assert!(card(&world).contains("nothing would be done now") && card(&world).contains("cordon_approve"));
    turn(&world, false);
    notify(&world, NotifyInput::Voted { incident });
    assert!(!card(&world).contains("nothing would be done now") && card(&world).contains("cordon_approve"));
}
