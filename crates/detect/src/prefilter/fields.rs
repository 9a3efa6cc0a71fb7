//! Which fields of a record a rule reads: a replay looks up no others.
//!
//! INVARIANT: a field that is not named here cannot change whether the rule matches. A rule that may look anywhere names nothing.

use std::collections::BTreeSet;

use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaValue};

use crate::rules::Rule;

/// The paths of the fields that a rule reads, `cordon.*` among them; `None` if it may read any field.
#[must_use]
pub fn fields(rule: &Rule) -> Option<BTreeSet<&str>> {
    let mut fields = BTreeSet::new();
    rule.sigma.detection.named.values().all(|detection| of_detection(detection, &mut fields)).then_some(fields)
}

/// Adds the fields of a selection; false if it may read others, too.
fn of_detection<'r>(detection: &'r Detection, fields: &mut BTreeSet<&'r str>) -> bool {
    match detection {
        Detection::AllOf(items) => items.iter().all(|item| of_item(item, fields)),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().all(|part| of_detection(part, fields)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => false,
    }
}

fn of_item<'r>(item: &'r DetectionItem, fields: &mut BTreeSet<&'r str>) -> bool {
    let names_another = item.field.modifiers.contains(&Modifier::FieldRef);
    let others = item.values.iter().filter(|_| names_another).map(|value| match value {
        SigmaValue::String(path) => Some(path.original.as_str()),
        _ => None,
    });
    std::iter::once(item.field.name.as_deref()).chain(others).all(|path| {
        let plain = path.filter(|path| is_plain(path));
        fields.extend(plain);
        plain.is_some()
    })
}

/// True for a path that begins as it reads: with no index and no escaped character.
pub(crate) fn is_plain(path: &str) -> bool {
    !path.contains(['[', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{RuleBook, RuleSource};

    #[track_caller]
    fn check(detection: &str, expected: Option<&[&str]>) {
        let text =
            format!("title: t\nname: r\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}\n");
        let book = RuleBook::load(vec![RuleSource::new("r.yml", text)]).map_err(|errors| format!("{errors:?}")).unwrap();
        let found = fields(&book.rules()[0]).map(|fields| fields.into_iter().collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected, "{detection}");
    }

    #[test]
    fn every_selection_counts_and_so_does_a_field_that_another_is_compared_with() {
        check(
            "  a: {eventName: x, userIdentity.type|contains: y}\n  b:\n    - {cordon.failed: 'true'}\n    - {c: null}\n  condition: a and not b",
            Some(&["c", "cordon.failed", "eventName", "userIdentity.type"]),
        );
        check("  a: {f|fieldref: g.h}\n  condition: a", Some(&["f", "g.h"]));
    }

    #[test]
    fn a_rule_that_may_look_anywhere_names_nothing() {
        check("  a: [word]\n  condition: a", None);
        check("  a: {'resources[0].type': x}\n  condition: a", None);
    }
}
