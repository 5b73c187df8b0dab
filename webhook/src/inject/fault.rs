//! What is wrong with a pod, told so that a person can mend it.

use std::fmt;

use endpoint::contract::Annotation;
use endpoint::violation::Reason;

/// An event shows about a thousand characters of a denial, so one fault must leave room for its remedy.
pub const FAULT_CHARS_MAX: usize = 900;

/// One fault: where it is, what is wrong there and why, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it is.
    pub place: Place,
    /// Which kind of fault it is.
    pub kind: FaultKind,
    /// What is wrong, why, and what to write.
    pub message: String,
}

/// Where a fault is, from the root of the pod or pod template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// An annotation, by its whole key.
    Annotation(String),
    /// A field, for example `spec.hostNetwork`.
    Field(String),
}

/// The kinds of faults, which are also the values of a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// An annotation of ours is unknown, has a bad value, or is missing.
    BadAnnotation,
    /// The endpoint does not exist.
    UnknownEndpoint,
    /// The endpoint is of another type.
    WrongType,
    /// The endpoint breaks a rule.
    InvalidEndpoint,
    /// Whether the endpoint exists could not be found out.
    LookupFailed,
    /// Two programs on one port.
    PortConflict,
    /// A container, volume or mount of our names that is not ours.
    NameConflict,
    /// What was injected is no longer what was injected.
    Changed,
    /// A pod that cannot carry the sidecar.
    Unsupported,
}

impl FaultKind {
    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            FaultKind::BadAnnotation => "bad_annotation",
            FaultKind::UnknownEndpoint => "unknown_endpoint",
            FaultKind::WrongType => "wrong_type",
            FaultKind::InvalidEndpoint => "invalid_endpoint",
            FaultKind::LookupFailed => "lookup_failed",
            FaultKind::PortConflict => "port_conflict",
            FaultKind::NameConflict => "name_conflict",
            FaultKind::Changed => "changed",
            FaultKind::Unsupported => "unsupported",
        }
    }

    /// The class of the fault in the words of Kubernetes.
    pub const fn reason(self) -> Reason {
        match self {
            FaultKind::Changed | FaultKind::NameConflict | FaultKind::Unsupported => {
                Reason::Forbidden
            }
            _ => Reason::Invalid,
        }
    }
}

impl Fault {
    /// A fault of an annotation of ours.
    pub fn annotation(
        annotation: Annotation,
        kind: FaultKind,
        message: impl Into<String>,
    ) -> Fault {
        Fault::new(
            Place::Annotation(annotation.key().to_owned()),
            kind,
            message,
        )
    }

    /// A fault of a field.
    pub fn field(path: impl Into<String>, kind: FaultKind, message: impl Into<String>) -> Fault {
        Fault::new(Place::Field(path.into()), kind, message)
    }

    /// A fault at any place, its message cut to what can be shown.
    pub fn new(place: Place, kind: FaultKind, message: impl Into<String>) -> Fault {
        let message = crate::text::clip(
            message.into(),
            FAULT_CHARS_MAX - place.key().chars().count() - 2,
        );
        Fault {
            place,
            kind,
            message,
        }
    }
}

impl Place {
    /// What a person looks for: the annotation's key, or the field's path.
    pub fn key(&self) -> &str {
        match self {
            Place::Annotation(key) | Place::Field(key) => key,
        }
    }

    /// The path as Kubernetes writes it, below `prefix` (empty for a pod, or `spec.template`).
    pub fn path(&self, prefix: &str) -> String {
        let path = match self {
            Place::Annotation(key) => format!("metadata.annotations[{key}]"),
            Place::Field(path) => path.clone(),
        };
        if prefix.is_empty() {
            path
        } else {
            format!("{prefix}.{path}")
        }
    }
}

/// `key: message`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place.key(), self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::{FAULT_CHARS_MAX, Fault, FaultKind, Place};
    use endpoint::contract::Annotation;

    #[test]
    fn a_fault_begins_with_its_key() {
        let fault = Fault::annotation(Annotation::Image, FaultKind::BadAnnotation, "is empty");
        assert_eq!(fault.to_string(), "dataflow-sidecar.io/image: is empty");
        assert_eq!(
            fault.place.path("spec.template"),
            "spec.template.metadata.annotations[dataflow-sidecar.io/image]"
        );
        assert_eq!(
            Place::Field("spec.hostNetwork".to_owned()).path(""),
            "spec.hostNetwork"
        );
    }

    #[test]
    fn a_long_fault_is_cut() {
        let fault = Fault::field("spec", FaultKind::Unsupported, "ä".repeat(2_000));
        assert_eq!(fault.to_string().chars().count(), FAULT_CHARS_MAX);
        assert!(fault.to_string().ends_with('…'));
    }
}
