//! The proxy between an app's local MQTT connection and the broker of a `DataflowEndpoint`.
//!
//! One MQTT packet: `listener` accepts, `session` reads, [`packet`] decodes, [`engine`] decides,
//! `session` writes, dialling through `connector` and `auth` when the engine asks.

pub mod packet;
pub mod engine;
