//! The objects of the large cluster, and what watches tell of them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// The kinds that the webhook asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Endpoint,
    ConfigMap,
    Pod,
    Event,
}

/// Everything that is stored. All of it carries the webhook's labels.
#[derive(Default)]
pub(crate) struct Objects {
    version: u64,
    stored: BTreeMap<(Kind, String, String), Value>,
    log: Vec<(Kind, u64, String)>,
}

impl Kind {
    pub(crate) fn of_path(path: &str) -> Option<Kind> {
        [
            ("/dataflowendpoints", Kind::Endpoint),
            ("/configmaps", Kind::ConfigMap),
            ("/pods", Kind::Pod),
            ("/events", Kind::Event),
        ]
        .into_iter()
        .find_map(|(part, kind)| path.contains(part).then_some(kind))
    }

    const fn name(self) -> &'static str {
        match self {
            Kind::Endpoint => "DataflowEndpoint",
            Kind::ConfigMap => "ConfigMap",
            Kind::Pod => "Pod",
            Kind::Event => "Event",
        }
    }
}

impl Objects {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.stored
            .keys()
            .filter(|(other, ..)| *other == kind)
            .count()
    }

    /// How many endpoints have a status.
    pub(crate) fn with_status(&self) -> usize {
        let endpoints = self
            .stored
            .iter()
            .filter(|((kind, ..), _)| *kind == Kind::Endpoint);
        endpoints
            .filter(|(_, endpoint)| !endpoint["status"].is_null())
            .count()
    }

    /// Stores an object; what is equal makes no new version.
    pub(crate) fn put(&mut self, kind: Kind, mut object: Value) -> Result<Value> {
        let text = |key: &str| object["metadata"][key].as_str().map(str::to_owned);
        let name = text("name").context("an object must have a name")?;
        let key = (kind, text("namespace").unwrap_or_default(), name);
        let before = self.stored.get(&key);
        if let Some(before) = before {
            object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            if *before == object {
                return Ok(object);
            }
        }
        let event = match before {
            Some(_) => "MODIFIED",
            None => "ADDED",
        };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        object["kind"] = json!(kind.name());
        self.stored.insert(key, object.clone());
        let told = json!({"type": event, "object": object});
        self.log.push((kind, self.version, format!("{told}\n")));
        Ok(object)
    }

    /// Stores what the webhook applies.
    pub(crate) fn apply(&mut self, kind: Kind, applied: Value, status: bool) -> Result<Value> {
        if !status {
            return self.put(kind, applied);
        }
        let text = |key: &str| applied["metadata"][key].as_str().unwrap_or_default();
        let key = (kind, text("namespace").to_owned(), text("name").to_owned());
        let stored = self.stored.get(&key);
        let mut object = stored.context("a status is of something")?.clone();
        object["status"] = applied["status"].clone();
        self.put(kind, object)
    }

    /// A page of a list, or the object of one name in it.
    pub(crate) fn list(&self, kind: Kind, query: &str) -> Result<Value> {
        let parameter = |name: &str| {
            let mut pairs = query.split('&');
            pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let named =
            parameter("fieldSelector").and_then(|field| field.strip_prefix("metadata.name%3D"));
        let limit: usize = parameter("limit").map_or(Ok(usize::MAX), str::parse)?;
        let from: usize = parameter("continue").map_or(Ok(0), str::parse)?;
        let of_kind = self.stored.iter().filter(|((other, _, name), _)| {
            *other == kind && named.is_none_or(|named| name == named)
        });
        let mut items: Vec<&Value> = of_kind
            .skip(from)
            .take(limit.saturating_add(1))
            .map(|(_, object)| object)
            .collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let mut metadata = json!({"resourceVersion": self.version.to_string()});
        if more {
            metadata["continue"] = json!((from + limit).to_string());
        }
        Ok(json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items}))
    }

    /// What a watch is told that has seen everything up to `version`.
    pub(crate) fn events_after(&self, kind: Kind, version: u64) -> Vec<String> {
        let first = self.log.partition_point(|(_, told, _)| *told <= version);
        self.log[first..]
            .iter()
            .filter(|(other, ..)| *other == kind)
            .map(|(.., event)| event.clone())
            .collect()
    }
}
