//! `make endurance`: four apps publish and receive for an hour through one sidecar, while the token rotates and the
//! broker is stopped and started again and again. It prints what was lost, what came twice, and how memory went.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use tests::app::{App, Version};
use tests::mosquitto::{Mosquitto, PERSISTENT};
use tests::setup::{Method, Setup, token};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Plays an hour of rotations and broker restarts under load
#[derive(Debug, Parser)]
struct Arguments {
    /// How long, in seconds
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// Messages a second that all apps together publish; each is also received
    #[arg(long, default_value_t = 2000)]
    rate: u64,
    /// Seconds from one token to the next
    #[arg(long, default_value_t = 10)]
    rotation: u64,
    /// Seconds from one restart of the broker to the next
    #[arg(long, default_value_t = 60)]
    restart: u64,
}

/// Version, quality of service and name of each app; the name is its topic too.
const APPS: [(Version, u8, &str); 4] = [
    (Version::V311, 1, "v311-qos1"),
    (Version::V311, 2, "v311-qos2"),
    (Version::V5, 1, "v5-qos1"),
    (Version::V5, 2, "v5-qos2"),
];
/// Messages are sent in a burst at each of these.
const TICK: Duration = Duration::from_millis(10);
/// Of memory, once the first sessions are set up.
const WARM: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    // Of mosquitto's log a line for each packet would fill the disk.
    let quiet = format!("{PERSISTENT}log_type none\nlog_type error\n");
    let mut setup = Setup::with(Method::ServiceAccountToken, &quiet, |_| ()).await;
    let mut apps = Vec::new();
    for (version, qos, name) in APPS {
        let app = App::connect_persistent(version, setup.sidecar.port, name).await;
        app.subscribe(name, qos).await;
        apps.push(app);
    }
    let start = Instant::now();
    let end = start + Duration::from_secs(arguments.seconds);
    let loads = apps.iter().zip(APPS).map(|(app, (_, qos, name))| {
        publish(
            app,
            name,
            qos,
            arguments.rate as f64 / APPS.len() as f64,
            end,
        )
    });
    let loads = futures::future::join_all(loads);
    let (sent, disturbed) = tokio::join!(loads, disturb(&mut setup, &arguments, start, end));
    for (app, sent) in apps.iter().zip(&sent) {
        app.wait_for_acknowledged(*sent as usize).await;
    }
    println!("{} s, {disturbed}", start.elapsed().as_secs());
    let good = report(&setup.broker, &apps, &sent).await;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Publishes numbers at this rate until the end, catching up after a stop; returns how many.
async fn publish(app: &App, topic: &str, qos: u8, per_second: f64, end: Instant) -> u64 {
    let start = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut sent = 0;
    while Instant::now() < end {
        ticks.tick().await;
        let due = (start.elapsed().as_secs_f64() * per_second) as u64;
        while sent < due {
            app.publish(topic, qos, sent).await;
            sent += 1;
        }
    }
    sent
}

/// Rotates the token and restarts the broker on time; returns what it came to.
async fn disturb(setup: &mut Setup, arguments: &Arguments, start: Instant, end: Instant) -> String {
    tokio::time::sleep_until(start + WARM).await;
    let at_start = setup.sidecar.resident_kib();
    println!("resident after {} s: {at_start} KiB", WARM.as_secs());
    let (mut rotations, mut restarts, mut highest) = (0, 0, at_start);
    let mut seconds = interval(Duration::from_secs(1));
    while Instant::now() < end {
        seconds.tick().await;
        let elapsed = start.elapsed().as_secs();
        highest = highest.max(setup.sidecar.resident_kib());
        if elapsed / arguments.rotation > rotations {
            rotations = elapsed / arguments.rotation;
            let (old, new) = (
                token(&format!("r{}", rotations - 1)),
                token(&format!("r{rotations}")),
            );
            setup.broker.accept_tokens(&[&token("t1"), &old, &new]);
            setup.mounts.token(&new);
        }
        if elapsed / arguments.restart > restarts {
            restarts = elapsed / arguments.restart;
            setup.broker.stop();
            setup.broker.run().await;
            if restarts % 10 == 0 {
                println!(
                    "resident after {elapsed} s: {} KiB",
                    setup.sidecar.resident_kib()
                );
            }
        }
    }
    let at_end = setup.sidecar.resident_kib();
    format!(
        "{rotations} tokens, {restarts} restarts of the broker; resident {at_start} KiB at the start, {at_end} KiB at the \
         end, {highest} KiB at most"
    )
}

/// How often each number came.
#[derive(Default)]
struct Counts(Vec<u32>);

impl Counts {
    fn see(&mut self, number: &str) {
        let Ok(at) = number.parse::<usize>() else {
            return;
        };
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] += 1;
    }

    fn missing(&self, sent: u64) -> u64 {
        let seen = self.0.iter().filter(|count| **count > 0).count() as u64;
        sent.saturating_sub(seen)
    }

    fn doubled(&self) -> u32 {
        self.0.iter().map(|count| count.saturating_sub(1)).sum()
    }
}

/// Prints the table; true if nothing was lost and no app was disconnected.
async fn report(broker: &Mosquitto, apps: &[App], sent: &[u64]) -> bool {
    let (mut arrived, mut connects, mut renewals) = (HashMap::<String, Counts>::new(), 0, 0);
    broker.each_in_journal(|line| {
        let mut words = line.split(' ');
        match words.next() {
            Some("publish") => {
                let topic = words.next().unwrap_or_default();
                arrived
                    .entry(topic.to_owned())
                    .or_default()
                    .see(words.next().unwrap_or_default());
            }
            Some("connect") => connects += 1,
            Some("reauth") => renewals += 1,
            _ => {}
        }
    });
    println!("{connects} connections to the broker, {renewals} re-authentications");
    println!(
        "{:<10} {:>9} {:>9} | {:>7} {:>6} | {:>7} {:>6} | disconnects",
        "", "", "", "broker", "", "app", ""
    );
    println!(
        "{:<10} {:>9} {:>9} | {:>7} {:>6} | {:>7} {:>6} |",
        "app", "sent", "ack.", "doubled", "lost", "doubled", "lost"
    );
    let mut good = true;
    for ((app, sent), (_, _, name)) in apps.iter().zip(sent).zip(APPS) {
        let at_broker = arrived.remove(name).unwrap_or_default();
        let at_app = received(app, *sent).await;
        let record = app.record();
        let acknowledged = record.acknowledged.len() as u64;
        let (lost, lost_to_app) = (at_broker.missing(*sent), at_app.missing(*sent));
        println!(
            "{name:<10} {sent:>9} {acknowledged:>9} | {:>7} {lost:>6} | {:>7} {lost_to_app:>6} | {:>11}",
            at_broker.doubled(),
            at_app.doubled(),
            record.disconnects
        );
        good &= acknowledged == *sent && lost == 0 && lost_to_app == 0 && record.disconnects == 0;
    }
    good
}

/// What an app received, when everything has come or nothing more does.
async fn received(app: &App, sent: u64) -> Counts {
    let mut before = 0;
    loop {
        let record = app.record();
        let mut counts = Counts::default();
        record
            .received
            .iter()
            .for_each(|payload| counts.see(payload));
        if counts.missing(sent) == 0 || record.received.len() == before {
            return counts;
        }
        before = record.received.len();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
