//! The rules of Azure Event Grid's MQTT broker, which is known by its host name.

use super::read::Findings;
use super::{Host, Method, Retain};
use crate::limits::{EVENT_GRID_KEEP_ALIVE_SECONDS_MAX, EVENT_GRID_SESSION_EXPIRY_SECONDS_MAX};
use crate::violation::Reason;

/// What every MQTT host name of Event Grid ends with.
const SUFFIX: &str = ".ts.eventgrid.azure.net";
/// What its host names for HTTP end with.
const HTTP_SUFFIX: &str = ".eventgrid.azure.net";

/// What of an endpoint the rules look at; nothing where the field was reported.
pub(super) struct Facts<'a> {
    pub(super) host: Option<&'a Host>,
    pub(super) websockets: Option<bool>,
    pub(super) tls: Option<bool>,
    pub(super) method: Option<Method>,
    pub(super) retain: Option<Retain>,
    pub(super) session_expiry_seconds: Option<u32>,
    pub(super) keep_alive_seconds: Option<u16>,
}

/// Whether the name is one of Event Grid's MQTT hosts, in any case.
pub(super) fn is_event_grid(name: &str) -> bool {
    ends_with(name, SUFFIX)
}

fn ends_with(name: &str, suffix: &str) -> bool {
    name.len() > suffix.len()
        && name
            .get(name.len() - suffix.len()..)
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// Reports what Event Grid would refuse and warns of what it would change.
pub(super) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(host) = facts.host else { return };
    if !is_event_grid(&host.name) {
        if ends_with(&host.name, HTTP_SUFFIX) {
            findings.warn(
                "spec.mqttSettings.host",
                "is Event Grid's host for HTTP: its MQTT host has .ts before .eventgrid",
            );
        }
        return;
    }
    // A method that needs TLS has said so already.
    if facts.tls == Some(false) && !facts.method.is_some_and(Method::needs_tls) {
        findings.invalid(
            "spec.mqttSettings.tls.mode",
            "Event Grid takes only TLS: write Enabled",
        );
    }
    if let Some(method) = facts.method
        && !takes(method)
    {
        findings.deny(
            "spec.mqttSettings.authentication.method",
            Reason::NotSupported,
            format!(
                "Event Grid does not take {method}: write SystemAssignedManagedIdentity, UserAssignedManagedIdentity or X509Certificate"
            ),
        );
    }
    if let Some(seconds) = facts.keep_alive_seconds
        && i64::from(seconds) > EVENT_GRID_KEEP_ALIVE_SECONDS_MAX
    {
        findings.invalid(
            "spec.mqttSettings.keepAliveSeconds",
            format!("{seconds} is too high, Event Grid refuses such a keep alive: write at most {EVENT_GRID_KEEP_ALIVE_SECONDS_MAX}"),
        );
    }
    warn(host, facts, findings);
}

fn takes(method: Method) -> bool {
    match method {
        Method::X509Certificate
        | Method::SystemAssignedManagedIdentity
        | Method::UserAssignedManagedIdentity => true,
        Method::ServiceAccountToken | Method::AccessToken | Method::Anonymous => false,
    }
}

fn warn(host: &Host, facts: &Facts<'_>, findings: &mut Findings) {
    let port = match facts.websockets {
        Some(true) => 443,
        _ => 8883,
    };
    // Port 0 stands for one that was reported.
    if facts.websockets.is_some() && host.port != 0 && host.port != port {
        findings.warn(
            "spec.mqttSettings.host",
            format!("Event Grid listens on port {port} for this protocol"),
        );
    }
    if facts.retain == Some(Retain::Keep) {
        findings.warn(
            "spec.mqttSettings.retain",
            "Keep: Event Grid retains up to 64 KiB a message, 10,000 messages",
        );
    }
    if facts
        .session_expiry_seconds
        .is_some_and(|seconds| seconds > EVENT_GRID_SESSION_EXPIRY_SECONDS_MAX)
    {
        findings.warn(
            "spec.mqttSettings.sessionExpirySeconds",
            format!("Event Grid cuts it to {EVENT_GRID_SESSION_EXPIRY_SECONDS_MAX} seconds"),
        );
    }
}
