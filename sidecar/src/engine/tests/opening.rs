//! `docs/engine-rules.md`: opening.

use super::*;
use crate::engine::handshake::{admit, broker_client_id};
use crate::packet::{Auth, PropertyId};

#[test]
fn connack_to_the_client_follows_the_brokers() {
    let mut world = World::new(v5(), json!({}));
    assert!(world.commanded(&Command::Dial));
    world.dialled("t1");
    assert!(world.take_client().is_empty());
    world.connack(false);
    assert_eq!(code(&world.take_client()[0]), ReasonCode::SUCCESS);
    assert_eq!(world.engine.phase(), Phase::Open);
}

#[test]
fn connect_to_the_broker_is_the_endpoints_where_the_endpoint_decides() {
    let client = Connect {
        keep_alive_seconds: 7,
        will: Some(will()),
        properties: [
            Property::SessionExpiryInterval(5),
            Property::ReceiveMaximum(20),
            Property::MaximumPacketSize(1_000),
            Property::RequestProblemInformation(0),
            Property::RequestResponseInformation(1),
            Property::TopicAliasMaximum(9),
            Property::UserProperty("a".into(), "b".into()),
        ]
        .into_iter()
        .collect(),
        ..v5()
    };
    let mut world = World::new(
        client,
        json!({"keepAliveSeconds": 30, "sessionExpirySeconds": 900}),
    );
    world.dialled("t1");
    let connect = world.connect_read();
    assert_eq!(connect.version, ProtocolVersion::V5);
    assert!(connect.clean_start);
    assert_eq!(connect.keep_alive_seconds, 30);
    assert_eq!((connect.username, connect.password), (None, None));
    let properties: Vec<Property> = connect.properties.iter().collect();
    assert_eq!(
        properties,
        [
            Property::SessionExpiryInterval(900),
            Property::ReceiveMaximum(20),
            Property::MaximumPacketSize(1_000),
            Property::RequestProblemInformation(0),
            Property::RequestResponseInformation(1),
            Property::AuthenticationMethod("K8S-SAT".into()),
            Property::AuthenticationData("t1".into()),
        ]
    );
    let will = connect.will.expect("the will");
    assert_eq!((will.qos, will.retain), (Qos::AtLeastOnce, true));
    assert_eq!(will.properties.int(PropertyId::WillDelayInterval), Some(60));
}

#[test]
fn an_access_token_is_the_password_of_the_broker_client_id() {
    let mut world = World::new(v5(), json!({}));
    world.step(|engine, now, out| {
        engine.on_dialled(Credential::Password("secret".into()), now, out);
    });
    let connect = world.connect_read();
    assert_eq!(connect.username.as_deref(), Some("app"));
    assert_eq!(connect.password, Some("secret".into()));
}

#[test]
fn connack_tells_the_client_what_it_can_act_on() {
    let client = Connect {
        properties: [
            Property::SessionExpiryInterval(600),
            Property::AuthenticationMethod("K8S-SAT".into()),
        ]
        .into_iter()
        .collect(),
        ..v5()
    };
    let mut world = World::new(client, json!({}));
    world.engine.assigned_client_id = Some("assigned".into());
    world.dialled("t1");
    world.broker(connack_with(
        true,
        vec![
            Property::ReceiveMaximum(20),
            Property::MaximumQos(1),
            Property::RetainAvailable(0),
            Property::MaximumPacketSize(5_000),
            Property::TopicAliasMaximum(10),
            Property::ReasonString("hello".into()),
            Property::WildcardSubscriptionAvailable(0),
            Property::SubscriptionIdentifierAvailable(0),
            Property::SharedSubscriptionAvailable(0),
            Property::UserProperty("a".into(), "b".into()),
            Property::ServerKeepAlive(9),
            Property::SessionExpiryInterval(300),
            Property::ResponseInformation("r".into()),
            Property::ServerReference("elsewhere".into()),
            Property::AuthenticationMethod("K8S-SAT".into()),
            Property::AuthenticationData("x".into()),
        ],
    ));
    let Packet::ConnAck(connack) = world.take_client().remove(0) else {
        panic!("a CONNACK");
    };
    assert!(connack.session_present);
    let properties: Vec<Property> = connack.properties.iter().collect();
    assert_eq!(
        properties,
        [
            Property::RetainAvailable(0),
            Property::ReasonString("hello".into()),
            Property::WildcardSubscriptionAvailable(0),
            Property::SubscriptionIdentifierAvailable(0),
            Property::SharedSubscriptionAvailable(0),
            Property::UserProperty("a".into(), "b".into()),
            Property::ResponseInformation("r".into()),
            Property::ReceiveMaximum(20),
            Property::MaximumPacketSize(5_000),
            Property::SessionExpiryInterval(300),
            Property::AssignedClientIdentifier("assigned".into()),
            Property::AuthenticationMethod("K8S-SAT".into()),
        ]
    );
}

