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
use tests::process::{Process, command};

/// Name of the endpoint.
const ENDPOINT: &str = "default";

/// What is measured. The first is ours, the second what it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    Sidecar,
    Nginx,
    Haproxy,
    Stunnel,
    Bridge,
    Copier,
}

impl Program {
    pub(crate) const ALL: [Program; 6] = [
        Program::Sidecar,
        Program::Nginx,
        Program::Haproxy,
        Program::Stunnel,
        Program::Bridge,
        Program::Copier,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Program::Sidecar => "dataflow-sidecar",
            Program::Nginx => "nginx",
            Program::Haproxy => "haproxy",
            Program::Stunnel => "stunnel",
            Program::Bridge => "mosquitto-bridge",
            Program::Copier => "copier",
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
            Program::Haproxy => haproxy(folder, broker, port)?,
            Program::Stunnel => stunnel(folder, broker, port)?,
            Program::Bridge => bridge(folder, broker, port)?,
            Program::Copier => copier(broker, port),
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

    /// Of every message through it.
    pub(crate) fn topic(&self) -> String {
        format!("bench/{}", self.program.name())
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
        "{load_module}daemon off;\nmaster_process off;\nworker_processes 1;\nworker_rlimit_nofile 8192;\n\
         pid {folder_text}/nginx.pid;\nerror_log stderr warn;\nevents {{\n  worker_connections 4096;\n}}\n\
         stream {{\n  server {{\n    listen 127.0.0.1:{port};\n    proxy_pass 127.0.0.1:{};\n    proxy_ssl on;\n\
         proxy_ssl_protocols TLSv1.3;\n    proxy_ssl_name localhost;\n    proxy_ssl_verify on;\n\
         proxy_ssl_trusted_certificate {};\n    proxy_timeout 1h;\n  }}\n}}\n",
        broker.port,
        broker.ca.display(),
    );
    let settings = write(folder, "nginx.conf", &text)?;
    let mut nginx = command("nginx");
    nginx
        .arg("-p")
        .arg(folder)
        .args(["-e", "stderr", "-c"])
        .arg(&settings);
    Ok(nginx)
}

/// HAProxy as one thread.
fn haproxy(folder: &Path, broker: &Broker, port: u16) -> Result<Command> {
    let text = format!(
        "global\n  nbthread 1\n  maxconn 2048\n\
         defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1h\n  timeout server 1h\n\
         listen mqtt\n  bind 127.0.0.1:{port}\n\
         server broker 127.0.0.1:{} ssl verify required ca-file {} sni str(localhost) verifyhost localhost ssl-min-ver TLSv1.3\n",
        broker.port,
        broker.ca.display(),
    );
    let settings = write(folder, "haproxy.cfg", &text)?;
    let mut haproxy = command("haproxy");
    haproxy.arg("-db").arg("-f").arg(&settings);
    Ok(haproxy)
}

fn stunnel(folder: &Path, broker: &Broker, port: u16) -> Result<Command> {
    let text = format!(
        "foreground = yes\nsyslog = no\ndebug = warning\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n\
         [mqtt]\nclient = yes\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{}\nCAfile = {}\n\
         verifyChain = yes\ncheckHost = localhost\nsni = localhost\nsslVersionMin = TLSv1.3\n",
        broker.port,
        broker.ca.display(),
    );
    let settings = write(folder, "stunnel.conf", &text)?;
    let mut stunnel = command("stunnel");
    stunnel.arg(&settings);
    Ok(stunnel)
}

/// A broker beside the app that passes everything on.
fn bridge(folder: &Path, broker: &Broker, port: u16) -> Result<Command> {
    let text = format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
         max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\nlog_dest stderr\nlog_type error\n\
         connection broker\naddress localhost:{}\nbridge_cafile {}\nbridge_protocol_version mqttv50\ntopic # out 2\ntry_private false\n",
        broker.port,
        broker.ca.display(),
    );
    let settings = write(folder, "bridge.conf", &text)?;
    let mut mosquitto = command("mosquitto");
    mosquitto.arg("-c").arg(&settings);
    Ok(mosquitto)
}

/// The least that a proxy on our runtime and TLS library can do.
fn copier(broker: &Broker, port: u16) -> Command {
    let mut copier = Command::new(built_program("copier"));
    copier
        .arg(format!("127.0.0.1:{port}"))
        .arg(format!("127.0.0.1:{}", broker.port))
        .arg(&broker.ca);
    copier
}

fn write(folder: &Path, name: &str, text: &str) -> Result<std::path::PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {name}"))?;
    Ok(path)
}
