//! The services that give tokens, found as Azure's own libraries find them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Request as HttpRequest, Uri};
use rustls::ClientConfig;

use super::{Answer, Granted, Refused, Request, http, read};
use crate::connector::tls;

/// The instance metadata service of Azure's machines.
const METADATA_HOST: &str = "http://169.254.169.254";
const METADATA_PATH: &str = "/metadata/identity/oauth2/token";
const METADATA_API_VERSION: &str = "2018-02-01";
/// Of the agent of Azure Arc on a server.
const ARC_API_VERSION: &str = "2020-06-01";
/// Where that agent puts the proof that the caller may read the machine's files, and nowhere else.
const ARC_KEY_FOLDER: &str = "/var/opt/azcmagent/tokens";
/// A proof has some hundred bytes.
const ARC_KEY_SIZE_MAX: u64 = 4096;
/// Entra of the public cloud.
const AUTHORITY: &str = "https://login.microsoftonline.com/";

/// What the environment says of the services; the names are those of Azure's libraries.
// No `Debug`: the address of a proxy may hold a password.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    /// `AZURE_AUTHORITY_HOST`
    authority: Option<String>,
    /// `AZURE_POD_IDENTITY_AUTHORITY_HOST`: another host for the metadata service.
    metadata_host: Option<String>,
    /// `IDENTITY_ENDPOINT` where `IMDS_ENDPOINT` is there too: the agent of Azure Arc.
    arc: Option<String>,
    arc_keys: Option<PathBuf>,
    /// `HTTPS_PROXY`
    proxy: Option<String>,
    /// `NO_PROXY`
    no_proxy: Vec<String>,
    /// `SSL_CERT_FILE`: further roots, for a proxy that inspects TLS.
    roots: Option<PathBuf>,
}

