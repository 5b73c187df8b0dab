//! The annotations of a pod: their keys and the words of their values.

use std::fmt;

use crate::suggest;

/// Prefix of every annotation that the webhook reads or writes.
pub const ANNOTATION_PREFIX: &str = "dataflow-sidecar.io/";

/// An annotation of ours on a pod or pod template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Annotation {
    /// Opts in and names the endpoints.
    Endpoint,
    /// Opts out although endpoints are named.
    Inject,
    /// Log level of the sidecar.
    LogLevel,
    /// CPU request of the sidecar.
    CpuRequest,
    /// Memory request of the sidecar.
    MemoryRequest,
    /// CPU limit of the sidecar.
    CpuLimit,
    /// Memory limit of the sidecar.
    MemoryLimit,
    /// Image of the sidecar.
    Image,
    /// Port of the admin server.
    MetricsPort,
    /// Lifetime of the projected token.
    TokenExpirationSeconds,
    /// What makes the sidecar unready.
    Readiness,
    /// Whether the app's containers get their environment.
    AppEnv,
    /// What was injected; written by the webhook.
    Status,
}

impl Annotation {
    /// Every annotation, in the order of the documentation.
    pub const ALL: [Annotation; 13] = [
        Annotation::Endpoint,
        Annotation::Inject,
        Annotation::LogLevel,
        Annotation::CpuRequest,
        Annotation::MemoryRequest,
        Annotation::CpuLimit,
        Annotation::MemoryLimit,
        Annotation::Image,
        Annotation::MetricsPort,
        Annotation::TokenExpirationSeconds,
        Annotation::Readiness,
        Annotation::AppEnv,
        Annotation::Status,
    ];

    /// The whole key.
    pub const fn key(self) -> &'static str {
        match self {
            Annotation::Endpoint => "dataflow-sidecar.io/endpoint",
            Annotation::Inject => "dataflow-sidecar.io/inject",
            Annotation::LogLevel => "dataflow-sidecar.io/log-level",
            Annotation::CpuRequest => "dataflow-sidecar.io/cpu-request",
            Annotation::MemoryRequest => "dataflow-sidecar.io/memory-request",
            Annotation::CpuLimit => "dataflow-sidecar.io/cpu-limit",
            Annotation::MemoryLimit => "dataflow-sidecar.io/memory-limit",
            Annotation::Image => "dataflow-sidecar.io/image",
            Annotation::MetricsPort => "dataflow-sidecar.io/metrics-port",
            Annotation::TokenExpirationSeconds => "dataflow-sidecar.io/token-expiration-seconds",
            Annotation::Readiness => "dataflow-sidecar.io/readiness",
            Annotation::AppEnv => "dataflow-sidecar.io/app-env",
            Annotation::Status => "dataflow-sidecar.io/status",
        }
    }

    /// The annotation with this whole key.
    pub fn parse(key: &str) -> Option<Annotation> {
        Annotation::ALL
            .into_iter()
            .find(|annotation| annotation.key() == key)
    }

    /// The annotation that a misspelled key of our prefix most likely stands for.
    pub fn nearest(key: &str) -> Option<Annotation> {
        // Without the prefix, which is the same in all and would make them near each other.
        let name = |key: &'static str| key.strip_prefix(ANNOTATION_PREFIX).unwrap_or(key);
        let given = key.strip_prefix(ANNOTATION_PREFIX)?;
        let near = suggest::nearest(
            given,
            Annotation::ALL.map(|annotation| name(annotation.key())),
        )?;
        Annotation::ALL
            .into_iter()
            .find(|annotation| name(annotation.key()) == near)
    }

    /// What may be written as its value, for messages and documentation.
    pub const fn valid_values(self) -> &'static str {
        match self {
            Annotation::Endpoint => "<name> or <name>:<port>, several separated by commas",
            Annotation::Inject | Annotation::AppEnv => "\"true\" or \"false\"",
            Annotation::LogLevel => "error, warn, info, debug or trace",
            Annotation::CpuRequest | Annotation::CpuLimit => "a quantity of CPU, for example 50m",
            Annotation::MemoryRequest | Annotation::MemoryLimit => {
                "a quantity of memory, for example 64Mi"
            }
            Annotation::Image => "an image, for example registry.example/dataflow-sidecar:1.0.0",
            Annotation::MetricsPort => "a port from 1 to 65535",
            Annotation::TokenExpirationSeconds => "a number of seconds from 600 to 86400",
            Annotation::Readiness => "listener or broker",
            Annotation::Status => "nothing: the webhook writes it",
        }
    }
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// What makes the sidecar unready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Readiness {
    /// A listener that is not bound.
    #[default]
    Listener,
    /// That, or a session without its broker, or a last dial that failed.
    Broker,
}

