//! The real mosquitto: its listeners, the token plugin, and the bad days that a broker has.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::certificates::{Authority, Identity};
use crate::{eventually, free_port};

/// What the app's listener demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Anonymous,
    /// A token of the token file: as enhanced authentication, or as password with the client id as user name.
    Token,
    /// A token of the token file as enhanced authentication with the method of managed identities, `OAUTH2-JWT`.
    ManagedIdentity,
    /// A client certificate of the authority.
    Certificate,
}

/// How the listener of the sidecar is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Plain TCP.
    Tcp,
    /// TLS with a certificate of the authority.
    Tls,
    /// WebSockets without TLS.
    WebSockets,
    /// WebSockets with TLS.
    WebSocketsTls,
}

impl Carrier {
    /// Every one.
    pub const ALL: [Carrier; 4] = [
        Carrier::Tcp,
        Carrier::Tls,
        Carrier::WebSockets,
        Carrier::WebSocketsTls,
    ];

    /// Whether it is encrypted.
    pub fn has_tls(self) -> bool {
        matches!(self, Carrier::Tls | Carrier::WebSocketsTls)
    }

    /// Whether MQTT is in WebSocket messages.
    pub fn has_websockets(self) -> bool {
        matches!(self, Carrier::WebSockets | Carrier::WebSocketsTls)
    }
}

/// The listener under test.
#[derive(Debug, Clone, Copy)]
pub struct Listener<'a> {
    /// How it is reached.
    pub carrier: Carrier,
    /// What it demands.
    pub demand: Demand,
    /// Further lines of configuration for the whole broker.
    pub global: &'a str,
    /// Further lines for the listener alone.
    pub lines: &'a str,
    /// Further settings of its OpenSSL, for what mosquitto has none for.
    pub openssl: &'a str,
    /// What it shows, of the authority that the clients trust.
    pub certificate: fn(&Authority) -> Identity,
}

impl Listener<'_> {
    /// A listener with a good certificate and nothing special.
    pub fn new(carrier: Carrier, demand: Demand) -> Self {
        Self {
            carrier,
            demand,
            global: "",
            lines: "",
            openssl: "",
            certificate: Authority::server,
        }
    }
}

/// A mosquitto with two listeners: one for the sidecar, and a plain one for the test itself.
pub struct Mosquitto {
    directory: tempfile::TempDir,
    /// The listener under test.
    pub port: u16,
    /// A plain listener without authentication.
    pub observer_port: u16,
    /// Signs the listener's certificate.
    pub authority: Authority,
    child: Option<Child>,
}

/// The file of tokens that a mosquitto accepts.
pub struct Tokens(PathBuf);

impl Tokens {
    /// Accepts these tokens and no others from now on.
    pub fn accept(&self, tokens: &[&str]) {
        let whole = self.0.with_extension("new");
        fs::write(&whole, tokens.join("\n")).expect("writable");
        fs::rename(whole, &self.0).expect("same folder");
    }
}

/// Lines that make it keep broker sessions and messages over [`Mosquitto::stop`].
pub const PERSISTENT: &str = "persistence true\npersistence_location ./\n";

impl Mosquitto {
    /// Starts it with the plugin, a fresh authority, and further lines of configuration.
    pub async fn start(carrier: Carrier, demand: Demand, more: &str) -> Self {
        Self::start_listener(Listener {
            global: more,
            ..Listener::new(carrier, demand)
        })
        .await
    }

