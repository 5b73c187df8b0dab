//! The last step of `check`: CONNECT, and what the broker's answer means.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use endpoint::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use uuid::Uuid;

use super::Broken;
use super::report::Report;
use crate::connector::{Transport, explain, tls};
use crate::engine::{Credential, PACKET_SIZE_MAX, handshake};
use crate::packet::{
    ConnAck, Connect, Decoder, Disconnect, Frame, Packet, Property, PropertyId, ProtocolVersion,
    ReasonCode, Role,
};
use crate::watch::Snapshot;

/// A broker that took the connection answers CONNECT in a round trip; one that asks an identity service needs longer.
const CONNACK_TIME_MAX: Duration = Duration::from_secs(10);

/// CONNECT as the sidecar would send it, under a client id of its own, and the broker's answer.
pub(super) async fn connect(
    settings: &Settings,
    instance: &str,
    snapshot: &Snapshot,
    mut transport: Transport,
    report: &mut Report,
) -> Result<(), Broken> {
    let client_id = format!(
        "dataflow-sidecar-check-{}",
        &Uuid::new_v4().simple().to_string()[..8]
    );
    let prefix = settings.client_id_prefix.as_deref();
    let client_id = handshake::broker_client_id(prefix, instance, &client_id);
    let credential = snapshot.credential.clone().unwrap_or_default();
    let packet = connect_packet(&client_id, &credential, settings);
    let mut bytes = BytesMut::new();
    if let Err(error) = packet.encode(ProtocolVersion::V5, &mut bytes) {
        return report.broken("CONNECT", &format!("the packet cannot be written: {error}"));
    }
    let exchange = exchange(&mut transport, &bytes);
    let answer = match timeout(CONNACK_TIME_MAX, exchange).await {
        Err(_) => Err(format!(
            "no CONNACK within {CONNACK_TIME_MAX:?}; see the broker's log"
        )),
        Ok(answer) => answer,
    };
    let connack = report.step("CONNECT", answer)?;
    if connack.code != ReasonCode::SUCCESS {
        return report.broken("CONNECT", &explain_refusal(&connack, &credential));
    }
    report.good(
        "CONNECT",
        &format!("accepted as client {client_id}; {}", limits(&connack)),
    );
    // Nothing depends on it: the broker session has expiry 0.
    let mut bytes = BytesMut::new();
    let goodbye = Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS));
    if goodbye.encode(ProtocolVersion::V5, &mut bytes).is_ok() {
        let _ = transport.write_all(&bytes).await;
        let _ = transport.shutdown().await;
    }
    Ok(())
}

fn connect_packet(client_id: &str, credential: &Credential, settings: &Settings) -> Packet {
    let mut properties = Vec::new();
    let (mut username, mut password) = (None, None);
    match credential {
        Credential::None => {}
        Credential::Enhanced { method, data } => {
            properties.push(Property::AuthenticationMethod((*method).into()));
            properties.push(Property::AuthenticationData(data.clone()));
        }
        Credential::Password(token) => {
            username = Some(client_id.into());
            password = Some(token.clone());
        }
    }
    Packet::Connect(Box::new(Connect {
        version: ProtocolVersion::V5,
        clean_start: true,
        keep_alive_seconds: settings.keep_alive_seconds,
        client_id: client_id.into(),
        will: None,
        username,
        password,
        properties: properties.into_iter().collect(),
    }))
}

/// Sends CONNECT and reads the answer.
async fn exchange(transport: &mut Transport, connect: &[u8]) -> Result<ConnAck, String> {
    let no_mqtt5 = "the broker may not speak MQTT 5, or this port carries another protocol (with tls.mode Disabled perhaps \
                    TLS); see the broker's log";
    let written = async {
        transport.write_all(connect).await?;
        transport.flush().await
    };
    written
        .await
        .map_err(|error| format!("writing CONNECT failed: {}", explain(&error)))?;
    let closed = || format!("the broker closed the connection without CONNACK; {no_mqtt5}");
    let mut decoder = Decoder::new(Role::Broker, ProtocolVersion::V5, PACKET_SIZE_MAX);
    let mut buffer = BytesMut::new();
    loop {
        match decoder.decode(&mut buffer) {
            Ok(Some(Frame::Packet(Packet::ConnAck(connack)))) => return Ok(connack),
            Ok(Some(Frame::Packet(Packet::Auth(_)))) => {
                return Err("the broker asks for another step of authentication, which the sidecar cannot give".into());
            }
            Ok(Some(_)) => {
                return Err(format!(
                    "the broker answered with something else than CONNACK; {no_mqtt5}"
                ));
            }
            Ok(None) => {}
            Err(error) => {
                return Err(format!(
                    "the broker's answer is no MQTT 5 packet ({error}); {no_mqtt5}"
                ));
            }
        }
        match transport.read_buf(&mut buffer).await {
            Ok(0) => return Err(closed()),
            Ok(_) => {}
            // Whether it closes or resets is chance: it depends on what of ours it had read.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(closed()),
            Err(error) => match tls::explain(&error) {
                Some(text) => return Err(format!("reading CONNACK failed: {text}")),
                None => return Err(format!("reading CONNACK failed: {error}; {no_mqtt5}")),
            },
        }
    }
}

fn explain_refusal(connack: &ConnAck, credential: &Credential) -> String {
    let remedy = match connack.code {
        ReasonCode::BAD_AUTHENTICATION_METHOD => {
            "the broker does not know this way to authenticate; choose the method, or the port, that its listener has"
        }
        ReasonCode::NOT_AUTHORIZED | ReasonCode::BAD_USER_NAME_OR_PASSWORD => match credential {
            Credential::Enhanced { .. } => {
                "the broker does not take the token; compare its audiences and service accounts with the token above"
            }
            Credential::Password(_) => {
                "the broker does not take the access token; renew the Secret"
            }
            Credential::None => {
                "the broker wants a credential, or does not know the client certificate; see authentication.method"
            }
        },
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID => {
            "the broker does not take the client id; see clientIdPrefix"
        }
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => {
            "the broker does not speak MQTT 5, which the sidecar needs"
        }
        ReasonCode::SERVER_UNAVAILABLE | ReasonCode::SERVER_BUSY => {
            "the broker is starting or overloaded; try again"
        }
        ReasonCode::BANNED => "the broker bans this client; see the broker",
        ReasonCode::QUOTA_EXCEEDED | ReasonCode::CONNECTION_RATE_EXCEEDED => {
            "the broker's limit of sessions or connections is reached"
        }
        _ => "see the broker's log",
    };
    let said = connack.properties.text(PropertyId::ReasonString);
    let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
    format!("the broker refused with {}{said}; {remedy}", connack.code)
}

/// What the broker allows.
fn limits(connack: &ConnAck) -> String {
    let properties = &connack.properties;
    let receive_max = properties.int(PropertyId::ReceiveMaximum).unwrap_or(65_535);
    let qos_max = properties.int(PropertyId::MaximumQos).unwrap_or(2);
    let reauthentication = match properties.has(PropertyId::AuthenticationMethod) {
        true => "tokens are renewed by AUTH",
        false => "tokens are renewed by a planned reconnect",
    };
    format!("receive maximum {receive_max}, QoS up to {qos_max}; {reauthentication}")
}
