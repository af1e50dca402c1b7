//! What every request passes: limits before it is walked through, one publication for all its fields, codes on its errors.

use std::sync::{Arc, OnceLock};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextPrepareRequest, NextRequest, NextSubscribe,
    NextValidation,
};
use async_graphql::futures_util::StreamExt;
use async_graphql::futures_util::stream::BoxStream;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Request, Response, ServerError, ServerResult, ValidationResult, Variables, async_trait, value};

use super::error::ErrorCode;
use super::request_size::{arguments, fields, fragment_chain_exceeds, introspection, roots, weight};
use super::text_size::measure;
use super::{MAX_COMPLEXITY, MAX_DEPTH};
use crate::snapshot::rfc3339::Rfc3339;
use crate::snapshot::{Published, Publisher};

/// Most nested brackets in a request: those of the selections and of their arguments.
const MAX_NESTING: usize = 2 * MAX_DEPTH;

/// Most tokens in a request: the parser takes microseconds for each.
const MAX_TOKENS: usize = 2 * MAX_COMPLEXITY;

/// Bytes of the longest name or string in a request: ids have 64, cursors some more.
const MAX_TOKEN: usize = 1024;

/// What all arguments of a request may weigh (see [`arguments`]), and what comes as variables: bytes, about.
const MAX_WEIGHT: usize = 256 * 1024;

/// Longest text of a request that is looked at to find out whether it follows events.
#[cfg(feature = "http")]
const MAX_FOLLOWED: usize = 4096;

/// Most fields that are asked of the schema itself, and how deep its lists may be nested: tools ask for some 200, and for the
/// arguments of the fields of the types.
const MAX_INTROSPECTION: usize = 300;
const MAX_INTROSPECTION_LISTS: usize = 3;

/// A schema extension that refuses requests which would be costly to look through, gives all fields of a request the same
/// publication, and gives every error of the request itself a code. A schema that merges this module's queries should have
/// it.
#[derive(Clone, Copy, Debug)]
pub struct Safeguards;

impl ExtensionFactory for Safeguards {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(OneRequest { published: OnceLock::new() })
    }
}

struct OneRequest {
    published: OnceLock<Arc<Published>>,
}

fn coded(code: ErrorCode, mut error: ServerError) -> ServerError {
    error.extensions.get_or_insert_default().set("code", code.as_str());
    error
}

fn refuse<T>(code: ErrorCode, message: &str) -> ServerResult<T> {
    Err(coded(code, ServerError::new(message, None)))
}

/// Whether what comes as variables is of a size that a request may have.
pub(crate) fn are_light(variables: &Variables) -> bool {
    variables.values().map(weight).fold(0, usize::saturating_add) <= MAX_WEIGHT
}

/// The query of a request, parsed, if it is worth looking at.
fn parsed(query: &str, variables: &Variables) -> ServerResult<ExecutableDocument> {
    if !are_light(variables) {
        return refuse(ErrorCode::QueryTooComplex, "The variables are too large.");
    }
    let measure = measure(query);
    if measure.nesting > MAX_NESTING {
        return refuse(ErrorCode::QueryTooDeep, "The query is nested too deep.");
    }
    if measure.tokens > MAX_TOKENS || measure.longest > MAX_TOKEN {
        return refuse(ErrorCode::QueryTooComplex, "The query is too long.");
    }
    if measure.unclosed {
        return refuse(ErrorCode::ParseFailed, "A block string is not closed.");
    }
    let document = parse_query(query).map_err(|error| coded(ErrorCode::ParseFailed, error.into()))?;
    // Before the others, which go down every chain.
    if fragment_chain_exceeds(&document, MAX_DEPTH) {
        return refuse(ErrorCode::QueryTooDeep, "The query's fragments are nested too deep.");
    }
    if fields(&document) > MAX_COMPLEXITY {
        return refuse(ErrorCode::QueryTooComplex, "The query has too many fields.");
    }
    if arguments(&document, variables) > MAX_WEIGHT {
        return refuse(ErrorCode::QueryTooComplex, "The query's arguments are too large.");
    }
    let asked = introspection(&document);
    if asked.fields > MAX_INTROSPECTION || asked.lists > MAX_INTROSPECTION_LISTS {
        return refuse(ErrorCode::QueryTooComplex, "The query asks too much of the schema.");
    }
    let follows = |operation: &OperationDefinition| operation.ty == OperationType::Subscription;
    let mut operations = document.operations.iter().map(|(_, operation)| &operation.node);
    if operations.any(|operation| follows(operation) && roots(&document, &operation.selection_set.node) > 1) {
        return refuse(ErrorCode::ValidationFailed, "A subscription has one field.");
    }
    Ok(document)
}

