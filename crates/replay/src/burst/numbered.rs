//! Things that come again and again, kept once and known by their numbers.

use std::collections::HashMap;
use std::hash::Hash;

#[derive(Debug)]
pub(super) struct Numbered<T>(HashMap<T, u32>);

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Numbered<T> {
    /// The thing's number, and whether it is new.
    pub(super) fn number(&mut self, thing: T) -> (u32, bool) {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let number = *self.0.entry(thing).or_insert(next);
        (number, number == next)
    }

    /// The things by their numbers.
    pub(super) fn in_order(&self) -> Vec<&T> {
        let mut things: Vec<(&T, u32)> = self.0.iter().map(|(thing, number)| (thing, *number)).collect();
        things.sort_unstable_by_key(|(_, number)| *number);
        things.into_iter().map(|(thing, _)| thing).collect()
    }
}
