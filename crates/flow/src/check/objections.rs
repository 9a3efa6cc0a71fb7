//! Why an exception that stands does not count: by who gave it, when, and whether what stands is what they gave.

use cordon_core::Principal;
use cordon_store::{Change, Provenance};
use jiff::Timestamp;

/// `given by … at …`, for a sentence.
#[must_use]
pub fn said(provenance: &Provenance) -> String {
    let what = match provenance.change {
        Change::Given => "given",
        Change::TakenAway => "taken away",
        Change::Renamed => "brought along under a new name",
    };
    let when = provenance.at.map_or_else(|| "at an unknown time".to_owned(), |at| format!("at {at}"));
    format!("{what} by `{}` {when}", provenance.by)
}

/// Why what stands in IAM is not what the last known event left, in a sentence: then somebody whom nobody knows changed it since,
/// by a call that CloudTrail has not delivered yet or never will. `standing` is the tag's value; nothing for a membership.
#[must_use]
pub fn contradiction(provenance: &Provenance, what: &str, standing: Option<&str>) -> Option<String> {
    let (by, at) = (&provenance.by, provenance.at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string()));
    match (provenance.change, provenance.value.as_deref(), standing) {
        (Change::TakenAway, ..) => Some(format!(
            "{what} stands although `{by}` took it away at {at}, and nobody knows who gave it again, so it does not count"
        )),
        (Change::Given, Some(given), Some(standing)) if given != standing => {
            Some(format!("{what} is not what `{by}` set at {at}, and nobody knows who changed it since, so it does not count"))
        }
        (Change::Given | Change::Renamed, ..) => None,
    }
}

/// Why a grant does not count for an incident of `actor` at `event_time`, in a sentence; `None` where it counts.
#[must_use]
pub fn objection(
    provenance: &Provenance,
    what: &str,
    actor: Option<&Principal>,
    event_time: Timestamp,
    min_age_hours: u32,
) -> Option<String> {
    let done = match provenance.change {
        Change::Given => "was given",
        Change::TakenAway => "was changed",
        Change::Renamed => "came under this name",
    };
    let by_actor = actor.is_some_and(|actor| actor.has_arn(&provenance.by));
    if by_actor {
        return Some(format!("{what} {done} by the actor, so it does not count"));
    }
    let Some(at) = provenance.at else { return Some(format!("nobody knows since when {what} stands, so it does not count")) };
    let age_hours = event_time.duration_since(at).as_secs_f64() / 3_600.0;
    if age_hours < f64::from(min_age_hours) {
        return Some(format!(
            "{what} {done} by `{}` at {at}, less than {min_age_hours} hours before the event, so it does not count",
            provenance.by
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use cordon_core::PrincipalKind;

    use super::*;

    fn given(event: &str, value: &str) -> Provenance {
        Provenance {
            by: "arn:aws:iam::111111111111:user/alice".to_owned(),
            at: None,
            event: event.to_owned(),
            change: Change::Given,
            value: Some(value.to_owned()),
            former: None,
            moved: None,
            earlier: Vec::new(),
            version: 0,
        }
    }

    #[test]
    fn the_actor_is_known_with_and_without_a_path_and_in_any_spelling() {
        let mallory = Principal::new(PrincipalKind::User, "111111111111".parse().unwrap(), "mallory");
        let check = |arn: &str, expected: bool| assert_eq!(mallory.has_arn(arn), expected, "{arn}");
        check("arn:aws:iam::111111111111:user/mallory", true);
        check("arn:aws:iam::111111111111:user/ops/Mallory", true);
        check("arn:aws:iam::111111111111:user/mallory2", false);
        check("arn:aws:iam::111111111111:role/mallory", false);
        check("arn:aws:iam::222222222222:user/mallory", false);
        check("an AWS service", false);
    }

    #[test]
    fn a_grant_by_the_actor_or_a_fresh_one_does_not_count() {
        let mallory = Principal::new(PrincipalKind::User, "111111111111".parse().unwrap(), "mallory");
        let at: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-01-03T04:00:00Z".parse().unwrap();
        let by = |by: &str| Provenance { by: by.to_owned(), at: Some(at), ..given("e", "x") };
        let check = |provenance: &Provenance, time| objection(provenance, "the tag", Some(&mallory), time, 24);
        assert!(check(&by(&mallory.arn()), later).unwrap().contains("by the actor"));
        assert!(check(&by("arn:aws:iam::111111111111:user/alice"), at).unwrap().contains("less than 24 hours"));
        assert_eq!(check(&by("arn:aws:iam::111111111111:user/alice"), later), None);
        assert!(check(&Provenance { at: None, ..by("x") }, later).is_some());
    }
}
