//! GraphQL over HTTP.

use std::convert::Infallible;

use async_graphql::futures_util::StreamExt;
use async_graphql::{Executor, Request};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::access::Role;
use super::reply::{error, reply};
use super::work::Work;
use crate::export::graphql::{Action, Authorisation, OperatorSchema, QuerySchema, schema, schema_with_mutations};
use crate::snapshot::Publisher;

/// The schema that is served: with mutations if there is a token for them.
#[derive(Clone)]
pub(super) enum Schema {
    Queries(QuerySchema),
    Operator(OperatorSchema),
}

impl Schema {
    pub(super) fn new(publisher: &Publisher, has_operator: bool) -> Self {
        if has_operator {
            let operator = |ctx: &async_graphql::Context<'_>, _: Action| ctx.data_opt() == Some(&Role::Operator);
            Self::Operator(schema_with_mutations(publisher, Authorisation::new(operator)))
        } else {
            Self::Queries(schema(publisher))
        }
    }

    pub(super) async fn answer(&self, headers: &HeaderMap, body: &[u8], role: Role, work: &Work) -> Response {
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
        let request = request.data(role);
        if header(header::ACCEPT).to_ascii_lowercase().contains("text/event-stream") {
            return match self {
                Self::Queries(schema) => events(schema, request),
                Self::Operator(schema) => events(schema, request),
            };
        }
        let schema = self.clone();
        let runtime = tokio::runtime::Handle::current();
        // No resolver waits for anything, but lists look through all peers.
        work.answer("application/json", move || {
            let response = match schema {
                Self::Queries(schema) => runtime.block_on(schema.execute(request)),
                Self::Operator(schema) => runtime.block_on(schema.execute(request)),
            };
            serde_json::to_vec(&response).unwrap_or_default()
        })
        .await
    }
}

/// Answers as server-sent events, one `next` each and a `complete` at the end.
fn events(schema: &impl Executor, request: Request) -> Response {
    let next = |response: async_graphql::Response| {
        let data = serde_json::to_string(&response).unwrap_or_default();
        Ok::<_, Infallible>(Bytes::from(format!("event: next\ndata: {data}\n\n")))
    };
    let complete = async { Ok(Bytes::from_static(b"event: complete\ndata:\n\n")) };
    let stream = schema.execute_stream(request, None).map(next);
    let stream = stream.chain(async_graphql::futures_util::stream::once(complete));
    reply(StatusCode::OK, "text/event-stream", Body::from_stream(stream))
}
