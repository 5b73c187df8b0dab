//! The embedded broker as a program: `broker PORT CERTIFICATE KEY ISSUER_KEY AUDIENCE JOURNAL`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tests::broker::{Demand, Journal, Tls, run};
use tests::token::KeySet;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, certificate, key, issuer_key, audience, journal] = arguments.as_slice() else {
        eprintln!("usage: broker PORT CERTIFICATE KEY ISSUER_KEY AUDIENCE JOURNAL");
        return ExitCode::from(64);
    };
    let Ok(port) = port.parse() else {
        eprintln!("broker: {port:?} is not a port: write a number from 1 to 65535");
        return ExitCode::from(64);
    };
    let journal = match Journal::open(Path::new(journal)) {
        Ok(journal) => Arc::new(journal),
        Err(error) => {
            eprintln!("broker: the journal {journal} cannot be opened: {error}");
            return ExitCode::FAILURE;
        }
    };
    let tls = Tls {
        certificate: certificate.into(),
        key: key.into(),
        client_authority: None,
    };
    let keys = KeySet {
        issuer_key: issuer_key.clone(),
        audience: audience.clone(),
    };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let demand = Demand::Token(Box::new(keys));
    match run(address, Some(tls), demand, journal).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broker: {error}");
            ExitCode::FAILURE
        }
    }
}
