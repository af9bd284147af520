//! `Oversize::Skip`: a message over its limit is let go and said to be, whatever it is made of, and the next one is received
//! as if nothing had been.

mod support;

use duplexer_proto::extension::{DecodeError, Extension};
use duplexer_proto::frame::FrameError;
use duplexer_proto::{Delivery, MessageError, MessageKind, Oversize, Role, State};
use support::{
    Endpoint, Frame, Seen, Setup, binary, close_body, frame, header, in_every_chunking,
    no_extension, shared_deflate, takeover_deflate, text,
};

/// "Hello" (RFC 7692 §7.2.3.1).
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
/// "Hello" again, by reference to the first (RFC 7692 §7.2.3.2).
const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

/// Both roles, with messages of `max` bytes at most.
fn setups(max: u64, extensions: fn(Role) -> Vec<Box<dyn Extension>>) -> [Setup; 2] {
    [Role::Client, Role::Server].map(|role| {
        Setup::new(role).extensions(extensions).limits(|limits| {
            limits.message_bytes_max = max;
            limits.oversize = Oversize::Skip;
        })
    })
}

/// Runs a test in both roles and every chunking.
fn skipping(
    max: u64,
    extensions: fn(Role) -> Vec<Box<dyn Extension>>,
    test: impl Fn(&mut Endpoint),
) {
    setups(max, extensions).iter().for_each(|setup| in_every_chunking(setup, &test));
}

fn skipped(kind: MessageKind, bytes_max: u64) -> Seen {
    Seen::Skipped { kind, bytes_max }
}

/// Bytes in a stored block, with the one byte that ends a message behind it (RFC 7692 §7.2.3.3).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).expect("a short one");
    [&[0, len, 0, !len, 0xff], bytes, &[0]].concat()
}

#[test]
fn a_message_of_just_the_limit_passes_and_one_byte_more_is_skipped() {
    for extensions in [no_extension, shared_deflate, takeover_deflate] {
        skipping(10, extensions, |end| {
            let frames: [(u8, &[u8]); 4] =
                [(0x82, &[b'x'; 10]), (0x82, &[b'x'; 11]), (0x81, b"12345678901"), (0x81, b"next")];
            let (one, other) = (MessageKind::Binary, MessageKind::Text);
            let seen = [binary([b'x'; 10]), skipped(one, 10), skipped(other, 10), text("next")];
            assert_eq!(end.hears_frames(&frames), seen);
            assert_eq!(end.connection.state(), State::Open);
            assert_eq!(end.sends(), b"", "nothing is said to the peer");
        });
    }
}

#[test]
fn a_message_is_skipped_at_its_header() {
    for setup in setups(10, no_extension) {
        let mut end = setup.build();
        let seen = end.hears(header(setup.role.peer(), 0x82, i64::MAX as u64));
        assert_eq!(seen, [skipped(MessageKind::Binary, 10)]);
        assert_eq!(end.hears([0; 5000]), []);
        assert_eq!((end.untaken(), end.connection.held_bytes()), (0, 0));
    }
}

#[test]
fn what_was_gathered_is_let_go_with_the_fragment_that_is_too_much() {
    skipping(100, no_extension, |end| {
        assert_eq!(end.hears_frame(0x01, [b'x'; 90]), []);
        assert!(end.connection.held_bytes() >= 90);
        // Control frames pass between the fragments (RFC 6455 §5.4) and are answered.
        let seen = end.hears_frames(&[(0x89, b"?"), (0x00, &[b'x'; 64]), (0x89, b"!")]);
        let ping = |payload: &[u8]| Seen::Ping(payload.into());
        assert_eq!(seen, [ping(b"?"), skipped(MessageKind::Text, 100), ping(b"!")]);
        assert_eq!(end.connection.held_bytes(), 0);
        assert!(end.connection.is_inside_message());
        assert_eq!(end.sends_frames(), [Frame::new(0x8a, "?"), Frame::new(0x8a, "!")]);
        assert_eq!(end.hears_frames(&[(0x00, &[b'x'; 90]), (0x80, b""), (0x81, b"next")]).len(), 1);
        assert!(!end.connection.is_inside_message());
    });
}

