//! Every name that one program writes and the other reads.

/// Prefix of every annotation that the webhook reads or writes.
pub const ANNOTATION_PREFIX: &str = "dataflow-sidecar.io/";
/// Name of the injected container.
pub const CONTAINER: &str = "dataflow-sidecar";
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
/// Environment variables that stand for the flags of `dataflow-sidecar run`.
pub mod env {
    /// `--listen`
    pub const LISTEN: &str = "DATAFLOW_SIDECAR_LISTEN";
    /// `--mounts`
    pub const MOUNTS: &str = "DATAFLOW_SIDECAR_MOUNTS";
    /// `--admin`
    pub const ADMIN: &str = "DATAFLOW_SIDECAR_ADMIN";
    /// `--instance`
    pub const INSTANCE: &str = "DATAFLOW_SIDECAR_INSTANCE";
    /// Log filter
    pub const LOG: &str = "DATAFLOW_SIDECAR_LOG";
}
/// Port of the first endpoint's listener; the k-th endpoint's default is `DEFAULT_PORT + k - 1`.
pub const DEFAULT_PORT: u16 = 1883;
/// Default port of the sidecar's admin server.
pub const ADMIN_PORT: u16 = 9464;
