//! Rules between the fields of `mqttSettings`.

use super::{Read, Rule, tls, websockets};
use crate::limits::EVENT_GRID_KEEP_ALIVE_SECONDS_MAX;
use crate::patterns::{DNS_NAME, IPV6, OCTET, PATH, PORT};
use crate::settings::Method;
use crate::violation::Reason;

pub(super) fn settings() -> Vec<Rule> {
    let mut rules = host();
    rules.extend(event_grid());
    rules.push(method_needs_tls());
    rules.push(one_cloud_events());
    rules
}

fn rule(
    rule: String,
    message: impl Into<String>,
    field_path: &'static str,
    reads: &'static [Read],
) -> Rule {
    Rule {
        rule,
        message: message.into(),
        message_expression: None,
        field_path: Some(field_path),
        reason: Reason::Invalid,
        reads,
    }
}

/// The grammar of `host`. Patterns are raw strings in double quotes: that of the path has a single one in it.
fn host() -> Vec<Rule> {
    const READS: &[Read] = &[Read::Host, Read::Protocol];
    let websockets = websockets("self");
    let mqtt = format!(r#"self.host.matches(r"^({DNS_NAME}|{IPV6}):{PORT}$")"#);
    let url = format!(r#"self.host.matches(r"^(wss?://)?({DNS_NAME}|{IPV6})(:{PORT})?{PATH}?$")"#);
    // A name whose last part is a number can only be an IPv4 address.
    let number = r#"self.host.matches(r"^(wss?://)?([-A-Za-z0-9]*\.)*[0-9]+(:.*|/.*)?$")"#;
    let address = format!(r#"self.host.matches(r"^(wss?://)?({OCTET}\.){{3}}{OCTET}(:.*|/.*)?$")"#);
    let scheme_agrees = format!("self.host.startsWith('wss://') == {}", tls("self"));
    vec![
        Rule {
            message_expression: Some(missing_colon()),
            ..rule(
                format!("!has(self.host) || {websockets} || {mqtt}"),
                HOST_MESSAGE,
                ".host",
                READS,
            )
        },
        rule(
            format!("!has(self.host) || !{websockets} || {url}"),
            "write [ws[s]://]<name>[:<port>][/<path>], for example broker.example:443/mqtt",
            ".host",
            READS,
        ),
        rule(
            format!(
                "!has(self.host) || !({websockets} || self.host.contains(':')) || !{number} || {address}"
            ),
            "ends with a number and is no IPv4 address: write <name>:<port>",
            ".host",
            READS,
        ),
        rule(
            format!(
                "!has(self.host) || !{websockets} || !self.host.contains('://') || {scheme_agrees}"
            ),
            "scheme wss needs tls.mode Enabled, scheme ws needs Disabled",
            ".host",
            &[Read::Host, Read::Protocol, Read::Tls],
        ),
    ]
}

const HOST_MESSAGE: &str = "write <name>:<port>, for example aio-broker:18883";

/// `broker.svc.8885` has a text of its own; a plain IPv4 address is none.
fn missing_colon() -> String {
    let typo = r"^([0-9]{1,3}\.){4}[0-9]{2,5}$|^[-A-Za-z0-9.]*[A-Za-z][-A-Za-z0-9.]*\.[0-9]{2,5}$";
    let dot = "self.host.lastIndexOf('.')";
    format!(
        "self.host.matches(r'{typo}') ? 'has no port: write ' + self.host.substring(0, {dot}) + ':' + self.host.substring({dot} + 1) : '{HOST_MESSAGE}'"
    )
}

/// What Event Grid would refuse; it is known by its host.
fn event_grid() -> Vec<Rule> {
    let elsewhere = r"!has(self.host) || !self.host.lowerAscii().matches(r'^(wss?://)?[^/:]+\.ts\.eventgrid\.azure\.net(:[0-9]+)?(/|$)')";
    let tls = tls("self");
    vec![
        rule(
            format!("{elsewhere} || {tls}"),
            "Event Grid takes only TLS: write Enabled",
            ".tls.mode",
            &[Read::Host, Read::Tls],
        ),
        rule(
            format!(
                "{elsewhere} || self.authentication.method in ['SystemAssignedManagedIdentity', 'UserAssignedManagedIdentity', 'X509Certificate']"
            ),
            "Event Grid takes SystemAssignedManagedIdentity, UserAssignedManagedIdentity or X509Certificate",
            ".authentication.method",
            &[Read::Host, Read::Method],
        ),
        rule(
            format!(
                "{elsewhere} || !has(self.keepAliveSeconds) || self.keepAliveSeconds <= {EVENT_GRID_KEEP_ALIVE_SECONDS_MAX}"
            ),
            format!(
                "is too high for Event Grid: write at most {EVENT_GRID_KEEP_ALIVE_SECONDS_MAX}"
            ),
            ".keepAliveSeconds",
            &[Read::Host, Read::KeepAlive],
        ),
    ]
}

fn method_needs_tls() -> Rule {
    let methods: Vec<String> = Method::ALL
        .into_iter()
        .filter(|method| method.needs_tls())
        .map(|method| format!("'{method}'"))
        .collect();
    Rule {
        message_expression: Some(
            "self.authentication.method + ' needs TLS: write Enabled'".to_owned(),
        ),
        ..rule(
            format!(
                "!(self.authentication.method in [{}]) || {}",
                methods.join(", "),
                tls("self")
            ),
            "this method needs TLS: write Enabled",
            ".tls.mode",
            &[Read::Method, Read::Tls],
        )
    }
}

fn one_cloud_events() -> Rule {
    rule(
        "!has(self.cloudEventAttributes) || !has(self.CloudEventAttributes) || self.cloudEventAttributes == self.CloudEventAttributes".to_owned(),
        "differs from CloudEventAttributes: keep cloudEventAttributes only",
        ".cloudEventAttributes",
        &[Read::CloudEvents],
    )
}
