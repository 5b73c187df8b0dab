//! A mutating webhook that takes the container `dataflow-sidecar` out of every pod: `e2e-hostile FOLDER`, with tls.crt and
//! tls.key in the folder. It listens on port 8443.

use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use endpoint::contract::CONTAINER;
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
    let containers = request["object"]["spec"]["initContainers"].as_array();
    let ours = containers
        .into_iter()
        .flatten()
        .position(|container| container["name"] == CONTAINER);
    let mut response = json!({"uid": request["uid"], "allowed": true});
    if let Some(index) = ours {
        let patch = json!([{"op": "remove", "path": format!("/spec/initContainers/{index}")}]);
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(k8s_openapi::ByteString(patch.to_string().into_bytes()));
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}
