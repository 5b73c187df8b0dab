//! The optimised program, serving.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::ClientConfig;
use tests::certificates::Authority;
use tests::process::Process;
use tests::{built_program, free_port};

use super::asking;

/// A running webhook.
pub(crate) struct Webhook {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) config: Arc<ClientConfig>,
    admin_port: u16,
}

impl Webhook {
    /// Starts it with its defaults; `more` says where its endpoints are.
    pub(crate) fn start(
        folder: &Path,
        name: &'static str,
        more: impl FnOnce(&mut Command),
    ) -> Result<Webhook> {
        let authority = Authority::new("webhook");
        let identity = authority.server();
        let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
        fs::write(&certificate, identity.certificate)?;
        fs::write(&key, identity.key)?;
        let (port, admin_port) = (free_port(), free_port());
        let mut command = Command::new(built_program("dataflow-webhook"));
        command
            .arg("serve")
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--admin", &format!("127.0.0.1:{admin_port}")])
            .arg("--cert")
            .arg(certificate)
            .arg("--key")
            .arg(key);
        more(&mut command);
        let mut process = Process::start(name, &mut command, folder)?;
        process.wait_for_port(port)?;
        Ok(Webhook {
            process,
            port,
            config: asking::config(authority.certificate())?,
            admin_port,
        })
    }

    /// What it tells Prometheus.
    pub(crate) fn metrics(&self) -> Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.admin_port))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream
            .read_to_string(&mut text)
            .context("cannot read the metrics")?;
        Ok(text)
    }
}

/// The value of a metric with these labels, as the text has it.
pub(crate) fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}
