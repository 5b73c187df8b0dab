//! Rules on one field. The API server asks them again only when that field changes.

use super::Rule;
use crate::patterns::{GUID, NO_CONTROL, NO_SPACE, SUBDOMAIN, URI};
use crate::violation::Reason;

const GUID_MESSAGE: &str = "is not a GUID: write one as 00000000-1111-2222-3333-444444444444";
const SECRET_MESSAGE: &str =
    "is not the name of a Secret: write lower-case letters, digits, '-' and '.'";
const SPACE_MESSAGE: &str = "contains a space or control character: remove it";

pub(super) fn all() -> Vec<(&'static str, Vec<Rule>)> {
    [
        (
            "spec.mqttSettings.clientIdPrefix",
            NO_CONTROL,
            "contains a control character, which brokers refuse: remove it",
        ),
        (
            "spec.mqttSettings.tls.trustedCaCertificateConfigMapRef",
            SUBDOMAIN,
            "is not the name of a ConfigMap: write lower-case letters, digits, '-' and '.'",
        ),
        (
            "spec.mqttSettings.authentication.serviceAccountTokenSettings.audience",
            NO_SPACE,
            SPACE_MESSAGE,
        ),
        (
            "spec.mqttSettings.authentication.x509CertificateSettings.secretRef",
            SUBDOMAIN,
            SECRET_MESSAGE,
        ),
        (
            "spec.mqttSettings.authentication.systemAssignedManagedIdentitySettings.audience",
            URI,
            "is not a URI: write one such as https://eventgrid.azure.net",
        ),
        (
            "spec.mqttSettings.authentication.userAssignedManagedIdentitySettings.clientId",
            GUID,
            GUID_MESSAGE,
        ),
        (
            "spec.mqttSettings.authentication.userAssignedManagedIdentitySettings.tenantId",
            GUID,
            GUID_MESSAGE,
        ),
        (
            "spec.mqttSettings.authentication.userAssignedManagedIdentitySettings.scope",
            NO_SPACE,
            SPACE_MESSAGE,
        ),
        (
            "spec.mqttSettings.authentication.accessTokenSettings.secretRef",
            SUBDOMAIN,
            SECRET_MESSAGE,
        ),
    ]
    .map(|(path, pattern, message)| (path, vec![matches(pattern, message)]))
    .into()
}

fn matches(pattern: &str, message: &str) -> Rule {
    Rule {
        // A raw string in double quotes: no pattern has one in it.
        rule: format!(r#"self.matches(r"{pattern}")"#),
        message: message.to_owned(),
        message_expression: None,
        field_path: None,
        reason: Reason::Invalid,
        reads: &[],
    }
}
