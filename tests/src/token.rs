//! Service account tokens as Kubernetes signs them: JWTs (RFC 7519) with ES256, and their check against a public key.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use serde_json::{Value, json};

use crate::broker::gate::{Answer, Judge};

/// What the API server has: signs tokens. `ring` is in the tree for TLS; a JWT library would be one more.
pub struct Issuer {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Issuer {
    /// An issuer with a fresh key.
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key =
            EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("its own key");
        Self { key, random }
    }

    /// The public key, for [`check`], in base64.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref())
    }

    /// A token for a service account; `serial` makes it differ from others of the same second.
    pub fn token(
        &self,
        subject: &str,
        audience: &str,
        lifetime_seconds: i64,
        serial: u32,
    ) -> String {
        let now = now_seconds();
        let claims = json!({
            "iss": "https://kubernetes.default.svc",
            "sub": subject,
            "aud": [audience],
            "iat": now,
            "exp": now + lifetime_seconds,
            "jti": format!("serial-{serial}"),
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            part(json!({"alg": "ES256", "typ": "JWT"})),
            part(claims)
        );
        let signature = self
            .key
            .sign(&self.random, signed.as_bytes())
            .expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

/// Whom a broker outside a cluster trusts.
#[derive(Debug, Clone)]
pub struct KeySet {
    /// Public key of the issuer, as [`Issuer::public_key`] gives it.
    pub issuer_key: String,
    /// Audience that tokens must be for.
    pub audience: String,
}

impl Judge for KeySet {
    fn subject<'a>(&'a self, token: &'a str) -> Answer<'a, Result<String, String>> {
        let subject = check(token, &self.issuer_key, &self.audience).map_err(str::to_owned);
        Box::pin(std::future::ready(subject))
    }
}

/// The subject of a token that is signed, in time, and meant for `audience`.
///
/// # Errors
/// What is wrong with it, without the token.
pub fn check(token: &str, public_key: &str, audience: &str) -> Result<String, &'static str> {
    let (signed, signature) = token.rsplit_once('.').ok_or("it has not three parts")?;
    let (_, claims) = signed.split_once('.').ok_or("it has not three parts")?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "it is not base64");
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(public_key)?);
    key.verify(signed.as_bytes(), &decode(signature)?)
        .map_err(|_| "its signature is wrong")?;
    let claims: Value =
        serde_json::from_slice(&decode(claims)?).map_err(|_| "its claims are no JSON")?;
    let meant = claims["aud"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one == audience));
    if !meant {
        return Err("it is for another audience");
    }
    if claims["exp"]
        .as_i64()
        .is_none_or(|exp| exp <= now_seconds())
    {
        return Err("it has expired");
    }
    claims["sub"]
        .as_str()
        .map(str::to_owned)
        .ok_or("it has no subject")
}

fn now_seconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_only_with_its_key_audience_and_time() {
        let issuer = Issuer::new();
        let key = issuer.public_key();
        let token = issuer.token("system:serviceaccount:a:b", "aio-internal", 60, 1);
        assert_eq!(
            check(&token, &key, "aio-internal"),
            Ok("system:serviceaccount:a:b".to_owned())
        );
        assert!(check(&token, &key, "other").is_err());
        assert!(check(&token, &Issuer::new().public_key(), "aio-internal").is_err());
        assert!(
            check(
                &issuer.token("s", "aio-internal", -1, 1),
                &key,
                "aio-internal"
            )
            .is_err()
        );
        for broken in ["", "a.b", "a.b.c", &token[..token.len() - 4]] {
            assert!(check(broken, &key, "aio-internal").is_err(), "{broken:?}");
        }
        assert_ne!(
            token,
            issuer.token("system:serviceaccount:a:b", "aio-internal", 60, 2)
        );
    }
}
