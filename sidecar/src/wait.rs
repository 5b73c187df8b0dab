//! `dataflow-sidecar wait`: the `postStart` hook that holds the app back until every listener accepts connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::bail;
use endpoint::contract::Listen;
use endpoint::contract::listen::ListenAddress;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::args::Wait;

/// A sidecar listens within milliseconds; looking more often would only take the CPU it needs for that.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(10);

/// Returns when a connection to each listener was accepted.
///
/// # Errors
/// The time is up; the listeners that are missing are named.
pub async fn run(arguments: Wait) -> anyhow::Result<()> {
    let deadline = Instant::now() + arguments.timeout;
    let mut missing = Vec::new();
    for listen in &arguments.listen {
        if timeout_at(deadline, bound(listen)).await.is_err() {
            missing.push(listen.to_string());
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => bail!(
            "nothing listens at {} after {:?}; see the log of the sidecar",
            missing.join(", "),
            arguments.timeout
        ),
    }
}

async fn bound(listen: &Listen) {
    let ip = match listen.address {
        ListenAddress::Localhost => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ListenAddress::Ip(ip) if !ip.is_unspecified() => ip,
        ListenAddress::Ip(IpAddr::V4(_)) => Ipv4Addr::LOCALHOST.into(),
        ListenAddress::Ip(IpAddr::V6(_)) => Ipv6Addr::LOCALHOST.into(),
    };
    while TcpStream::connect(SocketAddr::new(ip, listen.port))
        .await
        .is_err()
    {
        sleep(ATTEMPT_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(ports: &[u16], timeout: Duration) -> Wait {
        let listen = |(index, port): (usize, &u16)| Listen::localhost(format!("e{index}"), *port);
        Wait {
            listen: ports.iter().enumerate().map(listen).collect(),
            timeout,
        }
    }

    #[tokio::test]
    async fn returns_once_every_listener_is_bound() {
        let one = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let two = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ports = [
            one.local_addr().unwrap().port(),
            two.local_addr().unwrap().port(),
        ];
        run(wait(&ports, Duration::from_secs(60))).await.unwrap();
    }

    #[tokio::test]
    async fn names_the_listener_that_is_missing() {
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let error = run(wait(&[free], Duration::from_millis(50)))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("e0=localhost:{free}")), "{error}");
    }
}