impl Readiness {
    /// Every mode.
    pub const ALL: [Readiness; 2] = [Readiness::Listener, Readiness::Broker];

    /// The word in the annotation and in [`super::env::READINESS`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Readiness::Listener => "listener",
            Readiness::Broker => "broker",
        }
    }

    /// The mode with this name.
    pub fn parse(word: &str) -> Option<Readiness> {
        Readiness::ALL
            .into_iter()
            .find(|mode| mode.as_str() == word)
    }
}

/// Log level of the sidecar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Only what lost or will lose messages.
    Error,
    /// And what needs somebody's attention.
    Warn,
    /// And the life of connections.
    #[default]
    Info,
    /// And packets.
    Debug,
    /// And everything else.
    Trace,
}

impl LogLevel {
    /// Every level.
    pub const ALL: [LogLevel; 5] = [
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Trace,
    ];

    /// The word in the annotation and in [`super::env::LOG`].
    pub const fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }

    /// The level with this name.
    pub fn parse(word: &str) -> Option<LogLevel> {
        LogLevel::ALL
            .into_iter()
            .find(|level| level.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::{ANNOTATION_PREFIX, Annotation, LogLevel, Readiness};
    use crate::contract::{TOKEN_EXPIRATION_SECONDS_MAX, TOKEN_EXPIRATION_SECONDS_MIN};

    #[test]
    fn every_annotation_is_found_by_its_key() {
        for annotation in Annotation::ALL {
            assert!(annotation.key().starts_with(ANNOTATION_PREFIX));
            assert_eq!(Annotation::parse(annotation.key()), Some(annotation));
        }
        assert_eq!(Annotation::parse("dataflow-sidecar.io/endpont"), None);
        assert_eq!(Annotation::parse("endpoint"), None);
    }

    #[test]
    fn a_misspelled_key_finds_its_annotation() {
        for (key, wanted) in [
            ("dataflow-sidecar.io/endpont", Some(Annotation::Endpoint)),
            ("dataflow-sidecar.io/endpoints", Some(Annotation::Endpoint)),
            ("dataflow-sidecar.io/logLevel", Some(Annotation::LogLevel)),
            (
                "dataflow-sidecar.io/token-expiration",
                Some(Annotation::TokenExpirationSeconds),
            ),
            ("dataflow-sidecar.io/cpu", None),
            ("dataflow-sidecar.io/colour", None),
            ("example.com/endpont", None),
        ] {
            assert_eq!(Annotation::nearest(key), wanted, "{key}");
        }
    }

    #[test]
    fn the_valid_values_name_every_word_and_limit() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(level.as_str()), Some(level));
            assert!(Annotation::LogLevel.valid_values().contains(level.as_str()));
        }
        for mode in Readiness::ALL {
            assert_eq!(Readiness::parse(mode.as_str()), Some(mode));
            assert!(Annotation::Readiness.valid_values().contains(mode.as_str()));
        }
        let seconds = Annotation::TokenExpirationSeconds.valid_values();
        for limit in [TOKEN_EXPIRATION_SECONDS_MIN, TOKEN_EXPIRATION_SECONDS_MAX] {
            assert!(seconds.contains(&limit.to_string()), "{seconds}");
        }
    }
}
