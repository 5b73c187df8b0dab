//! Tokens, sessions and subscriptions of the fake.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytestring::ByteString;
use sidecar::packet::{PacketId, Publish, Qos, ReasonCode, Subscription};
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::Namespace;
use super::limits::Refused;

/// Messages that wait for a session without a connection; one more ends the session.
const QUEUE_MAX: usize = 100;

/// What a connection is told.
pub(super) enum Order {
    /// To the client.
    Deliver(Publish),
    /// DISCONNECT with this code, and the end.
    Disconnect(ReasonCode),
    /// The end, without a word.
    Drop,
}

/// A broker session.
struct Session {
    subscriptions: Vec<Subscription>,
    connection: Option<(u64, Sender<Order>)>,
    queue: VecDeque<Publish>,
    unacknowledged: BTreeMap<PacketId, Publish>,
    last_id: PacketId,
    /// When it ends, while there is no connection.
    until: Option<Instant>,
}

/// Everything that connections share.
pub(super) struct State {
    pub(super) namespace: Namespace,
    pub(super) journal: Vec<String>,
    tokens: HashMap<String, Instant>,
    sessions: HashMap<ByteString, Session>,
    connections: u64,
    turns: usize,
}

impl State {
    pub(super) fn new(namespace: Namespace) -> Self {
        Self {
            namespace,
            journal: Vec::new(),
            tokens: HashMap::new(),
            sessions: HashMap::new(),
            connections: 0,
            turns: 0,
        }
    }

    pub(super) fn issue(&mut self, token: &str, until: Instant) {
        self.tokens.insert(token.to_owned(), until);
    }

    /// Until when the token is good; nothing for one that is over or was never given.
    pub(super) fn token_end(&self, token: &[u8]) -> Option<Instant> {
        let token = std::str::from_utf8(token).ok()?;
        let until = *self.tokens.get(token)?;
        (until > Instant::now()).then_some(until)
    }

    /// A client is there: its connection's number, and whether its session was.
    pub(super) fn open(
        &mut self,
        client_id: &ByteString,
        clean_start: bool,
        orders: Sender<Order>,
    ) -> Result<(u64, bool), Refused> {
        let now = Instant::now();
        let ended = |session: &Session| session.until.is_some_and(|until| until <= now);
        self.sessions.retain(|_, session| !ended(session));
        if let Some((_, old)) = self
            .sessions
            .get(client_id)
            .and_then(|s| s.connection.as_ref())
        {
            let _ = old.try_send(Order::Disconnect(ReasonCode::SESSION_TAKEN_OVER));
        }
        if clean_start {
            self.sessions.remove(client_id);
        }
        let present = self.sessions.contains_key(client_id);
        if !present && self.sessions.len() >= self.namespace.sessions_max {
            return Err((
                ReasonCode::QUOTA_EXCEEDED,
                "the identity has no session left",
            ));
        }
        self.connections += 1;
        let session = self.sessions.entry(client_id.clone()).or_insert(Session {
            subscriptions: Vec::new(),
            connection: None,
            queue: VecDeque::new(),
            unacknowledged: BTreeMap::new(),
            last_id: 0,
            until: None,
        });
        session.until = None;
        for publish in session.unacknowledged.values() {
            let again = Publish {
                dup: true,
                ..publish.clone()
            };
            let _ = orders.try_send(Order::Deliver(again));
        }
        session.connection = Some((self.connections, orders));
        let waiting: Vec<Publish> = session.queue.drain(..).collect();
        waiting
            .into_iter()
            .for_each(|publish| session.deliver(publish));
        Ok((self.connections, present))
    }

    /// A connection is over; its session lives for so long.
    pub(super) fn close(&mut self, client_id: &ByteString, number: u64, expiry_seconds: u32) {
        let Some(session) = self.sessions.get_mut(client_id) else {
            return;
        };
        // Another connection may have taken the session over.
        if session
            .connection
            .as_ref()
            .is_none_or(|(of, _)| *of != number)
        {
            return;
        }
        session.connection = None;
        session.until = Some(Instant::now() + Duration::from_secs(expiry_seconds.into()));
        if expiry_seconds == 0 {
            self.sessions.remove(client_id);
        }
    }

