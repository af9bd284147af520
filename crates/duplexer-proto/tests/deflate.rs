//! The codec of permessage-deflate through the public API (RFC 7692 §7.2): payloads in, messages
//! out, and back.

use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::extension::{Boundary, DecodeError, Extension, Negotiator};
use duplexer_proto::{MessageKind, Scratch};
use proptest::prelude::*;

/// A connection's two ends after the opening handshake.
struct Ends {
    client: Box<dyn Extension>,
    server: Box<dyn Extension>,
}

fn agree(client: &Deflate, server: &Deflate) -> Ends {
    let accepted = server.accept(&client.offers()[0]).expect("an acceptable offer");
    let client = client.confirm(&accepted.response).expect("an acceptable answer");
    Ends { client, server: accepted.extension }
}

fn takeover() -> Ends {
    agree(&Deflate::takeover(), &Deflate::takeover())
}

fn shared() -> Ends {
    agree(&Deflate::shared(), &Deflate::shared())
}

/// With each kind of ends.
fn both_modes() -> [Ends; 2] {
    [takeover(), shared()]
}

fn scratch() -> Scratch {
    Scratch::new(|| [0; 4])
}

fn encode(sender: &mut dyn Extension, message: &[u8], scratch: &mut Scratch) -> Vec<u8> {
    let mut payload = Vec::new();
    sender.encode(message, Boundary::End, scratch, &mut payload);
    payload
}

/// Decodes a message that comes in `fragments`, with `room` for each call; panics if a call does
/// not get on.
fn decode_fragments(
    receiver: &mut dyn Extension,
    fragments: &[&[u8]],
    room: usize,
    scratch: &mut Scratch,
) -> Result<Vec<u8>, DecodeError> {
    let mut message = Vec::new();
    for (at, fragment) in fragments.iter().enumerate() {
        let end = at + 1 == fragments.len();
        let mut rest = *fragment;
        loop {
            let before = message.len();
            let decoded = receiver.decode(rest, end, room, scratch, &mut message)?;
            assert!(message.len() - before <= room, "more than there is room for");
            assert!(
                decoded.done || decoded.consumed > 0 || message.len() > before,
                "neither done nor further"
            );
            rest = &rest[decoded.consumed..];
            if decoded.done {
                assert!(rest.is_empty());
                break;
            }
        }
    }
    Ok(message)
}

fn decode(
    receiver: &mut dyn Extension,
    payload: &[u8],
    scratch: &mut Scratch,
) -> Result<Vec<u8>, DecodeError> {
    decode_fragments(receiver, &[payload], usize::MAX, scratch)
}

/// RFC 7692 §7.2.3.1–§7.2.3.6.
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";
const HELLO_STORED: &[u8] = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
const HELLO_FINAL: &[u8] = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
const HELLO_TWO_BLOCKS: &[u8] = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
const EMPTY: &[u8] = b"\x00";

#[test]
fn hello_is_compressed_as_in_the_rfc() {
    // RFC 7692 §7.2.3.1 and §7.2.3.2. (There only four bytes of the second "Hello" refer to the first.)
    let scratch = &mut scratch();
    let hello_referred = b"\x02\x13\x00\x00";
    for level in [1, 6, 9] {
        let mut ends = agree(&Deflate::takeover().level(level), &Deflate::shared());
        assert_eq!(encode(&mut *ends.server, b"Hello", scratch), HELLO);
        assert_eq!(encode(&mut *ends.server, b"Hello", scratch), HELLO, "without takeover");
        let mut ends = agree(&Deflate::takeover().level(level), &Deflate::takeover());
        assert_eq!(encode(&mut *ends.client, b"Hello", scratch), HELLO);
        assert_eq!(encode(&mut *ends.client, b"Hello", scratch), hello_referred, "with takeover");
    }
}

#[test]
fn hello_is_inflated_in_every_form_of_the_rfc_at_every_cut() {
    let scratch = &mut scratch();
    for mut ends in both_modes() {
        for payload in [HELLO, HELLO_STORED, HELLO_FINAL, HELLO_TWO_BLOCKS] {
            for cut in 0..=payload.len() {
                for room in 1..=6 {
                    let fragments = [&payload[..cut], &payload[cut..]];
                    let hello = decode_fragments(&mut *ends.server, &fragments, room, scratch);
                    assert_eq!(hello.expect("a valid message"), b"Hello");
                }
            }
            let bytes: Vec<_> = payload.chunks(1).collect();
            let hello = decode_fragments(&mut *ends.client, &bytes, 1, scratch);
            assert_eq!(hello.expect("a valid message"), b"Hello");
        }
    }
}

