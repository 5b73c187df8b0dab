//! `make demo`: the main job in one minute, with nothing but the two programs and an embedded broker.

mod screen;
mod webhook;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use endpoint::contract::Mount;
use tests::app::{App, Version};
use tests::broker::process::Broker;
use tests::eventually;
use tests::mounts::Mounts;
use tests::sidecar::Sidecar;
use tokio::time::{Instant, sleep};

use screen::Screen;

/// Between two messages of the app.
const PAUSE: Duration = Duration::from_millis(4);

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<bool> {
    let mut screen = Screen::new();
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let mut broker = Broker::new();

    screen.heading("An endpoint is checked when it is applied");
    webhook::validate(&screen, folder.path(), broker.port)?;

    screen.heading("A pod is injected");
    webhook::inject(&screen, folder.path())?;

    screen.heading("A broker that demands service account tokens over TLS");
    broker.start().await;
    screen.say(format!(
        "The embedded broker listens on localhost:{} and takes K8S-SAT tokens only.",
        broker.port
    ));

    screen.heading("The sidecar, and an app that knows nothing of all this");
    let mounts = Mounts::new(webhook::settings(broker.port));
    mounts.swap(
        "default",
        Mount::Ca,
        &[("ca.crt", broker.authority.certificate().as_bytes())],
    );
    mounts.token(&broker.token(1));
    let sidecar = Sidecar::start(&mounts).await;
    screen.say(format!(
        "dataflow-sidecar listens on localhost:{}; metrics and status are on http://localhost:{}/status",
        sidecar.port, sidecar.admin_port
    ));
    let app = App::connect(Version::V311, sidecar.port, "oven").await;
    screen.say(format!(
        "The app connected with plain MQTT 3.1.1; the broker saw {}.",
        broker.identity("oven")
    ));

    screen.heading("Two token rotations and a broker that is killed, under load");
    let mut load = Load {
        app: &app,
        published: 0,
    };
    load.run(Duration::from_secs(3)).await;
    for serial in [2, 3] {
        mounts.token(&broker.token(serial));
        load.run(Duration::from_secs(3)).await;
        screen.say(format!(
            "Token {serial} was mounted: the broker re-authenticated the open connection ({} so far).",
            broker.count("reauth")
        ));
    }
    let before = broker.count("connect");
    broker.kill();
    screen.say("The broker was killed (SIGKILL). The app goes on publishing.");
    load.run_blocked(Duration::from_secs(2)).await;
    broker.start().await;
    eventually::is_true("the sidecar is back at the broker", || {
        broker.count("connect") > before
    })
    .await;
    load.run(Duration::from_secs(4)).await;
    screen.say("The broker is back. It had lost its sessions, so the sidecar sent again what was unacknowledged.");
    app.wait_for_acknowledged(load.published as usize).await;

    screen.heading("What it came to");
    let good = report(&screen, &app, load.published, &broker, &sidecar).await;
    if std::env::var_os("KEEP").is_some() {
        println!(
            "\n   KEEP is set: everything stays until Ctrl-C. Mounts are in {}",
            mounts.path().display()
        );
        tokio::signal::ctrl_c()
            .await
            .context("waiting for Ctrl-C")?;
    }
    Ok(good)
}

async fn report(screen: &Screen, app: &App, sent: u64, broker: &Broker, sidecar: &Sidecar) -> bool {
    let record = app.record();
    let arrived = broker.arrived("demo");
    let received: BTreeSet<u64> = arrived.iter().copied().collect();
    let lost = record.acknowledged.difference(&received).count();
    let reauthentications = broker.count("reauth");
    let reconnects = broker.count("connect").saturating_sub(1);
    screen.row("sent by the app", sent, sent > 0);
    screen.row(
        "acknowledged to the app",
        record.acknowledged.len(),
        record.acknowledged.len() as u64 == sent,
    );
    screen.row(
        "received by the broker",
        received.len(),
        received.len() as u64 == sent,
    );
    screen.row("lost", lost, lost == 0);
    // A broker that forgets its sessions cannot know a resend from a new message: at least once.
    screen.row("received twice", arrived.len() - received.len(), true);
    screen.row(
        "app disconnects",
        record.disconnects,
        record.disconnects == 0,
    );
    screen.row(
        "re-authentications",
        reauthentications,
        reauthentications >= 2,
    );
    screen.row("reconnects", reconnects, reconnects == 1);
    let resent = sidecar
        .metric("dataflow_sidecar_messages_resent_total", "")
        .await;
    screen.row("sent again by the sidecar", resent, true);
    let good = lost == 0
        && record.acknowledged.len() as u64 == sent
        && record.disconnects == 0
        && reauthentications >= 2
        && reconnects == 1;
    screen.verdict(
        good,
        match good {
            true => "Nothing was lost, and the app noticed nothing.",
            false => "Something went wrong: see the lines marked WRONG.",
        },
    );
    good
}

/// The app's messages.
struct Load<'a> {
    app: &'a App,
    published: u64,
}

impl Load<'_> {
    async fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.publish().await;
            sleep(PAUSE).await;
        }
    }

    /// While the broker is away the client library stops at its window of unacknowledged messages.
    async fn run_blocked(&mut self, time: Duration) {
        let end = Instant::now() + time;
        for _ in 0..50 {
            self.publish().await;
        }
        tokio::time::sleep_until(end).await;
    }

    async fn publish(&mut self) {
        self.app
            .publish(&format!("demo/{}", self.published), 1, self.published)
            .await;
        self.published += 1;
    }
}
