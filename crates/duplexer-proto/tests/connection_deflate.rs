//! permessage-deflate on an open connection (RFC 7692 §6, §7.2), seen from the wire: literal
//! compressed bytes in, messages out, and the other way round.

mod support;

use duplexer_proto::extension::{Boundary, DecodeError};
use duplexer_proto::frame::{FrameError, Opcode, Rsv};
use duplexer_proto::{Delivery, MessageError, MessageKind, Role, SendOptions, Time};
use support::{
    Endpoint, Frame, Seen, Setup, binary, frame, in_every_chunking, shared_deflate,
    takeover_deflate, text,
};

/// "Hello" (RFC 7692 §7.2.3.1).
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
/// "Hello" again, by reference to the first (RFC 7692 §7.2.3.2).
const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";
/// The same as this end says it: a reference to all five bytes, where the RFC has a literal and a reference to four.
const HELLO_REFERRED: &[u8] = b"\x02\x13\x00\x00";

/// Runs a test in both roles and every chunking, with and without context takeover.
fn deflating(test: impl Fn(&mut Endpoint)) {
    delivering(Delivery::Whole, test);
}

fn delivering(delivery: Delivery, test: impl Fn(&mut Endpoint)) {
    for role in [Role::Client, Role::Server] {
        for extensions in [shared_deflate, takeover_deflate] {
            let setup = Setup::new(role).delivery(delivery).extensions(extensions);
            in_every_chunking(&setup, &test);
        }
    }
}

/// The same with context takeover only.
fn taking_over(test: impl Fn(&mut Endpoint)) {
    for role in [Role::Client, Role::Server] {
        in_every_chunking(&Setup::new(role).extensions(takeover_deflate), &test);
    }
}

fn send(end: &mut Endpoint, text: &str) {
    let Endpoint { connection, scratch, .. } = end;
    connection.send(text.into(), SendOptions::default(), scratch).expect("open");
}

fn decode_fault(seen: &[Seen]) -> bool {
    let error = |seen: &Seen| match seen {
        Seen::Fault(fault) => {
            let is_decode = matches!(
                fault,
                duplexer_proto::Fault::Message(MessageError::Decode(DecodeError { .. }))
            );
            assert_eq!(fault.close_code().as_u16(), 1007);
            is_decode
        }
        _ => false,
    };
    seen.last().is_some_and(error)
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    // RFC 7692 §7.2.3.1, §7.2.3.3–§7.2.3.6.
    let examples: [&[u8]; 5] = [
        HELLO,
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00",
    ];
    for payload in examples {
        deflating(|end| {
            assert_eq!(end.hears_frame(0xc1, payload), [text("Hello")], "{payload:x?}");
            assert_eq!(end.hears_frame(0xc1, HELLO), [text("Hello")], "behind {payload:x?}");
        });
    }
    deflating(|end| assert_eq!(end.hears_frame(0xc1, b"\x00"), [text("")]));
}

#[test]
fn what_is_sent_is_the_example_of_the_rfc() {
    // RFC 7692 §7.2.3.1: "0xc1 0x07 0xf2 0x48 0xcd 0xc9 0xc9 0x07 0x00".
    deflating(|end| {
        send(end, "Hello");
        assert_eq!(end.sends_frames(), [Frame::new(0xc1, HELLO)]);
    });
}

#[test]
fn the_window_is_taken_over_both_ways() {
    // RFC 7692 §7.2.3.2.
    taking_over(|end| {
        assert_eq!(
            end.hears_frames(&[(0xc1, HELLO), (0xc1, HELLO_AGAIN)]),
            [text("Hello"), text("Hello")]
        );
        send(end, "Hello");
        send(end, "Hello");
        let expected = [Frame::new(0xc1, HELLO), Frame::new(0xc1, HELLO_REFERRED)];
        assert_eq!(end.sends_frames(), expected);
    });
}

