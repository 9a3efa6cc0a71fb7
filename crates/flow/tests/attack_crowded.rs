//! Many events of one case at once: none is lost, nothing that decides waits for them, and the last costs what the first did.
//!
//! Time is counted in steps and calls of a simulated table, with DynamoDB's conflicts; nothing here depends on speed.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput, ErrorName, NotifyInput, WaitInput};
use cordon_core::incident::State;
use cordon_core::{Cause, Incident, IncidentId, Route};
use cordon_flow::check::Check;
use cordon_flow::classify::{Classify, Rules};
use cordon_flow::notify::Notify;
use cordon_flow::wait::Wait;
use cordon_store::Store;
use cordon_testkit::{BusyTable, Usage, run, run_together};
use serde_json::{Value, json};
use support::{World, attach};

/// As often as the state machine tries a state at the least.
const STATE_TRIES: usize = 5;

/// Executions over one busy table.
struct Crowd<'a> {
    world: &'a World,
    table: &'a BusyTable,
    rules: &'a dyn Rules,
    opened: RefCell<Vec<IncidentId>>,
    merged: Cell<usize>,
    duplicates: Cell<usize>,
    ignored: Cell<usize>,
    asked: Cell<usize>,
    failed: RefCell<Vec<String>>,
    ended: Cell<usize>,
    /// How many executions had ended when the last question stood.
    ended_when_asked: Cell<usize>,
}

impl<'a> Crowd<'a> {
    fn new(world: &'a World, table: &'a BusyTable) -> Self {
        Self {
            world,
            table,
            rules: &support::FakeRules,
            opened: RefCell::default(),
            merged: Cell::new(0),
            duplicates: Cell::new(0),
            ignored: Cell::new(0),
            asked: Cell::new(0),
            failed: RefCell::default(),
            ended: Cell::new(0),
            ended_when_asked: Cell::new(0),
        }
    }

    fn store(&self) -> Store<'_> {
        Store::new(self.table)
    }

    async fn state<T, F: Future<Output = Result<T, cordon_contract::StateError>>>(&self, state: impl Fn() -> F) -> Option<T> {
        for _ in 0..STATE_TRIES {
            match state().await {
                Ok(answer) => return Some(answer),
                Err(error) if error.name == ErrorName::Transient => {}
                Err(error) => {
                    self.failed.borrow_mut().push(error.to_string());
                    return None;
                }
            }
        }
        self.failed.borrow_mut().push("given up".to_owned());
        None
    }

    /// One execution, as far as its question.
    async fn execution(&self, event: Value, execution: String) {
        let classify = Classify { store: self.store(), rules: self.rules, ..self.world.classify() };
        let input = ClassifyInput { event, execution };
        match self.state(|| classify.run(input.clone())).await {
            Some(ClassifyOutput::Opened { incident }) => {
                self.opened.borrow_mut().push(incident.clone());
                self.question(&incident).await;
            }
            Some(ClassifyOutput::Merged { incident }) => {
                self.merged.set(self.merged.get() + 1);
                let notify = Notify { store: self.store(), ..self.world.notify() };
                self.state(|| notify.run(NotifyInput::Merged { incident: incident.clone() })).await;
            }
            Some(ClassifyOutput::Duplicate { .. }) => self.duplicates.set(self.duplicates.get() + 1),
            Some(ClassifyOutput::Ignored) => self.ignored.set(self.ignored.get() + 1),
            Some(other) => panic!("{other:?}"),
            None => {}
        }
        self.ended.set(self.ended.get() + 1);
    }

    async fn question(&self, incident: &IncidentId) {
        let check = Check { store: self.store(), ..self.world.check() };
        let Some(output) = self.state(|| check.run(CheckInput { incident: incident.clone() })).await else { return };
        if output.route != Route::Ask {
            return;
        }
        let notify = Notify { store: self.store(), ..self.world.notify() };
        self.state(|| notify.run(NotifyInput::Asked { incident: incident.clone() })).await;
        let wait = Wait { store: self.store(), ..self.world.wait() };
        let ask = || WaitInput::Ask {
            incident: incident.clone(),
            task_token: format!("t-{incident}"),
            timeout_seconds: 600,
            last: true,
        };
        self.state(|| wait.run(ask())).await;
        self.asked.set(self.asked.get() + 1);
        self.ended_when_asked.set(self.ended.get());
    }

    fn run(&self, events: Vec<(Value, String)>, at_once: usize) -> u64 {
        let futures = events
            .into_iter()
            .map(|(event, execution)| Box::pin(self.execution(event, execution)) as Pin<Box<dyn Future<Output = ()> + '_>>)
            .collect();
        run_together(futures, at_once, 1_000_000)
    }
}

fn events(n: usize) -> Vec<(Value, String)> {
    (0..n).map(|n| (attach(&format!("e{n:04}")), format!("x{n:04}"))).collect()
}

fn without_a_crowd() -> u64 {
    let world = World::new();
    let table = BusyTable::new(Arc::clone(&world.table), 1);
    Crowd::new(&world, &table).run(events(1), 1)
}

