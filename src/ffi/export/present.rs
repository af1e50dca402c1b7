//! A library with exporters.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{self, Poll, Waker};

use async_graphql::{Context, Request};

use crate::export::graphql::{Action, Authorisation, OperatorSchema, schema_with_mutations};
use crate::export::prometheus::{Exporter, Format, PeerSeries};
use crate::ffi::export_options::{Options, Series};
use crate::ffi::exporter::{Form, Role};
use crate::ffi::status::Failure;
use crate::http::{HttpOptions, Serving, serve};
use crate::{PeerGuard, Publisher, Publishing};

pub(in crate::ffi) struct Exporting {
    // Dropped in this order: the server stops before its snapshots do.
    serving: Option<Serving>,
    _publishing: Option<Publishing>,
    publisher: Publisher,
    exporter: Exporter,
    schema: OperatorSchema,
}

/// Runs a query on the caller's thread. It waits for nothing outside, so it is ready as soon as it is asked.
fn run<T>(query: impl Future<Output = T>) -> T {
    let mut query = pin!(query);
    loop {
        match query.as_mut().poll(&mut task::Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

impl Exporting {
    /// `refused` receives the number of a system's error.
    pub(in crate::ffi) fn new(guard: &PeerGuard, options: Options, refused: impl FnOnce(i32)) -> Result<Self, Failure> {
        Self::start(guard, options).map_err(|error| {
            refused(error.raw_os_error().unwrap_or(0));
            Failure::System
        })
    }

    fn start(guard: &PeerGuard, options: Options) -> io::Result<Self> {
        let publisher = Publisher::new(guard);
        let series = match options.series {
            Series::None => PeerSeries::None,
            Series::Worst(most) => PeerSeries::Worst(most),
            Series::Top(most) => PeerSeries::Top(most),
            Series::All => PeerSeries::All,
        };
        let operator = |ctx: &Context<'_>, _: Action| ctx.data_opt() == Some(&Role::Operator);
        let http = HttpOptions {
            series,
            token: options.token,
            operator_token: options.operator_token,
            hosts: options.hosts,
            max_connections: options.max_connections,
            timeout: options.timeout,
            max_body: options.max_body,
            stale_after: options.stale_after,
        };
        Ok(Self {
            serving: options.address.map(|address| serve(address, &publisher, http)).transpose()?,
            _publishing: options.interval.map(|interval| publisher.start(interval)).transpose()?,
            exporter: Exporter::new(&publisher, series),
            schema: schema_with_mutations(&publisher, Authorisation::new(operator)),
            publisher,
        })
    }

    pub(in crate::ffi) fn address(&self) -> Option<SocketAddr> {
        self.serving.as_ref().map(Serving::address)
    }

    pub(in crate::ffi) fn publish(&self) {
        self.publisher.publish_now();
    }

    pub(in crate::ffi) fn metrics(&self, form: Form) -> String {
        self.exporter.text(match form {
            Form::Classic => Format::Text,
            Form::OpenMetrics => Format::OpenMetrics,
        })
    }

    pub(in crate::ffi) fn query(&self, request: &[u8], role: Role) -> Result<Vec<u8>, Failure> {
        let request: Request = serde_json::from_slice(request).map_err(|_| Failure::Text)?;
        let response = run(self.schema.execute(request.data(role)));
        serde_json::to_vec(&response).map_err(|_| Failure::Text)
    }

    pub(in crate::ffi) fn snapshot(&self) -> Vec<u8> {
        // Numbers and texts only: it can be written.
        serde_json::to_vec(&**self.publisher.latest()).unwrap_or_default()
    }
}

pub(in crate::ffi) fn negotiated(accept: Option<&str>) -> Result<Form, Failure> {
    Ok(match Format::negotiate(accept) {
        Format::Text => Form::Classic,
        Format::OpenMetrics => Form::OpenMetrics,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::exporter::{
        PEERGUARD_METRICS_CLASSIC, PEERGUARD_METRICS_OPENMETRICS, peerguard_metrics_content_type,
    };
    use std::ffi::CStr;

    #[test]
    fn content_types_are_those_of_rust() {
        for (number, format) in
            [(PEERGUARD_METRICS_CLASSIC, Format::Text), (PEERGUARD_METRICS_OPENMETRICS, Format::OpenMetrics)]
        {
            // SAFETY: a static text.
            let text = unsafe { CStr::from_ptr(peerguard_metrics_content_type(number)) };
            assert_eq!(text.to_str(), Ok(format.content_type()));
        }
    }
}
