//! From the resource to settings: every field in turn, then the rules between fields.

use serde_json::Value;

use super::event_grid::{self, Facts};
use super::host::{self, Context, Target};
use super::read::{Choice, Field, Findings, Section, quoted, shown};
use super::{
    CloudEventAttributes, Method, Protocol, Qos, Retain, Settings, Tls, authentication, fields,
    names,
};
use crate::limits::{
    CLIENT_ID_PREFIX_CHARS_MAX, INFLIGHT_MESSAGES_MAX, KEEP_ALIVE_SECONDS_MAX, NAME_CHARS_MAX,
    SESSION_EXPIRY_SECONDS_MAX, SUBDOMAIN_CHARS_MAX,
};
use crate::resource::{API_VERSION, GROUP, KIND, MQTT, VERSIONS};
use crate::violation::Reason;
use crate::{Violation, Warning, suggest};

const SESSION_EXPIRY_SECONDS: i64 = 3_600;
const KEEP_ALIVE_SECONDS: i64 = 60;
const MAX_INFLIGHT_MESSAGES: i64 = 100;
/// What the API server puts behind `generateName`; its letters do not matter, its length does.
const GENERATED_SUFFIX: &str = "xxxxx";

const ENDPOINT_TYPES: Choice<()> = Choice {
    what: "an endpoint type that the sidecar serves",
    words: &[(MQTT, ())],
    aliases: &[],
};
const PROTOCOLS: Choice<bool> = Choice {
    what: "a protocol",
    words: &[("Mqtt", false), ("WebSockets", true)],
    aliases: &[
        ("ws", "WebSockets"),
        ("wss", "WebSockets"),
        ("tcp", "Mqtt"),
        ("tls", "Mqtt"),
    ],
};
const TLS_MODES: Choice<bool> = Choice {
    what: "a TLS mode",
    words: &[("Enabled", true), ("Disabled", false)],
    aliases: &[
        ("true", "Enabled"),
        ("on", "Enabled"),
        ("false", "Disabled"),
        ("off", "Disabled"),
        ("none", "Disabled"),
    ],
};
const RETAINS: Choice<Retain> = Choice {
    what: "a retain setting",
    words: &[("Keep", Retain::Keep), ("Never", Retain::Never)],
    aliases: &[("true", "Keep"), ("false", "Never"), ("always", "Keep")],
};
const CLOUD_EVENTS: Choice<CloudEventAttributes> = Choice {
    what: "a CloudEvents setting",
    words: &[
        ("Propagate", CloudEventAttributes::Propagate),
        ("CreateOrRemap", CloudEventAttributes::CreateOrRemap),
    ],
    aliases: &[("remap", "CreateOrRemap")],
};

pub(super) fn parse(resource: &Value) -> Result<(Settings, Vec<Warning>), Vec<Violation>> {
    let mut findings = Findings::default();
    let settings = settings(resource, &mut findings);
    match settings {
        Some(settings) if findings.violations.is_empty() => Ok((settings, findings.warnings)),
        _ => Err(findings.violations),
    }
}

fn settings(resource: &Value, findings: &mut Findings) -> Option<Settings> {
    let root = Section::root(resource, findings);
    if !root.is_object() || !is_ours(&root, findings) {
        return None;
    }
    root.deny_unknown(fields::ROOT, findings);
    let (name, namespace, generation) = metadata(&root, findings);
    let spec = root.section("spec", findings);
    if !spec.present {
        findings.deny(
            "spec",
            Reason::Required,
            "is required: write endpointType: Mqtt and mqttSettings below it",
        );
    }
    if !spec.is_object() || !is_mqtt(&spec, findings) {
        return None;
    }
    spec.deny_unknown(fields::SPEC, findings);
    let mqtt = spec.section("mqttSettings", findings);
    if !mqtt.present {
        findings.deny(
            mqtt.path,
            Reason::Required,
            "is required: write authentication below it, and host for a broker of your own",
        );
        return None;
    }
    if !mqtt.is_object() {
        return None;
    }
    mqtt.deny_unknown(fields::MQTT, findings);
    let settings = mqtt_settings(&mqtt, findings);
    settings.map(|settings| Settings {
        name: name.unwrap_or_default(),
        namespace,
        generation,
        ..settings
    })
}

