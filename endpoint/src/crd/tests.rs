//! The CRD's structure. What it admits is in `tests/schema.rs`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::crd;
use crate::settings::{Method, fields};
use crate::status::{ACCEPTED, CURRENT};

fn schema() -> Value {
    crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Calls `see` with every schema below this one and its path.
fn walk(path: &str, schema: &Value, see: &mut impl FnMut(&str, &Value)) {
    see(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, see);
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], see);
    }
}

#[test]
fn both_versions_have_the_same_schema_and_v1_is_stored() {
    let crd = crd();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let told: Vec<(&str, bool, bool)> = versions
        .iter()
        .map(|version| {
            let name = version["name"].as_str().unwrap();
            (
                name,
                version["served"] == json!(true),
                version["storage"] == json!(true),
            )
        })
        .collect();
    assert_eq!(told, [("v1", true, true), ("v1beta1", true, false)]);
    assert_eq!(versions[0]["schema"], versions[1]["schema"]);
    assert_eq!(
        versions[0]["additionalPrinterColumns"],
        versions[1]["additionalPrinterColumns"]
    );
    assert_eq!(crd["spec"]["conversion"], json!({ "strategy": "None" }));
    for version in versions {
        assert_eq!(version["subresources"], json!({ "status": {} }));
    }
}

#[test]
fn the_crd_has_the_names_that_people_type() {
    let crd = crd();
    assert_eq!(
        crd["metadata"]["name"],
        "dataflowendpoints.connectivity.iotoperations.azure.com"
    );
    assert_eq!(
        crd["metadata"]["annotations"]["helm.sh/resource-policy"],
        "keep"
    );
    assert_eq!(crd["spec"]["scope"], "Namespaced");
    assert_eq!(crd["spec"]["group"], crate::resource::GROUP);
    assert_eq!(crd["spec"]["names"]["kind"], crate::resource::KIND);
    assert_eq!(crd["spec"]["names"]["plural"], crate::resource::PLURAL);
    assert_eq!(crd["spec"]["names"]["shortNames"], json!(["dfe"]));
    let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"]
        .as_array()
        .unwrap();
    let names: Vec<&str> = columns
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Host",
            "Authentication",
            "TLS",
            "Accepted",
            "Sidecars",
            "Age"
        ]
    );
}

#[test]
fn the_crd_is_the_same_at_every_call() {
    assert_eq!(crd().to_string(), crd().to_string());
}

#[test]
fn the_schema_has_the_fields_that_parse_knows() {
    let mut schema = schema();
    let mut objects = 0;
    walk("", &schema["properties"]["spec"], &mut |path, node| {
        let path = format!("spec{path}");
        if node["type"] != "object" {
            return;
        }
        objects += 1;
        let found: BTreeSet<&str> = node["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        let known = fields::OBJECTS
            .iter()
            .find(|(known, _)| *known == path)
            .map(|(_, fields)| *fields);
        let known: BTreeSet<&str> = known.expect(&path).iter().copied().collect();
        assert_eq!(found, known, "{path}");
    });
    assert_eq!(objects, fields::OBJECTS.len());
    let methods = super::node_at(&mut schema, "spec.mqttSettings.authentication.method");
    assert_eq!(methods["enum"], json!(Method::ALL.map(Method::as_str)));
}

#[test]
fn every_field_is_described_and_every_string_is_limited() {
    walk("", &schema(), &mut |path, node| {
        let description = node["description"].as_str().unwrap_or_default();
        // The API server describes this one itself, and refuses a CRD that does.
        assert_eq!(
            path != ".metadata",
            description.ends_with('.'),
            "{path}: {description:?}"
        );
        assert!(!description.contains('\n'), "{path}: {description:?}");
        if node["type"] == "string" {
            assert!(
                node["enum"].is_array() || node["maxLength"].is_u64(),
                "{path} has no limit"
            );
        }
        if node["type"] == "array" {
            assert!(node["maxItems"].is_u64(), "{path} has no limit");
        }
        assert!(node["type"].is_string(), "{path} has no type");
        for key in [
            "x-kubernetes-preserve-unknown-fields",
            "additionalProperties",
            "nullable",
            "anyOf",
            "oneOf",
        ] {
            assert!(node.get(key).is_none(), "{path} has {key}");
        }
    });
}

#[test]
fn every_rule_says_which_field_and_what_to_write() {
    let mut rules = 0;
    walk("", &schema(), &mut |path, node| {
        for rule in node["x-kubernetes-validations"]
            .as_array()
            .into_iter()
            .flatten()
        {
            rules += 1;
            let message = rule["message"].as_str().expect(path);
            assert!(
                !message.is_empty() && message.len() <= 2048,
                "{path}: {message}"
            );
            // A rule on the field itself has no path below it.
            assert_eq!(
                rule["fieldPath"].is_string(),
                node["type"] == "object",
                "{path}: {message}"
            );
            // The reasons that the API server takes in a rule.
            let reason = rule["reason"].as_str().expect(path);
            assert!(
                [
                    "FieldValueInvalid",
                    "FieldValueRequired",
                    "FieldValueForbidden"
                ]
                .contains(&reason)
            );
            if let Some(field) = rule["fieldPath"].as_str() {
                let known = field
                    .trim_start_matches('.')
                    .split('.')
                    .try_fold(node, |node, name| node["properties"].get(name));
                assert!(known.is_some(), "{path}{field} is not in the schema");
            }
            let reads_old = rule["rule"].as_str().expect(path).contains("oldSelf");
            assert_eq!(
                reads_old,
                rule["optionalOldSelf"] == json!(true),
                "{path}: {message}"
            );
        }
    });
    assert_eq!(rules, 27);
}

#[test]
fn the_accepted_column_reads_the_condition_of_that_name() {
    let columns = super::columns().to_string();
    assert!(
        columns.contains(&format!("@.type==\\\"{ACCEPTED}\\\"")),
        "{columns}"
    );
    let conditions = &schema()["properties"]["status"]["properties"]["conditions"];
    assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]));
    let description = conditions["description"].as_str().unwrap();
    assert!(description.contains(ACCEPTED) && description.contains(CURRENT));
}
