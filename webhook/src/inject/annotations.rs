//! What a pod's annotations ask for.

use endpoint::contract::{
    ADMIN_PORT, ANNOTATION_PREFIX, Annotation, EndpointFault, EndpointPort, LogLevel, Readiness,
    TOKEN_EXPIRATION_SECONDS, TOKEN_EXPIRATION_SECONDS_ADVISED, TOKEN_EXPIRATION_SECONDS_MAX,
    TOKEN_EXPIRATION_SECONDS_MIN, parse_endpoints,
};
use endpoint::suggest;
use serde_json::{Map, Value};

use super::fault::{Fault, FaultKind, Place};
use super::quantity::Quantity;
use crate::text;

/// Image references are at most a registry's name, a repository of 255 characters, a tag and a digest.
const IMAGE_CHARS_MAX: usize = 512;
/// As much of a bad value as a person needs to find it.
const SHOWN_CHARS_MAX: usize = 80;

/// What a pod asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It has no annotation of ours.
    Nothing,
    /// It says `inject: "false"`.
    OptedOut,
    /// A sidecar.
    Sidecar(Box<Wishes>),
}

/// What the sidecar shall be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// The endpoints and their ports, in the order of the annotation.
    pub endpoints: Vec<EndpointPort>,
    /// Log level.
    pub log_level: LogLevel,
    /// CPU and memory.
    pub resources: ResourceWishes,
    /// Image, where it is not the installation's.
    pub image: Option<String>,
    /// Port of the admin server.
    pub admin_port: u16,
    /// Lifetime of projected tokens, in seconds.
    pub token_expiration_seconds: u32,
    /// What makes the sidecar unready.
    pub readiness: Readiness,
    /// Whether the app's containers get their environment.
    pub app_env: bool,
}

/// CPU and memory as far as the annotations say something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceWishes {
    /// CPU request.
    pub cpu_request: Option<Quantity>,
    /// CPU limit.
    pub cpu_limit: Option<Quantity>,
    /// Memory request.
    pub memory_request: Option<Quantity>,
    /// Memory limit.
    pub memory_limit: Option<Quantity>,
}

/// The pod's annotations of ours, sorted by key.
pub fn ours(pod: &Value) -> Vec<(&str, &Value)> {
    let Some(annotations) = pod
        .pointer("/metadata/annotations")
        .and_then(Value::as_object)
    else {
        return Vec::new();
    };
    ours_of(annotations)
}

fn ours_of(annotations: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut ours: Vec<(&str, &Value)> = annotations
        .iter()
        .filter(|(key, _)| key.starts_with(ANNOTATION_PREFIX))
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    ours.sort_by_key(|(key, _)| *key);
    ours
}

/// Reads a pod's annotations: what can be read of them, and every fault of every one.
pub fn read(pod: &Value) -> (Asked, Vec<Fault>) {
    let ours = ours(pod);
    if ours.is_empty() {
        return (Asked::Nothing, Vec::new());
    }
    // Who opts out is not asked about anything else.
    if get(&ours, Annotation::Inject).and_then(Value::as_str) == Some("false") {
        return (Asked::OptedOut, Vec::new());
    }
    let mut reader = Reader::default();
    let mut texts = Vec::new();
    for (key, value) in &ours {
        match (Annotation::parse(key), value.as_str()) {
            (Some(annotation), Some(text)) => texts.push((annotation, text)),
            (Some(annotation), None) => reader.no_text(annotation, value),
            (None, _) => reader.unknown(key),
        }
    }
    let wishes = reader.wishes(&texts);
    reader.missing(&ours);
    (Asked::Sidecar(Box::new(wishes)), reader.faults)
}

/// The names of the endpoints that a pod asks for, as far as they can be read.
pub fn endpoint_names(pod: &Value) -> Vec<String> {
    match read(pod).0 {
        Asked::Sidecar(wishes) => wishes
            .endpoints
            .into_iter()
            .map(|endpoint| endpoint.name)
            .collect(),
        Asked::Nothing | Asked::OptedOut => Vec::new(),
    }
}