#[test]
fn the_charge_for_fragments_skips_too() {
    // A tiny fragment counts as 64 bytes; here it is the last of its message, or not.
    for extensions in [no_extension, shared_deflate, takeover_deflate] {
        skipping(20, extensions, |end| {
            let seen = end.hears_frames(&[(0x02, b"abc"), (0x80, b""), (0x81, b"next")]);
            assert_eq!(seen, [skipped(MessageKind::Binary, 20), text("next")]);
            let rest: [(u8, &[u8]); 5] =
                [(0x02, b"abc"), (0x00, b""), (0x00, b"d"), (0x80, b"e"), (0x81, b"next")];
            assert_eq!(end.hears_frames(&rest), [skipped(MessageKind::Binary, 20), text("next")]);
        });
    }
}

#[test]
fn a_compressed_message_is_judged_by_what_comes_out() {
    for extensions in [shared_deflate, takeover_deflate] {
        skipping(5, extensions, |end| {
            assert_eq!(end.hears_frame(0xc1, HELLO), [text("Hello")]);
            let long = stored(b"Hello!");
            let seen = end.hears_frames(&[(0xc1, &long), (0x89, b"?"), (0xc1, HELLO)]);
            let expected = [skipped(MessageKind::Text, 5), Seen::Ping(b"?".into()), text("Hello")];
            assert_eq!(seen, expected);
            let (front, back) = long.split_at(9);
            let seen = end.hears_frames(&[(0x41, front), (0x00, back), (0x80, b""), (0xc1, HELLO)]);
            assert_eq!(seen, [skipped(MessageKind::Text, 5), text("Hello")]);
        });
    }
}

#[test]
fn a_message_behind_a_skipped_one_may_refer_to_it() {
    // RFC 7692 §7.1.1: the window goes on through every compressed message, also with one that only its fragments made too large.
    skipping(5, takeover_deflate, |end| {
        let seen = end.hears_frames(&[(0xc1, &stored(b"??????Hello")), (0xc1, HELLO_AGAIN)]);
        assert_eq!(seen, [skipped(MessageKind::Text, 5), text("Hello")]);
    });
    skipping(20, takeover_deflate, |end| {
        for at in 0..=HELLO.len() {
            let (front, back) = HELLO.split_at(at);
            let seen = end.hears_frames(&[(0x41, front), (0x00, back), (0x80, b"")]);
            assert_eq!(seen, [skipped(MessageKind::Text, 20)]);
            assert_eq!(end.hears_frame(0xc1, HELLO_AGAIN), [text("Hello")]);
        }
    });
}

#[test]
fn a_skipped_text_is_not_checked_behind_the_limit() {
    // RFC 6455 §8.1 is about who interprets bytes as UTF-8; here nobody does. Up to the limit somebody did.
    let impossible = b"Hello\xff\xff\xff";
    for extensions in [no_extension, shared_deflate, takeover_deflate] {
        skipping(5, extensions, |end| {
            let seen = end.hears_frames(&[(0x81, impossible), (0x81, b"next")]);
            assert_eq!(seen, [skipped(MessageKind::Text, 5), text("next")]);
        });
    }
    for extensions in [shared_deflate, takeover_deflate] {
        skipping(5, extensions, |end| {
            let seen = end.hears_frames(&[(0xc1, &stored(impossible)), (0x81, b"next")]);
            assert_eq!(seen, [skipped(MessageKind::Text, 5), text("next")]);
            let input = frame(end.role().peer(), 0xc1, stored(b"Hell\xff\xff\xff"));
            end.fails(input, &[], MessageError::NotUtf8, 1007);
        });
    }
}

#[test]
fn a_text_cut_inside_a_character_by_the_limit_is_skipped_and_no_fault() {
    for extensions in [shared_deflate, takeover_deflate] {
        skipping(5, extensions, |end| {
            let seen = end.hears_frames(&[(0xc1, &stored("Helló".as_bytes())), (0xc1, HELLO)]);
            assert_eq!(seen, [skipped(MessageKind::Text, 5), text("Hello")]);
        });
    }
}

