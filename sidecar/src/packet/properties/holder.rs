//! Which packet may have which property (MQTT 5 table 2-4).

use super::PropertyId;
use crate::packet::Role;

/// What holds properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::packet) enum Holder {
    Connect,
    Will,
    ConnAck,
    /// With who sent it: a client's may have no Subscription Identifier [MQTT-3.3.4-6].
    Publish(Role),
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
    Ack,
    Subscribe,
    Unsubscribe,
    /// With who sent it: only a server refers to another, only a client sets an expiry.
    Disconnect(Role),
    Auth,
}

impl Holder {
    pub(super) fn may_hold(self, id: PropertyId) -> bool {
        use PropertyId::*;
        if id == UserProperty {
            return true;
        }
        match self {
            Holder::Connect => matches!(
                id,
                SessionExpiryInterval
                    | AuthenticationMethod
                    | AuthenticationData
                    | RequestProblemInformation
                    | RequestResponseInformation
                    | ReceiveMaximum
                    | TopicAliasMaximum
                    | MaximumPacketSize
            ),
            Holder::Will => matches!(
                id,
                PayloadFormatIndicator
                    | MessageExpiryInterval
                    | ContentType
                    | ResponseTopic
                    | CorrelationData
                    | WillDelayInterval
            ),
            Holder::ConnAck => matches!(
                id,
                SessionExpiryInterval
                    | AssignedClientIdentifier
                    | ServerKeepAlive
                    | AuthenticationMethod
                    | AuthenticationData
                    | ResponseInformation
                    | ServerReference
                    | ReasonString
                    | ReceiveMaximum
                    | TopicAliasMaximum
                    | MaximumQos
                    | RetainAvailable
                    | MaximumPacketSize
                    | WildcardSubscriptionAvailable
                    | SubscriptionIdentifierAvailable
                    | SharedSubscriptionAvailable
            ),
            Holder::Publish(sender) => match id {
                SubscriptionIdentifier => sender == Role::Broker,
                PayloadFormatIndicator
                | MessageExpiryInterval
                | ContentType
                | ResponseTopic
                | CorrelationData
                | TopicAlias => true,
                _ => false,
            },
            Holder::Ack => id == ReasonString,
            Holder::Subscribe => id == SubscriptionIdentifier,
            Holder::Unsubscribe => false,
            Holder::Disconnect(sender) => match id {
                SessionExpiryInterval => sender == Role::Client,
                ServerReference => sender == Role::Broker,
                id => id == ReasonString,
            },
            Holder::Auth => {
                matches!(id, AuthenticationMethod | AuthenticationData | ReasonString)
            }
        }
    }

    /// User Property anywhere; Subscription Identifier where a message matched several subscriptions.
    pub(super) fn may_repeat(self, id: PropertyId) -> bool {
        match id {
            PropertyId::UserProperty => true,
            PropertyId::SubscriptionIdentifier => matches!(self, Holder::Publish(_)),
            _ => false,
        }
    }
}
