//! The matrix as a page.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use tests::app::Version;

use super::cells::Cell;
use super::library::{Library, installed};

/// One library in one version of MQTT.
pub(crate) struct Row {
    pub(crate) library: Library,
    pub(crate) version: Version,
    /// In the order of [`Cell::ALL`].
    pub(crate) results: Vec<Result<(), String>>,
}

/// Everything that the page says.
pub(crate) struct Report {
    rows: Vec<Row>,
    versions: Vec<String>,
}

const HEAD: &str = "\
# Real clients

`make clients` plays every cell of this matrix and fails when one fails; `make clients WRITE=1` writes this page. Each client is
the library's own, started as a process, with the sidecar as it is without any setting: its endpoint has a host, TLS and a service
account token. The broker is mosquitto with TLS, enhanced authentication and persistence. The plays are in
`tests/src/bin/clients/cells.rs`.

- **QoS 0, 1, 2**: 20 messages from a publisher to a subscriber, both of this library: each acknowledged, each received once, in order.
- **will**: the client is killed, and its will comes.
- **persistent session**: what was published at QoS 1 while the subscriber was away comes when it is back.
- **broker restart**: mosquitto is stopped and started again under messages at QoS 1. Each is acknowledged and received, and neither
  client loses its connection.
- **token rotation**: a new token under messages. Each is received once, and neither client loses its connection.
";

const TAIL: &str = "\
The libraries are only run here, not distributed: mosquitto is EPL-2.0 or BSD-3-Clause, Paho EPL-2.0 or BSD-3-Clause, MQTT.js MIT,
rumqttc Apache-2.0.
";

impl Report {
    /// With the versions of what was played.
    pub(crate) fn new(rows: Vec<Row>) -> anyhow::Result<Self> {
        let versions = Library::ALL
            .into_iter()
            .map(|library| Ok(format!("{} {}", library.name(), version(library)?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { rows, versions })
    }

    /// No cell failed.
    pub(crate) fn is_whole(&self) -> bool {
        self.rows
            .iter()
            .flat_map(|row| &row.results)
            .all(Result::is_ok)
    }

    /// Writes the page.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clients.md");
        let page = format!("{HEAD}\n{self}\n{TAIL}");
        std::fs::write(&path, page).with_context(|| path.display().to_string())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles: Vec<&str> = Cell::ALL.into_iter().map(Cell::title).collect();
        writeln!(f, "| client | MQTT | {} |", titles.join(" | "))?;
        writeln!(f, "|---|---|{}", "---|".repeat(titles.len()))?;
        for row in &self.rows {
            let version = match row.version {
                Version::V311 => "3.1.1",
                Version::V5 => "5",
            };
            write!(f, "| {} | {version} |", row.library.name())?;
            for result in &row.results {
                match result {
                    Ok(()) => write!(f, " yes |")?,
                    Err(why) => write!(f, " **no**: {} |", why.replace('|', "/"))?,
                }
            }
            writeln!(f)?;
        }
        writeln!(f, "\nPlayed with {}.", self.versions.join(", "))
    }
}

/// The version that is installed.
fn version(library: Library) -> anyhow::Result<String> {
    let script = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output()?;
        anyhow::Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    match library {
        Library::Mosquitto => {
            let help = script(Path::new("mosquitto_pub"), &["--help"])?;
            let line = help.lines().find_map(|line| line.split_once(" version "));
            let version = line.and_then(|(_, rest)| rest.split(' ').next());
            Ok(version
                .context("mosquitto_pub says its version")?
                .to_owned())
        }
        Library::Paho => {
            let python = installed().join("venv/bin/python");
            let asks = "from importlib.metadata import version; print(version('paho-mqtt'))";
            Ok(script(&python, &["-c", asks])?.trim().to_owned())
        }
        Library::MqttJs => {
            let package = installed().join("node_modules/mqtt/package.json");
            let package: serde_json::Value = serde_json::from_slice(&std::fs::read(package)?)?;
            Ok(package["version"].as_str().context("a version")?.to_owned())
        }
        Library::Rumqttc => {
            let lock = include_str!("../../../../Cargo.lock");
            let after = lock.split_once("name = \"rumqttc\"\nversion = \"");
            let version = after.and_then(|(_, rest)| rest.split('"').next());
            Ok(version.context("rumqttc is in Cargo.lock")?.to_owned())
        }
    }
}
