//! Which endpoint is looked at next, and when. Each is in the queue once, so its bound is the number of endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::known::Key;

/// The queue. An endpoint that is being worked on is not given out a second time.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    due: BTreeMap<Key, Instant>,
    order: BTreeSet<(Instant, Key)>,
    /// Those that are worked on, and when they are due again.
    busy: BTreeMap<Key, Option<Instant>>,
}

impl Queue {
    /// Looks at an endpoint at this time, or earlier if that was said before.
    pub(crate) fn push(&mut self, key: &Key, at: Instant) {
        if let Some(again) = self.busy.get_mut(key) {
            *again = Some(again.map_or(at, |before| before.min(at)));
            return;
        }
        match self.due.get(key) {
            Some(before) if *before <= at => return,
            Some(before) => {
                self.order.remove(&(*before, key.clone()));
            }
            None => {}
        }
        self.due.insert(key.clone(), at);
        self.order.insert((at, key.clone()));
    }

    /// The endpoint that is due the longest; its work is to be ended with [`Queue::finish`].
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Key> {
        let (at, _) = self.order.first()?;
        if *at > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.due.remove(&key);
        self.busy.insert(key.clone(), None);
        Some(key)
    }

    /// The work on an endpoint is done.
    pub(crate) fn finish(&mut self, key: &Key) {
        if let Some(Some(at)) = self.busy.remove(key) {
            self.push(key, at);
        }
    }

    /// When the next endpoint is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Key, Queue};
    use crate::controller::plan::tests::start;

    #[test]
    fn the_earliest_comes_first_and_each_once() {
        let (a, b) = (Key::new("n", "a"), Key::new("n", "b"));
        let now = start();
        let later = now + Duration::from_secs(5);
        let mut queue = Queue::default();
        queue.push(&a, later);
        queue.push(&b, now);
        queue.push(&b, later);
        assert_eq!(queue.pop(now), Some(b.clone()));
        assert_eq!(queue.pop(now), None);
        assert_eq!(queue.next(), Some(later));
        queue.push(&a, now);
        assert_eq!(queue.pop(now), Some(a));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn what_is_worked_on_waits_for_its_end() {
        let key = Key::new("n", "a");
        let now = start();
        let later = now + Duration::from_secs(5);
        let mut queue = Queue::default();
        queue.push(&key, now);
        assert_eq!(queue.pop(now), Some(key.clone()));
        queue.push(&key, later);
        queue.push(&key, now);
        queue.push(&key, later);
        assert_eq!(queue.pop(later), None);
        queue.finish(&key);
        assert_eq!(queue.pop(now), Some(key.clone()));
        queue.finish(&key);
        assert_eq!(queue.pop(later), None);
    }
}
