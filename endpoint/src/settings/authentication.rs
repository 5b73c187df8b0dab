//! The `authentication` object: one method, its settings, and no other method's settings.

use super::read::{Field, Findings, Section};
use super::words::{Choice, quoted};
use super::{Authentication, Method, fields, names};
use crate::contract::{DEFAULT_AUDIENCE, MANAGED_IDENTITY_AUDIENCE, MANAGED_IDENTITY_SCOPE};
use crate::limits::{AUDIENCE_CHARS_MAX, SUBDOMAIN_CHARS_MAX};
use crate::violation::Reason;

const METHODS: Choice<Method> = Choice {
    what: "an authentication method",
    words: &[
        ("ServiceAccountToken", Method::ServiceAccountToken),
        ("X509Certificate", Method::X509Certificate),
        (
            "SystemAssignedManagedIdentity",
            Method::SystemAssignedManagedIdentity,
        ),
        (
            "UserAssignedManagedIdentity",
            Method::UserAssignedManagedIdentity,
        ),
        ("AccessToken", Method::AccessToken),
        ("Anonymous", Method::Anonymous),
    ],
    aliases: &[
        ("SAT", "ServiceAccountToken"),
        ("K8S-SAT", "ServiceAccountToken"),
        ("none", "Anonymous"),
        ("mTLS", "X509Certificate"),
        ("TLS", "X509Certificate"),
        ("SAMI", "SystemAssignedManagedIdentity"),
        ("UAMI", "UserAssignedManagedIdentity"),
    ],
};

/// Checks the object. The first part is what the settings take, the second the method for checks on other fields.
pub(super) fn check(
    mqtt: &Section<'_>,
    findings: &mut Findings,
) -> (Option<Authentication>, Option<Method>) {
    let section = mqtt.section("authentication", fields::AUTHENTICATION, findings);
    if !section.present {
        findings.deny(
            section.path,
            Reason::Required,
            format!("is required: write method: {} below it", METHODS.list()),
        );
        return (None, None);
    }
    if !section.is_object() {
        return (None, None);
    }
    section.report_unknown(fields::AUTHENTICATION, findings);
    let field = section.choice("method", &METHODS, findings);
    let method = match field {
        Field::Absent => missing_method(&section, findings),
        Field::Bad(guess) => guess,
        Field::Good(method) => Some(method),
    };
    let Some(method) = method else {
        return (None, None);
    };
    for other in Method::ALL {
        let key = other.settings_key();
        if other != method && section.get(key).is_some() {
            findings.deny(
                section.at(key),
                Reason::Forbidden,
                format!(
                    "is only read with method {other}, not {method}: remove it, or write method: {other}"
                ),
            );
        }
    }
    let authentication = settings_of(method, &section, findings);
    (
        authentication.filter(|_| matches!(field, Field::Good(_))),
        Some(method),
    )
}

/// Reports the missing method; the only settings that are there tell which one was meant.
fn missing_method(section: &Section<'_>, findings: &mut Findings) -> Option<Method> {
    let mut told = Method::ALL
        .into_iter()
        .filter(|method| section.get(method.settings_key()).is_some());
    let meant = told.next().filter(|_| told.next().is_none());
    let write = meant.map_or_else(|| METHODS.list(), |method| method.to_string());
    findings.deny(
        section.at("method"),
        Reason::Required,
        format!("is required: write {write}"),
    );
    meant
}

fn settings_of(
    method: Method,
    section: &Section<'_>,
    findings: &mut Findings,
) -> Option<Authentication> {
    let known = fields::of_method(method);
    let settings = section.section(method.settings_key(), known, findings);
    if settings.present && !settings.is_object() {
        return None;
    }
    settings.report_unknown(known, findings);
    match method {
        Method::ServiceAccountToken => service_account_token(&settings, findings),
        Method::X509Certificate => secret(&settings, "certificate and key", findings)
            .map(|secret| Authentication::X509Certificate { secret }),
        Method::SystemAssignedManagedIdentity => system_assigned(&settings, findings),
        Method::UserAssignedManagedIdentity => user_assigned(&settings, findings),
        Method::AccessToken => secret(&settings, "token", findings)
            .map(|secret| Authentication::AccessToken { secret }),
        Method::Anonymous => Some(Authentication::Anonymous),
    }
}

fn service_account_token(
    settings: &Section<'_>,
    findings: &mut Findings,
) -> Option<Authentication> {
    let field = audience(settings, "audience", DEFAULT_AUDIENCE, findings);
    if field == Field::Absent && settings.present {
        findings.deny(
            settings.at("audience"),
            Reason::Required,
            format!("is required: write audience: {DEFAULT_AUDIENCE} or the broker's, or remove serviceAccountTokenSettings"),
        );
        return None;
    }
    field
        .or(DEFAULT_AUDIENCE)
        .map(|audience| Authentication::ServiceAccountToken {
            audience: audience.to_owned(),
        })
}

