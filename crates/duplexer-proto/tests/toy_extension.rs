//! Extensions that the crate does not know (RFC 6455 §9), alone, together and beside
//! permessage-deflate, on open connections. They take nothing but the public traits.

mod support;
mod toys;

use std::io::IoSlice;

use duplexer_proto::extension::{Boundary, DecodeError, Extension};
use duplexer_proto::frame::{FrameError, Opcode, Rsv};
use duplexer_proto::{
    Delivery, Message, MessageError, MessageKind, Prepared, Role, Scratch, SendOptions,
};
use support::{
    Chunking, Endpoint, Frame, Pair, Seen, Setup, binary, frame, in_every_chunking, on_both_sides,
    takeover_deflate, text,
};
use toys::{Rot13, Runs, agree};

type Extensions = fn(Role) -> Vec<Box<dyn Extension>>;

fn rot13(role: Role) -> Vec<Box<dyn Extension>> {
    vec![agree(role, &Rot13)]
}

fn runs(role: Role) -> Vec<Box<dyn Extension>> {
    vec![agree(role, &Runs)]
}

/// The server answered "x-rot13, x-runs".
fn both(role: Role) -> Vec<Box<dyn Extension>> {
    vec![agree(role, &Rot13), agree(role, &Runs)]
}

/// The server answered "x-rot13, permessage-deflate, x-runs".
fn all(role: Role) -> Vec<Box<dyn Extension>> {
    let mut extensions = rot13(role);
    extensions.extend(takeover_deflate(role));
    extensions.extend(runs(role));
    extensions
}

/// The server answered "x-runs, permessage-deflate".
fn runs_then_deflate(role: Role) -> Vec<Box<dyn Extension>> {
    let mut extensions = runs(role);
    extensions.extend(takeover_deflate(role));
    extensions
}

const COMBINATIONS: [Extensions; 5] = [rot13, runs, both, all, runs_then_deflate];

fn with_extensions(extensions: Extensions) -> [Setup; 2] {
    [Role::Client, Role::Server].map(|role| Setup::new(role).extensions(extensions))
}

fn send(end: &mut Endpoint, message: impl Into<Message>, options: SendOptions) {
    let message = message.into();
    end.connection.send(message, options, &mut end.scratch).expect("the connection is open");
}

fn sent(setup: &Setup, message: impl Into<Message>) -> Vec<Frame> {
    let mut end = setup.build();
    send(&mut end, message, SendOptions::default());
    end.sends_frames()
}

#[test]
fn extension_transforms_what_is_sent_and_marks_the_first_frame() {
    // RFC 6455 §5.2: a reserved bit means what the extension says.
    for setup in with_extensions(rot13) {
        assert_eq!(sent(&setup, "Hello"), [Frame::new(0xa1, "Uryyb")]);
        assert_eq!(sent(&setup, b"Hello"), [Frame::new(0x82, "Hello")], "it wants texts only");
    }
    for setup in with_extensions(runs) {
        assert_eq!(sent(&setup, "aaab"), [Frame::new(0x91, b"\x03a\x01b")]);
        assert_eq!(sent(&setup, b"aaab"), [Frame::new(0x92, b"\x03a\x01b")]);
    }
}

#[test]
fn several_extensions_apply_in_the_order_of_the_answer() {
    // RFC 6455 §9.1: with "foo, bar" the data is "bar(foo(data))".
    for setup in with_extensions(both) {
        assert_eq!(sent(&setup, "aaab"), [Frame::new(0xb1, b"\x03n\x01o")]);
        assert_eq!(sent(&setup, b"aaab"), [Frame::new(0x92, b"\x03a\x01b")]);
        in_every_chunking(&setup, |end| {
            assert_eq!(end.hears_frame(0xb1, b"\x03n\x01o"), [text("aaab")]);
        });
    }
    for setup in with_extensions(runs_then_deflate) {
        // "Hello" in runs of one, or what deflate makes of it.
        let frames = sent(&setup, "aaaaa");
        assert_eq!(frames[0].first, 0xd1);
        in_every_chunking(&setup, |end| {
            let fragments: &[(u8, &[u8])] =
                &[(0x51, b""), (0x00, &frames[0].payload[..1]), (0x80, &frames[0].payload[1..])];
            assert_eq!(end.hears_frames(fragments), [text("aaaaa")]);
        });
    }
}

