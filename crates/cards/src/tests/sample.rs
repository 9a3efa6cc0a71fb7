//! The incidents that the tests make cards of: the sandbox's story, and one whose every free text is an attacker's.

use cordon_core::detection::Detection;
use cordon_core::event::Origin;
use cordon_core::incident::{EventFacts, Found, Looking, MergedCalls, MergedEvent, ShownVote};
use cordon_core::{
    Actor, ActorKind, Ballot, BlastRadius, Call, Decision, Incident, Level, Outcome, PlannedStep, Principal, PrincipalKind,
    Purpose, Question, RemedyKind, Route, Stays, Subject, Target, Vote,
};
use cordon_respond::runner::StepState;
use jiff::Timestamp;

use crate::card::Card;
use crate::ending::{Ahead, Ending, Tried};
use crate::links::Links;
use crate::people::Decider;

pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const MALLORY: &str = "arn:aws:iam::111122223333:user/iam-test-mallory";
pub(super) const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

pub(super) fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

pub(super) fn call(text: &str) -> Call {
    Call::new(text, [])
}

/// A step with these calls, which these take back.
pub(super) fn step(calls: &[&str], undo: &[&str]) -> PlannedStep {
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
        unknown_before: None,
        undo_note: None,
        judged: Vec::new(),
    }
}

pub(super) fn rule(title: &str, author: &str, description: &str) -> Detection {
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

pub(super) fn reach(unknown: &[&str]) -> BlastRadius {
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
pub(super) fn incident() -> Incident {
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
            distrust: None,
            name: "AttachUserPolicy".into(),
            service: "iam.amazonaws.com".into(),
            region: Some("us-east-1".into()),
            time: Some(at("2026-01-02T03:04:05Z")),
            source_ip: Some("203.0.113.7".into()),
            user_agent: Some("aws-cli/2.15.0 Python/3.11".into()),
            policy_arn: Some(ADMINISTRATOR.into()),
            error_code: None,
            effect: None,
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
    incident.assessment.stays = vec![
        Stays::Open {
            remedy: RemedyKind::DetachPolicy,
            on: "arn:aws:iam::111122223333:user/iam-test-mallory".into(),
            what: "leaves its other rights, and what was done with these meanwhile.".into(),
        },
        Stays::Open {
            remedy: RemedyKind::DenyIam,
            on: "arn:aws:iam::111122223333:user/iam-test-mallory".into(),
            what: "leaves all that it may do outside IAM.".into(),
        },
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
pub(super) fn dry_run(mut incident: Incident) -> Incident {
    incident.assessment.decision.as_mut().unwrap().dry_run = true;
    incident
}

pub(super) fn ahead(mut incident: Incident) -> Incident {
    incident.assessment.decision.as_mut().unwrap().route = Route::ContainThenAsk;
    incident
}

/// With an execution of a short name, so that a snapshot of it stays readable.
pub(super) fn card(incident: &Incident) -> Card<'_> {
    let address = "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/x";
    Card { incident, links: Links { execution: Some(address.into()), ..Links::of(incident) } }
}

pub(super) fn ballot(by: &str, name: &str) -> Ballot {
    Ballot { person: by.into(), name: name.into(), by: by.into(), at: at("2026-01-02T03:05:14Z"), reason: None }
}

pub(super) fn looking(by: &str, name: &str) -> Looking {
    Looking { by: by.into(), name: name.into(), at: at("2026-01-02T03:05:14Z") }
}

pub(super) fn dana() -> Ballot {
    ballot("U0APPROVER", "dana")
}

pub(super) fn question(quorum: u32, ballots: &[Ballot]) -> Question<'_> {
    let deadline = at("2026-01-02T03:19:05Z");
    Question { vote: Vote::Waiting, deadline, quorum, ballots, by: None, on_timeout: Default::default(), stopped: None }
}

pub(super) const APPROVER: Decider<'_> = Decider::Person { by: "U0APPROVER", name: Some("dana") };

/// The incident as it is after an approval.
pub(super) fn decided_incident(outcome: Outcome) -> Incident {
    let mut incident = incident();
    incident.approval.asked_at = Some(at("2026-01-02T03:04:09.400Z"));
    incident.approval.decided_at = Some(at("2026-01-02T03:05:14Z"));
    incident.contained_at = Some(at("2026-01-02T03:05:18Z")).filter(|_| outcome == Outcome::Contained);
    incident
}

/// The end of an incident: each call of the plan with the state at its place, or with the first.
pub(super) fn ending<'a>(incident: &'a Incident, outcome: Outcome, states: &'a [StepState]) -> Ending<'a> {
    let calls = incident.assessment.plan.steps.iter().flat_map(|step| step.calls.iter().map(move |call| (step, call)));
    let tried = calls.zip(0..).map(|((step, call), n)| Tried { step, call, state: states.get(n).or(states.first()), kept: &[] });
    Ending {
        outcome,
        decided_by: Some(APPROVER),
        tried: tried.collect(),
        undoable: outcome == Outcome::Contained,
        ahead: Ahead::Nothing,
        note: None,
    }
}

pub(super) const OUTCOMES: [Outcome; 8] = [
    Outcome::Exempt,
    Outcome::Alerted,
    Outcome::Denied,
    Outcome::Expired,
    Outcome::Contained,
    Outcome::Partial,
    Outcome::Failed,
    Outcome::NeedsPerson,
];

/// An incident all of whose free texts are the given one. Ids and accounts are checked where they are decoded.
pub(super) fn hostile_incident(text: &str) -> Incident {
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
    let calls = MergedCalls {
        name: text.clone(),
        count: 7,
        first: Some(at("2026-01-02T03:04:05Z")),
        last: Some(at("2026-01-02T03:14:05Z")),
    };
    incident.merges.merged_calls = vec![calls; MergedCalls::NAMES_MAX];
    let effect = Stays::Effect { event: text.clone(), on: Some(text.clone()) };
    let open = Stays::Open { remedy: RemedyKind::DenyIam, on: text.clone(), what: text.clone() };
    incident.assessment.stays = [effect, open].into_iter().cycle().take(12).collect();
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
