//! The status that the controller writes: whether the endpoint is accepted, and how many running sidecars need a restart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::SUBDOMAIN_CHARS_MAX;
use crate::patterns;

/// More names would make the object large and nobody reads them: the count says how many there are.
pub const OUTDATED_PODS_MAX: usize = 20;
/// The condition type that says whether the endpoint keeps every rule and its ConfigMap is written.
pub const ACCEPTED: &str = "Accepted";
/// The condition type that says whether every running sidecar mounts what the endpoint now needs.
pub const CURRENT: &str = "Current";
/// Kubernetes' own limits for conditions.
const CONDITION_TYPE_CHARS_MAX: usize = 316;
const CONDITION_REASON_CHARS_MAX: usize = 1_024;
const CONDITION_MESSAGE_CHARS_MAX: usize = 32_768;
/// RFC 3339 with nanoseconds and offset has 35.
const TIME_CHARS_MAX: usize = 64;

/// What the controller found out about the endpoint.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DataflowEndpointStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Accepted: the endpoint keeps every rule. Current: every running sidecar mounts what the endpoint now needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// How many running pods have a sidecar for this endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub sidecars: Option<i64>,
    /// How many of them need a restart to mount what the endpoint now needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub outdated_sidecars: Option<i64>,
    /// The first of the pods that need a restart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = OUTDATED_PODS_MAX), inner(length(max = SUBDOMAIN_CHARS_MAX)))]
    pub outdated_pods: Vec<String>,
}

/// A condition in the usual form of Kubernetes.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The name of the condition.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = CONDITION_TYPE_CHARS_MAX))]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The generation of the spec that the condition is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the condition last changed between True, False and Unknown, RFC 3339.
    #[schemars(length(max = TIME_CHARS_MAX), extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Why, in one word.
    #[schemars(length(min = 1, max = CONDITION_REASON_CHARS_MAX), regex(pattern = patterns::REASON))]
    pub reason: String,
    /// Why, in a sentence, and what to do.
    #[schemars(length(max = CONDITION_MESSAGE_CHARS_MAX))]
    pub message: String,
}

/// Whether a condition holds.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Not known yet.
    Unknown,
}
