//! Certificates, ours and the broker's: every kind of key and both layouts of the Secret at a real mosquitto, and what is
//! wrong with a pair, or with a handshake, in words.

use std::io::Write as _;
use std::process::{Command, Stdio};

use endpoint::contract::Mount;
use serde_json::json;
use tests::app::{App, Version};
use tests::certificates::Authority;
use tests::check::Ladder;
use tests::eventually;
use tests::mosquitto::{Carrier, Demand, Listener, Mosquitto};
use tests::mounts::Mounts;
use tests::setup::{Method, Setup};

const EC: &[&str] = &[
    "genpkey",
    "-algorithm",
    "EC",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
];
const EC_384: &[&str] = &[
    "genpkey",
    "-algorithm",
    "EC",
    "-pkeyopt",
    "ec_paramgen_curve:P-384",
];
const RSA: &[&str] = &[
    "genpkey",
    "-algorithm",
    "RSA",
    "-pkeyopt",
    "rsa_keygen_bits:2048",
];
const ED25519: &[&str] = &["genpkey", "-algorithm", "ED25519"];

/// Output of openssl, which writes keys in every form that there is.
fn openssl(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is missing: sudo apt-get install -y openssl");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may end without reading.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("a process of ours");
    assert!(output.status.success(), "openssl {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("PEM")
}

fn credentials(mounts: &Mounts, files: &[(&str, &str)]) {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    mounts.swap("default", Mount::Credentials, &files);
}

/// A broker that demands certificates, and mounts that lead to it.
async fn broker() -> (Mosquitto, Mounts) {
    let broker = Method::X509Certificate.start_broker("").await;
    let mounts = Method::X509Certificate.mounts(&broker);
    (broker, mounts)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_connects_in_either_layout() {
    let (broker, _) = broker().await;
    let (ec, rsa) = (openssl(EC, ""), openssl(RSA, ""));
    let sec1 = openssl(&["ec"], &ec);
    // As `openssl ecparam -genkey` writes it.
    let behind_parameters = openssl(&["ecparam", "-name", "prime256v1"], "") + &sec1;
    let pkcs1 = openssl(&["rsa", "-traditional"], &rsa);
    let (ec_384, ed25519) = (openssl(EC_384, ""), openssl(ED25519, ""));
    // The key in PKCS#8, and as it is mounted.
    let kinds = [
        ("PRIVATE KEY", &ec, &ec),
        ("EC PRIVATE KEY", &ec, &sec1),
        ("EC PARAMETERS", &ec, &behind_parameters),
        ("PRIVATE KEY", &ec_384, &ec_384),
        ("PRIVATE KEY", &rsa, &rsa),
        ("RSA PRIVATE KEY", &rsa, &pkcs1),
        ("PRIVATE KEY", &ed25519, &ed25519),
    ];
    for (kind, pkcs8, key) in kinds {
        let certificate = broker.authority.client_with("app", pkcs8);
        let begin = format!("-----BEGIN {kind}-----");
        assert!(key.starts_with(&begin), "it is no {kind}");
        for names in [
            ["tls.crt", "tls.key"],
            ["client_cert.pem", "client_key.pem"],
        ] {
            // A folder of its own: the kubelet removes the keys of the Secret that are gone.
            let mounts = Method::X509Certificate.mounts_without_credentials(&broker);
            credentials(&mounts, &[(names[0], &certificate), (names[1], key)]);
            let ladder = Ladder::of(&mounts).await;
            assert!(ladder.ok, "{kind}, {names:?}: {ladder:#?}");
            assert!(ladder.text("credential").contains("CN=app"), "{ladder:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn intermediates_are_sent_from_either_layout() {
    let (broker, _) = broker().await;
    let intermediate = broker.authority.intermediate("intermediate");
    let client = intermediate.client("app");
    let chain = format!("{}{}", client.certificate, intermediate.certificate());
    let layouts: [(&[(&str, &str)], bool); 3] = [
        (&[("tls.crt", &chain), ("tls.key", &client.key)], true),
        (
            &[
                ("client_cert.pem", &client.certificate),
                ("client_key.pem", &client.key),
                ("client_intermediate_certs.pem", intermediate.certificate()),
            ],
            true,
        ),
        // The broker knows the root alone.
        (
            &[("tls.crt", &client.certificate), ("tls.key", &client.key)],
            false,
        ),
    ];
    for (files, good) in layouts {
        let mounts = Method::X509Certificate.mounts_without_credentials(&broker);
        credentials(&mounts, files);
        let ladder = Ladder::of(&mounts).await;
        assert_eq!(ladder.ok, good, "{ladder:#?}");
        if !good {
            let said = &ladder.broken().text;
            assert!(
                said.contains("does not trust the authority of our client"),
                "{said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_cannot_be_used_is_explained_with_its_remedy() {
    let (broker, _) = broker().await;
    let client = broker.authority.client("app");
    let other = broker.authority.client("other");
    let pass = "pass:secret";
    let modern = openssl(&["pkey", "-aes256", "-passout", pass], &client.key);
    let rsa = openssl(RSA, "");
    let rsa_certificate = broker.authority.client_with("app", &rsa);
    let old = openssl(&["rsa", "-traditional", "-aes256", "-passout", pass], &rsa);
    let twice = openssl(&["base64"], &client.certificate);
    let cases: [(&str, &str, &str); 5] = [
        (
            &client.certificate,
            &modern,
            "tls.key is encrypted and the sidecar has no password",
        ),
        (&rsa_certificate, &old, "openssl pkey -in tls.key"),
        (
            &client.certificate,
            &other.key,
            "tls.key does not belong to the certificate in tls.crt",
        ),
        (&twice, &client.key, "tls.crt holds base64 of a PEM file"),
        (
            &client.certificate,
            "no key",
            "tls.key holds no usable PEM private key",
        ),
    ];
    for (certificate, key, says) in cases {
        let mounts = Method::X509Certificate.mounts_without_credentials(&broker);
        credentials(&mounts, &[("tls.crt", certificate), ("tls.key", key)]);
        let ladder = Ladder::of(&mounts).await;
        let broken = ladder.broken();
        assert_eq!(broken.step, "credential", "{says}");
        assert!(broken.text.contains(says), "{}", broken.text);
    }
}

/// A broker with a token listener of this kind.
async fn tls_broker(listener: Listener<'_>) -> (Mosquitto, Mounts) {
    let broker = Mosquitto::start_listener(listener).await;
    broker.accept_tokens(&[&tests::setup::token("t1")]);
    let mounts = Method::ServiceAccountToken.mounts(&broker);
    (broker, mounts)
}

const TLS: Carrier = Carrier::Tls;

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_alone_and_1_3_alone_are_spoken() {
    // mosquitto has a setting for the lowest version only.
    let highest = "MaxProtocol = TLSv1.2\n";
    for (lines, openssl, version) in [
        ("tls_version tlsv1.2\n", highest, "TLSv1_2"),
        ("tls_version tlsv1.3\n", "", "TLSv1_3"),
    ] {
        let listener = Listener {
            lines,
            openssl,
            ..Listener::new(TLS, Demand::Token)
        };
        let (_broker, mounts) = tls_broker(listener).await;
        let ladder = Ladder::of(&mounts).await;
        assert!(ladder.ok, "{ladder:#?}");
        assert!(ladder.text("TLS").starts_with(version), "{ladder:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_session_resumes_tls() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let _first = App::connect(Version::V5, setup.sidecar.port, "first").await;
    let _second = App::connect(Version::V5, setup.sidecar.port, "second").await;
    eventually::is_true("one handshake is full, the next resumes", || {
        let log = setup.sidecar.log();
        log.contains("Resumed")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_may_hold_several_authorities() {
    let (broker, mounts) = tls_broker(Listener::new(TLS, Demand::Token)).await;
    let (old, new) = (Authority::new("old"), broker.authority.certificate());
    let both = format!("{}{new}", old.certificate());
    let bundles: [&[(&str, &[u8])]; 2] = [
        &[("ca.crt", both.as_bytes())],
        &[
            ("a.pem", old.certificate().as_bytes()),
            ("b.pem", new.as_bytes()),
        ],
    ];
    for files in bundles {
        mounts.swap("default", Mount::Ca, files);
        let ladder = Ladder::of(&mounts).await;
        assert!(ladder.ok, "{ladder:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bundle_public_authorities_and_those_of_a_file_are_trusted() {
    let (broker, mounts) = tls_broker(Listener::new(TLS, Demand::Token)).await;
    let mut settings = Method::ServiceAccountToken.settings(&broker);
    settings["tls"] = json!({"mode": "Enabled"});
    mounts.settings("default", settings, 1);
    let ladder = Ladder::of(&mounts).await;
    assert!(ladder.broken().text.contains("not trusted"), "{ladder:#?}");
    let file = mounts.path().join("roots.pem");
    let name = file.display().to_string();
    std::fs::write(&file, broker.authority.certificate()).expect("writable");
    let ladder = Ladder::with(&mounts, &[("SSL_CERT_FILE", &name)]).await;
    assert!(ladder.ok, "{ladder:#?}");
    std::fs::write(&file, "nothing").expect("writable");
    let ladder = Ladder::with(&mounts, &[("SSL_CERT_FILE", &name)]).await;
    let broken = ladder.broken();
    assert!(
        broken.text.contains("holds no certificate"),
        "{}",
        broken.text
    );
}
