//! Every message and dialog, with honest and hostile texts, against the models of Slack's own `slack_sdk`.
//!
//! The models come from PyPI into an environment below the target directory, pinned by hash. Where Python or PyPI cannot be had, the
//! test is skipped, unless `CORDON_REQUIRE` says `slack-sdk`.
//! What `slack_sdk` lets pass (51 blocks, a field of 2,001 characters, an unknown type) is for [`cordon_slack::validate_message`].

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cordon_slack::validate_message;
use cordon_testkit::Need;
use cordon_testkit::python::{EnvironmentError, environment};
use serde_json::{Value, json};

use crate::tests::messages_of;
use crate::{Burst, Dialog, DialogKind, Failure, Left, Message};

const HOSTILE: [&str; 8] = [
    "",
    "iam-test-mallory",
    "<!channel> <@U0VICTIM> <https://evil.example|Approve> & *bold* _it_ ~no~ `code` :siren:",
    "user\u{202E}nimda\u{200B}\u{2066}x\u{2069}\u{FEFF}\u{E0041}",
    "```\nblock\n``` > quote\n• item\r\n\t\u{0}\u{7}\u{1b}[31m",
    "\"}]}],\"blocks\":[{\"type\":\"divider\"}]",
    "e\u{301}\u{301}\u{301}\u{301}😀👩‍👩‍👧‍👦 שלום مرحبا",
    "|^{date}|>!--<",
];

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Python with Slack's models, in an environment below the target directory.
fn python() -> Result<PathBuf, EnvironmentError> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| manifest().join("../../target"), PathBuf::from);
    environment(&target.join("slack-sdk"), &manifest().join("tests/slack_sdk/requirements.txt"))
}

fn checked(python: &Path, lines: &[Value]) -> (bool, String) {
    let mut child = Command::new(python)
        .arg(manifest().join("tests/slack_sdk/validate.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for line in lines {
        writeln!(input, "{line}").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every message that there is, with one text in all its places.
fn messages(text: &str) -> Vec<Message> {
    let id = "inc-0123456789abcdef0123".parse().unwrap();
    let execution = format!("arn:aws:states:us-east-1:111122223333:execution:{text}");
    let failure = |incident| Failure { incident, execution: &execution, state: text, error: text, cause: text }.message();
    let mut all = messages_of(text);
    all.extend([failure(None), failure(Some(&id))]);
    all.extend([Left::Incidents, Left::Outcomes, Left::Questions].map(|left| Burst { left, count: u64::MAX }.message()));
    all
}

#[test]
fn every_message_and_dialog_is_one_that_slacks_own_models_take() {
    let python = match python() {
        Ok(python) => python,
        Err(error) => return Need::SlackSdk.skip_because(&error),
    };
    let mut lines = Vec::new();
    // Four kilobytes of what is escaped, of what is hidden, and of what is wide.
    let long = [2, 3, 6].map(|n| HOSTILE[n].repeat(4_096 / HOSTILE[n].len()));
    for text in HOSTILE.map(str::to_owned).into_iter().chain(long) {
        for (n, message) in messages(&text).into_iter().enumerate() {
            assert_eq!(validate_message(&message), Ok(()));
            lines.push(
                json!({"name": format!("message {n} of {}", text.chars().take(20).collect::<String>()), "message": message}),
            );
        }
        for kind in [DialogKind::Deny, DialogKind::BreakGlass, DialogKind::Undo] {
            let view = Dialog {
                kind,
                incident: "inc-0123456789abcdef0123".parse().unwrap(),
                subject: text.clone(),
                standing: text.clone(),
            }
            .modal()
            .to_view();
            assert_eq!(cordon_slack::modal::validate(&view), Ok(()));
            lines.push(json!({"name": format!("{kind:?}"), "view": view}));
        }
    }
    let (fine, said) = checked(&python, &lines);
    assert!(fine, "{said}");
    // The check can fail: it finds what is wrong on purpose.
    let section = |length: usize| json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(length)}});
    for (name, block) in [
        ("a section that is too long", section(3_001)),
        ("a header that is too long", json!({"type": "header", "text": {"type": "plain_text", "text": "x".repeat(151)}})),
        ("an unknown field", json!({"type": "divider", "colour": "red"})),
        ("an unknown type", json!({"type": "carousel_of_ours"})),
    ] {
        let (fine, said) = checked(&python, &[json!({"name": name, "message": {"text": "x", "blocks": [block]}})]);
        assert!(!fine, "{name}: {said}");
    }
}
