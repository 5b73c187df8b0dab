//! The annotation `endpoint`: `name` or `name:port`, several separated by commas.

use std::fmt;

use super::DEFAULT_PORT;
use crate::settings::names;

/// Each endpoint is a listener and up to four volumes of the pod; nobody needs more, and the annotation may have
/// 256 KiB.
pub const ENDPOINTS_MAX: usize = 16;

/// An endpoint that a pod asks for, and the port of its listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPort {
    /// Name of the endpoint in the pod's namespace.
    pub name: String,
    /// Port on localhost.
    pub port: u16,
}

/// What is wrong with the annotation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// More endpoints than a pod may have.
    #[error("{0} endpoints are named: name at most {ENDPOINTS_MAX}")]
    TooMany(usize),
    /// Nothing between two commas, or nothing at all; which one, counted from 1.
    #[error("entry {0} is empty: write <name> or <name>:<port>, several separated by commas")]
    Empty(usize),
    /// Not a name that an endpoint can have.
    #[error(
        "{0:?} cannot be the name of an endpoint: write at most 63 lower-case letters, digits and '-'"
    )]
    BadName(String),
    /// Not a port.
    #[error("{name:?} has the port {port:?}: write a number from 1 to 65535")]
    BadPort {
        /// Name of the endpoint.
        name: String,
        /// What stands behind the colon.
        port: String,
    },
    /// An endpoint more than once.
    #[error("endpoint {0:?} is named twice: name it once")]
    Repeated(String),
    /// Two endpoints on one port.
    #[error(
        "endpoints {first:?} and {second:?} are both on port {port}: write another port, for example {second}:{free}"
    )]
    SamePort {
        /// The endpoint that has the port.
        first: String,
        /// The endpoint that wants it too.
        second: String,
        /// The port.
        port: u16,
        /// A port that no endpoint of the annotation has.
        free: u16,
    },
}

/// Reads the annotation's value. The k-th endpoint's default port is `DEFAULT_PORT + k - 1`, whatever the others say.
///
/// # Errors
/// Every fault of the value at once.
pub fn parse_endpoints(value: &str) -> Result<Vec<EndpointPort>, Vec<EndpointFault>> {
    let count = value.split(',').count();
    if count > ENDPOINTS_MAX {
        return Err(vec![EndpointFault::TooMany(count)]);
    }
    let mut faults = Vec::new();
    let mut endpoints: Vec<EndpointPort> = Vec::new();
    for (index, entry) in value.split(',').enumerate() {
        match entry_of(entry.trim(), index) {
            Ok(endpoint) if endpoints.iter().any(|other| other.name == endpoint.name) => {
                faults.push(EndpointFault::Repeated(endpoint.name));
            }
            Ok(endpoint) => endpoints.push(endpoint),
            Err(fault) => faults.push(fault),
        }
    }
    faults.extend(same_ports(&endpoints));
    if faults.is_empty() {
        Ok(endpoints)
    } else {
        Err(faults)
    }
}

fn entry_of(entry: &str, index: usize) -> Result<EndpointPort, EndpointFault> {
    if entry.is_empty() {
        return Err(EndpointFault::Empty(index + 1));
    }
    let (name, port) = match entry.split_once(':') {
        Some((name, port)) => (name.trim_end(), Some(port.trim_start())),
        None => (entry, None),
    };
    if !names::is_label(name) {
        return Err(EndpointFault::BadName(name.to_owned()));
    }
    let port = match port {
        Some(text) => port_of(text),
        None => u16::try_from(usize::from(DEFAULT_PORT) + index).ok(),
    };
    port.map(|port| EndpointPort {
        name: name.to_owned(),
        port,
    })
    .ok_or_else(|| EndpointFault::BadPort {
        name: name.to_owned(),
        port: entry[name.len()..]
            .trim_start_matches([' ', ':'])
            .to_owned(),
    })
}

fn port_of(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

fn same_ports(endpoints: &[EndpointPort]) -> Vec<EndpointFault> {
    let taken = |port: u16| endpoints.iter().find(|endpoint| endpoint.port == port);
    let free = (DEFAULT_PORT..=u16::MAX)
        .find(|port| taken(*port).is_none())
        .unwrap_or(DEFAULT_PORT);
    endpoints
        .iter()
        .filter_map(|second| {
            let first = taken(second.port).filter(|first| first.name != second.name)?;
            Some(EndpointFault::SamePort {
                first: first.name.clone(),
                second: second.name.clone(),
                port: second.port,
                free,
            })
        })
        .collect()
}

/// `name:port`
impl fmt::Display for EndpointPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::{ENDPOINTS_MAX, EndpointFault, EndpointPort, parse_endpoints};

    fn ports(value: &str) -> Vec<(String, u16)> {
        let endpoints = parse_endpoints(value).unwrap();
        endpoints
            .into_iter()
            .map(|EndpointPort { name, port }| (name, port))
            .collect()
    }

    #[test]
    fn the_default_port_counts_the_place_of_the_endpoint() {
        for (value, wanted) in [
            ("default", &[("default", 1883)][..]),
            ("a,b,c", &[("a", 1883), ("b", 1884), ("c", 1885)]),
            ("a:2000,b", &[("a", 2000), ("b", 1884)]),
            (
                "  a , b : 1999 ,c ",
                &[("a", 1883), ("b", 1999), ("c", 1885)],
            ),
            ("a:1884,b:1883", &[("a", 1884), ("b", 1883)]),
        ] {
            let wanted: Vec<(String, u16)> = wanted
                .iter()
                .map(|(name, port)| ((*name).to_owned(), *port))
                .collect();
            assert_eq!(ports(value), wanted, "{value:?}");
        }
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let faults = parse_endpoints("a, ,Big,b:0,a,c:1883,d:99999,e:,").unwrap_err();
        assert_eq!(
            faults,
            [
                EndpointFault::Empty(2),
                EndpointFault::BadName("Big".to_owned()),
                EndpointFault::BadPort {
                    name: "b".to_owned(),
                    port: "0".to_owned()
                },
                EndpointFault::Repeated("a".to_owned()),
                EndpointFault::BadPort {
                    name: "d".to_owned(),
                    port: "99999".to_owned()
                },
                EndpointFault::BadPort {
                    name: "e".to_owned(),
                    port: String::new()
                },
                EndpointFault::Empty(9),
                EndpointFault::SamePort {
                    first: "a".to_owned(),
                    second: "c".to_owned(),
                    port: 1883,
                    free: 1884,
                },
            ]
        );
        assert_eq!(parse_endpoints("").unwrap_err(), [EndpointFault::Empty(1)]);
    }

    #[test]
    fn a_pod_has_a_bounded_number_of_endpoints() {
        let many = |count: usize| {
            (0..count)
                .map(|n| format!("e{n}"))
                .collect::<Vec<_>>()
                .join(",")
        };
        assert_eq!(ports(&many(ENDPOINTS_MAX)).len(), ENDPOINTS_MAX);
        let faults = parse_endpoints(&many(ENDPOINTS_MAX + 1)).unwrap_err();
        assert_eq!(faults, [EndpointFault::TooMany(ENDPOINTS_MAX + 1)]);
        assert_eq!(parse_endpoints(&",".repeat(100_000)).unwrap_err().len(), 1);
    }

    #[test]
    fn a_default_port_may_meet_a_written_one() {
        let faults = parse_endpoints("a:1884,b").unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!(
            faults[0].to_string(),
            "endpoints \"a\" and \"b\" are both on port 1884: write another port, for example b:1883"
        );
    }
}