#[test]
fn what_no_message_refers_to_is_not_inflated() {
    // A stream that breaks behind the limit, with the message's last byte over it or later: without takeover nobody looks.
    let broken = [&b"\x00\x06\x00\xf9\xffHello!"[..], b"\x06\xff\xff"].concat();
    skipping(5, shared_deflate, |end| {
        let seen = end.hears_frames(&[(0xc1, &broken), (0xc1, HELLO)]);
        assert_eq!(seen, [skipped(MessageKind::Text, 5), text("Hello")]);
    });
    // With it the window is lost, after the message was said to be skipped.
    skipping(5, takeover_deflate, |end| {
        let seen = end.hears_frame(0xc1, &broken);
        let fault = "not a DEFLATE stream";
        let error = MessageError::Decode(DecodeError { extension: "permessage-deflate", fault });
        assert_eq!(seen, [skipped(MessageKind::Text, 5), support::fault(error.clone())]);
        end.has_failed(1007, &error.to_string());
    });
}

#[test]
fn a_message_that_says_little_at_great_length_is_skipped() {
    // Over twice the limit and 1 KiB before anything comes out of it.
    let nothing = [&b"\0\0\0\xff\xff".repeat(300)[..], b"\0"].concat();
    for extensions in [shared_deflate, takeover_deflate] {
        skipping(100, extensions, |end| {
            let seen = end.hears_frames(&[(0xc2, &nothing), (0xc1, HELLO)]);
            assert_eq!(seen, [skipped(MessageKind::Binary, 100), text("Hello")]);
        });
    }
}

#[test]
fn too_many_final_blocks_fail_while_skipping_too() {
    // Each restores the window, which costs more than the two bytes it takes.
    let blocks = [&b"\x01\x06\x00\xf9\xffHello!"[..], &b"\x03\x00".repeat(1200)].concat();
    for setup in setups(5, takeover_deflate) {
        let mut end = setup.build();
        let seen = end.hears_frame(0xc2, &blocks);
        let fault = "too many final blocks with too little between them";
        let error = MessageError::Decode(DecodeError { extension: "permessage-deflate", fault });
        assert_eq!(seen, [skipped(MessageKind::Binary, 5), support::fault(error)]);
    }
}

#[test]
fn a_skipped_message_has_the_limit_of_streams() {
    let error = || MessageError::TooBig { max: 100, setting: "stream_bytes_max" };
    for extensions in [no_extension, shared_deflate, takeover_deflate] {
        for mut setup in setups(10, extensions) {
            setup.limits.stream_bytes_max = 100;
            in_every_chunking(&setup, |end| {
                let gone = [skipped(MessageKind::Binary, 10)];
                assert_eq!(end.hears_frame(0x82, [b'x'; 100]), gone);
                assert_eq!(end.hears_frames(&[(0x02, &[b'x'; 36]), (0x80, &[b'x'; 64])]).len(), 1);
                assert_eq!(end.hears_frame(0x02, [b'x'; 36]), gone);
                end.fails(header(end.role().peer(), 0x80, 65), &[], error(), 1009);
            });
        }
    }
    // What is inflated on counts as what comes out of it; what is not, as twice the limit and 1 KiB.
    let takeover = takeover_deflate as fn(_) -> _;
    for (extensions, before) in [(takeover, 101), (shared_deflate, 2 * 100 + 1024 + 1)] {
        for mut setup in setups(10, extensions) {
            setup.limits.stream_bytes_max = 100;
            in_every_chunking(&setup, |end| {
                let gone = [skipped(MessageKind::Binary, 10)];
                assert_eq!(end.hears_frame(0xc2, stored(&[b'x'; 100])), gone);
                let mut long = stored(&[b'x'; 101]);
                long.resize(long.len().max(before), 0);
                end.fails(frame(end.role().peer(), 0x42, long), &gone, error(), 1009);
            });
        }
    }
}

#[test]
fn a_frame_over_the_limit_of_frames_fails_though_messages_are_skipped() {
    for mut setup in setups(10, no_extension) {
        setup.limits.frame_bytes_max = 20;
        in_every_chunking(&setup, |end| {
            assert_eq!(end.hears_frame(0x82, [0; 20]), [skipped(MessageKind::Binary, 10)]);
            let error = FrameError::FrameTooBig { len: 21, max: 20 };
            end.fails(header(end.role().peer(), 0x82, 21), &[], error, 1009);
        });
    }
}