#[test]
fn the_window_survives_a_final_block() {
    // RFC 7692 §7.2.3.4 with context takeover.
    taking_over(|end| {
        let final_block = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
        let seen = end.hears_frames(&[(0xc1, final_block), (0xc1, HELLO_AGAIN)]);
        assert_eq!(seen, [text("Hello"), text("Hello")]);
    });
}

#[test]
fn messages_that_have_begun_go_on_when_unused_contexts_are_freed() {
    for role in [Role::Client, Role::Server] {
        for extensions in [shared_deflate, takeover_deflate] {
            let mut end = Setup::new(role).extensions(extensions).build();
            let write = |end: &mut Endpoint, text: &str, boundary| {
                let Endpoint { connection, scratch, .. } = end;
                connection.write_message(text.as_bytes(), boundary, scratch).expect("begun");
            };
            end.connection
                .start_message(MessageKind::Text, SendOptions::default())
                .expect("it is open");
            write(&mut end, "Hel", Boundary::Within);
            assert_eq!(end.hears_frame(0x41, &HELLO[..4]), []);
            // Another connection of the thread looks at its timer.
            let (mut other, mut now) = (Setup::new(role).build().connection, Time::ORIGIN);
            for _ in 0..3 {
                now = other.next_timeout(now).expect("keepalive is on");
                other.handle_timeout(now, &mut end.scratch);
                other.heard();
            }
            assert_eq!(end.hears_frame(0x80, &HELLO[4..]), [text("Hello")]);
            write(&mut end, "lo", Boundary::End);
            let sent: Vec<u8> = end.sends_frames().into_iter().flat_map(|it| it.payload).collect();
            assert_eq!(sent, HELLO);
        }
    }
}

#[test]
fn without_takeover_nothing_is_remembered() {
    // RFC 7692 §7.1.1: each message stands alone.
    for role in [Role::Client, Role::Server] {
        in_every_chunking(&Setup::new(role).extensions(shared_deflate), |end| {
            send(end, "Hello");
            send(end, "Hello");
            assert_eq!(end.sends_frames(), [Frame::new(0xc1, HELLO), Frame::new(0xc1, HELLO)]);
            assert_eq!(end.hears_frame(0xc1, HELLO), [text("Hello")]);
            let input = frame(role.peer(), 0xc1, HELLO_AGAIN);
            assert!(decode_fault(&end.hears(input)));
        });
    }
}

#[test]
fn a_plain_message_does_not_touch_the_window() {
    // RFC 7692 §6: RSV1 unset means "not compressed"; the history is not advanced.
    taking_over(|end| {
        let seen = end.hears_frames(&[(0xc1, HELLO), (0x81, b"plain text"), (0xc1, HELLO_AGAIN)]);
        assert_eq!(seen, [text("Hello"), text("plain text"), text("Hello")]);
        send(end, "Hello");
        let plain = SendOptions::default().compress(false);
        let Endpoint { connection, scratch, .. } = &mut *end;
        connection.send("plain text".into(), plain, scratch).expect("open");
        send(end, "Hello");
        let expected = [
            Frame::new(0xc1, HELLO),
            Frame::new(0x81, "plain text"),
            Frame::new(0xc1, HELLO_REFERRED),
        ];
        assert_eq!(end.sends_frames(), expected);
    });
}

#[test]
fn a_compressed_message_may_be_cut_into_frames_anywhere() {
    // RFC 7692 §7.2.3.1: "0x41 0x03 0xf2 0x48 0xcd" and "0x80 0x04 0xc9 0xc9 0x07 0x00".
    for at in 0..=HELLO.len() {
        deflating(|end| {
            let (front, back) = HELLO.split_at(at);
            let seen = end.hears_frames(&[(0x41, front), (0x00, b""), (0x89, b"?"), (0x80, back)]);
            assert_eq!(seen, [Seen::Ping(b"?".into()), text("Hello")]);
            assert_eq!(end.sends_frames(), [Frame::new(0x8a, "?")]);
            assert_eq!(end.hears_frame(0xc1, HELLO), [text("Hello")]);
        });
    }
}

