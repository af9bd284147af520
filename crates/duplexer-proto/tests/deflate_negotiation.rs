//! Negotiation of permessage-deflate through the public API (RFC 7692 §5, §7.1): header text in,
//! header text or a refusal out. The client's table of agreed values is beside the code, in
//! `extension/deflate/negotiate.rs`.

use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::extension::{Negotiator, Offer};

fn parse(line: &str) -> Vec<Offer> {
    Offer::parse_all([line.as_bytes()]).expect("a line of the grammar")
}

/// What the server answers to the first offer that it accepts.
fn answer(server: &Deflate, line: &str) -> Option<String> {
    let accepted = parse(line).iter().find_map(|offer| server.accept(offer))?;
    Some(accepted.response.to_string())
}

/// The rule that a client finds broken.
fn refusal(client: &Deflate, line: &str) -> Option<String> {
    let [response] = &parse(line)[..] else { panic!("one element: {line}") };
    let error = client.confirm(response).err()?;
    assert_eq!(error.response, response.to_string());
    Some(error.fault)
}

fn offer_of(client: &Deflate) -> String {
    let offers: Vec<_> = client.offers().iter().map(Offer::to_string).collect();
    offers.join(", ")
}

#[test]
fn default_offer_asks_for_no_takeover_in_either_direction() {
    assert_eq!(
        offer_of(&Deflate::default()),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         client_max_window_bits"
    );
}

#[test]
fn offer_says_what_is_set() {
    let takeover = Deflate::takeover();
    assert_eq!(offer_of(&takeover), "permessage-deflate; client_max_window_bits");
    assert_eq!(
        offer_of(&takeover.clone().server_window_bits(10).client_window_bits(8)),
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits=8"
    );
    assert_eq!(
        offer_of(&takeover.clone().server_takeover(false)),
        "permessage-deflate; server_no_context_takeover; client_max_window_bits"
    );
    assert_eq!(
        offer_of(&takeover.client_takeover(false)),
        "permessage-deflate; client_no_context_takeover; client_max_window_bits"
    );
}

/// RFC 7692 §7.1: an offer with a fault is declined; the handshake goes on.
#[test]
fn server_declines_an_offer_that_breaks_a_rule() {
    for params in [
        "unknown",
        "unknown=1",
        "Server_No_Context_Takeover",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=0",
        "server_max_window_bits=08",
        "server_max_window_bits=010",
        "server_max_window_bits=+9",
        "server_max_window_bits=-9",
        "server_max_window_bits=9.0",
        "server_max_window_bits=1e1",
        "server_max_window_bits=4294967304",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=08",
        "client_max_window_bits=x",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits; client_max_window_bits=10",
        "__proto__",
    ] {
        let line = format!("permessage-deflate; {params}");
        for server in [Deflate::shared(), Deflate::takeover()] {
            assert_eq!(answer(&server, &line), None, "{line}");
        }
    }
    for name in ["Permessage-Deflate", "permessage-deflate2", "x-webkit-deflate-frame"] {
        assert_eq!(answer(&Deflate::shared(), name), None, "{name}");
    }
}

/// RFC 7692 §5.1: the first acceptable offer counts.
#[test]
fn server_takes_the_first_acceptable_offer() {
    let server = Deflate::takeover();
    let line = "permessage-deflate; client_max_window_bits=99, other, \
                permessage-deflate; server_max_window_bits=11, permessage-deflate";
    assert_eq!(
        answer(&server, line).as_deref(),
        Some("permessage-deflate; server_max_window_bits=11")
    );
}

/// The table of answers (RFC 7692 §7.1.1.1, §7.1.1.2): present if it was offered, or if the server
/// wants it.
#[test]
fn server_table_of_no_context_takeover() {
    for name in ["server_no_context_takeover", "client_no_context_takeover"] {
        for wanted in [false, true] {
            let server = match name {
                "server_no_context_takeover" => Deflate::takeover().server_takeover(!wanted),
                _ => Deflate::takeover().client_takeover(!wanted),
            };
            let with = format!("permessage-deflate; {name}");
            assert_eq!(answer(&server, &with), Some(with.clone()));
            let without = answer(&server, "permessage-deflate");
            assert_eq!(
                without.as_deref(),
                Some(if wanted { &*with } else { "permessage-deflate" })
            );
        }
    }
}

/// The table of answers (RFC 7692 §7.1.2.1): the smaller of both, and only to an offer that has it.
#[test]
fn server_table_of_server_max_window_bits() {
    for ours in 8..=15 {
        let server = Deflate::takeover().server_window_bits(ours);
        for offered in 8..=15 {
            let line = format!("permessage-deflate; server_max_window_bits={offered}");
            let expected =
                format!("permessage-deflate; server_max_window_bits={}", ours.min(offered));
            assert_eq!(answer(&server, &line), Some(expected));
        }
        let expected = Some("permessage-deflate");
        assert_eq!(answer(&server, "permessage-deflate").as_deref(), expected);
    }
}

/// The table of answers (RFC 7692 §7.1.2.2): never to an offer that lacks it, never more than was
/// offered.
#[test]
fn server_table_of_client_max_window_bits() {
    for ours in 8..=15_u8 {
        let server = Deflate::takeover().client_window_bits(ours);
        for offered in 8..=15 {
            let line = format!("permessage-deflate; client_max_window_bits={offered}");
            let expected =
                format!("permessage-deflate; client_max_window_bits={}", ours.min(offered));
            assert_eq!(answer(&server, &line), Some(expected));
        }
        let expected = match ours {
            15 => "permessage-deflate".to_owned(),
            ours => format!("permessage-deflate; client_max_window_bits={ours}"),
        };
        let understood = answer(&server, "permessage-deflate; client_max_window_bits");
        assert_eq!(understood, Some(expected));
        assert_eq!(answer(&server, "permessage-deflate").as_deref(), Some("permessage-deflate"));
    }
}

