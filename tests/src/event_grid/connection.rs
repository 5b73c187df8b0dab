//! One client's life at the fake.

use std::time::Duration;

use bytes::BytesMut;
use bytestring::ByteString;
use sidecar::packet::{
    Ack, Auth, ConnAck, Connect, Decoder, Disconnect, Frame, Packet, Properties, Property,
    PropertyId, ProtocolVersion, Publish, Qos, ReasonCode, Role, SubAck, Subscribe, UnsubAck,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

use super::limits::{self, METHOD, Refused};
use super::state::Order;
use super::{Shared, lock};

/// A client that sends no CONNECT is not waited for longer.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Longer than any test.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(86_400);

/// More than any test has on its way to one client; a message above that is not delivered, and its test fails.
const ORDERS_MAX: usize = 1_024;

/// What a packet leads to.
enum Outcome {
    Answers(Vec<Packet>),
    /// The connection ends, after this DISCONNECT if there is one.
    End(Option<ReasonCode>),
}

/// A client that is in.
struct Client {
    shared: Shared,
    id: ByteString,
    number: u64,
    expiry_seconds: u32,
    /// When its token ends.
    token_end: Instant,
    /// When it subscribed or unsubscribed within the last second.
    subscribes: Vec<Instant>,
}

struct Stream {
    stream: TlsStream<TcpStream>,
    decoder: Decoder,
    buffer: BytesMut,
}

/// Serves one connection to its end.
pub(super) async fn serve(stream: TlsStream<TcpStream>, shared: Shared) {
    let mut stream = Stream {
        stream,
        decoder: Decoder::new(Role::Client, ProtocolVersion::V5, limits::PACKET_SIZE_MAX),
        buffer: BytesMut::new(),
    };
    let first = timeout(CONNECT_TIME_MAX, stream.next()).await;
    let Ok(Ok(Packet::Connect(connect))) = first else {
        return;
    };
    let (orders, mut inbox) = channel(ORDERS_MAX);
    let certificate = stream.stream.get_ref().1.peer_certificates().is_some();
    let opened = Client::open(&connect, certificate, shared.clone(), orders);
    let (mut client, answer) = match opened {
        Ok(opened) => opened,
        Err((code, rule)) => {
            let line = format!("refuse {} {code} {rule}", connect.client_id);
            lock(&shared).journal.push(line);
            let answer = connack(false, code, Properties::default());
            stream.write(&[answer]).await;
            return;
        }
    };
    stream.write(&[answer]).await;
    let mut seen = Instant::now();
    loop {
        let outcome = tokio::select! {
            packet = stream.next() => match packet {
                Ok(packet) => {
                    seen = Instant::now();
                    client.on_packet(packet)
                }
                Err(code) => client.breaks(code.map(|code| (code, "the packet cannot be taken"))),
            },
            Some(order) = inbox.recv() => match order {
                Order::Deliver(publish) => Outcome::Answers(vec![Packet::Publish(publish)]),
                Order::Disconnect(code) => Outcome::End(Some(code)),
                Order::Drop => Outcome::End(None),
            },
            () = sleep_until(client.token_end) => {
                client.record(&format!("expire {}", client.id));
                Outcome::End(Some(ReasonCode::NOT_AUTHORIZED))
            }
            () = sleep_until(seen + silence_max(&connect)) => {
                client.breaks(Some((ReasonCode::KEEP_ALIVE_TIMEOUT, "keep alive")))
            }
        };
        match outcome {
            Outcome::Answers(answers) => stream.write(&answers).await,
            Outcome::End(code) => {
                let goodbye = code.map(|code| Packet::Disconnect(Disconnect::new(code)));
                stream.write(goodbye.as_slice()).await;
                break;
            }
        }
    }
    let (id, number, seconds) = (&client.id, client.number, client.expiry_seconds);
    lock(&client.shared).close(id, number, seconds);
    // The client may have closed first.
    let _ = stream.stream.shutdown().await;
}

/// 1.5 times the keep alive that is in force.
fn silence_max(connect: &Connect) -> Duration {
    Duration::from_millis(u64::from(keep_alive_seconds(connect)) * 1_500)
}

fn keep_alive_seconds(connect: &Connect) -> u16 {
    match connect.keep_alive_seconds {
        1..=limits::KEEP_ALIVE_SECONDS_MAX => connect.keep_alive_seconds,
        _ => limits::KEEP_ALIVE_SECONDS_MAX,
    }
}

fn connack(session_present: bool, code: ReasonCode, properties: Properties) -> Packet {
    Packet::ConnAck(ConnAck {
        session_present,
        code,
        properties,
    })
}

impl Stream {
    /// The next packet, or why there is none: what the peer is told, nothing where it is gone.
    ///
    /// May be dropped and called again.
    async fn next(&mut self) -> Result<Packet, Option<ReasonCode>> {
        loop {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(Frame::Packet(packet))) => return Ok(packet),
                Ok(Some(Frame::Skipped { .. })) => return Err(Some(ReasonCode::PACKET_TOO_LARGE)),
                Err(error) => return Err(Some(error.reason)),
                Ok(None) => {}
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err(None),
            }
        }
    }

    /// A peer that is gone is found out by the next read.
    async fn write(&mut self, packets: &[Packet]) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            let encoded = packet.encode(ProtocolVersion::V5, &mut bytes);
            encoded.expect("the fake's packets are valid");
        }
        let _ = self.stream.write_all(&bytes).await;
        let _ = self.stream.flush().await;
    }
}

