//! Every way in that there is: each method over each transport that may carry it, for apps of both versions. The table of
//! `docs/ways-in.md` names these tests, and one of them checks that it does.

use std::path::Path;
use std::time::Duration;

use endpoint::contract::Mount;
use serde_json::{Value, json};
use tests::app::{App, VERSIONS};
use tests::eventually;
use tests::mosquitto::{Carrier, Demand, Mosquitto};
use tests::mounts::Mounts;
use tests::setup::{Method, token};
use tests::sidecar::Sidecar;
use tests::token_service::{Service, TokenService};

const TOKEN_LIFETIME: Duration = Duration::from_secs(3_600);

/// A method by what gives its credential.
#[derive(Debug, Clone, Copy)]
enum Credential {
    Files(Method),
    Service(Service),
}

impl Credential {
    fn demand(self) -> Demand {
        match self {
            Credential::Service(_) => Demand::ManagedIdentity,
            Credential::Files(Method::X509Certificate) => Demand::Certificate,
            Credential::Files(Method::Anonymous) => Demand::Anonymous,
            Credential::Files(Method::ServiceAccountToken | Method::AccessToken) => Demand::Token,
        }
    }

    fn authentication(self, broker: &Mosquitto) -> Value {
        match self {
            Credential::Files(method) => method.settings(broker)["authentication"].clone(),
            Credential::Service(service) => service.authentication(),
        }
    }
}

/// An app of either version publishes and gets its own messages back.
async fn way(credential: Credential, carrier: Carrier) {
    let broker = Mosquitto::start(carrier, credential.demand(), "").await;
    let mode = if carrier.has_tls() {
        "Enabled"
    } else {
        "Disabled"
    };
    let mut settings = json!({
        "host": format!("localhost:{}", broker.port),
        "tls": {"mode": mode},
        "authentication": credential.authentication(&broker),
    });
    if carrier.has_tls() {
        settings["tls"]["trustedCaCertificateConfigMapRef"] = json!("ca");
    }
    if carrier.has_websockets() {
        settings["protocol"] = json!("WebSockets");
        settings["host"] = json!(format!("localhost:{}/mqtt", broker.port));
    }
    let mounts = match credential {
        Credential::Files(method) => method.mounts(&broker),
        Credential::Service(_) => Mounts::empty(),
    };
    let authority = broker.authority.certificate().as_bytes();
    if carrier.has_tls() {
        mounts.swap("default", Mount::Ca, &[("ca.crt", authority)]);
    }
    mounts.settings("default", settings, 1);
    broker.accept_tokens(&[&token("t1")]);
    let mut environment = Vec::new();
    // Kept while the apps are there.
    let mut _service = None;
    if let Credential::Service(service) = credential {
        let tokens = broker.tokens_writer();
        let accept = move |granted: &[String]| {
            tokens.accept(&granted.iter().map(String::as_str).collect::<Vec<_>>());
        };
        let fake = TokenService::start(service, &broker.authority, TOKEN_LIFETIME, accept).await;
        mounts.token(&token("assertion"));
        let roots = mounts.path().join("roots.pem");
        std::fs::write(&roots, authority).expect("writable");
        environment = fake.environment(&roots);
        _service = Some(fake);
    }
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let sidecar = Sidecar::start_in(&mounts, &environment).await;
    for version in VERSIONS {
        let topic = format!("{version:?}");
        let app = App::connect(version, sidecar.port, &topic).await;
        app.subscribe(&topic, 1).await;
        for number in 0..5 {
            app.publish(&topic, 1, number).await;
        }
        app.wait_for_acknowledged(5).await;
        eventually::is_true("its own messages are back", || {
            app.record().received.len() == 5
        })
        .await;
        assert_eq!(
            broker.published(&topic),
            ["0", "1", "2", "3", "4"],
            "{version:?}"
        );
        assert_eq!(app.record().disconnects, 0, "{version:?}");
    }
    assert!(
        !sidecar.log().contains(&token("t1")),
        "the token is in the log"
    );
}

/// One test for each cell of the table.
macro_rules! ways {
    ($($name:ident: $credential:expr, $carrier:ident;)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                way($credential, Carrier::$carrier).await;
            }
        )+
        const TESTS: &[&str] = &[$(stringify!($name)),+];
    };
}

ways! {
    system_assigned_over_tls: Credential::Service(Service::Metadata), Tls;
    system_assigned_over_wss: Credential::Service(Service::Metadata), WebSocketsTls;
    user_assigned_over_tls: Credential::Service(Service::Entra), Tls;
    user_assigned_over_wss: Credential::Service(Service::Entra), WebSocketsTls;
    service_account_token_over_tcp: Credential::Files(Method::ServiceAccountToken), Tcp;
    service_account_token_over_tls: Credential::Files(Method::ServiceAccountToken), Tls;
    service_account_token_over_ws: Credential::Files(Method::ServiceAccountToken), WebSockets;
    service_account_token_over_wss: Credential::Files(Method::ServiceAccountToken), WebSocketsTls;
    x509_certificate_over_tls: Credential::Files(Method::X509Certificate), Tls;
    x509_certificate_over_wss: Credential::Files(Method::X509Certificate), WebSocketsTls;
    access_token_over_tls: Credential::Files(Method::AccessToken), Tls;
    access_token_over_wss: Credential::Files(Method::AccessToken), WebSocketsTls;
    anonymous_over_tcp: Credential::Files(Method::Anonymous), Tcp;
    anonymous_over_tls: Credential::Files(Method::Anonymous), Tls;
    anonymous_over_ws: Credential::Files(Method::Anonymous), WebSockets;
    anonymous_over_wss: Credential::Files(Method::Anonymous), WebSocketsTls;
}

/// Each cell of the documentation's table is a test of this file, or a set-up that is denied and has its fixture.
#[test]
fn every_cell_of_the_documentation_is_a_test_or_a_denied_fixture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document =
        std::fs::read_to_string(root.join("docs/ways-in.md")).expect("the documentation");
    let is_cell = |word: &&str| word.contains("_over_") || word.ends_with(".yaml");
    let table = document.lines().filter(|line| line.starts_with("| `"));
    let cells: Vec<&str> = table
        .flat_map(|line| line.split('`'))
        .filter(is_cell)
        .collect();
    for cell in &cells {
        let denied = root.join("endpoint/tests/fixtures/denied").join(cell);
        let known = TESTS.contains(cell) || cell.ends_with(".yaml") && denied.is_file();
        assert!(known, "{cell} is neither a test nor a fixture");
    }
    for test in TESTS {
        assert!(cells.contains(test), "{test} is in no cell");
    }
    // Six methods over four transports.
    assert_eq!(cells.len(), 24, "{cells:?}");
}
