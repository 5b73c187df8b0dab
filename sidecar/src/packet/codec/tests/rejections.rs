//! What is refused, by which rule, and with which reason.
//!
//! One row: sender and version (`C` client, `B` broker; `3` 3.1.1, `5` MQTT 5), bytes, reason, message, rule.

use super::{bytes, decode_one};
use crate::packet::ProtocolVersion::{V5, V311};
use crate::packet::Role::{Broker, Client};
use crate::packet::{DecodeError, ReasonCode};

/// Every row is refused as it says.
fn refuses(table: &str) {
    for row in table.trim().lines() {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [peers, notation, reason, message, _rule] = columns[..] else {
            panic!("a row has five columns: {row}");
        };
        let refusal = (ReasonCode(u8::from_str_radix(reason, 16).unwrap()), message);
        for peer in peers.split(' ') {
            let (role, version) = match peer {
                "C3" => (Client, V311),
                "C5" => (Client, V5),
                "B3" => (Broker, V311),
                "B5" => (Broker, V5),
                _ => panic!("no peer: {peer}"),
            };
            let DecodeError { reason, message } = match decode_one(role, version, &bytes(notation))
            {
                Err(error) => error,
                Ok(frame) => panic!("{peer} {notation} gave {frame:?}"),
            };
            assert_eq!((reason, message), refusal, "{peer} {notation}");
        }
    }
}

#[test]
fn fixed_headers() {
    refuses(
        "
        C3 C5 B3 B5 | 00 00             | 81 | packet type is reserved                                   | table 2-1
        C3 B3       | f0 00             | 81 | packet type is reserved                                   | 3.1.1 table 2.1
        C3 C5       | 20                | 82 | packet type is not for this peer to send                  | table 2-1
        C3 C5       | 90                | 82 | packet type is not for this peer to send                  | table 2-1
        C3 C5       | b0                | 82 | packet type is not for this peer to send                  | table 2-1
        C3 C5       | d0                | 82 | packet type is not for this peer to send                  | table 2-1
        B3 B5       | 10                | 82 | packet type is not for this peer to send                  | table 2-1
        B3 B5       | 82                | 82 | packet type is not for this peer to send                  | table 2-1
        B3 B5       | a2                | 82 | packet type is not for this peer to send                  | table 2-1
        B3 B5       | c0                | 82 | packet type is not for this peer to send                  | table 2-1
        B3          | e0 00             | 82 | packet type is not for this peer to send                  | 3.1.1 table 2.1
        C3 C5       | 11                | 81 | fixed header flags are not those of the packet type       | MQTT-2.1.3-1
        C3 C5 B3 B5 | 41                | 81 | fixed header flags are not those of the packet type       | MQTT-2.1.3-1
        C3 C5 B3 B5 | 60                | 81 | fixed header flags are not those of the packet type       | MQTT-3.6.1-1
        C3 C5       | 80                | 81 | fixed header flags are not those of the packet type       | MQTT-3.8.1-1
        C3 C5       | a0                | 81 | fixed header flags are not those of the packet type       | MQTT-3.10.1-1
        C3 C5       | c1                | 81 | fixed header flags are not those of the packet type       | MQTT-2.1.3-1
        C3 C5       | e2                | 81 | fixed header flags are not those of the packet type       | MQTT-3.14.1-1
        C5 B5       | f1                | 81 | fixed header flags are not those of the packet type       | MQTT-3.15.1-1
        B3 B5       | 21                | 81 | fixed header flags are not those of the packet type       | MQTT-2.1.3-1
        C3 C5 B3 B5 | 36                | 81 | PUBLISH has QoS 3                                         | MQTT-3.3.1-4
        C3 C5 B3 B5 | 3e                | 81 | PUBLISH has QoS 3                                         | MQTT-3.3.1-4
        C3 C5 B3 B5 | 38                | 81 | PUBLISH has DUP with QoS 0                                | MQTT-3.3.1-2
        C3 C5 B3 B5 | 30 ff ff ff ff    | 81 | variable byte integer has more than 4 bytes               | section 2.1.4
        C3          | 10 ff ff ff 80    | 81 | variable byte integer has more than 4 bytes               | section 2.1.4
        C5          | 40 82 00 000a     | 81 | remaining length is not written in the fewest bytes       | MQTT-1.5.5-1
        B5          | d0 80 80 80 00    | 81 | remaining length is not written in the fewest bytes       | MQTT-1.5.5-1
        C3 C5       | 10 91 00 0004 'MQTT' 05 02 0000 00 0004 'abcd' | 81 | remaining length is not written in the fewest bytes | MQTT-1.5.5-1
        C3 C5       | c0 01 00          | 81 | packet has bytes after its last field                     | section 3.12
        B3 B5       | d0 01 00          | 81 | packet has bytes after its last field                     | section 3.13
        C3          | e0 01 00          | 81 | packet has bytes after its last field                     | 3.1.1 section 3.14
        ",
    );
}

