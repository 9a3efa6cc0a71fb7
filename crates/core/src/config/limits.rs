//! `[limits]`: how much Cordon does without asking, and for how long after an event.

use jiff::{SignedDuration, Timestamp};

use super::reader::Section;

/// How much Cordon does without asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The number of incidents in a clock hour in which Cordon may change something before it asks. Above it every incident asks;
    /// 0 always asks. Approved changes are not counted.
    pub enforcements_per_hour: u32,
    /// An older event only alerts.
    pub max_event_age_minutes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { enforcements_per_hour: 10, max_event_age_minutes: 24 * 60 }
    }
}

impl Limits {
    /// The largest `enforcements_per_hour`: the enforcements of an hour are kept in one item of the table.
    pub const ENFORCEMENTS_MAX: u32 = 1_000;
    /// The largest `max_event_age_minutes`, fourteen days: the dead-letter queue keeps an event that long.
    pub const AGE_MAX_MINUTES: u32 = 14 * 24 * 60;

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            enforcements_per_hour: section.within(
                "enforcements_per_hour",
                default.enforcements_per_hour,
                0..=Self::ENFORCEMENTS_MAX,
            ),
            max_event_age_minutes: section.within(
                "max_event_age_minutes",
                default.max_event_age_minutes,
                1..=Self::AGE_MAX_MINUTES,
            ),
        }
    }

    /// Why an event is too old to be answered by a change, in a sentence; `None` if it is not.
    #[must_use]
    pub fn too_old(&self, event_time: Timestamp, now: Timestamp) -> Option<String> {
        let allowed = SignedDuration::from_mins(i64::from(self.max_event_age_minutes));
        let age = now.duration_since(event_time);
        (age > allowed).then(|| {
            let (hours, minutes) = (age.as_hours(), age.as_mins() % 60);
            format!(
                "the event is {hours} h {minutes} min old, and limits.max_event_age_minutes is {}: see what has become of it, and contain it by hand",
                self.max_event_age_minutes
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_too_old_once_the_limit_has_passed() {
        let limits = Limits { max_event_age_minutes: 60, ..Limits::default() };
        let event: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
        let check = |now: &str, old: bool| assert_eq!(limits.too_old(event, now.parse().unwrap()).is_some(), old, "{now}");
        check("2026-01-02T04:00:00Z", false);
        check("2026-01-02T04:00:01Z", true);
        // A clock that is behind makes no event old.
        check("2026-01-02T02:00:00Z", false);
        let said = limits.too_old(event, "2026-01-03T05:30:00Z".parse().unwrap()).unwrap();
        assert!(said.contains("26 h 30 min") && said.contains("max_event_age_minutes is 60"), "{said}");
    }
}
