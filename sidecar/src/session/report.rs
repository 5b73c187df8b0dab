//! What happens to a session, told to the log, the status page and the metrics.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{SessionStatus, View};
use crate::engine::Event;
use crate::metrics::Connected;
use crate::packet::DecodeError;
use crate::proxy::Proxy;

/// Refusals that a 3.1.1 client cannot be told are logged this often; the metric counts them all.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Tells of one session.
pub(super) struct Reporter {
    proxy: Arc<Proxy>,
    status: Arc<SessionStatus>,
    view: View,
    refusal_logged: Option<Instant>,
}

impl Reporter {
    pub(super) fn new(proxy: Arc<Proxy>, status: Arc<SessionStatus>) -> Self {
        Self {
            proxy,
            status,
            view: View::OPENING,
            refusal_logged: None,
        }
    }

    /// What the session is like after a turn.
    pub(super) fn view(&mut self, view: View) {
        if view != self.view {
            self.view = view;
            self.status.set_view(view);
        }
    }

    /// Something happened.
    pub(super) fn report(&mut self, event: Event) {
        match event {
            Event::BrokerConnected { session_present } => {
                self.proxy.metrics.on_broker_connect(Connected::Accepted);
                self.proxy.on_dial_ended(None);
                info!(session_present, "broker connected");
            }
            Event::BrokerRefused(code) => {
                let error = format!("the broker refused the connection with {code}");
                self.proxy.metrics.on_broker_connect(Connected::Refused);
                self.proxy.on_dial_ended(Some(error.clone()));
                self.status.set_last_error(error);
                warn!(%code, "broker refused the connection");
            }
            Event::BrokerLost(reason) => {
                warn!("broker lost: {reason}");
                self.status.set_last_error(reason);
            }
            Event::PlannedReconnect(reason) => info!("planned reconnect began: {reason}"),
            Event::Reauthenticated(success) => {
                self.proxy.metrics.on_reauthenticated(success);
                match success {
                    true => info!("token renewed by AUTH"),
                    false => {
                        self.status
                            .set_last_error("the broker refused to renew the token by AUTH".into());
                        warn!("broker refused to renew the token by AUTH");
                    }
                }
            }
            Event::ClientLeft(reason) => info!("client left: {reason}"),
            Event::ClientDisconnected(code, reason) => {
                self.status
                    .set_last_error(format!("the client was disconnected with {code}: {reason}"));
                warn!(%code, "client disconnected: {reason}");
            }
            Event::BrokerSaid(text) => info!("broker said: {}", text.escape_debug()),
            Event::RefusalHidden { topic, code } => {
                let recent = |at: Instant| at.elapsed() < REFUSAL_LOG_INTERVAL;
                if !self.refusal_logged.is_some_and(recent) {
                    self.refusal_logged = Some(Instant::now());
                    let topic = topic.escape_debug();
                    warn!(%topic, %code, "broker refused a publish, which MQTT 3.1.1 cannot tell the client");
                }
            }
        }
    }

    /// The client's bytes were no packet.
    pub(super) fn client_illegal(&self, error: &DecodeError) {
        debug!("client sent what is no packet: {error}");
    }

    /// The broker's bytes were no packet.
    pub(super) fn broker_illegal(&self, error: &DecodeError) {
        warn!("broker sent what is no packet: {error}");
    }
}
