//! JSON patches of nothing but `add`, on an object that stays as it is everywhere else.
//!
//! An object is never decoded into a type and written back: fields that this program does not know would be lost, and
//! another webhook's work with them.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation};
use serde_json::{Map, Value};

/// Operations in the order they are applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch {
    operations: Vec<PatchOperation>,
}

impl Patch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The operations.
    pub fn operations(&self) -> &[PatchOperation] {
        &self.operations
    }

    /// The patch as JSON text.
    pub fn to_json(&self) -> String {
        let texts: Vec<String> = self.operations.iter().map(ToString::to_string).collect();
        format!("[{}]", texts.join(","))
    }

    /// Changes `object`.
    ///
    /// # Errors
    /// The patch was made for another object.
    pub fn apply(&self, object: &mut Value) -> Result<(), json_patch::PatchError> {
        json_patch::patch(object, &self.operations)
    }

    /// Adds fields to the object at `parent`, and that object where it is absent or null.
    pub fn add_fields(&mut self, root: &Value, parent: &[&str], fields: Vec<(&str, Value)>) {
        if fields.is_empty() {
            return;
        }
        if find(root, parent).is_some_and(Value::is_object) {
            for (key, value) in fields {
                self.add(parent, key, value);
            }
            return;
        }
        let fields: Map<String, Value> = fields
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        self.add_whole(parent, Value::Object(fields));
    }

    /// Puts items before the others of the list at `parent`, and makes that list where it is absent, null or empty.
    pub fn prepend(&mut self, root: &Value, parent: &[&str], items: Vec<Value>) {
        if items.is_empty() {
            return;
        }
        if is_filled(root, parent) {
            for (index, item) in items.into_iter().enumerate() {
                self.add(parent, &index.to_string(), item);
            }
        } else {
            self.add_whole(parent, Value::Array(items));
        }
    }

    /// Puts items behind the others of the list at `parent`, and makes that list where it is absent, null or empty.
    pub fn append(&mut self, root: &Value, parent: &[&str], items: Vec<Value>) {
        if items.is_empty() {
            return;
        }
        if is_filled(root, parent) {
            for item in items {
                self.add(parent, "-", item);
            }
        } else {
            self.add_whole(parent, Value::Array(items));
        }
    }

    fn add_whole(&mut self, path: &[&str], value: Value) {
        if let Some((key, parent)) = path.split_last() {
            self.add(parent, key, value);
        }
    }

    fn add(&mut self, parent: &[&str], key: &str, value: Value) {
        // Tokens are escaped on the way in: an annotation's key has a `/`.
        let path = PointerBuf::from_tokens(parent.iter().copied().chain([key]));
        self.operations
            .push(PatchOperation::Add(AddOperation { path, value }));
    }
}

fn find<'a>(root: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(root, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}

fn is_filled(root: &Value, path: &[&str]) -> bool {
    find(root, path)
        .and_then(Value::as_array)
        .is_some_and(|items| !items.is_empty())
}

#[cfg(test)]
mod tests {
    use super::Patch;
    use serde_json::json;

    #[test]
    fn parents_are_made_only_where_they_are_absent() {
        let pod = json!({
            "metadata": {"annotations": {"a/b": "1"}},
            "spec": {"volumes": [{"name": "v"}], "initContainers": null, "containers": [{"env": []}, {"env": [{"name": "X"}]}]},
        });
        let mut patch = Patch::default();
        patch.add_fields(
            &pod,
            &["metadata", "annotations"],
            vec![("c/d", json!("2"))],
        );
        patch.add_fields(
            &pod,
            &["metadata", "labels"],
            vec![("e", json!("3")), ("f~", json!("4"))],
        );
        patch.append(&pod, &["spec", "volumes"], vec![json!({"name": "w"})]);
        patch.prepend(
            &pod,
            &["spec", "initContainers"],
            vec![json!({"name": "s"})],
        );
        patch.prepend(
            &pod,
            &["spec", "containers", "0", "env"],
            vec![json!({"name": "A"})],
        );
        patch.prepend(
            &pod,
            &["spec", "containers", "1", "env"],
            vec![json!({"name": "A"}), json!({"name": "B"})],
        );
        patch.append(&pod, &["spec", "nothing"], vec![]);
        let paths: Vec<String> = patch
            .operations()
            .iter()
            .map(|operation| operation.path().to_string())
            .collect();
        assert_eq!(
            paths,
            [
                "/metadata/annotations/c~1d",
                "/metadata/labels",
                "/spec/volumes/-",
                "/spec/initContainers",
                "/spec/containers/0/env",
                "/spec/containers/1/env/0",
                "/spec/containers/1/env/1",
            ]
        );
        let mut patched = pod.clone();
        patch.apply(&mut patched).unwrap();
        assert_eq!(
            patched,
            json!({
                "metadata": {"annotations": {"a/b": "1", "c/d": "2"}, "labels": {"e": "3", "f~": "4"}},
                "spec": {
                    "volumes": [{"name": "v"}, {"name": "w"}],
                    "initContainers": [{"name": "s"}],
                    "containers": [
                        {"env": [{"name": "A"}]},
                        {"env": [{"name": "A"}, {"name": "B"}, {"name": "X"}]},
                    ],
                },
            })
        );
    }

    #[test]
    fn a_patch_is_json() {
        let mut patch = Patch::default();
        assert_eq!(patch.to_json(), "[]");
        assert!(patch.is_empty());
        patch.append(&json!({}), &["a"], vec![json!(1)]);
        assert_eq!(patch.to_json(), r#"[{"op":"add","path":"/a","value":[1]}]"#);
    }
}