impl Environment {
    /// Of this process; small names win, as with curl.
    pub(crate) fn of_process() -> Environment {
        Environment::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Environment {
        let either = |name: &str| variable(&name.to_lowercase()).or_else(|| variable(name));
        let no_proxy = either("NO_PROXY").unwrap_or_default();
        Environment {
            authority: variable("AZURE_AUTHORITY_HOST"),
            metadata_host: variable("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
            arc: variable("IDENTITY_ENDPOINT").filter(|_| variable("IMDS_ENDPOINT").is_some()),
            arc_keys: None,
            proxy: either("HTTPS_PROXY"),
            no_proxy: no_proxy
                .split(',')
                .map(|name| name.trim().trim_start_matches('.').to_lowercase())
                .filter(|name| !name.is_empty())
                .collect(),
            roots: variable(tls::ROOTS_VARIABLE).map(PathBuf::from),
        }
    }

    fn proxy_for(&self, host: &str) -> Result<Option<Uri>, String> {
        let host = host.to_lowercase();
        let is_excepted =
            |name: &String| name == "*" || host == *name || host.ends_with(&format!(".{name}"));
        let Some(proxy) = self
            .proxy
            .as_ref()
            .filter(|_| !self.no_proxy.iter().any(is_excepted))
        else {
            return Ok(None);
        };
        let text = match proxy.contains("://") {
            true => proxy.clone(),
            false => format!("http://{proxy}"),
        };
        match text.parse::<Uri>() {
            Ok(uri) if uri.scheme_str() == Some("http") && uri.host().is_some() => Ok(Some(uri)),
            _ => Err("HTTPS_PROXY is no address of a proxy: write http://HOST:PORT".into()),
        }
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        let roots = tls::public_roots_and(self.roots.as_deref())?;
        Ok(tls::client_config(roots, None))
    }
}

/// Asks for a token.
///
/// # Errors
/// There is none, with the reason and whether it may pass.
pub(crate) async fn ask(request: &Request, environment: &Environment) -> Result<Granted, Refused> {
    match request {
        Request::System { audience } => match &environment.arc {
            Some(endpoint) => ask_arc(endpoint, audience, environment).await,
            None => ask_metadata(audience, environment).await,
        },
        Request::User {
            client_id,
            tenant_id,
            scope,
            assertion,
        } => exchange([client_id, tenant_id, scope], assertion, environment).await,
    }
}

async fn ask_metadata(audience: &str, environment: &Environment) -> Result<Granted, Refused> {
    let host = environment
        .metadata_host
        .as_deref()
        .unwrap_or(METADATA_HOST);
    let service = format!("the instance metadata service ({host})");
    let uri = metadata_uri(
        &format!("{}{METADATA_PATH}", host.trim_end_matches('/')),
        METADATA_API_VERSION,
        audience,
    );
    let answer = get(&service, &uri, None, environment).await?;
    read(
        &service,
        &answer,
        "give the machine a system-assigned identity, and see that pods may reach its metadata service",
    )
}

/// The agent of Azure Arc wants to see that its caller may read a file of the machine.
async fn ask_arc(
    endpoint: &str,
    audience: &str,
    environment: &Environment,
) -> Result<Granted, Refused> {
    let service = format!("the agent of Azure Arc ({endpoint})");
    let remedy = "let the sidecar read /var/opt/azcmagent/tokens of the machine";
    let uri = metadata_uri(endpoint, ARC_API_VERSION, audience);
    let first = get(&service, &uri, None, environment).await?;
    if first.status != 401 {
        return read(&service, &first, remedy);
    }
    let folder = environment.arc_keys.as_deref();
    let key = arc_key(&first, folder.unwrap_or(Path::new(ARC_KEY_FOLDER)));
    let key = key.map_err(|problem| Refused {
        text: format!("{service} wants a proof that cannot be given: {problem}; {remedy}"),
        is_temporary: false,
        retry_after: None,
    })?;
    let answer = get(&service, &uri, Some(&format!("Basic {key}")), environment).await?;
    read(&service, &answer, remedy)
}

fn arc_key(answer: &Answer, folder: &Path) -> Result<String, String> {
    let challenge = answer.challenge.as_deref().unwrap_or_default();
    let (_, path) = challenge
        .split_once("realm=")
        .ok_or("its challenge names no file")?;
    let path = Path::new(path.trim_matches('"'));
    // Whatever answers there must not make us read, and send, any other file.
    if path.parent() != Some(folder) || path.extension().is_none_or(|end| end != "key") {
        return Err(format!("{} is no key file of the agent", path.display()));
    }
    let problem = |error: std::io::Error| format!("reading {} failed: {error}", path.display());
    if std::fs::metadata(path).map_err(problem)?.len() > ARC_KEY_SIZE_MAX {
        return Err(format!("{} is too long", path.display()));
    }
    let key = std::fs::read_to_string(path).map_err(problem)?;
    Ok(key.trim().to_owned())
}

/// A service on the machine itself: never through a proxy.
async fn get(
    service: &str,
    uri: &str,
    authorization: Option<&str>,
    environment: &Environment,
) -> Result<Answer, Refused> {
    let unreachable = |problem: String| Refused::unreachable(service, &problem);
    let mut request = HttpRequest::get(uri).header("Metadata", "true");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let request = request.body(Full::default());
    let request = request.map_err(|error| unreachable(format!("{uri}: {error}")))?;
    let tls = environment.tls().map_err(unreachable)?;
    http::send(request, &tls, None).await.map_err(unreachable)
}

async fn exchange(
    [client_id, tenant_id, scope]: [&str; 3],
    assertion: &Bytes,
    environment: &Environment,
) -> Result<Granted, Refused> {
    let authority = environment.authority.as_deref().unwrap_or(AUTHORITY);
    let service = format!("the token service ({authority})");
    let unreachable = |problem: String| Refused::unreachable(&service, &problem);
    if !authority.starts_with("https://") {
        return Err(unreachable(
            "AZURE_AUTHORITY_HOST must begin with https://".into(),
        ));
    }
    let uri = format!(
        "{}/{tenant_id}/oauth2/v2.0/token",
        authority.trim_end_matches('/')
    );
    let assertion = String::from_utf8_lossy(assertion);
    let form = [
        ("client_id", client_id),
        ("scope", scope),
        ("grant_type", "client_credentials"),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &assertion),
    ];
    let body = form
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .join("&");
    let request = HttpRequest::post(&uri)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| unreachable(format!("{uri}: {error}")))?;
    let host = request.uri().host().unwrap_or_default().to_owned();
    let proxy = environment.proxy_for(&host).map_err(unreachable)?;
    let tls = environment.tls().map_err(unreachable)?;
    let answer = http::send(request, &tls, proxy.as_ref())
        .await
        .map_err(unreachable)?;
    read(
        &service,
        &answer,
        "check clientId, tenantId and scope, and that the identity has a federated credential for the pod's service account (audience api://AzureADTokenExchange)",
    )
}

