//! The embedded broker as a program: `broker PORT CERTIFICATE KEY ISSUER_KEY AUDIENCE JOURNAL`.

use std::process::ExitCode;

use tests::broker::{Options, run};

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
    let options = Options {
        port,
        certificate: certificate.into(),
        key: key.into(),
        issuer_key: issuer_key.clone(),
        audience: audience.clone(),
        journal: journal.into(),
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broker: {error}");
            ExitCode::FAILURE
        }
    }
}
