//! `docs/endpoint-reference.md`, from the CRD: its descriptions are the doc comments of the types.

use std::collections::BTreeMap;
use std::fs;

use endpoint::Settings;
use serde_json::{Value, json};

use super::{GENERATED, compare, root, table};
use crate::resources::{resource, resources};

/// What comes before a default at the end of a description.
const DEFAULT: &str = "Default: ";

#[test]
fn the_fields_are_as_the_types_say() {
    compare("endpoint-reference.md", &page());
}

#[test]
fn every_default_that_is_told_is_the_one_that_is_used() {
    let identity = json!({
        "clientId": "00000000-0000-0000-0000-000000000001",
        "tenantId": "00000000-0000-0000-0000-000000000002",
    });
    let without = [
        json!({ "authentication": { "method": "SystemAssignedManagedIdentity" } }),
        json!({ "authentication": { "method": "UserAssignedManagedIdentity", "userAssignedManagedIdentitySettings": identity } }),
    ]
    .map(|mqtt| Settings::parse(&resource(mqtt)).unwrap().0.to_resource());
    let mut told = 0;
    walk("", &schema(), &mut |path, node| {
        let (_, Some(default)) = split_default(node) else {
            return;
        };
        // What an object stands for is told by its fields.
        if node["type"] == "object" {
            return;
        }
        told += 1;
        let pointer = path.replace('.', "/");
        let used = without
            .iter()
            .find_map(|settings| settings.pointer(&pointer));
        let used = used.map_or("none".to_owned(), plain);
        assert!(
            used == default || used == "none" && default == "the public roots",
            "{path}: told {default}, used {used}"
        );
    });
    assert!(told > 10, "the defaults must be found: {told}");
}

fn schema() -> Value {
    endpoint::crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Calls `see` with every field below this one and its path, objects before their fields.
fn walk(path: &str, schema: &Value, see: &mut impl FnMut(&str, &Value)) {
    for (name, node) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        see(&path, node);
        walk(&path, node, see);
        walk(&format!("{path}[]"), &node["items"], see);
    }
}

fn page() -> String {
    let schema = schema();
    let examples = examples();
    let mut page = format!(
        "# Fields of a DataflowEndpoint\n\n{GENERATED}\n\n\
        `apiVersion: connectivity.iotoperations.azure.com/v1` (or `v1beta1`, which is the same), `kind: DataflowEndpoint`. \
        `kubectl explain dataflowendpoint.spec.mqttSettings --recursive` shows the same of a cluster. \
        The examples are from files that the tests check; whole endpoints are in [authentication](authentication.md).\n"
    );
    section(&mut page, "", &schema, &examples);
    page += "\n## What is refused\n\n\
        By the rules of the custom resource definition, which hold while the webhook is away too. \
        The webhook refuses these and more, with the value that was most likely meant.\n\n";
    let rows: Vec<Vec<String>> = refusals(&schema)
        .into_iter()
        .map(|(path, message)| vec![format!("`{path}`"), message])
        .collect();
    page + &table(&["field", "message"], &rows)
}

/// The fields of an object, then the objects among them.
fn section(page: &mut String, path: &str, schema: &Value, examples: &BTreeMap<String, String>) {
    let fields = schema["properties"].as_object();
    let fields: Vec<_> = fields
        .into_iter()
        .flatten()
        .filter(|(name, _)| !path.is_empty() || !["apiVersion", "kind"].contains(&name.as_str()))
        .collect();
    if fields.is_empty() {
        return;
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let rows: Vec<Vec<String>> = fields
        .iter()
        .map(|(name, node)| {
            let (text, default) = split_default(node);
            let default = match (default, required.contains(&name.as_str())) {
                (Some(default), _) => default,
                (None, true) => "required".to_owned(),
                (None, false) => String::new(),
            };
            let example = examples.get(&format!("{path}.{name}"));
            vec![
                format!("`{name}`"),
                kind(node),
                default,
                text,
                example.map_or(String::new(), |example| format!("`{example}`")),
            ]
        })
        .collect();
    let title = if path.is_empty() {
        "The resource"
    } else {
        path
    };
    *page += &format!("\n## {title}\n\n");
    *page += &table(&["field", "type", "default", "meaning", "example"], &rows);
    for (name, node) in fields {
        section(page, &format!("{path}.{name}"), node, examples);
        section(page, &format!("{path}.{name}[]"), &node["items"], examples);
    }
}

/// The description without its default, and the default.
fn split_default(node: &Value) -> (String, Option<String>) {
    // Only `metadata` has none, see `crd.rs`.
    let text = node["description"].as_str();
    let text = text.unwrap_or("As of every resource of Kubernetes.");
    match text.split_once(DEFAULT) {
        Some((text, default)) => (
            text.trim_end().to_owned(),
            Some(default.trim_end_matches('.').to_owned()),
        ),
        None => (text.to_owned(), None),
    }
}

/// The type with its limits, or the words that are allowed.
fn kind(node: &Value) -> String {
    if let Some(words) = node["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .map(|word| format!("`{}`", plain(word)))
            .collect();
        return words.join(", ");
    }
    let kind = node["type"].as_str().unwrap_or_default();
    let limits = |least: &str, most: &str| (node[least].as_u64(), node[most].as_u64());
    let (least, most, unit) = match kind {
        "string" => {
            let (least, most) = limits("minLength", "maxLength");
            (least, most, " characters")
        }
        "array" => {
            let (least, most) = limits("minItems", "maxItems");
            (least, most, " items")
        }
        _ => {
            let (least, most) = limits("minimum", "maximum");
            (least, most, "")
        }
    };
    match (least, most) {
        (None, None) => kind.to_owned(),
        (None, Some(most)) => format!("{kind}, at most {most}{unit}"),
        (Some(least), None) => format!("{kind}, at least {least}{unit}"),
        (Some(least), Some(most)) => format!("{kind}, {least} to {most}{unit}"),
    }
}

/// Field and message of every rule, in the order of the fields.
fn refusals(schema: &Value) -> Vec<(String, String)> {
    let mut refusals = Vec::new();
    walk("", schema, &mut |path, node| {
        let rules = node["x-kubernetes-validations"].as_array();
        for rule in rules.into_iter().flatten() {
            let below = rule["fieldPath"].as_str().unwrap_or_default();
            let path = format!("{}{below}", path.trim_start_matches('.'));
            refusals.push((path, plain(&rule["message"])));
        }
    });
    refusals
}

/// A value for every field of a spec, from endpoints that are good.
fn examples() -> BTreeMap<String, String> {
    let mut good: Vec<Value> = Vec::new();
    let folder = root().join("deploy/examples");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let value: Value = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        if value["kind"] == "DataflowEndpoint" {
            good.push(value);
        }
    }
    good.extend(resources("seed").into_values());
    let mut examples = BTreeMap::new();
    for resource in &good {
        Settings::parse(resource).unwrap();
    }
    walk("", &schema(), &mut |path, node| {
        let pointer = path.replace('.', "/");
        let example = good.iter().find_map(|resource| resource.pointer(&pointer));
        match example.filter(|example| !example.is_object() && !example.is_array()) {
            Some(example) => {
                examples.insert(path.to_owned(), plain(example));
            }
            None => assert!(
                !path.starts_with(".spec") || node["type"] == "object",
                "no example in deploy/examples has {path}"
            ),
        }
    });
    examples
}

/// A text without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or(value.to_string(), str::to_owned)
}
