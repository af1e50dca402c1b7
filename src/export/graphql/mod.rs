//! Queries over the published snapshot, and an operator's mutations, as GraphQL.
//!
//! [`schema`] answers queries and the subscription; [`schema_with_mutations`] also carries out what an operator asks, if the
//! node's [`Authorisation`] lets it. A node with a schema of its own merges [`Query`], [`Mutation`] and [`Subscription`] into
//! it, gives the schema a [`Publisher`] as data, and should add the extension [`Safeguards`].
//!
//! All fields of one request read one publication, so that they agree; its number, time and age are in the answer's
//! extensions, under `snapshot`. A list's `limit` is 10 when it is left out or null.
//! Errors bear a `code`:
//!
//! | code | meaning |
//! |---|---|
//! | `BAD_PEER_ID` | not 64 hex digits |
//! | `LIMIT_OUT_OF_RANGE` | a list of less than 0 or more than 1000 |
//! | `BAD_CURSOR` | not a cursor of this query |
//! | `BAD_VALUE` | a number out of its range |
//! | `TABLE_FULL` | no record can be made for the peer |
//! | `UNAUTHORIZED` | the node does not allow it |
//! | `QUERY_TOO_DEEP`, `QUERY_TOO_COMPLEX` | more than a request may ask |
//! | `GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED` | no such query |

mod error;
mod explanation;
mod mutation;
mod objects;
mod original;
mod records;
mod request_size;
mod safeguards;
mod subscription;
mod text_size;

use async_graphql::{EmptyMutation, MergedObject, Schema, SchemaBuilder};

pub use error::ErrorCode;
pub use explanation::ExplanationQuery;
pub use mutation::{Action, Authorisation, Mutation};
pub use original::ResilienceQuery;
pub use records::RecordQuery;
pub use safeguards::Safeguards;
#[cfg(feature = "http")]
pub(crate) use safeguards::{are_light, is_followed};
pub use subscription::Subscription;

use crate::snapshot::Publisher;

/// Deepest nesting of a request.
pub const MAX_DEPTH: usize = 16;
/// Largest complexity of a request: its fields, those of lists by a tenth of their length, and 100 for each list. A message of
/// the subscription is a list of 256.
pub const MAX_COMPLEXITY: usize = 3000;
/// Longest list that a query gives.
pub const MAX_LIST: i64 = 1000;

/// All queries.
#[derive(MergedObject, Default)]
pub struct Query(ResilienceQuery, RecordQuery, ExplanationQuery);

/// A schema that only answers.
pub type QuerySchema = Schema<Query, EmptyMutation, Subscription>;
/// A schema with an operator's mutations.
pub type OperatorSchema = Schema<Query, Mutation, Subscription>;

/// A schema of the queries and the subscription, limited in depth and complexity.
#[must_use]
pub fn schema(publisher: &Publisher) -> QuerySchema {
    limited(Schema::build(Query::default(), EmptyMutation, Subscription), publisher).finish()
}

/// The same with mutations, each of which `authorisation` must allow.
#[must_use]
pub fn schema_with_mutations(publisher: &Publisher, authorisation: Authorisation) -> OperatorSchema {
    limited(Schema::build(Query::default(), Mutation, Subscription), publisher).data(authorisation).finish()
}

fn limited<M>(
    builder: SchemaBuilder<Query, M, Subscription>,
    publisher: &Publisher,
) -> SchemaBuilder<Query, M, Subscription> {
    builder
        .data(publisher.clone())
        .limit_depth(MAX_DEPTH)
        // Fragments count here; a tool that asks for the schema spreads three within each other.
        .limit_recursive_depth(MAX_DEPTH + 4)
        .limit_complexity(MAX_COMPLEXITY)
        .extension(Safeguards)
}