#[test]
fn second_hello_refers_to_the_first_with_takeover_only() {
    // RFC 7692 §7.2.3.2.
    let scratch = &mut scratch();
    for first in [HELLO, HELLO_STORED, HELLO_FINAL, HELLO_TWO_BLOCKS] {
        let Ends { mut server, .. } = takeover();
        for payload in [first, HELLO_AGAIN, EMPTY, b"", HELLO_AGAIN] {
            let message = decode(&mut *server, payload, scratch).expect("a valid message");
            assert_eq!(message, if payload.len() > 1 { &b"Hello"[..] } else { b"" });
        }
        let Ends { mut server, .. } = shared();
        assert_eq!(decode(&mut *server, first, scratch).as_deref(), Ok(&b"Hello"[..]));
        assert!(decode(&mut *server, HELLO_AGAIN, scratch).is_err());
    }
}

#[test]
fn several_final_blocks_in_a_message_keep_the_window() {
    // RFC 7692 §7.2.3.4: BFINAL may be set in any block; the window goes on.
    let hello_final = &HELLO_FINAL[..7];
    let again_final = b"\xf3\x00\x11\x00";
    let scratch = &mut scratch();
    for mut ends in both_modes() {
        let payload = [hello_final, again_final, hello_final, again_final, b"\x00"].concat();
        for room in [1, 4, 5, 100] {
            let whole = decode_fragments(&mut *ends.server, &[&payload], room, scratch);
            assert_eq!(whole.expect("a valid message"), b"HelloHelloHelloHello");
            let bytes: Vec<_> = payload.chunks(1).collect();
            let bytes = decode_fragments(&mut *ends.server, &bytes, room, scratch);
            assert_eq!(bytes.expect("a valid message"), b"HelloHelloHelloHello");
        }
    }
    // As above, by senders that forget the empty block behind the last final one.
    let mut ends = takeover();
    for payload in [hello_final, again_final, HELLO_AGAIN] {
        let message = decode(&mut *ends.server, payload, scratch);
        assert_eq!(message.expect("a valid message"), b"Hello");
    }
}

#[test]
fn final_block_keeps_the_whole_window_with_takeover() {
    // RFC 7692 §7.2.3.4, with more behind the window than it holds.
    let scratch = &mut scratch();
    for bits in [8, 9, 12, 15] {
        let config = Deflate::takeover().client_window_bits(bits);
        let mut ends = agree(&config, &config);
        for round in 0..4 {
            // The second does not fill the window.
            for message in [noise(40_000 + round), noise(110 + round)] {
                let payload = encode(&mut *ends.client, &message, scratch);
                assert_eq!(decode(&mut *ends.server, &payload, scratch), Ok(message));
            }
            // A final block between two of the sender's messages changes nothing for it.
            assert_eq!(decode(&mut *ends.server, b"\x03\x00", scratch), Ok(Vec::new()));
            let repeated = noise(110 + round);
            let payload = encode(&mut *ends.client, &repeated, scratch);
            assert!(payload.len() < 20, "refers to the message before");
            assert_eq!(decode(&mut *ends.server, &payload, scratch), Ok(repeated));
        }
    }
}

#[test]
fn empty_message_is_one_zero_byte() {
    // RFC 7692 §7.2.3.6.
    let scratch = &mut scratch();
    for mut ends in both_modes() {
        for message in [&b""[..], b"Hello", b"", b""] {
            let payload = encode(&mut *ends.client, message, scratch);
            assert_eq!(payload == EMPTY, message.is_empty());
            assert_eq!(decode(&mut *ends.server, &payload, scratch).as_deref(), Ok(message));
        }
    }
}

#[test]
fn compressed_message_without_payload_is_empty_and_harms_no_later_one() {
    // `c1 00`; aiohttp#12976.
    let scratch = &mut scratch();
    for mut ends in both_modes() {
        for payload in [&b""[..], HELLO, b"", b"", HELLO, b""] {
            let message = decode(&mut *ends.server, payload, scratch).expect("a valid message");
            assert_eq!(message, if payload.is_empty() { &b""[..] } else { b"Hello" });
            let fragments = [&b""[..], b"", payload, b""];
            let again = decode_fragments(&mut *ends.server, &fragments, 9, scratch);
            assert_eq!(again.expect("a valid message"), message);
        }
    }
}

