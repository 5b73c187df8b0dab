//! The floor of the benchmark: copies bytes between plain TCP and TLS on the runtime and TLS library of the sidecar, and
//! knows nothing of MQTT. `copier LISTEN BROKER CA_FILE`

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .context("usage: copier LISTEN BROKER CA_FILE")
    };
    let (listen, broker, ca) = (next()?, next()?, next()?);
    let broker: SocketAddr = broker.parse().context("BROKER must be an address")?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&ca)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (app, _) = listener.accept().await?;
        let connector = connector.clone();
        tokio::spawn(async move {
            // A connection that fails ends; the app sees it.
            let _ = copy(app, broker, connector).await;
        });
    }
}

async fn copy(mut app: TcpStream, broker: SocketAddr, connector: TlsConnector) -> Result<()> {
    app.set_nodelay(true)?;
    let stream = TcpStream::connect(broker).await?;
    stream.set_nodelay(true)?;
    let mut broker = connector
        .connect(ServerName::try_from("localhost")?, stream)
        .await?;
    copy_bidirectional(&mut app, &mut broker).await?;
    Ok(())
}