/// RFC 7692 §7.1.3: its examples of offers, with the answers it allows.
#[test]
fn header_examples() {
    let takeover = Deflate::takeover();
    let examples = [
        (takeover.clone(), "permessage-deflate", "permessage-deflate"),
        (
            takeover.clone().server_takeover(false),
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover",
        ),
        (
            takeover.clone(),
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10",
        ),
        (
            takeover.clone(),
            "permessage-deflate; client_max_window_bits; server_max_window_bits=\"10\"",
            "permessage-deflate; server_max_window_bits=10",
        ),
        (
            takeover.clone(),
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
             permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=10",
        ),
        (
            takeover.client_window_bits(12),
            "permessage-deflate; server_no_context_takeover; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=12",
        ),
    ];
    for (server, offer, expected) in examples {
        assert_eq!(answer(&server, offer).as_deref(), Some(expected), "{offer}");
    }
}

/// Chrome's and Firefox's offers; the answers are legal though unsolicited (RFC 7692 §7.1.1).
#[test]
fn default_server_accepts_browsers() {
    let shared = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let server = Deflate::default();
    for offer in ["permessage-deflate; client_max_window_bits", "permessage-deflate"] {
        assert_eq!(answer(&server, offer).as_deref(), Some(shared));
    }
}

/// The offers of Autobahn's cases 13.1 to 13.7, in its own spelling.
#[test]
fn any_server_accepts_autobahns_offers() {
    let offers = [(false, 0), (true, 0), (false, 9), (false, 15), (true, 9), (true, 15)];
    let written = |(no_takeover, bits): (bool, u8)| {
        let mut offer =
            "permessage-deflate; client_no_context_takeover; client_max_window_bits".to_owned();
        if no_takeover {
            offer += "; server_no_context_takeover";
        }
        if bits != 0 {
            offer += &format!("; server_max_window_bits={bits}");
        }
        offer
    };
    for server in [Deflate::shared(), Deflate::takeover()] {
        for offer in offers {
            let answer = answer(&server, &written(offer)).expect("accepted");
            let bits = format!("server_max_window_bits={}", offer.1);
            assert_eq!(answer.contains(&bits), offer.1 != 0, "{answer}");
            let reset = offer.0 || server == Deflate::shared();
            assert_eq!(answer.contains("server_no_context_takeover"), reset, "{answer}");
        }
        let list = [(true, 9), (true, 0), (false, 0)].map(written).join(", ");
        assert_eq!(answer(&server, &list), answer(&server, &written((true, 9))));
    }
}

/// RFC 7692 §7.1: what a client must not let pass.
#[test]
fn client_refuses_an_answer_that_breaks_a_rule() {
    let client = Deflate::takeover();
    for (answer, rule) in [
        ("permessage-bzip2", "not permessage-deflate"),
        ("permessage-deflate; unknown", "is unknown"),
        ("permessage-deflate; server_no_context_takeover=1", "takes no value"),
        ("permessage-deflate; client_no_context_takeover=1", "takes no value"),
        ("permessage-deflate; server_max_window_bits", "must have a value from 8 to 15"),
        ("permessage-deflate; client_max_window_bits", "must have a value in an answer"),
        ("permessage-deflate; server_max_window_bits=7", "from 8 to 15"),
        ("permessage-deflate; server_max_window_bits=16", "from 8 to 15"),
        ("permessage-deflate; client_max_window_bits=09", "from 8 to 15"),
        ("permessage-deflate; client_max_window_bits=1000", "from 8 to 15"),
        ("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", "twice"),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", "twice"),
    ] {
        let fault = refusal(&client, answer).unwrap_or_else(|| panic!("let pass: {answer}"));
        assert!(fault.contains(rule), "{fault}");
    }
    for (client, answer, rule) in [
        (Deflate::shared(), "permessage-deflate", "`server_no_context_takeover` was asked for"),
        (client.clone().server_window_bits(10), "permessage-deflate", "=10` was asked for"),
        (
            client.clone().server_window_bits(10),
            "permessage-deflate; server_max_window_bits=11",
            "`server_max_window_bits` is over the offered 10",
        ),
        (
            client.client_window_bits(10),
            "permessage-deflate; client_max_window_bits=11",
            "`client_max_window_bits` is over the offered 10",
        ),
    ] {
        let fault = refusal(&client, answer).unwrap_or_else(|| panic!("let pass: {answer}"));
        assert!(fault.contains(rule), "{fault}");
    }
}

/// RFC 7692 §7.1: what a server may add by itself.
#[test]
fn client_accepts_what_a_server_may_add() {
    for answer in [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; client_max_window_bits=8",
        "permessage-deflate; client_max_window_bits=\"15\"; server_max_window_bits=15",
    ] {
        assert_eq!(refusal(&Deflate::takeover(), answer), None, "{answer}");
    }
}

/// Whatever our client is set to offer, our server's answer to it passes.
#[test]
fn our_server_and_our_client_agree_under_all_settings() {
    let settings = || {
        let flags = [(true, true), (true, false), (false, true), (false, false)];
        flags.into_iter().flat_map(|(server, client)| {
            (8..=15).flat_map(move |server_bits| {
                [8, 9, 12, 15].map(|client_bits| {
                    Deflate::shared()
                        .server_takeover(server)
                        .client_takeover(client)
                        .server_window_bits(server_bits)
                        .client_window_bits(client_bits)
                })
            })
        })
    };
    for client in settings() {
        for server in settings() {
            let answer = answer(&server, &offer_of(&client)).expect("accepted");
            assert_eq!(refusal(&client, &answer), None, "{answer}");
        }
    }
}
