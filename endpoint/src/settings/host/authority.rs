//! Name and port of a host.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::names;
use super::super::words::quoted;
use super::{Context, WS_PORT, WSS_PORT};

/// Name and port, each fault reported.
pub(super) fn authority_of(
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
