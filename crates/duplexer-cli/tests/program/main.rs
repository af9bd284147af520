//! The program as its users run it: started as a process, spoken to over its standard streams and over TCP, judged by what it
//! prints and by its exit status.

mod encrypted;
mod mistakes;
mod proxies;
mod serving;
mod stopping;
mod support;
mod talking;
#[cfg(unix)]
mod terminal;
mod verbose;
