//! What a watch has brought: the objects of one kind, by namespace and name.

use std::collections::BTreeMap;
use std::fmt;

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Key {
        Key {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a watch brings: at first, and after a long interruption, a list; then changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change<V> {
    /// A list begins.
    Begin,
    /// An object of the list.
    Listed(Key, V),
    /// The list is complete: what was not in it is gone.
    Done,
    /// An object is new or changed.
    Put(Key, V),
    /// An object is gone, or none of those that are looked at any more.
    Gone(Key),
}

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Known<V> {
    items: BTreeMap<Key, V>,
    /// The list that is being read; until it is complete, what was known before holds.
    list: BTreeMap<Key, V>,
    synced: bool,
}

/// An object that is not what it was, and what it was.
#[derive(Debug, PartialEq)]
pub(crate) struct Changed<V> {
    pub(crate) key: Key,
    pub(crate) old: Option<V>,
}

impl<V: PartialEq> Known<V> {
    pub(crate) fn new() -> Known<V> {
        Known {
            items: BTreeMap::new(),
            list: BTreeMap::new(),
            synced: false,
        }
    }

    /// Takes what the watch brings, and tells what differs from before.
    pub(crate) fn take(&mut self, change: Change<V>) -> Vec<Changed<V>> {
        match change {
            Change::Begin => {
                self.list.clear();
                Vec::new()
            }
            Change::Listed(key, value) => {
                self.list.insert(key, value);
                Vec::new()
            }
            Change::Done => {
                self.synced = true;
                let list = std::mem::take(&mut self.list);
                self.replace(list)
            }
            Change::Put(key, value) => {
                if self.items.get(&key) == Some(&value) {
                    return Vec::new();
                }
                let old = self.items.insert(key.clone(), value);
                vec![Changed { key, old }]
            }
            Change::Gone(key) => {
                let old = self.items.remove(&key);
                old.map(|old| Changed {
                    key,
                    old: Some(old),
                })
                .into_iter()
                .collect()
            }
        }
    }

    fn replace(&mut self, list: BTreeMap<Key, V>) -> Vec<Changed<V>> {
        let mut before = std::mem::replace(&mut self.items, list);
        let mut changed = Vec::new();
        for (key, value) in &self.items {
            let old = before.remove(key);
            if old.as_ref() != Some(value) {
                changed.push(Changed {
                    key: key.clone(),
                    old,
                });
            }
        }
        let gone = before.into_iter().map(|(key, old)| Changed {
            key,
            old: Some(old),
        });
        changed.extend(gone);
        changed
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&V> {
        self.items.get(key)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.items.keys()
    }

    /// Whether the first list is complete: before that, what is missing says nothing.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Changed, Key, Known};

    fn key(name: &str) -> Key {
        Key::new("factory", name)
    }

    fn changed(name: &str, old: Option<u8>) -> Changed<u8> {
        Changed {
            key: key(name),
            old,
        }
    }

    #[test]
    fn a_list_replaces_what_was_known_when_it_is_complete() {
        let mut known = Known::new();
        for name in ["kept", "changed", "gone"] {
            known.take(Change::Put(key(name), 1));
        }
        assert!(!known.is_synced());
        for change in [
            Change::Begin,
            Change::Listed(key("half"), 1),
            Change::Begin,
            Change::Listed(key("kept"), 1),
            Change::Listed(key("changed"), 2),
            Change::Listed(key("new"), 3),
        ] {
            assert_eq!(known.take(change), []);
        }
        assert_eq!(known.get(&key("changed")), Some(&1));
        let differs = known.take(Change::Done);
        assert_eq!(
            differs,
            [
                changed("changed", Some(1)),
                changed("new", None),
                changed("gone", Some(1))
            ]
        );
        assert!(known.is_synced());
        assert_eq!(known.get(&key("gone")), None);
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let mut known = Known::new();
        assert_eq!(known.take(Change::Put(key("a"), 1)), [changed("a", None)]);
        assert_eq!(known.take(Change::Put(key("a"), 1)), []);
        assert_eq!(
            known.take(Change::Put(key("a"), 2)),
            [changed("a", Some(1))]
        );
        assert_eq!(known.take(Change::Gone(key("b"))), []);
        assert_eq!(known.take(Change::Gone(key("a"))), [changed("a", Some(2))]);
    }
}
