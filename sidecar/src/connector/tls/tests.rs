use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;

fn certificate(name: &str) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.self_signed(&key).unwrap().pem()
}

fn folder(files: &[(&str, String)]) -> Folder {
    let files: BTreeMap<String, Bytes> = files
        .iter()
        .map(|(name, content)| {
            (
                (*name).to_owned(),
                Bytes::copy_from_slice(content.as_bytes()),
            )
        })
        .collect();
    Folder::Files(files)
}

#[test]
fn bundle_takes_every_certificate_of_every_key() {
    let two = certificate("b") + &certificate("c");
    let files = folder(&[
        ("ca.crt", certificate("a")),
        ("more.pem", two),
        ("README", "text".into()),
    ]);
    assert_eq!(bundle(&files).unwrap().unwrap().len(), 3);
}

#[test]
fn broken_certificate_names_its_key() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let files = folder(&[("a.pem", certificate("a")), ("b.pem", broken.into())]);
    let error = bundle(&files).unwrap_err();
    assert!(matches!(error, TrustError::Broken { key, .. } if key == "b.pem"));
}

#[test]
fn bundle_without_certificates_is_refused_and_without_files_has_not_come() {
    assert_eq!(
        bundle(&folder(&[("ca.crt", "text".into())])).unwrap_err(),
        TrustError::Empty
    );
    assert!(bundle(&folder(&[])).unwrap().is_none());
    assert!(bundle(&Folder::NotMounted).unwrap().is_none());
}

#[test]
fn further_roots_are_those_of_a_file_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    let with = |content: &str| {
        std::fs::write(&path, content).unwrap();
        public_roots_and(Some(&path)).map(|roots| roots.len() - public_roots().len())
    };
    let unreadable = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let two = certificate("a") + unreadable + &certificate("b");
    assert_eq!(with(&two), Ok(2));
    for content in ["", "nothing", unreadable] {
        assert!(with(content).unwrap_err().contains("holds no certificate"));
    }
    let absent = public_roots_and(Some(Path::new("/absent/roots.pem"))).unwrap_err();
    assert!(
        absent.starts_with("SSL_CERT_FILE /absent/roots.pem"),
        "{absent}"
    );
    let alone = public_roots_and(None).unwrap();
    assert_eq!(alone.len(), public_roots().len());
}

#[test]
fn public_roots_are_there_without_any_file() {
    assert!(public_roots().len() > 50);
}

#[test]
fn failures_are_told_with_a_remedy() {
    let cases = [
        (
            RustlsError::InvalidCertificate(CertificateError::UnknownIssuer),
            "trustedCaCertificateConfigMapRef",
        ),
        (
            RustlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
            "tls.mode",
        ),
        (
            RustlsError::AlertReceived(AlertDescription::CertificateRequired),
            "X509Certificate",
        ),
        (
            RustlsError::InvalidCertificate(CertificateError::Expired),
            "renew",
        ),
    ];
    for (error, remedy) in cases {
        let text = explain(&io::Error::new(io::ErrorKind::InvalidData, error)).unwrap();
        assert!(text.contains(remedy), "{text}");
    }
    assert_eq!(explain(&io::Error::other("something else")), None);
}