#[test]
fn a_client_s_own_authentication_is_answered_and_not_forwarded() {
    let method = Property::AuthenticationMethod("K8S-SAT".into());
    let client = Connect {
        properties: [method.clone(), Property::AuthenticationData("own".into())]
            .into_iter()
            .collect(),
        ..v5()
    };
    let mut world = World::open(client, json!({}));
    world.client(Packet::Auth(Auth {
        code: ReasonCode::REAUTHENTICATE,
        properties: [method.clone(), Property::AuthenticationData("own2".into())]
            .into_iter()
            .collect(),
    }));
    let answer = Auth {
        code: ReasonCode::SUCCESS,
        properties: [method].into_iter().collect(),
    };
    assert_eq!(world.take_client(), [Packet::Auth(answer)]);
    assert!(world.take_broker().is_empty());
}

#[test]
fn transient_refusals_are_held_and_then_refused_after_25_s() {
    let cases = [0x88, 0x89, 0x9F].map(|refused| [(refused, v5(), 0x88), (refused, v311(), 3)]);
    for (refused, client, told) in cases.into_iter().flatten() {
        let mut world = World::new(client, json!({}));
        world.wait_for_dial();
        world.dialled("t1");
        world.broker(refusal(ReasonCode(refused)));
        assert!(world.take_client().is_empty(), "{refused:#x} is held");
        world.wait_for_dial();
        world.step(|engine, now, out| {
            engine.on_dial_failed(
                DialError {
                    message: "refused".into(),
                },
                now,
                out,
            );
        });
        world.advance(Duration::from_secs(25));
        assert_eq!(world.take_client(), [refusal(ReasonCode(told))]);
        assert!(world.ended());
    }
}

#[test]
fn other_refusals_are_passed_at_once() {
    for (version, refused, told) in [
        (ProtocolVersion::V5, 0x87, 0x87),
        (ProtocolVersion::V5, 0x85, 0x85),
        (ProtocolVersion::V311, 0x87, 5),
        (ProtocolVersion::V311, 0x86, 4),
    ] {
        let mut world = World::new(connect(version), json!({}));
        world.dialled("t1");
        world.broker(refusal(ReasonCode(refused)));
        assert_eq!(code(&world.take_client()[0]), ReasonCode(told));
        assert!(world.commanded(&Command::CloseClient) && world.ended());
    }
}

#[test]
fn every_dial_before_the_first_connack_has_the_clients_clean_start() {
    for clean_start in [true, false] {
        let mut world = World::new(
            Connect {
                clean_start,
                ..v5()
            },
            json!({}),
        );
        world.wait_for_dial();
        for _ in 0..2 {
            world.dialled("t1");
            assert_eq!(world.connect_read().clean_start, clean_start);
            world.broker_lost();
            world.wait_for_dial();
        }
        world.dialled("t1");
        world.connack(false);
        world.reconnect(true);
        assert_eq!(world.engine.phase(), Phase::Open);
    }
}

#[test]
fn reconnects_have_clean_start_0() {
    let mut world = World::open(v5(), json!({}));
    world.broker_lost();
    world.wait_for_dial();
    world.dialled("t1");
    assert!(!world.connect_read().clean_start);
}

