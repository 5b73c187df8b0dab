//! What the admin servers of the running programs show: metrics as documented, and the status page.

#[path = "pages/metrics.rs"]
mod metrics;
#[path = "pages/status.rs"]
mod status;
