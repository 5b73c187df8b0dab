//! Every name that one program writes and the other reads.
//!
//! The webhook writes annotations, volumes, environment and probes; the sidecar and the app read them. Names of the
//! pod's metadata are in [`annotations`], files and volumes in [`mounts`], the value of `--listen` in [`listen`], the
//! annotation `endpoint` in [`endpoints`], the annotation `status` in [`status`] and what fills the volumes in [`sources`].

pub mod annotations;
pub mod endpoints;
pub mod listen;
pub mod mounts;
pub mod sources;
pub mod status;
pub mod words;

pub use annotations::{ANNOTATION_PREFIX, Annotation};
pub use endpoints::{ENDPOINTS_MAX, EndpointFault, EndpointPort, parse_endpoints};
pub use listen::{Listen, ListenFault};
pub use mounts::{CA_DIR, CONFIG_FILE, CREDENTIALS_DIR, MOUNTS, Mount, TOKEN_FILE};
pub use sources::Sources;
pub use status::{InjectedEndpoint, InjectionStatus};
pub use words::{LogLevel, Readiness};

/// Name of the injected container.
pub const CONTAINER: &str = "dataflow-sidecar";
/// The program in the sidecar's image.
pub const PROGRAM: &str = "/dataflow-sidecar";
/// Label on every injected pod, by which the controller, PodMonitors and NetworkPolicies select.
pub const LABEL_INJECTED: &str = "dataflow-sidecar.io/injected";
/// Value of [`LABEL_INJECTED`].
pub const LABEL_INJECTED_VALUE: &str = "true";

/// Subcommands of `dataflow-sidecar`.
pub mod command {
    /// Runs the proxy.
    pub const RUN: &str = "run";
    /// Returns once all listeners are bound.
    pub const WAIT: &str = "wait";
    /// Sends a message through the sidecar as an app would.
    pub const PROBE: &str = "probe";
    /// Dials each endpoint once and explains each step.
    pub const CHECK: &str = "check";
}

/// Environment variables of the sidecar's container: each stands for a flag of `dataflow-sidecar run`.
pub mod env {
    /// `--listen`: one or several [`super::Listen`], separated by commas.
    pub const LISTEN: &str = "DATAFLOW_SIDECAR_LISTEN";
    /// `--mounts`: the folder [`super::MOUNTS`].
    pub const MOUNTS: &str = "DATAFLOW_SIDECAR_MOUNTS";
    /// `--admin`: address and port of the admin server.
    pub const ADMIN: &str = "DATAFLOW_SIDECAR_ADMIN";
    /// `--instance`: the pod's name, part of the broker's client ids where the endpoint has a prefix.
    pub const INSTANCE: &str = "DATAFLOW_SIDECAR_INSTANCE";
    /// `--readiness`: a [`super::Readiness`].
    pub const READINESS: &str = "DATAFLOW_SIDECAR_READINESS";
    /// Log filter: a [`super::LogLevel`], or a filter of `tracing`.
    pub const LOG: &str = "DATAFLOW_SIDECAR_LOG";
    /// `--sources`: what fills the mounts, as [`super::sources`] writes it.
    pub const SOURCES: &str = "DATAFLOW_SIDECAR_SOURCES";
    /// Separates the values of [`LISTEN`].
    pub const LISTEN_SEPARATOR: char = ',';
}

/// Environment variables of the app's containers, by which apps on the Azure IoT Operations SDKs find the sidecar.
pub mod app_env {
    /// Host of the broker as the app sees it: [`HOSTNAME_VALUE`].
    pub const HOSTNAME: &str = "AIO_BROKER_HOSTNAME";
    /// The sidecar listens in the app's own network namespace.
    pub const HOSTNAME_VALUE: &str = "localhost";
    /// Port of the first endpoint's listener.
    pub const TCP_PORT: &str = "AIO_BROKER_TCP_PORT";
    /// [`USE_TLS_VALUE`].
    pub const USE_TLS: &str = "AIO_MQTT_USE_TLS";
    /// The sidecar speaks TLS for the app.
    pub const USE_TLS_VALUE: &str = "false";
    /// MQTT client id: the pod's name, with the container's behind it where the pod has several app containers.
    pub const CLIENT_ID: &str = "AIO_MQTT_CLIENT_ID";
    /// The pod's name by field reference, for `$(...)` in [`CLIENT_ID`].
    pub const POD: &str = "DATAFLOW_SIDECAR_POD";
    /// Every variable that an injected container may get, in the order they are written.
    pub const ALL: [&str; 5] = [POD, HOSTNAME, TCP_PORT, USE_TLS, CLIENT_ID];
}

