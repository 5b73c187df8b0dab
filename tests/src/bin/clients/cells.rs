//! The cells of the matrix: what is done with a client, and what must come of it.

use std::time::Duration;

use tests::app::Version;
use tests::raw::Raw;
use tests::setup::{Setup, token};
use tokio::time::{Instant, sleep, timeout};

use super::library::{Library, Role, Start};
use super::peer::{Peer, Seen};

/// Generous: other builds may have the machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages of a cell.
const MESSAGES: usize = 20;
/// Pause between messages while something happens to the broker, which takes some of them.
const PACE: Duration = Duration::from_millis(50);

/// A column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Connect,
    Qos(u8),
    Will,
    Session,
    Restart,
    Rotation,
}

impl Cell {
    pub(crate) const ALL: [Self; 8] = [
        Self::Connect,
        Self::Qos(0),
        Self::Qos(1),
        Self::Qos(2),
        Self::Will,
        Self::Session,
        Self::Restart,
        Self::Rotation,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Qos(0) => "QoS 0",
            Self::Qos(1) => "QoS 1",
            Self::Qos(_) => "QoS 2",
            Self::Will => "will",
            Self::Session => "persistent session",
            Self::Restart => "broker restart",
            Self::Rotation => "token rotation",
        }
    }

    fn word(self) -> String {
        self.title().replace(' ', "-")
    }
}

/// A client in a world.
pub(crate) struct Case<'a> {
    pub(crate) setup: &'a mut Setup,
    pub(crate) library: Library,
    pub(crate) version: Version,
    pub(crate) cell: Cell,
}

impl Case<'_> {
    /// Plays the cell.
    pub(crate) async fn play(&mut self) -> Result<(), String> {
        match self.cell {
            Cell::Connect => self.connect().await,
            Cell::Qos(qos) => self.messages(qos).await,
            Cell::Will => self.will().await,
            Cell::Session => self.session().await,
            Cell::Restart => self.restart().await,
            Cell::Rotation => self.rotation().await,
        }
    }

    fn start(&self, role: Role, qos: u8) -> Start {
        let (library, cell) = (self.library.word(), self.cell.word());
        let topic = format!("{library}/{:?}/{cell}", self.version);
        Start {
            role,
            version: self.version,
            port: self.setup.sidecar.port,
            client_id: format!("{library}-{:?}-{cell}-{role:?}", self.version),
            topic,
            qos,
            persistent: false,
            will: None,
        }
    }

    /// A subscriber that has its SUBACK, and a publisher that is connected.
    async fn pair(&self, qos: u8, persistent: bool) -> Result<(Peer, Peer), String> {
        let subscriber = Start {
            persistent,
            ..self.start(Role::Subscriber, qos)
        };
        let subscriber = Peer::start(self.library, &subscriber)?;
        until(&subscriber, "SUBACK", |seen| seen.subscribed > 0).await?;
        let publisher = Start {
            persistent,
            ..self.start(Role::Publisher, qos)
        };
        let publisher = Peer::start(self.library, &publisher)?;
        until(&publisher, "CONNACK", |seen| seen.connects > 0).await?;
        Ok((subscriber, publisher))
    }

    async fn connect(&mut self) -> Result<(), String> {
        for role in [Role::Subscriber, Role::Publisher] {
            let peer = Peer::start(self.library, &self.start(role, 0))?;
            until(&peer, "CONNACK", |seen| seen.connects > 0).await?;
            peer.leave()?;
        }
        Ok(())
    }

    async fn messages(&mut self, qos: u8) -> Result<(), String> {
        let (subscriber, mut publisher) = self.pair(qos, false).await?;
        for number in 0..MESSAGES {
            publisher.publish(&number.to_string())?;
        }
        all_acknowledged(&publisher).await?;
        exactly(&subscriber, numbers()).await?;
        stayed(&subscriber, &publisher)?;
        publisher.leave()?;
        subscriber.leave()
    }

    /// It is killed: the broker publishes its will.
    async fn will(&mut self) -> Result<(), String> {
        let start = self.start(Role::Subscriber, 0);
        let topic = format!("will/{}", start.client_id);
        let start = Start {
            will: Some(topic.clone()),
            ..start
        };
        let mut observer = Raw::observe(self.setup.broker.observer_port, &topic).await;
        let peer = Peer::start(self.library, &start)?;
        until(&peer, "CONNACK", |seen| seen.connects > 0).await?;
        drop(peer);
        let will = timeout(PATIENCE, observer.next_publish()).await;
        let will = will.map_err(|_| "its will did not come")?;
        match will.payload == start.client_id {
            true => Ok(()),
            false => Err("its will has another payload".into()),
        }
    }

    /// What comes while it is away is there when it comes back.
    async fn session(&mut self) -> Result<(), String> {
        let (subscriber, mut publisher) = self.pair(1, true).await?;
        subscriber.leave()?;
        for number in 0..MESSAGES {
            publisher.publish(&number.to_string())?;
        }
        all_acknowledged(&publisher).await?;
        publisher.leave()?;
        let start = Start {
            persistent: true,
            ..self.start(Role::Subscriber, 1)
        };
        let subscriber = Peer::start(self.library, &start)?;
        exactly(&subscriber, numbers()).await?;
        subscriber.leave()
    }

    /// The broker is stopped and started again under messages at QoS 1: the clients notice nothing and lose nothing.
    async fn restart(&mut self) -> Result<(), String> {
        let (subscriber, mut publisher) = self.pair(1, true).await?;
        for number in 0..MESSAGES {
            publisher.publish(&number.to_string())?;
            sleep(PACE).await;
            match number {
                5 => self.setup.broker.stop(),
                12 => self.setup.broker.run().await,
                _ => {}
            }
        }
        all_acknowledged(&publisher).await?;
        let all = |seen: &Seen| numbers().iter().all(|it| seen.received.contains(it));
        until(&subscriber, "every message", all).await?;
        stayed(&subscriber, &publisher)?;
        publisher.leave()?;
        subscriber.leave()
    }

    /// The token changes under messages: nothing is lost or doubled, and the clients notice nothing.
    async fn rotation(&mut self) -> Result<(), String> {
        let (subscriber, mut publisher) = self.pair(1, false).await?;
        let before = self.setup.broker.count("reauth");
        for number in 0..MESSAGES {
            publisher.publish(&number.to_string())?;
            sleep(PACE).await;
            if number == 5 {
                let name = format!("{}{:?}", self.library.word(), self.version);
                let (first, next) = (token("t1"), token(&name));
                self.setup.broker.accept_tokens(&[&first, &next]);
                self.setup.mounts.token(&next);
            }
        }
        let broker = &self.setup.broker;
        let end = Instant::now() + PATIENCE;
        while broker.count("reauth") < before + 2 {
            if Instant::now() > end {
                return Err("the new token is not at the broker for both clients".into());
            }
            sleep(PACE).await;
        }
        publisher.publish(&MESSAGES.to_string())?;
        let mut all = numbers();
        all.push(MESSAGES.to_string());
        exactly(&subscriber, all).await?;
        stayed(&subscriber, &publisher)?;
        publisher.leave()?;
        subscriber.leave()
    }
}

