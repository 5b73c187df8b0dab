use super::*;
use crate::connector::tls::provider;

/// A self-signed certificate and its key, both PEM.
fn pair(name: &str) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.not_after = rcgen::date_time_ymd(2035, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn folder(files: &[(&str, &str)]) -> Folder {
    let files = files.iter().map(|(name, content)| {
        (
            (*name).to_owned(),
            Bytes::copy_from_slice(content.as_bytes()),
        )
    });
    Folder::Files(files.collect())
}

#[test]
fn both_layouts_load() {
    let (certificate, key) = pair("app");
    let (intermediate, _) = pair("intermediate");
    let tls = folder(&[("tls.crt", &certificate), ("tls.key", &key)]);
    let identity_of = |folder: &Folder| identity(folder, &provider()).unwrap().unwrap();
    assert_eq!(identity_of(&tls).key.cert.len(), 1);
    let azure = folder(&[
        ("client_cert.pem", &certificate),
        ("client_key.pem", &key),
        ("client_intermediate_certs.pem", &intermediate),
    ]);
    assert_eq!(identity_of(&azure).key.cert.len(), 2);
}

#[test]
fn certificate_tells_subject_and_expiry() {
    let (certificate, key) = pair("app");
    let files = folder(&[("tls.crt", &certificate), ("tls.key", &key)]);
    let identity = identity(&files, &provider()).unwrap().unwrap();
    assert_eq!(identity.expiry_timestamp_seconds, Some(2_051_222_400));
    assert!(identity.subject.contains("CN=app"), "{}", identity.subject);
}

#[test]
fn key_of_another_certificate_is_refused() {
    let (certificate, _) = pair("app");
    let (_, key) = pair("other");
    let files = folder(&[("tls.crt", &certificate), ("tls.key", &key)]);
    let error = identity(&files, &provider()).unwrap_err();
    assert_eq!(
        error,
        AuthError::Mismatch {
            certificate: "tls.crt",
            key: "tls.key"
        }
    );
}

#[test]
fn incomplete_or_broken_files_are_named() {
    let (certificate, key) = pair("app");
    let cut = &certificate[..certificate.len() / 2];
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("tls.crt", &certificate)], "tls.key is missing"),
        (&[("client_key.pem", &key)], "client_cert.pem is missing"),
        (&[("ca.crt", &certificate)], "keys: ca.crt"),
        (&[("tls.crt", ""), ("tls.key", &key)], "tls.crt"),
        (&[("tls.crt", cut), ("tls.key", &key)], "tls.crt"),
        (
            &[("tls.crt", &certificate), ("tls.key", "nonsense")],
            "tls.key",
        ),
    ];
    for (files, expected) in cases {
        let error = identity(&folder(files), &provider())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn folder_without_files_is_a_certificate_that_has_not_come() {
    assert!(identity(&folder(&[]), &provider()).unwrap().is_none());
    assert!(
        identity(&Folder::NotMounted, &provider())
            .unwrap()
            .is_none()
    );
}
