//! The authority's certificate, and the serving certificates that it signs.

use std::sync::Arc;
use std::time::Duration;

use crate::server::certificates::{server_config, validity};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A year, as cert-manager's own webhook has it. Its end is never reached: the next one comes after two thirds.
const CA_LIFE_SECONDS: i64 = 365 * 24 * 3600;
/// A leaf is never written anywhere, so it can be short; a week bridges an API server that is away over a weekend.
pub(super) const LEAF_LIFE_SECONDS: i64 = 7 * 24 * 3600;
/// The clocks of two nodes differ.
const BACKDATE_SECONDS: i64 = 300;
/// 31 December 9999.
const DATE_SECONDS_MAX: i64 = 253_402_214_400;
/// So many authorities before the present one are kept in the bundle: there is one, unless a Secret was damaged.
const PREVIOUS_MAX: usize = 4;
/// By it we know an authority of ours in a bundle.
const COMMON_NAME: &str = "dataflow-webhook";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The certificate cannot be used.
    #[error("it holds no usable certificate of an authority")]
    Certificate,
    /// The key cannot be used, or is another certificate's.
    #[error("it holds no key that belongs to its certificate")]
    Key,
    /// The authority's life is over.
    #[error("its certificate is over")]
    Over,
    /// Making one failed.
    #[error("making a certificate failed: {0}")]
    Make(#[from] rcgen::Error),
    /// The TLS library refuses what was made.
    #[error("the TLS library refuses the new certificate: {0}")]
    Unusable(#[from] rustls::Error),
}

/// From when to when a certificate holds, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before_seconds: i64,
    /// The last second.
    pub not_after_seconds: i64,
}

impl Validity {
    fn from_now(now_seconds: i64, life_seconds: i64) -> Validity {
        Validity {
            not_before_seconds: now_seconds - BACKDATE_SECONDS,
            not_after_seconds: now_seconds + life_seconds,
        }
    }

    /// Two thirds of the life are over.
    pub fn is_due(self, now_seconds: i64) -> bool {
        let life_seconds = self.not_after_seconds - self.not_before_seconds;
        now_seconds >= self.not_before_seconds + life_seconds / 3 * 2
    }

    /// The whole life is over.
    pub fn is_over(self, now_seconds: i64) -> bool {
        now_seconds > self.not_after_seconds
    }
}

/// An authority: what the Secret holds.
pub struct Ca {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
    /// The authorities before it whose leaves may still be served, PEM; empty where there is none.
    previous_pem: String,
    /// Its life.
    pub validity: Validity,
    issuer: Issuer<'static, KeyPair>,
}

/// Without the key.
impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca")
            .field("validity", &self.validity)
            .field("previous", &!self.previous_pem.is_empty())
            .finish_non_exhaustive()
    }
}

/// A serving certificate, in memory only.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// What a connection needs.
    pub config: Arc<ServerConfig>,
    /// Its life.
    pub validity: Validity,
    /// The authority that signed it.
    pub ca: CertificateDer<'static>,
}

