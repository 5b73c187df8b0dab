//! mosquitto with TLS, and the certificates that it and the proxies use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::process::{Process, free_port};

/// A running broker.
pub(crate) struct Broker {
    pub(crate) port: u16,
    /// Certificate of the authority that signed the broker's, PEM.
    pub(crate) ca: PathBuf,
    _process: Process,
}

impl Broker {
    pub(crate) fn start(folder: &Path) -> Result<Broker> {
        let ca = folder.join("ca.crt");
        let certificate = folder.join("broker.crt");
        let key = folder.join("broker.key");
        write_certificates(&ca, &certificate, &key)?;

        let port = free_port()?;
        let settings = folder.join("mosquitto.conf");
        // `user` keeps it from giving up root, and with it the right to read this folder; elsewhere it has no effect.
        // `max_inflight_messages 0`: the window is the app's. `set_tcp_nodelay`: acknowledgements leave at once.
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\ncertfile {}\nkeyfile {}\nallow_anonymous true\n\
             persistence false\nmax_inflight_messages 0\nset_tcp_nodelay true\nlog_dest stderr\nlog_type error\n",
            certificate.display(),
            key.display(),
        );
        fs::write(&settings, text).context("cannot write mosquitto's configuration")?;
        let mut command = Command::new("mosquitto");
        command.arg("-c").arg(&settings);
        let mut process = Process::start("mosquitto", &mut command, folder)?;
        process.wait_for_port(port)?;
        Ok(Broker {
            port,
            ca,
            _process: process,
        })
    }
}

fn write_certificates(ca: &Path, certificate: &Path, key: &Path) -> Result<()> {
    let ca_key = KeyPair::generate()?;
    let mut ca_params = CertificateParams::default();
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate whose subject is its issuer's for self-signed, and both have a default.
    ca_params
        .distinguished_name
        .push(DnType::CommonName, "bench authority");
    let ca_certificate = ca_params.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca_params, ca_key);

    let broker_key = KeyPair::generate()?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let broker = CertificateParams::new(names)?.signed_by(&broker_key, &issuer)?;

    for (path, pem) in [
        (ca, ca_certificate.pem()),
        (certificate, broker.pem()),
        (key, broker_key.serialize_pem()),
    ] {
        fs::write(path, pem).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
