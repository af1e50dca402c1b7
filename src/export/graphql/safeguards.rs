//! What every request passes: limits before it is walked through, one publication for all its fields, codes on its errors.

use std::sync::{Arc, OnceLock};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextPrepareRequest, NextRequest, NextValidation,
};
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Request, Response, ServerError, ServerResult, ValidationResult, Variables, async_trait, value};

use super::error::ErrorCode;
use super::request_size::{fields, fragment_chain_exceeds, introspection, measure, roots, weight};
use super::{MAX_COMPLEXITY, MAX_DEPTH};
use crate::snapshot::rfc3339::Rfc3339;
use crate::snapshot::{Published, Publisher};

/// Most nested brackets in a request: those of the selections and of their arguments.
const MAX_NESTING: usize = 2 * MAX_DEPTH;

/// Most tokens in a request: the parser takes microseconds for each.
const MAX_TOKENS: usize = 2 * MAX_COMPLEXITY;

/// Bytes of the longest name or string in a request: ids have 64, cursors some more.
const MAX_TOKEN: usize = 1024;

/// Most mentions of variables in a request, and what all variables may weigh (see [`weight`]): wherever one is mentioned, its
/// value is copied before anything looks at it.
const MAX_MENTIONS: usize = 100;
const MAX_WEIGHT: usize = 16 * 1024;

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

/// A parsed query that is worth looking at.
fn parsed(query: &str) -> ServerResult<ExecutableDocument> {
    let measure = measure(query);
    if measure.nesting > MAX_NESTING {
        return refuse(ErrorCode::QueryTooDeep, "The query is nested too deep.");
    }
    if measure.tokens > MAX_TOKENS || measure.longest > MAX_TOKEN {
        return refuse(ErrorCode::QueryTooComplex, "The query is too long.");
    }
    if measure.variables > MAX_MENTIONS {
        return refuse(ErrorCode::QueryTooComplex, "The query mentions too many variables.");
    }
    if measure.unclosed {
        return refuse(ErrorCode::ParseFailed, "A block string is not closed.");
    }
    let document = parse_query(query).map_err(|error| coded(ErrorCode::ParseFailed, error.into()))?;
    if fields(&document) > MAX_COMPLEXITY {
        return refuse(ErrorCode::QueryTooComplex, "The query has too many fields.");
    }
    if fragment_chain_exceeds(&document, MAX_DEPTH) {
        return refuse(ErrorCode::QueryTooDeep, "The query's fragments are nested too deep.");
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

/// Whether a request that may be carried out follows events. Others are answered once.
#[cfg(feature = "http")]
pub(crate) fn is_followed(request: &Request) -> bool {
    parsed(&request.query).is_ok_and(|document| is_subscription(&document, request.operation_name.as_deref()))
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
        // What is wrong with a request as a whole has no code yet: an operation or a variable that is not there.
        for error in &mut response.errors {
            let extensions = error.extensions.get_or_insert_default();
            if extensions.get("code").is_none() {
                extensions.set("code", ErrorCode::ValidationFailed.as_str());
            }
        }
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

    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        mut request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let heavy = request.variables.values().map(weight).fold(0, usize::saturating_add);
        if heavy > MAX_WEIGHT {
            return refuse(ErrorCode::QueryTooComplex, "The variables are too large.");
        }
        let document = parsed(&request.query)?;
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