#[test]
fn connects() {
    refuses(
        "
        C3 C5 | 10 0c 0006 'MQIsdp' 03 02 0000                           | 84 | protocol name is not MQTT                                       | MQTT-3.1.2-1
        C3 C5 | 10 0a 0004 'mqtt' 04 02 0000                             | 84 | protocol name is not MQTT                                       | MQTT-3.1.2-1
        C3 C5 | 10 0c 0004 'MQTT' 03 02 0000 0000                        | 84 | protocol level is neither 4 (MQTT 3.1.1) nor 5 (MQTT 5)         | MQTT-3.1.2-2
        C3 C5 | 10 0c 0004 'MQTT' 06 02 0000 0000                        | 84 | protocol level is neither 4 (MQTT 3.1.1) nor 5 (MQTT 5)         | MQTT-3.1.2-2
        C3 C5 | 10 0c 0004 'MQTT' 84 02 0000 0000                        | 84 | protocol level is neither 4 (MQTT 3.1.1) nor 5 (MQTT 5)         | MQTT-3.1.2-2
        C3    | 10 0c 0004 'MQTT' 04 03 0000 0000                        | 81 | reserved connect flag is set                                    | MQTT-3.1.2-3
        C5    | 10 0d 0004 'MQTT' 05 01 0000 00 0000                     | 81 | reserved connect flag is set                                    | MQTT-3.1.2-3
        C3    | 10 0c 0004 'MQTT' 04 0a 0000 0000                        | 81 | will QoS or will retain is set without a will                   | MQTT-3.1.2-11
        C5    | 10 0d 0004 'MQTT' 05 22 0000 00 0000                     | 81 | will QoS or will retain is set without a will                   | MQTT-3.1.2-13
        C3    | 10 0c 0004 'MQTT' 04 1e 0000 0000                        | 81 | QoS is 3                                                        | 3.1.1 MQTT-3.1.2-14
        C5    | 10 13 0004 'MQTT' 05 1e 0000 00 0000 00 0001 'w' 0000    | 81 | QoS is 3                                                        | MQTT-3.1.2-12
        C3    | 10 0e 0004 'MQTT' 04 42 0000 0000 0000                   | 81 | password is set without a user name                             | 3.1.1 MQTT-3.1.2-22
        C3    | 10 0c 0004 'MQTT' 04 82 0000 0000                        | 81 | packet ends inside a field                                      | 3.1.1 MQTT-3.1.2-19
        C3    | 10 0e 0004 'MQTT' 04 c2 0000 0000 0000                   | 81 | packet ends inside a field                                      | 3.1.1 MQTT-3.1.2-21
        C3    | 10 0d 0004 'MQTT' 04 02 0000 0000 00                     | 81 | packet has bytes after its last field                           | section 3.1.3
        C5    | 10 0e 0004 'MQTT' 05 02 0000 00 0000 00                  | 81 | packet has bytes after its last field                           | section 3.1.3
        C3    | 10 00                                                    | 81 | packet ends inside a field                                      | section 3.1
        C5    | 10 0c 0004 'MQTT' 05 02 0000 0000                        | 81 | packet ends inside a field                                      | section 3.1
        C3    | 10 10 0004 'MQTT' 04 06 0000 0000 0000 0000              | 90 | will topic is empty                                             | MQTT-4.7.3-1
        C3    | 10 11 0004 'MQTT' 04 06 0000 0000 0001 '#' 0000          | 90 | topic name contains a wildcard                                  | MQTT-4.7.0-1
        C5    | 10 13 0004 'MQTT' 05 06 0000 00 0000 00 0001 '+' 0000    | 90 | topic name contains a wildcard                                  | MQTT-4.7.0-1
        C3    | 10 0d 0004 'MQTT' 04 02 0000 0001 00                     | 81 | string contains U+0000                                          | MQTT-1.5.4-2
        C3    | 10 0d 0004 'MQTT' 04 02 0000 0001 80                     | 81 | string is not UTF-8                                             | MQTT-1.5.4-1
        C3    | 10 0f 0004 'MQTT' 04 82 0000 0000 0001 ff                | 81 | string is not UTF-8                                             | MQTT-1.5.4-1
        ",
    );
}

