//! The value of `--listen`: `<endpoint>=<address:port>`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::settings::names;

/// A listener: which endpoint it serves and where it listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Listen {
    /// Name of the endpoint, which is also its folder.
    pub endpoint: String,
    /// Where it listens.
    pub address: ListenAddress,
    /// TCP port; 0 takes any free one, for tests.
    pub port: u16,
}

/// The address of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// `localhost`: 127.0.0.1 and, where there is one, ::1.
    Localhost,
    /// One address.
    Ip(IpAddr),
}

/// Why a text is no [`Listen`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenFault {
    /// There is no `=`.
    #[error(
        "{0:?} does not name its endpoint: write <endpoint>=<address>:<port>, for example default=localhost:1883"
    )]
    NoEndpoint(String),
    /// The name before `=` cannot be an endpoint's.
    #[error(
        "{0:?} cannot be the name of an endpoint: write at most 63 lower-case letters, digits and '-'"
    )]
    BadEndpoint(String),
    /// There is no port.
    #[error("{0:?} has no port: write <address>:<port>, for example localhost:1883")]
    NoPort(String),
    /// The port is none.
    #[error("{0:?} is not a port: write a number from 0 to 65535")]
    BadPort(String),
    /// The address is none.
    #[error(
        "{0:?} is not an address: write localhost, an IPv4 address, or an IPv6 address in brackets"
    )]
    BadAddress(String),
}

impl Listen {
    /// The listener that the webhook asks for.
    pub fn localhost(endpoint: impl Into<String>, port: u16) -> Listen {
        Listen {
            endpoint: endpoint.into(),
            address: ListenAddress::Localhost,
            port,
        }
    }
}

impl FromStr for Listen {
    type Err = ListenFault;

    fn from_str(text: &str) -> Result<Listen, ListenFault> {
        let (endpoint, place) = text
            .trim()
            .split_once('=')
            .ok_or_else(|| ListenFault::NoEndpoint(text.to_owned()))?;
        if !names::is_label(endpoint) {
            return Err(ListenFault::BadEndpoint(endpoint.to_owned()));
        }
        let (address, port) = place
            .rsplit_once(':')
            .ok_or_else(|| ListenFault::NoPort(place.to_owned()))?;
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = port
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| ListenFault::BadPort(port.to_owned()))?;
        let address =
            address_of(address).ok_or_else(|| ListenFault::BadAddress(address.to_owned()))?;
        Ok(Listen {
            endpoint: endpoint.to_owned(),
            address,
            port,
        })
    }
}

fn address_of(text: &str) -> Option<ListenAddress> {
    if text == "localhost" {
        return Some(ListenAddress::Localhost);
    }
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip = match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse::<IpAddr>().ok().filter(IpAddr::is_ipv4),
    };
    ip.map(ListenAddress::Ip)
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}", self.endpoint, self.address, self.port)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Localhost => f.write_str("localhost"),
            ListenAddress::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            ListenAddress::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Listen;

    #[test]
    fn a_listener_is_written_as_it_is_read() {
        for text in [
            "default=localhost:1883",
            "a=127.0.0.1:0",
            "b-2=[::1]:1884",
            "c=0.0.0.0:65535",
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        assert_eq!(
            " a=localhost:1 ".parse::<Listen>().unwrap(),
            Listen::localhost("a", 1)
        );
    }

    #[test]
    fn a_bad_listener_says_what_to_write() {
        for (text, wanted) in [
            ("localhost:1883", "does not name its endpoint"),
            ("", "does not name its endpoint"),
            (
                "Default=localhost:1883",
                "cannot be the name of an endpoint",
            ),
            ("=localhost:1883", "cannot be the name of an endpoint"),
            ("../etc=localhost:1883", "cannot be the name of an endpoint"),
            ("default=localhost", "has no port"),
            ("default=localhost:", "is not a port"),
            ("default=localhost:+1", "is not a port"),
            ("default=localhost:65536", "is not a port"),
            ("default=broker:1883", "is not an address"),
            ("default=::1:1883", "is not an address"),
            ("default=:1883", "is not an address"),
        ] {
            let fault = text.parse::<Listen>().unwrap_err().to_string();
            assert!(fault.contains(wanted), "{text:?}: {fault}");
        }
    }
}
