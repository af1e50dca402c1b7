//! Any request is answered: with data, or with errors that have a code; and none takes long.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use async_graphql::{Request, Variables};
use peerguard::export::graphql::{Action, Authorisation, OperatorSchema, QuerySchema, schema, schema_with_mutations};
use peerguard::{Clock, Config, Outcome, PeerGuard, PeerId, Publisher, Traffic};

struct Node {
    queries: QuerySchema,
    operator: OperatorSchema,
    runtime: tokio::runtime::Runtime,
}

impl Node {
    fn new() -> Self {
        let (clock, _hand) = Clock::manual(1 << 40);
        let config = Config { max_peers: 16, event_capacity: 16, ..Config::default() };
        let guard = PeerGuard::with_clock(config, clock).expect("a valid configuration");
        for n in 0..8u8 {
            let outcome = Outcome::ALL[usize::from(n)];
            let latency = Some(Duration::from_millis(n.into()));
            let _recorded = guard.report(&PeerId::new([n; 32]), outcome, latency, Traffic { sent: 9, received: 1 });
        }
        let publisher = Publisher::new(&guard);
        // Limits may be changed and lists asked for; nothing that would make one input's answer another's.
        let allow = |_: &async_graphql::Context<'_>, action| matches!(action, Action::Limits);
        let operator = schema_with_mutations(&publisher, Authorisation::new(allow));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { queries: schema(&publisher), operator, runtime }
    }
}

/// The request is what stands before a zero byte; variables, as JSON, what stands after it.
pub fn run(data: &[u8]) {
    thread_local! {
        static NODE: OnceCell<Node> = const { OnceCell::new() };
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (query, variables) = text.split_once('\0').unwrap_or((text, ""));
    let variables = serde_json::from_str(variables).map_or_else(|_| Variables::default(), Variables::from_json);
    NODE.with(|node| {
        let node = node.get_or_init(Node::new);
        let request = || Request::new(query).variables(variables.clone());
        let start = Instant::now();
        node.runtime.block_on(async {
            check(node.queries.execute(request()).await);
            check(node.operator.execute(request()).await);
        });
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?} for {query:?}");
    });
}

fn check(response: async_graphql::Response) {
    let answer = serde_json::to_value(&response).expect("an answer can be written");
    for error in answer["errors"].as_array().into_iter().flatten() {
        assert!(error["extensions"]["code"].is_string(), "an error without a code: {error}");
    }
}