/// Checks `apiVersion` and `kind`; false where the resource is of another kind, whose fields say nothing to us.
fn is_ours(root: &Section<'_>, findings: &mut Findings) -> bool {
    let version = root.get("apiVersion").and_then(Value::as_str);
    let kind = root.get("kind").and_then(Value::as_str);
    let group_is_ours = version.is_some_and(|version| version.split('/').next() == Some(GROUP));
    let version_is_ours = group_is_ours
        && version
            .and_then(|version| version.split_once('/'))
            .is_some_and(|(_, version)| VERSIONS.contains(&version));
    for (key, good, write) in [
        ("apiVersion", version_is_ours, API_VERSION),
        ("kind", kind == Some(KIND), KIND),
    ] {
        match root.get(key) {
            _ if good => {}
            None => findings.deny(key, Reason::Required, format!("is required: write {write}")),
            Some(value) => findings.deny(
                key,
                Reason::NotSupported,
                format!(
                    "{} is not that of a DataflowEndpoint: write {write}",
                    shown(value)
                ),
            ),
        }
    }
    group_is_ours || kind.is_some_and(|kind| suggest::nearest(kind, [KIND]).is_some())
}

/// Checks `endpointType`; false where it is another product's, whose fields say nothing to us.
fn is_mqtt(spec: &Section<'_>, findings: &mut Findings) -> bool {
    match spec.choice("endpointType", &ENDPOINT_TYPES, findings) {
        Field::Absent => {
            findings.deny(
                spec.at("endpointType"),
                Reason::Required,
                format!("is required: write {MQTT}"),
            );
            true
        }
        Field::Bad(guess) => guess.is_some(),
        Field::Good(()) => true,
    }
}

/// Name, namespace and generation. The rest of the metadata is the API server's to check.
fn metadata(root: &Section<'_>, findings: &mut Findings) -> (Option<String>, String, i64) {
    let metadata = root.section("metadata", findings);
    let text = |key| metadata.get(key).and_then(Value::as_str);
    let namespace = text("namespace").unwrap_or_default().to_owned();
    let generation = metadata
        .get("generation")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let write = format!(
        "at most {NAME_CHARS_MAX} lower-case letters, digits and '-', with a letter or digit at both ends"
    );
    let field = metadata.at("name");
    let given = match metadata.text("name", &write, findings) {
        Field::Good(name) => name.to_owned(),
        Field::Bad(_) => return (None, namespace, generation),
        // The API server makes the name after the webhooks have spoken.
        Field::Absent => match text("generateName") {
            Some(prefix) if !prefix.is_empty() => {
                let kept = NAME_CHARS_MAX - GENERATED_SUFFIX.len();
                prefix
                    .chars()
                    .take(kept)
                    .chain(GENERATED_SUFFIX.chars())
                    .collect()
            }
            _ => {
                findings.deny(
                    field,
                    Reason::Required,
                    format!("is required: write {write}"),
                );
                return (None, namespace, generation);
            }
        },
    };
    if names::is_label(&given) {
        return (Some(given), namespace, generation);
    }
    let write = names::mended(&given, names::is_label).unwrap_or(write);
    findings.invalid(
        field,
        format!("{} cannot name an endpoint: write {write}", quoted(&given)),
    );
    (None, namespace, generation)
}

