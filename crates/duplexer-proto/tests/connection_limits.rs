//! The bounds on what a peer may make an endpoint hold, each at its edge, and memory that follows
//! what arrived instead of what was declared.

mod support;

use duplexer_proto::frame::FrameError;
use duplexer_proto::{Delivery, MessageError, Role};
use support::{Endpoint, Seen, Setup, binary, frame, header, in_every_chunking, on_both_sides};

const MESSAGE_MAX: u64 = 16 << 20;

fn too_big() -> MessageError {
    MessageError::TooBig { max: MESSAGE_MAX, setting: "message_bytes_max" }
}

#[test]
fn a_message_of_16_mib_passes_in_one_frame() {
    let payload = vec![b'x'; 16 << 20];
    for role in [Role::Client, Role::Server] {
        let mut end = Setup::new(role).build();
        assert!(end.hears_frame(0x82, &payload) == [binary(payload.clone())]);
    }
}

#[test]
fn a_message_of_one_byte_more_fails_before_any_of_its_payload() {
    // RFC 6455 §7.4.1: 1009 "a message that is too big for it to process"; only the header has
    // arrived.
    on_both_sides(|end| {
        let input = header(end.role().peer(), 0x82, MESSAGE_MAX + 1);
        end.fails(input, &[], too_big(), 1009);
    });
    on_both_sides(|end| {
        let input = header(end.role().peer(), 0x82, i64::MAX as u64);
        end.fails(input, &[], too_big(), 1009);
    });
}

#[test]
fn the_frames_of_a_message_are_counted_together() {
    let setup = |role| Setup::new(role).limits(|limits| limits.message_bytes_max = 1000);
    for role in [Role::Client, Role::Server] {
        in_every_chunking(&setup(role), |end| {
            let half = [b'x'; 500];
            let seen = end.hears_frames(&[(0x02, &half), (0x80, &half)]);
            assert_eq!(seen, [binary(vec![b'x'; 1000])]);
            let begun = frame(role.peer(), 0x02, half);
            let over = header(role.peer(), 0x80, 501);
            let error = MessageError::TooBig { max: 1000, setting: "message_bytes_max" };
            end.fails([begun, over].concat(), &[], error, 1009);
        });
    }
}

#[test]
fn a_tiny_fragment_counts_as_64_bytes() {
    let setup = |role| Setup::new(role).limits(|limits| limits.message_bytes_max = 1000);
    for role in [Role::Client, Role::Server] {
        in_every_chunking(&setup(role), |end| {
            // 552 bytes, and seven fragments of one byte that count 64 each.
            let first = [b'x'; 552];
            let mut frames: Vec<(u8, &[u8])> = vec![(0x00, b"x"); 8];
            frames[0] = (0x02, &first);
            frames[7].0 = 0x80;
            assert_eq!(end.hears_frames(&frames), [binary(vec![b'x'; 559])]);
            let mut begun = frame(role.peer(), 0x02, [b'x'; 553]);
            for _ in 0..6 {
                begun.extend(frame(role.peer(), 0x00, "x"));
            }
            let over = header(role.peer(), 0x80, 1);
            let error = MessageError::TooBig { max: 1000, setting: "message_bytes_max" };
            end.fails([begun, over].concat(), &[], error, 1009);
        });
    }
}

#[test]
fn a_message_of_65_536_fragments_of_64_bytes_passes() {
    // The Autobahn TestSuite sends one (9.3.1).
    let mut end = Setup::new(Role::Server).build();
    let fragment = [b'x'; 64];
    let mut input = frame(Role::Client, 0x02, fragment);
    for _ in 1..65_535 {
        input.extend(frame(Role::Client, 0x00, fragment));
    }
    input.extend(frame(Role::Client, 0x80, fragment));
    let mut seen = Vec::new();
    for piece in input.chunks(10_000) {
        seen.extend(end.hears(piece));
    }
    assert!(seen == [binary(vec![b'x'; 4 << 20])]);
}

