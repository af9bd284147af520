//! The program's commands, each from its options to its exit status.

pub(crate) mod connect;
pub(crate) mod echo;
pub(crate) mod serve;
