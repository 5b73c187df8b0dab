//! A running client: what it is told, and what it said.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};

use super::library::{Library, Role, Start};

/// What a client said so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) connects: usize,
    pub(crate) losses: usize,
    pub(crate) subscribed: usize,
    pub(crate) acknowledged: usize,
    pub(crate) received: Vec<String>,
    /// Outputs that ended: it has none any more when it has ended itself.
    pub(crate) ended: usize,
    /// What was understood as nothing of this: why it failed, perhaps.
    pub(crate) other: Vec<String>,
}

/// A client that runs.
pub(crate) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    seen: Arc<Mutex<Seen>>,
    library: Library,
    role: Role,
}

impl Peer {
    /// Starts a client.
    pub(crate) fn start(library: Library, start: &Start) -> Result<Self, String> {
        let mut command = library.command(start);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let qos = start.qos;
        for output in [
            child
                .stdout
                .take()
                .map(|it| Box::new(it) as Box<dyn Read + Send>),
            child
                .stderr
                .take()
                .map(|it| Box::new(it) as Box<dyn Read + Send>),
        ] {
            let (seen, output) = (seen.clone(), output.expect("it is piped"));
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    seen.lock()
                        .expect("no panic while it is held")
                        .take(&line, qos);
                }
            });
        }
        Ok(Self {
            input: child.stdin.take(),
            child,
            seen,
            library,
            role: start.role,
        })
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().expect("no panic while it is held").clone()
    }

    /// Has it publish a payload.
    pub(crate) fn publish(&mut self, payload: &str) -> Result<(), String> {
        let input = self.input.as_mut().ok_or("it has left")?;
        writeln!(input, "{payload}").map_err(|error| format!("it reads nothing: {error}"))
    }

    /// Goodbye: it disconnects and ends.
    pub(crate) fn leave(mut self) -> Result<(), String> {
        self.input = None;
        if self.library == Library::Mosquitto && self.role == Role::Subscriber {
            tests::signal(self.child.id(), "TERM");
        }
        let status = self.child.wait().map_err(|error| error.to_string())?;
        // mosquitto_sub says with its status that it was asked to end.
        match status.success() || self.role == Role::Subscriber {
            true => Ok(()),
            false => Err(format!("it ended with {status}: {:?}", self.seen().other)),
        }
    }
}

/// Killed, if it still runs.
impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Seen {
    /// Both its outputs are closed.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended == 2
    }

    fn take(&mut self, line: &str, qos: u8) {
        let word = line.split(' ').next().unwrap_or_default();
        let debug = |what: &str| line.starts_with("Client ") && line.contains(what);
        if word == "connected" || debug(" received CONNACK (0)") {
            self.connects += 1;
        } else if word == "subscribed" || line.starts_with("Subscribed (mid") {
            self.subscribed += 1;
        } else if let Some(payload) = line.strip_prefix("received ") {
            self.received.push(payload.to_owned());
        } else if word == "acknowledged"
            || debug(" received PUBACK ")
            || debug(" received PUBCOMP ")
            || (qos == 0 && debug(" sending PUBLISH "))
        {
            self.acknowledged += 1;
        } else if word == "lost" {
            self.losses += 1;
        } else if !line.starts_with("Client ") {
            self.other.push(line.to_owned());
        }
    }
}
