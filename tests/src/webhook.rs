//! The program `dataflow-webhook`, serving endpoints of a file.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use crate::certificates::Authority;
use crate::{built_program, eventually, free_port, http};

/// A webhook without a cluster.
pub struct Webhook {
    /// Of the admin server.
    pub admin_port: u16,
    /// Of the server that answers reviews.
    pub port: u16,
    child: Child,
    _directory: tempfile::TempDir,
}

impl Webhook {
    /// Starts it with these endpoints, YAML, and waits until it is ready.
    pub async fn start(endpoints: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let identity = Authority::new("webhook").server();
        let write = |name: &str, text: &str| {
            fs::write(directory.path().join(name), text).expect("writable");
        };
        write("tls.crt", &identity.certificate);
        write("tls.key", &identity.key);
        write("endpoints.yaml", endpoints);
        let (port, admin_port) = (free_port(), free_port());
        let log = File::create(directory.path().join("log")).expect("writable");
        let child = Command::new(built_program("dataflow-webhook"))
            .current_dir(directory.path())
            .args(["serve", "--cert", "tls.crt", "--key", "tls.key"])
            .args(["--endpoints", "endpoints.yaml"])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--admin", &format!("127.0.0.1:{admin_port}")])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the webhook starts");
        let webhook = Self {
            admin_port,
            port,
            child,
            _directory: directory,
        };
        eventually::holds("the webhook is ready", || webhook.get("/readyz")).await;
        webhook
    }

    /// Body of a GET to the admin server; an error unless it answers 200.
    pub async fn get(&self, path: &str) -> Result<String, String> {
        let answer = http::request(self.admin_port, "GET", path, "").await?;
        match answer.status {
            200 => Ok(answer.body),
            status => Err(format!("{status}: {}", answer.body)),
        }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