#[test]
fn message_that_ends_inside_a_block_is_corrupt() {
    // RFC 7692 §7.2.2: with the tail, the payload is whole blocks.
    let scratch = &mut scratch();
    for payload in [HELLO, HELLO_STORED, HELLO_TWO_BLOCKS] {
        for len in 1..payload.len() {
            for mut ends in both_modes() {
                let message = decode(&mut *ends.server, &payload[..len], scratch);
                // The header of an empty block, first or behind a block, ends a message.
                let whole = match len {
                    1 if payload == HELLO_STORED => Some(Vec::new()),
                    4 if payload == HELLO_TWO_BLOCKS => Some(b"He".to_vec()),
                    _ => None,
                };
                assert_eq!(message.ok(), whole, "{len} bytes of {payload:x?}");
            }
        }
    }
    let mut with_tail = HELLO.to_vec();
    with_tail.extend(b"\x00\x00\xff\xff");
    assert!(decode(&mut *takeover().server, &with_tail, scratch).is_err(), "tail twice");
}

#[test]
fn corrupt_stream_is_an_error_that_names_the_fault() {
    let scratch = &mut scratch();
    for (payload, fault) in [
        (&b"\x06\x00"[..], "not a DEFLATE stream"),
        (b"\x00\x05\x00\x05\x00Hello\x00", "not a DEFLATE stream"),
        (HELLO_AGAIN, "not a DEFLATE stream"),
        (b"\xf2\x48", "the message ends inside a block"),
    ] {
        for mut ends in both_modes() {
            let error = decode(&mut *ends.client, payload, scratch).expect_err("corrupt");
            assert_eq!(error, DecodeError { extension: "permessage-deflate", fault });
            assert_eq!(error.to_string(), format!("permessage-deflate: {fault}"));
        }
    }
    // And the thread's contexts are as good as before.
    assert_eq!(decode(&mut *shared().client, HELLO, scratch).as_deref(), Ok(&b"Hello"[..]));
}

#[test]
fn bomb_puts_out_no_more_than_there_is_room_for() {
    // CVE-2026-1526: the limit applies while inflating.
    let scratch = &mut scratch();
    for mut ends in both_modes() {
        let payload = encode(&mut *ends.client, &vec![0; 10 << 20], scratch);
        assert!(payload.len() < 11_000);
        let mut message = Vec::new();
        let decoded = ends.server.decode(&payload, true, 1000, scratch, &mut message);
        let decoded = decoded.expect("valid so far");
        assert_eq!(message.len(), 1000);
        assert!(!decoded.done && decoded.consumed < 200);
        assert!(message.capacity() < 100_000);
    }
}

#[test]
fn room_that_is_just_enough_is_done_and_room_that_is_not_is_not() {
    let scratch = &mut scratch();
    for mut ends in both_modes() {
        for payload in [HELLO, HELLO_STORED, HELLO_FINAL, HELLO_TWO_BLOCKS] {
            for end in [false, true] {
                let mut message = Vec::new();
                let decoded = ends.server.decode(payload, end, 5, scratch, &mut message);
                assert!(decoded.expect("a valid message").done, "exactly the room");
                assert_eq!(message, b"Hello");
                if !end {
                    let decoded = ends.server.decode(b"", true, 0, scratch, &mut message);
                    assert!(decoded.expect("a valid message").done, "nothing more");
                }
            }
            let mut message = Vec::new();
            let decoded = ends.server.decode(payload, true, 4, scratch, &mut message);
            let decoded = decoded.expect("valid so far");
            assert!(!decoded.done && message == b"Hell");
            let stuck = ends.server.decode(b"", true, 0, scratch, &mut message);
            assert!(!stuck.expect("valid so far").done && message == b"Hell");
            let rest = &payload[decoded.consumed..];
            let decoded = ends.server.decode(rest, true, 1, scratch, &mut message);
            assert!(decoded.expect("a valid message").done && message == b"Hello");
        }
    }
}

