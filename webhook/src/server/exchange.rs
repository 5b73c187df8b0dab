//! One request and its answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tracing::{info, warn};

use super::route::{self, Route};
use super::weight;
use crate::decisions::{Decision, Decisions};
use crate::events::{Events, Told};
use crate::metrics::{Metrics, Refused};
use crate::review::{Answered, Reviewer};

/// An UPDATE carries two objects, and the API server takes none above about 1.5 MiB.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest that a webhook configuration can give is 30 s; nothing here needs a third of it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Nearly every review. Larger ones have a room of their own, so that whoever announces much and sends it slowly holds
/// up nothing else.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// All small bodies together: one for each connection.
const SMALL_ROOM_BYTES: usize = 512 * SMALL_BYTES_MAX;
/// All larger bodies together.
pub(super) const LARGE_ROOM_BYTES: usize = 4 * BODY_BYTES_MAX;
/// Larger bodies that are parsed and answered at a time: each may weigh many times its length then.
const LARGE_ANSWERED_MAX: usize = 2;
const KIB: usize = 1024;

/// What requests are answered with.
#[derive(Debug)]
pub struct Exchange {
    /// Decides.
    pub reviewer: Reviewer,
    /// Counts.
    pub metrics: Metrics,
    /// Remembers the last decisions for the status page.
    decisions: Decisions,
    /// Tells owners of pods what nobody else is told.
    events: Events,
    /// Room for small bodies, in KiB.
    small: Semaphore,
    /// Room for larger ones, in KiB.
    large: Semaphore,
    /// Turns of larger ones.
    turns: Semaphore,
}

/// A request that comes to no review: the status, why for the metric, and the text for whoever sent it.
struct Refusal(StatusCode, Refused, String);

impl Exchange {
    /// Answers with this reviewer.
    pub fn new(reviewer: Reviewer, metrics: Metrics) -> Exchange {
        Exchange {
            reviewer,
            decisions: Decisions::default(),
            events: Events::nowhere(metrics.clone()),
            metrics,
            small: Semaphore::new(SMALL_ROOM_BYTES / KIB),
            large: Semaphore::new(LARGE_ROOM_BYTES / KIB),
            turns: Semaphore::new(LARGE_ANSWERED_MAX),
        }
    }

    /// Sends events, too.
    pub fn with_events(self, events: Events) -> Exchange {
        Exchange { events, ..self }
    }

    /// Remembers decisions there, too.
    pub fn with_decisions(self, decisions: Decisions) -> Exchange {
        Exchange { decisions, ..self }
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.review(request).await {
            Ok(body) => respond(StatusCode::OK, JSON, body),
            Err(Refusal(status, reason, text)) => {
                self.metrics.refused(reason);
                let mut response = respond(status, TEXT, text.into_bytes());
                if status == StatusCode::METHOD_NOT_ALLOWED {
                    response
                        .headers_mut()
                        .insert(ALLOW, HeaderValue::from_static("POST"));
                }
                response
            }
        }
    }

    async fn review(&self, request: Request<Incoming>) -> Result<Vec<u8>, Refusal> {
        let route = route(&request)?;
        let limit = route::timeout(request.uri())
            .map_or(REQUEST_TIMEOUT, |given| given.min(REQUEST_TIMEOUT));
        let review = async {
            let body = request.into_body();
            let _room = self.room_for(&body).await;
            let body = read(body).await?;
            let _turn = if body.len() > SMALL_BYTES_MAX {
                self.turns.acquire().await.ok()
            } else {
                None
            };
            let start = Instant::now();
            let answered = self.reviewer.answer(&body).await;
            let took = start.elapsed();
            self.metrics
                .reviewed(route.label(), &answered.verdict, took);
            self.decisions.add(Decision::of(route, &answered, took));
            log(route, &answered);
            if let Some(told) = Told::warnings(&answered) {
                self.events.tell(told);
            }
            let problem = "the body has no request.uid to answer to".to_owned();
            answered
                .body
                .ok_or(Refusal(StatusCode::BAD_REQUEST, Refused::NoUid, problem))
        };
        match tokio::time::timeout(limit, review).await {
            Ok(result) => result,
            Err(_) => {
                warn!(
                    webhook = route.label(),
                    ?limit,
                    "no time was left for a review"
                );
                let text = format!("no answer within {limit:?}");
                Err(Refusal(StatusCode::GATEWAY_TIMEOUT, Refused::Timeout, text))
            }
        }
    }

    /// Room for a body until it is answered; one that does not say its length takes that of the longest.
    async fn room_for(&self, body: &Incoming) -> Option<SemaphorePermit<'_>> {
        let exact = body
            .size_hint()
            .exact()
            .and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = exact.unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
        let permits = u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX);
        let room = if bytes > SMALL_BYTES_MAX {
            &self.large
        } else {
            &self.small
        };
        room.acquire_many(permits).await.ok()
    }
}

fn route(request: &Request<Incoming>) -> Result<Route, Refusal> {
    let Some(route) = Route::parse(request.uri()) else {
        let paths = Route::ALL.map(Route::path).join(", ");
        let text = format!("there is nothing here; reviews are answered at {paths}");
        return Err(Refusal(StatusCode::NOT_FOUND, Refused::NotFound, text));
    };
    if request.method() != Method::POST {
        let text = "reviews are sent with POST".to_owned();
        return Err(Refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            Refused::NotFound,
            text,
        ));
    }
    if !is_json(request.headers()) {
        let text = "a review is application/json".to_owned();
        return Err(Refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refused::ContentType,
            text,
        ));
    }
    Ok(route)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    let too_large = || {
        let text = format!("a review has at most {BODY_BYTES_MAX} bytes");
        Refusal(StatusCode::PAYLOAD_TOO_LARGE, Refused::TooLarge, text)
    };
    // What is announced too long is not even begun with.
    let announced = body.size_hint().lower();
    if usize::try_from(announced).is_ok_and(|announced| announced > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => {
            let body = collected.to_bytes();
            if weight::is_too_heavy(&body) {
                let text = "a review has no so many fields and values".to_owned();
                return Err(Refusal(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    Refused::TooLarge,
                    text,
                ));
            }
            Ok(body)
        }
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => {
            let text = format!("the body broke off: {error}");
            Err(Refusal(StatusCode::BAD_REQUEST, Refused::Incomplete, text))
        }
    }
}

fn respond(status: StatusCode, content_type: HeaderValue, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// One line for each review.
fn log(route: Route, answered: &Answered) {
    let Answered { verdict, about, .. } = answered;
    info!(
        webhook = route.label(),
        uid = about.uid,
        kind = about.kind,
        namespace = about.namespace,
        name = about.name,
        result = verdict.result.as_str(),
        reason = verdict.reason,
        dry_run = about.dry_run,
        warnings = verdict.warnings.len(),
        message = verdict
            .denial
            .as_ref()
            .map(|denial| denial.message.as_str()),
        "reviewed"
    );
}
