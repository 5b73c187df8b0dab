//! Tokens of managed identities: what is asked of which service, and what its answer means. Decisions only.
//!
//! The two requests are written by hand: Azure's own client library brings a second HTTP stack and a pipeline of policies for
//! what is one GET and one POST.

pub(crate) mod http;
pub(crate) mod renewal;
pub(crate) mod service;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::CREDENTIAL_SIZE_MAX;
use super::service_account::Token;

/// Authentication Method of CONNECT and AUTH for these tokens.
pub(crate) const METHOD: &str = "OAUTH2-JWT";

/// What a token is asked for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// The identity of the machine, from the metadata service that it offers.
    System {
        /// For whom the token is.
        audience: String,
    },
    /// Workload identity federation: the pod's service account token is exchanged.
    User {
        /// Of the identity.
        client_id: String,
        /// Of the identity.
        tenant_id: String,
        /// What the token is for.
        scope: String,
        /// The projected service account token.
        assertion: Bytes,
    },
}

/// Without the assertion.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::System { audience } => write!(f, "System({audience:?})"),
            Request::User {
                client_id, scope, ..
            } => write!(f, "User({client_id:?}, {scope:?})"),
        }
    }
}

impl Request {
    /// Whether a token for one is a token for the other: the assertion only proves who asks.
    pub(crate) fn is_for_the_same(&self, other: &Request) -> bool {
        let without_assertion = |request: &Request| match request.clone() {
            Request::User {
                client_id,
                tenant_id,
                scope,
                ..
            } => Request::User {
                client_id,
                tenant_id,
                scope,
                assertion: Bytes::new(),
            },
            system => system,
        };
        without_assertion(self) == without_assertion(other)
    }
}

/// A token and how long it lives.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    /// As it is sent to the broker.
    pub(crate) data: Bytes,
    /// From now.
    pub(crate) lifetime: Duration,
}

/// Without the token.
impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Granted(for {:?})", self.lifetime)
    }
}

impl Granted {
    /// The same with the time of its end; `now_seconds` since 1970.
    pub(crate) fn token(&self, now_seconds: u64) -> Token {
        Token {
            data: self.data.clone(),
            expiry_timestamp_seconds: Some(now_seconds + self.lifetime.as_secs()),
        }
    }
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What was asked, what was wrong, what to do; never a token.
    pub(crate) text: String,
    /// The same request may succeed in a moment.
    pub(crate) is_temporary: bool,
    /// The service said how long to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Refused {
    /// The service could not be asked.
    pub(crate) fn unreachable(service: &str, problem: &str) -> Refused {
        Refused {
            text: format!("asking {service} for a token failed: {problem}"),
            is_temporary: true,
            retry_after: None,
        }
    }
}

/// A token service's answer.
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// Header `Retry-After` in seconds.
    pub(crate) retry_after: Option<Duration>,
    /// Header `WWW-Authenticate`.
    pub(crate) challenge: Option<String>,
    /// At most [`http::BODY_SIZE_MAX`].
    pub(crate) body: Bytes,
}

/// What an answer means; `service` is named in the error.
///
/// # Errors
/// It is no token.
pub(crate) fn read(service: &str, answer: &Answer, remedy: &str) -> Result<Granted, Refused> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == 200 {
        return granted(&body).ok_or_else(|| Refused {
            text: format!("{service} answered 200 without a usable access_token and expires_in"),
            is_temporary: true,
            retry_after: None,
        });
    }
    // 404 and 410 are a metadata service that starts or updates itself.
    let is_temporary = matches!(answer.status, 404 | 408 | 410 | 429 | 500..);
    let text = |name: &str| body[name].as_str().map(first_line).unwrap_or_default();
    let (error, description) = (text("error"), text("error_description"));
    Err(Refused {
        text: format!(
            "{service} answered {} {error}{}{description}; {remedy}",
            answer.status,
            if description.is_empty() { "" } else { ": " },
        ),
        is_temporary,
        retry_after: answer.retry_after,
    })
}

/// Descriptions go on with trace ids and time stamps, which a person does not need and which change each time.
fn first_line(text: &str) -> &str {
    const LENGTH_MAX: usize = 300;
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" Trace ID:").next().unwrap_or_default();
    &line[..line.floor_char_boundary(LENGTH_MAX)]
}

fn granted(body: &Value) -> Option<Granted> {
    let token = body["access_token"].as_str()?;
    if token.is_empty() || token.len() > CREDENTIAL_SIZE_MAX {
        return None;
    }
    // A number from Entra, a string from the metadata service.
    let seconds = match &body["expires_in"] {
        Value::String(text) => text.parse().ok()?,
        number => number.as_u64()?,
    };
    Some(Granted {
        data: Bytes::copy_from_slice(token.as_bytes()),
        lifetime: Duration::from_secs(seconds),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            retry_after: None,
            challenge: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn both_services_say_the_lifetime_in_their_way() {
        for body in [
            r#"{"access_token":"a.b.c","expires_in":"3599","token_type":"Bearer"}"#,
            r#"{"access_token":"a.b.c","expires_in":3599}"#,
        ] {
            let granted = read("the service", &answer(200, body), "").unwrap();
            assert_eq!(
                (granted.data, granted.lifetime.as_secs()),
                ("a.b.c".into(), 3599)
            );
        }
    }

    #[test]
    fn an_answer_that_is_no_token_is_asked_again() {
        for body in ["", "<html>", "{}", r#"{"access_token":"","expires_in":1}"#] {
            let refused = read("the service", &answer(200, body), "").unwrap_err();
            assert!(refused.is_temporary, "{body}");
        }
    }

    #[test]
    fn errors_show_code_and_description_and_remedy_without_the_trace() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS70021: No matching federated identity record found. Trace ID: 1 Correlation ID: 2"}"#;
        let refused = read("Entra", &answer(400, body), "add a federated credential").unwrap_err();
        assert_eq!(
            refused.text,
            "Entra answered 400 invalid_client: AADSTS70021: No matching federated identity record found.; add a federated credential"
        );
        assert!(!refused.is_temporary);
        for status in [404, 410, 429, 500, 503] {
            assert!(
                read("x", &answer(status, ""), "y")
                    .unwrap_err()
                    .is_temporary
            );
        }
    }

    #[test]
    fn debug_output_hides_tokens() {
        let request = Request::User {
            client_id: "c".into(),
            tenant_id: "t".into(),
            scope: "s".into(),
            assertion: "secret".into(),
        };
        let granted = Granted {
            data: "secret".into(),
            lifetime: Duration::from_secs(1),
        };
        assert!(!format!("{request:?} {granted:?}").contains("secret"));
    }
}
