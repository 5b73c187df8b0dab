//! The end of the process: which signals ask for it, and how long it may take.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// From the signal to the exit: the kubelet gives a native sidecar 2 s when the app used up the whole grace period.
pub(crate) const SHUTDOWN_TIME_MAX: Duration = Duration::from_millis(1_450);

/// Waits for the signal that asks the process to end, and names it.
///
/// # Errors
/// The signals cannot be caught.
pub(crate) async fn requested() -> std::io::Result<&'static str> {
    // SIGTERM: Kubernetes sends this to begin a graceful shutdown. SIGINT: a person at a terminal.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Waits until the sidecar is being stopped.
pub(crate) async fn begun(stopping: &mut watch::Receiver<bool>) {
    // An error means that whoever could stop it is gone: the end too.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
