//! The embedded broker in a cluster: it asks the API server about tokens, as the Azure IoT Operations broker does, and
//! has a listener for each other way to authenticate. Its journal is the page on port 8080.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser;
use e2e::broker::{JOURNAL_PORT, Listener};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use tests::broker::gate::Answer;
use tests::broker::{Demand, Journal, Judge, Tls, run};
use tokio::signal::unix::{SignalKind, signal};

/// A broker whose journal the tests read.
#[derive(Parser)]
struct Args {
    /// Audience that tokens must be for.
    #[arg(long, default_value = "aio-internal")]
    audience: String,
    /// Folder with tls.crt, tls.key, ca.crt (who signs clients' certificates) and password.
    #[arg(long)]
    files: PathBuf,
    /// Goes on with this file.
    #[arg(long)]
    journal: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            eprintln!("e2e-broker: signals cannot be heard: {error}");
            return ExitCode::FAILURE;
        }
    };
    tokio::select! {
        // It leaves as a broker does that is killed: nobody is told.
        _ = terminate.recv() => ExitCode::SUCCESS,
        result = serve(Args::parse()) => {
            if let Err(error) = result {
                eprintln!("e2e-broker: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> Result<()> {
    let journal = Journal::open(&args.journal)
        .with_context(|| format!("the journal {} cannot be opened", args.journal.display()))?;
    let journal = Arc::new(journal);
    let client = Client::try_default()
        .await
        .context("the API server is not known: run this in a pod")?;
    let reviews = Reviews {
        api: Api::all(client),
        audience: args.audience,
    };
    let file = args.journal.clone();
    let page = move || std::fs::read_to_string(&file).unwrap_or_default();
    tokio::try_join!(
        listen(
            Listener::Tokens,
            Demand::Token(Box::new(reviews)),
            &args.files,
            &journal
        ),
        listen(
            Listener::Certificates,
            Demand::Certificate,
            &args.files,
            &journal
        ),
        listen(
            Listener::Passwords,
            Demand::Password(args.files.join("password")),
            &args.files,
            &journal
        ),
        listen(Listener::Anonymous, Demand::Nothing, &args.files, &journal),
        async {
            e2e::http::serve(JOURNAL_PORT, page)
                .await
                .context("the journal's page")
        },
    )?;
    Ok(())
}

async fn listen(
    listener: Listener,
    demand: Demand,
    files: &Path,
    journal: &Arc<Journal>,
) -> Result<()> {
    let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, listener.port()));
    let tls = (listener != Listener::Anonymous).then(|| Tls {
        certificate: files.join("tls.crt"),
        key: files.join("tls.key"),
        client_authority: (listener == Listener::Certificates).then(|| files.join("ca.crt")),
    });
    run(address, tls, demand, journal.clone())
        .await
        .with_context(|| format!("the listener {listener:?} on {address}"))
}

/// Asks the API server whose a token is.
struct Reviews {
    api: Api<TokenReview>,
    audience: String,
}

impl Judge for Reviews {
    fn subject<'a>(&'a self, token: &'a str) -> Answer<'a, Result<String, String>> {
        Box::pin(async move {
            let review = TokenReview {
                spec: TokenReviewSpec {
                    token: token.to_owned(),
                    audiences: Some(vec![self.audience.clone()]),
                },
                ..TokenReview::default()
            };
            let review = self.api.create(&PostParams::default(), &review).await;
            let review =
                review.map_err(|error| format!("no answer from the API server: {error}"))?;
            let status = review.status.unwrap_or_default();
            match status.user.and_then(|user| user.username) {
                Some(name) if status.authenticated == Some(true) => Ok(name),
                _ => Err(status
                    .error
                    .unwrap_or_else(|| "not authenticated".to_owned())),
            }
        })
    }
}
