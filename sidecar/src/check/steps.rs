//! The steps of `check`: what is looked at, what is said of it, and what to do when it is broken.

use std::time::{Duration, SystemTime};

use endpoint::contract::Mount;
use endpoint::{Authentication, Settings};

use super::Broken;
use super::report::Report;
use crate::auth::service_account::{self, Claims};
use crate::auth::x509;
use crate::connector::tls;
use crate::engine::Credential;
use crate::watch::{Files, Folder, Kind, Reading, Security, Snapshot};

/// The folders are there and readable.
pub(super) fn files(files: &Files, reading: &Reading, report: &mut Report) -> Result<(), Broken> {
    let folders = [
        &reading.config,
        &reading.token,
        &reading.ca,
        &reading.credentials,
    ];
    let mut found = Vec::new();
    for (mount, folder) in Mount::ALL.into_iter().zip(folders) {
        match folder {
            Folder::NotMounted => {}
            Folder::Unreadable(text) => return report.broken("files", text),
            Folder::Files(files) => {
                let names: Vec<&str> = files.keys().map(String::as_str).collect();
                found.push(format!("{}/ ({})", mount.dir(), names.join(", ")));
            }
        }
    }
    let path = files.path().display();
    if reading.config == Folder::NotMounted {
        let text = format!(
            "{path}/{} is not there; is this the name of an endpoint, and --mounts the right folder?",
            Mount::Config.dir()
        );
        return report.broken("files", &text);
    }
    report.good("files", &format!("{path}: {}", found.join(", ")));
    Ok(())
}

/// The settings follow the rules, and their files are mounted.
pub(super) fn settings(
    reading: &Reading,
    snapshot: &Snapshot,
    report: &mut Report,
) -> Result<(), Broken> {
    if let Some(fault) = snapshot
        .faults
        .get(&Kind::Settings)
        .or(snapshot.stale.as_ref())
    {
        return report.broken("settings", fault);
    }
    let Some(settings) = &snapshot.settings else {
        return report.broken(
            "settings",
            "config/endpoint.json has not come; is the webhook's controller running?",
        );
    };
    report.good(
        "settings",
        &format!(
            "generation {}, host {}:{}, {}, TLS {}",
            settings.generation,
            settings.host.name,
            settings.host.port,
            settings.authentication.method().as_str(),
            if settings.tls.is_some() {
                "enabled"
            } else {
                "disabled"
            }
        ),
    );
    for warning in crate::watch::warnings(&reading.config) {
        report.warn("settings", &warning);
    }
    Ok(())
}

/// There is a credential, it fits the settings and has not expired.
pub(super) fn credential(
    settings: &Settings,
    reading: &Reading,
    snapshot: &Snapshot,
    report: &mut Report,
) -> Result<(), Broken> {
    if let Err(reason) = &snapshot.credential {
        return report.broken("credential", reason);
    }
    match &settings.authentication {
        Authentication::ServiceAccountToken { audience } => token(audience, reading, report),
        Authentication::X509Certificate { .. } => {
            let identity = x509::identity(&reading.credentials, &tls::provider());
            let Ok(Some(identity)) = identity else {
                return Ok(());
            };
            let text = format!("certificate of {}", identity.subject);
            expiry(
                &text,
                identity.expiry_timestamp_seconds,
                "renew the Secret",
                report,
            )
        }
        Authentication::AccessToken { .. } => {
            report.good("credential", "access token, sent as password");
            Ok(())
        }
        Authentication::SystemAssignedManagedIdentity { .. }
        | Authentication::UserAssignedManagedIdentity { .. } => {
            let claims = match &snapshot.credential {
                Ok(Credential::Enhanced { data, .. }) => Claims::of(data),
                _ => None,
            };
            let text = claims.map_or("token of the managed identity".to_owned(), |claims| {
                format!("managed identity: {}", claims.in_words())
            });
            let remedy = "the service gave a token that is over";
            let expiry_seconds = snapshot.token_expiry_timestamp_seconds;
            expiry(&text, expiry_seconds, remedy, report)
        }
        Authentication::Anonymous => {
            report.good("credential", "none is needed");
            Ok(())
        }
    }
}

fn token(audience: &str, reading: &Reading, report: &mut Report) -> Result<(), Broken> {
    let Ok(Some(token)) = service_account::token(&reading.token) else {
        return Ok(());
    };
    let Some(claims) = Claims::of(&token.data) else {
        report.warn(
            "credential",
            "the token is no JSON Web Token; only the broker can tell what it is",
        );
        return Ok(());
    };
    if !claims.audiences.iter().any(|one| one == audience) {
        let audiences = claims.audiences.join(", ");
        let text = format!(
            "the token is for audience {audiences}, the settings say {audience}; restart the pod to mount the right one"
        );
        return report.broken("credential", &text);
    }
    let remedy = "the kubelet renews it; see the events of the pod";
    expiry(
        &claims.in_words(),
        claims.expiry_timestamp_seconds,
        remedy,
        report,
    )
}

/// What expires, and when.
fn expiry(
    text: &str,
    expiry_seconds: Option<u64>,
    remedy: &str,
    report: &mut Report,
) -> Result<(), Broken> {
    let Some(expiry) = expiry_seconds else {
        report.good("credential", &format!("{text}, expiry unknown"));
        return Ok(());
    };
    let left = seconds_until(expiry);
    if left == 0 {
        return report.broken("credential", &format!("{text}, expired; {remedy}"));
    }
    let left = humantime::format_duration(Duration::from_secs(left));
    report.good("credential", &format!("{text}, expires in {left}"));
    Ok(())
}

/// From now until a time in seconds since 1970; 0 when it is over.
pub(super) fn seconds_until(end_seconds: u64) -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    end_seconds.saturating_sub(now.as_secs())
}

/// There is something to trust the broker by.
pub(super) fn trust(
    settings: &Settings,
    snapshot: &Snapshot,
    report: &mut Report,
) -> Result<(), Broken> {
    match (&snapshot.security, &settings.tls) {
        (Security::Missing(reason), _) => report.broken("trust", reason),
        (Security::Plain, _) | (_, None) => {
            report.warn(
                "trust",
                "tls.mode is Disabled: the broker is not verified and everything travels in clear",
            );
            Ok(())
        }
        (Security::Tls(_), Some(tls)) => {
            let text = match &tls.trusted_ca {
                Some(name) => format!("certificates of ConfigMap {name}"),
                None => "public authorities, and those of SSL_CERT_FILE if it is set; name a ConfigMap in tls for a \
                         private one"
                    .into(),
            };
            report.good("trust", &text);
            Ok(())
        }
    }
}
