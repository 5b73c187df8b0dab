//! The limits of an endpoint's fields, for [`crate::Settings::parse`] and for the CRD's schema alike.

/// A DNS name has at most 253 characters; the rest is for scheme, port and path. The API server demands a limit to
/// reckon the cost of the rules on it.
pub const HOST_CHARS_MAX: usize = 512;
/// A DNS subdomain name, the longest name that Kubernetes gives an object (RFC 1123).
pub const SUBDOMAIN_CHARS_MAX: usize = 253;
/// A DNS label: the name is a folder, part of a ConfigMap's name and an annotation's value (RFC 1123).
pub const NAME_CHARS_MAX: usize = 63;
/// A GUID in its usual form.
pub const GUID_CHARS: usize = 36;
/// Audiences and scopes are URIs or words; no known one is near this.
pub const AUDIENCE_CHARS_MAX: usize = 1024;
/// Leaves room for the instance and the client's own id in the broker's client id.
pub const CLIENT_ID_PREFIX_CHARS_MAX: usize = 64;
/// MQTT 5 section 3.1.2.11.2: 0xFFFFFFFF would keep the broker session for ever.
pub const SESSION_EXPIRY_SECONDS_MAX: i64 = 4_294_967_294;
/// MQTT 5 section 3.1.2.10: two bytes.
pub const KEEP_ALIVE_SECONDS_MAX: i64 = 65_535;
/// MQTT 5 section 3.1.2.11.3: Receive Maximum has two bytes and is never 0.
pub const INFLIGHT_MESSAGES_MAX: i64 = 65_535;
/// Event Grid refuses a longer keep alive.
pub const EVENT_GRID_KEEP_ALIVE_SECONDS_MAX: i64 = 1_160;
/// Event Grid cuts a longer session expiry to this.
pub const EVENT_GRID_SESSION_EXPIRY_SECONDS_MAX: u32 = 28_800;
/// Event Grid refuses a message whose user properties are longer together.
pub const EVENT_GRID_USER_PROPERTIES_BYTES_MAX: usize = 32 * 1024;
