//! `Sec-WebSocket-Extensions` from any bytes: the grammar, and permessage-deflate's answers and
//! checks.

use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::extension::{Negotiator, Offer};

/// What was read is written to what reads the same; a server's answer obeys RFC 7692 §7.1 for every
/// offer; a client survives every answer and accepts its own server's.
pub fn extension_header(data: &[u8]) {
    let Ok(offers) = Offer::parse_all(data.split(|byte| *byte == b'\n')) else { return };
    assert!(offers.len() <= 32);
    let written: Vec<String> = offers.iter().map(Offer::to_string).collect();
    let again = Offer::parse_all([written.join(", ").as_bytes()]);
    assert_eq!(again.as_ref(), Ok(&offers), "{written:?}");
    for settings in settings() {
        for offer in &offers {
            if let Some(accepted) = settings.accept(offer) {
                check_answer(offer, &accepted.response);
            }
            let _ = settings.confirm(offer);
        }
    }
}

/// Servers and clients of every sort.
fn settings() -> [Deflate; 5] {
    [
        Deflate::shared(),
        Deflate::takeover(),
        Deflate::takeover().server_window_bits(10).client_window_bits(9),
        Deflate::takeover().server_takeover(false),
        Deflate::shared().client_takeover(true).client_window_bits(8),
    ]
}

/// A parameter that stands once: whether it is there, and its value.
fn param<'o>(offer: &'o Offer, name: &str) -> Option<Option<&'o str>> {
    let mut found = offer.params().iter().filter(|param| param.name() == name);
    let value = found.next().map(|param| param.value());
    assert!(found.next().is_none(), "{name} stands twice in {offer}");
    value
}

/// The bits of a parameter that has a value.
fn bits(value: Option<&str>) -> u8 {
    let bits: u8 = value.and_then(|value| value.parse().ok()).expect("a number");
    assert!((8..=15).contains(&bits) && Some(bits.to_string().as_str()) == value);
    bits
}

fn check_answer(offer: &Offer, answer: &Offer) {
    let known = [
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
    ];
    for offer in [offer, answer] {
        assert_eq!(offer.name(), "permessage-deflate");
        assert!(offer.params().iter().all(|param| known.contains(&param.name())), "{offer}");
        for flag in &known[..2] {
            assert!(matches!(param(offer, flag), None | Some(None)), "{offer}");
        }
    }
    if param(offer, known[0]).is_some() {
        assert!(param(answer, known[0]).is_some(), "RFC 7692 §7.1.1.1: {offer} -> {answer}");
    }
    if let Some(offered) = param(offer, known[2]) {
        let answered = param(answer, known[2]).expect("RFC 7692 §7.1.2.1");
        assert!(bits(answered) <= bits(offered), "{offer} -> {answer}");
    }
    match (param(offer, known[3]), param(answer, known[3])) {
        (_, None) | (Some(None), Some(Some(_))) => {}
        (Some(Some(offered)), Some(Some(answered))) => {
            assert!(bits(Some(answered)) <= bits(Some(offered)), "{offer} -> {answer}");
        }
        (None, Some(_)) | (_, Some(None)) => panic!("RFC 7692 §7.1.2.2: {offer} -> {answer}"),
    }
}
