//! Attacks on the functions that make calls in other accounts by a role of their own: whoever can call them, and even whoever has the
//! function that calls them, gets no more than a stored plan and a recorded decision allow.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cordon_contract::{RemediateInput, RemediateOutput};
use cordon_core::{AccountId, Call, IncidentId, Outcome, Principal, PrincipalKind};
use cordon_flow::Accounts;
use cordon_flow::approver::Voter;
use cordon_flow::decide::Choice;
use cordon_flow::make_call::{MakeCall, MakeCallInput, MakeCallOutput, Powers};
use cordon_flow::remediate::Remediate;
use cordon_flow::undo::UndoAnswer;
use cordon_respond::divided::{Divided, Hands, perform};
use cordon_respond::powers::Power;
use cordon_respond::{Account, IamError, IamErrorKind, call, deny};
use cordon_testkit::{FakeIam, run};
use support::asking::*;
use support::{ACCOUNT, ADMIN_POLICY, APPROVER, World, attach};

/// Sessions in the fake account, noted by their role.
struct Opened {
    iam: FakeIam,
    by: Mutex<Vec<(Power, String)>>,
}

#[async_trait]
impl Powers for Opened {
    async fn open(&self, power: Power, _: &AccountId, _: &IncidentId, call: &Call) -> Result<Arc<dyn Account>, IamError> {
        self.by.lock().unwrap().push((power, call.action.clone()));
        Ok(Arc::new(self.iam.clone()))
    }
}

fn opened(world: &World) -> Opened {
    Opened { iam: world.iam.clone(), by: Mutex::default() }
}

fn asked(world: &World, power: Power, powers: &dyn Powers, incident: &IncidentId, call: Call) -> MakeCallOutput {
    let make_call = MakeCall { store: world.store(), config: &world.config, power, powers, clock: &world.clock };
    run(make_call.run(MakeCallInput { incident: incident.clone(), call })).unwrap()
}

fn refused(world: &World, power: Power, incident: &IncidentId, call: Call, says: &str) {
    let powers = opened(world);
    let MakeCallOutput::Refused { kind, message } = asked(world, power, &powers, incident, call.clone()) else {
        panic!("made: {call}")
    };
    assert_eq!(kind, IamErrorKind::AccessDenied);
    assert!(message.contains(says), "{call}: {message}");
    assert!(powers.by.lock().unwrap().is_empty(), "no session is opened for {call}");
}

fn announce(world: &World, call: &Call) {
    run(world.store().announce(Some(&ACCOUNT.parse().unwrap()), std::slice::from_ref(call), clock(world))).unwrap();
}

fn clock(world: &World) -> jiff::Timestamp {
    use cordon_flow::ports::Clock as _;
    world.clock.now()
}

fn mallory() -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory")
}

/// An incident that waits for its decision.
fn waiting(world: &World) -> IncidentId {
    let (incident, _) = world.checked(attach("e-1"));
    ask(world, &incident, "token", false);
    incident
}

#[test]
fn attack_powers_a_call_that_no_stored_plan_has_announced_is_not_made() {
    let world = World::new();
    let incident = waiting(&world);
    let deny = call::put_inline_policy(&mallory(), "CordonDenyIam-x", deny::DOCUMENT);
    refused(&world, Power::Documents, &incident, deny.clone(), "announced");
    announce(&world, &deny);
    // Another document under the same name, and another account's incident, are other calls.
    let other = call::put_inline_policy(&mallory(), "CordonDenyIam-x", deny::ALL_DOCUMENT);
    refused(&world, Power::Documents, &incident, other, "announced");
    world.clock.pass(7_200);
    refused(&world, Power::Documents, &incident, deny, "announced");
}

#[test]
fn attack_powers_a_document_that_allows_something_is_not_written_even_if_it_was_announced() {
    let world = World::new();
    let incident = waiting(&world);
    for document in [
        r#"{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"},{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
        r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#,
        r#"{"Statement":[]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}],"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}]}"#,
        r#"{"Statement":[{"Action":"*","Resource":"*"}]}"#,
        "Deny",
    ] {
        let put = call::put_inline_policy(&mallory(), "CordonDenyAll-x", document);
        announce(&world, &put);
        refused(&world, Power::Documents, &incident, put, "no Deny");
    }
}

