//! Closed sets of words that are values of annotations and of the sidecar's environment.

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
