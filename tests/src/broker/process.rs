//! The embedded broker as a process, and what it wrote down.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::journal::Entries;
use crate::certificates::Authority;
use crate::token::Issuer;
use crate::{built_program, eventually, free_port};

const SUBJECT: &str = "system:serviceaccount:demo:oven";
const AUDIENCE: &str = "aio-internal";

/// A broker that can be started, killed and started again on its port.
pub struct Broker {
    /// Of the TLS listener on localhost.
    pub port: u16,
    /// Signed its certificate.
    pub authority: Authority,
    issuer: Issuer,
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Broker {
    /// A broker that does not run yet.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new("embedded broker's authority");
        let server = authority.server();
        let write =
            |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("writable");
        write("server.crt", &server.certificate);
        write("server.key", &server.key);
        write("journal", "");
        Self {
            port: free_port(),
            authority,
            issuer: Issuer::new(),
            folder,
            child: None,
        }
    }

    /// Starts it and waits until it listens.
    pub async fn start(&mut self) {
        let child = Command::new(built_program("broker"))
            .arg(self.port.to_string())
            .args([self.path("server.crt"), self.path("server.key")])
            .args([&self.issuer.public_key(), AUDIENCE])
            .arg(self.path("journal"))
            .stdout(Stdio::null())
            .spawn()
            .expect("the broker starts");
        self.child = Some(child);
        let port = self.port;
        eventually::holds("the broker listens", || async move {
            let connection = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            connection.map(drop).map_err(|error| error.to_string())
        })
        .await;
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a process of ours");
            child.wait().expect("a process of ours");
        }
    }

    /// A good token for 10 minutes.
    pub fn token(&self, serial: u32) -> String {
        self.issuer.token(SUBJECT, AUDIENCE, 600, serial)
    }

    /// A token that ran out a minute ago.
    pub fn expired_token(&self) -> String {
        self.issuer.token(SUBJECT, AUDIENCE, -60, 0)
    }

    /// How many lines of the journal begin with this word: `connect`, `reauth`, `refuse`, `publish`.
    pub fn count(&self, word: &str) -> usize {
        self.journal().count(word)
    }

    /// Numbers below a topic that arrived, in order: the topic of message 7 below `demo` is `demo/7`.
    pub fn arrived(&self, below: &str) -> Vec<u64> {
        self.journal().arrived(below)
    }

    /// As whom the broker let a client in.
    pub fn identity(&self, client_id: &str) -> String {
        let journal = self.journal();
        journal.identity(client_id).unwrap_or("nobody").to_owned()
    }

    fn journal(&self) -> Entries {
        Entries(fs::read_to_string(self.path("journal")).unwrap_or_default())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
