//! What the CRD admits while the webhook is away, against what `Settings::parse` admits.
//!
//! The schema is checked by a few lines here, the rules by the CEL of `kube-cel`. Whether an API server takes the CRD and
//! its cost, and what the rules do on an update, is seen in a real cluster (`e2e`).

use std::collections::BTreeSet;

use endpoint::Settings;
use kube_cel::{CompiledSchema, Validator, compile_schema};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::resources::{any_host, any_resource, resource, resource_with_host, resources};

/// Bad resources that only the webhook, or the API server itself, can refuse.
const ADMITTED_BY_THE_CRD: &[&str] = &[
    // Unknown fields: the API server refuses or drops them before the schema.
    "anonymous-with-settings",
    "cloud-events-misspelled",
    "field-in-capitals",
    "field-misplaced",
    "field-twice",
    "field-unknown",
    "resource-field-unknown",
    "spec-field-unknown",
    // Kind, version and the presence of a name are the API server's.
    "metadata-absent",
    "name-absent",
    "resource-kind-near-miss",
    "resource-version-unknown",
    "resource-without-api-version",
    "resource-without-kind",
    // The name that the API server makes is checked by the schema afterwards.
    "name-generated-in-capitals",
    // No rule counts the letters of the name alone.
    "host-name-too-long",
];

thread_local! {
    /// The CRD's schema and its compiled rules as they are for a new object: `kube-cel` has no `oldSelf` for one.
    static CRD: (Value, CompiledSchema) = {
        let mut schema = endpoint::crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        without_old_self(&mut schema);
        let compiled = compile_schema(&schema);
        (schema, compiled)
    };
}

fn without_old_self(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.remove("optionalOldSelf").is_some()
                && let Some(Value::String(rule)) = map.get_mut("rule")
            {
                let end = rule
                    .find(" || (oldSelf.hasValue()")
                    .expect("a rule must end with what may stay");
                rule.truncate(end);
            }
            map.values_mut().for_each(without_old_self);
        }
        Value::Array(items) => items.iter_mut().for_each(without_old_self),
        _ => {}
    }
}

/// What the schema says of a value: the part of OpenAPI that the CRD uses.
fn faults(path: &str, schema: &Value, value: &Value, faults_so_far: &mut Vec<String>) {
    let mut fault = |what: &str| faults_so_far.push(format!("{path}: {what}"));
    let right_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    };
    if !right_type {
        return fault("type");
    }
    if schema["enum"]
        .as_array()
        .is_some_and(|words| !words.contains(value))
    {
        fault("enum");
    }
    if let Some(number) = value.as_f64() {
        if schema["minimum"]
            .as_f64()
            .is_some_and(|least| number < least)
        {
            fault("minimum");
        }
        if schema["maximum"].as_f64().is_some_and(|most| number > most) {
            fault("maximum");
        }
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        if schema["minLength"]
            .as_u64()
            .is_some_and(|least| length < least)
        {
            fault("minLength");
        }
        if schema["maxLength"]
            .as_u64()
            .is_some_and(|most| length > most)
        {
            fault("maxLength");
        }
        if schema["pattern"]
            .as_str()
            .is_some_and(|pattern| !matches(pattern, text))
        {
            fault("pattern");
        }
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value[name.as_str().unwrap()].is_null() {
            fault("required");
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name).filter(|value| !value.is_null()) {
            faults(&format!("{path}.{name}"), property, value, faults_so_far);
        }
    }
}

/// The pattern of `metadata.name` by way of CEL, so that no other regular expression engine is needed.
fn matches(pattern: &str, text: &str) -> bool {
    let schema = json!({
        "type": "string",
        "x-kubernetes-validations": [{ "rule": format!("self.matches(r\"{pattern}\")") }],
    });
    Validator::new()
        .validate(&schema, &Value::from(text), None)
        .is_ok()
}

/// Why the CRD refuses a resource; empty where it admits it. Faults of the schema hide the rules, as in the API server.
fn refusals(resource: &Value) -> Vec<String> {
    let resource = without_nulls(resource);
    CRD.with(|(schema, rules)| {
        let mut found = Vec::new();
        faults("", schema, &resource, &mut found);
        if found.is_empty()
            && let Err(errors) = Validator::new().validate_compiled(rules, &resource, None)
        {
            let texts = errors
                .iter()
                .map(|error| format!("{}: {}", error.field_path, error.message));
            found.extend(texts);
        }
        found
    })
}

