//! mosquitto with TLS.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tests::certificates::Authority;
use tests::free_port;

use tests::process::{Process, command};

/// A running broker.
pub(crate) struct Broker {
    pub(crate) port: u16,
    /// Certificate of the authority that signed the broker's, PEM.
    pub(crate) ca: PathBuf,
    _process: Process,
}

impl Broker {
    pub(crate) fn start(folder: &Path) -> Result<Broker> {
        let authority = Authority::new("bench authority");
        let server = authority.server();
        for (name, pem) in [
            ("ca.crt", authority.certificate()),
            ("broker.crt", &server.certificate),
            ("broker.key", &server.key),
        ] {
            fs::write(folder.join(name), pem).context("cannot write a certificate")?;
        }

        let port = free_port();
        let settings = folder.join("mosquitto.conf");
        let here = folder.display();
        // `user` keeps it from giving up root, and with it the right to read this folder; elsewhere it has no effect.
        // `max_inflight_messages 0`: the window is the app's. `set_tcp_nodelay`: acknowledgements leave at once.
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\ncertfile {here}/broker.crt\nkeyfile {here}/broker.key\n\
             allow_anonymous true\npersistence false\nmax_inflight_messages 0\nset_tcp_nodelay true\n\
             log_dest stderr\nlog_type error\n",
        );
        fs::write(&settings, text).context("cannot write mosquitto's configuration")?;
        let mut mosquitto = command("mosquitto");
        mosquitto.arg("-c").arg(&settings);
        let mut process = Process::start("mosquitto", &mut mosquitto, folder)?;
        process.wait_for_port(port)?;
        Ok(Broker {
            port,
            ca: folder.join("ca.crt"),
            _process: process,
        })
    }
}