#[test]
fn flush_makes_all_so_far_decodable_and_flushing_twice_adds_nothing() {
    let scratch = &mut scratch();
    for mut ends in both_modes() {
        for _ in 0..3 {
            let mut message = Vec::new();
            for (input, boundary) in [
                (&b""[..], Boundary::Flush),
                (b"one ", Boundary::Within),
                (b"", Boundary::Within),
                (b"", Boundary::Flush),
                (b"two ", Boundary::Flush),
                (b"three", Boundary::Flush),
            ] {
                let mut payload = Vec::new();
                ends.client.encode(input, boundary, scratch, &mut payload);
                let decoded = ends.server.decode(&payload, false, 1000, scratch, &mut message);
                assert!(decoded.expect("valid so far").done);
                if boundary == Boundary::Flush {
                    let len = payload.len();
                    ends.client.encode(b"", Boundary::Flush, scratch, &mut payload);
                    assert_eq!(payload.len(), len);
                }
            }
            assert_eq!(message, b"one two three");
            let end = encode(&mut *ends.client, b"", scratch);
            assert_eq!(end, EMPTY, "nothing is left to say but the end");
            let decoded = ends.server.decode(&end, true, 0, scratch, &mut message);
            assert!(decoded.expect("a valid message").done);
            assert_eq!(message, b"one two three");
        }
    }
}

#[test]
fn connections_of_a_thread_share_contexts_without_sharing_history() {
    // CRIME across connections: what one sent must not be referred to by another.
    let scratch = &mut scratch();
    let secret = noise(3000);
    let first = encode(&mut *shared().client, &secret, scratch);
    let mut other = shared();
    assert_eq!(encode(&mut *other.client, &secret, scratch), first);
    decode(&mut *other.server, &first, scratch).expect("a valid message");
    assert!(decode(&mut *other.server, HELLO_AGAIN, scratch).is_err());
    // A message that was dropped unfinished leaves nothing either.
    let mut payload = Vec::new();
    shared().client.encode(&secret, Boundary::Flush, scratch, &mut payload);
    assert_eq!(encode(&mut *shared().client, &secret, scratch), first);
}

#[test]
fn without_takeover_the_same_message_is_the_same_bytes() {
    // RFC 7692 §7.1.1: whatever the context that is lent compressed before.
    for level in 0..=9 {
        let mut ends = agree(&Deflate::shared().level(level), &Deflate::shared());
        let message = repetitive(5000);
        let first = encode(&mut *ends.client, &message, &mut scratch());
        let scratch = &mut scratch();
        for before in [repetitive(70_000), noise(100), message.clone(), Vec::new(), noise(40_000)] {
            encode(&mut *ends.client, &before, scratch);
            assert_eq!(encode(&mut *ends.client, &message, scratch), first, "level {level}");
        }
    }
}

#[test]
fn noise_grows_by_the_headers_of_stored_blocks_only() {
    // RFC 1951 §3.2.4: five bytes for each block.
    let scratch = &mut scratch();
    for level in [0, 1, 6, 9] {
        for mut ends in [Deflate::shared(), Deflate::takeover()]
            .map(|settings| agree(&settings.clone().level(level), &settings))
        {
            for len in [100, 1000, 16_384, 100_000] {
                let growth = encode(&mut *ends.client, &noise(len), scratch).len() - len;
                assert!(growth <= 5 * (len / 16_000 + 2), "{growth} for {len} at level {level}");
            }
        }
    }
}

#[test]
fn share_class_is_of_equal_compressors_that_forget() {
    let class = |server: Deflate| agree(&Deflate::takeover(), &server).server.share_class();
    assert_eq!(class(Deflate::takeover()), None);
    assert_eq!(class(Deflate::shared()), class(Deflate::takeover().server_takeover(false)));
    assert!(class(Deflate::shared()).is_some());
    assert_ne!(class(Deflate::shared()), class(Deflate::shared().level(1)));
    assert_ne!(class(Deflate::shared()), class(Deflate::shared().server_window_bits(14)));
}

#[test]
fn short_messages_are_sent_plain() {
    let wants = |deflate: Deflate, len| {
        agree(&Deflate::default(), &deflate).server.wants(MessageKind::Text, len)
    };
    assert!(!wants(Deflate::default(), Some(127)));
    assert!(wants(Deflate::default(), Some(128)));
    assert!(wants(Deflate::default(), None), "of unknown length");
    assert!(wants(Deflate::default().min_bytes(0), Some(0)));
    assert!(!wants(Deflate::default().min_bytes(1000), Some(999)));
}

/// Bytes without any pattern.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ len as u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Words in an order without pattern, so that there are matches at every distance.
fn repetitive(len: usize) -> Vec<u8> {
    let words = noise(97);
    noise(len)
        .iter()
        .flat_map(|&at| &words[usize::from(at % 90)..][..7])
        .copied()
        .take(len)
        .collect()
}

