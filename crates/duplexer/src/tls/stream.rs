//! An encrypted stream: what rustls says of an open connection, in our words. The end of a stream that its peer did not
//! announce (close_notify) is a plain end: WebSocket messages and closes say themselves whether they are whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::{CertificateError, CommonState, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::tls::fault::TlsFault;
use crate::tls::info::{TlsInfo, TlsVersion};
use crate::tls::reason;
use crate::tls::watched::{Watched, is_foreign};
use crate::transport::Transport;

/// An encrypted stream whose handshake is over.
pub(super) struct Encrypted(TlsStream<Watched>);

impl Encrypted {
    pub(super) fn new(mut stream: TlsStream<Watched>) -> Self {
        stream.get_mut().0.unwatch();
        Self(stream)
    }

    /// What was agreed on, with the name that the client asked for.
    pub(super) fn info(&self, server_name: Option<&str>) -> TlsInfo {
        let (_, state) = self.0.get_ref();
        let suite = state.negotiated_cipher_suite().map(|suite| suite.suite());
        let suite = suite.and_then(|suite| suite.as_str()).unwrap_or_default();
        TlsInfo {
            version: version(state),
            // What is TLS_ for IANA, rustls calls TLS13_ where it is of that version.
            cipher_suite: match suite.strip_prefix("TLS13_") {
                Some(rest) => format!("TLS_{rest}").into(),
                None => suite.into(),
            },
            alpn: state.alpn_protocol().map(|alpn| String::from_utf8_lossy(alpn).into()),
            server_name: server_name.map(Into::into),
            peer_certificates: state
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|der| der.as_ref().into())
                .collect(),
            resumed: state.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        }
    }
}

fn version(state: &CommonState) -> TlsVersion {
    match state.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
        _ => TlsVersion::Tls13,
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.0).poll_read(cx, buffer) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(()))
            }
            polled => polled.map_err(in_our_words),
        }
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes).map_err(in_our_words)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices).map_err(in_our_words)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx).map_err(in_our_words)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx).map_err(in_our_words)
    }
}

/// An error of an open stream, with a [`TlsFault`] inside where TLS is at fault.
fn in_our_words(error: io::Error) -> io::Error {
    let kind = error.kind();
    match rustls_error(error) {
        Ok(error) => io::Error::new(kind, fault(&error)),
        Err(error) => error,
    }
}

/// Why a handshake failed, and the transport that it failed on.
pub(super) fn failed(error: io::Error, watched: Watched) -> (TlsFault, Transport) {
    let (heard, io) = watched.into_parts();
    let fault = match rustls_error(error) {
        Ok(_) if is_foreign(&heard) => TlsFault::NotTls { start: heard.into() },
        Ok(error) => fault(&error),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            TlsFault::Ended { heard: !heard.is_empty() }
        }
        Err(error) => TlsFault::Io(error),
    };
    (fault, io)
}

/// The error of rustls inside another; gives back what is none.
fn rustls_error(error: io::Error) -> Result<Error, io::Error> {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => Ok(inner.clone()),
        None => Err(error),
    }
}

fn fault(error: &Error) -> TlsFault {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::InvalidCertRevocationList(_) => TlsFault::Certificate { reason: error.to_string() },
        Error::NoCertificatesPresented => TlsFault::CertificateMissing,
        Error::AlertReceived(alert) => TlsFault::Alert { code: u8::from(*alert) },
        Error::PeerIncompatible(reason) => TlsFault::Incompatible { reason: format!("{reason:?}") },
        Error::NoApplicationProtocol => {
            TlsFault::Incompatible { reason: "it does not offer http/1.1 (ALPN)".to_owned() }
        }
        error => TlsFault::Protocol { reason: error.to_string() },
    }
}

fn certificate(error: &CertificateError) -> TlsFault {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => TlsFault::UnknownIssuer,
        E::Expired => TlsFault::Expired { since: None },
        E::ExpiredContext { time, not_after } => TlsFault::Expired {
            since: Some(seconds(time.as_secs().saturating_sub(not_after.as_secs()))),
        },
        E::NotValidYet => TlsFault::NotYetValid { until: None },
        E::NotValidYetContext { time, not_before } => TlsFault::NotYetValid {
            until: Some(seconds(not_before.as_secs().saturating_sub(time.as_secs()))),
        },
        E::NotValidForName => {
            TlsFault::WrongName { expected: "this host".to_owned(), presented: Vec::new() }
        }
        E::NotValidForNameContext { expected, presented } => TlsFault::WrongName {
            expected: expected.to_str().into_owned(),
            presented: presented.iter().map(|name| plain_name(name)).collect(),
        },
        error => TlsFault::Certificate { reason: reason::of_certificate(error) },
    }
}

/// A name as a certificate has it: `DnsName("example.com")` is shown as `example.com`.
fn plain_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

const fn seconds(seconds: u64) -> std::time::Duration {
    std::time::Duration::from_secs(seconds)
}
