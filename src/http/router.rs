//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::HttpOptions;
use super::access::{Access, Role};
use super::graphql::GraphQl;
use super::listen::most_connections;
use super::live::{Live, Numbered};
use super::reply::{closing, error, json, page};
use super::work::Work;
use crate::export::prometheus::{Exporter, Format};
use crate::snapshot::Publisher;

/// Bodies that are larger, or of a length that is not told, are few at once, so that they do not fill the memory.
const SMALL_BODY: u64 = 64 * 1024;
const LARGE_BODIES: usize = 16;

struct Site {
    publisher: Publisher,
    exporter: Exporter,
    graphql: GraphQl,
    access: Access,
    scrapes: Work,
    pages: Work,
    snapshots: Work,
    /// Those of readers, and of operators.
    large_bodies: [Arc<Semaphore>; 2],
    options: HttpOptions,
}

/// The routes, with the checks of host, token and body, for a server of the node's own.
///
/// Limits of connections, heads and slow readers are that server's matter; [`serve`](super::serve) has them.
pub fn router(publisher: &Publisher, options: &HttpOptions) -> Router {
    let access = Access::new(options);
    let site = Arc::new(Site {
        publisher: publisher.clone(),
        exporter: Exporter::new(publisher, options.series),
        graphql: GraphQl::new(publisher, access.has_operator(), options.timeout, most_connections(options)),
        access,
        scrapes: Work::new(options.timeout),
        pages: Work::new(options.timeout),
        snapshots: Work::new(options.timeout),
        large_bodies: [(); 2].map(|()| Arc::new(Semaphore::new(LARGE_BODIES))),
        options: options.clone(),
    });
    Router::new()
        .route("/", get(async || page(include_str!("page.html"))))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/live.json", get(live))
        .route("/snapshot.json", get(snapshot))
        .route("/graphql", get(async || page(include_str!("query.html"))).post(graphql))
        .fallback(async || error(StatusCode::NOT_FOUND, "NOT_FOUND", "no such page"))
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "not by this method")
        })
        .layer(from_fn_with_state(site.clone(), checked))
        .with_state(site)
}

/// Pages without data, and the health, need no token.
fn is_public(request: &Request) -> bool {
    match request.uri().path() {
        "/" | "/healthz" => true,
        "/graphql" => request.method() != axum::http::Method::POST,
        _ => false,
    }
}

/// Checks the host and the token before anything else is done.
async fn checked(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    if !site.access.knows_host(request.headers()) {
        let message = "this server is not known by that name";
        return error(StatusCode::MISDIRECTED_REQUEST, "UNKNOWN_HOST", message);
    }
    let role = site.access.role(request.headers());
    if role == Role::Nobody && !is_public(&request) {
        let mut response = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "a token is needed");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    request.extensions_mut().insert(role);
    next.run(request).await
}

async fn healthz(State(site): State<Arc<Site>>) -> Response {
    let age = site.publisher.latest().age();
    let (status, word) = if age <= site.options.stale_after {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stale")
    };
    json(status, format!(r#"{{"status":"{word}","snapshot_age_seconds":{}}}"#, age.as_secs_f64()))
}

async fn metrics(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::negotiate(accept);
    let making = site.clone();
    site.scrapes.answer(format.content_type(), move || making.exporter.text(format).into_bytes()).await
}

async fn live(State(site): State<Arc<Site>>) -> Response {
    let published = site.publisher.latest();
    site.pages.answer("application/json", move || serde_json::to_vec(&Live::new(&published)).unwrap_or_default()).await
}

async fn snapshot(State(site): State<Arc<Site>>) -> Response {
    let making = site.clone();
    let make = move || {
        let published = making.publisher.latest();
        let mut body = Vec::new();
        // Where there is no room for it, it is better not begun.
        if body.try_reserve_exact(Numbered::size(&published)).is_err() {
            return body;
        }
        match serde_json::to_writer(&mut body, &Numbered::new(&published)) {
            Ok(()) => body,
            Err(_) => Vec::new(),
        }
    };
    site.snapshots.answer("application/json", make).await
}

async fn graphql(State(site): State<Arc<Site>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let limit = site.options.max_body;
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) {
        return too_large();
    }
    let large = announced.is_none_or(|length| length > SMALL_BODY);
    let role = parts.extensions.get().copied().unwrap_or(Role::Nobody);
    let turns = &site.large_bodies[usize::from(role == Role::Operator)];
    let turn = large.then(|| turns.clone().try_acquire_owned());
    if matches!(turn, Some(Err(_))) {
        return closing(error(StatusCode::SERVICE_UNAVAILABLE, "BUSY", "too many large requests are under way"));
    }
    let body = match timeout(site.options.timeout, to_bytes(Body::new(body), limit)).await {
        Ok(Ok(body)) => body,
        // A body that ends early has nobody left to read the answer.
        Ok(Err(_)) => return too_large(),
        Err(_) => return closing(error(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", "the body did not come in time")),
    };
    let answer = site.graphql.answer(&parts.headers, &body, role).await;
    // Until here body and request were in memory.
    drop(turn);
    answer
}

fn too_large() -> Response {
    closing(error(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", "the body is too large"))
}
