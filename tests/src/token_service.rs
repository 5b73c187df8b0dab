//! Fakes of the two token services of Azure, which cannot run here: the instance metadata service, and Entra's token endpoint.
//!
//! They speak HTTP/1.1 on a real socket (Entra with TLS), check what is documented of a request, and answer as documented: with a
//! token that lives as long as the test says, or with the failure that the test has put first.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::certificates::{Authority, acceptor};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The instance metadata service: tokens of the machine's identity.
    Metadata,
    /// Entra: tokens in exchange for a service account token.
    Entra,
}

impl Service {
    /// `authentication` of an endpoint whose tokens it gives.
    pub fn authentication(self) -> Value {
        match self {
            Service::Metadata => json!({
                "method": "SystemAssignedManagedIdentity",
                "systemAssignedManagedIdentitySettings": {"audience": "https://eventgrid.azure.net"},
            }),
            Service::Entra => json!({
                "method": "UserAssignedManagedIdentity",
                "userAssignedManagedIdentitySettings": {
                    "clientId": "11111111-1111-1111-1111-111111111111",
                    "tenantId": "22222222-2222-2222-2222-222222222222",
                    "scope": "https://eventgrid.azure.net/.default",
                },
            }),
        }
    }
}

/// What a test has put first.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A status with this body, and `Retry-After` where there is one.
    Status(u16, &'static str, Option<u64>),
    /// Nothing comes, and the connection stays.
    Silence,
    /// Bytes that are no HTTP.
    Garbage,
}

/// A fake that answers.
pub struct TokenService {
    /// On loopback.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

type OnGrant = Box<dyn Fn(&[String]) + Send>;

struct State {
    service: Service,
    lifetime: Duration,
    replies: VecDeque<Reply>,
    requests: Vec<String>,
    granted: Vec<String>,
    /// Told of each token before it is given.
    on_grant: OnGrant,
}

impl TokenService {
    /// Starts it; `on_grant` has every token so far, the newest last.
    pub async fn start(
        service: Service,
        authority: &Authority,
        lifetime: Duration,
        on_grant: impl Fn(&[String]) + Send + 'static,
    ) -> TokenService {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State {
            service,
            lifetime,
            replies: VecDeque::new(),
            requests: Vec::new(),
            granted: Vec::new(),
            on_grant: Box::new(on_grant),
        }));
        let tls = (service == Service::Entra).then(|| acceptor(&authority.server()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, shared).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, shared).await,
                            Err(error) => Err(error),
                        },
                    }
                });
            }
        });
        TokenService { port, state }
    }

    /// What makes a sidecar ask this one; `roots` is a file with the authority of its certificate.
    pub fn environment(&self, roots: &Path) -> Vec<(&'static str, String)> {
        let port = self.port;
        let metadata = format!("http://127.0.0.1:{port}");
        let authority = format!("https://localhost:{port}/");
        vec![
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata),
            ("AZURE_AUTHORITY_HOST", authority),
            ("SSL_CERT_FILE", roots.display().to_string()),
        ]
    }

    /// The next requests are answered so, then again with tokens.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.lock().replies.extend(replies);
    }

    /// Every request so far: its first line, and its body behind a space.
    pub fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    /// Every token so far.
    pub fn granted(&self) -> Vec<String> {
        self.lock().granted.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    state: Arc<Mutex<State>>,
) -> std::io::Result<()> {
    let (head, body) = read(&mut stream).await?;
    let answer = {
        let mut state = state.lock().expect("no panic while it is held");
        let first = head.lines().next().unwrap_or_default();
        state.requests.push(format!("{first} {body}"));
        state.answer(&head, &body)
    };
    match answer {
        Some(answer) => stream.write_all(answer.as_bytes()).await,
        None => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.map(|_| ())
        }
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<(String, String)> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length = header(&head, "content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let line = |line: &'a str| {
        let (of, value) = line.split_once(':')?;
        of.eq_ignore_ascii_case(name).then_some(value.trim())
    };
    head.lines().find_map(line)
}

impl State {
    fn answer(&mut self, head: &str, body: &str) -> Option<String> {
        match self.replies.pop_front() {
            Some(Reply::Silence) => None,
            Some(Reply::Garbage) => Some("this is no HTTP\r\n\r\n".to_owned()),
            Some(Reply::Status(status, body, retry_after)) => {
                Some(response(status, body, retry_after))
            }
            None => Some(match self.check(head, body) {
                Ok(()) => self.grant(),
                Err(wrong) => {
                    let body =
                        format!(r#"{{"error":"invalid_request","error_description":"{wrong}"}}"#);
                    response(400, &body, None)
                }
            }),
        }
    }

    /// Every parameter and header that is documented.
    fn check(&self, head: &str, body: &str) -> Result<(), String> {
        let first = head.lines().next().unwrap_or_default();
        let mut wrong = Vec::new();
        let mut expect = |what: &str, holds: bool| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        match self.service {
            Service::Metadata => {
                expect(
                    "GET",
                    first.starts_with("GET /metadata/identity/oauth2/token?"),
                );
                expect("api-version", first.contains("api-version=2018-02-01"));
                expect(
                    "resource",
                    first.contains("resource=https%3A%2F%2Feventgrid.azure.net"),
                );
                expect("Metadata: true", header(head, "Metadata") == Some("true"));
            }
            Service::Entra => {
                let path = "POST /22222222-2222-2222-2222-222222222222/oauth2/v2.0/token ";
                expect("path", first.starts_with(path));
                let form = "application/x-www-form-urlencoded";
                expect("content type", header(head, "content-type") == Some(form));
                for parameter in [
                    "client_id=11111111-1111-1111-1111-111111111111",
                    "scope=https%3A%2F%2Feventgrid.azure.net%2F.default",
                    "grant_type=client_credentials",
                    "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
                ] {
                    expect(parameter, body.split('&').any(|found| found == parameter));
                }
                expect("client_assertion", body.contains("client_assertion=e30."));
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join(", "))
        }
    }

    fn grant(&mut self) -> String {
        let name = match self.service {
            Service::Metadata => "metadata",
            Service::Entra => "entra",
        };
        let claims = json!({
            "aud": "https://eventgrid.azure.net",
            "iss": "https://sts.windows.net/tenant/",
            "sub": format!("identity-of-{name}"),
        });
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let token = format!("e30.{claims}.granted{}", self.granted.len() + 1);
        self.granted.push(token.clone());
        (self.on_grant)(&self.granted);
        let seconds = self.lifetime.as_secs();
        // The metadata service writes numbers as strings.
        let seconds = match self.service {
            Service::Metadata => format!("\"{seconds}\""),
            Service::Entra => seconds.to_string(),
        };
        let body =
            format!(r#"{{"access_token":"{token}","expires_in":{seconds},"token_type":"Bearer"}}"#);
        response(200, &body, None)
    }
}

fn response(status: u16, body: &str, retry_after: Option<u64>) -> String {
    let retry = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"));
    format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        retry.unwrap_or_default(),
        body.len(),
    )
}