#[test]
fn every_deny_of_cordons_own_is_one_that_only_denies() {
    let sessions = deny::sessions_document("2026-01-02T03:04:05Z".parse().unwrap());
    for document in [deny::DOCUMENT, deny::ALL_DOCUMENT, deny::CONSOLE_DOCUMENT, &sessions] {
        assert!(deny::denies_only(document), "{document}");
    }
}

#[test]
fn attack_powers_each_function_makes_its_own_calls_alone() {
    let world = World::new();
    let incident = waiting(&world);
    let detach = call::detach_policy(&mallory(), ADMIN_POLICY);
    let attach = call::attach_policy(&mallory(), ADMIN_POLICY);
    let mine = call::put_inline_policy(&mallory(), "mine", r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#);
    let off = call::set_access_key("iam-test-mallory", "AKIAIOSFODNN7EXAMPLE", false);
    for call in [&detach, &attach, &mine, &off] {
        announce(&world, call);
        refused(&world, Power::Documents, &incident, call.clone(), "no such call");
    }
    refused(&world, Power::Restoration, &incident, off.clone(), "no such call");
    refused(&world, Power::Containment, &incident, off, "for documents or for restoration");
}

#[test]
fn attack_powers_nothing_is_given_back_before_somebody_has_decided_it() {
    let world = World::new();
    let incident = waiting(&world);
    let back = call::attach_policy(&mallory(), ADMIN_POLICY);
    announce(&world, &back);
    refused(&world, Power::Restoration, &incident, back.clone(), "nobody has decided");
    click(&world, &incident, APPROVER, Choice::Approve);
    let powers = opened(&world);
    assert_eq!(asked(&world, Power::Restoration, &powers, &incident, back), MakeCallOutput::Made);
    assert_eq!(*powers.by.lock().unwrap(), [(Power::Restoration, "iam:AttachUserPolicy".to_owned())]);
}

#[test]
fn attack_powers_a_denial_of_what_was_only_asked_gives_nothing_back() {
    let world = World::new();
    let incident = waiting(&world);
    let back = call::attach_policy(&mallory(), ADMIN_POLICY);
    announce(&world, &back);
    say(&world, &incident, Voter::Slack(APPROVER), Choice::Deny, Some("it is fine"));
    refused(&world, Power::Restoration, &incident, back, "nobody has decided");
}

#[test]
fn a_denial_takes_back_what_went_ahead_of_the_question() {
    let world = with(AHEAD);
    let incident = waiting(&world);
    apply(&world, &incident).unwrap();
    let back = call::delete_inline_policy(&mallory(), &deny::policy_name(&incident));
    announce(&world, &back);
    refused(&world, Power::Restoration, &incident, back.clone(), "nobody has decided");
    click(&world, &incident, APPROVER, Choice::Deny);
    assert_eq!(asked(&world, Power::Restoration, &opened(&world), &incident, back), MakeCallOutput::Made);
}

#[test]
fn attack_powers_a_wish_to_undo_that_too_few_have_gives_nothing_back() {
    let config = format!("{}\n{AHEAD}\n{TWO}", support::CONFIG);
    let config = config.replacen("mode = \"enforce\"", "mode = \"enforce\"\napproval.on_timeout = \"hold-containment\"", 1);
    let world = World::with(&config);
    let incident = waiting(&world);
    apply(&world, &incident).unwrap();
    expire(&world, &incident);
    close(&world, &incident, Outcome::Expired);
    let back = call::delete_inline_policy(&mallory(), &deny::policy_name(&incident));
    announce(&world, &back);
    let wish =
        |user: &str| run(world.ask_undo().run(&world.heard, &incident, Voter::Slack(user), Some("it was planned"))).unwrap();
    assert!(matches!(wish(APPROVER), UndoAnswer::Counted { so_far: 1, wanted: 2, .. }));
    refused(&world, Power::Restoration, &incident, back.clone(), "nobody has decided");
    assert_eq!(wish(SECOND), UndoAnswer::Started);
    assert_eq!(asked(&world, Power::Restoration, &opened(&world), &incident, back), MakeCallOutput::Made);
}

#[test]
fn attack_powers_neither_a_dry_run_nor_a_stopped_deployment_writes() {
    let world = World::new();
    let incident = waiting(&world);
    let deny = call::put_inline_policy(&mallory(), "CordonDenyIam-x", deny::DOCUMENT);
    announce(&world, &deny);
    let role = world.iam.add_role("cordon-remediate");
    let switch = cordon_flow::switch::Switch { store: world.store(), iam: &world.iam, role, clock: &world.clock };
    run(switch.stop("arn:aws:iam::111111111111:user/lead", "a drill")).unwrap();
    refused(&world, Power::Documents, &incident, deny.clone(), "stopped");
    let dry = World::with(&support::CONFIG.replace("mode = \"enforce\"", "mode = \"dry-run\""));
    let (incident, _) = dry.checked(attach("e-1"));
    announce(&dry, &deny);
    refused(&dry, Power::Documents, &incident, deny, "dry-run");
}

/// An account in which every call goes the way that it goes in an organisation.
struct Spoke<'a> {
    world: &'a World,
    opened: Arc<Opened>,
}

