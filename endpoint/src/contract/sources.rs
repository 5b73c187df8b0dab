//! What fills the volumes of an injected sidecar, told to it as JSON by [`env::SOURCES`](super::env::SOURCES).
//!
//! Files do not say from which Secret or ConfigMap they come, and a container that is started again has forgotten its
//! first settings; a volume's source is fixed for the life of the pod, so the webhook can tell it once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Settings;

/// The sources of one endpoint's volumes; `None` is not mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Audience of the projected service account token.
    pub audience: Option<String>,
    /// Name of the ConfigMap with trusted certificates.
    pub bundle: Option<String>,
    /// Name of the Secret.
    pub secret: Option<String>,
}

/// Why the sources cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sources are not what the webhook writes, JSON such as {{\"default\":{{\"audience\":\"a\",\"bundle\":\"b\",\"secret\":\"c\"}}}}: \
     write that, or leave them out"
)]
pub struct SourcesFault;

impl Sources {
    /// What a pod must mount for these settings.
    pub fn of(settings: &Settings) -> Self {
        Self {
            audience: settings.needs_token().map(str::to_owned),
            bundle: settings.trusted_ca().map(str::to_owned),
            secret: settings.secret().map(str::to_owned),
        }
    }

    fn to_value(&self) -> Value {
        let fields = [
            ("audience", &self.audience),
            ("bundle", &self.bundle),
            ("secret", &self.secret),
        ];
        fields
            .into_iter()
            .filter_map(|(key, name)| Some((key.to_owned(), json!(name.as_ref()?))))
            .collect()
    }

    fn from_value(value: &Value) -> Option<Self> {
        let fields = value.as_object()?;
        let name = |key: &str| match fields.get(key) {
            None => Some(None),
            Some(name) => name.as_str().map(|name| Some(name.to_owned())),
        };
        Some(Self {
            audience: name("audience")?,
            bundle: name("bundle")?,
            secret: name("secret")?,
        })
    }
}

/// The variable's value: JSON in one line, keys sorted, an endpoint a key.
pub fn to_text<'a>(endpoints: impl IntoIterator<Item = (&'a str, Sources)>) -> String {
    let endpoints: BTreeMap<&str, Value> = endpoints
        .into_iter()
        .map(|(name, sources)| (name, sources.to_value()))
        .collect();
    // The kubelet replaces `$(NAME)` and `$$` in values of variables; an audience may hold them.
    json!(endpoints).to_string().replace('$', "\\u0024")
}

/// Reads the variable's value. Fields of later versions are passed over.
///
/// # Errors
/// It is not what [`to_text`] writes.
pub fn parse(text: &str) -> Result<BTreeMap<String, Sources>, SourcesFault> {
    let value: Value = serde_json::from_str(text).map_err(|_| SourcesFault)?;
    let endpoints = value.as_object().ok_or(SourcesFault)?;
    let read = |(name, value): (&String, &Value)| Some((name.clone(), Sources::from_value(value)?));
    let all: Option<_> = endpoints.iter().map(read).collect();
    all.ok_or(SourcesFault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_they_are_written() {
        let token = Sources {
            audience: Some("api://$(HOME)$$".to_owned()),
            ..Sources::default()
        };
        let files = Sources {
            bundle: Some("ca".to_owned()),
            secret: Some("s".to_owned()),
            ..Sources::default()
        };
        let all = [("two", files.clone()), ("one", token.clone())];
        let text = to_text(all);
        assert_eq!(
            text,
            r#"{"one":{"audience":"api://\u0024(HOME)\u0024\u0024"},"two":{"bundle":"ca","secret":"s"}}"#
        );
        let expected = BTreeMap::from([("one".to_owned(), token), ("two".to_owned(), files)]);
        assert_eq!(parse(&text), Ok(expected));
    }

    #[test]
    fn foreign_text_is_no_sources() {
        for text in ["", "[]", "default", r#"{"a":1}"#, r#"{"a":{"secret":1}}"#] {
            assert_eq!(parse(text), Err(SourcesFault), "{text:?}");
        }
    }
}