#[test]
fn attack_22_a_thousand_events_of_one_case_lose_none_and_the_question_is_asked_within_a_few_hundred() {
    let alone = without_a_crowd();
    for seed in [3, 5, 77] {
        let world = World::new();
        let table = BusyTable::new(Arc::clone(&world.table), seed);
        let crowd = Crowd::new(&world, &table);
        crowd.run(events(1_000), 100);
        assert_eq!(*crowd.failed.borrow(), [] as [&str; 0], "seed {seed}");
        let opened = crowd.opened.borrow().clone();
        assert_eq!((opened.len(), crowd.merged.get(), crowd.asked.get()), (1, 999, 1), "seed {seed}");
        assert_eq!(world.joined(&opened[0]).len(), 999, "every event stands in the incident");
        assert_eq!(world.stored(&opened[0]).state, State::Asking);
        world.timeline(&opened[0]);
        // What asks meets no writer but those that opened the incident.
        let conflicts = table.conflicts();
        let on_incident = conflicts.iter().filter(|sk| ["HEAD", "APPROVAL#1"].contains(&sk.as_str())).count();
        assert_eq!(on_incident, 0, "seed {seed}: {conflicts:?}");
        // The first hundred all want to open it. Each one is tried again a bounded number of times; the question comes with the
        // first few hundred, not after the last.
        let before = crowd.ended_when_asked.get();
        assert!(
            before < 400,
            "seed {seed}: {before} executions had ended when the question stood; alone it takes {alone} rounds"
        );
        let told = world.heard.replies.lock().unwrap().len();
        assert!(told <= 10, "{told} messages tell of 999 events");
    }
}

#[test]
fn attack_22_duplicates_in_the_crowd_open_and_count_nothing_twice() {
    let world = World::new();
    let table = BusyTable::new(Arc::clone(&world.table), 9);
    let crowd = Crowd::new(&world, &table);
    let twice = events(300).into_iter().flat_map(|(event, execution)| {
        let again = format!("{execution}-again");
        [(event.clone(), execution), (event, again)]
    });
    crowd.run(twice.collect(), 100);
    assert_eq!(*crowd.failed.borrow(), [] as [&str; 0]);
    let opened = crowd.opened.borrow().clone();
    assert_eq!((opened.len(), crowd.asked.get()), (1, 1));
    assert_eq!(world.joined(&opened[0]).len(), 299);
    assert_eq!(crowd.merged.get() + crowd.duplicates.get(), 599);
}

#[test]
fn attack_22_a_thousand_refused_calls_at_once_are_counted_and_are_one_question_about_their_actor() {
    let calls = [
        "CreateUser",
        "CreateRole",
        "CreateAccessKey",
        "PutUserPolicy",
        "AttachUserPolicy",
        "CreateLoginProfile",
        "TagUser",
        "AddUserToGroup",
    ];
    let world = World::new();
    let table = BusyTable::new(Arc::clone(&world.table), 4);
    let crowd = Crowd { rules: support::shipped::shipped(), ..Crowd::new(&world, &table) };
    let refused = |n: usize| {
        let mut event = support::event(&format!("e{n:04}"), calls[n % calls.len()], json!({"userName": format!("iam-test-{n}")}));
        event["detail"]["errorCode"] = json!("AccessDenied");
        (event, format!("x{n:04}"))
    };
    crowd.run((0..1_000).map(refused).collect(), 100);
    assert_eq!(*crowd.failed.borrow(), [] as [&str; 0]);
    let opened = crowd.opened.borrow().clone();
    let joined: usize = opened.iter().map(|incident| world.joined(incident).len()).sum();
    assert_eq!(joined + opened.len() + crowd.ignored.get(), 1_000, "each is counted, and those beyond the threshold join");
    // One burst by the number of calls, which only alerts, and one by their kinds, which asks.
    assert!(opened.len() <= 2 && crowd.ignored.get() < 10, "{} {}", crowd.ignored.get(), opened.len());
    assert_eq!(crowd.asked.get(), 1);
}

/// Classifies an event up to the nth effect, where the function dies for good.
fn dies_at(world: &World, event: Value, execution: &str, nth: usize, when: cordon_testkit::When) -> bool {
    world.iam.faults().strike(nth, when, cordon_testkit::Failure::Killed);
    let input = ClassifyInput { event, execution: execution.to_owned() };
    let died = cordon_testkit::until_killed(world.classify().run(input)).is_none();
    world.iam.faults().clear();
    died
}

