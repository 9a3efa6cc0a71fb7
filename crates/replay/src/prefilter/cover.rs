//! Chooses the tests of a rule's requirement that pass in the fewest records.

use cordon_detect::prefilter::{Requirement, TextTest};

/// A test of one field.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldTest<'n> {
    pub(super) path: &'n str,
    pub(super) test: &'n TextTest,
}

/// Tests of which at least one passes in every record that meets the requirement; `None` if there are none.
pub(super) fn cover(requirement: &Requirement) -> Option<Vec<FieldTest<'_>>> {
    match requirement {
        Requirement::Anything => None,
        Requirement::Field { path, test } => Some(vec![FieldTest { path, test }]),
        Requirement::Any(parts) => parts.iter().map(cover).collect::<Option<Vec<_>>>().map(|covers| covers.concat()),
        Requirement::All(parts) => parts.iter().filter_map(cover).min_by_key(|cover| frequency(cover)),
    }
}

/// A rank: higher if more of ordinary traffic passes.
fn frequency(cover: &[FieldTest<'_>]) -> u32 {
    cover.iter().map(|field_test| frequency_of(field_test)).max().unwrap_or_default()
}

fn frequency_of(field_test: &FieldTest<'_>) -> u32 {
    match (field_test.path, field_test.test) {
        ("eventName", TextTest::Equals(_)) => 0,
        ("eventName", _) => 1,
        ("userIdentity.type", TextTest::Equals(kind)) if kind == "root" => 2,
        ("userAgent" | "errorCode" | "errorMessage" | "eventType", _) => 3,
        ("userIdentity.type", _) => 9,
        ("eventSource", _) => 5,
        (path, _) if path.starts_with("userIdentity.") => 6,
        // Few records have other keys, but their values are seldom plain texts.
        (_, _) => 7,
    }
}

/// The keys under which a field's value may stand: the last name of its path, and the whole path as one key.
pub(super) fn keys_of(path: &str) -> impl Iterator<Item = &str> {
    let last = path.rsplit('.').next().unwrap_or(path);
    std::iter::once(last).chain((last != path).then_some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(path: &str, text: &str) -> Requirement {
        Requirement::Field { path: path.to_owned(), test: TextTest::Equals(text.to_owned()) }
    }

    #[track_caller]
    fn check(requirement: &Requirement, expected: Option<&[&str]>) {
        let paths: Option<Vec<&str>> = cover(requirement).map(|cover| cover.iter().map(|field_test| field_test.path).collect());
        assert_eq!(paths.as_deref(), expected);
    }

    #[test]
    fn every_alternative_needs_a_test_and_of_several_conditions_one_does() {
        let (name, source, kind) = (field("eventName", "a"), field("eventSource", "b"), field("userIdentity.type", "root"));
        check(&Requirement::All(vec![source.clone(), name.clone()]), Some(&["eventName"]));
        check(&Requirement::All(vec![Requirement::Anything, source.clone()]), Some(&["eventSource"]));
        check(&Requirement::Any(vec![name.clone(), kind.clone()]), Some(&["eventName", "userIdentity.type"]));
        check(&Requirement::Any(vec![name.clone(), Requirement::Anything]), None);
        check(&Requirement::All(vec![source, Requirement::Any(vec![name, kind])]), Some(&["eventName", "userIdentity.type"]));
        check(&Requirement::Anything, None);
        check(&Requirement::Any(vec![]), Some(&[]));
    }

    #[test]
    fn a_nested_field_may_also_be_one_key() {
        assert_eq!(keys_of("userIdentity.type").collect::<Vec<_>>(), ["type", "userIdentity.type"]);
        assert_eq!(keys_of("eventName").collect::<Vec<_>>(), ["eventName"]);
    }
}
