//! What `Delivery::Hold` leaves where it is: messages that outgrow the hold or their limit. Who reads must be told to
//! stop, and the next delivery takes or fails what was left, as if nothing had been held.

mod support;

use duplexer_proto::{Delivery, MessageError, Role};
use support::{
    Endpoint, Seen, Setup, binary, frame, header, in_every_chunking, on_both_sides, shared_deflate,
    text,
};

/// More than any message here.
const HOLD: Delivery = Delivery::Hold { bytes_max: 1000 };

/// Runs a test in both roles and every chunking, with messages of 10 bytes at most and streams of 20.
fn limited(test: impl Fn(&mut Endpoint)) {
    for role in [Role::Client, Role::Server] {
        let setup = Setup::new(role).delivery(HOLD).extensions(shared_deflate).limits(|limits| {
            limits.message_bytes_max = 10;
            limits.stream_bytes_max = 20;
        });
        in_every_chunking(&setup, &test);
    }
}

fn too_big(delivery: Delivery) -> Seen {
    let (max, setting) = match delivery {
        Delivery::Chunks => (20, "stream_bytes_max"),
        Delivery::Whole | Delivery::Hold { .. } | Delivery::Discard => (10, "message_bytes_max"),
    };
    support::fault(MessageError::TooBig { max, setting })
}

fn is_stalled(end: &Endpoint) -> bool {
    end.connection.is_stalled(end.untaken())
}

fn asks_again(end: &mut Endpoint, delivery: Delivery) -> Vec<Seen> {
    end.delivery = delivery;
    end.asks_again()
}

/// One chunk, as which all of a binary message arrives after its chunks were joined.
fn stream(bytes: &[u8]) -> Seen {
    let kind = duplexer_proto::MessageKind::Binary;
    Seen::Chunk { kind, bytes: bytes.into(), first: true, last: true }
}

/// Bytes in a stored block, with the one byte that ends a message behind it (RFC 7692 §7.2.3.3).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).expect("a short one");
    [&[0, len, 0, !len, 0xff], bytes, &[0]].concat()
}

#[test]
fn a_message_that_outgrows_the_hold_is_stalled_until_another_delivery() {
    on_both_sides(|end| {
        end.delivery = Delivery::Hold { bytes_max: 3 };
        assert!(!is_stalled(end));
        assert_eq!(end.hears_frame(0x81, "Hello"), []);
        assert!(is_stalled(end));
        assert_eq!(asks_again(end, Delivery::Whole), [text("Hello")]);
        assert!(!is_stalled(end));
    });
}

#[test]
fn decoded_bytes_without_room_are_stalled_though_every_byte_was_taken() {
    for role in [Role::Client, Role::Server] {
        let setup = Setup::new(role).extensions(shared_deflate);
        in_every_chunking(&setup.delivery(Delivery::Hold { bytes_max: 2 }), |end| {
            // Two literals, and 98 times the same: the first of these shows that there is no room.
            assert_eq!(end.hears_frame(0x42, b"\x4a\x4c\xa4\x3d\x00"), []);
            assert_eq!(end.untaken(), 0);
            assert!(is_stalled(end));
            assert_eq!(asks_again(end, Delivery::Whole), []);
            assert!(!is_stalled(end));
            assert_eq!(end.hears_frame(0x80, b"\x00"), [binary([b'a'; 100])]);
        });
    }
}

#[test]
fn what_waits_for_bytes_is_not_stalled() {
    let mut end = Setup::new(Role::Server).delivery(HOLD).build();
    let whole = frame(Role::Client, 0x89, "there?");
    for part in 0..whole.len() {
        end.hears(&whole[part..=part]);
        assert!(!is_stalled(&end), "an unfinished control frame");
    }
    end.hears(header(Role::Client, 0x82, 500));
    assert!(!is_stalled(&end), "a frame that fits and has not arrived");
}

#[test]
fn nothing_is_stalled_once_the_connection_closes() {
    // RFC 6455 §1.4: what comes behind a Close of our own is dropped; §7.1.7: and behind a fault all.
    on_both_sides(|end| {
        end.delivery = Delivery::Hold { bytes_max: 0 };
        assert_eq!(end.hears_frame(0x81, "Hello"), []);
        assert!(is_stalled(end));
        assert!(end.connection.close(None, &mut end.scratch));
        assert!(!is_stalled(end));
        assert_eq!(end.asks_again(), []);
        assert_eq!(end.untaken(), 0);
    });
}

#[test]
fn a_held_message_of_just_the_limit_is_delivered() {
    limited(|end| {
        assert_eq!(end.hears_frame(0x82, [b'x'; 10]), [binary([b'x'; 10])]);
        assert_eq!(end.hears_frames(&[(0x02, b""), (0x80, b"")]), []);
        assert_eq!(asks_again(end, Delivery::Chunks), [too_big(Delivery::Chunks)]);
    });
    limited(|end| assert_eq!(end.hears_frame(0xc2, stored(&[b'x'; 10])), [binary([b'x'; 10])]));
}

