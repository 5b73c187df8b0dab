//! The `tls` object.

use super::read::{Field, Findings, Section};
use super::words::Choice;
use super::{Method, Tls, fields, names};
use crate::limits::SUBDOMAIN_CHARS_MAX;

const TLS_MODES: Choice<bool> = Choice {
    what: "a TLS mode",
    words: &[("Enabled", true), ("Disabled", false)],
    aliases: &[
        ("true", "Enabled"),
        ("on", "Enabled"),
        ("false", "Disabled"),
        ("off", "Disabled"),
        ("none", "Disabled"),
    ],
};

/// The settings of TLS, and whether it was meant to be on.
pub(super) fn check(
    mqtt: &Section<'_>,
    findings: &mut Findings,
) -> (Option<Option<Tls>>, Option<bool>) {
    let tls = mqtt.section("tls", fields::TLS, findings);
    if tls.present && !tls.is_object() {
        return (None, None);
    }
    tls.report_unknown(fields::TLS, findings);
    let mode = tls.choice("mode", &TLS_MODES, findings);
    let meant = mode.meant_or(true);
    let trusted_ca = trusted_ca(&tls, findings);
    if meant == Some(false) && matches!(trusted_ca, Some(Some(_))) {
        findings.warn(
            tls.at("trustedCaCertificateConfigMapRef"),
            "is ignored while tls.mode is Disabled",
        );
    }
    let settings = match (mode.or(true), trusted_ca) {
        (Some(true), Some(trusted_ca)) => Some(Some(Tls { trusted_ca })),
        (Some(false), Some(_)) => Some(None),
        _ => None,
    };
    (settings, meant)
}

fn trusted_ca(tls: &Section<'_>, findings: &mut Findings) -> Option<Option<String>> {
    const KEY: &str = "trustedCaCertificateConfigMapRef";
    let write = "the name of a ConfigMap in the endpoint's namespace that holds PEM certificates";
    match tls.text(KEY, write, findings) {
        Field::Absent => Some(None),
        Field::Bad(_) => None,
        Field::Good(name) if names::is_subdomain(name) => Some(Some(name.to_owned())),
        Field::Good(name) => {
            // Not quoted, because people write the certificates themselves there.
            let fault = match (name.is_empty(), names::mended(name, names::is_subdomain)) {
                (true, _) => format!(
                    "must not be empty: write {write}, or remove it to trust the public roots"
                ),
                (_, Some(mended)) => format!("is not the name of a ConfigMap: write {mended}"),
                (_, None) => format!(
                    "is not the name of a ConfigMap: write {write} (lower-case letters, digits, '-' and '.', at most {SUBDOMAIN_CHARS_MAX})"
                ),
            };
            findings.invalid(tls.at(KEY), fault);
            None
        }
    }
}

/// What a method needs of TLS.
pub(super) fn check_method(method: Option<Method>, tls: Option<bool>, findings: &mut Findings) {
    let (Some(method), Some(false)) = (method, tls) else {
        return;
    };
    if let Some(why) = method.why_tls() {
        findings.invalid(
            "spec.mqttSettings.tls.mode",
            format!("{method} needs TLS, {why}: write Enabled"),
        );
    } else if method == Method::ServiceAccountToken {
        findings.warn(
            "spec.mqttSettings.tls.mode",
            "Disabled: the service account token travels in clear text",
        );
    }
}