/// The hub's hands, without a network between them.
struct Direct {
    opened: Arc<Opened>,
    table: Arc<support::MemoryTable>,
    config: cordon_core::Config,
    now: jiff::Timestamp,
    account: AccountId,
    incident: IncidentId,
}

struct At(jiff::Timestamp);

impl cordon_flow::ports::Clock for At {
    fn now(&self) -> jiff::Timestamp {
        self.0
    }
}

#[async_trait]
impl Hands for Direct {
    async fn make(&self, power: Power, call: &Call) -> Result<(), IamError> {
        if power == Power::Containment {
            let iam = self.opened.open(power, &self.account, &self.incident, call).await?;
            return perform(&*iam, &self.account, call).await;
        }
        let store = cordon_store::Store::new(&*self.table);
        let clock = At(self.now);
        let make_call = MakeCall { store, config: &self.config, power, powers: &*self.opened, clock: &clock };
        let input = MakeCallInput { incident: self.incident.clone(), call: call.clone() };
        match make_call.run(input).await.unwrap() {
            MakeCallOutput::Made => Ok(()),
            MakeCallOutput::Refused { kind, message } => Err(IamError::new(kind, &call.action, &message)),
        }
    }
}

#[async_trait]
impl Accounts for Spoke<'_> {
    async fn iam(&self, account: &AccountId, incident: &IncidentId) -> Result<Arc<dyn Account>, IamError> {
        let hands = Direct {
            opened: Arc::clone(&self.opened),
            table: Arc::clone(&self.world.table),
            config: self.world.config.clone(),
            now: clock(self.world),
            account: account.clone(),
            incident: incident.clone(),
        };
        Ok(Arc::new(Divided { reader: Arc::new(self.world.iam.clone()), hands: Arc::new(hands) }))
    }
}

#[test]
fn a_whole_plan_is_carried_out_and_undone_by_the_role_for_each_call() {
    let world = World::new();
    let spoke = Spoke { world: &world, opened: Arc::new(opened(&world)) };
    let incident = waiting(&world);
    click(&world, &incident, APPROVER, Choice::Approve);
    let remediate = || Remediate { accounts: &spoke, ..world.remediate() };
    assert_eq!(run(remediate().run(RemediateInput::Apply { incident: incident.clone() })).unwrap(), RemediateOutput::Applied);
    assert_eq!(run(remediate().run(RemediateInput::Verify { incident: incident.clone() })).unwrap(), RemediateOutput::Contained);
    let made = std::mem::take(&mut *spoke.opened.by.lock().unwrap());
    assert_eq!(
        made,
        [(Power::Documents, "iam:PutUserPolicy".to_owned()), (Power::Restoration, "iam:DetachUserPolicy".to_owned())]
    );
    let undo = cordon_flow::undo::Undo { store: world.store(), accounts: &spoke, clock: &world.clock };
    assert!(run(undo.run(&incident, "somebody", None, false)).unwrap().complete);
    let made = std::mem::take(&mut *spoke.opened.by.lock().unwrap());
    assert_eq!(
        made,
        [(Power::Restoration, "iam:AttachUserPolicy".to_owned()), (Power::Restoration, "iam:DeleteUserPolicy".to_owned())]
    );
}