impl Client {
    fn open(
        connect: &Connect,
        certificate: bool,
        shared: Shared,
        orders: Sender<Order>,
    ) -> Result<(Client, Packet), Refused> {
        limits::connect(connect, certificate)?;
        let token_end = match certificate {
            true => Instant::now() + CERTIFICATE_LIFETIME,
            false => check_token(&shared, &connect.properties)?,
        };
        let (id, clean_start) = (connect.client_id.clone(), connect.clean_start);
        let (number, present) = lock(&shared).open(&id, clean_start, orders)?;
        let asked = connect.properties.int(PropertyId::SessionExpiryInterval);
        let asked = asked.unwrap_or(0);
        let allowed = lock(&shared).namespace.session_expiry_seconds_max;
        let client = Client {
            shared,
            id,
            number,
            expiry_seconds: asked.min(allowed),
            token_end,
            subscribes: Vec::new(),
        };
        let will = connect.will.as_ref().map(|will| &will.properties);
        let delay = will.and_then(|will| will.int(PropertyId::WillDelayInterval));
        client.record(&format!(
            "connect {} clean {clean_start} present {present} expiry {asked} keep-alive {} will-delay {}",
            client.id,
            connect.keep_alive_seconds,
            delay.unwrap_or(0).min(limits::WILL_DELAY_SECONDS_MAX),
        ));
        let mut properties = vec![
            Property::MaximumQos(1),
            Property::MaximumPacketSize(limits::PACKET_SIZE_MAX as u32),
            Property::TopicAliasMaximum(limits::TOPIC_ALIASES_MAX),
        ];
        if !certificate {
            properties.push(Property::AuthenticationMethod(METHOD.into()));
        }
        if asked > allowed {
            properties.push(Property::SessionExpiryInterval(allowed));
        }
        let keep_alive = keep_alive_seconds(connect);
        if keep_alive != connect.keep_alive_seconds {
            properties.push(Property::ServerKeepAlive(keep_alive));
        }
        let properties = properties.into_iter().collect();
        Ok((client, connack(present, ReasonCode::SUCCESS, properties)))
    }

    fn record(&self, line: &str) {
        lock(&self.shared).journal.push(line.to_owned());
    }

    /// A rule is broken, or with nothing the client is gone.
    fn breaks(&self, refused: Option<Refused>) -> Outcome {
        let Some((code, rule)) = refused else {
            return Outcome::End(None);
        };
        self.record(&format!("break {} {code} {rule}", self.id));
        Outcome::End(Some(code))
    }

