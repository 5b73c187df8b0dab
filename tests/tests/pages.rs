//! What the admin servers of the running programs show: metrics as documented.

#[path = "pages/metrics.rs"]
mod metrics;