#[test]
fn connacks() {
    refuses(
        "
        B3 | 20 02 02 00                       | 81 | reserved CONNACK flags are set              | MQTT-3.2.2-1
        B5 | 20 03 80 00 00                    | 81 | reserved CONNACK flags are set              | MQTT-3.2.2-1
        B3 | 20 02 00 06                       | 82 | reason code is not one of this packet's     | 3.1.1 table 3.1
        B5 | 20 03 00 01 00                    | 82 | reason code is not one of this packet's     | MQTT-3.2.2-8
        B5 | 20 03 00 18 00                    | 82 | reason code is not one of this packet's     | MQTT-3.2.2-8
        B3 | 20 02 01 05                       | 82 | CONNACK refuses and has session present set | 3.1.1 MQTT-3.2.2-4
        B5 | 20 03 01 87 00                    | 82 | CONNACK refuses and has session present set | MQTT-3.2.2-6
        B5 | 20 02 01 01                       | 82 | CONNACK refuses and has session present set | MQTT-3.2.2-6
        B5 | 20 02 00 00                       | 81 | CONNACK has no property length              | section 3.2.2.3
        B5 | 20 02 00 87                       | 81 | CONNACK has no property length              | section 3.2.2.3
        B3 | 20 03 00 00 00                    | 81 | packet has bytes after its last field       | 3.1.1 section 3.2.3
        B5 | 20 04 00 00 00 00                 | 81 | packet has bytes after its last field       | section 3.2.3
        B3 B5 | 20 00                          | 81 | packet ends inside a field                  | section 3.2
        ",
    );
}

#[test]
fn publishes() {
    refuses(
        "
        C3 B3 | 30 02 0000                                        | 82 | PUBLISH has neither a topic name nor a topic alias               | 3.1.1 MQTT-4.7.3-1
        C5 B5 | 30 03 0000 00                                     | 82 | PUBLISH has neither a topic name nor a topic alias               | section 3.3.2.1
        C3 B3 | 30 03 0001 '#'                                    | 90 | topic name contains a wildcard                                   | MQTT-3.3.2-2
        C5 B5 | 30 06 0003 'a/+' 00                               | 90 | topic name contains a wildcard                                   | MQTT-3.3.2-2
        C3 B3 | 30 05 0003 'a' 00 'b'                             | 81 | topic name contains U+0000                                       | MQTT-4.7.3-2
        C5 B5 | 30 06 0003 'a' 00 'b' 00                          | 81 | topic name contains U+0000                                       | MQTT-4.7.3-2
        C3 B3 | 30 05 0003 eda080                                 | 81 | string is not UTF-8                                              | MQTT-1.5.4-1
        C3 B3 | 30 04 0002 c080                                   | 81 | string is not UTF-8                                              | MQTT-1.5.4-1
        C3 B3 | 32 05 0001 'a' 0000                               | 81 | packet identifier is 0                                           | 3.1.1 MQTT-2.3.1-1
        C5 B5 | 34 06 0001 'a' 0000 00                            | 81 | packet identifier is 0                                           | MQTT-2.2.1-3
        C3 B3 | 32 04 0001 'a' 00                                 | 81 | packet ends inside a field                                       | section 3.3.2.2
        C5 B5 | 30 03 0001 'a'                                    | 81 | packet ends inside a field                                       | section 3.3.2.3
        C3 B3 | 30 03 0002 'a'                                    | 81 | packet ends inside a field                                       | section 3.3.2.1
        C5 B5 | 30 00                                             | 81 | packet ends inside a field                                       | section 3.3
        C5    | 30 06 0001 'a' 02 0b 01                           | 82 | client sent a PUBLISH with a subscription identifier             | MQTT-3.3.4-6
        ",
    );
}

