//! What happened at the embedded broker: a file with a line for each event.
//!
//! ```text
//! connect CLIENT_ID IDENTITY
//! reauth CLIENT_ID IDENTITY
//! refuse CLIENT_ID REASON
//! publish TOPIC QOS RETAIN
//! disconnect CLIENT_ID clean|lost
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use mqtt5::broker::{BrokerEventHandler, ClientDisconnectEvent, ClientPublishEvent, PublishAction};

use super::gate::Answer;

/// Writes it.
pub struct Journal {
    file: File,
}

impl Journal {
    /// Goes on with the file that an earlier broker has left.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file })
    }

    /// One write a line, so that a kill leaves whole lines.
    pub fn record(&self, line: &str) {
        if let Err(error) = (&self.file).write_all(format!("{line}\n").as_bytes()) {
            eprintln!("broker: the journal cannot be written: {error}");
        }
    }
}

impl BrokerEventHandler for Journal {
    /// The broker waits for this before it acknowledges.
    fn on_client_publish<'a>(&'a self, event: ClientPublishEvent) -> Answer<'a, PublishAction> {
        let (topic, qos, retain) = (&event.topic, event.qos as u8, event.retain);
        self.record(&format!("publish {topic} {qos} {retain}"));
        Box::pin(std::future::ready(PublishAction::Continue))
    }

    fn on_client_disconnect<'a>(&'a self, event: ClientDisconnectEvent) -> Answer<'a, ()> {
        let how = if event.unexpected { "lost" } else { "clean" };
        self.record(&format!("disconnect {} {how}", event.client_id));
        Box::pin(std::future::ready(()))
    }
}

/// Reads it.
#[derive(Debug, Clone, Default)]
pub struct Entries(pub String);

impl Entries {
    /// The lines that begin with this word, without it.
    pub fn lines<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.0.lines().filter_map(|line| line.split_once(' '));
        lines
            .filter(move |(first, _)| *first == word)
            .map(|(_, rest)| rest)
    }

    /// How many lines begin with this word.
    pub fn count(&self, word: &str) -> usize {
        self.lines(word).count()
    }

    /// Numbers below a topic that arrived, in order: the topic of message 7 below `demo` is `demo/7`.
    pub fn arrived(&self, below: &str) -> Vec<u64> {
        let topics = self
            .lines("publish")
            .filter_map(|line| line.split(' ').next());
        let numbers = topics.filter_map(|topic| topic.strip_prefix(below)?.strip_prefix('/'));
        numbers.filter_map(|number| number.parse().ok()).collect()
    }

    /// As whom the broker first let a client in.
    pub fn identity(&self, client_id: &str) -> Option<&str> {
        self.lines("connect")
            .filter_map(|line| line.split_once(' '))
            .find_map(|(id, identity)| (id == client_id).then_some(identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_what_the_journal_recorded() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let journal = Journal::open(file.path()).expect("writable");
        for line in [
            "connect oven system:serviceaccount:a:b",
            "publish load/7 1 false",
            "publish load/8 0 true",
            "publish loads/9 1 false",
            "disconnect oven lost",
            "connect oven anonymous",
        ] {
            journal.record(line);
        }
        let entries = Entries(std::fs::read_to_string(file.path()).expect("readable"));
        assert_eq!(entries.count("connect"), 2);
        assert_eq!(entries.arrived("load"), [7, 8]);
        assert_eq!(entries.identity("oven"), Some("system:serviceaccount:a:b"));
        assert_eq!(entries.identity("press"), None);
        assert_eq!(
            entries.lines("disconnect").collect::<Vec<_>>(),
            ["oven lost"]
        );
    }
}
