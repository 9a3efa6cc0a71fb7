//! The result of looking at exceptions: a verdict on each rule, the sentences for people, and what let rules pass.

use cordon_core::Detection;
use cordon_core::decision::{Alerting, Judged, Verdict};
use serde_json::Value;

/// What was found about exceptions, for the decision, the card and the timeline.
#[derive(Default)]
pub(super) struct Checked {
    pub judged: Vec<Judged>,
    /// The rules without a response.
    pub alerting: Vec<Alerting>,
    pub sentences: Vec<String>,
    /// The recorded exceptions and the automation that let rules pass, with whose they are.
    pub exempted_by: Vec<Value>,
}

impl Checked {
    /// Whether no exception lets a detection pass.
    pub fn is_caught(&self, detection: &Detection) -> bool {
        self.judged.iter().any(|judged| judged.rule == detection.rule && !matches!(judged.verdict, Verdict::Exempt(_)))
    }

    /// A sentence for people, once.
    pub fn say(&mut self, sentence: String) {
        if !self.sentences.contains(&sentence) {
            self.sentences.push(sentence);
        }
    }

    /// A read that failed, as a verdict.
    pub fn unknown(&mut self, sentence: String) -> Verdict {
        self.say(format!("{sentence}."));
        Verdict::Unknown(sentence)
    }

    /// What let a rule pass, once.
    pub fn exempted_by(&mut self, value: Value) {
        if !self.exempted_by.contains(&value) {
            self.exempted_by.push(value);
        }
    }
}