/// What is allowed and yet worth a word.
pub fn warnings(wishes: &Wishes) -> Vec<String> {
    let seconds = wishes.token_expiration_seconds;
    if seconds >= TOKEN_EXPIRATION_SECONDS_ADVISED {
        return Vec::new();
    }
    let key = Annotation::TokenExpirationSeconds.key();
    vec![format!(
        "{key}: {seconds} leaves little time to renew: write {TOKEN_EXPIRATION_SECONDS_ADVISED} or more"
    )]
}

fn get<'a>(ours: &[(&str, &'a Value)], annotation: Annotation) -> Option<&'a Value> {
    ours.iter()
        .find(|(key, _)| *key == annotation.key())
        .map(|(_, value)| *value)
}

#[derive(Default)]
struct Reader {
    faults: Vec<Fault>,
    /// An unknown key that most likely stands for `endpoint`.
    endpoint_misspelled: bool,
}

impl Reader {
    fn wishes(&mut self, texts: &[(Annotation, &str)]) -> Wishes {
        let mut wishes = Wishes {
            endpoints: Vec::new(),
            log_level: LogLevel::default(),
            resources: ResourceWishes::default(),
            image: None,
            admin_port: ADMIN_PORT,
            token_expiration_seconds: TOKEN_EXPIRATION_SECONDS,
            readiness: Readiness::default(),
            app_env: true,
        };
        for &(annotation, text) in texts {
            self.value(&mut wishes, annotation, text);
        }
        wishes
    }

    fn value(&mut self, wishes: &mut Wishes, annotation: Annotation, text: &str) {
        let resources = &mut wishes.resources;
        match annotation {
            Annotation::Endpoint => match parse_endpoints(text) {
                Ok(endpoints) => wishes.endpoints = endpoints,
                Err(faults) => self.endpoint_faults(&faults),
            },
            Annotation::Inject => {
                self.parsed(annotation, text, truth(text));
            }
            Annotation::AppEnv => self.set(&mut wishes.app_env, annotation, text, truth(text)),
            Annotation::LogLevel => {
                self.set(
                    &mut wishes.log_level,
                    annotation,
                    text,
                    LogLevel::parse(text),
                );
            }
            Annotation::Readiness => {
                self.set(
                    &mut wishes.readiness,
                    annotation,
                    text,
                    Readiness::parse(text),
                );
            }
            Annotation::CpuRequest => resources.cpu_request = self.quantity(annotation, text),
            Annotation::CpuLimit => resources.cpu_limit = self.quantity(annotation, text),
            Annotation::MemoryRequest => resources.memory_request = self.quantity(annotation, text),
            Annotation::MemoryLimit => resources.memory_limit = self.quantity(annotation, text),
            Annotation::Image => {
                wishes.image = self.parsed(annotation, text, image(text));
            }
            Annotation::MetricsPort => {
                let port = number(text).filter(|port: &u16| *port > 0);
                self.set(&mut wishes.admin_port, annotation, text, port);
            }
            Annotation::TokenExpirationSeconds => {
                let range = TOKEN_EXPIRATION_SECONDS_MIN..=TOKEN_EXPIRATION_SECONDS_MAX;
                let seconds = number(text).filter(|seconds| range.contains(seconds));
                self.set(
                    &mut wishes.token_expiration_seconds,
                    annotation,
                    text,
                    seconds,
                );
            }
            // What the webhook wrote is looked at where an injected object is recognised.
            Annotation::Status => {}
        }
    }

    fn set<T>(&mut self, wish: &mut T, annotation: Annotation, text: &str, parsed: Option<T>) {
        if let Some(value) = self.parsed(annotation, text, parsed) {
            *wish = value;
        }
    }

    fn parsed<T>(&mut self, annotation: Annotation, text: &str, parsed: Option<T>) -> Option<T> {
        if parsed.is_none() {
            let near = nearest_value(annotation, text);
            let message = format!(
                "{} is not valid: write {}{near}",
                shown(text),
                annotation.valid_values()
            );
            self.push(annotation, message);
        }
        parsed
    }

