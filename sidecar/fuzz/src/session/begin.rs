//! What a session begins with: the client's CONNECT and the endpoint's settings.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use endpoint::Settings;
use serde_json::json;
use sidecar::engine::{Backoff, Credential, Opening, PACKET_SIZE_MAX, handshake};
use sidecar::packet::{
    Connect, Decoder, Frame, Packet, Property, ProtocolVersion, Qos, Role, Will,
};

use super::script::Script;

/// The opening that a script asks for; `None` where its CONNECT opens no session.
pub(super) fn opening(script: &mut Script<'_>) -> Option<Opening> {
    let settings = settings(script.byte());
    let flags = script.byte();
    let connect = match flags & 0x80 {
        0 => connect(flags, script),
        _ => raw_connect(script.bytes())?,
    };
    handshake::admit(&connect).ok()?;
    let nameless = connect.client_id.is_empty();
    let id = match nameless {
        true => "assigned".into(),
        false => connect.client_id.clone(),
    };
    Some(Opening {
        broker_client_id: handshake::broker_client_id(None, "pod-0", &id),
        assigned_client_id: nameless.then_some(id),
        connect,
        settings,
        backoff: Backoff::default(),
        reauthentication: flags & 0x40 == 0,
        entropy: u128::from(flags),
    })
}

/// Settings that the seven low bits of a byte choose.
pub(super) fn settings(choice: u8) -> Arc<Settings> {
    static ALL: OnceLock<Vec<Arc<Settings>>> = OnceLock::new();
    let all = ALL.get_or_init(|| (0..128).map(made_settings).collect());
    all[usize::from(choice & 0x7F)].clone()
}

fn made_settings(choice: u8) -> Arc<Settings> {
    let is = |bit: u8| choice >> bit & 1 == 1;
    let resource = json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": {"name": "default", "namespace": "test"},
        "spec": {"endpointType": "Mqtt", "mqttSettings": {
            "host": if is(0) { "other:1883" } else { "broker:1883" },
            "tls": {"mode": "Disabled"},
            "authentication": {"method": "ServiceAccountToken"},
            "qos": if is(1) { 0 } else { 1 },
            "retain": if is(2) { "Never" } else { "Keep" },
            "cloudEventAttributes": if is(3) { "CreateOrRemap" } else { "Propagate" },
            "keepAliveSeconds": if is(4) { 0 } else { 60 },
            "sessionExpirySeconds": if is(5) { 5 } else { 3600 },
            "maxInflightMessages": if is(6) { 2 } else { 5 },
        }}
    });
    let (settings, _) = Settings::parse(&resource).expect("every choice is valid");
    Arc::new(settings)
}

/// A credential that a byte chooses.
pub(super) fn credential(choice: u8) -> Credential {
    let token = |text: &'static str| Bytes::from_static(text.as_bytes());
    let enhanced = |text| Credential::Enhanced {
        method: "K8S-SAT",
        data: token(text),
    };
    match choice & 3 {
        0 => enhanced("t1"),
        1 => enhanced("t2"),
        2 => Credential::Password(token("p")),
        _ => Credential::None,
    }
}

fn connect(flags: u8, script: &mut Script<'_>) -> Connect {
    let version = match flags & 1 {
        0 => ProtocolVersion::V5,
        _ => ProtocolVersion::V311,
    };
    let mut properties = Vec::new();
    if version == ProtocolVersion::V5 {
        properties.push(Property::SessionExpiryInterval(script.one_of(&[0, 3, 600])));
        properties.push(Property::ReceiveMaximum(script.one_of(&[65535, 1, 2])));
        let packet_size_max = script.one_of(&[u32::MAX, 16, 64]);
        properties.push(Property::MaximumPacketSize(packet_size_max));
        if flags & 0x20 != 0 {
            properties.push(Property::AuthenticationMethod("own".into()));
        }
    }
    Connect {
        version,
        clean_start: flags & 2 != 0,
        keep_alive_seconds: u16::from(flags >> 2 & 1) * 30,
        client_id: if flags & 8 != 0 { "" } else { "app" }.into(),
        will: (flags & 0x10 != 0).then(|| will(version, script)),
        username: None,
        password: None,
        properties: properties.into_iter().collect(),
    }
}

fn will(version: ProtocolVersion, script: &mut Script<'_>) -> Will {
    let delay = match version {
        ProtocolVersion::V5 if script.byte() & 1 == 1 => Some(Property::WillDelayInterval(9)),
        _ => None,
    };
    Will {
        qos: script.one_of(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce]),
        retain: true,
        topic: "will".into(),
        payload: "gone".into(),
        properties: delay.into_iter().collect(),
    }
}

/// A CONNECT of any bytes.
fn raw_connect(bytes: &[u8]) -> Option<Connect> {
    let mut decoder = Decoder::new(Role::Client, ProtocolVersion::V5, PACKET_SIZE_MAX);
    match decoder.decode(&mut BytesMut::from(bytes)) {
        Ok(Some(Frame::Packet(Packet::Connect(connect)))) => Some(*connect),
        _ => None,
    }
}
