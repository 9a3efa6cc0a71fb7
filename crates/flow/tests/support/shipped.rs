//! The rules as they are shipped.

use std::path::Path;
use std::sync::OnceLock;

use cordon_core::{Detection, Event};
use cordon_detect::enrich::{Documents, Enriched};
use cordon_detect::{Judgement, RuleBook, RuleSource};
use cordon_flow::classify::Rules;
use serde_json::Value;

pub struct Shipped(RuleBook);

impl Rules for Shipped {
    fn evaluate(&self, record: &Value, facts: &Documents) -> Vec<Detection> {
        self.0.evaluate_with(record, facts)
    }

    fn judge(&self, event: &Event, facts: &Documents) -> Judgement {
        self.0.judge(&Enriched::of(event.log, &event.record, Some(facts)))
    }
}

pub fn shipped() -> &'static Shipped {
    static RULES: OnceLock<Shipped> = OnceLock::new();
    RULES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
        let mut sources = Vec::new();
        for folder in std::fs::read_dir(folder).unwrap() {
            for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let source = RuleSource::new(path.to_string_lossy(), std::fs::read_to_string(&path).unwrap());
                sources.push(source.without_cases());
            }
        }
        Shipped(RuleBook::load(sources).map_err(|errors| format!("{errors:#?}")).unwrap())
    })
}
