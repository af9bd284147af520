//! Whom a client trusts, and how it says that it does not.

use std::net::Ipv6Addr;

use duplexer::{
    Client, CloseCode, ConnectError, CryptoProvider, Roots, TlsFault, TlsVersion, connect,
};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};

use crate::authority::Authority;
use crate::meeting::{echoes, fault, meet, server, trusting};

const URI: &str = "wss://example.com/chat";

#[tokio::test(start_paused = true)]
async fn a_chain_that_leads_to_a_root_is_trusted() {
    let root = Authority::new("root");
    let middle = root.intermediate("middle").intermediate("second");
    let server = server(&middle.issues(&["example.com"]).tls());
    let client = trusting(&root).build();
    let mut socket = meet(&client, &server, URI).await.expect("a right chain");
    echoes(&mut socket).await;
    let tls = socket.tls().expect("it is encrypted");
    assert_eq!(tls.version(), TlsVersion::Tls13);
    assert!(tls.cipher_suite().starts_with("TLS_"), "{}", tls.cipher_suite());
    assert_eq!((tls.alpn(), tls.server_name()), (Some("http/1.1"), Some("example.com")));
    assert_eq!(tls.peer_certificates().len(), 3);
    socket.close(CloseCode::NORMAL, "").await.expect("a code to send");
    assert_eq!(socket.recv().await.expect("a clean end"), None);
}

