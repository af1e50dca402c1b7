//! Circuit breakers by themselves, one per peer in a DashMap: a call is asked for and succeeds.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::ops::Range;
use std::task::{Context, Poll, Waker};

use dashmap::DashMap;
use failsafe::StateMachine;
use failsafe::backoff::Exponential;
use failsafe::failure_policy::ConsecutiveFailures;
use foldhash::fast::RandomState;
use recloser::Recloser;
use tower_resilience_circuitbreaker::{CircuitBreaker, CircuitBreakerLayer, DefaultClassifier};
use tower_service::Service;

use super::{FAILURE_THRESHOLD, OPEN_FOR};
use crate::subject::{Operation, Subject};
use crate::workload::{Key, Workload};

/// One breaker per peer.
pub struct Breakers<B>(DashMap<Key, B, RandomState>);

/// What a breaker does for one call that goes well.
pub trait Breaker {
    fn new() -> Self;
    fn call(map: &DashMap<Key, Self, RandomState>, peer: &Key) -> bool
    where
        Self: Sized;
}

impl<B: Breaker> Breakers<B> {
    pub fn new(peers: &[Key]) -> Self {
        let map = DashMap::default();
        for peer in peers {
            map.insert(*peer, B::new());
        }
        Breakers(map)
    }
}

impl<B: Breaker + Send + Sync> Subject for Breakers<B> {
    fn run(&self, _: Operation, load: &Workload, stretch: Range<usize>) -> usize {
        load.ids[stretch].iter().map(|id| usize::from(!B::call(&self.0, id.as_bytes()))).sum()
    }
}

impl Breaker for Recloser {
    fn new() -> Self {
        // It breaks by rate over a ring; the shortest ring that holds the threshold.
        Recloser::custom().error_rate(0.5).closed_len(2 * FAILURE_THRESHOLD as usize).open_wait(OPEN_FOR).build()
    }

    #[inline]
    fn call(map: &DashMap<Key, Self, RandomState>, peer: &Key) -> bool {
        map.get(peer).is_some_and(|breaker| breaker.call(|| Ok::<(), ()>(())).is_ok())
    }
}

impl Breaker for StateMachine<ConsecutiveFailures<Exponential>, ()> {
    fn new() -> Self {
        super::three_maps::breaker()
    }

    #[inline]
    fn call(map: &DashMap<Key, Self, RandomState>, peer: &Key) -> bool {
        map.get(peer).is_some_and(|breaker| {
            let permitted = breaker.is_call_permitted();
            if permitted {
                breaker.on_success();
            }
            permitted
        })
    }
}

/// The call itself: done at once.
#[derive(Clone)]
pub struct Done;

impl Service<()> for Done {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(()))
    }
}

/// tower-resilience's breaker around a call that is done at once: it waits for nothing but its own mutex, and polling
/// again is the lightest executor for that.
pub type Tower = CircuitBreaker<Done, DefaultClassifier>;

#[inline]
fn polled<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

impl Breaker for Tower {
    fn new() -> Self {
        let layer = CircuitBreakerLayer::builder()
            .failure_rate_threshold(0.5)
            .sliding_window_size(2 * FAILURE_THRESHOLD as usize)
            .wait_duration_in_open(OPEN_FOR)
            .build()
            .expect("a valid breaker");
        layer.layer_fn(Done)
    }

    #[inline]
    fn call(map: &DashMap<Key, Self, RandomState>, peer: &Key) -> bool {
        // A service is cloned to be called, as its users do: the clones share one circuit. The map's lock is given back.
        let Some(mut breaker) = map.get(peer).map(|breaker| breaker.clone()) else { return false };
        if polled(|context| breaker.poll_ready(context)).is_err() {
            return false;
        }
        let mut call = Service::call(&mut breaker, ());
        polled(|context| call.as_mut().poll(context)).is_ok()
    }
}
