//! What is known of an opening once the connection is open: what was agreed on, and what TLS says. A server's connections share it
//! where it is the same, since most clients of a server ask for the same.

use std::sync::Arc;

use duplexer_proto::handshake::Agreed;
use parking_lot::Mutex;

use crate::tls::TlsInfo;

/// What was agreed on when a connection was opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(super) agreed: Agreed,
    pub(super) tls: Option<TlsInfo>,
}

impl Facts {
    /// What was agreed on, where that is not nothing.
    pub(crate) fn of(agreed: Agreed) -> Option<Arc<Self>> {
        (!is_nothing(&agreed)).then(|| Arc::new(Self { agreed, tls: None }))
    }
}

/// The facts of a server's latest connections.
#[derive(Debug, Default)]
pub(crate) struct LatestFacts(Mutex<Vec<Arc<Facts>>>);

impl LatestFacts {
    /// What was agreed on, shared with the others that agreed on the same.
    pub(crate) fn of(&self, agreed: Agreed) -> Option<Arc<Facts>> {
        if is_nothing(&agreed) {
            return None;
        }
        let mut latest = self.0.lock();
        if let Some(same) = latest.iter().find(|other| other.agreed == agreed) {
            return Some(same.clone());
        }
        let facts = Facts::of(agreed)?;
        if latest.len() == LATEST_MAX {
            latest.remove(0);
        }
        latest.push(facts.clone());
        Some(facts)
    }
}

fn is_nothing(agreed: &Agreed) -> bool {
    agreed.subprotocol.is_none() && agreed.extensions.is_empty()
}

/// How many of them are kept: enough for a few subprotocols, with compression and without.
const LATEST_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(extensions: usize) -> Agreed {
        let mut agreed = Agreed::default();
        agreed.extensions = "x".repeat(extensions);
        agreed
    }

    #[test]
    fn connections_that_agree_on_the_same_share_it_and_few_are_kept() {
        let latest = LatestFacts::default();
        assert!(latest.of(agreed(0)).is_none());
        let first = latest.of(agreed(1)).expect("something was agreed on");
        for other in 2..=LATEST_MAX {
            latest.of(agreed(other));
        }
        assert!(latest.of(agreed(1)).is_some_and(|again| Arc::ptr_eq(&again, &first)));
        let different = latest.of(agreed(LATEST_MAX + 1)).expect("something was agreed on");
        assert!(!Arc::ptr_eq(&different, &first));
        assert_eq!(latest.0.lock().len(), LATEST_MAX);
        assert!(latest.of(agreed(1)).is_some_and(|again| !Arc::ptr_eq(&again, &first)));
    }
}
