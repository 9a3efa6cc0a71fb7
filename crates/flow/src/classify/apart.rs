//! Keeps what anybody may have sent apart from what AWS sent.
//!
//! INVARIANT: an event that is not trusted shares no key of the table with one that is. It chooses its own id, its time and whom it
//! names, so otherwise it could claim the id of a true event, count as one of a burst, or open a burst that takes the true ones in.

use cordon_core::event::{Event, Origin, Unreadable};
use cordon_detect::Tally;

/// The event, with ids of its own room where it is not trusted.
pub(super) fn event(event: Event) -> Event {
    if event.origin.may_enforce() {
        return event;
    }
    Event { id: event.id.untrusted(), shared_id: event.shared_id.map(|id| id.untrusted()), ..event }
}

/// The same for one that cannot be judged.
pub(super) fn unreadable(unreadable: Unreadable) -> Unreadable {
    if unreadable.origin.may_enforce() {
        return unreadable;
    }
    Unreadable { id: unreadable.id.untrusted(), ..unreadable }
}

/// What an event adds to counts of its own room. No rule is called so: `?` is in no rule's id.
pub(super) fn tallies(tallies: Vec<Tally>, origin: Origin) -> Vec<Tally> {
    if origin.may_enforce() {
        return tallies;
    }
    tallies.into_iter().map(|tally| Tally { key: format!("?untrusted#{}", tally.key), ..tally }).collect()
}