/// The metadata service wants a resource where others take a scope.
fn metadata_uri(endpoint: &str, api_version: &str, audience: &str) -> String {
    let resource = audience.strip_suffix("/.default").unwrap_or(audience);
    format!(
        "{endpoint}?api-version={api_version}&resource={}",
        encoded(resource)
    )
}

/// Everything but the unreserved characters of RFC 3986 as %XX.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::of(|name| {
            let found = variables.iter().find(|(of, _)| *of == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_audience_is_asked_for_as_a_resource() {
        assert_eq!(
            metadata_uri(
                "http://h/p",
                "2018-02-01",
                "https://eventgrid.azure.net/.default"
            ),
            "http://h/p?api-version=2018-02-01&resource=https%3A%2F%2Feventgrid.azure.net"
        );
    }

    #[test]
    fn the_proxy_is_the_environments_and_has_exceptions() {
        let environment = environment(&[
            ("HTTPS_PROXY", "proxy:3128"),
            ("NO_PROXY", "localhost, .internal"),
        ]);
        let proxy = |host| {
            environment
                .proxy_for(host)
                .unwrap()
                .map(|uri| uri.to_string())
        };
        assert_eq!(
            proxy("login.microsoftonline.com").as_deref(),
            Some("http://proxy:3128/")
        );
        assert_eq!(proxy("a.internal"), None);
        assert_eq!(proxy("localhost"), None);
    }

    #[test]
    fn a_proxy_that_is_none_is_said() {
        for text in ["https://proxy", "http://", "socks5://x"] {
            let environment = environment(&[("https_proxy", text)]);
            assert!(
                environment
                    .proxy_for("x")
                    .unwrap_err()
                    .contains("HTTPS_PROXY"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_agent_of_arc_needs_both_variables() {
        assert!(
            environment(&[("IDENTITY_ENDPOINT", "http://a")])
                .arc
                .is_none()
        );
        let both = [
            ("IDENTITY_ENDPOINT", "http://a"),
            ("IMDS_ENDPOINT", "http://b"),
        ];
        assert_eq!(environment(&both).arc.as_deref(), Some("http://a"));
    }

    #[test]
    fn no_file_but_a_key_of_the_agent_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let key = |realm: String| {
            let answer = Answer {
                status: 401,
                retry_after: None,
                challenge: Some(format!("Basic realm={realm}")),
                body: Bytes::new(),
            };
            arc_key(&answer, folder.path())
        };
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("good.key"), "proof\n").unwrap();
        std::fs::write(path("long.key"), "x".repeat(5_000)).unwrap();
        assert_eq!(key(path("good.key")).as_deref(), Ok("proof"));
        for realm in [
            "/etc/passwd".into(),
            path("good.txt"),
            path("../x/good.key"),
            path("long.key"),
            path("absent.key"),
        ] {
            assert!(key(realm.clone()).is_err(), "{realm}");
        }
    }

    #[tokio::test]
    async fn an_assertion_is_never_sent_without_tls() {
        let environment = environment(&[("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1/")]);
        let request = Request::User {
            client_id: "c".into(),
            tenant_id: "t".into(),
            scope: "s".into(),
            assertion: "secret".into(),
        };
        let refused = ask(&request, &environment).await.unwrap_err();
        assert!(
            refused.text.contains("must begin with https://"),
            "{}",
            refused.text
        );
    }
}
