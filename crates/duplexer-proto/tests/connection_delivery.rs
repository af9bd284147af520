//! The ways in which messages are delivered: whole, in chunks as they arrive, held up to a bound,
//! or discarded; and changes from one to another inside a message.

mod support;

use duplexer_proto::{Delivery, MessageKind, Role};
use support::{Endpoint, Frame, Seen, Setup, in_every_chunking, text};

fn chunk(bytes: &str, first: bool, last: bool) -> Seen {
    Seen::Chunk { kind: MessageKind::Text, bytes: bytes.into(), first, last }
}

/// Runs a test in both roles and every chunking, starting with one delivery.
fn delivering(delivery: Delivery, test: impl Fn(&mut Endpoint)) {
    for role in [Role::Client, Role::Server] {
        in_every_chunking(&Setup::new(role).delivery(delivery), &test);
    }
}

#[test]
fn chunks_arrive_from_inside_a_frame() {
    let mut end = Setup::new(Role::Server).delivery(Delivery::Chunks).build();
    assert_eq!(end.hears(b"\x81\x85\0\0\0\0"), []);
    assert_eq!(end.hears(b"He"), [chunk("He", true, false)]);
    assert_eq!(end.hears(b"ll"), [chunk("ll", false, false)]);
    assert_eq!(end.hears(b"o"), [chunk("o", false, true)]);
}

#[test]
fn the_chunks_of_a_message_are_its_bytes_with_first_and_last_marked() {
    delivering(Delivery::Chunks, |end| {
        let seen =
            end.hears_frames(&[(0x01, b"Hel"), (0x00, b"lo "), (0x80, b"you"), (0x81, b"!")]);
        assert_eq!(seen, [chunk("Hello you", true, true), chunk("!", true, true)]);
    });
}

#[test]
fn an_empty_message_is_one_empty_chunk() {
    delivering(Delivery::Chunks, |end| {
        assert_eq!(end.hears_frame(0x81, ""), [chunk("", true, true)]);
        assert_eq!(
            end.hears_frames(&[(0x01, b""), (0x00, b""), (0x80, b"")]),
            [chunk("", true, true)]
        );
    });
}

#[test]
fn a_message_that_ends_with_an_empty_frame_ends_with_an_empty_chunk() {
    delivering(Delivery::Chunks, |end| {
        let seen = end.hears_frames(&[(0x01, b"abc"), (0x89, b""), (0x80, b"")]);
        assert_eq!(seen, [chunk("abc", true, false), Seen::Ping(vec![]), chunk("", false, true)]);
    });
}

#[test]
fn control_frames_come_between_the_chunks_where_they_stood() {
    delivering(Delivery::Chunks, |end| {
        let seen = end.hears_frames(&[(0x01, b"Hel"), (0x89, b"?"), (0x80, b"lo")]);
        assert_eq!(
            seen,
            [chunk("Hel", true, false), Seen::Ping(b"?".into()), chunk("lo", false, true)]
        );
        assert_eq!(end.sends_frames(), [Frame::new(0x8a, "?")]);
    });
}

#[test]
fn a_character_may_be_cut_between_chunks() {
    let mut end = Setup::new(Role::Client).delivery(Delivery::Chunks).build();
    let kind = MessageKind::Text;
    let piece = |byte: u8, first, last| Seen::Chunk { kind, bytes: vec![byte], first, last };
    end.hears(b"\x81\x03");
    assert_eq!(end.hears(b"\xe2"), [piece(0xe2, true, false)]);
    assert_eq!(end.hears(b"\x82"), [piece(0x82, false, false)]);
    assert_eq!(end.hears(b"\xac"), [piece(0xac, false, true)]);
}

#[test]
fn discarded_messages_are_dropped_and_their_pings_answered() {
    delivering(Delivery::Discard, |end| {
        let seen = end.hears_frames(&[(0x81, b"one"), (0x01, b"t"), (0x89, b"?"), (0x80, b"wo")]);
        assert_eq!(seen, [Seen::Ping(b"?".into())]);
        end.delivery = Delivery::Whole;
        assert_eq!(end.hears_frame(0x81, "three"), [text("three")]);
    });
}

#[test]
fn discarded_messages_are_still_checked() {
    // RFC 6455 §8.1: nobody reads, but a violation is one all the same.
    delivering(Delivery::Discard, |end| {
        let input = support::frame(end.role().peer(), 0x81, b"\xff");
        end.fails(input, &[], duplexer_proto::MessageError::NotUtf8, 1007);
    });
}

#[test]
fn discarding_the_rest_skips_to_the_next_message() {
    delivering(Delivery::Chunks, |end| {
        assert_eq!(end.hears_frame(0x01, "wanted"), [chunk("wanted", true, false)]);
        end.connection.discard_rest();
        let seen =
            end.hears_frames(&[(0x00, b"not"), (0x89, b"?"), (0x80, b"this"), (0x81, b"next")]);
        assert_eq!(seen, [Seen::Ping(b"?".into()), chunk("next", true, true)]);
    });
}

#[test]
fn discarding_the_rest_of_nothing_discards_nothing() {
    delivering(Delivery::Whole, |end| {
        end.connection.discard_rest();
        assert_eq!(end.hears_frame(0x81, "next"), [text("next")]);
    });
}

