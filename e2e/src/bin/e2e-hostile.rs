//! A mutating webhook that takes the sidecar and its volumes out of every pod: `e2e-hostile FOLDER`, with tls.crt and
//! tls.key in the folder. It listens on port 8443.

use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use endpoint::contract::{Annotation, CONTAINER};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let folder = std::env::args()
        .nth(1)
        .context("usage: e2e-hostile FOLDER")?;
    let acceptor = TlsAcceptor::from(Arc::new(settings(Path::new(&folder))?));
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 8443)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // The kubelet's probe opens and closes.
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let connection = http1::Builder::new();
            let connection = connection.serve_connection(TokioIo::new(stream), service_fn(review));
            if let Err(error) = connection.await {
                eprintln!("e2e-hostile: {error}");
            }
        });
    }
}

fn settings(folder: &Path) -> Result<ServerConfig> {
    let certificates = CertificateDer::pem_file_iter(folder.join("tls.crt"))?;
    let certificates: Vec<_> = certificates.collect::<std::result::Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(folder.join("tls.key"))?;
    Ok(ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)?)
}

async fn review(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let answer = answer(&review["request"]);
    Ok(Response::builder()
        .header("Content-Type", "application/json")
        .body(Full::new(Bytes::from(answer.to_string())))
        .unwrap_or_default())
}

fn answer(request: &Value) -> Value {
    let patch = removals(&request["object"]);
    let mut response = json!({"uid": request["uid"], "allowed": true});
    if !patch.is_empty() {
        let patch = Value::from(patch).to_string();
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(k8s_openapi::ByteString(patch.into_bytes()));
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}

/// All that was injected; a half would be refused when our webhook is called again.
fn removals(pod: &Value) -> Vec<Value> {
    let mut patch = Vec::new();
    for list in ["initContainers", "volumes"] {
        let items = pod["spec"][list].as_array().into_iter().flatten();
        let ours = items.enumerate().filter(|(_, item)| {
            let name = item["name"].as_str().unwrap_or_default();
            name.starts_with(CONTAINER)
        });
        let paths: Vec<String> = ours
            .map(|(index, _)| format!("/spec/{list}/{index}"))
            .collect();
        // From the end, so that the other places stay what they are.
        patch.extend(paths.iter().rev().map(|path| remove(path)));
    }
    if pod["metadata"]["annotations"]
        .get(Annotation::Status.key())
        .is_some()
    {
        let key = Annotation::Status.key().replace('/', "~1");
        patch.push(remove(&format!("/metadata/annotations/{key}")));
    }
    patch
}

fn remove(path: &str) -> Value {
    json!({"op": "remove", "path": path})
}