impl Ca {
    /// A fresh authority that follows `previous`, PEM.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn make(now_seconds: i64, previous_pem: String) -> Result<Ca, CaError> {
        let validity = Validity::from_now(now_seconds, CA_LIFE_SECONDS);
        let mut params = params(validity)?;
        params
            .distinguished_name
            .push(DnType::CommonName, COMMON_NAME);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ca::parse(
            certificate.pem(),
            key.serialize_pem(),
            previous_pem,
            now_seconds,
        )
    }

    /// The authority of a Secret.
    ///
    /// # Errors
    /// It cannot sign.
    pub fn parse(
        certificate_pem: String,
        key_pem: String,
        previous_pem: String,
        now_seconds: i64,
    ) -> Result<Ca, CaError> {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|_| CaError::Certificate)?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&certificate).map_err(|_| CaError::Certificate)?;
        if !parsed.is_ca() {
            return Err(CaError::Certificate);
        }
        let key = KeyPair::from_pem(&key_pem).map_err(|_| CaError::Key)?;
        if *parsed.public_key().subject_public_key.data != *key.public_key_raw() {
            return Err(CaError::Key);
        }
        let validity = validity(&certificate).ok_or(CaError::Certificate)?;
        if validity.is_over(now_seconds) {
            return Err(CaError::Over);
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(|_| CaError::Certificate)?;
        Ok(Ca {
            certificate,
            certificate_pem,
            key_pem,
            previous_pem,
            validity,
            issuer,
        })
    }

    /// The same authority once nothing is served any more that one before it has signed.
    ///
    /// # Errors
    /// None that [`Ca::parse`] did not find before.
    pub fn without_previous(&self, now_seconds: i64) -> Result<Ca, CaError> {
        let (certificate, key) = (self.certificate_pem.clone(), self.key_pem.clone());
        Ca::parse(certificate, key, String::new(), now_seconds)
    }

    /// A serving certificate for one DNS name.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn sign(&self, dns_name: &str, now_seconds: i64) -> Result<Leaf, CaError> {
        let mut validity = Validity::from_now(now_seconds, LEAF_LIFE_SECONDS);
        validity.not_after_seconds = validity
            .not_after_seconds
            .min(self.validity.not_after_seconds);
        let mut params = params(validity)?;
        params.distinguished_name.push(DnType::CommonName, dns_name);
        params.subject_alt_names = vec![rcgen::SanType::DnsName(dns_name.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let chain = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Ok(Leaf {
            config: Arc::new(server_config(chain, key)?),
            validity,
            ca: self.certificate.clone(),
        })
    }

    /// The certificate alone.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What an API server must trust: this authority and those before it, PEM.
    pub fn bundle_pem(&self) -> String {
        format!("{}{}", self.certificate_pem, self.previous_pem)
    }

    /// The parts of the Secret: certificate, key, the certificates before, PEM.
    pub fn parts_pem(&self) -> [&str; 3] {
        [&self.certificate_pem, &self.key_pem, &self.previous_pem]
    }

    /// Whether there are authorities before it to be trusted.
    pub fn has_previous(&self) -> bool {
        !self.previous_pem.is_empty()
    }
}

fn params(validity: Validity) -> Result<CertificateParams, CaError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let date = |seconds: i64| {
        // Certificates end with the year 9999, whatever the clock says.
        let seconds = seconds.clamp(0, DATE_SECONDS_MAX).unsigned_abs();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = date(validity.not_before_seconds);
    params.not_after = date(validity.not_after_seconds);
    Ok(params)
}

/// The authorities of ours in bundles that still hold, each once, PEM: a replica that begins with a damaged Secret must not
/// cut off those that still serve by the one before.
pub fn still_ours(bundles_pem: &[Vec<u8>], now_seconds: i64) -> String {
    let mut certificates: Vec<CertificateDer<'static>> = bundles_pem
        .iter()
        .flat_map(|bundle| certificates(bundle))
        .filter(is_ours)
        .filter(|certificate| validity(certificate).is_some_and(|life| !life.is_over(now_seconds)))
        .collect();
    certificates.sort_by(|a, b| a.as_ref().cmp(b.as_ref()));
    certificates.dedup();
    certificates.truncate(PREVIOUS_MAX);
    let pem = |certificate: &CertificateDer<'_>| {
        pem::encode(&pem::Pem::new("CERTIFICATE", certificate.to_vec()))
    };
    certificates.iter().map(pem).collect()
}

/// The certificates of a bundle, without what is none.
pub fn certificates(bundle_pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(bundle_pem)
        .filter_map(Result::ok)
        .collect()
}

fn is_ours(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return false;
    };
    let mut names = parsed.subject().iter_common_name();
    names.any(|name| name.as_str() == Ok(COMMON_NAME))
}
