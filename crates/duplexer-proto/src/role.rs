//! Which end of a connection an endpoint is (RFC 6455 §1.2). The role decides who masks (§5.1) and who
//! closes the transport first (§7.1.1); nothing else differs once a connection is open.

/// The end of the connection that an endpoint plays.
///
/// ```
/// use duplexer_proto::Role;
/// assert!(Role::Client.masks());
/// assert_eq!(Role::Client.peer(), Role::Server);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opened the connection; masks every frame it sends.
    Client,
    /// Accepted the connection; never masks.
    Server,
}

impl Role {
    /// The role at the other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Whether frames sent by this role are masked (RFC 6455 §5.1).
    #[must_use]
    pub const fn masks(self) -> bool {
        match self {
            Self::Client => true,
            Self::Server => false,
        }
    }
}