/// Text that compresses and noise that does not, mostly short.
fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(prop::sample::select(&b"abc "[..]), 0..600),
        2 => prop::collection::vec(any::<u8>(), 0..600),
        1 => (0..70_000_usize).prop_map(noise),
        1 => (0..200_000_usize).prop_map(repetitive),
        1 => (0..300_000_usize).prop_map(|len| vec![b'x'; len]),
    ]
}

fn boundary() -> impl Strategy<Value = Boundary> {
    prop_oneof![3 => Just(Boundary::Within), 1 => Just(Boundary::Flush)]
}

/// Settings for one direction: takeover, window bits, level.
fn settings() -> impl Strategy<Value = Deflate> {
    (any::<bool>(), 8..=15_u8, 0..=9_u8).prop_map(|(takeover, bits, level)| {
        Deflate::shared().client_takeover(takeover).client_window_bits(bits).level(level)
    })
}

/// Sizes that are gone through in turn, to cut bytes into pieces.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![0..4_usize, 1..300_usize, 1..100_000_usize];
    prop::collection::vec(size, 1..6)
        .prop_filter("gets on", |sizes| sizes.iter().any(|&size| size > 0))
}

/// Cuts `bytes` into pieces of `sizes`, the last possibly shorter.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &size in sizes.iter().cycle() {
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_message_survives_in_any_pieces(
        settings in settings(),
        messages in prop::collection::vec(message(), 1..4),
        input_sizes in sizes(),
        boundaries in prop::collection::vec(boundary(), 1..6),
        wire_sizes in sizes(),
        room in prop_oneof![1..10_usize, 1..100_000_usize],
    ) {
        let scratch = &mut scratch();
        let mut ends = agree(&settings, &Deflate::takeover());
        for message in messages {
            let mut payload = Vec::new();
            let mut boundaries = boundaries.iter().cycle();
            // Tiny pieces of large messages only cost time.
            let large = message.len() > 5000;
            let pieces = if large { vec![1000, 70_000] } else { input_sizes.clone() };
            for piece in cut(&message, &pieces) {
                let boundary = *boundaries.next().expect("endless");
                ends.client.encode(piece, boundary, scratch, &mut payload);
            }
            ends.client.encode(b"", Boundary::End, scratch, &mut payload);
            let fragments = cut(&payload, &wire_sizes);
            let room = if large { room.max(300) } else { room };
            let decoded = decode_fragments(&mut *ends.server, &fragments, room, scratch);
            prop_assert_eq!(decoded.expect("a valid message"), message);
        }
    }

    #[test]
    fn all_before_a_flush_is_decodable(
        settings in settings(),
        pieces in prop::collection::vec((message(), boundary()), 1..5),
    ) {
        let scratch = &mut scratch();
        let mut ends = agree(&settings, &Deflate::takeover());
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for (piece, boundary) in pieces {
            let mut payload = Vec::new();
            sent.extend_from_slice(&piece);
            ends.client.encode(&piece, boundary, scratch, &mut payload);
            let decoded = ends.server.decode(&payload, false, usize::MAX, scratch, &mut received);
            prop_assert!(decoded.expect("valid so far").done);
            if boundary == Boundary::Flush {
                prop_assert_eq!(&received, &sent);
            }
        }
    }

    /// The asserts are those of `decode_fragments`: no panic, no more than the room, never standing
    /// still.
    #[test]
    fn garbage_is_an_error_or_a_message_and_bounded(
        garbage in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..4),
        sizes in sizes(),
        room in 1..2000_usize,
        shared_mode in any::<bool>(),
    ) {
        let scratch = &mut scratch();
        let mut ends = if shared_mode { shared() } else { takeover() };
        for payload in garbage {
            let _ = decode_fragments(&mut *ends.server, &cut(&payload, &sizes), room, scratch);
        }
    }

    #[test]
    fn damaged_message_is_an_error_or_a_message_and_bounded(
        settings in settings(),
        message in message(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
        room in 1..2000_usize,
    ) {
        let scratch = &mut scratch();
        let mut ends = agree(&settings, &Deflate::takeover());
        let mut payload = encode(&mut *ends.client, &message[..message.len().min(9000)], scratch);
        for (at, bits) in damage {
            *at.get_mut(&mut payload) ^= bits;
        }
        for _ in 0..2 {
            let _ = decode_fragments(&mut *ends.server, &[&payload], room, scratch);
        }
    }
}