#[test]
fn rsv1_stands_on_the_first_frame_only() {
    // RFC 7692 §6.1: "an endpoint … MUST NOT set" it "on non-first fragments and control frames".
    deflating(|end| {
        let options = SendOptions::default();
        let Endpoint { connection, scratch, .. } = &mut *end;
        connection.start_message(MessageKind::Text, options).expect("open");
        connection.write_message(b"Hel", Boundary::Flush, scratch).expect("begun");
        connection.ping_with(b"?", scratch).expect("open");
        connection.write_message(b"lo", Boundary::End, scratch).expect("begun");
        let firsts: Vec<u8> = end.sends_frames().iter().map(|frame| frame.first).collect();
        assert_eq!(firsts, [0x41, 0x89, 0x80]);
    });
}

#[test]
fn rsv1_on_a_continuation_or_control_frame_fails() {
    // RFC 7692 §6.1.
    for (first, opcode) in [
        (0xc0, Opcode::Continuation),
        (0xc8, Opcode::Close),
        (0xc9, Opcode::Ping),
        (0xca, Opcode::Pong),
    ] {
        deflating(|end| {
            assert_eq!(end.hears_frame(0x41, HELLO), []);
            let input = frame(end.role().peer(), first, "");
            let error = FrameError::ReservedBits { rsv: Rsv::RSV1, opcode };
            end.fails(input, &[], error, 1002);
        });
    }
}

#[test]
fn rsv1_that_was_not_negotiated_fails_in_words_that_name_the_extension() {
    // RFC 6455 §5.2. To the peer too, whose programmer has to find out: the Close has 123 bytes for it.
    for (first, opcode) in [(0xc1, Opcode::Text), (0x42, Opcode::Binary)] {
        support::on_both_sides(|end| {
            let error = FrameError::ReservedBits { rsv: Rsv::RSV1, opcode };
            assert!(error.to_string().contains("permessage-deflate"), "{error}");
            let seen = end.hears_frame(first, HELLO);
            assert_eq!(seen, [support::fault(error)]);
            let close = end.sends_frames().pop().expect("a Close");
            assert_eq!(close.close_code(), Some(1002));
            let reason = String::from_utf8_lossy(&close.payload[2..]).into_owned();
            assert!(reason.contains("permessage-deflate"), "{reason}");
        });
    }
}

#[test]
fn the_other_reserved_bits_stay_reserved() {
    // RFC 6455 §5.2.
    for (first, rsv) in [(0xa1, Rsv::RSV2), (0x91, Rsv::RSV3), (0xe1, Rsv::RSV2)] {
        deflating(|end| {
            let input = frame(end.role().peer(), first, HELLO);
            let error = FrameError::ReservedBits { rsv, opcode: Opcode::Text };
            end.fails(input, &[], error, 1002);
        });
    }
}

#[test]
fn a_compressed_message_without_a_byte_is_empty_and_harms_nothing() {
    // Not DEFLATE, yet sent by some: it must not reach the inflater, or the next message fails.
    deflating(|end| {
        assert_eq!(end.hears_frame(0xc1, HELLO), [text("Hello")]);
        assert_eq!(end.hears_frame(0xc1, ""), [text("")]);
        assert_eq!(end.hears_frames(&[(0x42, b""), (0x00, b""), (0x80, b"")]), [binary("")]);
        assert_eq!(end.hears_frame(0xc1, HELLO), [text("Hello")]);
    });
}

#[test]
fn an_empty_message_is_sent_as_one_byte() {
    // RFC 7692 §7.2.3.6.
    deflating(|end| {
        send(end, "");
        assert_eq!(end.sends_frames(), [Frame::new(0xc1, b"\x00")]);
    });
}

