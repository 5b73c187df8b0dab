//! What settings need of the pod, and whether this pod mounts it: a pod's volumes cannot change while it runs.

use endpoint::contract::{self, Mount};
use endpoint::{Authentication, Settings};

use super::{Folder, Reading};

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
    let Needs {
        audience,
        bundle,
        secret,
    } = Needs::of(settings);
    let checks = [
        (
            "a token for audience",
            audience,
            &mounted.audience,
            Mount::Token,
            &reading.token,
        ),
        ("ConfigMap", bundle, &mounted.bundle, Mount::Ca, &reading.ca),
        (
            "Secret",
            secret,
            &mounted.secret,
            Mount::Credentials,
            &reading.credentials,
        ),
    ];
    checks.into_iter().find_map(|(what, name, known, mount, folder)| {
        let name = name?;
        if *folder == Folder::NotMounted {
            return Some(format!(
                "the settings need {what} {name}, and this pod mounts nothing at {}/; restart the pod to mount it",
                mount.dir()
            ));
        }
        let known = known.as_deref().filter(|known| *known != name)?;
        Some(format!(
            "the settings need {what} {name}, and this pod mounts {known}; restart the pod to mount it"
        ))
    })
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