#[test]
fn acknowledgements() {
    refuses(
        "
        C3 C5 B3 B5 | 40 02 0000          | 81 | packet identifier is 0                    | MQTT-2.2.1-3
        C3 C5 B3 B5 | 62 02 0000          | 81 | packet identifier is 0                    | MQTT-2.2.1-3
        C3 C5 B3 B5 | 40 01 00            | 81 | packet ends inside a field                | section 3.4.2
        C3 C5 B3 B5 | 70 00               | 81 | packet ends inside a field                | section 3.7.2
        C3 B3       | 40 03 0001 00       | 81 | packet has bytes after its last field     | 3.1.1 section 3.4.3
        C3 B3       | 62 04 0001 00 00    | 81 | packet has bytes after its last field     | 3.1.1 section 3.6.3
        C5 B5       | 40 05 0001 00 00 00 | 81 | packet has bytes after its last field     | section 3.4.3
        C5 B5       | 40 03 0001 92       | 82 | reason code is not one of this packet's   | MQTT-3.4.2-1
        C5 B5       | 50 03 0001 01       | 82 | reason code is not one of this packet's   | MQTT-3.5.2-1
        C5 B5       | 62 03 0001 10       | 82 | reason code is not one of this packet's   | MQTT-3.6.2-1
        C5 B5       | 70 03 0001 80       | 82 | reason code is not one of this packet's   | MQTT-3.7.2-1
        ",
    );
}

