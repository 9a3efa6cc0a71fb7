//! Runs a replay over files in a folder of their own, and keeps what it said.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{self, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use cordon_core::Config;
use cordon_detect::{RuleBook, RuleSource};
use cordon_replay::{Inputs, Options, Output, Replay, Totals, Unreadable};
use serde_json::Value;

#[derive(Debug, Default, Clone, PartialEq)]
pub struct Said {
    pub lines: Vec<u8>,
    pub faults: Vec<Unreadable>,
    pub more: u64,
}

impl Output for Said {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.lines.extend_from_slice(lines);
        Ok(())
    }
    fn unreadable(&mut self, unreadable: &Unreadable) {
        self.faults.push(unreadable.clone());
    }
    fn and_more(&mut self, _: &str, faults: u64) {
        self.more += faults;
    }
}

impl Said {
    /// The lines as JSON.
    pub fn matches(&self) -> Vec<Value> {
        let lines = self.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    /// The faults as people read them, without the folder.
    pub fn told(&self, folder: &Path) -> Vec<String> {
        let folder = format!("{}/", folder.display());
        self.faults.iter().map(|fault| fault.to_string().replace(&folder, "")).collect()
    }
}

pub fn replay(replay: &Replay<'_>, paths: &[PathBuf], threads: usize, strict: bool) -> (Totals, Said) {
    let mut said = Said::default();
    let options = Options { threads: NonZero::new(threads).unwrap(), lines: true, strict };
    let tally = replay.run(&Inputs::find(paths), options, &mut said, &|_| {}).unwrap();
    (tally, said)
}

/// Every rule below a folder.
pub fn book(folder: &Path) -> RuleBook {
    let mut sources = Vec::new();
    collect(folder, &mut sources);
    assert!(!sources.is_empty(), "no rules in {}", folder.display());
    RuleBook::load(sources).map_err(|errors| format!("{errors:?}")).unwrap()
}

fn collect(folder: &Path, sources: &mut Vec<RuleSource>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            sources.push(RuleSource::new(path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

pub fn catalogue() -> RuleBook {
    book(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules"))
}

/// A book of one rule with this detection.
pub fn rule(name: &str, detection: &str) -> Result<RuleBook, String> {
    counted(name, detection, "")
}

/// The same with a correlation behind it.
pub fn counted(name: &str, detection: &str, correlation: &str) -> Result<RuleBook, String> {
    let behind = if correlation.is_empty() { "" } else { "---\n" };
    let text = format!(
        "title: {name}\nname: {name}\nlevel: high\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}\n{behind}{correlation}"
    );
    RuleBook::load(vec![RuleSource::new(format!("{name}.yml"), text)]).map_err(|errors| format!("{errors:?}"))
}

pub fn config() -> Config {
    Config::default()
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}
