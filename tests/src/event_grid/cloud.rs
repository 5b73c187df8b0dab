//! Everything that a test of Event Grid needs: the two fakes, and a sidecar that finds them.

use std::time::Duration;

use endpoint::contract::Mount;
use serde_json::{Value, json};

use super::{EventGrid, NAME, Namespace};
use crate::mounts::Mounts;
use crate::sidecar::Sidecar;
use crate::token_service::{Service, TokenService};

/// The fakes and the sidecar.
pub struct Cloud {
    /// Dropped first.
    pub sidecar: Sidecar,
    /// Gives the tokens.
    pub entra: TokenService,
    /// The broker.
    pub grid: EventGrid,
    /// The sidecar's.
    pub mounts: Mounts,
}

impl Cloud {
    /// With a managed identity whose tokens live so long; `changes` are laid over the settings.
    pub async fn new(namespace: Namespace, lifetime: Duration, changes: Value) -> Cloud {
        let grid = EventGrid::start(namespace).await;
        let issuer = grid.issuer();
        let grant = move |granted: &[String]| {
            issuer.issue(granted.last().map_or("", String::as_str), lifetime);
        };
        let entra = TokenService::start(Service::Metadata, &grid.authority, lifetime, grant).await;
        let mut settings = settings(&grid, Service::Metadata.authentication());
        for (name, value) in changes.as_object().expect("an object") {
            settings[name] = value.clone();
        }
        Cloud::start(grid, entra, Mounts::new(settings)).await
    }

    /// With a client certificate.
    pub async fn with_certificate(namespace: Namespace) -> Cloud {
        let grid = EventGrid::start(namespace).await;
        let nobody = |_: &[String]| ();
        let entra =
            TokenService::start(Service::Metadata, &grid.authority, Duration::ZERO, nobody).await;
        let authentication = json!({
            "method": "X509Certificate",
            "x509CertificateSettings": {"secretRef": "s"},
        });
        let mounts = Mounts::new(settings(&grid, authentication));
        let client = grid.authority.client("app");
        let files = [
            ("tls.crt", client.certificate.as_bytes()),
            ("tls.key", client.key.as_bytes()),
        ];
        mounts.swap("default", Mount::Credentials, &files);
        Cloud::start(grid, entra, mounts).await
    }

    async fn start(grid: EventGrid, entra: TokenService, mounts: Mounts) -> Cloud {
        let ca = grid.authority.certificate().as_bytes();
        mounts.swap("default", Mount::Ca, &[("ca.crt", ca)]);
        let metadata = format!("http://127.0.0.1:{}", entra.port);
        let environment = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata.as_str())];
        let sidecar = Sidecar::start_among(&mounts, &EventGrid::hosts(), &environment).await;
        Cloud {
            sidecar,
            entra,
            grid,
            mounts,
        }
    }

    /// Nothing was sent that Event Grid does not take.
    pub fn assert_no_rule_is_broken(&self) {
        let broken = self.grid.said("break");
        assert!(broken.is_empty(), "{broken:?}");
    }
}

fn settings(grid: &EventGrid, authentication: Value) -> Value {
    json!({
        "host": format!("{NAME}:{}", grid.port),
        "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": "ca"},
        "authentication": authentication,
    })
}
