//! The client libraries, and how each is started: as a program that publishes what it reads, or prints what it receives.
//!
//! `paho_client.py`, `mqttjs.js` and `rumqttc.rs` have the same arguments and print the same lines: `connected SESSION_PRESENT`,
//! `subscribed`, `acknowledged`, `received PAYLOAD`, `lost`, `refused WHY`; the end of their input is goodbye. The
//! programs of mosquitto are asked for their debug lines, which say the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::app::Version;

/// A client library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    /// `mosquitto_pub` and `mosquitto_sub`.
    Mosquitto,
    /// Eclipse Paho for Python.
    Paho,
    /// MQTT.js.
    MqttJs,
    /// rumqttc.
    Rumqttc,
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Publishes each line that it reads.
    Publisher,
    /// Subscribes, and prints what comes.
    Subscriber,
}

/// One client.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) role: Role,
    pub(crate) version: Version,
    pub(crate) port: u16,
    pub(crate) client_id: String,
    pub(crate) topic: String,
    pub(crate) qos: u8,
    /// The broker is to keep its session.
    pub(crate) persistent: bool,
    /// Topic of its will, whose payload is the client id.
    pub(crate) will: Option<String>,
}

/// Where `make clients` installs Paho and MQTT.js.
pub(crate) fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name)
}

impl Library {
    pub(crate) const ALL: [Self; 4] = [Self::Mosquitto, Self::Paho, Self::MqttJs, Self::Rumqttc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto_pub, mosquitto_sub",
            Self::Paho => "Eclipse Paho for Python",
            Self::MqttJs => "MQTT.js",
            Self::Rumqttc => "rumqttc",
        }
    }

    /// A word for client ids and topics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto",
            Self::Paho => "paho",
            Self::MqttJs => "mqttjs",
            Self::Rumqttc => "rumqttc",
        }
    }

    /// The command that starts a client.
    pub(crate) fn command(self, start: &Start) -> Command {
        match self {
            Self::Mosquitto => mosquitto(start),
            Self::Paho => {
                let mut command = Command::new(installed().join("venv/bin/python"));
                command.arg(script("paho_client.py"));
                arguments(&mut command, start);
                command
            }
            Self::MqttJs => {
                let mut command = Command::new("node");
                command.env("NODE_PATH", installed().join("node_modules"));
                command.arg(script("mqttjs.js"));
                arguments(&mut command, start);
                command
            }
            Self::Rumqttc => {
                let myself = std::env::current_exe().expect("the path of this program");
                let mut command = Command::new(myself);
                command.arg("rumqttc");
                arguments(&mut command, start);
                command
            }
        }
    }
}

fn arguments(command: &mut Command, start: &Start) {
    command.arg(match start.role {
        Role::Publisher => "pub",
        Role::Subscriber => "sub",
    });
    command.arg(match start.version {
        Version::V311 => "3.1.1",
        Version::V5 => "5",
    });
    let (port, qos) = (start.port.to_string(), start.qos.to_string());
    command.args([&port, &start.client_id, &start.topic, &qos]);
    if start.persistent {
        command.arg("persistent");
    }
    if let Some(topic) = &start.will {
        command.arg(format!("will={topic}"));
    }
}

/// Line by line, or nothing would be seen of a program whose output is a pipe.
fn mosquitto(start: &Start) -> Command {
    let mut command = Command::new("stdbuf");
    command.arg("-oL").arg(match start.role {
        Role::Publisher => "mosquitto_pub",
        Role::Subscriber => "mosquitto_sub",
    });
    command.args(["-d", "-h", "127.0.0.1", "-k", "30", "-p"]);
    command.arg(start.port.to_string());
    command.args([
        "-V",
        if start.version == Version::V5 {
            "5"
        } else {
            "311"
        },
    ]);
    command.args(["-i", &start.client_id, "-t", &start.topic]);
    command.args(["-q", &start.qos.to_string()]);
    match start.role {
        Role::Publisher => command.arg("-l"),
        Role::Subscriber => command.args(["-F", "received %p"]),
    };
    if start.persistent {
        command.arg("-c");
        if start.version == Version::V5 {
            command.args(["-x", "300"]);
        }
    }
    if let Some(topic) = &start.will {
        command.args(["--will-topic", topic, "--will-qos", "1"]);
        command.args(["--will-payload", &start.client_id]);
    }
    command
}