#[test]
fn endless_fragments_fail_however_small_they_are() {
    // CVE-2014-0193 and CVE-2026-48779 in other implementations.
    for payload in ["", "x"] {
        let mut end = Setup::new(Role::Server).build();
        assert_eq!(end.hears(frame(Role::Client, 0x02, payload)), []);
        let thousand = frame(Role::Client, 0x00, payload).repeat(1000);
        let failed_after = (0..263).find(|_| end.hears(&thousand) == [support::fault(too_big())]);
        assert!(failed_after.is_some_and(|thousands| thousands > 250), "{failed_after:?}");
        end.has_failed(1009, &too_big().to_string());
    }
}

#[test]
fn the_charge_for_fragments_can_be_set() {
    let setup = Setup::new(Role::Server).limits(|limits| {
        limits.message_bytes_max = 10;
        limits.fragment_bytes_min = 0;
    });
    in_every_chunking(&setup, |end| {
        let mut frames: Vec<(u8, &[u8])> = vec![(0x00, b"x"); 11];
        frames[0].0 = 0x02;
        frames[10] = (0x80, b"");
        assert_eq!(end.hears_frames(&frames), [binary(*b"xxxxxxxxxx")]);
    });
}

#[test]
fn a_frame_over_the_frame_limit_fails_at_its_header() {
    let setup = |role| Setup::new(role).limits(|limits| limits.frame_bytes_max = 5);
    for role in [Role::Client, Role::Server] {
        in_every_chunking(&setup(role), |end| {
            assert_eq!(
                end.hears_frames(&[(0x01, b"Hello"), (0x80, b"World")]),
                [support::text("HelloWorld")]
            );
            let error = FrameError::FrameTooBig { len: 6, max: 5 };
            end.fails(header(role.peer(), 0x81, 6), &[], error, 1009);
        });
    }
}

#[test]
fn control_frames_are_not_data_frames_for_the_frame_limit() {
    // RFC 6455 §5.5 bounds them already, and a peer must be able to close.
    let setup = Setup::new(Role::Client).limits(|limits| {
        limits.frame_bytes_max = 0;
        limits.message_bytes_max = 0;
    });
    in_every_chunking(&setup, |end| {
        assert_eq!(end.hears_frame(0x89, "Hello"), [Seen::Ping(b"Hello".into())]);
        assert_eq!(end.hears_frame(0x82, ""), [binary("")]);
        assert_eq!(end.hears_frame(0x88, support::close_body(1000, "bye")).len(), 1);
    });
}

#[test]
fn a_stream_has_a_limit_of_its_own() {
    let setup = Setup::new(Role::Server).delivery(Delivery::Chunks).limits(|limits| {
        limits.message_bytes_max = 1;
        limits.stream_bytes_max = 100;
        limits.fragment_bytes_min = 0;
    });
    in_every_chunking(&setup, |end| {
        let seen = end.hears_frames(&[(0x02, &[b'x'; 60]), (0x80, &[b'x'; 40])]);
        let kind = duplexer_proto::MessageKind::Binary;
        assert_eq!(seen, [Seen::Chunk { kind, bytes: vec![b'x'; 100], first: true, last: true }]);
        let error = MessageError::TooBig { max: 100, setting: "stream_bytes_max" };
        end.fails(header(Role::Client, 0x82, 101), &[], error, 1009);
    });
}

#[test]
fn a_stream_is_unlimited_by_default() {
    let mut end = Setup::new(Role::Server).delivery(Delivery::Chunks).build();
    assert_eq!(end.hears(header(Role::Client, 0x82, i64::MAX as u64)), []);
    for _ in 0..100 {
        assert_eq!(end.hears([0; 65_536]).len(), 1);
        assert_eq!(end.untaken(), 0);
    }
}

#[test]
fn messages_of_the_largest_size_follow_each_other() {
    // A limit is for each message, not for all of them.
    let setup = Setup::new(Role::Server).limits(|limits| limits.message_bytes_max = 3);
    in_every_chunking(&setup, |end: &mut Endpoint| {
        let seen = end.hears_frames(&[(0x82, b"abc"), (0x82, b"def"), (0x82, b"ghi")]);
        assert_eq!(seen, [binary("abc"), binary("def"), binary("ghi")]);
    });
}
