//! The rules between fields, in CEL.

use serde_json::{Value, json};

use crate::patterns::{DNS_NAME, IPV6, OCTET, PATH, PORT};
use crate::settings::Method;
use crate::violation::Reason;

/// One rule (`x-kubernetes-validations`).
pub(super) struct Rule {
    rule: String,
    message: String,
    /// CEL that makes a message of the values; [`Rule::message`] is told where it fails.
    message_expression: Option<String>,
    /// Path of the field to blame below the object that has the rule.
    field_path: &'static str,
    reason: Reason,
}

impl Rule {
    pub(super) fn to_value(&self) -> Value {
        let mut value = json!({
            "rule": self.rule,
            "message": self.message,
            "fieldPath": self.field_path,
            "reason": self.reason.as_str(),
        });
        if let Some(expression) = &self.message_expression {
            value["messageExpression"] = json!(expression);
        }
        value
    }
}

/// Every rule, below the path of its object.
pub(super) fn all() -> [(&'static str, Vec<Rule>); 2] {
    let mut mqtt = host();
    mqtt.extend(event_grid());
    mqtt.extend(between_fields());
    [
        ("spec.mqttSettings", mqtt),
        ("spec.mqttSettings.authentication", authentication()),
    ]
}

/// One method, its settings and no other's.
fn authentication() -> Vec<Rule> {
    let needs = [
        Method::X509Certificate,
        Method::UserAssignedManagedIdentity,
        Method::AccessToken,
    ];
    let required = needs.into_iter().map(|method| {
        let key = method.settings_key();
        Rule {
            rule: format!("self.method != '{method}' || has(self.{key})"),
            message: format!("is required with method {method}"),
            message_expression: None,
            field_path: settings_path(method),
            reason: Reason::Required,
        }
    });
    let forbidden = Method::ALL.into_iter().map(|method| {
        let key = method.settings_key();
        Rule {
            rule: format!("!has(self.{key}) || self.method == '{method}'"),
            message: format!("is only read with method {method}: remove it, or write method: {method}"),
            message_expression: Some(format!(
                "'is only read with method {method}, not ' + self.method + ': remove it, or write method: {method}'"
            )),
            field_path: settings_path(method),
            reason: Reason::Forbidden,
        }
    });
    required.chain(forbidden).collect()
}

fn settings_path(method: Method) -> &'static str {
    match method {
        Method::ServiceAccountToken => ".serviceAccountTokenSettings",
        Method::X509Certificate => ".x509CertificateSettings",
        Method::SystemAssignedManagedIdentity => ".systemAssignedManagedIdentitySettings",
        Method::UserAssignedManagedIdentity => ".userAssignedManagedIdentitySettings",
        Method::AccessToken => ".accessTokenSettings",
        Method::Anonymous => ".anonymousSettings",
    }
}

const WEBSOCKETS: &str = "(has(self.protocol) && self.protocol == 'WebSockets')";
const TLS: &str = "(!has(self.tls) || !has(self.tls.mode) || self.tls.mode == 'Enabled')";

/// The grammar of `host`. Patterns are raw strings in double quotes, because that of the path has a single one in it.
fn host() -> Vec<Rule> {
    let invalid = |rule: String, message: &str| Rule {
        rule,
        message: message.to_owned(),
        message_expression: None,
        field_path: ".host",
        reason: Reason::Invalid,
    };
    let typo =
        r"^([0-9]{1,3}\\.){4}[0-9]{2,5}$|^[-A-Za-z0-9.]*[A-Za-z][-A-Za-z0-9.]*\\.[0-9]{2,5}$";
    let write = "write <name>:<port>, for example aio-broker:18883";
    vec![
        Rule {
            message_expression: Some(format!(
                "self.host.matches('{typo}') ? 'has no port: write ' + self.host.substring(0, self.host.lastIndexOf('.')) + ':' + \
                 self.host.substring(self.host.lastIndexOf('.') + 1) : '{write}'"
            )),
            ..invalid(
                format!(
                    r#"!has(self.host) || {WEBSOCKETS} || self.host.matches(r"^({DNS_NAME}|{IPV6}):{PORT}$")"#
                ),
                write,
            )
        },
        invalid(
            format!(
                r#"!has(self.host) || !{WEBSOCKETS} || self.host.matches(r"^(wss?://)?({DNS_NAME}|{IPV6})(:{PORT})?{PATH}?$")"#
            ),
            "write [ws[s]://]<name>[:<port>][/<path>], for example broker.example:443/mqtt",
        ),
        invalid(
            format!(
                r#"!has(self.host) || !({WEBSOCKETS} || self.host.contains(':')) || !self.host.matches(r"^(wss?://)?([-A-Za-z0-9]*\.)*[0-9]+(:.*|/.*)?$") || self.host.matches(r"^(wss?://)?({OCTET}\.){{3}}{OCTET}(:.*|/.*)?$")"#
            ),
            "ends with a number and is no IPv4 address: write <name>:<port>",
        ),
        invalid(
            format!(
                "!has(self.host) || !{WEBSOCKETS} || !self.host.contains('://') || self.host.startsWith('wss://') == {TLS}"
            ),
            "scheme wss needs tls.mode Enabled, scheme ws needs Disabled",
        ),
    ]
}

/// What Event Grid would refuse; it is known by its host.
fn event_grid() -> Vec<Rule> {
    let elsewhere = r"(!has(self.host) || !self.host.lowerAscii().matches('^(wss?://)?[^/:]+\\.ts\\.eventgrid\\.azure\\.net(:[0-9]+)?(/|$)'))";
    vec![
        Rule {
            rule: format!("{elsewhere} || {TLS}"),
            message: "Event Grid takes only TLS: write Enabled".to_owned(),
            message_expression: None,
            field_path: ".tls.mode",
            reason: Reason::Invalid,
        },
        Rule {
            rule: format!(
                "{elsewhere} || self.authentication.method in ['SystemAssignedManagedIdentity', 'UserAssignedManagedIdentity', 'X509Certificate']"
            ),
            message: "Event Grid takes SystemAssignedManagedIdentity, UserAssignedManagedIdentity or X509Certificate".to_owned(),
            message_expression: None,
            field_path: ".authentication.method",
            reason: Reason::Invalid,
        },
        Rule {
            rule: format!("{elsewhere} || !has(self.keepAliveSeconds) || self.keepAliveSeconds <= 1160"),
            message: "too high for Event Grid: write at most 1160".to_owned(),
            message_expression: None,
            field_path: ".keepAliveSeconds",
            reason: Reason::Invalid,
        },
    ]
}

fn between_fields() -> Vec<Rule> {
    let secure: Vec<String> = Method::ALL
        .into_iter()
        .filter(|method| method.needs_tls())
        .map(|method| format!("'{method}'"))
        .collect();
    vec![
        Rule {
            rule: format!("!(self.authentication.method in [{}]) || {TLS}", secure.join(", ")),
            message: "this method needs TLS: write Enabled".to_owned(),
            message_expression: Some("self.authentication.method + ' needs TLS: write Enabled'".to_owned()),
            field_path: ".tls.mode",
            reason: Reason::Invalid,
        },
        Rule {
            rule: "!has(self.cloudEventAttributes) || !has(self.CloudEventAttributes) || self.cloudEventAttributes == self.CloudEventAttributes".to_owned(),
            message: "differs from CloudEventAttributes: keep cloudEventAttributes only".to_owned(),
            message_expression: None,
            field_path: ".cloudEventAttributes",
            reason: Reason::Invalid,
        },
    ]
}
