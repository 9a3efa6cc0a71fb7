//! Whether the incident of a burst answers what one of its events was reported for by itself.

use cordon_core::{Detection, RemedyKind};

/// Whether the rules that an event matched by itself want something done that a burst's response does not do: to undo the call, or
/// to stop the actor in another way. Such an event must not vanish in the burst's incident.
pub(crate) fn wants_more(own: &[Detection], burst: &Detection) -> bool {
    let given = burst.response.as_ref().map(|response| response.contain.as_slice()).unwrap_or_default();
    own.iter()
        .filter_map(|detection| detection.response.as_ref())
        .any(|response| !response.revert.is_empty() || response.contain.iter().any(|wanted| !is_given(*wanted, given)))
}

fn is_given(wanted: RemedyKind, given: &[RemedyKind]) -> bool {
    given.contains(&wanted) || (wanted == RemedyKind::DenyIam && given.contains(&RemedyKind::DenyAll))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_core::{Level, Response};

    fn rule(response: Option<(&[RemedyKind], &[RemedyKind])>) -> Detection {
        Detection {
            rule: "rule".parse().unwrap(),
            title: String::new(),
            author: String::new(),
            level: Level::High,
            description: String::new(),
            tags: vec![],
            response: response.map(|(revert, contain)| Response {
                revert: revert.to_vec(),
                contain: contain.to_vec(),
                gate: Default::default(),
                exceptions: vec![],
            }),
        }
    }

    #[test]
    fn what_a_burst_does_not_do_an_event_wants_for_itself() {
        use RemedyKind::{DenyAll, DenyIam, DetachPolicy, RevokeSessions};
        let burst = |contain: &[RemedyKind]| rule(Some((&[], contain)));
        let wants = |own: Detection, burst: &Detection| wants_more(&[rule(None), own], burst);
        assert!(wants(rule(Some((&[DetachPolicy], &[]))), &burst(&[DenyIam])));
        assert!(wants(rule(Some((&[], &[DenyIam]))), &rule(None)));
        assert!(wants(rule(Some((&[], &[DenyIam, RevokeSessions]))), &burst(&[DenyIam])));
        assert!(!wants(rule(Some((&[], &[DenyIam]))), &burst(&[DenyAll])));
        assert!(!wants(rule(None), &burst(&[])));
    }
}
