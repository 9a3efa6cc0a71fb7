//! `cordon check` as people run it: every error of the policy and of the rules, each with its line, and the exit code.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::Path;
use std::process::Command;

const RULE: &str = "\
title: A user was made
name: user-made
logsource: {product: aws, service: cloudtrail}
detection:
    selection: {eventName: CreateUser}
    condition: selection
cases:
    - hit: {eventName: CreateUser}
    - miss: {eventName: DeleteUser}
";

/// The exit code, standard output and standard error of `cordon check` in a folder.
fn check(files: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_cordon")).current_dir(&folder).arg("check").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn what_is_right_is_one_summary() {
    let (code, out, err) = check(&[("cordon.toml", "mode = \"dry-run\"\n"), ("rules/a.yml", RULE)]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        "1 rule loaded; all their cases pass.\nMode: dry run, nothing is changed. Approvers: 0. Patterns in scope: 3.\n\
         Notices about other accounts: believed from nobody ([organization] names no administrator).\n"
    );
}

#[test]
fn the_administrators_that_are_believed_about_other_accounts_are_named() {
    let policy = "[organization]\nguardduty_administrator = \"999999999999\"\nhealth_administrator = \"888888888888\"\n";
    let (code, out, _) = check(&[("cordon.toml", policy), ("rules/a.yml", RULE)]);
    assert_eq!(code, Some(0));
    assert!(out.contains("Notices about other accounts: GuardDuty from 999999999999, AWS Health from 888888888888.\n"), "{out}");
    let (code, _, err) = check(&[("cordon.toml", "[organization]\nhealth_administrator = \"*\"\n"), ("rules/a.yml", RULE)]);
    assert_eq!(code, Some(2));
    assert!(err.contains("organization.health_administrator: `*`") && err.contains("list-delegated-administrators"), "{err}");
}

#[test]
fn the_shipped_policy_and_rules_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO_BIN_EXE_cordon")).current_dir(root).arg("check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_error_is_shown_with_its_line_and_the_fix() {
    let policy = "\
# auto = [\"user-mad\"]
mode = \"enforce\"
[gates]
auto = [\"user-made\", \"user-mad\"]  # user-mad
contain_then_ask = [
  \"user-made\",
]
[limit]
max_event_age_minutes = 0
";
    let (code, out, err) = check(&[("cordon.toml", policy), ("rules/a.yml", RULE)]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    let expected = "\
error: mode is `enforce` and there are no approvers, so nobody could approve
 --> ./cordon.toml:2:8
  |
2 | mode = \"enforce\"
  |        ^^^^^^^^^
  |
  = help: add [[approval.approvers]], or set `mode = \"dry-run\"`

error: gates.auto: there is no rule `user-mad`
 --> ./cordon.toml:4:22
  |
4 | auto = [\"user-made\", \"user-mad\"]  # user-mad
  |                      ^^^^^^^^^^
  |
  = help: did you mean `user-made`?

error: gates: `user-made` is in `auto` and in `contain_then_ask`
 --> ./cordon.toml:6:3
  |
6 |   \"user-made\",
  |   ^^^^^^^^^^^
  |
  = help: remove it from one of them

error: unknown key `limit`
 --> ./cordon.toml:8:2
  |
8 | [limit]
  |  ^^^^^
  |
  = help: did you mean `limits`?

cordon: 4 errors; correct them and run `cordon check`
";
    assert_eq!(err, expected);
}

#[test]
fn broken_rules_are_reported_beside_a_broken_policy() {
    let unknown = RULE.replace("condition: selection", "condition: selektion");
    let slip = format!("{RULE}respones: {{contain: [deny-iam]}}\n");
    let policy = "[scope]\naccounts = [\"12\"]\n";
    let (code, _, err) = check(&[("cordon.toml", policy), ("rules/a.yml", &unknown), ("rules/b.yml", &slip)]);
    assert_eq!(code, Some(2));
    for expected in [
        " --> ./cordon.toml:2:13\n",
        "error: rules/a.yml:6: ",
        "error: rules/b.yml:10: `respones` is not a key of a rule: is `response` meant?\n",
        "cordon: 3 errors; correct them and run `cordon check`\n",
    ] {
        assert!(err.contains(expected), "{expected}: {err}");
    }
}

#[test]
fn a_case_that_fails_is_named() {
    let (code, _, err) = check(&[
        ("cordon.toml", ""),
        ("rules/a.yml", &RULE.replace("- miss: {eventName: D", "- miss: {eventName: CreateUser, x: D")),
    ]);
    assert_eq!(code, Some(2));
    assert!(err.contains("1 case of the rules failed:\n  rules/a.yml"), "{err}");
    assert!(err.ends_with("correct the rule or the case and run `cordon rule test`\n"), "{err}");
}

#[test]
fn attack_13_a_pattern_that_anybody_could_fit_is_refused_with_the_reason_and_what_to_write() {
    let policy = "[scope]\nnever_touch = [\n  \"arn:aws:iam::*:user/break-glass\",\n  \"arn:aws:iam::111122223333:user/break-glass/*\",\n]\n";
    let (code, out, err) = check(&[("cordon.toml", policy), ("rules/a.yml", RULE)]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    for line in [
        "error: scope.never_touch: `arn:aws:iam::*:user/break-glass` does not name one account",
        " --> ./cordon.toml:3:3\n",
        "help: write the account's twelve digits, a line for each account: `arn:aws:iam::111122223333:user/break-glass`",
        "error: scope.never_touch: `arn:aws:iam::111122223333:user/break-glass/*` fits every name",
        " --> ./cordon.toml:4:3\n",
    ] {
        assert!(err.contains(line), "{line}\n{err}");
    }
}
