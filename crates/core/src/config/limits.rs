//! `[limits]`: how much Cordon does by itself, and for how long after an event.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How much Cordon does by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Incidents an hour, by the clock, in which something may be changed before anybody was asked. Above it everything asks;
    /// 0 always asks. What a person approves is not counted.
    #[serde(default = "ten")]
    pub enforcements_per_hour: u32,
    /// An older event only alerts.
    #[serde(default = "a_day")]
    pub max_event_age_minutes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { enforcements_per_hour: ten(), max_event_age_minutes: a_day() }
    }
}

fn ten() -> u32 {
    10
}

fn a_day() -> u32 {
    24 * 60
}

impl Limits {
    /// Each enforcement of an hour stands in one item of the table.
    pub const ENFORCEMENTS_MAX: u32 = 1_000;
    /// The dead-letter queue keeps an event for fourteen days.
    pub const AGE_MAX_MINUTES: u32 = 14 * 24 * 60;

    /// Why an event of that time is too old to be answered by a change, in a sentence.
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
