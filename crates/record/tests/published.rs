//! Every finding conforms to the published schemas: OCSF's export, and Security Hub's API model.
//!
//! The schemas come from PyPI, pinned by hash, into an environment below the target directory. If they cannot be fetched, the
//! test says so and is skipped, unless `CORDON_PUBLISHED_SCHEMAS=required`.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use cordon_record::{Finding, Hub};
use serde_json::{Value, json};
use support::{ACCOUNT, incidents};

const REQUIREMENTS: &str = include_str!("published/requirements.txt");
const CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/published/check.py");

/// Why the schemas cannot be had.
#[derive(Debug, thiserror::Error)]
enum NoSchemas {
    #[error("Python cannot be started: {0}")]
    NoPython(io::Error),
    /// With the last line of what the tool said.
    #[error("{0}")]
    Refused(String),
    #[error("the environment cannot be written: {0}")]
    Unwritable(io::Error),
}

/// Python with the schemas.
fn python() -> Result<PathBuf, NoSchemas> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("published-schemas");
    let python = folder.join("bin/python");
    let stamp = folder.join("cordon.stamp");
    if fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == REQUIREMENTS) {
        return Ok(python);
    }
    let _not_there = fs::remove_dir_all(&folder);
    let base = std::env::var("CORDON_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    succeeded(Command::new(base).args(["-m", "venv"]).arg(&folder).output())?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).map_err(NoSchemas::Unwritable)?;
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--retries", "1", "--require-hashes"];
    let install = Command::new(&python).args(pip).args(["--only-binary", ":all:", "-r"]).arg(&requirements).output();
    succeeded(install)?;
    fs::write(&stamp, REQUIREMENTS).map_err(NoSchemas::Unwritable)?;
    Ok(python)
}

fn succeeded(output: io::Result<Output>) -> Result<(), NoSchemas> {
    let output = output.map_err(NoSchemas::NoPython)?;
    if output.status.success() { Ok(()) } else { Err(NoSchemas::Refused(last_line(&output.stderr))) }
}

fn last_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().lines().last().unwrap_or("no reason given").to_owned()
}

fn python_or_skip() -> Option<PathBuf> {
    // Both tests at once would make the environment twice.
    static PYTHON: LazyLock<Result<PathBuf, NoSchemas>> = LazyLock::new(python);
    match &*PYTHON {
        Ok(python) => Some(python.clone()),
        Err(reason) => {
            let required = std::env::var("CORDON_PUBLISHED_SCHEMAS").is_ok_and(|value| value == "required");
            assert!(!required, "the published schemas cannot be had: {reason}");
            // Past the test harness, which keeps what a passing test prints.
            let _ = writeln!(io::stderr(), "skipped: findings were not checked against the published schemas: {reason}");
            None
        }
    }
}

fn check(python: &Path, name: &str, cases: &[Value]) -> (bool, String) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("findings-{name}.jsonl"));
    fs::write(&file, cases.iter().map(|case| format!("{case}\n")).collect::<String>()).unwrap();
    let output = Command::new(python).arg(CHECK).arg(&file).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

fn cases() -> Vec<Value> {
    let hub = Hub { account: ACCOUNT.to_owned(), region: "us-east-1".to_owned() };
    incidents()
        .iter()
        .flat_map(|(name, head)| {
            let finding = Finding { head };
            [("ocsf", finding.ocsf()), ("asff", finding.asff(&hub))]
                .map(|(format, finding)| json!({"name": name, "format": format, "finding": finding}))
        })
        .collect()
}

#[test]
fn every_finding_is_one_that_the_published_schemas_allow() {
    let Some(python) = python_or_skip() else { return };
    let cases = cases();
    let (good, said) = check(&python, "all", &cases);
    assert!(good, "{said}");
    assert!(said.contains(&format!("{} findings checked, 0 faults", cases.len())), "{said}");
}

#[test]
fn the_check_notices_what_the_schemas_forbid() {
    let Some(python) = python_or_skip() else { return };
    let all = cases();
    let case = |format: &str| all.iter().find(|case| case["format"] == format && case["name"] == "open").unwrap();
    type Change<'a> = &'a dyn Fn(&mut Value);
    let rows: [(&str, Change<'_>, &str); 14] = [
        ("ocsf", &|f| f["severity_id"] = json!(7), "severity_id"),
        ("ocsf", &|f| f["severity"] = json!("Very"), "means 'Critical'"),
        ("ocsf", &|f| f["type_uid"] = json!(200_402), "type_uid"),
        ("ocsf", &|f| f["note"] = json!("x"), "note"),
        ("ocsf", &|f| drop(f["finding_info"].as_object_mut().unwrap().remove("uid")), "uid"),
        ("ocsf", &|f| f["evidences"][0]["src_endpoint"]["ip"] = json!("nowhere"), "src_endpoint"),
        ("ocsf", &|f| f["observables"][0]["name"] = json!("device.ip"), "points at nothing"),
        ("asff", &|f| f["Title"] = json!("x".repeat(257)), "257 characters"),
        ("asff", &|f| f["Description"] = json!(" "), "does not match"),
        ("asff", &|f| f["Resources"] = json!([]), "0 items"),
        ("asff", &|f| f["Severity"]["Label"] = json!("GRAVE"), "none of"),
        ("asff", &|f| f["Workflow"] = json!({"Status": "NEW"}), "for the users"),
        ("asff", &|f| f["ProductFields"]["cordon/calls"] = json!("x".repeat(2_049)), "too long"),
        ("asff", &|f| f["FindingProviderFields"]["Types"] = json!(["TTPs/Impact"]), "taxonomy"),
    ];
    for (n, (format, change, says)) in rows.into_iter().enumerate() {
        let mut case = case(format).clone();
        change(&mut case["finding"]);
        let (good, said) = check(&python, &format!("fault-{n}"), &[case]);
        assert!(!good && said.contains(says) && !said.contains("Traceback"), "{n} {says}: {said}");
    }
}
