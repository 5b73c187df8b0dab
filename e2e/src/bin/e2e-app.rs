//! An app as users write it, in a cluster: it connects where `AIO_BROKER_HOSTNAME` and `AIO_BROKER_TCP_PORT` say,
//! publishes numbered messages to `TOPIC/NUMBER`, and tells what happened to it: the page on port 8081, and a last line
//! on its output when it ends.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use e2e::app::RECORD_PORT;
use serde_json::{Value, json};
use tests::app::{App, Record, Version};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Publishes, subscribes, and tells.
#[derive(Parser)]
struct Args {
    #[arg(long, env = "AIO_BROKER_HOSTNAME")]
    host: String,
    #[arg(long, env = "AIO_BROKER_TCP_PORT")]
    port: u16,
    #[arg(long, env = "AIO_MQTT_CLIENT_ID")]
    client_id: String,
    /// 3 or 5.
    #[arg(long, default_value_t = 5)]
    mqtt: u8,
    #[arg(long, default_value = "load")]
    topic: String,
    #[arg(long, default_value_t = 1)]
    qos: u8,
    #[arg(long)]
    retain: bool,
    /// Milliseconds from one message to the next.
    #[arg(long, default_value_t = 50)]
    every: u64,
    /// Ends when so many messages are acknowledged; none: publishes until it is told to end.
    #[arg(long)]
    count: Option<u64>,
    /// Subscribes to this filter first.
    #[arg(long)]
    subscribe: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            eprintln!("e2e-app: signals cannot be heard: {error}");
            return ExitCode::FAILURE;
        }
    };
    let version = if args.mqtt == 3 {
        Version::V311
    } else {
        Version::V5
    };
    let app = App::start_at(version, &args.host, args.port, &args.client_id);
    let app: &'static App = Box::leak(Box::new(app));
    let code = tokio::select! {
        _ = terminate.recv() => ExitCode::SUCCESS,
        () = work(app, &args) => ExitCode::SUCCESS,
        result = e2e::http::serve(RECORD_PORT, move || page(&app.record()).to_string()) => {
            eprintln!("e2e-app: the page on port {RECORD_PORT}: {result:?}");
            ExitCode::FAILURE
        }
    };
    println!("{}", page(&app.record()));
    code
}

async fn work(app: &App, args: &Args) {
    while app.record().connects == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    if let Some(filter) = &args.subscribe {
        app.subscribe(filter, args.qos).await;
    }
    let mut ticks = interval(Duration::from_millis(args.every));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0..args.count.unwrap_or(u64::MAX) {
        ticks.tick().await;
        let topic = format!("{}/{number}", args.topic);
        app.publish_flagged(&topic, args.qos, args.retain, number)
            .await;
    }
    if args.qos > 0 {
        app.wait_for_acknowledged(usize::try_from(args.count.unwrap_or(0)).unwrap_or(usize::MAX))
            .await;
    }
}

fn page(record: &Record) -> Value {
    json!({
        "acknowledged": record.acknowledged,
        "received": record.received,
        "connects": record.connects,
        "disconnects": record.disconnects,
    })
}
