//! Certificates of the tests: an authority, servers on this machine, and clients.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};
use tokio_rustls::TlsAcceptor;

/// A certificate and its key, PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The chain.
    pub certificate: String,
    /// PKCS#8.
    pub key: String,
}

/// Signs certificates.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A fresh authority.
    pub fn new(name: &str) -> Self {
        let params = authority_params(name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        Self {
            certificate,
            issuer,
        }
    }

    /// Its own certificate, PEM: what the other side must trust.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A server on this machine: `localhost`, 127.0.0.1 and ::1.
    pub fn server(&self) -> Identity {
        self.server_for(&["localhost", "127.0.0.1", "::1"])
    }

    /// A server of these names.
    pub fn server_for(&self, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, "server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// A server on this machine whose certificate ended years ago.
    pub fn expired_server(&self) -> Identity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    /// A server on this machine whose certificate ends within three days.
    pub fn ending_server(&self) -> Identity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let end = now.expect("a clock after 1970") + Duration::from_secs(3 * 24 * 3_600 - 60);
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + end;
        self.sign(params)
    }

    /// A server elsewhere.
    pub fn other_server(&self) -> Identity {
        self.server_for(&["broker.example"])
    }

    /// An authority that this one vouches for.
    pub fn intermediate(&self, name: &str) -> Authority {
        let params = authority_params(name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Authority {
            certificate: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A client of this name.
    pub fn client(&self, name: &str) -> Identity {
        self.sign(client_params(name))
    }

    /// The certificate of a client that has a key already, PKCS#8 in PEM.
    pub fn client_with(&self, name: &str, key: &str) -> String {
        let key = KeyPair::from_pem(key).expect("a key of a known kind");
        let certificate = client_params(name).signed_by(&key, &self.issuer);
        certificate.expect("a certificate").pem()
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("a certificate")
            .pem();
        Identity {
            certificate,
            key: key.serialize_pem(),
        }
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

fn client_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A TLS server with this certificate that asks its clients for none.
pub fn acceptor(identity: &Identity) -> TlsAcceptor {
    accepting(identity, |builder| builder.with_no_client_auth())
}

/// The same for clients with a certificate of this authority.
pub fn acceptor_of_clients(identity: &Identity, authority: &Authority) -> TlsAcceptor {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.certificate().as_bytes()).expect("PEM");
    roots.add(root).expect("a certificate");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .expect("a root");
    accepting(identity, |builder| {
        builder.with_client_cert_verifier(verifier)
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn accepting(
    identity: &Identity,
    clients: impl FnOnce(
        ConfigBuilder<ServerConfig, WantsVerifier>,
    ) -> ConfigBuilder<ServerConfig, WantsServerCert>,
) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3");
    let config = clients(builder).with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.expect("a pair")))
}