#[tokio::test(start_paused = true)]
async fn a_chain_with_a_gap_is_not() {
    let root = Authority::new("root");
    let mut issued = root.intermediate("middle").issues(&["example.com"]);
    let end =
        issued.certificates.find("-----END").expect("PEM") + "-----END CERTIFICATE-----".len();
    issued.certificates.truncate(end);
    let server = server(&issued.tls());
    let (fault, _) = fault(meet(&trusting(&root).build(), &server, URI).await);
    assert!(matches!(fault, TlsFault::UnknownIssuer), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_was_not_added_is_not_trusted() {
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let server = server(&unknown.issues(&["example.com"]).tls());
    for client in [trusting(&known).build(), Client::builder().add_root(known.root()).build()] {
        let (fault, said) = fault(meet(&client, &server, URI).await);
        assert!(matches!(fault, TlsFault::UnknownIssuer), "{fault:?}");
        assert!(said.contains("example.com") && said.contains("add_root"), "{said}");
    }
    let both = trusting(&known).add_root(unknown.root()).build();
    echoes(&mut meet(&both, &server, URI).await.expect("one of two roots")).await;
    let beside = Client::builder().add_root(unknown.root()).build();
    echoes(&mut meet(&beside, &server, URI).await.expect("beside the platform's")).await;
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_good_for_its_time() {
    let root = Authority::new("root");
    let client = trusting(&root).build();
    let expired = root.issues_with(&["example.com"], |params| {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let (told, said) = fault(meet(&client, &server(&expired.tls()), URI).await);
    assert!(matches!(told, TlsFault::Expired { since: Some(_) }), "{told:?}");
    assert!(said.contains("expired") && said.contains("days ago"), "{said}");
    let early = root.issues_with(&["example.com"], |params| {
        params.not_before = date_time_ymd(3000, 1, 1);
        params.not_after = date_time_ymd(3001, 1, 1);
    });
    let (told, said) = fault(meet(&client, &server(&early.tls()), URI).await);
    assert!(matches!(told, TlsFault::NotYetValid { until: Some(_) }), "{told:?}");
    assert!(said.contains("clock"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_good_for_its_names() {
    // CVE-2020-11050: a client that does not look at the name.
    let root = Authority::new("root");
    let client = trusting(&root).build();
    let server = server(&root.issues(&["*.example.com", "example.net", "192.0.2.1"]).tls());
    for uri in
        ["wss://www.example.com/", "wss://EXAMPLE.net/", "wss://example.net./", "wss://192.0.2.1/"]
    {
        echoes(&mut meet(&client, &server, uri).await.expect(uri)).await;
    }
    for (uri, expected) in [
        ("wss://example.com/", "example.com"),
        ("wss://a.b.example.com/", "a.b.example.com"),
        ("wss://example.net.evil.test/", "example.net.evil.test"),
        ("wss://192.0.2.2/", "192.0.2.2"),
        ("wss://[2001:db8::1]/", "2001:db8::1"),
    ] {
        let (fault, said) = fault(meet(&client, &server, uri).await);
        let TlsFault::WrongName { expected: found, presented } = fault else { panic!("{fault:?}") };
        assert_eq!(found, expected);
        assert_eq!(presented, ["*.example.com", "example.net", "192.0.2.1"]);
        assert!(said.contains(expected) && said.contains("*.example.com, example.net"), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_is_proved_and_not_asked_for() {
    // RFC 6066 §3: "Literal IPv4 and IPv6 addresses are not permitted in "HostName"."
    let root = Authority::new("root");
    let address = Ipv6Addr::LOCALHOST.to_string();
    let server = server(&root.issues(&[&address]).tls());
    let mut socket =
        meet(&trusting(&root).build(), &server, "wss://[::1]/").await.expect("its own");
    assert_eq!(socket.tls().expect("encrypted").server_name(), None);
    echoes(&mut socket).await;
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_good_for_its_purpose() {
    let root = Authority::new("root");
    let client = trusting(&root).build();
    let clients = root.issues_with(&["example.com"], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let authoritys = root.issues_with(&["example.com"], |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    for (issued, says) in [(clients, "key usage"), (authoritys, "CA:TRUE")] {
        let (fault, said) = fault(meet(&client, &server(&issued.tls()), URI).await);
        assert!(matches!(fault, TlsFault::Certificate { .. }), "{fault:?}");
        assert!(said.contains(says), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_without_roots_says_so_when_it_connects() {
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    let client = Client::builder().roots(Roots::AddedOnly).build();
    let (fault, said) = fault(meet(&client, &server, URI).await);
    assert!(matches!(fault, TlsFault::NoRoots { .. }), "{fault:?}");
    assert!(said.contains("`roots`") && said.contains("`add_root`"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn danger_overlooks_what_it_names_and_no_more() {
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let any_name = trusting(&known).danger_accept_invalid_hostnames(true).build();
    let wrong_name = server(&known.issues(&["elsewhere.test"]).tls());
    echoes(&mut meet(&any_name, &wrong_name, URI).await.expect("another's name")).await;
    let forged = server(&unknown.issues(&["example.com"]).tls());
    let (told, _) = fault(meet(&any_name, &forged, URI).await);
    assert!(matches!(told, TlsFault::UnknownIssuer), "{told:?}");
    let expired = known.issues_with(&["elsewhere.test"], |params| {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let (told, _) = fault(meet(&any_name, &server(&expired.tls()), URI).await);
    assert!(matches!(told, TlsFault::Expired { .. }), "{told:?}");
    let anything = Client::builder().danger_accept_invalid_certificates(true).build();
    for served in [&wrong_name, &forged, &server(&expired.tls())] {
        echoes(&mut meet(&anything, served, URI).await.expect("anything")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_no_certificate_can_name_is_told() {
    let client = Client::builder().roots(Roots::AddedOnly).build();
    let label = "a".repeat(64);
    let (fault, said) = fault(
        client.connect_tls_over(tokio::io::duplex(64).0, format!("wss://{label}.test/")).await,
    );
    assert!(matches!(fault, TlsFault::HostInvalid), "{fault:?} {said}");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_resumed() {
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    let client = trusting(&root).build();
    let mut resumed = Vec::new();
    for _ in 0..2 {
        let mut socket = meet(&client, &server, URI).await.expect("a right chain");
        echoes(&mut socket).await;
        resumed.push(socket.tls().expect("encrypted").is_resumed());
        socket.close(CloseCode::NORMAL, "").await.expect("a code to send");
    }
    assert_eq!(resumed, [false, true]);
    // Clones remember the same sessions, other clients none.
    let again = meet(&client.clone(), &server, URI).await.expect("a right chain");
    assert!(again.tls().expect("encrypted").is_resumed());
    let other = meet(&trusting(&root).build(), &server, URI).await.expect("a right chain");
    assert!(!other.tls().expect("encrypted").is_resumed());
}

#[tokio::test(start_paused = true)]
async fn the_provider_can_be_chosen() {
    assert!(CryptoProvider::installed().is_none(), "the library installs nothing");
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    for provider in [
        #[cfg(feature = "aws-lc-rs")]
        CryptoProvider::aws_lc_rs(),
        #[cfg(feature = "ring")]
        CryptoProvider::ring(),
    ] {
        let client = trusting(&root).tls_provider(provider).build();
        echoes(&mut meet(&client, &server, URI).await.expect("a right chain")).await;
    }
}

#[tokio::test]
async fn a_plain_connection_knows_of_no_tls() {
    let server = duplexer::Server::default();
    let address = crate::support::host(&server, crate::meeting::echo).await;
    let socket = connect(format!("ws://{address}/")).await.expect("an open connection");
    assert!(socket.tls().is_none());
    let error =
        connect(format!("wss://{address}/")).await.expect_err("the server speaks plain HTTP");
    let ConnectError::Tls(error) = error else { panic!("{error:?}") };
    assert!(
        matches!(error.fault(), TlsFault::NotTls { start } if start.starts_with(b"HTTP/1.1 400"))
    );
    let said = error.to_string();
    assert!(said.contains("plain HTTP") && said.contains("ws://"), "{said}");
}
