//! The annotations of a pod: their keys, what they mean, and what holds without them.

use std::fmt;

use super::words::{LogLevel, Readiness};
use super::{ADMIN_PORT, TOKEN_EXPIRATION_SECONDS, resources};
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

impl Annotation {
    /// What it does, in a sentence or two for the documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Annotation::Endpoint => {
                "Asks for the sidecar, with a listener on `localhost` for each DataflowEndpoint named. They are looked up in the namespace of the pod."
            }
            Annotation::Inject => {
                "With `false` the pod gets no sidecar although `endpoint` is set, and no other annotation is looked at."
            }
            Annotation::LogLevel => "What the sidecar logs.",
            Annotation::CpuRequest => "CPU that the sidecar's container asks for.",
            Annotation::MemoryRequest => "Memory that the sidecar's container asks for.",
            Annotation::CpuLimit => "The most CPU that the sidecar's container gets.",
            Annotation::MemoryLimit => {
                "The most memory that the sidecar's container gets. Give more where many apps send messages of megabytes."
            }
            Annotation::Image => "Image of the sidecar, for a pod that tries another version.",
            Annotation::MetricsPort => {
                "Port of the sidecar's metrics, status and probes; it must differ from the ports of the app."
            }
            Annotation::TokenExpirationSeconds => {
                "Lifetime of the projected service account token. Below 1200 a warning says that the token may run out before its successor is in the pod."
            }
            Annotation::Readiness => {
                "When the sidecar, and with it the pod, is unready: `listener` while it does not listen, `broker` also while a session is without its broker."
            }
            Annotation::AppEnv => {
                "With `false` the containers of the app get none of the variables `AIO_BROKER_HOSTNAME`, `AIO_BROKER_TCP_PORT`, `AIO_MQTT_USE_TLS` and `AIO_MQTT_CLIENT_ID`."
            }
            Annotation::Status => {
                "What was injected: version, endpoints, ports, and a hash of what needs a new pod when it changes. Only read it."
            }
        }
    }

    /// What holds without it, for the documentation.
    pub fn default_text(self) -> String {
        let limit = |value: &str| {
            format!("none; `{value}` where every container of the app has such a limit")
        };
        match self {
            Annotation::Endpoint => {
                "no sidecar; the k-th endpoint without a port listens on 1882 + k".to_owned()
            }
            Annotation::Inject | Annotation::AppEnv => "`true`".to_owned(),
            Annotation::LogLevel => format!("`{}`", LogLevel::default().as_str()),
            Annotation::CpuRequest => format!("`{}`", resources::CPU_REQUEST),
            Annotation::MemoryRequest => format!("`{}`", resources::MEMORY_REQUEST),
            Annotation::CpuLimit => limit(resources::CPU_LIMIT),
            Annotation::MemoryLimit => limit(resources::MEMORY_LIMIT),
            Annotation::Image => "the image that the webhook was given".to_owned(),
            Annotation::MetricsPort => format!("`{ADMIN_PORT}`"),
            Annotation::TokenExpirationSeconds => format!("`{TOKEN_EXPIRATION_SECONDS}`"),
            Annotation::Readiness => format!("`{}`", Readiness::default().as_str()),
            Annotation::Status => "written by the webhook".to_owned(),
        }
    }
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::{ANNOTATION_PREFIX, Annotation, LogLevel, Readiness};
    use crate::contract::{
        DEFAULT_PORT, TOKEN_EXPIRATION_SECONDS_ADVISED, TOKEN_EXPIRATION_SECONDS_MAX,
        TOKEN_EXPIRATION_SECONDS_MIN, app_env,
    };

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

    #[test]
    fn what_is_documented_names_the_constants() {
        let endpoint = Annotation::Endpoint.default_text();
        assert!(
            endpoint.contains(&format!("{} + k", DEFAULT_PORT - 1)),
            "{endpoint}"
        );
        let seconds = Annotation::TokenExpirationSeconds.meaning();
        let advised = TOKEN_EXPIRATION_SECONDS_ADVISED.to_string();
        assert!(seconds.contains(&advised), "{seconds}");
        let variables = app_env::ALL
            .into_iter()
            .filter(|name| *name != app_env::POD);
        for variable in variables {
            assert!(
                Annotation::AppEnv.meaning().contains(variable),
                "{variable}"
            );
        }
    }
}