#[test]
fn discarding_the_rest_drops_what_was_collected() {
    delivering(Delivery::Whole, |end| {
        assert_eq!(end.hears_frame(0x01, "collected"), []);
        end.connection.discard_rest();
        end.delivery = Delivery::Chunks;
        assert_eq!(end.asks_again(), []);
        assert_eq!(
            end.hears_frames(&[(0x80, b"rest"), (0x81, b"next")]),
            [chunk("next", true, true)]
        );
    });
}

#[test]
fn a_held_message_that_fits_is_delivered_whole() {
    for bytes_max in [5, 6, 1000] {
        delivering(Delivery::Hold { bytes_max }, |end| {
            assert_eq!(end.hears_frames(&[(0x01, b"Hel"), (0x80, b"lo")]), [text("Hello")]);
            assert_eq!(end.hears_frame(0x81, "Hello"), [text("Hello")]);
            assert_eq!(end.hears_frame(0x81, ""), [text("")]);
        });
    }
}

#[test]
fn a_held_message_that_outgrows_its_bound_waits_where_it_is() {
    delivering(Delivery::Hold { bytes_max: 4 }, |end| {
        assert_eq!(end.hears_frame(0x81, "Hello"), []);
        assert_eq!(end.untaken(), 1);
        assert_eq!(end.hears_frame(0x89, "behind"), []);
        end.delivery = Delivery::Whole;
        assert_eq!(end.asks_again(), [text("Hello"), Seen::Ping(b"behind".into())]);
    });
}

#[test]
fn a_bound_of_zero_holds_nothing() {
    delivering(Delivery::Hold { bytes_max: 0 }, |end| {
        assert_eq!(end.hears_frame(0x89, "before"), [Seen::Ping(b"before".into())]);
        assert_eq!(end.hears_frame(0x81, "Hello"), []);
        assert_eq!(end.untaken(), 5);
        end.delivery = Delivery::Chunks;
        assert_eq!(end.asks_again(), [chunk("Hello", true, true)]);
    });
}

#[test]
fn a_change_from_held_to_chunks_hands_out_what_was_held() {
    delivering(Delivery::Hold { bytes_max: 4 }, |end| {
        assert_eq!(end.hears_frame(0x81, "Hello"), []);
        end.delivery = Delivery::Chunks;
        assert_eq!(end.asks_again(), [chunk("Hello", true, true)]);
        assert_eq!(end.hears_frame(0x81, "next"), [chunk("next", true, true)]);
    });
}

#[test]
fn a_change_from_whole_to_chunks_between_frames_hands_out_what_was_collected() {
    delivering(Delivery::Whole, |end| {
        assert_eq!(end.hears_frame(0x01, "Hel"), []);
        end.delivery = Delivery::Chunks;
        assert_eq!(end.asks_again(), [chunk("Hel", true, false)]);
        assert_eq!(end.hears_frame(0x80, "lo"), [chunk("lo", false, true)]);
    });
}

#[test]
fn a_change_from_whole_to_chunks_before_an_empty_last_frame_ends_the_message() {
    delivering(Delivery::Whole, |end| {
        assert_eq!(end.hears_frame(0x01, "Hello"), []);
        end.delivery = Delivery::Chunks;
        assert_eq!(end.hears_frame(0x80, ""), [chunk("Hello", true, true)]);
        assert!(!end.connection.is_inside_message());
        assert_eq!(end.hears_frame(0x81, "next"), [chunk("next", true, true)]);
    });
}

#[test]
fn a_change_from_chunks_to_whole_collects_what_is_left() {
    delivering(Delivery::Chunks, |end| {
        assert_eq!(end.hears_frame(0x01, "Hel"), [chunk("Hel", true, false)]);
        end.delivery = Delivery::Whole;
        assert_eq!(end.hears_frames(&[(0x00, b"l"), (0x80, b"o")]), [text("lo")]);
    });
}

#[test]
fn a_change_to_discard_inside_a_message_drops_what_is_left() {
    delivering(Delivery::Whole, |end| {
        assert_eq!(end.hears_frame(0x01, "Hel"), []);
        end.delivery = Delivery::Discard;
        assert_eq!(end.hears_frame(0x80, "lo"), []);
        end.delivery = Delivery::Whole;
        assert_eq!(end.hears_frame(0x81, "next"), [text("next")]);
    });
}

#[test]
fn every_change_inside_a_frame_keeps_every_byte() {
    // One frame that arrives byte by byte, with another delivery for each: whole and chunks in
    // turn.
    for turns in 0..64_u32 {
        let mut end = Setup::new(Role::Server).build();
        let mut got = String::new();
        let mut ended = false;
        for (at, byte) in b"\x81\x86\0\0\0\0sixsix".iter().enumerate() {
            end.delivery = match turns >> (at % 6) & 1 {
                0 => Delivery::Whole,
                _ => Delivery::Chunks,
            };
            for seen in end.hears([*byte]) {
                match seen {
                    Seen::Chunk { bytes, first, last, .. } => {
                        assert_eq!(first, got.is_empty());
                        got.push_str(std::str::from_utf8(&bytes).expect("ASCII"));
                        ended = last;
                    }
                    Seen::Message(message) => {
                        got.push_str(message.as_text().expect("a text"));
                        ended = true;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!((got.as_str(), ended), ("sixsix", true), "turns {turns:b}");
    }
}