/// The API server drops nulls before it looks.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn the_crd_admits_every_good_resource() {
    for folder in ["seed", "warned"] {
        for (stem, resource) in resources(folder) {
            assert_eq!(refusals(&resource), Vec::<String>::new(), "{folder}/{stem}");
        }
    }
}

#[test]
fn the_crd_refuses_every_bad_resource_that_a_schema_can_know() {
    let admitted: BTreeSet<String> = resources("denied")
        .into_iter()
        .filter(|(_, resource)| refusals(resource).is_empty())
        .map(|(stem, _)| stem)
        .collect();
    let wanted = ADMITTED_BY_THE_CRD
        .iter()
        .map(|stem| (*stem).to_owned())
        .collect();
    assert_eq!(admitted, wanted);
}

#[test]
fn a_dot_in_place_of_the_colon_has_its_own_text() {
    let denied = resources("denied");
    for (stem, wanted) in [
        ("host-with-dot-before-port", "write broker.svc:8885"),
        ("host-address-with-dot-before-port", "write 10.0.0.5:1883"),
        ("host-address-without-port", "write <name>:<port>"),
    ] {
        let found = refusals(&denied[stem]).join("\n");
        assert!(found.contains(wanted), "{stem}: {found}");
    }
}

/// ASCII text near the border of what a name, a URI or a GUID is.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.-]{0,8}",
        "[ -~\\t\\x7f]{0,8}",
        "[a-zA-Z0-9+.-]{0,3}:/{0,3}[a-z0-9%#?|@/]{0,4}",
        "[0-9a-f]{8}-[0-9A-F]{4}-[0-9]{4}-[0-9]{4}-[0-9a-g]{11,13}",
        "[a-z]{60,70}",
        "[a-z.]{250,256}",
    ]
}

const TEXT_FIELDS: usize = 6;

/// A resource that is good if the text is, in the field of that number.
fn resource_with_text(text: &str, place: usize) -> Value {
    let guid = "0f5c1f2e-8b0a-4d5e-9a53-7a1f6a1f0c11";
    let with = |method: &str, key: &str, settings: Value| {
        resource(json!({ "authentication": { "method": method, key: settings } }))
    };
    let user_assigned = |settings| {
        with(
            "UserAssignedManagedIdentity",
            "userAssignedManagedIdentitySettings",
            settings,
        )
    };
    match place {
        0 => with(
            "X509Certificate",
            "x509CertificateSettings",
            json!({ "secretRef": text }),
        ),
        1 => with(
            "SystemAssignedManagedIdentity",
            "systemAssignedManagedIdentitySettings",
            json!({ "audience": text }),
        ),
        2 => user_assigned(json!({ "clientId": text, "tenantId": guid })),
        3 => user_assigned(json!({ "clientId": guid, "tenantId": guid, "scope": text })),
        4 => resource(json!({
            "authentication": { "method": "Anonymous" },
            "clientIdPrefix": text,
        })),
        _ => {
            let mut resource = resource(json!({ "authentication": { "method": "Anonymous" } }));
            resource["metadata"]["name"] = json!(text);
            resource
        }
    }
}

proptest! {
    #[test]
    fn the_crd_admits_what_parse_admits(resource in any_resource()) {
        if Settings::parse(&resource).is_ok() {
            prop_assert_eq!(refusals(&resource), Vec::<String>::new());
        }
    }

    /// The other way round the CRD knows IPv6 addresses only roughly and does not count the letters of a name.
    #[test]
    fn the_crd_and_parse_agree_on_hosts(host in any_host(), websockets in any::<bool>()) {
        let resource = resource_with_host(&host, websockets);
        let refusals = refusals(&resource);
        if Settings::parse(&resource).is_ok() {
            prop_assert_eq!(refusals, Vec::<String>::new());
        } else {
            prop_assert!(!refusals.is_empty() || host.contains('['), "{} is admitted by the CRD", host);
        }
    }

    #[test]
    fn the_crd_and_parse_agree_on_names_uris_and_guids(text in any_text(), place in 0..TEXT_FIELDS) {
        let resource = resource_with_text(&text, place);
        let refusals = refusals(&resource);
        prop_assert_eq!(Settings::parse(&resource).is_ok(), refusals.is_empty(), "{}: {:?}", resource, refusals);
    }
}
