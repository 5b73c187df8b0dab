//! `caBundle` in the two webhook configurations: decisions only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use super::ca::certificates;

/// Our entries have names that end so; others in the same configuration are not ours to change.
const ENTRY_SUFFIX: &str = ".dataflow-sidecar.io";

/// What our entries of a configuration trust, by entry.
fn entries(configuration: &Value) -> impl Iterator<Item = (&str, Option<&str>)> {
    let webhooks = configuration["webhooks"].as_array();
    webhooks.into_iter().flatten().filter_map(|webhook| {
        let name = webhook["name"].as_str()?;
        let bundle = webhook["clientConfig"]["caBundle"].as_str();
        name.ends_with(ENTRY_SUFFIX).then_some((name, bundle))
    })
}

/// The strategic merge patch that makes our entries trust `bundle_pem` and changes nothing else; none where they do.
pub fn patch(configuration: &Value, bundle_pem: &str) -> Option<Value> {
    let wanted = STANDARD.encode(bundle_pem);
    let differing: Vec<Value> = entries(configuration)
        .filter(|(_, bundle)| *bundle != Some(&wanted))
        .map(|(name, _)| json!({"name": name, "clientConfig": {"caBundle": wanted}}))
        .collect();
    (!differing.is_empty()).then(|| json!({"webhooks": differing}))
}

/// Whether every entry of ours trusts this authority, and there is one.
pub fn trusts(configuration: &Value, ca: &CertificateDer<'_>) -> bool {
    let mut bundles = entries(configuration).map(|(_, bundle)| bundle);
    let holds = |bundle: Option<&str>| {
        certificates(&decoded(bundle))
            .iter()
            .any(|certificate| certificate == ca)
    };
    entries(configuration).next().is_some() && bundles.all(holds)
}

/// All bundles of our entries, PEM.
pub fn bundles_pem(configuration: &Value) -> Vec<Vec<u8>> {
    entries(configuration)
        .map(|(_, bundle)| decoded(bundle))
        .collect()
}

fn decoded(bundle: Option<&str>) -> Vec<u8> {
    bundle
        .and_then(|bundle| STANDARD.decode(bundle).ok())
        .unwrap_or_default()
}
