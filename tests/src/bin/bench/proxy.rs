//! The programs that are compared: each listens for plain MQTT and speaks TLS to the broker.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use endpoint::contract::{self, Listen, mounts};
use serde_json::json;
use tests::{built_program, free_port};

use super::broker::Broker;
use super::process::{Process, command};

/// Name of the endpoint.
const ENDPOINT: &str = "default";

/// What is measured. The first is ours, the second what it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    Sidecar,
    Nginx,
}

impl Program {
    pub(crate) const ALL: [Program; 2] = [Program::Sidecar, Program::Nginx];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Program::Sidecar => "dataflow-sidecar",
            Program::Nginx => "nginx",
        }
    }
}

/// A program that runs.
pub(crate) struct Proxy {
    pub(crate) program: Program,
    pub(crate) port: u16,
    /// From the start of the process until it accepted a connection.
    pub(crate) start_time: Duration,
    pub(crate) process: Process,
}

impl Proxy {
    pub(crate) fn start(program: Program, folder: &Path, broker: &Broker) -> Result<Proxy> {
        let port = free_port();
        let mut command = match program {
            Program::Sidecar => sidecar(folder, broker, port)?,
            Program::Nginx => nginx(folder, broker, port)?,
        };
        let started = Instant::now();
        let mut process = Process::start(program.name(), &mut command, folder)?;
        process.wait_for_port(port)?;
        Ok(Proxy {
            program,
            port,
            start_time: started.elapsed(),
            process,
        })
    }

    /// What to say beside an error of the app.
    pub(crate) fn failure(&self) -> String {
        format!(
            "an app through {} failed; its log ends with:\n{}\nthe app",
            self.program.name(),
            self.process.log_tail()
        )
    }
}

/// The sidecar on a folder as the webhook mounts it.
fn sidecar(folder: &Path, broker: &Broker, port: u16) -> Result<Command> {
    let mounts = folder.join("mounts");
    let endpoint = mounts.join(ENDPOINT);
    let resource = json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": { "name": ENDPOINT, "namespace": "bench", "uid": "bench", "generation": 1 },
        "spec": {
            "endpointType": "Mqtt",
            "mqttSettings": {
                "host": format!("127.0.0.1:{}", broker.port),
                "authentication": { "method": "Anonymous", "anonymousSettings": {} },
                "tls": { "mode": "Enabled", "trustedCaCertificateConfigMapRef": "bench-ca" },
            },
        },
    });
    let config = endpoint.join(mounts::CONFIG_FILE);
    let ca = endpoint.join(mounts::CA_DIR);
    fs::create_dir_all(config.parent().expect("the file must have a folder"))?;
    fs::create_dir_all(&ca)?;
    fs::write(&config, resource.to_string()).context("cannot write the endpoint")?;
    fs::copy(&broker.ca, ca.join("ca.crt")).context("cannot copy the authority's certificate")?;

    let listen: Listen = format!("{ENDPOINT}=127.0.0.1:{port}").parse()?;
    let mut command = Command::new(built_program("dataflow-sidecar"));
    command
        .arg(contract::command::RUN)
        .env(contract::env::LISTEN, listen.to_string())
        .env(contract::env::MOUNTS, &mounts)
        .env(contract::env::ADMIN, format!("127.0.0.1:{}", free_port()))
        .env(contract::env::LOG, "warn");
    Ok(command)
}

/// nginx as one process that copies bytes between the app and TLS, and checks the broker's certificate too.
fn nginx(folder: &Path, broker: &Broker, port: u16) -> Result<Command> {
    // Debian and most others have the module apart; where it is built in there is nothing to load.
    let load_module = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules"]
        .map(|folder| format!("{folder}/ngx_stream_module.so"))
        .into_iter()
        .find(|path| Path::new(path).exists())
        .map(|path| format!("load_module {path};\n"))
        .unwrap_or_default();
    let folder_text = folder.display();
    let text = format!(
        "{load_module}daemon off;\nmaster_process off;\nworker_processes 1;\n\
         pid {folder_text}/nginx.pid;\nerror_log stderr warn;\nevents {{}}\n\
         stream {{\n  server {{\n    listen 127.0.0.1:{port};\n    proxy_pass 127.0.0.1:{};\n    proxy_ssl on;\n\
         proxy_ssl_protocols TLSv1.3;\n    proxy_ssl_name localhost;\n    proxy_ssl_verify on;\n\
         proxy_ssl_trusted_certificate {};\n    proxy_timeout 1h;\n  }}\n}}\n",
        broker.port,
        broker.ca.display(),
    );
    let settings = folder.join("nginx.conf");
    fs::write(&settings, text).context("cannot write nginx's configuration")?;
    let mut nginx = command("nginx");
    nginx
        .arg("-p")
        .arg(folder)
        .arg("-e")
        .arg("stderr")
        .arg("-c")
        .arg(&settings);
    Ok(nginx)
}