#[test]
fn subscriptions() {
    refuses(
        "
        C3    | 82 02 0001                                   | 82 | packet has no topic filter                                             | 3.1.1 MQTT-3.8.3-3
        C5    | 82 03 0001 00                                | 82 | packet has no topic filter                                             | MQTT-3.8.3-2
        C3    | 82 06 0000 0001 'a' 00                       | 81 | packet identifier is 0                                                 | MQTT-2.2.1-3
        C3    | 82 06 0001 0001 'a' 03                       | 81 | QoS is 3                                                               | 3.1.1 MQTT-3-8.3-4
        C5    | 82 07 0001 00 0001 'a' 03                    | 81 | QoS is 3                                                               | section 3.8.3.1
        C3    | 82 06 0001 0001 'a' 04                       | 81 | subscription options have reserved bits set                            | 3.1.1 MQTT-3-8.3-4
        C3    | 82 06 0001 0001 'a' 10                       | 81 | subscription options have reserved bits set                            | 3.1.1 MQTT-3-8.3-4
        C5    | 82 07 0001 00 0001 'a' 40                    | 81 | subscription options have reserved bits set                            | MQTT-3.8.3-5
        C5    | 82 07 0001 00 0001 'a' 80                    | 81 | subscription options have reserved bits set                            | MQTT-3.8.3-5
        C5    | 82 07 0001 00 0001 'a' 30                    | 82 | retain handling is 3                                                   | section 3.8.3.1
        C5    | 82 10 0001 00 000a '$share/g/a' 04           | 82 | no local is set on a shared subscription                               | MQTT-3.8.3-4
        C3    | 82 05 0001 0000 00                           | 8f | topic filter is empty                                                  | MQTT-4.7.3-1
        C5    | 82 06 0001 00 0000 00                        | 8f | topic filter is empty                                                  | MQTT-4.7.3-1
        C5    | 82 08 0001 00 0002 'a#' 00                   | 8f | topic filter has a wildcard beside other characters, or # before its end | MQTT-4.7.1-1
        C5    | 82 09 0001 00 0003 '#/a' 00                  | 8f | topic filter has a wildcard beside other characters, or # before its end | MQTT-4.7.1-1
        C3    | 82 07 0001 0002 'a+' 00                      | 8f | topic filter has a wildcard beside other characters, or # before its end | MQTT-4.7.1-2
        C3    | 82 09 0001 0004 '+a/b' 00                    | 8f | topic filter has a wildcard beside other characters, or # before its end | MQTT-4.7.1-2
        C5    | 82 0e 0001 00 0008 '$share/g' 00             | 8f | shared subscription is not of the form $share/<name>/<topic filter>    | MQTT-4.8.2-2
        C5    | 82 0f 0001 00 0009 '$share//a' 00            | 8f | shared subscription is not of the form $share/<name>/<topic filter>    | MQTT-4.8.2-1
        C5    | 82 10 0001 00 000a '$share/+/a' 00           | 8f | shared subscription is not of the form $share/<name>/<topic filter>    | MQTT-4.8.2-2
        C3    | 82 0f 0001 000a '$share/#/a' 00              | 8f | shared subscription is not of the form $share/<name>/<topic filter>    | MQTT-4.8.2-2
        C5    | 82 0f 0001 00 0009 '$share/g/' 00            | 8f | topic filter is empty                                                  | MQTT-4.8.2-2
        C3    | 82 06 0001 0001 00 00                        | 81 | string contains U+0000                                                 | MQTT-4.7.3-2
        C3    | 82 05 0001 0001 'a'                          | 81 | packet ends inside a field                                             | section 3.8.3
        C3    | a2 02 0001                                   | 82 | packet has no topic filter                                             | MQTT-3.10.3-2
        C5    | a2 03 0001 00                                | 82 | packet has no topic filter                                             | MQTT-3.10.3-2
        C3    | a2 05 0000 0001 'a'                          | 81 | packet identifier is 0                                                 | MQTT-2.2.1-3
        C3    | a2 06 0001 0002 '++'                         | 8f | topic filter has a wildcard beside other characters, or # before its end | MQTT-4.7.1-2
        C3    | a2 06 0001 0001 'a' 00                       | 81 | packet ends inside a field                                             | section 3.10.3
        B3    | 90 02 0001                                   | 81 | packet has no reason code                                              | MQTT-3.8.4-6
        B5    | 90 03 0001 00                                | 81 | packet has no reason code                                              | MQTT-3.8.4-6
        B3 B5 | 90 04 0000 00 00                             | 81 | packet identifier is 0                                                 | MQTT-2.2.1-3
        B3    | 90 03 0001 03                                | 82 | reason code is not one of this packet's                                | 3.1.1 MQTT-3.9.3-2
        B3    | 90 03 0001 87                                | 82 | reason code is not one of this packet's                                | 3.1.1 MQTT-3.9.3-2
        B5    | 90 04 0001 00 03                             | 82 | reason code is not one of this packet's                                | MQTT-3.9.3-2
        B5    | b0 03 0001 00                                | 81 | packet has no reason code                                              | MQTT-3.11.3-1
        B5    | b0 04 0001 00 01                             | 82 | reason code is not one of this packet's                                | MQTT-3.11.3-2
        B3    | b0 03 0001 00                                | 81 | packet has bytes after its last field                                  | 3.1.1 section 3.11.3
        B3 B5 | b0 02 0000                                   | 81 | packet identifier is 0                                                 | MQTT-2.2.1-3
        ",
    );
}

