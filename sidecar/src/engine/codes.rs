//! What a broker's reason code means for the session.

use crate::packet::ReasonCode;

/// What to do about a CONNACK that refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The broker's trouble, which passes: try again.
    Transient,
    /// The credential: try again, a newer one may be on its way.
    Credential,
    /// Anything else: only the client can decide.
    Final,
}

/// Whether a DISCONNECT of the broker means broker lost: the client is held. Every other code is the client's to know.
///
/// 0x00 and 0x04 are among them because a server may not send them.
pub(super) fn disconnect_is_loss(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::SUCCESS
            | ReasonCode::DISCONNECT_WITH_WILL
            | ReasonCode::UNSPECIFIED_ERROR
            | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
            | ReasonCode::NOT_AUTHORIZED
            | ReasonCode::SERVER_BUSY
            | ReasonCode::SERVER_SHUTTING_DOWN
            | ReasonCode::KEEP_ALIVE_TIMEOUT
            | ReasonCode::QUOTA_EXCEEDED
            | ReasonCode::CONNECTION_RATE_EXCEEDED
            | ReasonCode::MAXIMUM_CONNECT_TIME
    )
}

/// Whether a DISCONNECT while an AUTH is unanswered is the answer: no. Where it is about the credential it is 0x87, which is
/// a loss anyway; 0x86 and 0x8C are no codes of DISCONNECT (table 3-10), so the codec refuses them: a loss, too.
pub(super) fn disconnect_refuses_auth(code: ReasonCode) -> bool {
    code == ReasonCode::PROTOCOL_ERROR
}

/// Whether a refusal of the first CONNECT is waited out while the client waits for its CONNACK.
pub(super) fn opening_waits(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::SERVER_UNAVAILABLE
            | ReasonCode::SERVER_BUSY
            | ReasonCode::CONNECTION_RATE_EXCEEDED
    )
}

/// What a refusal of a reconnect means.
pub(super) fn reconnect_refused(code: ReasonCode) -> Refused {
    match code {
        ReasonCode::UNSPECIFIED_ERROR
        | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
        | ReasonCode::SERVER_UNAVAILABLE
        | ReasonCode::SERVER_BUSY
        | ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::CONNECTION_RATE_EXCEEDED => Refused::Transient,
        ReasonCode::BAD_USER_NAME_OR_PASSWORD
        | ReasonCode::NOT_AUTHORIZED
        | ReasonCode::BAD_AUTHENTICATION_METHOD => Refused::Credential,
        _ => Refused::Final,
    }
}

/// A CONNACK code as a DISCONNECT can say it (MQTT 5 table 3-10): 0x80 where it cannot.
pub(super) fn as_disconnect(code: ReasonCode) -> ReasonCode {
    match code {
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION
        | ReasonCode::CLIENT_IDENTIFIER_NOT_VALID
        | ReasonCode::BAD_USER_NAME_OR_PASSWORD
        | ReasonCode::SERVER_UNAVAILABLE
        | ReasonCode::BANNED
        | ReasonCode::BAD_AUTHENTICATION_METHOD => ReasonCode::UNSPECIFIED_ERROR,
        other => other,
    }
}

/// A DISCONNECT code as a CONNACK can say it (MQTT 5 table 3-1): 0x80 where it cannot.
pub(super) fn as_connack(code: ReasonCode) -> ReasonCode {
    match code {
        ReasonCode::MALFORMED_PACKET
        | ReasonCode::PROTOCOL_ERROR
        | ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR
        | ReasonCode::NOT_AUTHORIZED
        | ReasonCode::SERVER_UNAVAILABLE
        | ReasonCode::SERVER_BUSY
        | ReasonCode::TOPIC_NAME_INVALID
        | ReasonCode::PACKET_TOO_LARGE
        | ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::PAYLOAD_FORMAT_INVALID
        | ReasonCode::RETAIN_NOT_SUPPORTED
        | ReasonCode::QOS_NOT_SUPPORTED
        | ReasonCode::USE_ANOTHER_SERVER
        | ReasonCode::SERVER_MOVED
        | ReasonCode::CONNECTION_RATE_EXCEEDED => code,
        _ => ReasonCode::UNSPECIFIED_ERROR,
    }
}

/// A CONNACK code as 3.1.1 can say it (MQTT 3.1.1 section 3.2.2.3).
pub(super) fn connack_v311(code: ReasonCode) -> ReasonCode {
    ReasonCode(match code.0 {
        0x00 => 0,
        0x84 => 1,
        0x85 => 2,
        0x80 | 0x83 | 0x88 | 0x89 | 0x97 | 0x9C | 0x9D | 0x9F => 3,
        0x86 => 4,
        _ => 5,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_return_code_of_3_1_1() {
        for (code, expected) in [
            (0x00, 0),
            (0x84, 1),
            (0x85, 2),
            (0x86, 4),
            (0x80, 3),
            (0x83, 3),
            (0x88, 3),
            (0x89, 3),
            (0x97, 3),
            (0x9C, 3),
            (0x9D, 3),
            (0x9F, 3),
            (0x87, 5),
            (0x8A, 5),
            (0x8C, 5),
            (0x95, 5),
        ] {
            assert_eq!(
                connack_v311(ReasonCode(code)),
                ReasonCode(expected),
                "{code:#x}"
            );
        }
    }

    #[test]
    fn loss_is_exactly_these_codes() {
        let loss: Vec<u8> = (0..=0xFF)
            .filter(|code| disconnect_is_loss(ReasonCode(*code)))
            .collect();
        assert_eq!(
            loss,
            [
                0x00, 0x04, 0x80, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x97, 0x9F, 0xA0
            ]
        );
    }

    /// MQTT 5 table 3-10, values that mean failure.
    const DISCONNECT: [u8; 27] = [
        0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
        0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
    ];
    /// MQTT 5 table 3-1, refusals.
    const CONNACK: [u8; 21] = [
        0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
        0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
    ];

    #[test]
    fn codes_that_disconnect_lacks_become_unspecified() {
        for code in CONNACK {
            let known = DISCONNECT.contains(&code);
            let expected = ReasonCode(if known { code } else { 0x80 });
            assert_eq!(as_disconnect(ReasonCode(code)), expected, "{code:#x}");
        }
    }

    #[test]
    fn codes_that_connack_lacks_become_unspecified() {
        // What a client is disconnected with, and the sidecar being stopped.
        for code in DISCONNECT.into_iter().chain([0x88]) {
            let known = CONNACK.contains(&code);
            let expected = ReasonCode(if known { code } else { 0x80 });
            assert_eq!(as_connack(ReasonCode(code)), expected, "{code:#x}");
        }
    }
}
