//! What a pod asks for in its annotations.

use endpoint::contract::{
    self, ANNOTATION_PREFIX, Annotation, EndpointPort, LogLevel, Readiness,
    TOKEN_EXPIRATION_SECONDS, TOKEN_EXPIRATION_SECONDS_ADVISED, TOKEN_EXPIRATION_SECONDS_MAX,
    TOKEN_EXPIRATION_SECONDS_MIN, parse_endpoints,
};
use endpoint::suggest;
use serde_json::{Map, Value};

use super::faults::Fault;
use super::quantity::Quantity;

/// What the annotations of a pod (template) say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// None of them is ours.
    Nothing,
    /// `inject: "false"`: no other key is looked at.
    OptedOut,
    /// A sidecar.
    Injection(Box<Wishes>),
}

/// The sidecar that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// At least one.
    pub endpoints: Vec<EndpointPort>,
    /// Level of the sidecar's log.
    pub log_level: LogLevel,
    /// What makes the sidecar unready.
    pub readiness: Readiness,
    /// Lifetime of projected tokens.
    pub token_expiration_seconds: u32,
    /// Port of the admin server.
    pub metrics_port: u16,
    /// Image in place of the webhook's.
    pub image: Option<String>,
    /// Whether app containers get their environment.
    pub app_env: bool,
    /// Resources that override the defaults.
    pub cpu: RequestAndLimit,
    /// Resources that override the defaults.
    pub memory: RequestAndLimit,
}

/// Quantities as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestAndLimit {
    /// `resources.requests`
    pub request: Option<String>,
    /// `resources.limits`
    pub limit: Option<String>,
}

impl Wishes {
    /// What works but may surprise.
    pub fn warnings(&self) -> Vec<String> {
        let seconds = self.token_expiration_seconds;
        let short = seconds < TOKEN_EXPIRATION_SECONDS_ADVISED;
        let warning = format!(
            "{}: {seconds} s may run out before the kubelet brings a new token; \
             write {TOKEN_EXPIRATION_SECONDS_ADVISED} or more",
            Annotation::TokenExpirationSeconds
                .key()
                .trim_start_matches(ANNOTATION_PREFIX)
        );
        short.then_some(warning).into_iter().collect()
    }
}

/// Reads the annotations of a pod or of a pod template.
///
/// # Errors
/// Every fault of our annotations at once.
pub fn read(annotations: Option<&Value>) -> Result<Asked, Vec<Fault>> {
    let Some(annotations) = annotations.and_then(Value::as_object) else {
        return Ok(Asked::Nothing);
    };
    if !annotations
        .keys()
        .any(|key| key.starts_with(ANNOTATION_PREFIX))
    {
        return Ok(Asked::Nothing);
    }
    let mut reader = Reader {
        annotations,
        faults: Vec::new(),
    };
    if reader.flag(Annotation::Inject) == Some(false) {
        return Ok(Asked::OptedOut);
    }
    reader.unknown_keys();
    let wishes = reader.wishes();
    match (wishes, reader.faults.is_empty()) {
        (Some(wishes), true) => Ok(Asked::Injection(Box::new(wishes))),
        _ => Err(reader.faults),
    }
}

