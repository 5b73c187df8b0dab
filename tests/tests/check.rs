//! `dataflow-sidecar check`: each broken rung of its ladder is named with a remedy, and no token is shown. What it prints
//! is in `docs/ways-in.md`: `BLESS=1 cargo test -p tests --test check` writes it there.

use std::path::Path;

use endpoint::contract::{MOUNTS, Mount};
use serde_json::{Value, json};
use tests::app::{App, Version};
use tests::certificates::Authority;
use tests::check::{self, Ladder};
use tests::eventually;
use tests::mosquitto::{Carrier, Demand, Listener, Mosquitto};
use tests::mounts::Mounts;
use tests::setup::{Method, token};
use tests::sidecar::Sidecar;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const BY_TOKEN: Method = Method::ServiceAccountToken;

/// A set-up that is good but for one thing.
struct Case {
    name: &'static str,
    mounts: Mounts,
    /// The step that must be broken.
    step: &'static str,
    /// What its text must say.
    says: &'static str,
}

/// What is changed of a good set-up, and what `check` must say.
type Change<'a> = (
    &'static str,
    &'a dyn Fn(&Mounts),
    &'static str,
    &'static str,
);

/// Each is broken in another way but for the first two.
struct Brokers {
    tls: Mosquitto,
    plain: Mosquitto,
    refusing: Mosquitto,
    expired: Mosquitto,
    elsewhere: Mosquitto,
    demanding: Mosquitto,
    /// The port of a proxy that reaches no broker.
    proxy: u16,
}

impl Brokers {
    async fn start() -> Brokers {
        let showing = |certificate| Listener {
            certificate,
            ..Listener::new(Carrier::Tls, Demand::Token)
        };
        Brokers {
            tls: BY_TOKEN.start_broker("").await,
            plain: Method::Anonymous.start_broker("").await,
            refusing: Mosquitto::start(Carrier::Tls, Demand::Token, "").await,
            expired: Mosquitto::start_listener(showing(Authority::expired_server)).await,
            elsewhere: Mosquitto::start_listener(showing(Authority::other_server)).await,
            demanding: Method::X509Certificate.start_broker("").await,
            proxy: bad_gateway().await,
        }
    }
}

/// A proxy that answers every request as one does whose server is away.
async fn bad_gateway() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 2048];
            // The whole request comes at once, and its end is not looked for.
            let _ = stream.read(&mut request).await;
            let answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    });
    port
}

/// The settings of the method, with changes at the top level.
fn settings(method: Method, broker: &Mosquitto, changes: Value) -> Value {
    let mut settings = method.settings(broker);
    for (name, value) in changes.as_object().expect("an object") {
        settings[name] = value.clone();
    }
    settings
}

fn cases(brokers: &Brokers) -> Vec<Case> {
    let Brokers { tls, plain, .. } = brokers;
    let sets = |changes: Value| {
        move |mounts: &Mounts| {
            mounts.settings("default", settings(BY_TOKEN, tls, changes.clone()), 1)
        }
    };
    let to = |port: u16| sets(json!({"host": format!("localhost:{port}")}));
    let ca = |text: &str| {
        let text = text.to_owned();
        move |mounts: &Mounts| {
            mounts.swap("default", Mount::Ca, &[("root_ca.crt", text.as_bytes())])
        }
    };
    let leads_to = |broker: &Mosquitto| {
        let (settings, ca) = (
            BY_TOKEN.settings(broker),
            ca(broker.authority.certificate()),
        );
        move |mounts: &Mounts| {
            ca(mounts);
            mounts.settings("default", settings.clone(), 1);
        }
    };
    let in_clear = |host: String, protocol: &str| {
        let disabled = json!({"mode": "Disabled"});
        let changes = json!({"host": host, "tls": disabled, "protocol": protocol});
        let settings = settings(Method::Anonymous, plain, changes);
        move |mounts: &Mounts| mounts.settings("default", settings.clone(), 1)
    };
    let managed = json!({"authentication": {"method": "SystemAssignedManagedIdentity"}});
    let proxy = format!("localhost:{}/mqtt", brokers.proxy);
    let changes: &[Change<'_>] = &[
        (
            "settings that break the rules",
            &sets(json!({"qos": 7})),
            "settings",
            "qos",
        ),
        (
            "no such Secret mounted",
            &|mounts| mounts.settings("default", Method::AccessToken.settings(tls), 1),
            "settings",
            "restart the pod",
        ),
        (
            "half a token",
            &|mounts| mounts.token("a.b"),
            "credential",
            "half-written",
        ),
        (
            "no metadata service",
            &sets(managed),
            "credential",
            "network policy",
        ),
        (
            "a bundle without certificates",
            &ca("nothing"),
            "trust",
            "holds no certificate",
        ),
        (
            NO_SUCH_HOST,
            &sets(json!({"host": "broker.invalid:8883"})),
            "DNS",
            "broker.invalid",
        ),
        (
            "nobody listens",
            &to(tests::free_port()),
            "TCP",
            "check host and port",
        ),
        (
            "another authority",
            &ca(Authority::new("other").certificate()),
            "TLS",
            "not trusted",
        ),
        (
            "an expired certificate of the broker",
            &leads_to(&brokers.expired),
            "TLS",
            "has expired",
        ),
        (
            "a certificate for another name",
            &leads_to(&brokers.elsewhere),
            "TLS",
            "it is valid for broker.example;",
        ),
        ("TLS to a plain port", &to(plain.port), "TLS", "tls.mode"),
        (
            "no WebSocket there",
            &sets(json!({"protocol": "WebSockets"})),
            "WebSocket",
            "WebSocket upgrade",
        ),
        (
            "a proxy that does not reach the broker",
            &in_clear(proxy, "WebSockets"),
            "WebSocket",
            "HTTP status 502; a proxy before the broker does not reach it",
        ),
        (
            "plain to a TLS port",
            &in_clear(format!("localhost:{}", tls.port), "Mqtt"),
            "CONNECT",
            "another protocol",
        ),
        (
            "a broker that demands a client certificate",
            &leads_to(&brokers.demanding),
            "CONNECT",
            "set authentication.method to X509Certificate",
        ),
        (
            "a token that the broker refuses",
            &leads_to(&brokers.refusing),
            "CONNECT",
            "does not take the token",
        ),
    ];
    let case = |(name, change, step, says): &Change<'_>| {
        let mounts = BY_TOKEN.mounts(tls);
        change(&mounts);
        Case {
            name,
            mounts,
            step,
            says,
        }
    };
    changes.iter().map(case).collect()
}

