use super::*;
use cordon_core::Level;
use proptest::prelude::*;

fn tally(at_least: usize, span_seconds: i64, value: Option<&str>) -> Tally {
    let detection = Detection {
        rule: "burst".parse().unwrap(),
        title: String::new(),
        author: String::new(),
        level: Level::Medium,
        description: String::new(),
        tags: vec![],
        response: None,
    };
    Tally {
        detection: Arc::new(detection),
        key: "burst#a".to_owned(),
        value: value.map(str::to_owned),
        what: "X".to_owned(),
        at_least,
        span_seconds,
        only_new: false,
    }
}

fn id(n: impl std::fmt::Display) -> EventId {
    format!("e-{n}").parse().unwrap()
}

#[test]
fn enough_events_within_the_span_open_one_burst_and_later_ones_join_it() {
    let (mut counts, tally) = (MemoryCounts::default(), tally(3, 60, None));
    let mut count = |n: i64, at| counts.count(&tally, &id(n), at);
    assert_eq!([count(1, 100), count(2, 110)], [Count::Below, Count::Below]);
    assert_eq!(count(3, 120), Count::Opened);
    assert_eq!(count(3, 120), Count::Opened, "a retry of the event that opened it");
    assert_eq!(count(4, 130), Count::Joined("e-3".to_owned()));
    assert_eq!(count(1, 100), Count::Joined("e-3".to_owned()), "a redelivery of one that was too early");
    assert_eq!(count(5, 1_000), Count::Below, "alone again");
}

#[test]
fn a_window_slides_and_its_end_is_not_in_it() {
    let (mut counts, tally) = (MemoryCounts::default(), tally(3, 60, None));
    let mut count = |n: i64, at| counts.count(&tally, &id(n), at);
    assert_eq!([count(1, 0), count(2, 50), count(3, 60)], [Count::Below, Count::Below, Count::Below]);
    assert_eq!(count(4, 109), Count::Opened, "across any boundary of minutes");
}

#[test]
fn an_event_is_counted_once_and_a_late_one_still_completes_a_burst() {
    let (mut counts, tally) = (MemoryCounts::default(), tally(3, 60, None));
    let mut count = |n: i64, at| counts.count(&tally, &id(n), at);
    for _ in 0..10 {
        assert_eq!(count(1, 0), Count::Below);
    }
    assert_eq!([count(3, 50), count(2, 25)], [Count::Below, Count::Opened]);
}

#[test]
fn distinct_values_are_counted_and_not_their_repetitions() {
    let mut counts = MemoryCounts::default();
    let mut count = |n: i64, value: &str| counts.count(&tally(2, 60, Some(value)), &id(n), n);
    assert_eq!([count(1, "ListUsers"), count(2, "ListUsers")], [Count::Below, Count::Below]);
    assert_eq!(count(3, "ListRoles"), Count::Opened);
}

#[test]
fn a_burst_that_never_ends_is_news_again_after_a_day() {
    let (mut counts, tally) = (MemoryCounts::default(), tally(2, 60, None));
    let opened = (0..90_000).step_by(30).filter(|at| counts.count(&tally, &id(at), *at) == Count::Opened).count();
    assert_eq!(opened, 2);
}

#[test]
fn only_a_value_that_was_not_there_before_is_news() {
    let mut counts = MemoryCounts::default();
    let day = 24 * 3600;
    let mut count =
        |n: i64, value: &str, at: i64| counts.count(&Tally { only_new: true, ..tally(2, 7 * day, Some(value)) }, &id(n), at);
    assert_eq!([count(1, "aws-cli", 0), count(2, "aws-cli", 60)], [Count::Below, Count::Below], "the first of all");
    assert_eq!(count(3, "TruffleHog", 120), Count::Opened);
    assert_eq!(count(3, "TruffleHog", 120), Count::Opened, "a retry of the event that opened it");
    assert_eq!([count(4, "TruffleHog", 130), count(5, "aws-cli", 3 * day)], [Count::Below, Count::Below], "both are known");
    assert_eq!(count(6, "Boto3", 4 * day), Count::Opened);
    assert_eq!(count(7, "Pacu", 4 * day + 60), Count::Joined("e-6".to_owned()));
    assert_eq!(count(7, "Pacu", 4 * day + 60), Count::Joined("e-6".to_owned()), "a retry of one that joined");
    assert_eq!(count(8, "TruffleHog", 10 * day + 130), Count::Opened, "not seen for a week, while others were");
}

#[test]
fn a_burst_can_be_given_the_name_of_what_it_became_part_of() {
    let (mut window, tally) = (Window::default(), tally(1, 60, None));
    assert_eq!(window.add(&tally, &id(1), 0, "own"), Count::Opened);
    window.rename("another", "wrong");
    window.rename("own", "theirs");
    assert_eq!(window.add(&tally, &id(2), 1, "mine"), Count::Joined("theirs".to_owned()));
}

proptest! {
    /// Brute force over all events says when it is reached; the order of arrival does not matter to whether it is.
    #[test]
    fn a_burst_is_found_exactly_where_there_is_one(times in proptest::collection::vec(0i64..400, 1..30), at_least in 1usize..6, seed in any::<u64>()) {
        let span = 60;
        let mut sorted = times.clone();
        sorted.sort_unstable();
        let expected = sorted.iter().any(|start| sorted.iter().filter(|at| **at >= *start && **at - start < span).count() >= at_least);
        let tally = tally(at_least, span, None);
        let mut counts = MemoryCounts::default();
        let in_order = sorted.iter().enumerate().any(|(n, at)| counts.count(&tally, &id(n), *at) != Count::Below);
        prop_assert_eq!(in_order, expected);
        // Any order, within what is kept for late events.
        let mut shuffled: Vec<(usize, i64)> = times.iter().copied().filter(|at| *at < 110).enumerate().collect();
        let few = shuffled.len() <= at_least * 2;
        shuffled.sort_by_key(|(n, _)| (*n as u64).wrapping_mul(seed | 1));
        let near: Vec<i64> = shuffled.iter().map(|(_, at)| *at).collect();
        let expected = near.iter().any(|start| near.iter().filter(|at| **at >= *start && **at - start < span).count() >= at_least);
        let mut counts = MemoryCounts::default();
        let found = shuffled.iter().any(|(n, at)| counts.count(&tally, &id(n), *at) != Count::Below);
        prop_assert!(!found || expected);
        prop_assert!(!few || found == expected, "{:?}", near);
    }

    #[test]
    fn a_window_stays_small(times in proptest::collection::vec(any::<i64>(), 0..200), at_least in 1usize..10, span in 1i64..1_000_000) {
        let tally = tally(at_least, span, None);
        let mut window = Window::default();
        for (n, at) in times.iter().enumerate() {
            window.add(&tally, &id(n), *at, "x");
            prop_assert!(window.seen().count() <= at_least * 2);
        }
    }
}
