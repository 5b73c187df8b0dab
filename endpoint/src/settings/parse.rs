//! From the resource to settings: every field in turn, then the rules between fields.

use serde_json::Value;

use super::event_grid::{self, Facts};
use super::host::{self, Context, Target};
use super::read::{Field, Findings, Range, Section, Unknown};
use super::words::{Choice, quoted};
use super::{
    CloudEventAttributes, Protocol, Qos, Retain, Settings, authentication, fields, identity, tls,
};
use crate::limits::{
    CLIENT_ID_PREFIX_CHARS_MAX, INFLIGHT_MESSAGES_MAX, KEEP_ALIVE_SECONDS_MAX,
    SESSION_EXPIRY_SECONDS_MAX,
};
use crate::violation::Reason;
use crate::{Violation, Warning};

const SESSION_EXPIRY_SECONDS: i64 = 3_600;
const KEEP_ALIVE_SECONDS: i64 = 60;
const MAX_INFLIGHT_MESSAGES: i64 = 100;
const QOS: Range = Range {
    least: 0,
    most: 1,
    too_high: "the sidecar gives brokers QoS 0 and 1 only",
};
const SESSION_EXPIRY: Range = Range {
    least: 0,
    most: SESSION_EXPIRY_SECONDS_MAX,
    too_high: "the broker session would never end",
};
const KEEP_ALIVE: Range = Range {
    least: 0,
    most: KEEP_ALIVE_SECONDS_MAX,
    too_high: "MQTT has two bytes for it",
};
const MAX_INFLIGHT: Range = Range {
    least: 1,
    most: INFLIGHT_MESSAGES_MAX,
    too_high: "MQTT has two bytes for it",
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

pub(super) fn parse(
    resource: &Value,
    unknown: Unknown,
) -> Result<(Settings, Vec<Warning>), Vec<Violation>> {
    let mut findings = Findings {
        unknown,
        ..Findings::default()
    };
    let settings = settings(resource, &mut findings);
    match settings {
        Some(settings) if findings.violations.is_empty() => Ok((settings, findings.warnings)),
        _ => Err(findings.violations),
    }
}

fn settings(resource: &Value, findings: &mut Findings) -> Option<Settings> {
    let root = Section::root(resource, findings);
    if !root.is_object() || !identity::is_ours(&root, findings) {
        return None;
    }
    root.report_unknown(fields::ROOT, findings);
    let (name, namespace, generation) = identity::metadata(&root, findings);
    let spec = root.section("spec", fields::SPEC, findings);
    if !spec.present {
        findings.deny(
            "spec",
            Reason::Required,
            "is required: write endpointType: Mqtt and mqttSettings below it",
        );
    }
    if !spec.is_object() || !identity::is_mqtt(&spec, findings) {
        return None;
    }
    spec.report_unknown(fields::SPEC, findings);
    let mqtt = spec.section("mqttSettings", fields::MQTT, findings);
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
    mqtt.report_unknown(fields::MQTT, findings);
    let settings = mqtt_settings(&mqtt, findings);
    settings.map(|settings| Settings {
        name: name.unwrap_or_default(),
        namespace,
        generation,
        ..settings
    })
}

/// Every field of `mqttSettings`, then the rules between them. The name is left empty.
fn mqtt_settings(mqtt: &Section<'_>, findings: &mut Findings) -> Option<Settings> {
    let protocol = mqtt.choice("protocol", &PROTOCOLS, findings);
    let (tls, tls_meant) = tls::check(mqtt, findings);
    let target = target(mqtt, protocol.meant_or(false), tls_meant, findings);
    let (authentication, method) = authentication::check(mqtt, findings);
    let qos = mqtt.integer("qos", &QOS, findings).or(1);
    let retain = mqtt.choice("retain", &RETAINS, findings);
    let numbers = numbers(mqtt, findings);
    let client_id_prefix = client_id_prefix(mqtt, findings);
    let cloud_event_attributes = cloud_event_attributes(mqtt, findings);

    tls::check_method(method, tls_meant, findings);
    let facts = Facts {
        host: target.meant().map(|target| &target.host),
        websockets: protocol.meant_or(false),
        tls: tls_meant,
        method,
        retain: retain.meant_or(Retain::Keep),
        session_expiry_seconds: numbers.session_expiry_seconds,
        keep_alive_seconds: numbers.keep_alive_seconds,
    };
    event_grid::check(&facts, findings);

    let target = target.or(Target::local())?;
    Some(Settings {
        name: String::new(),
        namespace: String::new(),
        generation: 0,
        host: target.host,
        protocol: match protocol.or(false)? {
            false => Protocol::Mqtt,
            true => Protocol::WebSockets { path: target.path },
        },
        tls: tls?,
        authentication: authentication?,
        qos: if qos? == 0 {
            Qos::AtMostOnce
        } else {
            Qos::AtLeastOnce
        },
        retain: retain.or(Retain::Keep)?,
        session_expiry_seconds: numbers.session_expiry_seconds?,
        keep_alive_seconds: numbers.keep_alive_seconds?,
        max_inflight_messages: numbers.max_inflight_messages?,
        client_id_prefix: client_id_prefix?,
        cloud_event_attributes: cloud_event_attributes?,
    })
}

/// The numbers of an endpoint; nothing where one was reported.
struct Numbers {
    session_expiry_seconds: Option<u32>,
    keep_alive_seconds: Option<u16>,
    max_inflight_messages: Option<u16>,
}

fn numbers(mqtt: &Section<'_>, findings: &mut Findings) -> Numbers {
    let session_expiry = mqtt.integer("sessionExpirySeconds", &SESSION_EXPIRY, findings);
    let keep_alive = mqtt.integer("keepAliveSeconds", &KEEP_ALIVE, findings);
    let max_inflight = mqtt.integer("maxInflightMessages", &MAX_INFLIGHT, findings);
    if session_expiry == Field::Good(0) {
        findings.warn(
            mqtt.at("sessionExpirySeconds"),
            "0: nothing waits during a reconnect, and wills fire",
        );
    }
    if keep_alive == Field::Good(0) {
        findings.warn(
            mqtt.at("keepAliveSeconds"),
            "0 turns keep alive off: a dead connection is found late",
        );
    }
    Numbers {
        session_expiry_seconds: number(session_expiry, SESSION_EXPIRY_SECONDS),
        keep_alive_seconds: number(keep_alive, KEEP_ALIVE_SECONDS),
        max_inflight_messages: number(max_inflight, MAX_INFLIGHT_MESSAGES),
    }
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
