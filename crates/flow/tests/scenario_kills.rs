//! A function dies before and after every single effect, each in turn, on every way that changes something.
//!
//! The driver does what the state machine does: it tries a state again that died, gives a new token to a state that waits, and
//! goes by the answers. A person whose click got no answer clicks again.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::cell::Cell;
use std::future::Future;

use cordon_contract::{
    CheckInput, ClassifyInput, ClassifyOutput, ErrorName, NotifyInput, RemediateInput, RemediateOutput, StateError, WaitInput,
};
use cordon_core::{Call, IncidentId, Outcome, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use cordon_flow::undo::UndoAnswer;
use cordon_testkit::{Failure, IamState, When, until_killed};
use serde_json::Value;
use support::{APPROVER, CONFIG, World, attach, create_user};

/// More than any state is tried again.
const TRIES: usize = 8;

/// A way through the machine.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    config: &'static str,
    event: fn(&str) -> Value,
    /// What people say, one after the other.
    says: &'static [(&'static str, Choice)],
    ends: Outcome,
    undone: bool,
}

const WAYS: [Way; 6] = [
    Way {
        name: "ask, approve",
        config: "",
        event: attach,
        says: &[(APPROVER, Choice::Approve)],
        ends: Outcome::Contained,
        undone: false,
    },
    Way { name: "ask, deny", config: "", event: attach, says: &[(APPROVER, Choice::Deny)], ends: Outcome::Denied, undone: false },
    Way {
        name: "ask, two approve, undo",
        config: "[approval.quorum]\nhigh = 2\n",
        event: attach,
        says: &[(APPROVER, Choice::Approve), ("U0SECOND", Choice::Approve)],
        ends: Outcome::Contained,
        undone: true,
    },
    Way {
        name: "act",
        config: "[gates]\nauto = [\"iam-write\"]\n",
        event: create_user,
        says: &[],
        ends: Outcome::Contained,
        undone: false,
    },
    Way {
        name: "contain, then ask, deny",
        config: "[gates]\ncontain_then_ask = [\"admin-attached\"]\n",
        event: attach,
        says: &[(APPROVER, Choice::Deny)],
        ends: Outcome::Denied,
        undone: false,
    },
    Way {
        name: "contain, then ask, approve",
        config: "[gates]\ncontain_then_ask = [\"admin-attached\"]\n",
        event: attach,
        says: &[(APPROVER, Choice::Approve)],
        ends: Outcome::Contained,
        undone: false,
    },
];

/// An execution.
struct Execution<'a> {
    world: &'a World,
    tokens: Cell<usize>,
}

/// What is left behind.
#[derive(Debug, PartialEq)]
struct End {
    iam: IamState,
    writes: Vec<Call>,
    kinds: Vec<String>,
}