#[test]
fn disconnects_and_auths() {
    refuses(
        "
        C5 B5 | e0 01 01                                     | 82 | reason code is not one of this packet's               | MQTT-3.14.2-1
        C5 B5 | e0 01 86                                     | 82 | reason code is not one of this packet's               | MQTT-3.14.2-1
        C5 B5 | e0 03 00 00 00                               | 81 | packet has bytes after its last field                 | section 3.14.3
        B5    | e0 07 8b 05 11 00000001                      | 82 | server sent a DISCONNECT with a session expiry interval | MQTT-3.14.2-2
        C5    | f0 00                                        | 82 | reason code of AUTH is not for this peer to send      | table 3-11
        B5    | f0 07 19 05 15 0002 'ab'                     | 82 | reason code of AUTH is not for this peer to send      | table 3-11
        C5 B5 | f0 01 87                                     | 82 | reason code of AUTH is not for this peer to send      | MQTT-3.15.2-1
        C5 B5 | f0 01 18                                     | 82 | AUTH has no authentication method                     | section 3.15.2.2.2
        C5    | f0 02 19 00                                  | 82 | AUTH has no authentication method                     | section 3.15.2.2.2
        B5    | f0 06 00 04 1f 0001 'r'                      | 82 | AUTH has no authentication method                     | section 3.15.2.2.2
        B5    | f0 03 00 00 00                               | 81 | packet has bytes after its last field                 | section 3.15.3
        ",
    );
}

