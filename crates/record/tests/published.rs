//! Every finding conforms to the published schemas: OCSF's export, and Security Hub's API model.
//!
//! The schemas come from PyPI, pinned by hash, into an environment below the target directory. If they cannot be fetched, the
//! tests are skipped, unless `CORDON_REQUIRE` names `published-schemas`.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use cordon_record::{Finding, Hub};
use cordon_testkit::Need;
use cordon_testkit::python::{EnvironmentError, environment};
use serde_json::{Value, json};
use support::{ACCOUNT, incidents};

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/published/requirements.txt");
const CHECK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/published/check.py");

fn python_or_skip() -> Option<PathBuf> {
    // Both tests at once would make the environment twice.
    static PYTHON: LazyLock<Result<PathBuf, EnvironmentError>> =
        LazyLock::new(|| environment(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("published-schemas"), Path::new(REQUIREMENTS)));
    match &*PYTHON {
        Ok(python) => Some(python.clone()),
        Err(error) => {
            Need::PublishedSchemas.skip_because(error);
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
        .flat_map(|(name, incident)| {
            let finding = Finding { incident };
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
