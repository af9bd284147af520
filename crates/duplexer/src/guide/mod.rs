//! A guide for those who use the library: one page for each thing they want to do. Its code is compiled with the tests.

#[doc = include_str!("../../docs/first_client.md")]
pub mod first_client {}

#[doc = include_str!("../../docs/first_server.md")]
pub mod first_server {}

#[doc = include_str!("../../docs/behind_a_proxy.md")]
pub mod behind_a_proxy {}

#[doc = include_str!("../../docs/server_behind_a_proxy.md")]
pub mod server_behind_a_proxy {}

#[cfg(feature = "tls")]
#[doc = include_str!("../../docs/tls.md")]
pub mod tls {}

#[doc = include_str!("../../docs/back_pressure.md")]
pub mod back_pressure {}

#[doc = include_str!("../../docs/closing.md")]
pub mod closing {}

#[doc = include_str!("../../docs/reconnecting.md")]
pub mod reconnecting {}

#[doc = include_str!("../../docs/blocking.md")]
pub mod blocking {}

#[doc = include_str!("../../docs/limits.md")]
pub mod limits {}

#[doc = include_str!("../../docs/streaming.md")]
pub mod streaming {}

#[doc = include_str!("../../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../../docs/from_tokio_tungstenite.md")]
pub mod from_tokio_tungstenite {}

#[doc = include_str!("../../docs/answers.md")]
pub mod answers {}

#[doc = include_str!("../../docs/platforms.md")]
pub mod platforms {}
