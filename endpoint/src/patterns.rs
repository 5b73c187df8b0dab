//! The shapes of names as regular expressions (RE2), for the CRD's schema and its rules.
//!
//! A test holds them against the functions that [`crate::Settings::parse`] uses.

/// A DNS label.
pub(crate) const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// A DNS subdomain name.
pub(crate) const SUBDOMAIN: &str =
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A GUID.
pub(crate) const GUID: &str =
    "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$";
/// A URI with its scheme.
pub(crate) const URI: &str = r"^[A-Za-z][-+.A-Za-z0-9]*:/*[-A-Za-z0-9._~:?#\[\]@!$&'()*+,;=%][-A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%]*$";
/// No ASCII space and no control character.
pub(crate) const NO_SPACE: &str = r"^[^\x00-\x20\x7F-\x9F]+$";
/// No control character.
pub(crate) const NO_CONTROL: &str = r"^[^\x00-\x1F\x7F-\x9F]+$";
/// The reason of a condition, as Kubernetes wants it.
pub(crate) const REASON: &str = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$";

/// A DNS name of any case, without anchors.
pub(crate) const DNS_NAME: &str =
    r"[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?)*";
/// An IPv6 address in brackets, roughly, without anchors.
pub(crate) const IPV6: &str = r"\[[0-9A-Fa-f:.]+\]";
/// A number from 0 to 255, without anchors.
pub(crate) const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
/// A port, without anchors.
pub(crate) const PORT: &str =
    "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
/// The path of a WebSocket, without anchors.
pub(crate) const PATH: &str = r"(/([-A-Za-z0-9._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*)";
