//! The queries word for word, codes of errors, limits on requests, mutations and the subscription.

mod queries;

use std::fmt::Write;
use std::time::{Duration, Instant};

use async_graphql::futures_util::StreamExt;
use async_graphql::{Request, Response, Variables};
use peerguard::export::graphql::{Authorisation, QuerySchema, schema, schema_with_mutations};
use peerguard::{Clock, Config, ManualClock, Outcome, PeerGuard, PeerId, Publisher, Traffic};
use queries::PEER;
use serde_json::{Value, json};

fn peer(n: u64) -> PeerId {
    PeerId::digest(&n.to_le_bytes())
}

fn guard() -> (PeerGuard, ManualClock) {
    let (clock, hand) = Clock::manual(1 << 40);
    let mut config = Config::default();
    config.circuit_breaker.jitter = 0.0;
    (PeerGuard::with_clock(config, clock).unwrap(), hand)
}

async fn data(schema: &QuerySchema, query: &str) -> Value {
    let response = schema.execute(query).await;
    assert!(response.errors.is_empty(), "{query}: {:?}", response.errors);
    serde_json::to_value(response.data).unwrap()
}

/// The codes of an answer's errors.
fn codes(response: &Response) -> Vec<String> {
    let response = serde_json::to_value(response).unwrap();
    let errors = response["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("no code").to_owned()).collect()
}

async fn refused(schema: &QuerySchema, query: &str) -> String {
    let start = Instant::now();
    let codes = codes(&schema.execute(query).await);
    assert!(start.elapsed() < Duration::from_secs(5), "refused after {:?}", start.elapsed());
    assert_eq!(codes.len(), 1, "{}: {codes:?}", &query[..query.len().min(200)]);
    codes[0].clone()
}

#[tokio::test]
async fn the_seven_queries_answer_word_for_word() {
    let (guard, _hand) = guard();
    let id: PeerId = PEER.parse().unwrap();
    guard.record_success(&id, Some(20.0)).unwrap();
    guard.record_success(&peer(1), None).unwrap();
    for _ in 0..5 {
        let _ = guard.report(&peer(2), Outcome::SyncFailure, None, Traffic { sent: 100, received: 7 });
    }
    guard.ban(&peer(3), Some(Duration::from_secs(60)), 9).unwrap();
    let schema = schema(&Publisher::new(&guard));

    let answer = data(&schema, queries::BREAKERS).await;
    assert_eq!(answer, json!({"getCircuitBreakerSummary": {"totalPeers": 4, "closed": 3, "open": 1, "halfOpen": 0}}));

    let answer = data(&schema, queries::BREAKER).await;
    assert_eq!(answer, json!({"getCircuitBreakerState": {"peerId": PEER, "state": "closed"}}));

    let answer = data(&schema, queries::REPUTATIONS).await;
    let totals = guard.get_summary();
    let reputation = json!({"totalPeers": 4, "bannedPeers": 1, "avgScore": totals.avg_score, "avgReliability": totals.avg_reliability});
    assert_eq!(answer, json!({ "getReputationSummary": reputation }));

    let answer = data(&schema, queries::REPUTATION).await;
    let mut answer = answer["getPeerReputation"].clone();
    for seen in ["firstSeen", "lastSeen"] {
        let time = answer[seen].take();
        let time = time.as_str().unwrap();
        assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z') && &time[10..11] == "T", "{time}");
    }
    let expected = json!({"peerId": PEER, "score": 52.0, "successfulSyncs": 1, "failedSyncs": 0, "successfulMessages": 0,
        "failedMessages": 0, "avgLatencyMs": 20.0, "bytesReceived": 0, "bytesSent": 0, "reliability": 1.0,
        "isBanned": false, "banReason": null, "firstSeen": null, "lastSeen": null});
    assert_eq!(answer, expected);

    let answer = data(&schema, queries::TOP_PEERS).await;
    let top: Vec<_> = guard.get_top_peers(10).into_iter().map(|(id, score)| json!([id.to_string(), score])).collect();
    let answered = answer["getTopPeersByReputation"].as_array().unwrap();
    assert_eq!(answered.iter().map(|peer| json!([peer["peerId"], peer["score"]])).collect::<Vec<_>>(), top);
    assert_eq!(top.len(), 3, "the banned peer is left out");

    let answer = data(&schema, queries::BANDWIDTH).await;
    let expected = json!({"totalUploaded": 500, "totalDownloaded": 35, "uploadAvailable": null,
        "downloadAvailable": null, "uploadLimitBps": 0, "downloadLimitBps": 0});
    assert_eq!(answer, json!({ "getBandwidthStats": expected }));

    let answer = data(&schema, queries::SUMMARY).await;
    let expected = json!({
        "circuitBreaker": {"totalPeers": 4, "closed": 3, "open": 1, "halfOpen": 0},
        "reputation": reputation,
        "bandwidth": {"totalUploaded": 500, "totalDownloaded": 35, "uploadLimitBps": 0, "downloadLimitBps": 0},
    });
    assert_eq!(answer, json!({ "getNetworkResilienceSummary": expected }));
}

#[tokio::test]
async fn unknown_peers_and_an_empty_guard() {
    let (guard, _hand) = guard();
    let schema = schema(&Publisher::new(&guard));
    let query = format!(
        "{{ getCircuitBreakerState(peerId: \"{0}\") {{ peerId state }} getPeerReputation(peerId: \"{0}\") {{ score }}
            getReputationSummary {{ totalPeers avgScore avgReliability }} getTopPeersByReputation {{ peerId }}
            getPeerRecord(peerId: \"{0}\") {{ state }} explainPeer(peerId: \"{0}\") {{ admitted record {{ state }} score }} }}",
        PEER.to_uppercase()
    );
    let expected = json!({
        "getCircuitBreakerState": {"peerId": PEER, "state": "closed"},
        "getPeerReputation": null,
        "getReputationSummary": {"totalPeers": 0, "avgScore": 0.0, "avgReliability": 0.0},
        "getTopPeersByReputation": [],
        "getPeerRecord": null,
        "explainPeer": {"admitted": true, "record": null, "score": 50.0},
    });
    assert_eq!(data(&schema, &query).await, expected);
    assert_eq!(guard.occupancy().0, 0, "a query made a record");
}

#[tokio::test]
async fn limits_show_what_the_buckets_hold() {
    let mut config = Config::default();
    config.bandwidth.upload_limit_bps = 1000;
    let (clock, _hand) = Clock::manual(1 << 40);
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    assert!(guard.try_upload(&peer(1), 300));
    let schema = schema(&Publisher::new(&guard));
    let answer = data(&schema, "{ getBandwidthStats { uploadAvailable uploadLimitBps downloadAvailable } }").await;
    let expected = json!({"uploadAvailable": 700, "uploadLimitBps": 1000, "downloadAvailable": null});
    assert_eq!(answer["getBandwidthStats"], expected);
}

#[tokio::test]
async fn one_request_reads_one_publication_and_tells_its_age() {
    let (guard, hand) = guard();
    let publisher = Publisher::new(&guard);
    let schema = schema(&publisher);
    guard.record_failure(&peer(1));
    hand.advance(Duration::from_millis(1500));
    let response = serde_json::to_value(schema.execute("{ getCircuitBreakerSummary { totalPeers } }").await).unwrap();
    assert_eq!(response["data"]["getCircuitBreakerSummary"]["totalPeers"], 0);
    let snapshot = &response["extensions"]["snapshot"];
    assert_eq!((&snapshot["number"], &snapshot["ageMs"]), (&json!(0), &json!(1500.0)));
    publisher.publish_now();
    let response = serde_json::to_value(schema.execute("{ getCircuitBreakerSummary { totalPeers } }").await).unwrap();
    assert_eq!(response["data"]["getCircuitBreakerSummary"]["totalPeers"], 1);
    let snapshot = &response["extensions"]["snapshot"];
    assert_eq!((&snapshot["number"], &snapshot["ageMs"]), (&json!(1), &json!(0.0)));
}

#[tokio::test]
async fn errors_bear_codes() {
    let (guard, _hand) = guard();
    let schema = schema(&Publisher::new(&guard));
    for id in ["", "04b7", "zz", &PEER[..63], &format!("{PEER}0"), &"é".repeat(32), &"x".repeat(64)] {
        let query = format!("{{ getCircuitBreakerState(peerId: \"{id}\") {{ state }} }}");
        assert_eq!(refused(&schema, &query).await, "BAD_PEER_ID");
        let query = format!("{{ getPeerReputation(peerId: \"{id}\") {{ score }} }}");
        assert_eq!(refused(&schema, &query).await, "BAD_PEER_ID");
    }
    for limit in ["-1", "1001", "99999999999", "-9223372036854775808"] {
        let query = format!("{{ getTopPeersByReputation(limit: {limit}) {{ peerId }} }}");
        assert_eq!(refused(&schema, &query).await, "LIMIT_OUT_OF_RANGE");
    }
    for limit in ["0", "1000"] {
        data(&schema, &format!("{{ getTopPeersByReputation(limit: {limit}) {{ peerId }} }}")).await;
    }
    assert_eq!(refused(&schema, "{ getPeerRecords(after: \"x\") { total } }").await, "BAD_CURSOR");
    assert_eq!(refused(&schema, "{ getNothing }").await, "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(refused(&schema, "{ getCircuitBreakerSummary {").await, "GRAPHQL_PARSE_FAILED");
    assert_eq!(refused(&schema, "").await, "GRAPHQL_PARSE_FAILED");
    for whole in [
        "query A { __typename } query B { __typename }",
        "query($p: String!) { getPeerReputation(peerId: $p) { score } }",
        "subscription { peerEvents { lost } }",
    ] {
        assert_eq!(refused(&schema, whole).await, "GRAPHQL_VALIDATION_FAILED");
    }
    let unknown = codes(&schema.execute(Request::new("query A { __typename }").operation_name("B")).await);
    assert_eq!(unknown, ["GRAPHQL_VALIDATION_FAILED"]);
    let mutation = codes(&schema.execute("mutation { unbanPeer(peerId: \"x\") }").await);
    assert!(!mutation.is_empty() && mutation.iter().all(|code| code == "GRAPHQL_VALIDATION_FAILED"), "{mutation:?}");
}

/// How a client leaves a limit out: not at all, as null, and as a variable that is null, absent, or has another type.
#[tokio::test]
async fn a_limit_that_is_left_out_or_null_is_ten() {
    let (guard, _hand) = guard();
    for n in 0..12 {
        guard.record_success(&peer(n), None).unwrap();
    }
    let schema = schema(&Publisher::new(&guard));
    let list = |response: Response| {
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        let answer = serde_json::to_value(response.data).unwrap();
        answer["getTopPeersByReputation"].as_array().unwrap().len()
    };
    for arguments in ["", "(limit: null)"] {
        let query = format!("{{ getTopPeersByReputation{arguments} {{ peerId }} }}");
        assert_eq!(list(schema.execute(query).await), 10, "{arguments}");
    }
    for kind in ["Int", "Int!", "Int = 11", "Int! = 11"] {
        let query = format!("query($n: {kind}) {{ getTopPeersByReputation(limit: $n) {{ peerId }} }}");
        let ask = |variables: Value| schema.execute(Request::new(&query).variables(Variables::from_json(variables)));
        assert_eq!(list(ask(json!({"n": 3})).await), 3, "{kind}");
        if kind.contains('=') {
            assert_eq!(list(ask(json!({})).await), 11, "{kind}");
        } else if kind == "Int" {
            assert_eq!(list(ask(json!({})).await), 10, "{kind}");
            assert_eq!(list(ask(json!({"n": null})).await), 10, "{kind}");
        }
    }
}

#[tokio::test]
async fn costly_requests_are_refused_before_they_cost() {
    let (guard, _hand) = guard();
    let schema = schema(&Publisher::new(&guard));
    let deep = |n: usize| format!("{}__typename{}", "{ __schema ".repeat(n), "}".repeat(n));
    assert_eq!(refused(&schema, &deep(50)).await, "QUERY_TOO_DEEP");
    assert_eq!(refused(&schema, &deep(100_000)).await, "QUERY_TOO_DEEP");
    let of_type = format!("{{ __schema {{ types {{ {} name {} }} }} }}", "ofType {".repeat(20), "}".repeat(20));
    assert_eq!(refused(&schema, &of_type).await, "QUERY_TOO_DEEP");
    let list =
        format!("{{ getCircuitBreakerState(peerId: {}1{}) {{ state }} }}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(refused(&schema, &list).await, "QUERY_TOO_DEEP");

    let mut aliases = "{".to_owned();
    for n in 0..10_000 {
        write!(aliases, " a{n}: getCircuitBreakerSummary {{ closed }}").unwrap();
    }
    aliases.push('}');
    assert_eq!(refused(&schema, &aliases).await, "QUERY_TOO_COMPLEX");
    let mut lists = "{".to_owned();
    for n in 0..40 {
        write!(lists, " a{n}: getTopPeersByReputation(limit: 1000) {{ peerId }}").unwrap();
    }
    lists.push('}');
    assert_eq!(refused(&schema, &lists).await, "QUERY_TOO_COMPLEX");

    let mut bomb = "{ ...F0 }".to_owned();
    for n in 0..15 {
        let spreads = format!("...F{} ", n + 1).repeat(100);
        write!(bomb, " fragment F{n} on Query {{ {spreads} }}").unwrap();
    }
    bomb.push_str(" fragment F15 on Query { __typename }");
    assert_eq!(refused(&schema, &bomb).await, "QUERY_TOO_COMPLEX");
    // As long as the bound on tokens lets it be: none may recurse along it.
    let chain = (0..990).map(|n| format!(" fragment F{n} on Query {{ ...F{} }}", n + 1)).collect::<String>();
    let chain = format!("{{ ...F0 }} {chain} fragment F1000 on Query {{ __typename }}");
    assert_eq!(refused(&schema, &chain).await, "QUERY_TOO_DEEP");
    let circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
    assert_eq!(refused(&schema, circle).await, "QUERY_TOO_DEEP");
}

/// Wherever a variable is mentioned its value is copied, and printed where it is wrong: unbounded, a megabyte of request is
/// hundreds of gigabytes.
#[tokio::test]
async fn arguments_and_variables_have_their_weight() {
    let (guard, _hand) = guard();
    let schema = schema(&Publisher::new(&guard));
    let with = |query: &str, value: Value| Request::new(query).variables(Variables::from_json(json!({"v": value})));
    let refused = async |request: Request| {
        let start = Instant::now();
        let codes = codes(&schema.execute(request).await);
        assert!(start.elapsed() < Duration::from_secs(5), "refused after {:?}", start.elapsed());
        codes
    };
    let often = format!("query($v: Int) {{ getTopPeersByReputation(limit: [{}]) {{ peerId }} }}", "$v ".repeat(2000));
    assert_eq!(refused(with(&often, json!("x".repeat(200)))).await, ["QUERY_TOO_COMPLEX"]);
    // By a default, by a variable and by a literal, in a fragment that is spread often.
    let spread = |definition: &str, argument: &str| {
        let fragment = format!("fragment F on Query {{ getTopPeersByReputation(limit: {argument}) {{ peerId }} }}");
        Request::new(format!("query{definition} {{ {} }} {fragment}", "...F ".repeat(100)))
    };
    let text = format!("\"{}\" ", "x".repeat(1000));
    for request in [
        spread(&format!("($v: [String] = [{}])", text.repeat(100)), "[$v]"),
        spread("($v: String)", "[$v $v $v]").variables(Variables::from_json(json!({"v": "x".repeat(1000)}))),
        spread("", &format!("[{}]", text.repeat(10))),
    ] {
        assert_eq!(refused(request).await, ["QUERY_TOO_COMPLEX"]);
    }
    let once = "query($v: String!) { getPeerReputation(peerId: $v) { score } }";
    for large in [json!(vec![0; 100_000]), json!("x".repeat(300_000)), json!({"a".repeat(300_000): [{}]})] {
        assert_eq!(refused(with(once, large)).await, ["QUERY_TOO_COMPLEX"]);
    }
    let default =
        format!("query($v: String = \"{}\") {{ getPeerReputation(peerId: $v) {{ score }} }}", "x".repeat(2000));
    assert_eq!(refused(Request::new(default)).await, ["QUERY_TOO_COMPLEX"]);
    let name = format!("{{ {} }}", "x".repeat(100_000));
    assert_eq!(refused(Request::new(name)).await, ["QUERY_TOO_COMPLEX"]);
    let hidden = format!("{{ a(b: [\"\"\"x\" {}", "[".repeat(100_000));
    assert_eq!(refused(Request::new(hidden)).await, ["GRAPHQL_PARSE_FAILED"]);
    assert!(schema.execute(with(once, json!(peer(1).to_string()))).await.errors.is_empty());
    // A page that asks for many peers by name.
    let names = (0..500).map(|n| format!("$p{n}: String! ")).collect::<String>();
    let asked = (0..500).map(|n| format!(" a{n}: getPeerReputation(peerId: $p{n}) {{ score }}")).collect::<String>();
    let ids: serde_json::Map<_, _> = (0..500).map(|n| (format!("p{n}"), json!(peer(n).to_string()))).collect();
    let request = Request::new(format!("query({names}) {{ {asked} }}")).variables(Variables::from_json(ids.into()));
    assert!(schema.execute(request).await.errors.is_empty());
}

#[tokio::test]
async fn what_is_asked_of_the_schema_itself_has_its_price() {
    let (guard, _hand) = guard();
    let schema = schema(&Publisher::new(&guard));
    let many: String = (0..1000).map(|n| format!(" a{n}: description")).collect();
    for query in [
        format!("{{ __schema {{ types {{ fields {{ {many} }} }} }} }}"),
        format!("{{ ...F }} fragment F on Query {{ __type(name: \"Query\") {{ {many} }} }}"),
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }".to_owned(),
    ] {
        assert_eq!(refused(&schema, &query).await, "QUERY_TOO_COMPLEX");
    }
    assert_eq!(data(&schema, "{ __type(name: \"Query\") { name } }").await["__type"]["name"], "Query");
}

#[tokio::test]
async fn what_a_query_page_asks_first_is_allowed() {
    let (guard, _hand) = guard();
    let introspection = "query IntrospectionQuery { __schema { queryType { name } mutationType { name }
        subscriptionType { name } types { ...FullType } directives { name description locations args { ...InputValue } } } }
        fragment FullType on __Type { kind name description fields(includeDeprecated: true) { name description
          args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason } inputFields { ...InputValue }
          interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
          possibleTypes { ...TypeRef } }
        fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
        fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
          ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
          } } } } } } } } } }";
    let answer = data(&schema(&Publisher::new(&guard)), introspection).await;
    assert_eq!(answer["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test]
async fn pages_follow_each_other_and_end() {
    let (guard, _hand) = guard();
    for n in 0..25 {
        guard.record_success(&peer(n), None).unwrap();
    }
    for _ in 0..5 {
        guard.record_failure(&peer(7));
    }
    guard.ban(&peer(8), Some(Duration::from_secs(90)), 3).unwrap();
    guard.ban(&peer(9), None, 4).unwrap();
    let schema = schema(&Publisher::new(&guard));
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let query =
            "query($after: String) { getPeerRecords(limit: 10, after: $after) { total next peers { peerId } } }";
        let request = Request::new(query).variables(Variables::from_json(json!({ "after": after })));
        let page = schema.execute(request).await.into_result().unwrap().data;
        let page = serde_json::to_value(page).unwrap()["getPeerRecords"].clone();
        assert_eq!(page["total"], 25);
        seen.extend(page["peers"].as_array().unwrap().iter().map(|peer| peer["peerId"].as_str().unwrap().to_owned()));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    let mut expected: Vec<_> = (0..25).map(|n| peer(n).to_string()).collect();
    expected.sort();
    assert_eq!(seen, expected);

    let open = data(&schema, "{ getPeerRecords(filter: {state: OPEN}) { total peers { peerId tier } } }").await;
    let expected = json!({"total": 1, "peers": [{"peerId": peer(7).to_string(), "tier": "NEUTRAL"}]});
    assert_eq!(open["getPeerRecords"], expected);
    let prefix = &peer(3).to_string()[..9];
    let query = format!("{{ getPeerRecords(filter: {{idPrefix: \"{prefix}\"}}) {{ total next }} }}");
    assert_eq!(data(&schema, &query).await["getPeerRecords"], json!({"total": 1, "next": null}));

    let bans = data(&schema, "{ getPeerBans { peerId origin reason remainingSeconds endsAt } }").await;
    let bans = bans["getPeerBans"].as_array().unwrap();
    assert_eq!((&bans[0]["peerId"], &bans[1]["peerId"]), (&json!(peer(8).to_string()), &json!(peer(9).to_string())));
    assert!(bans[0]["remainingSeconds"].as_f64().unwrap() >= 90.0 && bans[1]["endsAt"].is_null());
    assert_eq!(bans[1]["reason"], "operator, code 4");

    let query = format!("{{ explainPeer(peerId: \"{}\") {{ admitted refusal {{ reason retryAfterMs }} }} }}", peer(9));
    let expected = json!({"admitted": false, "refusal": {"reason": "banned", "retryAfterMs": null}});
    assert_eq!(data(&schema, &query).await["explainPeer"], expected);
    let events = data(&schema, "{ getRecentPeerEvents { kind detail peerId } }").await;
    let events = &events["getRecentPeerEvents"];
    assert_eq!(events[0], json!({"kind": "banned", "detail": "operator", "peerId": peer(9).to_string()}));
}

#[tokio::test]
async fn mutations_do_what_they_say_if_the_node_allows_it() {
    struct Operator;
    let (guard, _hand) = guard();
    let authorisation = Authorisation::new(|ctx, _| ctx.data_opt::<Operator>().is_some());
    let schema = schema_with_mutations(&Publisher::new(&guard), authorisation);
    let all = |id: &str| {
        format!(
            "mutation {{ banPeer(peerId: \"{id}\", seconds: 60, code: 5) unbanPeer(peerId: \"{id}\")
              forcePeer(peerId: \"{id}\", gate: OPEN) setBandwidthLimits(limits: {{upload: 5000}})
              setPeerLimits(peerId: \"{id}\", upload: 10) }}"
        )
    };
    let response = schema.execute(all(PEER)).await;
    assert_eq!(codes(&response).first().map(String::as_str), Some("UNAUTHORIZED"));
    assert_eq!((guard.occupancy().0, guard.limits().upload), (0, 0), "a refused mutation changed something");

    let response = schema.execute(Request::new(all(PEER)).data(Operator)).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    let id = PEER.parse().unwrap();
    let view = guard.view(&id).unwrap();
    assert_eq!((view.forced.as_str(), view.ban, view.limits.upload), ("open", None, Some(10)));
    assert_eq!(guard.limits().upload, 5000);
    let reset = format!("mutation {{ resetPeer(peerId: \"{PEER}\") }}");
    assert!(schema.execute(Request::new(&reset).data(Operator)).await.errors.is_empty());
    assert!(guard.admit(&id).is_ok());

    for (mutation, code) in [
        ("banPeer(peerId: \"x\")", "BAD_PEER_ID"),
        (&format!("banPeer(peerId: \"{PEER}\", code: 256)"), "BAD_VALUE"),
        (&format!("banPeer(peerId: \"{PEER}\", seconds: -1)"), "BAD_VALUE"),
        ("setBandwidthLimits(limits: {download: 9223372036854775807})", "BAD_VALUE"),
    ] {
        let response = schema.execute(Request::new(format!("mutation {{ {mutation} }}")).data(Operator)).await;
        assert_eq!(codes(&response), [code], "{mutation}");
    }
    assert!(!guard.is_banned(&id));
}

#[tokio::test]
async fn a_subscription_is_one_list() {
    let (guard, _hand) = guard();
    let schema = schema(&Publisher::new(&guard));
    let first = async |query: &str| {
        let answer = schema.execute_stream(query).next().await.unwrap();
        codes(&answer)
    };
    let many: String = (0..1000).map(|n| format!(" a{n}: peerId")).collect();
    let large = format!("subscription {{ peerEvents(since: 0) {{ events {{ {many} }} }} }}");
    assert_eq!(first(&large).await, ["QUERY_TOO_COMPLEX"]);
    for two in [
        "subscription { peerEvents { lost } b: peerEvents { lost } }",
        "subscription { ...F } fragment F on Subscription { peerEvents { lost } b: peerEvents { lost } }",
    ] {
        assert_eq!(first(two).await, ["GRAPHQL_VALIDATION_FAILED"]);
    }
    let unnamed = "query A { __typename } subscription B { peerEvents { lost } }";
    assert_eq!(first(unnamed).await, ["GRAPHQL_VALIDATION_FAILED"]);
    let absent = "subscription($p: String!) { peerEvents(peerId: $p) { lost } }";
    assert_eq!(first(absent).await, ["GRAPHQL_VALIDATION_FAILED"]);
}

#[tokio::test]
async fn a_subscriber_gets_events_and_learns_what_it_lost() {
    let (clock, _hand) = Clock::manual(1 << 40);
    let config = Config { event_capacity: 16, ..Config::default() };
    let guard = PeerGuard::with_clock(config, clock).unwrap();
    let schema = schema(&Publisher::new(&guard));
    let mut stream =
        schema.execute_stream("subscription { peerEvents(since: 0) { lost events { sequence kind peerId } } }");
    guard.ban(&peer(1), None, 0).unwrap();
    let next = async |stream: &mut (dyn async_graphql::futures_util::Stream<Item = Response> + Unpin + Send)| {
        let message = tokio::time::timeout(Duration::from_secs(10), stream.next()).await.expect("no event came");
        serde_json::to_value(message.unwrap().data).unwrap()["peerEvents"].clone()
    };
    let event = json!({"sequence": 0, "kind": "banned", "peerId": peer(1).to_string()});
    assert_eq!(next(&mut stream).await, json!({"lost": 0, "events": [event]}));
    for n in 0..40 {
        guard.ban(&peer(n + 2), None, 0).unwrap();
    }
    let batch = next(&mut stream).await;
    assert_eq!(batch["lost"], 24);
    assert_eq!(batch["events"].as_array().unwrap().len(), 16);
    assert_eq!(batch["events"][15]["sequence"], 40);
}

#[test]
fn the_schema_is_the_committed_one() {
    let (guard, _hand) = guard();
    let nobody = Authorisation::new(|_, _| false);
    let sdl = schema_with_mutations(&Publisher::new(&guard), nobody).sdl();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/export/graphql/schema.graphql");
    if std::env::var_os("PEERGUARD_WRITE_SDL").is_some() {
        std::fs::write(path, &sdl).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(sdl == committed, "the schema has changed: run with PEERGUARD_WRITE_SDL=1 and look at the difference");
    assert!(!schema(&Publisher::new(&guard)).sdl().contains("mutation"));
}