#[test]
fn properties() {
    refuses(
        "
        C5 B5 | 30 05 0001 'a' 01 00                                     | 81 | property is unknown                                              | table 2-4
        C5 B5 | 30 06 0001 'a' 02 2b 00                                  | 81 | property is unknown                                              | table 2-4
        C5 B5 | 30 07 0001 'a' 03 21 0001                                | 81 | property is not one of this packet's                             | section 2.2.2.2
        B5    | 20 05 00 00 02 17 01                                     | 81 | property is not one of this packet's                             | section 2.2.2.2
        C5    | 10 0f 0004 'MQTT' 05 02 0000 02 01 01 0000               | 81 | property is not one of this packet's                             | section 2.2.2.2
        C5    | 82 0b 0001 04 1f 0001 'r' 0001 'a' 00                    | 81 | property is not one of this packet's                             | section 2.2.2.2
        C5    | a2 08 0001 02 0b 01 0001 'a'                             | 81 | property is not one of this packet's                             | section 2.2.2.2
        B5    | 90 06 0001 02 0b 01 00                                   | 81 | property is not one of this packet's                             | section 2.2.2.2
        C5 B5 | 40 06 0001 00 02 01 00                                   | 81 | property is not one of this packet's                             | section 2.2.2.2
        C5 B5 | e0 05 00 03 21 0001                                      | 81 | property is not one of this packet's                             | section 2.2.2.2
        C5 B5 | f0 05 18 03 21 0001                                      | 81 | property is not one of this packet's                             | section 2.2.2.2
        C5 B5 | 30 08 0001 'a' 04 01 00 01 00                            | 82 | property is there more than once                                 | section 3.3.2.3.2
        B5    | 20 09 00 00 06 21 0001 21 0001                           | 82 | property is there more than once                                 | section 3.2.2.3.3
        C5    | 82 0b 0001 04 0b 01 0b 02 0001 'a' 00                    | 82 | property is there more than once                                 | section 3.8.2.1.2
        C5 B5 | 40 0c 0001 00 08 1f 0001 'a' 1f 0001 'b'                 | 82 | property is there more than once                                 | section 3.4.2.2.2
        C5 B5 | 30 06 0001 'a' 02 01 02                                  | 82 | property has a value other than 0 and 1                          | section 3.3.2.3.2
        C5    | 10 0f 0004 'MQTT' 05 02 0000 02 17 02 0000               | 82 | property has a value other than 0 and 1                          | section 3.1.2.11.7
        C5    | 10 0f 0004 'MQTT' 05 02 0000 02 19 ff 0000               | 82 | property has a value other than 0 and 1                          | section 3.1.2.11.6
        B5    | 20 05 00 00 02 24 02                                     | 82 | property has a value other than 0 and 1                          | section 3.2.2.3.4
        B5    | 20 05 00 00 02 25 02                                     | 82 | property has a value other than 0 and 1                          | section 3.2.2.3.5
        B5    | 20 05 00 00 02 28 02                                     | 82 | property has a value other than 0 and 1                          | section 3.2.2.3.11
        B5    | 20 05 00 00 02 29 02                                     | 82 | property has a value other than 0 and 1                          | section 3.2.2.3.12
        B5    | 20 05 00 00 02 2a 02                                     | 82 | property has a value other than 0 and 1                          | section 3.2.2.3.13
        C5    | 10 10 0004 'MQTT' 05 02 0000 03 21 0000 0000             | 82 | property has the value 0                                         | section 3.1.2.11.3
        B5    | 20 08 00 00 05 27 00000000                               | 82 | property has the value 0                                         | section 3.2.2.3.6
        C5    | 82 09 0001 02 0b 00 0001 'a' 00                          | 82 | property has the value 0                                         | section 3.8.2.1.2
        B5    | 30 06 0001 'a' 02 0b 00                                  | 82 | property has the value 0                                         | section 3.3.2.3.8
        C5 B5 | 30 07 0001 'a' 03 23 0000                                | 94 | topic alias is 0                                                 | MQTT-3.3.2-8
        B5    | 30 07 0001 'a' 03 0b 81 00                               | 81 | variable byte integer is not written in the fewest bytes         | MQTT-1.5.5-1
        B5    | 30 09 0001 'a' 05 0b 80 80 80 80                         | 81 | variable byte integer has more than 4 bytes                      | section 1.5.5
        C5 B5 | 30 05 0001 'a' 80 00                                     | 81 | variable byte integer is not written in the fewest bytes         | MQTT-1.5.5-1
        C5 B5 | 30 09 0001 'a' 05 08 0002 'a#'                           | 82 | response topic is empty or contains a wildcard                   | MQTT-3.3.2-14
        C5 B5 | 30 07 0001 'a' 03 08 0000                                | 82 | response topic is empty or contains a wildcard                   | MQTT-4.7.3-1
        C5 B5 | 30 08 0001 'a' 04 03 0001 00                             | 81 | string contains U+0000                                           | MQTT-1.5.4-2
        C5 B5 | 30 08 0001 'a' 04 03 0001 ff                             | 81 | string is not UTF-8                                              | MQTT-1.5.4-1
        C5 B5 | 30 0a 0001 'a' 06 26 0001 ff 0000                        | 81 | string is not UTF-8                                              | MQTT-1.5.4-1
        C5 B5 | 30 0a 0001 'a' 06 26 0000 0001 00                        | 81 | string contains U+0000                                           | MQTT-1.5.4-2
        C5 B5 | 30 05 0001 'a' 01 01                                     | 81 | properties end inside a field                                    | section 2.2.2
        C5 B5 | 30 08 0001 'a' 03 02 0000 00                             | 81 | properties end inside a field                                    | section 2.2.2
        C5 B5 | 30 08 0001 'a' 04 09 0002 00                             | 81 | properties end inside a field                                    | section 2.2.2
        B5    | 30 05 0001 'a' 01 0b                                     | 81 | packet ends inside a field                                       | section 2.2.2
        C5 B5 | 30 05 0001 'a' 02 01                                     | 81 | packet ends inside a field                                       | section 2.2.2.1
        C5    | 10 10 0004 'MQTT' 05 02 0000 03 16 0000 0000             | 82 | authentication data is there without a method                    | section 3.1.2.11.10
        C5 B5 | f0 06 18 04 16 0001 'd'                                  | 82 | authentication data is there without a method                    | section 3.15.2.2.3
        ",
    );
}