    pub(super) fn forget_sessions(&mut self) {
        for (_, session) in self.sessions.drain() {
            if let Some((_, orders)) = session.connection {
                let _ = orders.try_send(Order::Drop);
            }
        }
    }

    /// How many subscriptions the session has.
    pub(super) fn subscriptions(&self, client_id: &ByteString) -> usize {
        self.sessions
            .get(client_id)
            .map_or(0, |session| session.subscriptions.len())
    }

    pub(super) fn subscribe(&mut self, client_id: &ByteString, subscription: Subscription) {
        self.unsubscribe(client_id, &subscription.filter);
        if let Some(session) = self.sessions.get_mut(client_id) {
            session.subscriptions.push(subscription);
        }
    }

    /// Whether there was such a subscription.
    pub(super) fn unsubscribe(&mut self, client_id: &ByteString, filter: &ByteString) -> bool {
        let Some(session) = self.sessions.get_mut(client_id) else {
            return false;
        };
        let before = session.subscriptions.len();
        session.subscriptions.retain(|one| one.filter != *filter);
        session.subscriptions.len() < before
    }

    pub(super) fn acknowledged(&mut self, client_id: &ByteString, packet_id: PacketId) {
        if let Some(session) = self.sessions.get_mut(client_id) {
            session.unacknowledged.remove(&packet_id);
        }
    }

    /// To every session that subscribes to it; of a shared subscription to one session, each in turn.
    pub(super) fn publish(&mut self, publish: &Publish) {
        self.turns += 1;
        let mut takers: Vec<(ByteString, Qos)> = Vec::new();
        let mut groups: BTreeMap<ByteString, Vec<(ByteString, Qos)>> = BTreeMap::new();
        for (client_id, session) in &self.sessions {
            for one in &session.subscriptions {
                let taker = (client_id.clone(), one.qos);
                match shared(&one.filter) {
                    Some(filter) if matches(filter, &publish.topic) => {
                        groups.entry(one.filter.clone()).or_default().push(taker);
                    }
                    None if matches(&one.filter, &publish.topic) => takers.push(taker),
                    _ => {}
                }
            }
        }
        for mut members in groups.into_values() {
            members.sort();
            takers.push(members[self.turns % members.len()].clone());
        }
        for (client_id, qos) in takers {
            let Some(session) = self.sessions.get_mut(&client_id) else {
                continue;
            };
            session.deliver(Publish {
                dup: false,
                retain: false,
                qos: publish.qos.min(qos),
                ..publish.clone()
            });
            if session.queue.len() > QUEUE_MAX {
                self.sessions.remove(&client_id);
            }
        }
    }
}

impl Session {
    fn deliver(&mut self, mut publish: Publish) {
        let Some((_, orders)) = &self.connection else {
            if publish.qos == Qos::AtLeastOnce {
                self.queue.push_back(publish);
            }
            return;
        };
        publish.packet_id = 0;
        if publish.qos == Qos::AtLeastOnce {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            publish.packet_id = self.last_id;
            self.unacknowledged.insert(self.last_id, publish.clone());
        }
        let _ = orders.try_send(Order::Deliver(publish));
    }
}

/// The filter of a shared subscription (MQTT 5 section 4.8.2).
fn shared(filter: &str) -> Option<&str> {
    filter
        .strip_prefix("$share/")?
        .split_once('/')
        .map(|(_, filter)| filter)
}

/// Whether a topic matches a filter (MQTT 5 section 4.7).
fn matches(filter: &str, topic: &str) -> bool {
    let mut topics = topic.split('/');
    for level in filter.split('/') {
        match (level, topics.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(topic)) if level == topic => {}
            _ => return false,
        }
    }
    topics.next().is_none()
}