#[test]
fn corrupt_streams_fail_with_1007() {
    let streams: [&[u8]; 7] = [
        b"\xff\xff\xff\xff",
        b"\x06\x00",
        b"\x00\x05\x00\xfa\xfe\x48",
        b"\x00\x05\x00\xfa\xff\x48\x65",
        b"\xf2\x48\xcd",
        b"\x02\x41\x00",
        b"\x05\xc0\x81\x00",
    ];
    for stream in streams {
        deflating(|end| {
            let input = frame(end.role().peer(), 0xc1, stream);
            assert!(decode_fault(&end.hears(input)), "{stream:x?}");
            assert_eq!(end.sends_frames().pop().and_then(|frame| frame.close_code()), Some(1007));
            assert_eq!(end.hears_frame(0xc1, HELLO), []);
        });
    }
}

#[test]
fn a_fault_is_judged_in_the_order_of_the_bytes() {
    // A stored block of `c3 28` and then garbage; the text is impossible before the stream is, and
    // too long before either.
    let stream = b"\x00\x02\x00\xfd\xff\xc3\x28\x06";
    deflating(|end| {
        end.fails(frame(end.role().peer(), 0xc1, stream), &[], MessageError::NotUtf8, 1007);
    });
    deflating(|end| assert!(decode_fault(&end.hears_frame(0xc2, stream))));
    for role in [Role::Client, Role::Server] {
        for (delivery, setting) in
            [(Delivery::Whole, "message_bytes_max"), (Delivery::Chunks, "stream_bytes_max")]
        {
            let setup =
                Setup::new(role).delivery(delivery).extensions(shared_deflate).limits(|limits| {
                    limits.message_bytes_max = 0;
                    limits.stream_bytes_max = 0;
                });
            in_every_chunking(&setup, |end| {
                let error = MessageError::TooBig { max: 0, setting };
                end.fails(frame(role.peer(), 0xc1, stream), &[], error, 1009);
            });
        }
    }
}

#[test]
fn a_fault_behind_a_byte_that_waits_for_room_waits_with_it() {
    // BFINAL, fixed codes, one literal, and then a code that does not exist.
    delivering(Delivery::Hold { bytes_max: 0 }, |end| {
        assert_eq!(end.hears_frame(0xc2, b"\x2b\x01\xff"), []);
        end.delivery = Delivery::Whole;
        assert!(decode_fault(&end.asks_again()));
    });
}

#[test]
fn text_is_checked_after_inflating() {
    // RFC 7692 §6.2: the payload of the message is what comes out. Here a stored block of `c3 28`.
    deflating(|end| {
        let stored = b"\x00\x02\x00\xfd\xff\xc3\x28\x00";
        assert_eq!(end.hears_frame(0xc2, stored), [binary(*b"\xc3\x28")]);
        end.fails(frame(end.role().peer(), 0xc1, stored), &[], MessageError::NotUtf8, 1007);
    });
}

#[test]
fn text_fails_before_the_compressed_message_ends() {
    // RFC 6455 §8.1. The byte before the impossible one may have been handed out.
    delivering(Delivery::Chunks, |end| {
        let stored = b"\x00\x02\x00\xfd\xff\xc3\x28\x00";
        let seen = end.hears_frame(0x41, stored);
        assert_eq!(seen.last(), Some(&support::fault(MessageError::NotUtf8)));
        end.has_failed(1007, &MessageError::NotUtf8.to_string());
    });
}

#[test]
fn chunks_of_a_compressed_message_join_to_the_message() {
    delivering(Delivery::Chunks, |end| {
        let kind = MessageKind::Text;
        let whole = Seen::Chunk { kind, bytes: b"Hello".into(), first: true, last: true };
        assert_eq!(end.hears_frame(0xc1, HELLO), std::slice::from_ref(&whole));
        assert_eq!(end.hears_frames(&[(0x41, &HELLO[..3]), (0x80, &HELLO[3..])]), [whole]);
        let empty = Seen::Chunk { kind, bytes: vec![], first: true, last: true };
        assert_eq!(end.hears_frame(0xc1, b"\x00"), std::slice::from_ref(&empty));
        assert_eq!(end.hears_frame(0xc1, b""), [empty]);
    });
}

