//! Fragmentation (RFC 6455 §5.4) and the UTF-8 of text messages (§5.6, §8.1).

mod support;

use duplexer_proto::extension::Boundary;
use duplexer_proto::frame::Opcode;
use duplexer_proto::{Delivery, MessageError, MessageKind, Prepared, Role, SendOptions};
use support::{Frame, Seen, Setup, binary, frame, header, in_every_chunking, on_both_sides, text};

#[test]
fn a_message_of_many_frames_is_one_message() {
    // RFC 6455 §5.4.
    on_both_sides(|end| {
        let frames: &[(u8, &[u8])] = &[(0x02, b"a"), (0x00, b"bc"), (0x00, b"def"), (0x80, b"g")];
        assert_eq!(end.hears_frames(frames), [binary("abcdefg")]);
        assert!(!end.connection.is_inside_message());
    });
}

#[test]
fn frames_of_a_message_may_be_empty() {
    // RFC 6455 §5.4 sets no least length.
    on_both_sides(|end| {
        assert_eq!(end.hears_frames(&[(0x01, b""), (0x00, b""), (0x80, b"")]), [text("")]);
        assert_eq!(end.hears_frames(&[(0x01, b""), (0x00, b"x"), (0x80, b"")]), [text("x")]);
        assert_eq!(end.hears_frames(&[(0x02, b"y"), (0x80, b"")]), [binary("y")]);
    });
}

#[test]
fn a_continuation_without_a_message_fails() {
    // RFC 6455 §5.4.
    for first in [0x00, 0x80] {
        on_both_sides(|end| {
            let input = frame(end.role().peer(), first, "x");
            end.fails(input, &[], MessageError::NothingToContinue, 1002);
        });
    }
    on_both_sides(|end| {
        assert_eq!(end.hears_frames(&[(0x01, b"a"), (0x80, b"b")]), [text("ab")]);
        let input = frame(end.role().peer(), 0x80, "x");
        end.fails(input, &[], MessageError::NothingToContinue, 1002);
    });
}

#[test]
fn a_new_message_inside_another_fails() {
    // RFC 6455 §5.4: "The fragments of one message MUST NOT be interleaved between the fragments of
    // another message".
    for (first, opcode) in [(0x81, Opcode::Text), (0x02, Opcode::Binary), (0x82, Opcode::Binary)] {
        on_both_sides(|end| {
            assert_eq!(end.hears_frame(0x01, "unfinished"), []);
            assert!(end.connection.is_inside_message());
            let input = frame(end.role().peer(), first, "x");
            end.fails(input, &[], MessageError::NotContinued { opcode }, 1002);
        });
    }
}

#[test]
fn characters_may_be_cut_between_frames() {
    // RFC 6455 §5.6: "a particular text frame might include a partial UTF-8 sequence".
    let whole = "κόσμε€𝄞\u{10ffff}\u{0}";
    for at in 0..=whole.len() {
        on_both_sides(|end| {
            let (front, back) = whole.as_bytes().split_at(at);
            assert_eq!(end.hears_frames(&[(0x01, front), (0x80, back)]), [text(whole)]);
        });
    }
    on_both_sides(|end| {
        assert_eq!(end.hears_frame(0x01, ""), []);
        for byte in whole.bytes() {
            assert_eq!(end.hears_frame(0x00, [byte]), []);
        }
        assert_eq!(end.hears_frame(0x80, ""), [text(whole)]);
    });
}

/// What is valid up to its last byte, which is impossible there.
const IMPOSSIBLE: &[&[u8]] = &[
    b"\xff",
    b"\x80",
    b"\xc0",
    b"\xc1",
    b"\xf5",
    b"a\xe2\x82\x28",
    b"\xc3\x28",
    b"\xe0\x80",
    b"\xed\xa0",
    b"\xf0\x8f",
    b"\xf4\x90",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0",
];

#[test]
fn a_text_that_is_not_utf8_fails() {
    // RFC 6455 §8.1: "the endpoint MUST _Fail the WebSocket Connection_", with 1007 (§7.4.1).
    for bad in IMPOSSIBLE {
        on_both_sides(|end| {
            let input = frame(end.role().peer(), 0x81, bad);
            end.fails(input, &[], MessageError::NotUtf8, 1007);
        });
    }
}

#[test]
fn a_text_fails_at_the_first_impossible_byte_long_before_the_frame_ends() {
    // RFC 6455 §8.1; a frame of 1,000,000 bytes of which only a few have arrived.
    for delivery in [Delivery::Whole, Delivery::Chunks, Delivery::Discard] {
        for bad in IMPOSSIBLE {
            for role in [Role::Client, Role::Server] {
                in_every_chunking(&Setup::new(role).delivery(delivery), |end| {
                    let whole = frame(role.peer(), 0x81, bad);
                    let masked_payload = &whole[whole.len() - bad.len()..];
                    let begun =
                        [header(role.peer(), 0x81, 1_000_000), masked_payload.into()].concat();
                    let (valid, impossible) = begun.split_at(begun.len() - 1);
                    assert!(!end.hears(valid).iter().any(|seen| matches!(seen, Seen::Fault(_))));
                    end.fails(impossible, &[], MessageError::NotUtf8, 1007);
                });
            }
        }
    }
}