struct Reader<'a> {
    annotations: &'a Map<String, Value>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn wishes(&mut self) -> Option<Wishes> {
        let endpoints = self.endpoints();
        let wishes = Wishes {
            endpoints: endpoints.unwrap_or_default(),
            log_level: self
                .value(Annotation::LogLevel, LogLevel::parse)
                .unwrap_or_default(),
            readiness: self
                .value(Annotation::Readiness, Readiness::parse)
                .unwrap_or_default(),
            token_expiration_seconds: self
                .value(Annotation::TokenExpirationSeconds, token_expiration)
                .unwrap_or(TOKEN_EXPIRATION_SECONDS),
            metrics_port: self
                .value(Annotation::MetricsPort, port)
                .unwrap_or(contract::ADMIN_PORT),
            image: self.value(Annotation::Image, image),
            app_env: self.flag(Annotation::AppEnv).unwrap_or(true),
            cpu: RequestAndLimit {
                request: self.value(Annotation::CpuRequest, quantity),
                limit: self.value(Annotation::CpuLimit, quantity),
            },
            memory: RequestAndLimit {
                request: self.value(Annotation::MemoryRequest, quantity),
                limit: self.value(Annotation::MemoryLimit, quantity),
            },
        };
        (!wishes.endpoints.is_empty()).then_some(wishes)
    }

    fn endpoints(&mut self) -> Option<Vec<EndpointPort>> {
        let annotation = Annotation::Endpoint;
        if !self.annotations.contains_key(annotation.key()) {
            let others: Vec<&str> = Annotation::ALL
                .into_iter()
                .map(Annotation::key)
                .filter(|key| self.annotations.contains_key(*key))
                .collect();
            // A misspelled key has told the person already what to write.
            if let Some(other) = others.first() {
                let message = format!(
                    "is missing, so {other} has no effect: add it with {}, or remove the annotations that begin with {ANNOTATION_PREFIX}",
                    annotation.valid_values()
                );
                self.faults.push(Fault::of(annotation, message));
            }
            return None;
        }
        let value = self.text(annotation)?;
        match parse_endpoints(&value) {
            Ok(endpoints) => Some(endpoints),
            Err(faults) => {
                let faults = faults
                    .iter()
                    .map(|fault| Fault::of(annotation, fault.to_string()));
                self.faults.extend(faults);
                None
            }
        }
    }

    /// The value as text: the API server has nothing else, a file may.
    fn text(&mut self, annotation: Annotation) -> Option<String> {
        match self.annotations.get(annotation.key())? {
            Value::String(text) => Some(text.clone()),
            other => {
                let message = format!(
                    "{other} is no string, and Kubernetes takes only strings here: write it in quotes ({})",
                    annotation.valid_values()
                );
                self.faults.push(Fault::of(annotation, message));
                None
            }
        }
    }

    fn value<T>(&mut self, annotation: Annotation, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(annotation)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            let message = format!("{text:?} is not valid: write {}", annotation.valid_values());
            self.faults.push(Fault::of(annotation, message));
        }
        parsed
    }

    fn flag(&mut self, annotation: Annotation) -> Option<bool> {
        self.value(annotation, |text| text.parse().ok())
    }

    fn unknown_keys(&mut self) {
        let ours = self
            .annotations
            .keys()
            .filter(|key| key.starts_with(ANNOTATION_PREFIX));
        let unknown = ours.filter(|key| Annotation::parse(key).is_none());
        let faults: Vec<Fault> = unknown.map(|key| unknown_key(key)).collect();
        self.faults.extend(faults);
    }
}

fn unknown_key(key: &str) -> Fault {
    let names: Vec<&str> = Annotation::ALL
        .into_iter()
        .filter(|annotation| *annotation != Annotation::Status)
        .map(|annotation| annotation.key().trim_start_matches(ANNOTATION_PREFIX))
        .collect();
    let name = key.trim_start_matches(ANNOTATION_PREFIX);
    let help = match suggest::nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {ANNOTATION_PREFIX}{near}? "),
        None => String::new(),
    };
    let message = format!(
        "is no annotation that dataflow-sidecar knows: {help}The keys are {}",
        names.join(", ")
    );
    Fault::at(key, message)
}

fn token_expiration(text: &str) -> Option<u32> {
    let limits = TOKEN_EXPIRATION_SECONDS_MIN..=TOKEN_EXPIRATION_SECONDS_MAX;
    text.parse().ok().filter(|seconds| limits.contains(seconds))
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

/// An image reference: the API server checks no more than that it has no spaces around it.
fn image(text: &str) -> Option<String> {
    let blank = text.is_empty() || text.contains(char::is_whitespace);
    (!blank).then(|| text.to_owned())
}

fn quantity(text: &str) -> Option<String> {
    Quantity::parse(text).map(|_| text.to_owned())
}
