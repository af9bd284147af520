//! How cost grows: with connections, message sizes, subscribers, workers. The same servers and loads as in the comparison, at
//! many points instead of one, as curves.

mod curve;
mod plan;
mod report;

pub use curve::{Chart, Curve, Series};
pub use plan::{Plan, plans};
pub use report::CurvesReport;
