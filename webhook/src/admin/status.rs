//! The page `/status`. Names of a whole cluster's endpoints and pods are for who comes from inside the pod, which
//! `kubectl port-forward` does; everybody else who can reach the port gets numbers.

use serde_json::{Value, json};

use super::Admin;
use crate::inject::endpoints::Known;

/// A page with more is looked at by nobody; `kubectl get dataflowendpoints -A` has all.
const ENDPOINTS_SHOWN_MAX: usize = 500;

impl Admin {
    pub(super) fn status(&self, with_names: bool) -> Vec<u8> {
        let unready = self.unready();
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "ready": unready.is_none(),
            "unready": unready,
            "endpoints": self.store.len(),
            "certificateExpiryTimestampSeconds": self.certificates.expiry_timestamp_seconds(),
            "details": with_names.then(|| json!({
                "endpoints": self.endpoints(),
                "decisions": self.decisions.to_json(),
            })),
        });
        format!("{status:#}\n").into_bytes()
    }

    fn endpoints(&self) -> Vec<Value> {
        let endpoints = self.store.first(ENDPOINTS_SHOWN_MAX).into_iter();
        endpoints
            .map(|(namespace, name, known)| {
                let counts = self
                    .controller
                    .as_ref()
                    .map(|controller| controller.counts(&namespace, &name))
                    .unwrap_or_default();
                let (check, faults) = match &*known {
                    Known::Good { .. } => ("Good", Vec::new()),
                    Known::Bad(violations) => {
                        ("Bad", violations.iter().map(ToString::to_string).collect())
                    }
                    Known::Foreign(endpoint_type) => {
                        ("Foreign", vec![format!("endpointType {endpoint_type}")])
                    }
                };
                json!({
                    "namespace": namespace,
                    "name": name,
                    "check": check,
                    "faults": faults,
                    "sidecars": counts.sidecars,
                    "outdated": counts.outdated,
                    "outdatedPods": counts.pods,
                })
            })
            .collect()
    }
}
