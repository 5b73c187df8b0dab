//! The `host` field: `<name>:<port>` for MQTT, `[ws[s]://]<name>[:<port>][/<path>]` for WebSockets.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::read::{Field, Findings, quoted};
use super::{Host, names};
use crate::limits::HOST_CHARS_MAX;

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
    let name_and_port = authority_of(authority, context, &mut faults);
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
            "has scheme wss but tls.mode is Disabled: write ws://{authority}, or tls.mode: Enabled"
        )),
        ("ws", Some(true)) => Some(format!(
            "has scheme ws but tls.mode is Enabled: write wss://{authority}, or tls.mode: Disabled"
        )),
        ("ws" | "wss", _) => None,
        _ => Some(format!(
            "has the scheme {}: write {wanted}://{authority}",
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
        format!("has {c:?} in its path: write it percent-encoded, for example %20 for a space")
    })
}

/// Name and port, each fault reported.
fn authority_of(
    authority: &str,
    context: Context,
    faults: &mut Vec<String>,
) -> Option<(String, Option<u16>)> {
    let (name, port) = match split(authority, context) {
        Ok(parts) => parts,
        Err(fault) => {
            faults.push(fault);
            return None;
        }
    };
    let port = match port {
        None if context.websockets => Some(None),
        None => {
            faults.push(no_port(name, authority, context));
            None
        }
        Some(digits) => port_of(digits)
            .map(Some)
            .map_err(|fault| faults.push(fault))
            .ok(),
    };
    let name = name_fault(name, authority).map_or_else(
        || {
            Some(
                name.trim_start_matches('[')
                    .trim_end_matches(']')
                    .to_owned(),
            )
        },
        |fault| {
            // The text for a missing port has told about a name that ends like a port.
            let told = !context.websockets && port.is_none() && typo(authority).is_some();
            if !told {
                faults.push(fault);
            }
            None
        },
    );
    Some((name?, port?))
}

/// Splits at the colon before the port; the name keeps its brackets.
fn split(authority: &str, context: Context) -> Result<(&str, Option<&str>), String> {
    if authority.starts_with('[') {
        let Some(end) = authority.find(']') else {
            return Err(format!(
                "has no ']' after {}: write [<IPv6 address>]:<port>",
                quoted(authority)
            ));
        };
        let (name, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            _ if rest.is_empty() => Ok((name, None)),
            Some(port) => Ok((name, Some(port))),
            None => Err(format!(
                "has {} after ']': write {name}:<port>",
                quoted(rest)
            )),
        };
    }
    match authority.rsplit_once(':') {
        Some((name, port)) if name.contains(':') => {
            let write = match (name.parse::<Ipv6Addr>(), authority.parse::<Ipv6Addr>()) {
                (Ok(_), _) if port_of(port).is_ok() => format!("[{name}]:{port}"),
                (_, Ok(_)) => format!("[{authority}]:{}", example_port(context)),
                _ => "<name>:<port>, or [<IPv6 address>]:<port>".to_owned(),
            };
            Err(format!("has more than one colon: write {write}"))
        }
        Some((name, port)) => Ok((name, Some(port))),
        None => Ok((authority, None)),
    }
}

fn example_port(context: Context) -> u16 {
    match (context.websockets, context.tls) {
        (true, Some(false)) => WS_PORT,
        (true, _) => WSS_PORT,
        (false, Some(false)) => 1883,
        (false, _) => 8883,
    }
}

fn no_port(name: &str, authority: &str, context: Context) -> String {
    match typo(authority) {
        Some((name, port)) => format!("{} has no port: write {name}:{port}", quoted(authority)),
        None if name.is_empty() => "has no name: write <name>:<port>".to_owned(),
        None => {
            let name = authority.trim_end_matches('.');
            format!(
                "{} has no port: write {name}:<port>, for example {name}:{}",
                quoted(authority),
                example_port(context)
            )
        }
    }
}

/// `broker.svc.8885` or `10.0.0.5.1883`: a dot where the colon belongs. A plain IPv4 address is none.
fn typo(authority: &str) -> Option<(&str, &str)> {
    let (name, port) = authority.rsplit_once('.')?;
    let like_port = (2..=5).contains(&port.len()) && port_of(port).is_ok();
    (like_port && authority.parse::<Ipv4Addr>().is_err() && names::is_host_name(name))
        .then_some((name, port))
}

fn port_of(digits: &str) -> Result<u16, String> {
    if digits.is_empty() {
        return Err("has no port after the colon: write a port from 1 to 65535".to_owned());
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!(
            "has the port {}, which is no number: write one from 1 to 65535",
            quoted(digits)
        ));
    }
    let number = digits.trim_start_matches('0');
    match number.parse::<u16>() {
        Ok(port) if number.len() == digits.len() => Ok(port),
        Ok(port) => Err(format!("has the port {}: write {port}", quoted(digits))),
        Err(_) if number.is_empty() => Err("has port 0: write one from 1 to 65535".to_owned()),
        Err(_) => Err(format!(
            "has the port {}, which is too high: write one from 1 to 65535",
            quoted(digits)
        )),
    }
}

/// What is wrong with a name that is told apart from its port.
fn name_fault(name: &str, authority: &str) -> Option<String> {
    if let Some(address) = name.strip_prefix('[') {
        let address = address.trim_end_matches(']');
        return address.parse::<Ipv6Addr>().is_err().then(|| {
            format!(
                "{} is not an IPv6 address: write one without zone, for example [fd00::5]",
                quoted(name)
            )
        });
    }
    if name.is_empty() {
        return Some("has no name: write a name before the port".to_owned());
    }
    if names::is_host_name(name) {
        return None;
    }
    if let Some((name, port)) = typo(authority) {
        return Some(format!(
            "{} has no port: write {name}:{port}",
            quoted(authority)
        ));
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    Some(
        if name.ends_with('.') && names::is_host_name(name.trim_end_matches('.')) {
            format!(
                "{} ends with a dot: write {}",
                quoted(name),
                name.trim_end_matches('.')
            )
        } else if !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) {
            format!(
                "{} is neither a name nor an IPv4 address: write four numbers from 0 to 255",
                quoted(name)
            )
        } else if !name.is_ascii() {
            format!(
                "{} is no DNS name: write it in its ASCII form (xn--...)",
                quoted(name)
            )
        } else {
            format!(
                "{} is no DNS name: write letters, digits, '-' and '.', each part of 1 to 63 characters without '-' at its ends",
                quoted(name)
            )
        },
    )
}