#[test]
fn a_held_message_over_the_limit_waits_for_who_judges_it() {
    // One frame, and two of which the second is over; a ping stands behind.
    let (whole, ten) = ([b'x'; 11], [b'x'; 10]);
    let large = [b'x'; 64];
    let cases: [&[(u8, &[u8])]; 2] = [&[(0x82, &whole)], &[(0x02, &ten), (0x80, &large)]];
    for frames in cases {
        limited(|end| {
            assert_eq!(end.hears_frames(frames), []);
            assert_eq!(end.hears_frame(0x89, "behind"), []);
            assert!(is_stalled(end));
            assert_eq!(end.asks_again(), [], "asking again changes nothing");
            assert_eq!(asks_again(end, Delivery::Whole), [too_big(Delivery::Whole)]);
            assert_eq!(end.sends_frames().pop().and_then(|frame| frame.close_code()), Some(1009));
        });
    }
    limited(|end| {
        assert_eq!(end.hears_frames(&[(0x82, &whole), (0x89, b"behind")]), []);
        let seen = asks_again(end, Delivery::Chunks);
        assert_eq!(seen, [stream(&whole), Seen::Ping(b"behind".into())]);
    });
    limited(|end| {
        assert_eq!(end.hears_frame(0x82, [b'x'; 21]), []);
        assert_eq!(asks_again(end, Delivery::Chunks), [too_big(Delivery::Chunks)]);
    });
    limited(|end| {
        assert_eq!(end.hears_frames(&[(0x82, &[b'x'; 21]), (0x89, b"behind")]), []);
        let seen = asks_again(end, Delivery::Discard);
        assert_eq!(seen, [Seen::Ping(b"behind".into())]);
        assert_eq!((is_stalled(end), end.untaken()), (false, 0));
    });
}

#[test]
fn a_held_message_over_the_limit_by_its_fragments_alone_waits() {
    // A tiny fragment counts 64 bytes, an empty one at the end of the input too: nothing of it is left to wait.
    for role in [Role::Client, Role::Server] {
        let setup = Setup::new(role).delivery(HOLD).limits(|limits| {
            limits.message_bytes_max = 10;
            limits.stream_bytes_max = 100;
        });
        for last in [0x00, 0x80] {
            in_every_chunking(&setup, |end| {
                assert_eq!(end.hears_frames(&[(0x02, b"abc"), (last, b"")]), []);
                assert_eq!(end.untaken(), 0);
                assert!(is_stalled(end));
                assert_eq!(end.asks_again(), []);
                assert_eq!(asks_again(end, Delivery::Whole), [too_big(Delivery::Whole)]);
            });
            in_every_chunking(&setup, |end| {
                end.hears_frames(&[(0x02, b"abc"), (last, b"")]);
                end.delivery = Delivery::Chunks;
                let mut seen = end.asks_again();
                assert!(!is_stalled(end));
                if last == 0x00 {
                    seen.extend(end.hears_frame(0x80, b""));
                    assert_eq!(
                        seen.pop(),
                        Some(support::fault(MessageError::TooBig {
                            max: 100,
                            setting: "stream_bytes_max",
                        }))
                    );
                } else {
                    assert_eq!(seen, [stream(b"abc")]);
                    assert!(!end.connection.is_inside_message());
                }
            });
        }
    }
}

#[test]
fn a_held_compressed_message_over_the_limit_waits_for_who_judges_it() {
    let payload = stored(&[b'x'; 11]);
    let again = |end: &mut Endpoint, delivery| {
        assert_eq!(end.hears_frame(0xc2, &payload), []);
        assert!(is_stalled(end));
        assert_eq!(end.asks_again(), []);
        asks_again(end, delivery)
    };
    limited(|end| assert_eq!(again(end, Delivery::Whole), [too_big(Delivery::Whole)]));
    limited(|end| assert_eq!(again(end, Delivery::Chunks), [stream(&[b'x'; 11])]));
    limited(|end| {
        assert_eq!(again(end, Delivery::Discard), []);
        assert_eq!(end.hears_frame(0x82, "next"), []);
        assert_eq!(asks_again(end, HOLD), []);
        assert_eq!(end.hears_frame(0x82, "next"), [binary("next")]);
    });
    // By its fragments, and by its bytes on the wire.
    limited(|end| {
        assert_eq!(end.hears_frames(&[(0x42, b"\x00"), (0x80, b"")]), []);
        assert!(is_stalled(end));
        assert_eq!(asks_again(end, Delivery::Whole), [too_big(Delivery::Whole)]);
    });
    limited(|end| {
        assert_eq!(end.hears(header(end.role().peer(), 0xc2, 2 * 10 + 1024 + 1)), []);
        assert!(is_stalled(end));
        assert_eq!(asks_again(end, Delivery::Whole), [too_big(Delivery::Whole)]);
    });
}

#[test]
fn the_rest_of_a_stream_is_held_by_the_limit_of_streams() {
    // Who reads in chunks, and meanwhile waits for something else, wants no less of the stream.
    limited(|end| {
        end.delivery = Delivery::Chunks;
        assert_eq!(end.hears_frame(0x02, [b'x'; 9]).len(), 1);
        end.delivery = Delivery::Hold { bytes_max: 1000 };
        assert_eq!(end.hears_frame(0x00, [b'y'; 64]), []);
        assert!(is_stalled(end));
        assert_eq!(asks_again(end, Delivery::Chunks), [too_big(Delivery::Chunks)]);
    });
    limited(|end| {
        end.delivery = Delivery::Chunks;
        assert_eq!(end.hears(frame(end.role().peer(), 0x82, [b'x'; 20])), [stream(&[b'x'; 20])]);
    });
}