#[test]
fn the_limit_counts_inflated_bytes_inclusively() {
    for role in [Role::Client, Role::Server] {
        let setup = |max| {
            Setup::new(role)
                .extensions(shared_deflate)
                .limits(|limits| limits.message_bytes_max = max)
        };
        in_every_chunking(&setup(5), |end| {
            assert_eq!(end.hears_frame(0xc1, HELLO), [text("Hello")]);
        });
        in_every_chunking(&setup(4), |end| {
            let error = MessageError::TooBig { max: 4, setting: "message_bytes_max" };
            end.fails(frame(role.peer(), 0xc1, HELLO), &[], error, 1009);
        });
    }
}

#[test]
fn a_held_compressed_message_of_just_the_bound_is_delivered() {
    delivering(Delivery::Hold { bytes_max: 5 }, |end| {
        assert_eq!(end.hears_frame(0xc1, HELLO), [text("Hello")]);
        assert_eq!(end.hears_frames(&[(0x41, &HELLO[..4]), (0x80, &HELLO[4..])]), [text("Hello")]);
    });
}

#[test]
fn a_held_compressed_message_that_outgrows_its_bound_waits() {
    for bytes_max in 0..5 {
        delivering(Delivery::Hold { bytes_max }, |end| {
            assert_eq!(end.hears_frames(&[(0xc1, HELLO), (0x89, b"behind")]), []);
            end.delivery = Delivery::Whole;
            assert_eq!(end.asks_again(), [text("Hello"), Seen::Ping(b"behind".into())]);
        });
        delivering(Delivery::Hold { bytes_max }, |end| {
            assert_eq!(end.hears_frame(0xc1, HELLO), []);
            end.delivery = Delivery::Chunks;
            let kind = MessageKind::Text;
            let whole = Seen::Chunk { kind, bytes: b"Hello".into(), first: true, last: true };
            assert_eq!(end.asks_again(), [whole]);
            assert_eq!(end.hears_frame(0xc1, b"\x00").len(), 1);
        });
    }
}

#[test]
fn discarded_compressed_messages_advance_the_window() {
    // RFC 7692 §7.1.1: what nobody reads is part of the context all the same.
    taking_over(|end| {
        end.delivery = Delivery::Discard;
        assert_eq!(end.hears_frame(0xc1, HELLO), []);
        end.delivery = Delivery::Whole;
        assert_eq!(end.hears_frame(0xc1, HELLO_AGAIN), [text("Hello")]);
    });
    taking_over(|end| {
        assert_eq!(end.hears_frame(0x41, &HELLO[..3]), []);
        end.connection.discard_rest();
        let seen = end.hears_frames(&[(0x80, &HELLO[3..]), (0xc1, HELLO_AGAIN)]);
        assert_eq!(seen, [text("Hello")]);
    });
}

#[test]
fn messages_while_closing_are_inflated_away() {
    // The answer to a Close may stand behind compressed messages.
    deflating(|end| {
        assert!(end.connection.close(None, &mut end.scratch));
        let seen = end.hears_frames(&[(0xc1, HELLO), (0x41, HELLO), (0x80, b""), (0x88, b"")]);
        assert_eq!(seen, [Seen::Close(1005, String::new())]);
    });
}

#[test]
fn pieces_within_a_message_may_be_held_back() {
    // A better ratio; what left so far is a prefix, and everything leaves with the end.
    deflating(|end| {
        let Endpoint { connection, scratch, .. } = &mut *end;
        connection.start_message(MessageKind::Text, SendOptions::default()).expect("open");
        for piece in ["Hel", "", "lo"] {
            connection.write_message(piece.as_bytes(), Boundary::Within, scratch).expect("begun");
        }
        assert_eq!(connection.queued_bytes(), 0);
        connection.write_message(b"", Boundary::End, scratch).expect("begun");
        assert_eq!(end.sends_frames(), [Frame::new(0xc1, HELLO)]);
    });
}