#[test]
fn the_bits_of_a_message_say_which_extensions_transformed_it() {
    // RFC 6455 §5.2. Each message is for itself.
    for setup in with_extensions(both) {
        in_every_chunking(&setup, |end| {
            let frames: &[(u8, &[u8])] = &[
                (0x81, b"plain"),
                (0xa1, b"ebg"),
                (0x91, b"\x02r"),
                (0xb1, b"\x02e"),
                (0x92, b"\x01\x00"),
            ];
            let seen = [text("plain"), text("rot"), text("rr"), text("rr"), binary([0])];
            assert_eq!(end.hears_frames(frames), seen);
        });
    }
}

#[test]
fn a_bit_of_no_negotiated_extension_fails() {
    // RFC 6455 §5.2: a nonzero value that no negotiated extension defines fails the connection.
    let refused = |rsv| FrameError::ReservedBits { rsv, opcode: Opcode::Text };
    for setup in with_extensions(rot13) {
        for (first, rsv) in [(0x91, Rsv::RSV3), (0xc1, Rsv::RSV1), (0xb1, Rsv::RSV3)] {
            in_every_chunking(&setup, |end| {
                let input = frame(end.role().peer(), first, "x");
                end.fails(input, &[], refused(rsv), 1002);
            });
        }
    }
    on_both_sides(|end| {
        let input = frame(end.role().peer(), 0xa1, "x");
        end.fails(input, &[], refused(Rsv::RSV2), 1002);
    });
}

#[test]
fn control_frames_pass_between_the_frames_of_a_transformed_message() {
    // RFC 6455 §5.4, §5.5: control frames are not transformed.
    for setup in with_extensions(both) {
        in_every_chunking(&setup, |end| {
            let frames: &[(u8, &[u8])] =
                &[(0x31, b"\x01U\x01"), (0x89, b"ping"), (0x00, b"r\x02y"), (0x80, b"\x01b")];
            let seen = [Seen::Ping(b"ping".to_vec()), text("Hello")];
            assert_eq!(end.hears_frames(frames), seen);
            assert_eq!(end.sends_frames(), [Frame::new(0x8a, "ping")]);
        });
    }
}

#[test]
fn a_corrupt_stream_fails_with_1007() {
    for setup in with_extensions(both) {
        for (payload, fault) in [
            (&b"\x01U\x00r"[..], "a run of nothing"),
            (b"\x01U\x02", "the message ends inside a run"),
        ] {
            in_every_chunking(&setup, |end| {
                let input = frame(end.role().peer(), 0xb1, payload);
                let error = DecodeError { extension: "x-runs", fault };
                end.fails(input, &[], MessageError::Decode(error), 1007);
            });
        }
    }
}

#[test]
fn limits_count_what_an_extension_puts_out() {
    // CVE-2018-1000518 and its kin: the limit applies while decoding. 255 bytes come of every two.
    for extensions in [runs, both] {
        for setup in with_extensions(extensions) {
            let setup = setup.limits(|limits| limits.message_bytes_max = 510);
            let bomb = b"\xffz".repeat(30_000);
            in_every_chunking(&setup, |end| {
                assert_eq!(end.hears_frame(0x92, &bomb[..4]), [binary([b'z'; 510])]);
                let input = frame(end.role().peer(), 0x92, [&bomb[..4], b"\x01z"].concat());
                let error = MessageError::TooBig { max: 510, setting: "message_bytes_max" };
                end.fails(input, &[], error, 1009);
            });
            in_every_chunking(&setup, |end| {
                let input = frame(end.role().peer(), 0x92, &bomb);
                let error = MessageError::TooBig { max: 510, setting: "message_bytes_max" };
                end.fails(input, &[], error, 1009);
            });
        }
    }
}

#[test]
fn messages_can_be_sent_without_extensions() {
    for extensions in COMBINATIONS {
        for setup in with_extensions(extensions) {
            let mut end = setup.build();
            send(&mut end, "secret", SendOptions::default().compress(false));
            assert_eq!(end.sends_frames(), [Frame::new(0x81, "secret")]);
        }
    }
}

#[test]
fn messages_of_any_size_arrive_through_any_extensions() {
    for extensions in COMBINATIONS {
        for chunking in [Chunking::Whole, Chunking::Sizes(vec![1, 7, 1000])] {
            let mut pair = Pair::new(|role| Setup::new(role).extensions(extensions), chunking);
            for size in [0, 1, 2, 255, 256, 511, 5000, 70_000] {
                let message: String = sample(size);
                send(&mut pair.client, message.as_str(), SendOptions::default());
                send(&mut pair.server, message.clone().into_bytes(), SendOptions::default());
                pair.settle();
                let (client_saw, server_saw) = pair.saw();
                assert_eq!(client_saw, [binary(message.clone())]);
                assert_eq!(server_saw, [text(&message)]);
            }
        }
    }
}