    fn quantity(&mut self, annotation: Annotation, text: &str) -> Option<Quantity> {
        let quantity = self.parsed(annotation, text, Quantity::parse(text))?;
        let is_limit = matches!(annotation, Annotation::CpuLimit | Annotation::MemoryLimit);
        let is_memory = matches!(
            annotation,
            Annotation::MemoryRequest | Annotation::MemoryLimit
        );
        let problem = if quantity.is_negative() || is_limit && !quantity.is_positive() {
            "is no amount that a container can run with"
        } else if is_memory && !quantity.is_whole() {
            "is not a whole number of bytes (m is a thousandth, Mi is 1,048,576)"
        } else {
            return Some(quantity);
        };
        let message = format!(
            "{} {problem}: write {}",
            shown(text),
            annotation.valid_values()
        );
        self.push(annotation, message);
        None
    }

    fn endpoint_faults(&mut self, faults: &[EndpointFault]) {
        for fault in faults {
            let kind = match fault {
                EndpointFault::SamePort { .. } => FaultKind::PortConflict,
                _ => FaultKind::BadAnnotation,
            };
            self.faults.push(Fault::annotation(
                Annotation::Endpoint,
                kind,
                fault.to_string(),
            ));
        }
    }

    /// Only offline: the API server takes nothing but text.
    fn no_text(&mut self, annotation: Annotation, value: &Value) {
        let quoted = Value::String(value.to_string());
        let message = match value {
            Value::Bool(_) | Value::Number(_) => {
                format!(
                    "{value} is no text, and an annotation must be: write {quoted} with the quotes"
                )
            }
            _ => format!(
                "the value is no text, and an annotation must be: write {}",
                annotation.valid_values()
            ),
        };
        self.push(annotation, message);
    }

    fn unknown(&mut self, key: &str) {
        let names = Annotation::ALL.map(|known| known.key().trim_start_matches(ANNOTATION_PREFIX));
        let near = Annotation::nearest(key);
        self.endpoint_misspelled |= near == Some(Annotation::Endpoint);
        let message = match near {
            Some(near) => format!("is unknown: write {near}, or remove it. "),
            None => "is unknown: remove it. ".to_owned(),
        };
        let message = format!(
            "{message}The keys are {ANNOTATION_PREFIX} and one of {}",
            names.join(", ")
        );
        let key = text::clip(key.to_owned(), SHOWN_CHARS_MAX);
        self.faults.push(Fault::new(
            Place::Annotation(key),
            FaultKind::BadAnnotation,
            message,
        ));
    }

    fn missing(&mut self, ours: &[(&str, &Value)]) {
        // Who wrote a bad value for `inject` most likely wants no sidecar, and is told of that value.
        let says_inject = get(ours, Annotation::Inject).is_some_and(|value| value != "true");
        if get(ours, Annotation::Endpoint).is_some() || self.endpoint_misspelled || says_inject {
            return;
        }
        let others: Vec<&str> = ours.iter().map(|(key, _)| *key).collect();
        let (are, them) = match others.len() {
            1 => ("is", "the other"),
            _ => ("are", "the others"),
        };
        let message = format!(
            "is missing, but {} {are} there: write the name of a DataflowEndpoint of this namespace, for example \"default\", or remove {them}",
            text::clip(others.join(", "), SHOWN_CHARS_MAX),
        );
        self.push(Annotation::Endpoint, message);
    }

    fn push(&mut self, annotation: Annotation, message: impl Into<String>) {
        self.faults.push(Fault::annotation(
            annotation,
            FaultKind::BadAnnotation,
            message,
        ));
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// A reference that a kubelet could parse: no spaces, no scheme, a repository in lower case before tag and digest.
fn image(text: &str) -> Option<String> {
    let good = !text.is_empty()
        && text.len() <= IMAGE_CHARS_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !text.contains("//");
    good.then(|| text.to_owned())
}

/// `, most likely "debug"`, where the value is near one of a closed set.
fn nearest_value(annotation: Annotation, text: &str) -> String {
    let words: Vec<&str> = match annotation {
        Annotation::LogLevel => LogLevel::ALL.map(LogLevel::as_str).to_vec(),
        Annotation::Readiness => Readiness::ALL.map(Readiness::as_str).to_vec(),
        Annotation::Inject | Annotation::AppEnv => vec!["true", "false"],
        _ => Vec::new(),
    };
    match suggest::nearest(text, words) {
        Some(near) => format!(", most likely {near:?}"),
        None => String::new(),
    }
}

fn shown(text: &str) -> String {
    format!("{:?}", text::clip(text.to_owned(), SHOWN_CHARS_MAX))
}

#[cfg(test)]
mod tests;
