//! Which of the values that are known of a setting is gone back to.

use super::*;

const NOTHING: SignedDuration = SignedDuration::ZERO;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A trust policy that somebody set. No document: it could not be read.
fn trust_by(by: &str, event: &str, at: &str, document: Option<&str>) -> Seen {
    let by = format!("arn:aws:iam::111111111111:user/{by}");
    let set = Former { value: document.map(str::to_owned), by, at: at.parse().ok(), event: event.to_owned() };
    Seen { set, readable: document.is_some(), in_force: true, doubt: None }
}

/// The same by somebody else each time.
fn trust(event: &str, minute: u32, document: Option<&str>) -> Seen {
    trust_by(event, event, &format!("2026-01-02T03:{minute:02}:00Z"), document)
}

fn before(found: &FormerValues, new: &Seen, min_age: SignedDuration) -> Before {
    FormerValues::before(Some(found), new, &Setting::Trust, min_age)
}

fn all(seen: impl IntoIterator<Item = Seen>) -> FormerValues {
    seen.into_iter().fold(None, FormerValues::after).unwrap()
}

#[test]
fn the_former_value_is_the_last_one_before_also_on_a_retry_and_never_a_later_one() {
    let (first, second) = (trust("e1", 1, Some("{\"a\":1}")), trust("e2", 5, Some("{\"a\":2}")));
    assert_eq!(FormerValues::before(None, &first, &Setting::Trust, NOTHING), Before::default());
    let found = all([first.clone()]);
    assert_eq!(before(&found, &second, NOTHING).former, Some(first.set.clone()));
    let found = FormerValues::after(Some(found), second.clone()).unwrap();
    assert_eq!(before(&found, &second, NOTHING).former, Some(first.set), "a retry of the same event");
    assert_eq!(FormerValues::after(Some(found.clone()), second), None);
    let late = trust("e0", 3, Some("{\"a\":0}"));
    assert_eq!(before(&found, &late, NOTHING), Before::default());
    assert_eq!(FormerValues::after(Some(found), late), None);
}

#[test]
fn a_value_that_could_not_be_read_makes_the_former_one_unknown() {
    let found = all([trust("e0", 0, Some("{}")), trust("e1", 1, None)]);
    assert_eq!(before(&found, &trust("e2", 2, Some("{}")), NOTHING).former, None);
}

#[test]
fn attack_4_what_is_young_doubted_or_the_actors_own_is_skipped_for_the_next_older_value() {
    let honest = trust_by("ada", "e0", "2025-12-01T00:00:00Z", Some("{\"honest\":1}"));
    let young = trust_by("mallory2", "e1", "2026-01-02T03:00:00Z", Some("{\"evil\":1}"));
    let own = trust_by("mallory", "e2", "2026-01-01T00:00:00Z", Some("{\"evil\":2}"));
    let doubt = Some("its own event matched the rule `x`".to_owned());
    let doubted = Seen { doubt, ..trust_by("mallory3", "e3", "2025-12-24T00:00:00Z", Some("{\"evil\":3}")) };
    let undated = trust_by("mallory4", "e4", "no time", Some("{\"evil\":4}"));
    let new = trust_by("mallory", "e9", "2026-01-02T03:04:00Z", Some("{\"evil\":9}"));
    for (bad, why) in [(&young, "less than 24 hours"), (&own, "is the actor"), (&doubted, "matched the rule `x`")] {
        let found = before(&all([honest.clone(), bad.clone()]), &new, DAY);
        assert_eq!(found.former, Some(honest.set.clone()), "{why}");
        assert!(found.refused.len() == 1 && found.refused[0].why.contains(why), "{found:?}");
        assert_eq!(before(&all([bad.clone()]), &new, DAY).former, None, "{why}");
    }
    assert_eq!(before(&all([undated]), &new, DAY).former, None);
    let found = before(&all([honest.clone(), doubted, own, young]), &new, DAY);
    assert_eq!((found.former, found.refused.len()), (Some(honest.set), 3));
}

#[test]
fn attack_4_a_former_absence_counts_where_it_only_takes_off() {
    let gone = Seen { readable: true, ..trust_by("mallory2", "e1", "2026-01-02T03:00:00Z", None) };
    let new = trust_by("mallory", "e9", "2026-01-02T03:04:00Z", Some("{}"));
    for (setting, counts) in
        [(Setting::InlinePolicy("p".to_owned()), true), (Setting::Tag("t".to_owned()), true), (Setting::Boundary, false)]
    {
        let found = FormerValues::before(Some(&all([gone.clone()])), &new, &setting, DAY);
        assert_eq!(found.former.is_some(), counts, "{setting}");
    }
}

#[test]
fn attack_4_a_version_that_was_only_made_ready_is_never_the_former_one() {
    let ready = Seen { in_force: false, ..trust_by("bob", "e1", "2025-12-24T00:00:00Z", Some("v2")) };
    let honest = trust_by("ada", "e0", "2025-12-01T00:00:00Z", Some("v1"));
    let new = trust_by("mallory", "e9", "2026-01-02T03:04:00Z", Some("v3"));
    assert_eq!(before(&all([honest.clone(), ready]), &new, DAY).former, Some(honest.set));
}

#[test]
fn attack_4_many_quick_changes_do_not_push_an_honest_value_out() {
    let honest = trust_by("ada", "e0", "2025-12-01T00:00:00Z", Some("{\"honest\":1}"));
    let flood = (0..200).map(|n| {
        let at = format!("2026-01-02T{:02}:{:02}:00Z", n / 60, n % 60);
        trust_by("mallory2", &format!("f{n}"), &at, Some(&"x".repeat(24_000)))
    });
    let found = all(std::iter::once(honest.clone()).chain(flood));
    assert!(found.newest_first().count() <= KEPT_MAX + 1);
    let new = trust_by("mallory", "e9", "2026-01-02T04:00:00Z", Some("{}"));
    assert_eq!(before(&found, &new, DAY).former, Some(honest.set));
}

#[test]
fn an_item_of_before_still_decodes() {
    let item = serde_json::json!({"version": 2, "last": {"value": "b", "by": "x", "event": "e2", "readable": true},
        "previous": {"value": "a", "by": "y", "event": "e1", "readable": true}});
    let found: FormerValues = serde_json::from_value(item).unwrap();
    assert!(found.newest_first().all(|seen| seen.in_force && seen.doubt.is_none()) && found.older.is_empty());
}
