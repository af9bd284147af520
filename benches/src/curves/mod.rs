//! How cost grows: with connections, message sizes, subscribers, workers. The same servers and loads as in the comparison, at
//! many points instead of one, as curves.

mod curve;
mod plan;
mod report;

pub use curve::{Chart, Curve};
pub use plan::{Plan, Point, Series, plans};
pub use report::CurvesReport;