/// Whether a request that may be carried out follows events, by a short look. Others are answered once.
#[cfg(feature = "http")]
pub(crate) fn is_followed(request: &Request) -> bool {
    let document = (request.query.len() <= MAX_FOLLOWED).then(|| parsed(&request.query, &request.variables));
    let document = document.and_then(Result::ok);
    document.is_some_and(|document| is_subscription(&document, request.operation_name.as_deref()))
}

/// Gives a code to what is wrong with a request as a whole, and has none yet: an operation or a variable that is not there.
fn code_the_rest(response: &mut Response) {
    let of_request = |error: &&mut ServerError| error.path.is_empty() || error.message.starts_with("Variable ");
    for error in response.errors.iter_mut().filter(of_request) {
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            extensions.set("code", ErrorCode::ValidationFailed.as_str());
        }
    }
}

/// Whether the operation of this name, or the only one, is a subscription.
fn is_subscription(document: &ExecutableDocument, wanted: Option<&str>) -> bool {
    let mut operations = document.operations.iter();
    operations.any(|(name, operation)| {
        let chosen = wanted.is_none_or(|wanted| name.is_some_and(|name| name == wanted));
        chosen && operation.node.ty == OperationType::Subscription
    })
}

#[async_trait::async_trait]
impl Extension for OneRequest {
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let mut response = next.run(ctx).await;
        code_the_rest(&mut response);
        match self.published.get() {
            Some(published) => response.extension(
                "snapshot",
                value!({
                    "number": published.number(),
                    "takenAt": Rfc3339(published.taken_at).to_string(),
                    "ageMs": published.age().as_secs_f64() * 1000.0,
                }),
            ),
            None => response,
        }
    }

    fn subscribe<'s>(
        &self,
        ctx: &ExtensionContext<'_>,
        messages: BoxStream<'s, Response>,
        next: NextSubscribe<'_>,
    ) -> BoxStream<'s, Response> {
        let coded = messages.map(|mut response| {
            code_the_rest(&mut response);
            response
        });
        next.run(ctx, coded.boxed())
    }

    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        mut request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let document = parsed(&request.query, &request.variables)?;
        let follows = is_subscription(&document, request.operation_name.as_deref());
        request.set_parsed_query(document);
        // A subscription lasts: it would keep the snapshot that was the latest when it began for as long as it is read.
        if let Some(publisher) = ctx.data_opt::<Publisher>().filter(|_| !follows) {
            let published = self.published.get_or_init(|| publisher.latest());
            request = request.data(published.clone());
        }
        next.run(ctx, request).await
    }

    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        // The text has been parsed; what fails here is the limit of depth.
        next.run(ctx, query, variables).await.map_err(|error| coded(ErrorCode::QueryTooDeep, error))
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let code = |error: &ServerError| match error.message.as_str() {
            "Query is too complex." => ErrorCode::QueryTooComplex,
            "Query is nested too deep." => ErrorCode::QueryTooDeep,
            _ => ErrorCode::ValidationFailed,
        };
        let result = next.run(ctx).await;
        result.map_err(|errors| errors.into_iter().map(|error| coded(code(&error), error)).collect())
    }
}