impl Execution<'_> {
    /// A state, tried until it answers.
    fn state<T, F: Future<Output = Result<T, StateError>>>(&self, state: impl Fn() -> F) -> T {
        for _ in 0..TRIES {
            match until_killed(state()) {
                Some(Ok(answer)) => return answer,
                Some(Err(error)) => assert_eq!(error.name, ErrorName::Transient, "{error}"),
                None => {}
            }
        }
        panic!("a state never answered");
    }

    fn notify(&self, input: NotifyInput) {
        self.state(|| {
            let notify = self.world.notify();
            let input = input.clone();
            async move { notify.run(input).await }
        });
    }

    fn remediate(&self, input: &RemediateInput) -> RemediateOutput {
        self.state(|| {
            let remediate = self.world.remediate();
            let input = input.clone();
            async move { remediate.run(input).await }
        })
    }

    fn opened(&self, event: &Value) -> IncidentId {
        let answer = self.state(|| {
            let classify = self.world.classify();
            let input = ClassifyInput { event: event.clone(), execution: "execution-1".to_owned() };
            async move { classify.run(input).await }
        });
        let ClassifyOutput::Opened { incident } = answer else { panic!("{answer:?}") };
        incident
    }

    fn route(&self, id: &IncidentId) -> Route {
        let answer = self.state(|| {
            let check = self.world.check();
            let input = CheckInput { incident: id.clone() };
            async move { check.run(input).await }
        });
        answer.route
    }

    fn verified(&self, id: &IncidentId) -> RemediateOutput {
        for _ in 0..TRIES {
            match self.remediate(&RemediateInput::Verify { incident: id.clone() }) {
                RemediateOutput::Again => {}
                answer => return answer,
            }
        }
        panic!("a verification never ended");
    }

    /// Puts the question, hears the people, and gives what the state machine is told.
    fn asked(&self, id: &IncidentId, says: &[(&str, Choice)]) -> Value {
        self.notify(NotifyInput::Asked { incident: id.clone() });
        self.state(|| {
            self.tokens.set(self.tokens.get() + 1);
            let wait = self.world.wait();
            let task_token = format!("token-{}", self.tokens.get());
            let input = WaitInput::Ask { incident: id.clone(), task_token, timeout_seconds: 600, last: true };
            async move { wait.run(input).await }
        });
        for (user, choice) in says {
            let answer = self.state(|| {
                let decide = self.world.decide();
                async move { decide.run(id, Voter::Slack(user), *choice, None).await }
            });
            let counts = answer.counts() || matches!(answer, Answer::Already { .. });
            assert!(counts, "{answer:?}");
        }
        let token = format!("token-{}", self.tokens.get());
        let completed = self.world.heard.completed.lock().unwrap().clone();
        let answers: Vec<&Value> = completed.iter().filter(|(of, _)| *of == token).map(|(_, answer)| answer).collect();
        assert_eq!(answers.len(), 1, "the newest task is completed once: {completed:?}");
        answers[0].clone()
    }

    fn run(&self, way: &Way) -> (IncidentId, Outcome) {
        let id = self.opened(&(way.event)("e"));
        let incident = || id.clone();
        let apply = RemediateInput::Apply { incident: incident() };
        let released = match self.route(&id) {
            Route::Act => {
                self.notify(NotifyInput::Acting { incident: incident() });
                true
            }
            route => {
                if route == Route::ContainThenAsk {
                    self.notify(NotifyInput::Containing { incident: incident() });
                    self.remediate(&apply);
                    self.verified(&id);
                }
                match self.asked(&id, way.says)["decision"].as_str().unwrap() {
                    "approved" => true,
                    "denied" => false,
                    "denied_contained" => {
                        let reverted = self.remediate(&RemediateInput::Revert { incident: incident() });
                        assert_eq!(reverted, RemediateOutput::Reverted);
                        false
                    }
                    other => panic!("{other}"),
                }
            }
        };
        let outcome = if released {
            self.remediate(&apply);
            match self.verified(&id) {
                RemediateOutput::Contained => Outcome::Contained,
                _ => Outcome::Partial,
            }
        } else {
            Outcome::Denied
        };
        self.notify(NotifyInput::Outcome { incident: incident(), outcome });
        if way.undone {
            let answer = self.state(|| {
                let ask = self.world.ask_undo();
                let id = &id;
                async move { ask.run(id, Voter::Slack(APPROVER), None).await }
            });
            assert_eq!(answer, UndoAnswer::Started);
            assert_eq!(self.world.heard.started.lock().unwrap().len(), 1);
            assert_eq!(self.remediate(&RemediateInput::Undo { incident: incident() }), RemediateOutput::Undone);
            self.notify(NotifyInput::Undone { incident: incident() });
        }
        (id, outcome)
    }
}

fn play(way: &Way, strike: Option<(usize, When)>) -> (End, usize) {
    let world = World::with(&format!("{CONFIG}\n{}", way.config));
    let faults = world.iam.faults();
    match strike {
        Some((nth, when)) => faults.strike(nth, when, Failure::Killed),
        None => faults.clear(),
    }
    let (id, outcome) = Execution { world: &world, tokens: Cell::new(0) }.run(way);
    let effects = faults.effects();
    faults.clear();
    assert_eq!(outcome, way.ends);
    assert_eq!(world.head(&id).outcome, Some(way.ends));
    // Whether people were told once or twice does not count; what happened does. `timeline` checks the chain.
    let mut kinds: Vec<String> = world.timeline(&id).into_iter().filter(|kind| kind != "notified" && kind != "asked").collect();
    kinds.dedup();
    (End { iam: world.iam.state(), writes: world.iam.writes(), kinds }, effects)
}

#[test]
fn scenario_28_a_function_that_dies_before_or_after_any_effect_ends_right_and_does_nothing_twice() {
    for way in &WAYS {
        let (undisturbed, effects) = play(way, None);
        assert!(effects > 10, "{}: {effects}", way.name);
        for nth in 1..=effects {
            for when in [When::Before, When::After] {
                let (end, _) = play(way, Some((nth, when)));
                assert_eq!(end, undisturbed, "{}: killed {when:?} effect {nth} of {effects}", way.name);
            }
        }
    }
}
