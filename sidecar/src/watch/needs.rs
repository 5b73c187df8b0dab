//! What settings need of the pod, and whether this pod mounts it: a pod's volumes cannot change while it runs.

use endpoint::contract::mounts::TOKEN_VOLUME_PATH;
use endpoint::contract::{self, Mount};
use endpoint::{Authentication, Settings};

use super::{Folder, Reading};
use crate::auth::service_account::Claims;

/// What the mounted folders are known to hold: the names in the first settings that used them.
///
/// A volume's source is fixed when the pod is made, so a later name is of something that is not mounted.
#[derive(Debug, Default)]
pub(crate) struct Mounted {
    audience: Option<String>,
    bundle: Option<String>,
    secret: Option<String>,
}

impl Mounted {
    /// These settings are in force, so what they name is what is mounted.
    pub(crate) fn learn(&mut self, settings: &Settings) {
        let Needs {
            audience,
            bundle,
            secret,
        } = Needs::of(settings);
        let learn = |known: &mut Option<String>, name: Option<&str>| {
            *known = known.take().or(name.map(str::to_owned));
        };
        learn(&mut self.audience, audience);
        learn(&mut self.bundle, bundle);
        learn(&mut self.secret, secret);
    }
}

/// Why this pod cannot serve these settings, if it cannot.
pub(crate) fn unmet(settings: &Settings, reading: &Reading, mounted: &Mounted) -> Option<String> {
    let needs = Needs::of(settings);
    let told = needs
        .audience
        .and_then(|wanted| audience_of(&reading.token, wanted));
    let audience = mounted.audience.as_deref().or(told.as_deref());
    let bundle = mounted.bundle.as_deref();
    let secret = mounted.secret.as_deref();
    let token = "a token for audience";
    let missing = [
        missing(
            token,
            needs.audience,
            audience,
            Mount::Token,
            &reading.token,
        ),
        missing("ConfigMap", needs.bundle, bundle, Mount::Ca, &reading.ca),
        missing(
            "Secret",
            needs.secret,
            secret,
            Mount::Credentials,
            &reading.credentials,
        ),
    ];
    missing.into_iter().flatten().next()
}

/// Why one need is not met: nothing is mounted, or something that is known to be another.
fn missing(
    what: &str,
    wanted: Option<&str>,
    known: Option<&str>,
    mount: Mount,
    folder: &Folder,
) -> Option<String> {
    let wanted = wanted?;
    if *folder == Folder::NotMounted {
        return Some(format!(
            "the settings need {what} {wanted}, and this pod mounts nothing at {}/; restart the pod to mount it",
            mount.dir()
        ));
    }
    let known = known.filter(|known| *known != wanted)?;
    Some(format!(
        "the settings need {what} {wanted}, and this pod mounts {known}; restart the pod to mount it"
    ))
}

/// The audience that the mounted token tells itself: the wanted one if it is among several.
fn audience_of(token: &Folder, wanted: &str) -> Option<String> {
    let token = token.file(TOKEN_VOLUME_PATH)?;
    let audiences = Claims::of(token)?.audiences;
    match audiences.iter().any(|audience| audience == wanted) {
        true => Some(wanted.to_owned()),
        false => Some(audiences.join(", ")).filter(|audiences| !audiences.is_empty()),
    }
}

struct Needs<'a> {
    audience: Option<&'a str>,
    bundle: Option<&'a str>,
    secret: Option<&'a str>,
}

impl<'a> Needs<'a> {
    fn of(settings: &'a Settings) -> Self {
        let (audience, secret) =
            match &settings.authentication {
                Authentication::ServiceAccountToken { audience } => (Some(audience.as_str()), None),
                Authentication::X509Certificate { secret }
                | Authentication::AccessToken { secret } => (None, Some(secret.as_str())),
                Authentication::UserAssignedManagedIdentity { .. } => {
                    (Some(contract::FEDERATION_AUDIENCE), None)
                }
                Authentication::SystemAssignedManagedIdentity { .. }
                | Authentication::Anonymous => (None, None),
            };
        let bundle = settings
            .tls
            .as_ref()
            .and_then(|tls| tls.trusted_ca.as_deref());
        Needs {
            audience,
            bundle,
            secret,
        }
    }
}