    /// Starts it with this listener.
    pub async fn start_listener(listener: Listener<'_>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut mosquitto = Self {
            port: free_port(),
            observer_port: free_port(),
            authority: Authority::new("test authority"),
            directory,
            child: None,
        };
        mosquitto.write_files(listener);
        mosquitto.run().await;
        mosquitto
    }

    fn write_files(&self, listener: Listener<'_>) {
        let Listener {
            carrier,
            demand,
            global,
            lines,
            openssl,
            certificate,
        } = listener;
        let openssl = format!(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n{openssl}"
        );
        fs::write(self.path("openssl.cnf"), openssl).expect("writable");
        let server = certificate(&self.authority);
        fs::write(self.path("server.crt"), &server.certificate).expect("writable");
        fs::write(self.path("server.key"), &server.key).expect("writable");
        fs::write(self.path("ca.crt"), self.authority.certificate()).expect("writable");
        fs::write(self.path("tokens"), "").expect("writable");
        fs::write(self.path("journal"), "").expect("writable");
        let here = self.directory.path().display();
        let mut transport = String::new();
        if carrier.has_tls() {
            transport += &format!("certfile {here}/server.crt\nkeyfile {here}/server.key\n");
        }
        if carrier.has_websockets() {
            transport += "protocol websockets\n";
        }
        let certificate = match demand {
            Demand::Certificate => {
                format!(
                    "cafile {here}/ca.crt\nrequire_certificate true\nuse_identity_as_username true\n"
                )
            }
            _ => String::new(),
        };
        let method = match demand {
            Demand::ManagedIdentity => "plugin_opt_method OAUTH2-JWT\n",
            _ => "",
        };
        let configuration = format!(
            "user root\nper_listener_settings true\nmax_queued_messages 0\nmax_inflight_messages 100\n\
             log_type all\nlog_dest file {here}/mosquitto.log\nconnection_messages true\n{global}\n\
             listener {} 127.0.0.1\nallow_anonymous {}\n{transport}{lines}{certificate}\
             plugin {}\nplugin_opt_tokens {here}/tokens\nplugin_opt_journal {here}/journal\n{method}\n\
             listener {} 127.0.0.1\nallow_anonymous true\n",
            self.port,
            !matches!(demand, Demand::Token | Demand::ManagedIdentity),
            plugin().display(),
            self.observer_port,
        );
        fs::write(self.path("mosquitto.conf"), configuration).expect("writable");
    }

    /// Starts the process, on the same ports and with the same files.
    pub async fn run(&mut self) {
        let child = Command::new(program())
            .arg("-c")
            .arg(self.path("mosquitto.conf"))
            .current_dir(self.directory.path())
            .env("OPENSSL_CONF", self.path("openssl.cnf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        self.child = Some(child);
        let port = self.observer_port;
        let log = self.path("mosquitto.log");
        eventually::holds("mosquitto listens", || {
            let log = log.clone();
            async move {
                match tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
                    Ok(_) => Ok(()),
                    Err(error) => Err(format!(
                        "{error}\n{}",
                        fs::read_to_string(log).unwrap_or_default()
                    )),
                }
            }
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

    /// SIGTERM, and waits until it is gone: it writes its persistence file.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            crate::signal(child.id(), "TERM");
            child.wait().expect("a process of ours");
        }
    }

    /// It stops in mid-flight: connections stay open and nothing is answered.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// It goes on where it stopped.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("mosquitto runs");
        crate::signal(child.id(), name);
    }

    /// The tokens that are valid from now on.
    pub fn accept_tokens(&self, tokens: &[&str]) {
        self.tokens_writer().accept(tokens);
    }

    /// The same from elsewhere.
    pub fn tokens_writer(&self) -> Tokens {
        Tokens(self.path("tokens"))
    }

    /// Everything that the plugin recorded, a line each.
    pub fn journal(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.each_in_journal(|line| lines.push(line.to_owned()));
        lines
    }

    /// The same, for a journal that should not be in memory whole.
    pub fn each_in_journal(&self, mut see: impl FnMut(&str)) {
        let file = fs::File::open(self.path("journal")).expect("readable");
        for line in BufReader::new(file).lines() {
            see(&line.expect("readable"));
        }
    }

    /// How many lines of the journal begin with this word.
    pub fn count(&self, word: &str) -> usize {
        let first = |line: &String| line.split(' ').next() == Some(word);
        self.journal().iter().filter(|line| first(line)).count()
    }

    /// Payloads published on a topic by clients of the listener under test, in the order of arrival.
    pub fn published(&self, topic: &str) -> Vec<String> {
        let start = format!("publish {topic} ");
        let journal = self.journal();
        journal
            .iter()
            .filter_map(|line| line.strip_prefix(&start))
            .map(str::to_owned)
            .collect()
    }

    /// Its log, for failures.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("mosquitto.log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let start = log.len().saturating_sub(4_000);
            eprintln!(
                "mosquitto's log ends:\n{}",
                log.get(start..).unwrap_or(&log)
            );
        }
    }
}

/// Debian puts it where an ordinary PATH does not look.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|directory| directory.join("mosquitto"))
        .find(|program| program.is_file())
        .expect("mosquitto is missing: sudo apt-get install -y mosquitto")
}

/// The token plugin, built once for each test program.
fn plugin() -> &'static Path {
    static PLUGIN: OnceLock<PathBuf> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin/k8s_sat.c");
        let built = crate::built_directory().join(format!("k8s_sat-{}.so", std::process::id()));
        let output = Command::new("cc")
            .args(["-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o"])
            .arg(&built)
            .arg(source)
            .output()
            .expect("cc is missing: sudo apt-get install -y gcc");
        assert!(
            output.status.success(),
            "the plugin does not build; its headers come with: \
             sudo apt-get install -y mosquitto-dev libmosquitto-dev\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        built
    })
}
