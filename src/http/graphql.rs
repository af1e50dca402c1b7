//! GraphQL over HTTP.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::futures_util::{StreamExt, stream};
use async_graphql::{Executor, Request};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::access::Role;
use super::reply::{closing, error, reply};
use super::work::Work;
use crate::export::graphql::{
    Action, Authorisation, OperatorSchema, QuerySchema, are_light, is_followed, schema, schema_with_mutations,
};
use crate::snapshot::Publisher;

/// Most who follow events at once: each holds a connection for as long as it likes. Never more than a quarter of all.
const MOST_FOLLOWERS: usize = 64;
/// A follower without events is sent a comment so often, or in each of the server's timeouts: so one that has gone is found out.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The schema that is served: with mutations if there is a token for them.
#[derive(Clone)]
enum Schema {
    Queries(QuerySchema),
    Operator(OperatorSchema),
}

/// Answers requests in their turn: whatever readers ask, an operator need not wait for it.
pub(super) struct GraphQl {
    schema: Schema,
    readers: Turns,
    operators: Turns,
}

struct Turns {
    work: Work,
    followers: Arc<Semaphore>,
    heartbeat: Duration,
}

impl Turns {
    fn new(patience: Duration, connections: usize) -> Self {
        let followers = MOST_FOLLOWERS.min(connections / 4).max(1);
        let followers = Arc::new(Semaphore::new(followers));
        Self { work: Work::new(patience), followers, heartbeat: patience.min(HEARTBEAT) }
    }
}

impl GraphQl {
    /// `patience`: how long a request waits for its turn. `connections`: most that the server has.
    pub(super) fn new(publisher: &Publisher, has_operator: bool, patience: Duration, connections: usize) -> Self {
        let schema = if has_operator {
            let operator = |ctx: &async_graphql::Context<'_>, _: Action| ctx.data_opt() == Some(&Role::Operator);
            Schema::Operator(schema_with_mutations(publisher, Authorisation::new(operator)))
        } else {
            Schema::Queries(schema(publisher))
        };
        let turns = || Turns::new(patience, connections);
        Self { schema, readers: turns(), operators: turns() }
    }

    fn turns(&self, role: Role) -> &Turns {
        if role == Role::Operator { &self.operators } else { &self.readers }
    }

    pub(super) async fn answer(&self, headers: &HeaderMap, body: &[u8], role: Role) -> Response {
        let header = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok()).unwrap_or("");
        // Forms of foreign pages cannot have this type.
        let content_type = header(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
        if !content_type.eq_ignore_ascii_case("application/json") {
            let message = "send application/json";
            return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message);
        }
        let Ok(request) = serde_json::from_slice::<Request>(body) else {
            return error(
                StatusCode::BAD_REQUEST,
                "BAD_REQUEST",
                "send one request: {query, variables, operationName}",
            );
        };
        // Before it waits for its turn: there it is in memory.
        if !are_light(&request.variables) {
            return error(StatusCode::OK, "QUERY_TOO_COMPLEX", "The variables are too large.");
        }
        let request = request.data(role);
        let accept = header(header::ACCEPT).to_ascii_lowercase();
        let events = accept.contains("text/event-stream");
        if events && is_followed(&request) {
            return self.follow(request, role);
        }
        self.answer_once(request, role, events && !accept.contains("application/json")).await
    }

    /// Answers with each message as it comes.
    fn follow(&self, request: Request, role: Role) -> Response {
        let Turns { followers, heartbeat, .. } = self.turns(role);
        let Ok(place) = followers.clone().try_acquire_owned() else {
            return closing(error(StatusCode::SERVICE_UNAVAILABLE, "BUSY", "too many follow the events"));
        };
        match &self.schema {
            Schema::Queries(schema) => events(schema, request, *heartbeat, place),
            Schema::Operator(schema) => events(schema, request, *heartbeat, place),
        }
    }

    /// `as_event`: in the form that a follower reads.
    async fn answer_once(&self, request: Request, role: Role, as_event: bool) -> Response {
        let schema = self.schema.clone();
        let runtime = tokio::runtime::Handle::current();
        let content_type = if as_event { "text/event-stream" } else { "application/json" };
        // No resolver waits for anything, but lists look through all peers.
        self.turns(role)
            .work
            .answer(content_type, move || {
                let response = match schema {
                    Schema::Queries(schema) => runtime.block_on(schema.execute(request)),
                    Schema::Operator(schema) => runtime.block_on(schema.execute(request)),
                };
                if as_event {
                    let mut text = next(&response);
                    text.push_str(COMPLETE);
                    return text.into_bytes();
                }
                serde_json::to_vec(&response).unwrap_or_default()
            })
            .await
    }
}

/// The last event.
const COMPLETE: &str = "event: complete\ndata:\n\n";

/// A message as an event.
fn next(response: &async_graphql::Response) -> String {
    let data = serde_json::to_string(response).unwrap_or_default();
    format!("event: next\ndata: {data}\n\n")
}

/// Answers as server-sent events, one `next` each and a `complete` at the end. The place is kept as long.
fn events(schema: &impl Executor, request: Request, heartbeat: Duration, place: OwnedSemaphorePermit) -> Response {
    let messages = schema.execute_stream(request, None).boxed();
    let parts = stream::unfold((Some(messages), place), move |(messages, place)| async move {
        let mut messages = messages?;
        Some(match timeout(heartbeat, messages.next()).await {
            Ok(Some(response)) => (part(&next(&response)), (Some(messages), place)),
            Ok(None) => (part(COMPLETE), (None, place)),
            Err(_) => (part(":\n\n"), (Some(messages), place)),
        })
    });
    reply(StatusCode::OK, "text/event-stream", Body::from_stream(parts))
}

fn part(text: &str) -> Result<Bytes, Infallible> {
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}
