//! Scripts for the engine: each brings a session somewhere in a few events.

use super::Seed;
use crate::session::events::Event::{self, *};

/// Settings and flags of an opening: a clean v5 client without will, and its three properties.
const CLEAN_V5: &[u8] = &[0, 0x02, 0, 0, 0];
/// The same with a session that lasts, and a will at QoS 1.
const PERSISTENT_V5: &[u8] = &[0, 0x10, 2, 0, 0, 0, 1];
/// A clean 3.1.1 client of an endpoint that allows QoS 0 only and fills in CloudEvents.
const CLEAN_V311: &[u8] = &[0x0A, 0x03];

/// A broker that accepts, knows AUTH and has no session.
const ACCEPTS: (Event, &[u8]) = (BrokerAccepts, &[0x0E, 0]);
/// The same with a session.
const RESUMES: (Event, &[u8]) = (BrokerAccepts, &[0x0F, 0]);
const DIALLED: (Event, &[u8]) = (Dialled, &[0]);
/// Under identifier 2.
const PUBLISHES: (Event, &[u8]) = (ClientPublishes, &[0x11, 3]);
const DELIVERS: (Event, &[u8]) = (BrokerDelivers, &[0x11, 3]);
const SUBSCRIBES: (Event, &[u8]) = (ClientSubscribes, &[0x0C, 0]);
const ANSWERS: (Event, &[u8]) = (BrokerAnswersRequests, &[0]);
const CLIENT_ACKNOWLEDGES: (Event, &[u8]) = (ClientAcknowledges, &[0, 1]);
const BROKER_ACKNOWLEDGES: (Event, &[u8]) = (BrokerAcknowledges, &[0x10, 0]);
const CLOSES: (Event, &[u8]) = (BrokerCloses, &[]);
const TIME: (Event, &[u8]) = (SecondsPass, &[40]);
const A_SECOND: (Event, &[u8]) = (MillisecondsPass, &[130]);

/// All of them.
pub(super) fn all() -> Vec<Seed> {
    let goodbye = (ClientDisconnects, &[0, 0][..]);
    vec![
        life(
            "qos1-both-ways",
            CLEAN_V5,
            &[
                DIALLED,
                ACCEPTS,
                SUBSCRIBES,
                ANSWERS,
                PUBLISHES,
                DELIVERS,
                CLIENT_ACKNOWLEDGES,
                BROKER_ACKNOWLEDGES,
                goodbye,
            ],
        ),
        life(
            "qos2",
            CLEAN_V5,
            &[
                DIALLED,
                ACCEPTS,
                (ClientPublishes, &[0x12, 3]),
                BROKER_ACKNOWLEDGES,
                (ClientReleases, &[1]),
                (BrokerDelivers, &[0x12, 3]),
                CLIENT_ACKNOWLEDGES,
                (BrokerReleases, &[1]),
            ],
        ),
        life(
            "session-kept",
            PERSISTENT_V5,
            &[
                DIALLED,
                ACCEPTS,
                PUBLISHES,
                DELIVERS,
                CLOSES,
                TIME,
                DIALLED,
                RESUMES,
                (BrokerDelivers, &[0x19, 3]),
                CLIENT_ACKNOWLEDGES,
                BROKER_ACKNOWLEDGES,
            ],
        ),
        life(
            "session-gone",
            PERSISTENT_V5,
            &[DIALLED, RESUMES, CLOSES, TIME, DIALLED, ACCEPTS],
        ),
        life(
            "subscribed-again",
            CLEAN_V5,
            &[
                DIALLED,
                ACCEPTS,
                SUBSCRIBES,
                ANSWERS,
                PUBLISHES,
                CLOSES,
                TIME,
                DIALLED,
                ACCEPTS,
                ANSWERS,
                BROKER_ACKNOWLEDGES,
            ],
        ),
        life(
            "left-in-the-hold",
            PERSISTENT_V5,
            &[
                DIALLED,
                ACCEPTS,
                PUBLISHES,
                CLOSES,
                (ClientLeaves, &[]),
                TIME,
                DIALLED,
                RESUMES,
                BROKER_ACKNOWLEDGES,
            ],
        ),
        life(
            "token-renewed",
            CLEAN_V5,
            &[
                DIALLED,
                ACCEPTS,
                (CredentialChanges, &[1]),
                (BrokerAuthenticates, &[1]),
                A_SECOND,
                (BrokerAuthenticates, &[0]),
            ],
        ),
        life(
            "planned-reconnect",
            CLEAN_V5,
            &[
                DIALLED,
                ACCEPTS,
                PUBLISHES,
                (FilesChange, &[]),
                TIME,
                BROKER_ACKNOWLEDGES,
                CLOSES,
                DIALLED,
                RESUMES,
            ],
        ),
        life(
            "settings-change",
            CLEAN_V5,
            &[
                DIALLED,
                ACCEPTS,
                DELIVERS,
                (SettingsChange, &[0x02]),
                (BrokerDelivers, &[0x21, 3]),
                PUBLISHES,
                TIME,
                CLOSES,
                DIALLED,
                RESUMES,
                (BrokerReads, &[]),
            ],
        ),
        life(
            "qos0-and-3.1.1",
            CLEAN_V311,
            &[
                DIALLED,
                ACCEPTS,
                PUBLISHES,
                (BrokerReads, &[]),
                DELIVERS,
                (ClientPings, &[]),
            ],
        ),
        life(
            "refused-and-replaced",
            CLEAN_V5,
            &[
                DIALLED,
                (BrokerRefuses, &[4]),
                TIME,
                DIALLED,
                ACCEPTS,
                (ClientIsReplaced, &[]),
            ],
        ),
        life(
            "stopped",
            PERSISTENT_V5,
            &[
                PUBLISHES,
                DIALLED,
                ACCEPTS,
                (SidecarStops, &[]),
                BROKER_ACKNOWLEDGES,
            ],
        ),
        life(
            "raw-bytes",
            CLEAN_V5,
            &[
                DIALLED,
                (BrokerSends, &[5, 0x20, 3, 0, 0, 0]),
                (ClientSends, &[2, 0xC0, 0]),
                (BrokerDisconnects, &[5]),
            ],
        ),
    ]
}

fn life(name: &str, opening: &[u8], events: &[(Event, &[u8])]) -> Seed {
    let mut script = opening.to_vec();
    for (event, arguments) in events {
        script.push(*event as u8);
        script.extend_from_slice(arguments);
    }
    (name.to_owned(), script)
}