#[test]
fn packets_before_connack_are_kept_in_order() {
    let mut world = World::new(v5(), json!({}));
    world.client(qos1(1));
    world.client(Packet::PingReq);
    world.client(qos1(2));
    assert!(world.engine.held_bytes() > 0);
    world.dialled("t1");
    world.take_broker();
    world.connack(false);
    assert_eq!(world.take_broker(), [qos1(1), qos1(2)]);
    assert_eq!(world.take_client()[1..], [Packet::PingResp]);
}

#[test]
fn a_client_that_left_before_connack_leaves_no_broker_session_behind() {
    let mut world = World::new(persistent(), json!({}));
    world.dialled("t1");
    world.client_closes();
    world.take_broker();
    world.connack(false);
    assert_eq!(expiry(&world.take_broker()[0]), Some(0));
    assert!(world.ended());
}

#[test]
fn a_client_that_left_before_connack_keeps_the_session_it_knows() {
    let mut world = World::new(persistent(), json!({}));
    world.dialled("t1");
    world.client_closes();
    world.take_broker();
    world.connack(true);
    assert_eq!(expiry(&world.take_broker()[0]), Some(600));
    assert!(world.ended());
}

#[test]
fn a_client_that_leaves_while_dialling_ends_the_session_at_once() {
    let mut world = World::new(v5(), json!({}));
    world.client_closes();
    assert!(world.commanded(&Command::AbandonDial) && world.ended());
}

#[test]
fn an_empty_client_id_without_clean_session_is_refused_in_3_1_1() {
    let nameless = Connect {
        client_id: "".into(),
        clean_start: false,
        ..v311()
    };
    assert_eq!(admit(&nameless).expect_err("refused").code, ReasonCode(2));
    assert!(
        admit(&Connect {
            clean_start: true,
            ..nameless.clone()
        })
        .is_ok()
    );
    assert!(
        admit(&Connect {
            version: ProtocolVersion::V5,
            ..nameless
        })
        .is_ok()
    );
}

#[test]
fn broker_client_ids_keep_apart_and_within_128_bytes() {
    assert_eq!(broker_client_id(None, "pod-1", "app"), "app");
    assert_eq!(
        broker_client_id(Some("site"), "pod-1", "app"),
        "site-pod-1-app"
    );
    let long = |client_id: &str| broker_client_id(Some("site"), &"p".repeat(150), client_id);
    assert_eq!(long("a").len(), 128);
    assert_ne!(long("a"), long("b"));
    assert_eq!(long("a"), long("a"));
    assert!(broker_client_id(Some("ü"), &"ö".repeat(150), "é").len() <= 128);
}

#[test]
fn a_remembered_back_off_delays_the_first_dial() {
    let backoff = Backoff { failures: 8 };
    let mut world = World::with_backoff(v5(), json!({}), backoff);
    assert!(!world.commanded(&Command::Dial));
    world.advance(Duration::from_secs(17));
    assert!(world.commanded(&Command::Dial));
}

#[test]
fn a_client_that_cannot_know_its_receive_maximum_yet_may_exceed_it() {
    let mut world = World::new(v5(), json!({"maxInflightMessages": 2}));
    for id in 1..=5 {
        world.client(qos1(id));
    }
    world.dialled("t1");
    world.take_broker();
    world.connack(false);
    assert_eq!(world.take_broker(), [qos1(1), qos1(2)]);
    for id in 1..=5 {
        world.broker(puback(id));
    }
    assert_eq!(world.take_client().len(), 6, "CONNACK and 5 PUBACK");
    for id in 6..=8 {
        world.client(qos1(id));
    }
    assert_eq!(
        world.take_client(),
        [disconnect(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED)]
    );
}

