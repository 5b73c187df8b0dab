//! A connection as the API server has it: HTTP/1.1 over TLS 1.3, kept open, one request at a time.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Longer than the webhook may take for anything.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// An answer to a review of 100 KiB has a few KiB.
const READ_BYTES: usize = 16 * 1024;

/// An open connection.
pub(crate) struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    incoming: Vec<u8>,
}

/// Trusts the certificates of this authority.
pub(crate) fn config(authority: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A review as bytes to send.
pub(crate) fn request(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path}?timeout=5s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Connection {
    pub(crate) fn open(port: u16, config: &Arc<ClientConfig>) -> Result<Connection> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect")?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE_MAX))?;
        let name = ServerName::try_from("localhost")?;
        let session = ClientConnection::new(Arc::clone(config), name)?;
        Ok(Connection {
            stream: StreamOwned::new(session, socket),
            incoming: Vec::new(),
        })
    }

    /// Sends a review, and checks that the answer lets the object in.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).context("cannot write")?;
        self.stream.flush()?;
        self.incoming.clear();
        let mut chunk = [0; READ_BYTES];
        loop {
            let count = self.stream.read(&mut chunk).context("cannot read")?;
            ensure!(count > 0, "the connection was closed");
            self.incoming.extend_from_slice(&chunk[..count]);
            if let Some(body) = body(&self.incoming)? {
                let allowed = br#""allowed":true"#;
                let text = String::from_utf8_lossy(body);
                ensure!(
                    body.windows(allowed.len()).any(|window| window == allowed),
                    "refused: {text}"
                );
                return Ok(());
            }
        }
    }
}

/// The body of an answer, once it is whole.
fn body(bytes: &[u8]) -> Result<Option<&[u8]>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = bytes.windows(END.len()).position(|window| window == END) else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?.to_ascii_lowercase();
    if !head.starts_with("http/1.1 200 ") {
        bail!("{}", String::from_utf8_lossy(bytes));
    }
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .context("an answer must say its length")?
        .trim()
        .parse()?;
    Ok(bytes.get(end + END.len()..end + END.len() + length))
}
