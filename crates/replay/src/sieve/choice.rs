//! By which of the tests in a rule's need its records are told: those that hold in the fewest.

use cordon_detect::{Need, Test};

/// A field's test out of a need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'n> {
    pub(super) path: &'n str,
    pub(super) test: &'n Test,
}

/// Tests of which at least one holds in every record that meets the need; `None` where there are none.
pub(super) fn cover(need: &Need) -> Option<Vec<Choice<'_>>> {
    match need {
        Need::Anything => None,
        Need::Field { path, test } => Some(vec![Choice { path, test }]),
        Need::Any(parts) => parts.iter().map(cover).collect::<Option<Vec<_>>>().map(|covers| covers.concat()),
        Need::All(parts) => parts.iter().filter_map(cover).min_by_key(|cover| commonness(cover)),
    }
}

/// Higher where more of ordinary traffic passes.
fn commonness(cover: &[Choice<'_>]) -> u32 {
    cover.iter().map(|choice| commonness_of(choice)).max().unwrap_or_default()
}

fn commonness_of(choice: &Choice<'_>) -> u32 {
    match (choice.path, choice.test) {
        ("eventName", Test::Equals(_)) => 0,
        ("eventName", _) => 1,
        ("userIdentity.type", Test::Equals(kind)) if kind == "root" => 2,
        ("userAgent" | "errorCode" | "errorMessage" | "eventType", _) => 3,
        ("userIdentity.type", _) => 9,
        ("eventSource", _) => 5,
        (path, _) if path.starts_with("userIdentity.") => 6,
        // Keys that few records have; but what stands below is seldom a plain text.
        (_, _) => 7,
    }
}

/// The keys below which a field's value may stand: the last one of its path, and the whole path as one key.
pub(super) fn keys_of(path: &str) -> impl Iterator<Item = &str> {
    let last = path.rsplit('.').next().unwrap_or(path);
    std::iter::once(last).chain((last != path).then_some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(path: &str, text: &str) -> Need {
        Need::Field { path: path.to_owned(), test: Test::Equals(text.to_owned()) }
    }

    #[track_caller]
    fn check(need: &Need, expected: Option<&[&str]>) {
        let paths: Option<Vec<&str>> = cover(need).map(|cover| cover.iter().map(|choice| choice.path).collect());
        assert_eq!(paths.as_deref(), expected);
    }

    #[test]
    fn every_alternative_needs_a_test_and_of_several_conditions_one_does() {
        let (name, source, kind) = (field("eventName", "a"), field("eventSource", "b"), field("userIdentity.type", "root"));
        check(&Need::All(vec![source.clone(), name.clone()]), Some(&["eventName"]));
        check(&Need::All(vec![Need::Anything, source.clone()]), Some(&["eventSource"]));
        check(&Need::Any(vec![name.clone(), kind.clone()]), Some(&["eventName", "userIdentity.type"]));
        check(&Need::Any(vec![name.clone(), Need::Anything]), None);
        check(&Need::All(vec![source, Need::Any(vec![name, kind])]), Some(&["eventName", "userIdentity.type"]));
        check(&Need::Anything, None);
        check(&Need::Any(vec![]), Some(&[]));
    }

    #[test]
    fn a_nested_field_may_also_be_one_key() {
        assert_eq!(keys_of("userIdentity.type").collect::<Vec<_>>(), ["type", "userIdentity.type"]);
        assert_eq!(keys_of("eventName").collect::<Vec<_>>(), ["eventName"]);
    }
}