#[test]
fn attack_22_an_event_whose_execution_died_is_taken_over_by_the_next_delivery() {
    use cordon_testkit::When;
    for first_is_open in [false, true] {
        for nth in 1..=8 {
            for when in [When::Before, When::After] {
                let world = World::new();
                if first_is_open {
                    world.classified(attach("e0"), "x0");
                }
                let died = dies_at(&world, attach("e1"), "dead", nth, when);
                let output = world.classified(attach("e1"), "next");
                let incident = match &output {
                    ClassifyOutput::Opened { incident }
                    | ClassifyOutput::Merged { incident }
                    | ClassifyOutput::Duplicate { incident } => incident.clone(),
                    other => panic!("{other:?}"),
                };
                // It stands in an incident that exists, once.
                let stored: Incident = world.stored(&incident);
                let here = usize::from(stored.event.id.as_str() == "e1")
                    + world.joined(&incident).iter().filter(|id| *id == "e1").count();
                assert_eq!(here, 1, "killed {when:?} effect {nth} ({died}): {output:?}");
                let heads = world.table.keys().iter().filter(|key| key.ends_with("/HEAD")).count();
                assert_eq!(heads, 1, "killed {when:?} effect {nth}");
                // And a third delivery is a duplicate.
                assert!(matches!(world.classified(attach("e1"), "third"), ClassifyOutput::Duplicate { .. }));
            }
        }
    }
}

#[test]
fn attack_22_the_other_record_of_a_call_is_judged_where_the_first_ones_execution_died() {
    let shared = |id: &str| {
        let mut event = attach(id);
        event["detail"]["sharedEventID"] = json!("shared-1");
        event
    };
    let world = World::new();
    assert!(dies_at(&world, shared("e1"), "dead", 1, cordon_testkit::When::After));
    let classify = |id: &str, execution: &str| {
        run(world.classify().run(ClassifyInput { event: shared(id), execution: execution.to_owned() }))
    };
    assert_eq!(classify("e2", "two").unwrap_err().name, ErrorName::Transient, "the first may be judged at this moment");
    world.clock.pass(30);
    let ClassifyOutput::Opened { incident } = classify("e2", "two").unwrap() else { panic!("not opened") };
    assert_eq!(classify("e1", "again").unwrap(), ClassifyOutput::Merged { incident });
}

#[test]
fn attack_22_a_classification_that_fails_names_the_event_and_its_actor_to_people() {
    let world = World::new();
    let throttled = || Some(cordon_store::TableError::Transient(Cause::new("ThrottlingException")));
    *world.table.failures.lock().unwrap() = (0..100).map(|_| throttled()).collect();
    let error = run(world.classify().run(ClassifyInput { event: attach("e1"), execution: "x".to_owned() })).unwrap_err();
    assert_eq!(error.name, ErrorName::Transient);
    world.table.failures.lock().unwrap().clear();
    let failure = |cause: &str| NotifyInput::Failure {
        incident: None,
        event: Some("e1".to_owned()),
        execution: "x".to_owned(),
        state: "Classify".to_owned(),
        error: error.name.as_str().to_owned(),
        cause: cause.to_owned(),
    };
    run(world.notify().run(failure(&error.message))).unwrap();
    let told = world.heard.posts.lock().unwrap().last().unwrap().to_value().to_string();
    for named in ["AttachUserPolicy", "user/iam-test-mallory", "e1"] {
        assert!(told.contains(named), "{named}: {told}");
    }
    // One that died said nothing: then the event's id is what there is.
    run(world.notify().run(failure("Lambda.Unknown"))).unwrap();
    let published = world.heard.published.lock().unwrap().last().unwrap().1.clone();
    assert!(published["failure"]["cause"].as_str().unwrap().starts_with("event e1: "), "{published}");
}

/// Joins one more event and tells of it, and gives what that took.
fn merge(crowd: &Crowd<'_>, table: &BusyTable, n: usize) -> Usage {
    table.take_usage();
    crowd.run(vec![(attach(&format!("later-{n:06}")), format!("y{n:06}"))], 1);
    table.take_usage()
}

#[test]
fn attack_19_the_ten_thousandth_merge_reads_and_writes_what_the_tenth_does() {
    let world = World::new();
    let table = BusyTable::new(Arc::clone(&world.table), 1);
    let crowd = Crowd::new(&world, &table);
    crowd.run(events(1), 1);
    // Neither is a count at which people are told.
    let tenth = (1..=13).map(|n| merge(&crowd, &table, n)).last().unwrap();
    let incident = crowd.opened.borrow()[0].clone();
    let (pk, one) = (format!("INCIDENT#{incident}"), "EVENT#2026-01-02T03:04:00Z#later-000001");
    let (_, item) = world.table.item(&incident, one);
    for n in 14..10_000 {
        world.table.put(&pk, &format!("EVENT#2026-01-02T03:04:00Z#later-{n:06}"), item.clone());
    }
    for (sk, field, count) in [("JOINED", "n", 10_000), ("TOLD", "count", 10_000)] {
        let (_, mut counted) = world.table.item(&incident, sk);
        counted[field] = json!(count);
        world.table.put(&pk, sk, counted);
    }
    let last = merge(&crowd, &table, 10_000);
    assert_eq!(tenth, last);
    assert_eq!(last, Usage { reads: 5, items_read: 5, read_units: 7, writes: 4, write_units: 7 }, "as docs/benchmarks.md says");
    assert_eq!(world.joined(&incident).len(), 10_000);
}