#[test]
fn a_client_that_says_goodbye_before_connack_has_everything_sent_and_no_will() {
    let client = Connect {
        will: Some(will()),
        ..persistent()
    };
    for connecting in [false, true] {
        let mut world = World::new(
            client.clone(),
            json!({"cloudEventAttributes": "CreateOrRemap"}),
        );
        if connecting {
            world.dialled("t1");
        }
        world.client(qos1(1));
        world.client(Packet::Subscribe(subscribe(2, &["a"], Qos::AtLeastOnce)));
        world.client(Packet::Disconnect(Disconnect {
            code: ReasonCode::SUCCESS,
            properties: [Property::SessionExpiryInterval(50)].into_iter().collect(),
        }));
        assert!(world.commanded(&Command::CloseClient));
        world.client_closes();
        if !connecting {
            world.dialled("t1");
            assert_eq!(world.connect_read().will, None);
        }
        world.take_broker();
        world.connack(true);
        let sent = world.take_broker();
        let [Packet::Publish(publish), Packet::Subscribe(_)] = &sent[..] else {
            panic!("{sent:?}")
        };
        assert!(publish.properties.user_properties().count() > 0);
        world.broker(puback(1));
        world.broker(suback(2, &[1]));
        let told = world.take_broker();
        assert_eq!(told.len(), 1, "no will");
        assert_eq!(
            (code(&told[0]), expiry(&told[0])),
            (ReasonCode::SUCCESS, Some(50))
        );
        assert!(world.ended());
    }
}

#[test]
fn what_a_client_left_before_connack_is_dialled_for_and_counted_when_nobody_takes_it() {
    let mut world = World::new(v5(), json!({}));
    world.client(qos1(1));
    world.client(qos1(2));
    world.client_closes();
    world.dialled("t1");
    world.broker(refusal(ReasonCode::SERVER_BUSY));
    assert!(!world.ended(), "it passes");
    world.advance(Duration::from_secs(25));
    assert!(world.ended());
    assert_eq!(world.refused(Refusal::ClientGone), 2);
}

#[test]
fn for_a_3_1_1_client_the_broker_is_asked_for_the_defaults() {
    let mut world = World::new(v311(), json!({}));
    world.dialled("t1");
    let asked: Vec<PropertyId> = world.connect_read().properties.ids().collect();
    assert_eq!(
        asked,
        [
            PropertyId::SessionExpiryInterval,
            PropertyId::ReceiveMaximum,
            PropertyId::MaximumPacketSize,
            PropertyId::AuthenticationMethod,
            PropertyId::AuthenticationData,
        ]
    );
}

#[test]
fn with_retain_never_connack_says_nothing_of_retained_messages() {
    for (retain, told) in [("Keep", Some(0)), ("Never", None)] {
        let mut world = World::new(v5(), json!({"retain": retain}));
        world.dialled("t1");
        world.broker(connack_with(false, vec![Property::RetainAvailable(0)]));
        let Packet::ConnAck(connack) = world.take_client().remove(0) else {
            panic!("a CONNACK")
        };
        assert_eq!(connack.properties.int(PropertyId::RetainAvailable), told);
    }
}

#[test]
fn an_auth_that_is_not_the_client_s_own_method_again_is_a_protocol_error() {
    let method = |name: &'static str| Property::AuthenticationMethod(name.into());
    for (own, code, named) in [
        (None, ReasonCode::REAUTHENTICATE, "K8S-SAT"),
        (Some("other"), ReasonCode::REAUTHENTICATE, "K8S-SAT"),
        (
            Some("K8S-SAT"),
            ReasonCode::CONTINUE_AUTHENTICATION,
            "K8S-SAT",
        ),
    ] {
        let client = Connect {
            properties: own.map(method).into_iter().collect(),
            ..v5()
        };
        let mut world = World::open(client, json!({}));
        world.client(Packet::Auth(Auth {
            code,
            properties: [method(named)].into_iter().collect(),
        }));
        let told = world.take_client();
        assert_eq!(told, [disconnect(ReasonCode::PROTOCOL_ERROR)]);
    }
}

#[test]
fn a_server_that_a_refusal_names_is_logged_and_not_dialled() {
    let mut world = World::new(v5(), json!({}));
    world.dialled("t1");
    world.commands.clear();
    world.broker(Packet::ConnAck(ConnAck {
        session_present: false,
        code: ReasonCode::USE_ANOTHER_SERVER,
        properties: [Property::ServerReference("elsewhere".into())]
            .into_iter()
            .collect(),
    }));
    let told = world.take_client();
    assert_eq!(told, [refusal(ReasonCode::USE_ANOTHER_SERVER)]);
    let logged = Command::Report(Event::BrokerSaid("elsewhere".into()));
    assert!(world.commanded(&logged));
    assert!(!world.commanded(&Command::Dial) && world.ended());
}
