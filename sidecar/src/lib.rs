//! The proxy between an app's local MQTT connection and the broker of a `DataflowEndpoint`.
//!
//! One MQTT packet: `listener` accepts, `session` reads, [`packet`] decodes, [`engine`] decides,
//! `session` writes, dialling through `connector` and `auth` when the engine asks. What the endpoint's files say comes
//! through `watch`; `proxy` is what one endpoint's sessions share; [`app`] puts it all together.

pub mod args;
pub mod app;
mod listener;
mod session;
pub mod moderation;
pub mod packet;
pub mod engine;
mod connector;
mod auth;
mod watch;
mod proxy;
mod metrics;
mod admin;
pub mod logging;
mod shutdown;
pub mod wait;
pub mod probe;
pub mod check;
#[cfg(test)]
mod testing;