fn numbers() -> Vec<String> {
    (0..MESSAGES).map(|number| number.to_string()).collect()
}

async fn all_acknowledged(publisher: &Peer) -> Result<(), String> {
    until(publisher, "every acknowledgement", |seen| {
        seen.acknowledged >= MESSAGES
    })
    .await
}

/// It receives these, each once, in order.
async fn exactly(subscriber: &Peer, expected: Vec<String>) -> Result<(), String> {
    until(subscriber, "every message", |seen| {
        seen.received.len() >= expected.len()
    })
    .await?;
    let received = subscriber.seen().received;
    match received == expected {
        true => Ok(()),
        false => Err(format!("received {received:?}")),
    }
}

/// Neither lost its connection.
fn stayed(subscriber: &Peer, publisher: &Peer) -> Result<(), String> {
    for (name, peer) in [("subscriber", subscriber), ("publisher", publisher)] {
        let seen = peer.seen();
        if seen.connects != 1 || seen.losses != 0 {
            return Err(format!("the {name} lost its connection: {:?}", seen.other));
        }
    }
    Ok(())
}

async fn until(peer: &Peer, what: &str, is: impl Fn(&Seen) -> bool) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let seen = peer.seen();
        if is(&seen) {
            return Ok(());
        }
        if seen.has_ended() {
            return Err(format!("it ended before {what}: {:?}", seen.other));
        }
        if Instant::now() > end {
            return Err(format!(
                "no {what} within {} s: {seen:?}",
                PATIENCE.as_secs()
            ));
        }
        sleep(Duration::from_millis(20)).await;
    }
}
