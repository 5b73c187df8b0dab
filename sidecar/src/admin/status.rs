//! The pages `/status` and `/readyz`: what each endpoint and session is like. No credential is anywhere near them.

use std::time::SystemTime;

use endpoint::contract::Readiness;
use endpoint::{Protocol, Settings};
use serde_json::{Value, json};

use super::State;
use crate::engine::Phase;
use crate::packet::ProtocolVersion;
use crate::proxy::Proxy;
use crate::session::SessionStatus;
use crate::watch::Snapshot;

/// Why the sidecar is unready; empty when it is ready.
pub(super) fn obstacles(state: &State) -> Vec<String> {
    let mut obstacles = Vec::new();
    for proxy in &state.proxies {
        let files = proxy.snapshot.borrow().obstacle().map(str::to_owned);
        let broker = match state.readiness {
            Readiness::Listener => None,
            Readiness::Broker => proxy.broker_obstacle(),
        };
        let both = files.into_iter().chain(broker);
        obstacles.extend(both.map(|obstacle| format!("{}: {obstacle}", proxy.name)));
    }
    obstacles
}

/// The page `/status`.
pub(super) fn page(state: &State) -> Vec<u8> {
    let obstacles = obstacles(state);
    let page = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ready": obstacles.is_empty(),
        "readiness": state.readiness.as_str(),
        "obstacles": obstacles,
        "endpoints": state.proxies.iter().map(|proxy| endpoint(proxy)).collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_vec_pretty(&page).unwrap_or_default();
    text.push(b'\n');
    text
}

fn endpoint(proxy: &Proxy) -> Value {
    let snapshot = proxy.snapshot.borrow().clone();
    let Snapshot {
        settings,
        stale,
        faults,
        ..
    } = &*snapshot;
    let mut sessions = proxy.registry.statuses();
    sessions.sort_by(|one, two| one.client_id.cmp(&two.client_id));
    let faults = faults
        .iter()
        .map(|(kind, fault)| (kind.as_str().to_owned(), json!(fault)));
    let [to_broker, to_client] = proxy.metrics.messages_passed();
    json!({
        "name": proxy.name,
        "messages": { "to_broker": to_broker, "to_client": to_client },
        "settings": settings.as_deref().map(settings_of),
        "settings_stale": stale,
        "faults": faults.collect::<serde_json::Map<_, _>>(),
        "token_expiry": snapshot.token_expiry_timestamp_seconds.map(time),
        "certificate_expiry": snapshot.certificate_expiry_timestamp_seconds.map(time),
        "token_expiry_timestamp_seconds": snapshot.token_expiry_timestamp_seconds,
        "certificate_expiry_timestamp_seconds": snapshot.certificate_expiry_timestamp_seconds,
        "last_dial_error": proxy.last_dial_error(),
        "sessions": sessions.iter().map(|status| session(status)).collect::<Vec<_>>(),
    })
}

fn settings_of(settings: &Settings) -> Value {
    let protocol = match settings.protocol {
        Protocol::Mqtt => "Mqtt",
        Protocol::WebSockets { .. } => "WebSockets",
    };
    json!({
        "namespace": settings.namespace,
        "generation": settings.generation,
        "host": format!("{}:{}", settings.host.name, settings.host.port),
        "protocol": protocol,
        "tls": settings.tls.is_some(),
        "authentication": settings.authentication.method().as_str(),
    })
}

fn session(status: &SessionStatus) -> Value {
    let view = status.view();
    let phase = match view.phase {
        Phase::Opening => "opening",
        Phase::Open => "open",
        Phase::Draining => "draining",
        Phase::Held => "held",
        Phase::Resuming => "resuming",
        Phase::Leaving => "leaving",
        Phase::Ended => "ended",
    };
    let version = match status.version {
        ProtocolVersion::V311 => "3.1.1",
        ProtocolVersion::V5 => "5",
    };
    json!({
        "client_id": &*status.client_id,
        "mqtt": version,
        "since": humantime::format_rfc3339_seconds(status.since).to_string(),
        "phase": phase,
        "client_connected": view.client_connected,
        "broker_connected": view.broker_connected,
        "held_bytes": view.held_bytes,
        "inflight_messages": view.inflight_messages,
        "last_error": status.last_error(),
    })
}

/// RFC 3339; a time that no calendar has is told in seconds.
fn time(seconds: u64) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds));
    // humantime knows the years up to 9999.
    let known = time.filter(|_| seconds < 253_402_300_800);
    known.map_or(seconds.to_string(), |time| {
        humantime::format_rfc3339_seconds(time).to_string()
    })
}