#[test]
fn a_message_written_in_pieces_arrives_as_it_is_flushed() {
    for extensions in COMBINATIONS {
        let chunks = |role| Setup::new(role).extensions(extensions).delivery(Delivery::Chunks);
        let mut pair = Pair::new(chunks, Chunking::OneByte);
        let end = &mut pair.client;
        end.connection.start_message(MessageKind::Text, SendOptions::default()).expect("open");
        let mut received = String::new();
        let pieces = ["aa", "abbb", "", "c".repeat(1000).as_str(), "", ""].map(str::to_owned);
        let boundaries = [Boundary::Within, Boundary::Flush, Boundary::Flush, Boundary::Flush];
        let boundaries = boundaries.into_iter().chain([Boundary::Within, Boundary::End]);
        let mut written = String::new();
        for (piece, boundary) in pieces.iter().zip(boundaries) {
            let Endpoint { connection, scratch, .. } = &mut pair.client;
            connection.write_message(piece.as_bytes(), boundary, scratch).expect("begun");
            written += piece;
            pair.settle();
            let (_, saw) = pair.saw();
            let ends = saw.iter().any(|seen| matches!(seen, Seen::Chunk { last: true, .. }));
            assert_eq!(ends, boundary == Boundary::End);
            for seen in saw {
                let Seen::Chunk { bytes, .. } = seen else { panic!("{seen:?}") };
                received += std::str::from_utf8(&bytes).expect("ASCII");
            }
            assert!(boundary == Boundary::Within || received == written);
        }
    }
}

#[test]
fn prepared_messages_are_right_for_every_extension_and_shared_where_they_can_be() {
    let prepared = Prepared::new("aaaaaaaaaaaaaaaaaaaaaaab");
    for extensions in COMBINATIONS {
        let mut pair = Pair::new(|role| Setup::new(role).extensions(extensions), Chunking::Whole);
        for _ in 0..3 {
            for end in [&mut pair.client, &mut pair.server] {
                let Endpoint { connection, scratch, .. } = end;
                let sent = connection.send_prepared(&prepared, SendOptions::default(), scratch);
                sent.expect("the connection is open");
            }
            pair.settle();
            let expected = vec![Seen::Message(prepared.message().clone())];
            assert_eq!(pair.saw(), (expected.clone(), expected));
        }
    }
    // One encoding is queued by two servers, unless it depends on what came before.
    for (extensions, shared) in [(rot13 as Extensions, true), (runs, false), (both, false)] {
        let prepared = Prepared::new("ab".repeat(10_000));
        let places = [(); 2].map(|()| {
            let mut end = Setup::new(Role::Server).extensions(extensions).build();
            let Endpoint { connection, scratch, .. } = &mut end;
            connection.send_prepared(&prepared, SendOptions::default(), scratch).expect("open");
            let mut slices = [IoSlice::new(&[]); 4];
            assert!(connection.slices(&mut slices) > 0);
            let place = slices.iter().max_by_key(|slice| slice.len()).map(|slice| slice.as_ptr());
            (place, end)
        });
        assert_eq!(places[0].0 == places[1].0, shared);
    }
}

#[test]
fn traits_can_be_used_without_a_connection() {
    let mut scratch = Scratch::new(|| [0; 4]);
    let [mut client, mut server] = [Role::Client, Role::Server].map(|role| agree(role, &Runs));
    let (mut wire, mut message) = (Vec::new(), Vec::new());
    client.encode(b"aaa", Boundary::End, &mut scratch, &mut wire);
    let decoded = server.decode(&wire, true, 2, &mut scratch, &mut message).expect("valid");
    assert!(!decoded.done && message == b"aa");
    let rest = &wire[decoded.consumed..];
    let decoded = server.decode(rest, true, 2, &mut scratch, &mut message).expect("valid");
    assert!(decoded.done && message == b"aaa");
}

/// ASCII in which some bytes repeat.
fn sample(len: usize) -> String {
    (0..len).map(|at| char::from(b'a' + u8::try_from(at / 3 * at % 26).expect("small"))).collect()
}