/// Every field of `mqttSettings`, then the rules between them. The name is left empty.
fn mqtt_settings(mqtt: &Section<'_>, findings: &mut Findings) -> Option<Settings> {
    let protocol = mqtt.choice("protocol", &PROTOCOLS, findings);
    let (tls, tls_meant) = tls(mqtt, findings);
    let websockets = protocol.meant_or(false);
    let target = target(mqtt, websockets, tls_meant, findings);
    let (authentication, method) = authentication::check(mqtt, findings);
    let qos = mqtt.integer("qos", 0, 1, findings).or(1);
    let retain = mqtt.choice("retain", &RETAINS, findings);
    let session_expiry_seconds = number(
        mqtt.integer(
            "sessionExpirySeconds",
            0,
            SESSION_EXPIRY_SECONDS_MAX,
            findings,
        ),
        SESSION_EXPIRY_SECONDS,
    );
    let keep_alive_seconds = number(
        mqtt.integer("keepAliveSeconds", 0, KEEP_ALIVE_SECONDS_MAX, findings),
        KEEP_ALIVE_SECONDS,
    );
    let max_inflight_messages = number(
        mqtt.integer("maxInflightMessages", 1, INFLIGHT_MESSAGES_MAX, findings),
        MAX_INFLIGHT_MESSAGES,
    );
    let client_id_prefix = client_id_prefix(mqtt, findings);
    let cloud_event_attributes = cloud_event_attributes(mqtt, findings);

    check_tls(method, tls_meant, findings);
    let host_meant = match &target {
        Field::Good(target) | Field::Bad(Some(target)) => Some(&target.host),
        _ => None,
    };
    let facts = Facts {
        host: host_meant,
        websockets,
        tls: tls_meant,
        method,
        retain: retain.meant_or(Retain::Keep),
        session_expiry_seconds,
        keep_alive_seconds,
    };
    event_grid::check(&facts, findings);
    if session_expiry_seconds == Some(0) {
        findings.warn(
            mqtt.at("sessionExpirySeconds"),
            "0: nothing waits during a reconnect, and wills fire",
        );
    }
    if keep_alive_seconds == Some(0) {
        findings.warn(
            mqtt.at("keepAliveSeconds"),
            "0 turns keep alive off: a dead connection is found late",
        );
    }

    let target = target.or(Target::local())?;
    let protocol = match protocol.or(false)? {
        false => Protocol::Mqtt,
        true => Protocol::WebSockets { path: target.path },
    };
    Some(Settings {
        name: String::new(),
        namespace: String::new(),
        generation: 0,
        host: target.host,
        protocol,
        tls: tls?,
        authentication: authentication?,
        qos: if qos? == 0 {
            Qos::AtMostOnce
        } else {
            Qos::AtLeastOnce
        },
        retain: retain.or(Retain::Keep)?,
        session_expiry_seconds: session_expiry_seconds?,
        keep_alive_seconds: keep_alive_seconds?,
        max_inflight_messages: max_inflight_messages?,
        client_id_prefix: client_id_prefix?,
        cloud_event_attributes: cloud_event_attributes?,
    })
}

/// A number within the limits of its field, which are within those of `T`.
fn number<T: TryFrom<i64>>(field: Field<i64>, default: i64) -> Option<T> {
    field
        .or(default)
        .and_then(|number| T::try_from(number).ok())
}

fn target(
    mqtt: &Section<'_>,
    websockets: Option<bool>,
    tls: Option<bool>,
    findings: &mut Findings,
) -> Field<Target> {
    match mqtt.text("host", "<name>:<port> in quotes", findings) {
        Field::Absent => Field::Absent,
        Field::Bad(_) => Field::Bad(None),
        // Without its protocol the grammar of the host is unknown; that of MQTT is the stricter one, so nothing is said.
        Field::Good(text) => match websockets {
            Some(websockets) => host::check(text, Context { websockets, tls }, findings),
            None => Field::Bad(None),
        },
    }
}

/// The settings of TLS, and whether it was meant to be on.
fn tls(mqtt: &Section<'_>, findings: &mut Findings) -> (Option<Option<Tls>>, Option<bool>) {
    let tls = mqtt.section("tls", findings);
    if tls.present && !tls.is_object() {
        return (None, None);
    }
    tls.deny_unknown(fields::TLS, findings);
    let mode = tls.choice("mode", &TLS_MODES, findings);
    let meant = mode.meant_or(true);
    let trusted_ca = trusted_ca(&tls, findings);
    if meant == Some(false) && matches!(trusted_ca, Some(Some(_))) {
        findings.warn(
            tls.at("trustedCaCertificateConfigMapRef"),
            "is ignored while tls.mode is Disabled",
        );
    }
    let settings = match (mode.or(true), trusted_ca) {
        (Some(true), Some(trusted_ca)) => Some(Some(Tls { trusted_ca })),
        (Some(false), Some(_)) => Some(None),
        _ => None,
    };
    (settings, meant)
}

