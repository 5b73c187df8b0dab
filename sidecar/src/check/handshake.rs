//! What the TLS handshake of `check` came to: version and suite, and the broker's certificates with their names and ends.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::report::Report;
use super::steps::seconds_until;
use crate::connector::Transport;

/// A certificate that ends within this time is worth a warning: a weekend, and the days to get a new one.
const SOON: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Says it; nothing of it is broken, because the handshake was good.
pub(super) fn describe(transport: &Transport, report: &mut Report) {
    let Transport::Tls(stream) = transport else {
        return;
    };
    let (_, session) = stream.get_ref();
    let version = session
        .protocol_version()
        .and_then(|version| version.as_str());
    let suite = session
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str());
    let text = format!(
        "{}, {}",
        version.unwrap_or("unknown version"),
        suite.unwrap_or("unknown suite")
    );
    report.good("TLS", &text);
    let chain = session.peer_certificates().unwrap_or_default();
    for (index, certificate) in chain.iter().enumerate() {
        certificate_line(index, certificate, report);
    }
}

fn certificate_line(index: usize, certificate: &CertificateDer<'_>, report: &mut Report) {
    let number = index + 1;
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else {
        report.warn("TLS", &format!("certificate {number} cannot be read"));
        return;
    };
    let names = match index {
        // Only the broker's own names count.
        0 => format!(" for {}", names(&certificate)),
        _ => String::new(),
    };
    let end = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
    let left = Duration::from_secs(seconds_until(end));
    let text = format!(
        "certificate {number}: {}{names}, issued by {}, expires in {}",
        certificate.subject(),
        certificate.issuer(),
        humantime::format_duration(whole(left))
    );
    match left < SOON {
        true => report.warn("TLS", &format!("{text}: renew it")),
        false => report.good("TLS", &text),
    }
}

/// Days where there are some: nobody wants the seconds of a year.
fn whole(left: Duration) -> Duration {
    const DAY_SECONDS: u64 = 24 * 3_600;
    match left.as_secs() {
        seconds if seconds >= DAY_SECONDS => Duration::from_secs(seconds - seconds % DAY_SECONDS),
        _ => left,
    }
}

/// The names that a host is compared with.
fn names(certificate: &X509Certificate<'_>) -> String {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return "no name".to_owned();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    let names: Vec<String> = extension
        .value
        .general_names
        .iter()
        .filter_map(name)
        .collect();
    names.join(", ")
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).to_string());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(sixteen).to_string())
}
