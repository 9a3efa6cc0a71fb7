//! Rules in one file, parsed already: what a deployed function reads, because parsing YAML takes longer than all the rest of its
//! start. People write and review the rule files; this is made from them when they are packed.
//!
//! INVARIANT: packed rules are the rules that they were packed from, or they are not used. Packing proves that both load to the
//! same book; a hash shows what was changed since; a format number refuses what another version wrote. Cases are left out: they
//! are proven before.

use cordon_core::Log;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::parse::{Parsed, documents, parse};
use super::sigma::PackedSigma;
use super::{About, Correlation, Placeholders, Rule, RuleBook, RuleError, RuleSource};

/// Raised when the same text would be read as something else than before.
const FORMAT: u32 = 1;

/// The first line. The others are the documents, a line each.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    /// Of everything behind this line.
    sha256: String,
}

/// A document of a rule file. Placeholders stand in it as in the rule file: what a deployment is called is known when it starts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Packed {
    Rule { about: About, log: Log, sigma: PackedSigma },
    Correlation(Correlation),
}

impl From<Parsed> for Packed {
    fn from(parsed: Parsed) -> Self {
        match parsed {
            Parsed::Rule(rule) => Self::Rule { sigma: PackedSigma::from(&rule.sigma), about: rule.about, log: rule.log },
            Parsed::Correlation(correlation) => Self::Correlation(*correlation),
        }
    }
}

impl From<Packed> for Parsed {
    fn from(packed: Packed) -> Self {
        match packed {
            Packed::Rule { about, log, sigma } => {
                Self::Rule(Box::new(Rule { about, log, cases: Vec::new(), only_counted: false, sigma: sigma.into() }))
            }
            Packed::Correlation(correlation) => Self::Correlation(Box::new(correlation)),
        }
    }
}

/// Packs rule files, without their cases.
///
/// # Errors
/// Every fault of every file, and every rule that would not be the same after packing.
pub fn pack(sources: &[RuleSource]) -> Result<String, Vec<RuleError>> {
    let sources: Vec<RuleSource> = sources.iter().map(RuleSource::without_cases).collect();
    let (mut lines, mut errors) = (String::new(), Vec::new());
    for document in sources.iter().flat_map(documents) {
        match parse(&document).map(Packed::from).map(|packed| serde_json::to_string(&packed)) {
            Ok(Ok(line)) => {
                lines.push_str(&line);
                lines.push('\n');
            }
            Ok(Err(error)) => errors.push(fault(&document.path, format!("it cannot be packed: {error}"))),
            Err(faults) => errors.extend(faults),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let header = serde_json::to_string(&Header { format: FORMAT, sha256: hash(&lines) })
        .map_err(|error| vec![fault("rules", error.to_string())])?;
    let packed = RuleSource::new("packed rules", format!("{header}\n{lines}"));
    // What could be taken for a number or a truth shows where a placeholder stands outside of quotes.
    let numbers = Placeholders::new("0", "1", "true", "7").map_err(|error| vec![fault("rules", error.to_string())])?;
    for placeholders in [Placeholders::default(), numbers] {
        prove(&sources, &packed, &placeholders)?;
    }
    Ok(packed.text)
}

/// Loads both, and compares them.
fn prove(sources: &[RuleSource], packed: &RuleSource, placeholders: &Placeholders) -> Result<(), Vec<RuleError>> {
    let written = RuleBook::load_for(sources.to_vec(), placeholders)?;
    let read = RuleBook::load_packed(packed, placeholders)?;
    let rules = written.rules().iter().filter(|rule| !read.rules().contains(rule)).map(|rule| &rule.about);
    let correlations = written.correlations().iter().filter(|found| !read.correlations().contains(found));
    let differing = rules.chain(correlations.map(|found| &found.about));
    let mut errors: Vec<RuleError> = differing
        .map(|about| {
            let reason = "packed, it would not be the rule that stands here: a `%placeholder%` has to stand in quotes";
            fault(&about.path, reason.to_owned())
        })
        .collect();
    if errors.is_empty() && written.all().count() != read.all().count() {
        errors.push(fault("rules", "packing loses rules".to_owned()));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The documents of packed rules, for a deployment.
pub(super) fn unpack(packed: &RuleSource, placeholders: &Placeholders) -> Result<Vec<Parsed>, RuleError> {
    let refused = |line: Option<usize>, reason: String| RuleError {
        path: packed.path.clone(),
        line,
        reason: format!("{reason}; pack the rules again with `cordon package`"),
    };
    let (header, lines) = packed.text.split_once('\n').unwrap_or((&packed.text, ""));
    let header: Header =
        serde_json::from_str(header).map_err(|error| refused(Some(1), format!("these are no packed rules: {error}")))?;
    if header.format != FORMAT {
        let reason = format!("the rules were packed in format {}, and this version reads format {FORMAT}", header.format);
        return Err(refused(Some(1), reason));
    }
    if header.sha256 != hash(lines) {
        return Err(refused(None, "the rules were changed after they were packed: their hash is another one".to_owned()));
    }
    let lines = placeholders.fill(RuleSource::new(packed.path.clone(), lines)).text;
    let unpacked = lines.lines().enumerate().map(|(at, line)| {
        let packed: Packed =
            serde_json::from_str(line).map_err(|error| refused(Some(at + 2), format!("this rule cannot be read: {error}")))?;
        Ok(packed.into())
    });
    unpacked.collect()
}

fn hash(lines: &str) -> String {
    hex::encode(Sha256::digest(lines))
}

fn fault(path: &str, reason: String) -> RuleError {
    RuleError { path: path.to_owned(), line: None, reason }
}

#[cfg(test)]
mod tests;
