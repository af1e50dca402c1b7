//! A metric family, before it takes a form.

use std::borrow::Cow;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    /// A gauge that is always 1 and tells by its labels.
    Info,
}

/// Whole numbers stay whole: a count above 2^53 is printed exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl Value {
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Whole(n) => n as f64,
            Self::Real(x) => x,
        }
    }
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Self::Whole(n)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Real(x)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(n) => n.fmt(f),
            Self::Real(x) => x.fmt(f),
        }
    }
}

/// A label's value: hex digits, names of this crate, or its version, none of which needs escaping.
pub(super) type Label = Cow<'static, str>;

#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// In the order of the family's label names.
    pub(super) labels: Vec<Label>,
    pub(super) value: Value,
}

/// What a family is, whatever its samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    /// The full name, with the suffix of its kind.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
}

#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) metric: Metric,
    pub(super) samples: Vec<Sample>,
}