/// The resolver's words for it are those of the machine's network, so they are not in the documentation.
const NO_SUCH_HOST: &str = "no such host";

#[tokio::test(flavor = "multi_thread")]
async fn check_names_the_first_broken_rung_with_its_remedy() {
    let brokers = Brokers::start().await;
    let mut documented = String::new();
    for case in cases(&brokers) {
        let (name, mounts) = (case.name, &case.mounts);
        let ladder = Ladder::of(mounts).await;
        assert!(!ladder.ok, "{name}");
        let last = ladder.broken();
        assert_eq!(last.step, case.step, "{name}: {ladder:#?}");
        assert!(last.text.contains(case.says), "{name}: {}", last.text);
        let output = check::run(mounts, &[], &[]).await;
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        let printed = format!("{output:?}{ladder:?}");
        assert!(
            !printed.contains(&token("t1")),
            "{name}: the token is shown"
        );
        if name != NO_SUCH_HOST {
            let lines = steady(&String::from_utf8_lossy(&output.stdout), mounts.path());
            documented += &format!("\n**{name}**\n\n```\n{lines}```\n");
        }
    }
    compare_with_documentation(&documented);
}

/// What is printed without what differs from run to run: folder, ports, times.
fn steady(printed: &str, mounts: &Path) -> String {
    let mut text = printed.replace(&mounts.display().to_string(), MOUNTS);
    for (before, end) in [
        ("expires in ", &[',', ';', '\n'][..]),
        ("localhost is ", &['\n'][..]),
    ] {
        text = without(&text, before, end);
    }
    let mut steady = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        // Every port of a test has five digits, and no other number has.
        steady += match digits.len() {
            5 => "8883",
            _ => &digits,
        };
        digits.clear();
        steady.push(letter);
    }
    steady.trim_end_matches('\0').to_owned()
}

/// Three dots for what follows `before`, up to one of the letters.
fn without(text: &str, before: &str, end: &[char]) -> String {
    let mut parts = text.split(before);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.find(end).unwrap_or(part.len());
        kept += &format!("{before}...{}", &part[rest..]);
    }
    kept
}

fn compare_with_documentation(wanted: &str) {
    const BEGIN: &str = "<!-- what check prints: begin -->\n";
    const END: &str = "\n<!-- what check prints: end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ways-in.md");
    let document = std::fs::read_to_string(&path).expect("the documentation");
    let (before, rest) = document.split_once(BEGIN).expect("a begin");
    let (written, after) = rest.split_once(END).expect("an end");
    if std::env::var_os("BLESS").is_some() {
        let document = format!("{before}{BEGIN}{wanted}{END}{after}");
        return std::fs::write(path, document).expect("writable");
    }
    assert_eq!(
        written, wanted,
        "docs/ways-in.md is out of date: BLESS=1 cargo test -p tests --test check"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_of_no_such_endpoint_is_broken_at_its_files() {
    let ladder = Ladder::of(&Mounts::empty()).await;
    assert_eq!(ladder.broken().step, "files");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_explains_a_proxy_as_check_does() {
    let brokers = Brokers::start().await;
    let says = "HTTP status 502; a proxy before the broker does not reach it";
    let case = cases(&brokers).into_iter().find(|case| case.says == says);
    let case = case.expect("it is among the cases");
    let sidecar = Sidecar::start(&case.mounts).await;
    let _app = App::start(Version::V5, sidecar.port, "app");
    eventually::is_true("the log says it", || sidecar.log().contains(says)).await;
}