fn trusted_ca(tls: &Section<'_>, findings: &mut Findings) -> Option<Option<String>> {
    const KEY: &str = "trustedCaCertificateConfigMapRef";
    let write = "the name of a ConfigMap in the endpoint's namespace that holds PEM certificates";
    match tls.text(KEY, write, findings) {
        Field::Absent => Some(None),
        Field::Bad(_) => None,
        Field::Good(name) if names::is_subdomain(name) => Some(Some(name.to_owned())),
        Field::Good(name) => {
            let fault = match (name.is_empty(), names::mended(name, names::is_subdomain)) {
                (true, _) => format!(
                    "must not be empty: write {write}, or remove it to trust the public roots"
                ),
                (_, Some(mended)) => format!(
                    "{} is not the name of a ConfigMap: write {mended}",
                    quoted(name)
                ),
                (_, None) => format!(
                    "{} is not the name of a ConfigMap: write {write} (lower-case letters, digits, '-' and '.', at most {SUBDOMAIN_CHARS_MAX})",
                    quoted(name)
                ),
            };
            findings.invalid(tls.at(KEY), fault);
            None
        }
    }
}

/// What a method needs of TLS.
fn check_tls(method: Option<Method>, tls: Option<bool>, findings: &mut Findings) {
    let (Some(method), Some(false)) = (method, tls) else {
        return;
    };
    if method.needs_tls() {
        findings.invalid(
            "spec.mqttSettings.tls.mode",
            format!("{method} needs TLS: write Enabled"),
        );
    } else if method == Method::ServiceAccountToken {
        findings.warn(
            "spec.mqttSettings.tls.mode",
            "Disabled: the service account token travels in clear text",
        );
    }
}

fn client_id_prefix(mqtt: &Section<'_>, findings: &mut Findings) -> Option<Option<String>> {
    const KEY: &str = "clientIdPrefix";
    let write = format!("1 to {CLIENT_ID_PREFIX_CHARS_MAX} characters, or remove it");
    let prefix = match mqtt.text(KEY, &write, findings) {
        Field::Absent => return Some(None),
        Field::Bad(_) => return None,
        Field::Good(prefix) => prefix,
    };
    let length = prefix.chars().count();
    let fault = if length == 0 {
        format!("must not be empty: write {write}")
    } else if length > CLIENT_ID_PREFIX_CHARS_MAX {
        format!("is {length} characters long: write {write}")
    } else if prefix.contains(char::is_control) {
        format!(
            "{} contains a control character, which brokers refuse: remove it",
            quoted(prefix)
        )
    } else {
        findings.warn(
            mqtt.at(KEY),
            "each new pod of a Deployment starts a new broker session",
        );
        return Some(Some(prefix.to_owned()));
    };
    findings.invalid(mqtt.at(KEY), fault);
    None
}

/// The documentation of Azure IoT Operations prints this field with a capital C, so both are read.
fn cloud_event_attributes(
    mqtt: &Section<'_>,
    findings: &mut Findings,
) -> Option<CloudEventAttributes> {
    let lower = mqtt.choice("cloudEventAttributes", &CLOUD_EVENTS, findings);
    let upper = mqtt.choice("CloudEventAttributes", &CLOUD_EVENTS, findings);
    match (lower, upper) {
        (Field::Good(lower), Field::Good(upper)) if lower != upper => {
            findings.invalid(
                mqtt.at("cloudEventAttributes"),
                format!(
                    "is {} while CloudEventAttributes is {}: keep cloudEventAttributes only",
                    lower.as_str(),
                    upper.as_str()
                ),
            );
            None
        }
        (Field::Bad(_), _) | (_, Field::Bad(_)) => None,
        (Field::Good(value), _) | (Field::Absent, Field::Good(value)) => Some(value),
        (Field::Absent, Field::Absent) => Some(CloudEventAttributes::Propagate),
    }
}