#[test]
fn a_held_message_over_the_limit_is_skipped_by_who_wants_it_whole() {
    // Until then it may still be wanted in chunks.
    let (plain, packed) = (vec![b'x'; 11], stored(&[b'x'; 11]));
    let (none, shared, takeover) = (no_extension as fn(_) -> _, shared_deflate, takeover_deflate);
    let cases = [(none, 0x82, &plain), (shared, 0xc2, &packed), (takeover, 0xc2, &packed)];
    for (extensions, first, payload) in cases {
        for setup in setups(10, extensions) {
            let setup = setup.delivery(Delivery::Hold { bytes_max: 1000 });
            in_every_chunking(&setup, |end| {
                assert_eq!(end.hears_frames(&[(first, payload), (0x81, b"next")]), []);
                end.delivery = Delivery::Whole;
                let seen = [skipped(MessageKind::Binary, 10), text("next")];
                assert_eq!(end.asks_again(), seen);
            });
        }
    }
}

#[test]
fn a_message_once_skipped_stays_so_whoever_asks() {
    for delivery in [Delivery::Chunks, Delivery::Hold { bytes_max: 100 }, Delivery::Discard] {
        for extensions in [no_extension, shared_deflate, takeover_deflate] {
            skipping(10, extensions, |end| {
                assert_eq!(end.hears_frame(0x02, [b'x'; 11]).len(), 1);
                end.delivery = delivery;
                assert_eq!(end.hears_frame(0x00, [b'x'; 70]), []);
                assert!(!end.connection.is_stalled(end.untaken()));
                end.connection.discard_rest();
                assert_eq!(end.hears_frame(0x80, [b'x'; 70]), []);
                end.delivery = Delivery::Whole;
                assert_eq!(end.hears_frame(0x81, "next"), [text("next")]);
            });
        }
    }
}

#[test]
fn a_stream_over_its_limit_fails_though_messages_are_skipped() {
    // Its reader has been given the beginning, and must not take that for all.
    for setup in setups(10, no_extension) {
        let mut setup = setup.delivery(Delivery::Chunks);
        setup.limits.stream_bytes_max = 20;
        in_every_chunking(&setup, |end| {
            assert_eq!(end.hears_frame(0x82, [b'x'; 20]).len(), 1);
            let error = MessageError::TooBig { max: 20, setting: "stream_bytes_max" };
            end.fails(header(end.role().peer(), 0x82, 21), &[], error, 1009);
        });
    }
}

#[test]
fn either_end_closes_inside_a_skipped_message() {
    // RFC 6455 §5.5.1, §7.1.2.
    skipping(10, no_extension, |end| {
        assert_eq!(end.hears_frame(0x02, [b'x'; 11]).len(), 1);
        let seen = end.hears_frame(0x88, close_body(1000, "done"));
        assert_eq!(seen, [Seen::Close(1000, "done".to_owned())]);
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(1000, ""))]);
        assert!(end.close_info().clean);
    });
    skipping(10, no_extension, |end| {
        assert_eq!(end.hears_frame(0x02, [b'x'; 11]).len(), 1);
        assert!(end.connection.close(None, &mut end.scratch));
        let seen = end.hears_frames(&[(0x80, &[b'x'; 64]), (0x88, b"")]);
        assert_eq!(seen, [Seen::Close(1005, String::new())]);
        end.sends();
        assert!(end.close_info().clean);
    });
}

#[test]
fn the_next_message_of_the_wrong_kind_of_frame_fails_as_ever() {
    // RFC 6455 §5.4: a skipped message is a message all the same.
    skipping(10, no_extension, |end| {
        assert_eq!(end.hears_frame(0x02, [b'x'; 11]).len(), 1);
        let opcode = duplexer_proto::frame::Opcode::Text;
        let input = frame(end.role().peer(), 0x81, "next");
        end.fails(input, &[], MessageError::NotContinued { opcode }, 1002);
    });
}
