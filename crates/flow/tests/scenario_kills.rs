//! A function dies before and after every single effect, each in turn, on every way that changes something.
//!
//! The driver does what the state machine does: it tries a state again that died, gives a new token to a state that waits, and
//! goes by the answers. A person whose click got no answer clicks again. Where nobody decides, the deadlines pass, the first one
//! and the last one.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::cell::Cell;
use std::future::Future;

use cordon_contract::{
    CheckInput, ClassifyInput, ClassifyOutput, ErrorName, NotifyInput, RemediateInput, RemediateOutput, StateError, WaitInput,
    WaitOutput,
};
use cordon_core::{Call, IncidentId, Outcome, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use cordon_flow::undo::UndoAnswer;
use cordon_testkit::{Failure, IamState, When, until_killed};
use serde_json::Value;
use support::{APPROVER, CONFIG, World, attach};

/// More than any state is tried again.
const TRIES: usize = 8;

/// Who is called at the first deadline.
const CALLED: &str =
    "[approval.escalation]\nslack_channel = \"C0LOUD\"\ntopic = \"arn:aws:sns:us-east-1:111111111111:on-call\"\n";

/// A way through the machine.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    config: &'static str,
    event: fn(&str) -> Value,
    /// What people say, one after the other: a list for each wait.
    says: &'static [&'static [(&'static str, Choice)]],
    ends: Outcome,
    undone: bool,
}

const ASK: Way =
    Way { name: "ask, approve", config: "", event: attach, says: &[&[APPROVES]], ends: Outcome::Contained, undone: false };
const AHEAD: &str = "[gates]\ncontain_then_ask = [\"admin-attached\"]\n";
const APPROVES: (&str, Choice) = (APPROVER, Choice::Approve);
const DENIES: (&str, Choice) = (APPROVER, Choice::Deny);

const WAYS: [Way; 6] = [
    ASK,
    Way { name: "ask, deny", says: &[&[DENIES]], ends: Outcome::Denied, ..ASK },
    Way {
        name: "ask, two approve, undo",
        config: "[approval.quorum]\nhigh = 2\n",
        says: &[&[APPROVES, ("U0SECOND", Choice::Approve)]],
        undone: true,
        ..ASK
    },
    Way { name: "act", config: "[gates]\nauto = [\"admin-attached\"]\n", says: &[], ..ASK },
    Way { name: "contain, then ask, deny", config: AHEAD, says: &[&[DENIES]], ends: Outcome::Denied, ..ASK },
    Way { name: "contain, then ask, approve", config: AHEAD, ..ASK },
];

/// Every way past the first deadline; the second channel and the second topic are called on each.
const ESCALATED: [Way; 9] = [
    Way { name: "escalated, approve", says: &[&[], &[APPROVES]], ..ASK },
    Way { name: "escalated, deny", says: &[&[], &[DENIES]], ends: Outcome::Denied, ..ASK },
    Way {
        name: "one approves, looking, escalated, another approves",
        config: "[approval.quorum]\nhigh = 2\n",
        says: &[&[APPROVES, ("U0SECOND", Choice::Looking)], &[], &[("U0SECOND", Choice::Approve)]],
        ..ASK
    },
    Way {
        name: "escalated, one breaks the glass",
        config: "break_glass = true\n[approval.quorum]\nhigh = 2\n",
        says: &[&[], &[(APPROVER, Choice::BreakGlass)]],
        ..ASK
    },
    Way { name: "nobody, close", says: &[&[], &[]], ends: Outcome::Expired, ..ASK },
    Way {
        name: "nobody, contain",
        config: "on_timeout = \"contain\"\n",
        says: &[&[], &[]],
        // The policy that was attached still stands.
        ends: Outcome::Partial,
        ..ASK
    },
    Way { name: "contain, nobody, close", config: AHEAD, says: &[&[], &[]], ends: Outcome::Expired, ..ASK },
    Way {
        name: "contain, nobody, hold",
        config: "on_timeout = \"hold-containment\"\n[gates]\ncontain_then_ask = [\"admin-attached\"]\n",
        says: &[&[], &[]],
        ends: Outcome::Expired,
        ..ASK
    },
    Way {
        name: "contain, nobody, contain",
        config: "on_timeout = \"contain\"\n[gates]\ncontain_then_ask = [\"admin-attached\"]\n",
        says: &[&[], &[]],
        ends: Outcome::Partial,
        ..ASK
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
    fn state<T, E: Into<StateError>, F: Future<Output = Result<T, E>>>(&self, state: impl Fn() -> F) -> T {
        for _ in 0..TRIES {
            match until_killed(state()) {
                Some(Ok(answer)) => return answer,
                Some(Err(error)) => {
                    let error: StateError = error.into();
                    assert_eq!(error.name, ErrorName::Transient, "{error}");
                }
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

    /// Puts the question with a new token, and hears what people say.
    fn waits(&self, id: &IncidentId, last: bool, says: &[(&str, Choice)]) {
        self.state(|| {
            self.tokens.set(self.tokens.get() + 1);
            let wait = self.world.wait();
            let task_token = self.token();
            let input = WaitInput::Ask { incident: id.clone(), task_token, timeout_seconds: 600, last };
            async move { wait.run(input).await }
        });
        for (user, choice) in says {
            let answer = self.state(|| {
                let decide = self.world.decide();
                async move { decide.run(id, Voter::Slack(user), *choice, Some("on fire")).await }
            });
            let counts = answer.counts() || matches!(answer, Answer::Already { .. });
            assert!(counts, "{answer:?}");
        }
    }

    fn token(&self) -> String {
        format!("token-{}", self.tokens.get())
    }

    /// With what the newest task was completed, if it was.
    fn completed(&self) -> Option<Value> {
        let completed = self.world.heard.completed.lock().unwrap().clone();
        let answers: Vec<&Value> = completed.iter().filter(|(of, _)| *of == self.token()).map(|(_, answer)| answer).collect();
        assert!(answers.len() <= 1, "the newest task is completed once: {completed:?}");
        answers.first().map(|answer| (*answer).clone())
    }

    /// The wait's time is over, and with it its token.
    fn timed_out(&self, input: &WaitInput) -> WaitOutput {
        self.world.clock.pass(601);
        self.world.heard.gone.lock().unwrap().push(self.token());
        let answer = self.state(|| {
            let wait = self.world.wait();
            let input = input.clone();
            async move { wait.run(input).await }
        });
        answer.unwrap()
    }

    /// Asks as often as people are waited for, and gives what the state machine is told.
    fn asked(&self, id: &IncidentId, says: &[&[(&str, Choice)]]) -> Value {
        self.notify(NotifyInput::Asked { incident: id.clone() });
        let mut last = false;
        for said in says {
            self.waits(id, last, said);
            if let Some(answer) = self.completed() {
                return answer;
            }
            if last {
                break;
            }
            match self.timed_out(&WaitInput::Escalate { incident: id.clone(), escalate: true }) {
                WaitOutput::Looking => {}
                WaitOutput::Escalate => {
                    self.notify(NotifyInput::Escalated { incident: id.clone() });
                    last = true;
                }
                decided => panic!("nobody had decided: {decided:?}"),
            }
        }
        assert!(last, "the last wait comes after the escalation");
        serde_json::to_value(self.timed_out(&WaitInput::Expire { incident: id.clone(), expire: true })).unwrap()
    }

    /// What a decision leads to, where that is not the remedies.
    fn decided(&self, id: &IncidentId, decision: &str) -> Option<Outcome> {
        let reverted = || {
            let reverted = self.remediate(&RemediateInput::Revert { incident: id.clone() });
            assert_eq!(reverted, RemediateOutput::Reverted);
        };
        match decision {
            "approved" | "contain" => None,
            "break_glass" => {
                self.notify(NotifyInput::BreakGlass { incident: id.clone() });
                None
            }
            "denied" => Some(Outcome::Denied),
            "expired" => Some(Outcome::Expired),
            "denied_contained" => {
                reverted();
                Some(Outcome::Denied)
            }
            "expired_contained" => {
                reverted();
                Some(Outcome::Expired)
            }
            other => panic!("{other}"),
        }
    }

    fn run(&self, way: &Way) -> (IncidentId, Outcome) {
        let id = self.opened(&(way.event)("e"));
        let incident = || id.clone();
        let apply = RemediateInput::Apply { incident: incident() };
        let ended = match self.route(&id) {
            Route::Act => {
                self.notify(NotifyInput::Acting { incident: incident() });
                None
            }
            route => {
                if route == Route::ContainThenAsk {
                    self.notify(NotifyInput::Containing { incident: incident() });
                    self.remediate(&apply);
                    self.verified(&id);
                }
                self.decided(&id, self.asked(&id, way.says)["decision"].as_str().unwrap())
            }
        };
        let outcome = ended.unwrap_or_else(|| {
            self.remediate(&apply);
            match self.verified(&id) {
                RemediateOutput::Contained => Outcome::Contained,
                _ => Outcome::Partial,
            }
        });
        self.notify(NotifyInput::Outcome { incident: incident(), outcome });
        if way.undone {
            // As many people as approved; whoever has asked before counts once.
            let wishes = |user: &'static str| {
                self.state(|| {
                    let ask = self.world.ask_undo();
                    let (id, world) = (&id, self.world);
                    async move { ask.run(&world.heard, id, Voter::Slack(user), None).await }
                })
            };
            let first = wishes(APPROVER);
            let answer = if first.counts() && first != UndoAnswer::Started { wishes("U0SECOND") } else { first };
            assert_eq!(answer, UndoAnswer::Started);
            assert_eq!(self.world.heard.started.lock().unwrap().len(), 1);
            assert_eq!(self.remediate(&RemediateInput::Undo { incident: incident() }), RemediateOutput::Undone);
            self.notify(NotifyInput::Undone { incident: incident() });
        }
        (id, outcome)
    }
}

fn play(way: &Way, strike: Option<(usize, When)>) -> (End, usize) {
    // Keys of [approval] first: they stand in the table that opens before the tables of a way's own.
    let world = World::with(&format!("{CONFIG}\n{CALLED}[approval]\n{}", way.config));
    let faults = world.iam.faults();
    match strike {
        Some((nth, when)) => faults.strike(nth, when, Failure::Killed),
        None => faults.clear(),
    }
    let (id, outcome) = Execution { world: &world, tokens: Cell::new(0) }.run(way);
    let effects = faults.effects();
    faults.clear();
    assert_eq!(outcome, way.ends);
    assert_eq!(world.stored(&id).outcome, Some(way.ends));
    // Whether people were told once or twice does not count; what happened does. `timeline` checks the chain.
    let mut kinds: Vec<String> = world.timeline(&id).into_iter().filter(|kind| kind != "notified" && kind != "asked").collect();
    // A report whose answer was lost is made again; `writes` shows that what it reports was done once.
    kinds.dedup_by(|kind, before| kind == before && ["applied", "verified", "reverted"].contains(&kind.as_str()));
    if kinds.iter().any(|kind| kind == "escalated") {
        let is_called = world.heard.alerts.lock().unwrap().iter().any(|alert| alert.topic.is_some());
        let is_loud = world.heard.posts_elsewhere.lock().unwrap().iter().any(|(channel, _)| channel == "C0LOUD");
        assert!(is_called && is_loud, "{}: more people are called whatever dies", way.name);
    }
    (End { iam: world.iam.state(), writes: world.iam.writes(), kinds }, effects)
}

fn dies_everywhere(ways: &[Way]) {
    for way in ways {
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

#[test]
fn scenario_28_a_function_that_dies_before_or_after_any_effect_ends_right_and_does_nothing_twice() {
    dies_everywhere(&WAYS);
}

#[test]
fn scenario_28_the_same_on_every_way_past_a_deadline() {
    dies_everywhere(&ESCALATED);
}