    fn on_packet(&mut self, packet: Packet) -> Outcome {
        if let Err(refused) = limits::packet(&packet) {
            return self.breaks(Some(refused));
        }
        if matches!(packet, Packet::Subscribe(_) | Packet::Unsubscribe(_)) && !self.may_subscribe()
        {
            return self.breaks(Some((
                ReasonCode::QUOTA_EXCEEDED,
                "a session subscribes at most 5 times a second",
            )));
        }
        let answers = match packet {
            Packet::Publish(publish) => self.on_publish(&publish),
            Packet::PubAck(ack) => {
                lock(&self.shared).acknowledged(&self.id, ack.packet_id);
                Vec::new()
            }
            Packet::Subscribe(subscribe) => vec![self.on_subscribe(&subscribe)],
            Packet::Unsubscribe(unsubscribe) => {
                let mut state = lock(&self.shared);
                let code = |filter| match state.unsubscribe(&self.id, filter) {
                    true => ReasonCode::SUCCESS,
                    false => ReasonCode::NO_SUBSCRIPTION_EXISTED,
                };
                vec![Packet::UnsubAck(UnsubAck {
                    packet_id: unsubscribe.packet_id,
                    codes: unsubscribe.filters.iter().map(code).collect(),
                    properties: Properties::default(),
                })]
            }
            Packet::PingReq => vec![Packet::PingResp],
            Packet::Auth(auth) => return self.on_auth(&auth),
            Packet::Disconnect(disconnect) => {
                let expiry = disconnect.properties.int(PropertyId::SessionExpiryInterval);
                self.expiry_seconds = expiry.unwrap_or(self.expiry_seconds);
                self.record(&format!("goodbye {} {}", self.id, disconnect.code));
                return Outcome::End(None);
            }
            _ => return self.breaks(Some((ReasonCode::PROTOCOL_ERROR, "no packet of a client"))),
        };
        Outcome::Answers(answers)
    }

    /// Whether it has not done so too often; this time is counted.
    fn may_subscribe(&mut self) -> bool {
        let now = Instant::now();
        self.subscribes
            .retain(|time| now - *time < Duration::from_secs(1));
        self.subscribes.push(now);
        self.subscribes.len() <= limits::SUBSCRIBES_PER_SECOND_MAX
    }

    fn on_publish(&self, publish: &Publish) -> Vec<Packet> {
        let taken = limits::publish(publish);
        let code = match taken {
            Ok(()) => {
                let users = publish.properties.user_properties().count();
                let payload = String::from_utf8_lossy(&publish.payload);
                let shown = &payload[..payload.floor_char_boundary(20)];
                let line = format!("publish {} {users} {shown}", publish.topic);
                self.record(&line);
                lock(&self.shared).publish(publish);
                ReasonCode::SUCCESS
            }
            Err((code, rule)) => {
                self.record(&format!("break {} {code} {rule}", self.id));
                code
            }
        };
        let answer = Packet::PubAck(Ack::new(publish.packet_id, code));
        (publish.qos == Qos::AtLeastOnce)
            .then_some(answer)
            .into_iter()
            .collect()
    }

    fn on_subscribe(&self, subscribe: &Subscribe) -> Packet {
        let mut state = lock(&self.shared);
        let taken = limits::subscribe(subscribe, state.subscriptions(&self.id));
        if let Err((code, rule)) = taken {
            state
                .journal
                .push(format!("break {} {code} {rule}", self.id));
        }
        let code = |one: &sidecar::packet::Subscription| match taken {
            Err((code, _)) => code,
            Ok(()) => {
                let line = format!("subscribe {} {}", self.id, one.filter);
                state.journal.push(line);
                let granted = one.qos.min(Qos::AtLeastOnce);
                let mut one = one.clone();
                one.qos = granted;
                state.subscribe(&self.id, one);
                ReasonCode(granted as u8)
            }
        };
        Packet::SubAck(SubAck {
            packet_id: subscribe.packet_id,
            codes: subscribe.filters.iter().map(code).collect(),
            properties: Properties::default(),
        })
    }

    fn on_auth(&mut self, auth: &Auth) -> Outcome {
        if auth.code != ReasonCode::REAUTHENTICATE {
            return self.breaks(Some((ReasonCode::PROTOCOL_ERROR, "AUTH is 0x19")));
        }
        match check_token(&self.shared, &auth.properties) {
            Err((code, _)) => {
                self.record(&format!("refuse {} {code}", self.id));
                Outcome::End(Some(code))
            }
            Ok(token_end) => {
                self.token_end = token_end;
                self.record(&format!("reauth {}", self.id));
                let method = Property::AuthenticationMethod(METHOD.into());
                Outcome::Answers(vec![Packet::Auth(Auth {
                    code: ReasonCode::SUCCESS,
                    properties: [method].into_iter().collect(),
                })])
            }
        }
    }
}

/// Until when the token is good.
fn check_token(shared: &Shared, properties: &Properties) -> Result<Instant, Refused> {
    let token = properties.binary(PropertyId::AuthenticationData);
    let token = token.unwrap_or_default();
    if token.len() > limits::AUTHENTICATION_DATA_BYTES_MAX {
        return Err((
            ReasonCode::QUOTA_EXCEEDED,
            "authentication data has at most 8 KiB",
        ));
    }
    let until = lock(shared).token_end(&token);
    until.ok_or((ReasonCode::NOT_AUTHORIZED, "the token is not good"))
}
