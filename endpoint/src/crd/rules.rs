//! The rules in CEL: on one field where it is more than a length or a range, and between fields.
//!
//! The messages of CEL are our own and repeat no value, which `pattern` would do, also where a person wrote a token in
//! place of the name of its Secret.

use serde_json::{Value, json};

use crate::settings::Method;
use crate::violation::Reason;

mod between;
mod single;

/// One rule (`x-kubernetes-validations`).
pub(super) struct Rule {
    /// What must hold.
    pub(super) rule: String,
    pub(super) message: String,
    /// CEL that makes a message of the values; `message` is told where it fails.
    pub(super) message_expression: Option<String>,
    /// Path of the field to blame below the object that has the rule; none for a rule on the field itself.
    pub(super) field_path: Option<&'static str>,
    pub(super) reason: Reason,
    /// What the rule looks at. As long as none of it changes, the rule is silent on an update: the API server itself
    /// asks every rule of an object again when any field of it changes.
    pub(super) reads: &'static [Read],
}

/// Something below `mqttSettings` that a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Host,
    Protocol,
    Tls,
    Method,
    KeepAlive,
    CloudEvents,
}

impl Rule {
    pub(super) fn to_value(&self) -> Value {
        let mut value = json!({
            "rule": self.rule,
            "message": self.message,
            "reason": self.reason.as_str(),
        });
        if let Some(path) = self.field_path {
            value["fieldPath"] = json!(path);
        }
        if let Some(expression) = &self.message_expression {
            value["messageExpression"] = json!(expression);
        }
        if !self.reads.is_empty() {
            let same: Vec<String> = self.reads.iter().map(|read| read.unchanged()).collect();
            value["rule"] = json!(format!(
                "{} || (oldSelf.hasValue() && {})",
                self.rule,
                same.join(" && ")
            ));
            value["optionalOldSelf"] = json!(true);
        }
        value
    }
}

impl Read {
    /// CEL that is true where the old and the new object agree.
    fn unchanged(self) -> String {
        let same = |field: &str| {
            format!(
                "(has(self.{field}) ? has(oldSelf.value().{field}) && self.{field} == oldSelf.value().{field} : !has(oldSelf.value().{field}))"
            )
        };
        match self {
            Read::Host => same("host"),
            Read::Protocol => format!(
                "{} == {}",
                websockets("self"),
                websockets("oldSelf.value()")
            ),
            Read::Tls => format!("{} == {}", tls("self"), tls("oldSelf.value()")),
            Read::Method => {
                "self.authentication.method == oldSelf.value().authentication.method".to_owned()
            }
            Read::KeepAlive => same("keepAliveSeconds"),
            Read::CloudEvents => {
                format!(
                    "{} && {}",
                    same("cloudEventAttributes"),
                    same("CloudEventAttributes")
                )
            }
        }
    }
}

/// CEL that is true with protocol WebSockets.
fn websockets(settings: &str) -> String {
    format!("(has({settings}.protocol) && {settings}.protocol == 'WebSockets')")
}

/// CEL that is true with TLS.
fn tls(settings: &str) -> String {
    format!(
        "(!has({settings}.tls) || !has({settings}.tls.mode) || {settings}.tls.mode == 'Enabled')"
    )
}

/// Every rule, below the path of the field or object that has it.
pub(super) fn all() -> Vec<(&'static str, Vec<Rule>)> {
    let mut rules = single::all();
    rules.push(("spec.mqttSettings", between::settings()));
    rules.push(("spec.mqttSettings.authentication", authentication()));
    rules
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
            field_path: Some(settings_path(method)),
            reason: Reason::Required,
            reads: &[],
        }
    });
    let forbidden = Method::ALL.into_iter().map(|method| {
        let key = method.settings_key();
        let remedy = format!("remove it, or write method: {method}");
        Rule {
            rule: format!("!has(self.{key}) || self.method == '{method}'"),
            message: format!("is only read with method {method}: {remedy}"),
            message_expression: Some(format!(
                "'is only read with method {method}, not ' + self.method + ': {remedy}'"
            )),
            field_path: Some(settings_path(method)),
            reason: Reason::Forbidden,
            reads: &[],
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
