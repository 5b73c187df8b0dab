//! Files in the sidecar's container, per endpoint below `/var/run/dataflow-sidecar/<endpoint>/`, and the volumes they
//! come from.

/// Folder below which each endpoint has a folder of its name.
pub const MOUNTS: &str = "/var/run/dataflow-sidecar";
/// Path of the endpoint's resource below its folder.
pub const CONFIG_FILE: &str = "config/endpoint.json";
/// Path of the projected service account token below the endpoint's folder.
pub const TOKEN_FILE: &str = "token/token";
/// Folder with the trusted certificates below the endpoint's folder.
pub const CA_DIR: &str = "ca";
/// Folder with the Secret's files below the endpoint's folder.
pub const CREDENTIALS_DIR: &str = "credentials";
/// The name of the token's file in its volume.
pub const TOKEN_VOLUME_PATH: &str = "token";

/// An empty volume that keeps the pod's API token out of the sidecar: the API server mounts it where nothing else is.
pub const NO_API_TOKEN_VOLUME: &str = "dataflow-sidecar-no-api-token";
/// Where the API server would mount the pod's API token.
pub const SERVICE_ACCOUNT_DIR: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Files of a Secret of type `kubernetes.io/tls`.
pub mod tls_secret {
    /// Certificate chain, PEM.
    pub const CERTIFICATE: &str = "tls.crt";
    /// Key, PEM.
    pub const KEY: &str = "tls.key";
}

/// Files of a Secret as Azure IoT Operations documents it.
pub mod client_secret {
    /// Certificate, PEM.
    pub const CERTIFICATE: &str = "client_cert.pem";
    /// Key, PEM.
    pub const KEY: &str = "client_key.pem";
    /// Intermediate certificates, PEM, optional.
    pub const INTERMEDIATES: &str = "client_intermediate_certs.pem";
}

/// The key of an access token's Secret; a Secret with one other key only is read too.
pub const ACCESS_TOKEN_KEY: &str = "token";

/// A folder of an endpoint in the sidecar's container, and the volume that fills it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mount {
    /// The endpoint's ConfigMap: always.
    Config,
    /// The projected token: with ServiceAccountToken and UserAssignedManagedIdentity.
    Token,
    /// The trusted certificates: with TLS and `trustedCaCertificateConfigMapRef`.
    Ca,
    /// The Secret: with X509Certificate and AccessToken.
    Credentials,
}

impl Mount {
    /// Every folder, in the order the volumes are written.
    pub const ALL: [Mount; 4] = [Mount::Config, Mount::Token, Mount::Ca, Mount::Credentials];

    /// Name of the folder below the endpoint's.
    pub const fn dir(self) -> &'static str {
        match self {
            Mount::Config => "config",
            Mount::Token => "token",
            Mount::Ca => CA_DIR,
            Mount::Credentials => CREDENTIALS_DIR,
        }
    }

    /// Name of the volume for the endpoint at `index`, counted from 0 in the order of the annotation.
    pub fn volume(self, index: usize) -> String {
        format!("dataflow-sidecar-{index}-{}", self.dir())
    }

    /// Where the volume is mounted.
    pub fn path(self, endpoint: &str) -> String {
        format!("{MOUNTS}/{endpoint}/{}", self.dir())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::CONFIG_MAP_KEY;

    #[test]
    fn files_are_where_their_volumes_are_mounted() {
        assert_eq!(
            CONFIG_FILE,
            format!("{}/{CONFIG_MAP_KEY}", Mount::Config.dir())
        );
        assert_eq!(
            TOKEN_FILE,
            format!("{}/{TOKEN_VOLUME_PATH}", Mount::Token.dir())
        );
        assert_eq!(
            Mount::Ca.path("default"),
            "/var/run/dataflow-sidecar/default/ca"
        );
        assert_eq!(
            Mount::Credentials.volume(1),
            "dataflow-sidecar-1-credentials"
        );
    }
}
