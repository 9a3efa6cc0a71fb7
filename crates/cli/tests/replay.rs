//! `cordon replay` as people and scripts run it: what goes to which stream, and the exit code.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const FOUND: &str = r#"{"eventVersion":"1.08","eventName":"StopLogging","eventSource":"cloudtrail.amazonaws.com","userIdentity":{"type":"IAMUser","userName":"eve","accountId":"111111111111","arn":"arn:aws:iam::111111111111:user/eve"},"requestParameters":{"name":"main"},"eventID":"e-1","eventTime":"2026-01-01T00:00:00Z","recipientAccountId":"111111111111"}"#;
const QUIET: &str =
    r#"{"eventVersion":"1.08","eventName":"GetObject","eventSource":"s3.amazonaws.com","userIdentity":{"type":"AWSService"}}"#;

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn command(arguments: &[&str]) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cordon"));
    command.current_dir(root).arg("replay").args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    of(command(arguments).output().unwrap())
}

fn of(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_summary_goes_to_standard_output_and_with_json_to_standard_error() {
    let folder = Folder::with(&[("a.jsonl", &format!("{QUIET}\n{FOUND}\n"))]);
    let path = folder.path("a.jsonl").display().to_string();
    let (code, out, err) = run(&[&path]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("2 events read from 1 file (0.0 MB) in "), "{out}");
    assert!(out.contains("1 of them need no parsing") && out.contains("Rules match 1 events:\n"), "{out}");
    assert!(out.contains("           1  arn:aws:iam::111111111111:user/eve\n"), "{out}");

    let (code, out, err) = run(&["--json", &path]);
    assert_eq!(code, Some(0));
    let line: serde_json::Value = serde_json::from_str(out.trim_end()).unwrap();
    assert_eq!((&line["file"], &line["record"], &line["event_id"]), (&path.into(), &1.into(), &"e-1".into()));
    assert!(err.starts_with("2 events read from 1 file"), "{err}");
}

#[test]
fn a_burst_is_told_once_behind_the_events_and_so_is_what_could_not_be_counted() {
    let refused = |n: u32, time: &str| {
        format!(
            r#"{{"eventVersion":"1.08","eventName":"CreateUser","eventSource":"iam.amazonaws.com","errorCode":"AccessDenied","userIdentity":{{"type":"IAMUser","userName":"eve","accountId":"111111111111","arn":"arn:aws:iam::111111111111:user/eve"}},"eventID":"r-{n}","eventTime":"{time}","recipientAccountId":"111111111111"}}"#
        ) + "\n"
    };
    let half = |from: u32| (from..from + 6).map(|n| refused(n, &format!("2026-01-01T00:00:{n:02}Z"))).collect::<String>();
    let other = format!("{FOUND}\n{}", half(0));
    let folder = Folder::with(&[("a.jsonl", &half(6)), ("b.jsonl", &other), ("c.jsonl", &refused(99, "never"))]);
    let path = folder.0.path().display().to_string();
    let (code, out, err) = run(&["--json", &path]);
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, lines.len()), (Some(0), 3), "{out}{err}");
    assert_eq!((&lines[0]["event_id"], &lines[0]["record"]), (&"e-1".into(), &0.into()));
    let burst = &lines[1];
    assert_eq!(
        (&burst["event_id"], &burst["record"], &burst["file"]),
        (&"r-9".into(), &3.into(), &folder.path("a.jsonl").display().to_string().into())
    );
    assert_eq!((&burst["rules"][0]["id"], &burst["severity"]), (&"identity-calls-refused".into(), &"medium".into()));
    assert_eq!(lines[2], serde_json::json!({"not_counted": {"too_many": 0, "without_time": 1}}));
    let told = err.split_once("\n\n").map(|(_, told)| told).unwrap_or_default();
    assert!(
        told.starts_with(
            "Events that were not counted, so that bursts may be missing:\n           1  do not say when they were\n\n\
             Rules match 1 events, and 1 burst was counted:\n"
        ),
        "{err}"
    );
    assert!(
        err.contains("           1  medium         identity-calls-refused  A principal was refused many times within minutes\n"),
        "{err}"
    );
    assert!(err.contains("           2  arn:aws:iam::111111111111:user/eve\n"), "{err}");
}

#[test]
fn what_cannot_be_read_is_told_on_standard_error_and_ends_in_1() {
    let folder = Folder::with(&[("a.jsonl", &format!("nonsense\n{FOUND}\n")), ("b.jsonl", &format!("{FOUND}\n"))]);
    let path = folder.0.path().display().to_string();
    let (code, out, err) = run(&["--json", &path]);
    assert_eq!((code, out.lines().count()), (Some(1), 2));
    assert!(err.contains("a.jsonl: line 1 (byte 0): is not JSON: "), "{err}");
    let (code, out, err) = run(&["--json", "--strict", &path]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("a.jsonl: line 1 (byte 0): is not JSON: "), "{err}");
    let missing = folder.path("missing").display().to_string();
    let (code, out, err) = run(&["--json", &missing, &path]);
    assert_eq!((code, out.lines().count()), (Some(1), 2));
    assert!(err.contains("missing: there is no such file or folder"), "{err}");
}

#[test]
fn wrong_use_ends_in_2_and_says_what_to_do() {
    let folder = Folder::with(&[("logs/readme.txt", ""), ("a.jsonl", QUIET), ("bad.toml", "mode = 1")]);
    let path = |name: &str| folder.path(name).display().to_string();
    for (arguments, expected) in [
        (vec![], "required arguments were not provided"),
        (vec!["--threads", "0", "-"], "--threads"),
        (vec![&*path("none")], "none: there is no such file or folder"),
        (vec![&*path("logs")], "there are no logs"),
        (vec!["--rules", &*path("none"), &*path("a.jsonl")], "cannot read `"),
        (vec!["--rules", &*path("logs"), &*path("a.jsonl")], "has no rule files"),
        (vec!["--config", &*path("bad.toml"), &*path("a.jsonl")], "bad.toml"),
        (vec!["--config", &*path("none.toml"), &*path("a.jsonl")], "none.toml`: No such file"),
    ] {
        let (code, out, err) = run(&arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

#[test]
fn standard_input_is_read_whether_it_is_compressed_or_not() {
    let text = format!("{{\"Records\":[{QUIET},{FOUND}]}}");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    for bytes in [text.as_bytes(), &encoder.finish().unwrap()] {
        let mut child =
            command(&["--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let (code, out, _) = of(child.wait_with_output().unwrap());
        let line: serde_json::Value = serde_json::from_str(out.trim_end()).unwrap();
        assert_eq!((code, &line["file"], &line["record"]), (Some(0), &"-".into(), &1.into()));
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let folder = Folder::with(&[("a.jsonl", &format!("{FOUND}\n").repeat(20_000))]);
    let path = folder.path("a.jsonl").display().to_string();
    let mut child = command(&["--json", &path]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let (code, _, err) = of(child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (Some(0), ""));
}
