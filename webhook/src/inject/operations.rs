//! JSON-patch operations on one object (RFC 6902), `add` only, in the order in which they are applied.

use std::collections::HashSet;

use serde_json::{Value, json};

/// The operations so far, and the parents that they have made.
pub(super) struct Operations<'a> {
    object: &'a Value,
    made: HashSet<String>,
    values: Vec<Value>,
}

impl<'a> Operations<'a> {
    pub(super) fn new(object: &'a Value) -> Self {
        Self {
            object,
            made: HashSet::new(),
            values: Vec::new(),
        }
    }

    pub(super) fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// Puts an element in front of an array, which is made where it is not there.
    pub(super) fn prepend(&mut self, array: &str, element: Value) {
        self.insert(array, "0", element);
    }

    /// Puts an element at the end of an array, which is made where it is not there.
    pub(super) fn append(&mut self, array: &str, element: Value) {
        self.insert(array, "-", element);
    }

    fn insert(&mut self, array: &str, place: &str, element: Value) {
        match self.exists(array) {
            true => self.add(&format!("{array}/{place}"), element),
            false => {
                self.add(array, json!([element]));
                self.made.insert(array.to_owned());
            }
        }
    }

    /// Sets a key of an object, which is made where it is not there.
    pub(super) fn set(&mut self, object: &str, key: &str, value: Value) {
        if !self.exists(object) {
            self.add(object, json!({}));
            self.made.insert(object.to_owned());
        }
        self.add(&format!("{object}/{}", escaped(key)), value);
    }

    /// Puts an element in front of an array that is there, at a path after the operations so far.
    pub(super) fn put_first(&mut self, array: &str, element: Value) {
        self.add(&format!("{array}/0"), element);
    }

    /// Sets a path whose parent is there after the operations so far.
    pub(super) fn put(&mut self, path: &str, value: Value) {
        self.add(path, value);
    }

    /// Null is as good as absent to the API server, but not to RFC 6902.
    fn exists(&self, pointer: &str) -> bool {
        let present = self
            .object
            .pointer(pointer)
            .is_some_and(|value| !value.is_null());
        present || self.made.contains(pointer)
    }

    fn add(&mut self, path: &str, value: Value) {
        self.values
            .push(json!({ "op": "add", "path": path, "value": value }));
    }
}

/// A key in a JSON pointer (RFC 6901).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
