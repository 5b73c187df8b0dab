//! What settings need of the pod, and whether this pod mounts it: a pod's volumes cannot change while it runs.

use endpoint::Settings;
use endpoint::contract::mounts::TOKEN_VOLUME_PATH;
use endpoint::contract::{Mount, Sources};

use super::{Folder, Reading};
use crate::auth::service_account::Claims;

/// What the mounted folders are known to hold: what the webhook told, else the names in the first settings that used
/// them.
///
/// A volume's source is fixed when the pod is made, so a later name is of something that is not mounted.
#[derive(Debug, Default)]
pub(crate) struct Mounted(Sources);

impl Mounted {
    /// The webhook told what is mounted.
    pub(crate) fn known(sources: Sources) -> Self {
        Self(sources)
    }

    /// These settings are in force, so what they name is what is mounted.
    pub(crate) fn learn(&mut self, settings: &Settings) {
        let Sources {
            audience,
            bundle,
            secret,
        } = Sources::of(settings);
        let learn = |known: &mut Option<String>, name: Option<String>| {
            *known = known.take().or(name);
        };
        learn(&mut self.0.audience, audience);
        learn(&mut self.0.bundle, bundle);
        learn(&mut self.0.secret, secret);
    }
}

/// Why this pod cannot serve these settings, if it cannot.
pub(crate) fn unmet(settings: &Settings, reading: &Reading, mounted: &Mounted) -> Option<String> {
    let needs = Sources::of(settings);
    let told = needs
        .audience
        .as_deref()
        .and_then(|wanted| audience_of(&reading.token, wanted));
    let Sources {
        audience,
        bundle,
        secret,
    } = &mounted.0;
    let audience = audience.as_deref().or(told.as_deref());
    let (bundle, secret) = (bundle.as_deref(), secret.as_deref());
    let token = "a token for audience";
    let missing = [
        missing(
            token,
            needs.audience.as_deref(),
            audience,
            Mount::Token,
            &reading.token,
        ),
        missing(
            "ConfigMap",
            needs.bundle.as_deref(),
            bundle,
            Mount::Ca,
            &reading.ca,
        ),
        missing(
            "Secret",
            needs.secret.as_deref(),
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
