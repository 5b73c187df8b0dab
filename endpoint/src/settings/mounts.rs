//! What a pod must mount for an endpoint, and the hash of it that tells when the pod must be restarted.

use sha2::{Digest, Sha256};

use super::{Authentication, Settings};
use crate::contract::FEDERATION_AUDIENCE;

/// 64 bits: short enough for an annotation, and two settings of one endpoint do not meet by chance.
const HASH_BYTES: usize = 8;

impl Settings {
    /// The audience of the service account token that the pod must project, if the method takes one.
    pub fn needs_token(&self) -> Option<&str> {
        match &self.authentication {
            Authentication::ServiceAccountToken { audience } => Some(audience),
            Authentication::UserAssignedManagedIdentity { .. } => Some(FEDERATION_AUDIENCE),
            _ => None,
        }
    }

    /// The ConfigMap with trusted certificates that the pod must mount; only TLS reads one.
    pub fn trusted_ca(&self) -> Option<&str> {
        self.tls.as_ref().and_then(|tls| tls.trusted_ca.as_deref())
    }

    /// The Secret that the pod must mount.
    pub fn secret(&self) -> Option<&str> {
        match &self.authentication {
            Authentication::X509Certificate { secret } | Authentication::AccessToken { secret } => {
                Some(secret)
            }
            _ => None,
        }
    }

    /// A short hash of what a running pod cannot take without a restart: method, Secret, CA, token audience and
    /// lifetime. Two settings with one hash need the same mounts.
    pub fn mounts_hash(&self, token_expiration_seconds: u32) -> String {
        let token = self
            .needs_token()
            .map(|audience| format!("{token_expiration_seconds} {audience}"));
        let parts = [
            Some(self.authentication.method().as_str()),
            self.secret(),
            self.trusted_ca(),
            token.as_deref(),
        ];
        let mut hash = Sha256::new();
        for part in parts {
            // No part contains a line break, so two lists never run together to one text.
            hash.update(part.unwrap_or_default());
            hash.update("\n");
        }
        hash.finalize()
            .iter()
            .take(HASH_BYTES)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests;