#[test]
fn a_text_that_ends_inside_a_character_fails() {
    // RFC 6455 §8.1.
    for cut in ["é", "€", "𝄞"] {
        for len in 1..cut.len() {
            on_both_sides(|end| {
                let input = frame(end.role().peer(), 0x81, &cut.as_bytes()[..len]);
                end.fails(input, &[], MessageError::NotUtf8, 1007);
            });
            on_both_sides(|end| {
                assert_eq!(end.hears_frame(0x01, &cut.as_bytes()[..len]), []);
                let input = frame(end.role().peer(), 0x80, "");
                end.fails(input, &[], MessageError::NotUtf8, 1007);
            });
        }
    }
}

#[test]
fn an_unfinished_character_may_wait_at_the_end_of_what_arrived() {
    // RFC 6455 §8.1: failing there would fail valid text.
    on_both_sides(|end| {
        assert_eq!(
            end.hears_frames(&[(0x01, b"a\xf0\x9d"), (0x89, b"?")]),
            [Seen::Ping(b"?".into())]
        );
        assert_eq!(end.hears_frame(0x80, b"\x84\x9e"), [text("a𝄞")]);
    });
}

#[test]
fn binary_messages_are_not_checked_for_utf8() {
    // RFC 6455 §5.6: "binary data whose interpretation is solely up to the application layer".
    on_both_sides(|end| {
        assert_eq!(end.hears_frame(0x82, b"\xff\xfe"), [binary(*b"\xff\xfe")]);
        assert_eq!(end.hears_frames(&[(0x02, b"\xff"), (0x80, b"\xc0")]), [binary(*b"\xff\xc0")]);
    });
}

#[test]
fn the_kind_of_a_message_is_its_first_frames() {
    // RFC 6455 §5.4: "its opcode … indicates" the type; chunks tell it too.
    let setup = Setup::new(Role::Server).delivery(Delivery::Chunks);
    in_every_chunking(&setup, |end| {
        let kind = MessageKind::Text;
        let seen = end.hears_frames(&[(0x01, b"a"), (0x80, b"b")]);
        assert_eq!(seen, [Seen::Chunk { kind, bytes: b"ab".into(), first: true, last: true }]);
    });
}

#[test]
fn messages_leave_in_one_frame() {
    // RFC 6455 §5.4: an unfragmented message is "a single frame with the FIN bit set and an opcode
    // other than 0".
    on_both_sides(|end| {
        let long = "x".repeat(200_000);
        for message in ["", "short", long.as_str()] {
            let options = SendOptions::default();
            end.connection.send(message.into(), options, &mut end.scratch).expect("open");
            assert_eq!(end.sends_frames(), [support::Frame::new(0x81, message)]);
        }
    });
}

#[test]
fn a_bound_on_frames_cuts_messages_and_pieces_of_them() {
    // RFC 6455 §5.4: the opcode is the first frame's, FIN the last one's.
    on_both_sides(|end| {
        let options = SendOptions::default().frame_bytes_max(4);
        let (connection, scratch) = (&mut end.connection, &mut end.scratch);
        connection.send("123456789".into(), options, scratch).expect("open");
        connection.send("1234".into(), options, scratch).expect("open");
        let prepared = Prepared::new("12345");
        connection.send_prepared(&prepared, options, scratch).expect("open");
        connection.start_message(MessageKind::Binary, options).expect("open");
        connection.write_message(b"12345", Boundary::Within, scratch).expect("open");
        connection.write_message(b"6", Boundary::End, scratch).expect("open");
        let frames = [
            (0x01, "1234"),
            (0x00, "5678"),
            (0x80, "9"),
            (0x81, "1234"),
            (0x01, "1234"),
            (0x80, "5"),
            (0x02, "1234"),
            (0x00, "5"),
            (0x80, "6"),
        ];
        assert_eq!(end.sends_frames(), frames.map(|(first, text)| Frame::new(first, text)));
    });
}

#[test]
fn no_bound_on_frames_is_too_small_or_too_large() {
    on_both_sides(|end| {
        for (bound, frames) in [(0, 3), (1, 3), (2, 2), (3, 1), (usize::MAX, 1)] {
            let options = SendOptions::default().frame_bytes_max(bound);
            end.connection.send("abc".into(), options, &mut end.scratch).expect("open");
            assert_eq!(end.sends_frames().len(), frames, "{bound}");
        }
    });
}

#[test]
fn a_ping_passes_between_the_frames_of_a_message() {
    // RFC 6455 §5.4: "Control frames MAY be injected in the middle of a fragmented message."
    on_both_sides(|end| {
        let options = SendOptions::default().frame_bytes_max(5000);
        let message = vec![7; 50_000].into();
        end.connection.send(message, options, &mut end.scratch).expect("open");
        let begun = end.sends_at_most(20); // into the first frame
        end.connection.ping_with(b"between", &mut end.scratch).expect("open");
        let sent = [begun, end.sends()].concat();
        let frames = support::frames(end.role(), &sent);
        assert_eq!(frames[1], Frame::new(0x89, "between"));
        assert_eq!(frames.len(), 10 + 1);
    });
}
