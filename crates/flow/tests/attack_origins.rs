//! Attacks on where an event comes from: what AWS alone can send may change something, everything else at most alerts.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::ClassifyOutput;
use cordon_core::{Principal, PrincipalKind, Route};
use serde_json::{Value, json};
use support::{ACCOUNT, CONFIG, World, attach, by, event, made_at};

fn auto() -> World {
    World::with(&format!("{CONFIG}\n[gates]\nauto = [\"admin-attached\", \"iam-write\"]\n"))
}

/// What somebody could put on a bus who is not AWS, as the change that makes it of a true event.
const FORGERIES: [(&str, &str, &str); 8] = [
    ("a partner's source", "/source", "aws.partner/example.com/iam"),
    ("the source of another service", "/source", "aws.s3"),
    ("a source with a space", "/source", "aws.iam "),
    ("a detail type that is not CloudTrail's", "/detail-type", "IAM call"),
    ("another account in the envelope", "/account", "222222222222"),
    ("no account in the envelope", "/account", ""),
    ("another account in the record", "/detail/recipientAccountId", "222222222222"),
    ("a service that is not AWS's", "/detail/eventSource", "iam.example.com"),
];

#[test]
fn attack_15_what_anybody_can_send_changes_nothing() {
    let true_one = auto();
    assert_eq!(true_one.checked(attach("e")).1, Route::Act);
    for (what, pointer, value) in FORGERIES {
        let world = auto();
        let mut forged = attach("e");
        *forged.pointer_mut(pointer).unwrap() = json!(value);
        let (_, route) = world.checked(forged);
        assert_eq!(route, Route::Alert, "{what}");
    }
}

#[test]
fn attack_15_what_anybody_can_send_gives_no_exception_a_better_history() {
    let tag = json!([{"key": "SecurityApproved", "value": "true"}]);
    let given: fn(&str, Value) -> Value = |id, tags| event(id, "TagUser", json!({"userName": "iam-test-mallory", "tags": tags}));
    for (what, pointer, value) in FORGERIES {
        let world = auto();
        // Mallory gave it; the forgery says that alice gave it long ago, and later than that.
        let own = made_at("2025-12-01T00:00:00Z", given("own", tag.clone()));
        assert_eq!(world.classified(own, "own"), ClassifyOutput::Ignored);
        let mut forged = made_at("2025-12-02T00:00:00Z", by("alice", given("forged", tag.clone())));
        *forged.pointer_mut(pointer).unwrap() = json!(value);
        world.classified(forged, "forged");
        let mallory = Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory");
        world.iam.tag(&mallory, "SecurityApproved", "true");
        assert_eq!(world.checked(attach("e")).1, Route::Act, "{what}");
    }
}