/// Port of the first endpoint's listener; the k-th endpoint's default is `DEFAULT_PORT + k - 1`.
pub const DEFAULT_PORT: u16 = 1883;
/// Default port of the sidecar's admin server.
pub const ADMIN_PORT: u16 = 9464;
/// Name of the admin server's container port; Kubernetes allows 15 characters.
pub const ADMIN_PORT_NAME: &str = "dataflow-admin";

/// Paths of the admin servers.
pub mod admin_path {
    /// The status as a page for a browser.
    pub const PAGE: &str = "/";
    /// Prometheus metrics.
    pub const METRICS: &str = "/metrics";
    /// Liveness: the process answers.
    pub const LIVEZ: &str = "/livez";
    /// Readiness, in the sense of [`super::Readiness`].
    pub const READYZ: &str = "/readyz";
    /// State of endpoints and sessions as JSON.
    pub const STATUS: &str = "/status";
    /// `PUT` changes the log filter; answers loopback only.
    pub const LOG_LEVEL: &str = "/log-level";
}

/// Annotations by which Prometheus finds the admin server in a pod that has none of its own.
pub mod prometheus {
    /// `"true"`
    pub const SCRAPE: &str = "prometheus.io/scrape";
    /// The admin port.
    pub const PORT: &str = "prometheus.io/port";
    /// [`super::admin_path::METRICS`]
    pub const PATH: &str = "prometheus.io/path";
    /// All three: where the app has one of them, it gets none.
    pub const ALL: [&str; 3] = [SCRAPE, PORT, PATH];
}

/// Audience of a service account token where `serviceAccountTokenSettings` is absent.
pub const DEFAULT_AUDIENCE: &str = "aio-internal";
/// Audience of the service account token that Entra exchanges for a user-assigned identity's token.
pub const FEDERATION_AUDIENCE: &str = "api://AzureADTokenExchange";
/// Audience of a system-assigned identity's token where the settings say none.
pub const MANAGED_IDENTITY_AUDIENCE: &str = "https://eventgrid.azure.net";
/// Scope of a user-assigned identity's token where the settings say none.
pub const MANAGED_IDENTITY_SCOPE: &str = "https://eventgrid.azure.net/.default";

/// Lifetime of the projected token in seconds, where the annotation says none.
pub const TOKEN_EXPIRATION_SECONDS: u32 = 3_600;
/// The API server refuses a shorter one.
pub const TOKEN_EXPIRATION_SECONDS_MIN: u32 = 600;
/// The longest that Azure IoT Operations' own manifests ask for; many clusters cap it there.
pub const TOKEN_EXPIRATION_SECONDS_MAX: u32 = 86_400;
/// Below this a token may run out before a new one is in the pod: the kubelet renews at 80 % and needs up to 90 s.
pub const TOKEN_EXPIRATION_SECONDS_ADVISED: u32 = 1_200;

/// Resources of the sidecar's container, as Kubernetes quantities.
pub mod resources {
    /// CPU request.
    pub const CPU_REQUEST: &str = "10m";
    /// Memory request.
    pub const MEMORY_REQUEST: &str = "32Mi";
    /// CPU limit, where the app's containers have one.
    pub const CPU_LIMIT: &str = "100m";
    /// Memory limit, where the app's containers have one.
    pub const MEMORY_LIMIT: &str = "64Mi";
}

/// Field manager of everything that the controller applies.
pub const FIELD_MANAGER: &str = "dataflow-webhook";
/// Label by which the controller knows its ConfigMaps.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`LABEL_MANAGED_BY`].
pub const LABEL_MANAGED_BY_VALUE: &str = FIELD_MANAGER;
/// What the names of those ConfigMaps begin with.
pub const CONFIG_MAP_PREFIX: &str = "dataflow-endpoint-";
/// The key of such a ConfigMap that holds the resource as JSON.
pub const CONFIG_MAP_KEY: &str = "endpoint.json";

/// Name of the ConfigMap that carries an endpoint into the pods.
pub fn config_map_name(endpoint: &str) -> String {
    format!("{CONFIG_MAP_PREFIX}{endpoint}")
}