fn system_assigned(settings: &Section<'_>, findings: &mut Findings) -> Option<Authentication> {
    let audience = audience(settings, "audience", MANAGED_IDENTITY_AUDIENCE, findings)
        .or(MANAGED_IDENTITY_AUDIENCE)?;
    if !names::is_uri(audience) {
        let https = format!("https://{audience}");
        let write = if names::is_uri(&https) && audience.contains('.') {
            quoted(&https)
        } else {
            format!("one such as {MANAGED_IDENTITY_AUDIENCE}")
        };
        findings.invalid(
            settings.at("audience"),
            format!("{} is not a URI: write {write}", quoted(audience)),
        );
        return None;
    }
    Some(Authentication::SystemAssignedManagedIdentity {
        audience: audience.to_owned(),
    })
}

fn user_assigned(settings: &Section<'_>, findings: &mut Findings) -> Option<Authentication> {
    let client_id = guid(settings, "clientId", findings);
    let tenant_id = guid(settings, "tenantId", findings);
    let scope =
        audience(settings, "scope", MANAGED_IDENTITY_SCOPE, findings).or(MANAGED_IDENTITY_SCOPE);
    if scope.is_some_and(|scope| !scope.ends_with("/.default")) {
        findings.warn(
            settings.at("scope"),
            "lacks /.default at its end: Entra refuses it",
        );
    }
    Some(Authentication::UserAssignedManagedIdentity {
        client_id: client_id?,
        tenant_id: tenant_id?,
        scope: scope?.to_owned(),
    })
}

/// An audience or a scope: a text that may be absent, not empty.
fn audience<'a>(
    settings: &Section<'a>,
    key: &str,
    default: &str,
    findings: &mut Findings,
) -> Field<&'a str> {
    let field = settings.text(key, default, findings);
    let Field::Good(text) = field else {
        return field;
    };
    let fault = if text.is_empty() {
        format!("must not be empty: write {default} or another")
    } else if text.chars().count() > AUDIENCE_CHARS_MAX {
        format!("is longer than {AUDIENCE_CHARS_MAX} characters: write {default} or another")
    } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        format!(
            "{} contains a space or control character: remove it",
            quoted(text)
        )
    } else {
        return field;
    };
    findings.invalid(settings.at(key), fault);
    Field::Bad(None)
}

/// The name of a Secret. The value is never quoted: a person may have written the secret itself.
fn secret(settings: &Section<'_>, holds: &str, findings: &mut Findings) -> Option<String> {
    let write = format!("the name of a Secret in the endpoint's namespace that holds the {holds}");
    match settings.text("secretRef", &write, findings) {
        Field::Absent => {
            findings.deny(
                settings.at("secretRef"),
                Reason::Required,
                format!("is required: write {write}"),
            );
            None
        }
        Field::Bad(_) => None,
        Field::Good(name) if names::is_subdomain(name) => Some(name.to_owned()),
        Field::Good(name) => {
            let fault = if name.is_empty() {
                format!("must not be empty: write {write}")
            } else if name
                .split_once('/')
                .is_some_and(|(_, name)| names::is_subdomain(name))
            {
                "must not name a namespace: the Secret is in the endpoint's own, write only its name".to_owned()
            } else {
                format!(
                    "is not the name of a Secret: write {write} (lower-case letters, digits, '-' and '.', at most {SUBDOMAIN_CHARS_MAX})"
                )
            };
            findings.invalid(settings.at("secretRef"), fault);
            None
        }
    }
}

fn guid(settings: &Section<'_>, key: &str, findings: &mut Findings) -> Option<String> {
    let what = if key == "clientId" {
        "client id of the identity"
    } else {
        "tenant id of the identity"
    };
    let write = format!("the {what} as a GUID, for example 00000000-1111-2222-3333-444444444444");
    match settings.text(key, &write, findings) {
        Field::Absent => {
            findings.deny(
                settings.at(key),
                Reason::Required,
                format!("is required: write {write}"),
            );
            None
        }
        Field::Bad(_) => None,
        Field::Good(text) if names::is_guid(text) => Some(text.to_owned()),
        Field::Good(text) => {
            let write = names::guid_in(text).unwrap_or(write);
            findings.invalid(
                settings.at(key),
                format!("{} is not a GUID: write {write}", quoted(text)),
            );
            None
        }
    }
}
