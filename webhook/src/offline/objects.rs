//! The objects of a file: its documents, and the items of its lists.

use std::borrow::Cow;

use serde_json::Value;

use crate::inject::pod::text;
use crate::review::request::Kind;
use crate::workload::Workload;
use crate::yaml::Document;

/// Lists do not stand in lists; the limit keeps a made-up file from being followed for ever.
const LIST_DEPTH_MAX: usize = 4;

/// A file and what it says.
#[derive(Debug)]
pub struct Manifest {
    /// The file as it was named.
    pub file: String,
    /// Its documents.
    pub documents: Vec<Document>,
}

/// An object of a file.
#[derive(Debug)]
pub struct Object<'a> {
    /// Which document it is in.
    pub document: usize,
    /// Where it is there, as a JSON pointer.
    pub pointer: String,
    /// The object, with apiVersion and kind even where only its list says them.
    pub value: Cow<'a, Value>,
    /// What it is to this program.
    pub role: Role,
}

/// What an object is to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A pod.
    Pod,
    /// A workload with a pod template.
    Workload(Workload),
    /// A DataflowEndpoint.
    Endpoint,
    /// Anything else.
    Other,
}

impl Manifest {
    /// All objects in their order.
    pub fn objects(&self) -> Vec<Object<'_>> {
        let mut objects = Vec::new();
        for (document, found) in self.documents.iter().enumerate() {
            walk(
                document,
                String::new(),
                Cow::Borrowed(&found.value),
                0,
                &mut objects,
            );
        }
        objects
    }
}

impl Object<'_> {
    /// `kind/name`
    pub fn title(&self) -> String {
        let metadata = self.value.get("metadata").unwrap_or(&Value::Null);
        let name = [text(metadata, "name"), text(metadata, "generateName")];
        let name = name
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or("?");
        let kind = text(&self.value, "kind");
        format!("{}/{name}", if kind.is_empty() { "?" } else { kind })
    }

    /// Its namespace, or the given one where it says none.
    pub fn namespace<'a>(&'a self, default: &'a str) -> &'a str {
        let own = self
            .value
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if own.is_empty() { default } else { own }
    }

    /// Where its pod or pod template is below it: as a JSON pointer, and as Kubernetes writes paths.
    pub fn pod_place(&self) -> Option<(&'static str, &'static str)> {
        match self.role {
            Role::Pod => Some(("", "")),
            Role::Workload(workload) => {
                Some((workload.template_pointer(), workload.template_path()))
            }
            Role::Endpoint | Role::Other => None,
        }
    }

    /// Its pod or pod template.
    pub fn pod(&self) -> Option<&Value> {
        self.value.pointer(self.pod_place()?.0)
    }
}

fn walk<'a>(
    document: usize,
    pointer: String,
    value: Cow<'a, Value>,
    depth: usize,
    objects: &mut Vec<Object<'a>>,
) {
    let items = value
        .get("items")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let is_list =
        text(&value, "kind").ends_with("List") && value.get("items").is_some_and(Value::is_array);
    if is_list && depth < LIST_DEPTH_MAX {
        for index in 0..items {
            let item = item(&value, index);
            walk(
                document,
                format!("{pointer}/items/{index}"),
                item,
                depth + 1,
                objects,
            );
        }
        return;
    }
    // Only comments.
    if value.is_null() {
        return;
    }
    let role = role(&value);
    objects.push(Object {
        document,
        pointer,
        value,
        role,
    });
}

/// An item of a list, with the kind that a typed list gives it.
fn item<'a>(list: &Cow<'a, Value>, index: usize) -> Cow<'a, Value> {
    let item: Cow<'a, Value> = match list {
        Cow::Borrowed(list) => Cow::Borrowed(&list["items"][index]),
        Cow::Owned(list) => Cow::Owned(list["items"][index].clone()),
    };
    let kind = text(list, "kind").strip_suffix("List").unwrap_or_default();
    if kind.is_empty() || !item.is_object() || item.get("kind").is_some() {
        return item;
    }
    let mut typed = item.into_owned();
    typed["kind"] = kind.into();
    typed["apiVersion"] = list.get("apiVersion").cloned().unwrap_or_default();
    Cow::Owned(typed)
}

fn role(value: &Value) -> Role {
    let group = text(value, "apiVersion")
        .split_once('/')
        .map_or("", |(group, _)| group);
    match Kind::parse(group, text(value, "kind")) {
        Kind::Pod => Role::Pod,
        Kind::Endpoint => Role::Endpoint,
        Kind::Workload(workload) => Role::Workload(workload),
        Kind::Other => Role::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Manifest, Role};
    use crate::workload::Workload;
    use crate::yaml::documents;

    #[test]
    fn lists_are_opened() {
        let text = "\
kind: List
apiVersion: v1
items:
- {apiVersion: v1, kind: Pod, metadata: {generateName: app-}}
- {apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly, namespace: night}}
---
# nothing
---
apiVersion: connectivity.iotoperations.azure.com/v1
kind: DataflowEndpointList
items:
- metadata: {name: default}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
";
        let manifest = Manifest {
            file: "all.yaml".to_owned(),
            documents: documents(text).unwrap(),
        };
        let objects = manifest.objects();
        let found: Vec<(String, &str, Role)> = objects
            .iter()
            .map(|object| (object.title(), object.pointer.as_str(), object.role))
            .collect();
        assert_eq!(
            found,
            [
                ("Pod/app-".to_owned(), "/items/0", Role::Pod),
                (
                    "CronJob/nightly".to_owned(),
                    "/items/1",
                    Role::Workload(Workload::CronJob)
                ),
                (
                    "DataflowEndpoint/default".to_owned(),
                    "/items/0",
                    Role::Endpoint
                ),
                ("ConfigMap/other".to_owned(), "", Role::Other),
            ]
        );
        assert_eq!(objects[1].namespace("default"), "night");
        assert_eq!(objects[0].namespace("default"), "default");
    }
}
