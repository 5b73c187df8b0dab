//! Files that change while the sidecar runs: one task per endpoint reads its mounted folders and publishes what is good.
//!
//! The kubelet swaps the `..data` link of a mounted folder, so the folders are watched, not the files; any event counts,
//! contents are compared, and a poll stands in for events that never came. Sessions and dials take the newest
//! [`Snapshot`] from a `tokio::sync::watch`.

mod folder;
mod needs;
mod snapshot;
mod keeper;
#[cfg(test)]
pub(crate) mod testing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use endpoint::contract::{Mount, Sources};
use notify::event::{AccessKind, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

pub(crate) use folder::Folder;
pub(crate) use keeper::{Keeper, warnings};
pub(crate) use snapshot::{Kind, Load, Reading, Security, Snapshot};

use crate::auth::managed_identity::renewal::Renewal;
use crate::auth::managed_identity::service::Environment;
use crate::auth::managed_identity::{Granted, Refused};
use crate::auth::service_account::Token;
use crate::metrics::EndpointMetrics;

/// Files count as written when two readings so far apart are the same: a token is often written in two steps.
const SETTLE_TIME: Duration = Duration::from_millis(200);
/// Readings until a file that never rests is left to the next event or poll.
const SETTLE_ATTEMPTS_MAX: usize = 10;
/// For events that never came: some file systems have none, and inotify watches can be used up.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// The folders of one endpoint.
pub(crate) struct Files {
    endpoint: String,
    path: PathBuf,
    /// What fills them, where that was told.
    sources: Option<Sources>,
}

/// The task that keeps an endpoint's snapshot new.
pub(crate) struct Watch {
    files: Files,
    sender: watch::Sender<Arc<Snapshot>>,
    metrics: Arc<EndpointMetrics>,
}

impl Files {
    /// The folders of an endpoint below the mounts folder.
    pub(crate) fn new(mounts: &Path, endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            path: mounts.join(endpoint),
            sources: None,
        }
    }

    /// The same, with what is known to fill them.
    pub(crate) fn filled_from(self, sources: Option<Sources>) -> Self {
        Self { sources, ..self }
    }

    /// Reads all four folders. They are small and in memory, so this is done on the spot.
    pub(crate) fn read(&self) -> Reading {
        let [config, token, ca, credentials] = self.folders();
        Reading {
            config: Folder::read(&config),
            token: Folder::read(&token),
            ca: Folder::read(&ca),
            credentials: Folder::read(&credentials),
        }
    }

    /// Where they are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn folders(&self) -> [PathBuf; 4] {
        Mount::ALL.map(|mount| self.path.join(mount.dir()))
    }
}

impl Watch {
    /// The task, and where its snapshots are published.
    pub(crate) fn new(
        files: Files,
        metrics: Arc<EndpointMetrics>,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (sender, receiver) = watch::channel(Arc::new(Snapshot::empty()));
        (
            Self {
                files,
                sender,
                metrics,
            },
            receiver,
        )
    }

    /// Reads, publishes and waits for the next change, for as long as the sidecar runs.
    pub(crate) async fn run(self) {
        let changed = Arc::new(Notify::new());
        let mut watcher = watcher(changed.clone());
        let mut keeper = Keeper::new(&self.files.endpoint);
        if let Some(sources) = &self.files.sources {
            keeper.know(sources.clone());
        }
        let mut renewal = Renewal::new(Environment::of_process());
        let mut last: Option<Reading> = None;
        loop {
            self.arm(watcher.as_mut());
            if let Some(reading) = self.settled(last.as_ref()).await {
                last = Some(reading.clone());
                let (snapshot, loads) = keeper.take(reading);
                self.publish(snapshot, &loads);
                renewal.want(keeper.request());
            }
            tokio::select! {
                () = changed.notified() => {}
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                outcome = renewal.next() => {
                    let (snapshot, loads) = keeper.take_token(token_of(outcome));
                    self.publish(snapshot, &loads);
                }
            }
        }
    }

    /// A reading that differs from the last one and rested for a while; `None` if there is nothing new, or no rest.
    async fn settled(&self, last: Option<&Reading>) -> Option<Reading> {
        let mut reading = self.files.read();
        if last == Some(&reading) {
            return None;
        }
        for _ in 0..SETTLE_ATTEMPTS_MAX {
            tokio::time::sleep(SETTLE_TIME).await;
            let again = self.files.read();
            if again == reading {
                return Some(again).filter(|reading| last != Some(reading));
            }
            reading = again;
        }
        warn!(endpoint = %self.files.endpoint, "files kept changing and were not loaded");
        None
    }

    /// Watches every folder that is there; watching one again is harmless, and needed after it was made anew.
    fn arm(&self, watcher: Option<&mut RecommendedWatcher>) {
        let Some(watcher) = watcher else { return };
        // The folders above them tell when one is put there by hand.
        let own = &self.files.path;
        let above = own.parent().unwrap_or(own);
        let folders = self.files.folders();
        for folder in [above, own]
            .into_iter()
            .chain(folders.iter().map(PathBuf::as_path))
        {
            if folder.is_dir()
                && let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
            {
                debug!(folder = %folder.display(), %error, "folder is polled: watching it failed");
            }
        }
    }

    fn publish(&self, snapshot: Snapshot, loads: &[Load]) {
        let endpoint = &self.files.endpoint;
        for Load { kind, result } in loads {
            let kind_name = kind.as_str();
            self.metrics.on_reload(*kind, result.is_ok());
            match result {
                Ok(warnings) => {
                    info!(%endpoint, kind = kind_name, "file loaded");
                    for warning in warnings {
                        warn!(%endpoint, kind = kind_name, "{warning}");
                    }
                }
                Err(fault) => warn!(%endpoint, kind = kind_name, "file not taken: {fault}"),
            }
        }
        if let Some(obstacle) = snapshot.obstacle() {
            warn!(%endpoint, "endpoint cannot reach its broker: {obstacle}");
        }
        self.metrics.on_snapshot(&snapshot);
        self.sender.send_replace(Arc::new(snapshot));
    }
}

/// What the keeper takes of a service's answer.
pub(crate) fn token_of(outcome: Result<Granted, Refused>) -> Result<Token, String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_seconds = since.unwrap_or_default().as_secs();
    match outcome {
        Ok(granted) => Ok(granted.token(now_seconds)),
        Err(refused) => Err(refused.text),
    }
}

/// Wakes `changed` at any event but the reading of a file, which is our own.
fn watcher(changed: Arc<Notify>) -> Option<RecommendedWatcher> {
    let on_event = move |event: notify::Result<notify::Event>| {
        let read = matches!(&event, Ok(event) if matches!(event.kind, EventKind::Access(AccessKind::Open(_))));
        if !read {
            changed.notify_one();
        }
    };
    let watcher = notify::recommended_watcher(on_event);
    if let Err(error) = &watcher {
        warn!("files are polled every {POLL_INTERVAL:?}: watching them failed: {error}");
    }
    watcher.ok()
}

#[cfg(test)]
mod tests;
