//! The `host` field: `<name>:<port>` for MQTT, `[ws[s]://]<name>[:<port>][/<path>]` for WebSockets.

use super::read::{Field, Findings};
use super::words::quoted;
use super::{Host, names};
use crate::limits::HOST_CHARS_MAX;

mod authority;

const FIELD: &str = "spec.mqttSettings.host";
/// What the local broker of Azure IoT Operations is called.
pub(super) const DEFAULT_NAME: &str = "aio-broker";
pub(super) const DEFAULT_PORT: u16 = 18883;
/// MQTT 5 has no rule for the path; this is what brokers listen on by custom.
pub(super) const DEFAULT_PATH: &str = "/mqtt";
const WSS_PORT: u16 = 443;
const WS_PORT: u16 = 80;

/// What the rest of the resource means for the host.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) websockets: bool,
    /// `None` where `tls.mode` was reported.
    pub(super) tls: Option<bool>,
}

/// A host that can be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: Host,
    pub(super) path: String,
}

impl Target {
    pub(super) fn local() -> Target {
        Target {
            host: Host {
                name: DEFAULT_NAME.to_owned(),
                port: DEFAULT_PORT,
            },
            path: DEFAULT_PATH.to_owned(),
        }
    }
}

/// Checks the text of the field; reports every fault of it.
pub(super) fn check(text: &str, context: Context, findings: &mut Findings) -> Field<Target> {
    match read(text, context) {
        Ok(target) => Field::Good(target),
        Err(faults) => {
            for fault in faults {
                findings.invalid(FIELD, fault);
            }
            // Which broker was meant decides whether the rules of Event Grid apply.
            Field::Bad(name_of(text).map(|name| Target {
                host: Host {
                    name: name.to_owned(),
                    port: 0,
                },
                path: DEFAULT_PATH.to_owned(),
            }))
        }
    }
}

/// The name in a host that was reported for something else.
fn name_of(text: &str) -> Option<&str> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let name = authority.split(':').next()?;
    names::is_host_name(name).then_some(name)
}

fn read(text: &str, context: Context) -> Result<Target, Vec<String>> {
    if let Some(fault) = whole(text) {
        return Err(vec![fault]);
    }
    let mut faults = Vec::new();
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') || scheme.is_some_and(|scheme| scheme.contains('@')) {
        // The text is not quoted: it may hold a password.
        return Err(vec![format!(
            "must not carry a user name or password: write {}, and say in authentication how to sign in",
            if context.websockets {
                "<name> or <name>:<port>"
            } else {
                "<name>:<port>"
            }
        )]);
    }
    faults.extend(scheme.and_then(|scheme| scheme_fault(scheme, rest, context)));
    faults.extend(path_fault(authority, path, context));
    let name_and_port = authority::authority_of(authority, context, &mut faults);
    match name_and_port {
        Some((name, port)) if faults.is_empty() => {
            let port = port.unwrap_or(if context.tls == Some(false) {
                WS_PORT
            } else {
                WSS_PORT
            });
            let path = if path.is_empty() { DEFAULT_PATH } else { path };
            Ok(Target {
                host: Host { name, port },
                path: path.to_owned(),
            })
        }
        _ => Err(faults),
    }
}

/// Faults after which the parts cannot be told apart.
fn whole(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(format!(
            "must not be empty: write <name>:<port>, or remove it for {DEFAULT_NAME}:{DEFAULT_PORT}"
        ));
    }
    if text.chars().count() > HOST_CHARS_MAX {
        return Some(format!(
            "is longer than {HOST_CHARS_MAX} characters: write <name>:<port>"
        ));
    }
    let trimmed = text.trim();
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let clean = trimmed.len() < text.len()
            && !trimmed.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@');
        let write = if clean { trimmed } else { "<name>:<port>" };
        return Some(format!(
            "contains a space or control character: write {write}"
        ));
    }
    None
}

/// What is wrong with the scheme.
fn scheme_fault(scheme: &str, rest: &str, context: Context) -> Option<String> {
    let lower = scheme.to_ascii_lowercase();
    let secure = matches!(lower.as_str(), "wss" | "https" | "mqtts" | "ssl" | "tls");
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if !context.websockets {
        return Some(match lower.as_str() {
            "ws" | "wss" => format!(
                "has the scheme {} of WebSockets: write protocol: WebSockets beside it, or {authority} without scheme",
                quoted(scheme)
            ),
            _ => {
                format!("has a scheme: write {authority}, and say in tls.mode whether TLS is used")
            }
        });
    }
    let wanted = if context.tls.unwrap_or(secure) {
        "wss"
    } else {
        "ws"
    };
    match (scheme, context.tls) {
        ("wss", Some(false)) => Some(format!(
            "has scheme wss but tls.mode is Disabled: write ws://{rest}, or tls.mode: Enabled"
        )),
        ("ws", Some(true)) => Some(format!(
            "has scheme ws but tls.mode is Enabled: write wss://{rest}, or tls.mode: Disabled"
        )),
        ("ws" | "wss", _) => None,
        _ => Some(format!(
            "has the scheme {}: write {wanted}://{rest}",
            quoted(scheme)
        )),
    }
}

/// What is wrong with the path, or with there being one.
fn path_fault(authority: &str, path: &str, context: Context) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    if !context.websockets {
        return Some(format!(
            "has a path, which protocol Mqtt does not know: write {authority}, or protocol: WebSockets"
        ));
    }
    if path.contains(['?', '#']) {
        return Some(
            "has a query or fragment: write [ws[s]://]<name>[:<port>][/<path>]".to_owned(),
        );
    }
    let bad = path.char_indices().find(|(at, c)| match c {
        '%' => !path.as_bytes()[at + 1..]
            .get(..2)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        // RFC 3986 section 3.3: pchar and the slash.
        _ => !(c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/".contains(*c)),
    });
    bad.map(|(_, c)| {
        let encoded: String = c
            .encode_utf8(&mut [0; 4])
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        format!("has {c:?} in its path: write {encoded} in its place")
    })
}
