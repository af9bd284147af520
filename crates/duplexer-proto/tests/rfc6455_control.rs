//! Control frames (RFC 6455 §5.5): pings, pongs and what makes a control frame invalid. Close
//! frames have a file of their own.

mod support;

use duplexer_proto::frame::{FrameError, Opcode};
use duplexer_proto::{ControlError, Role, SendOptions};
use support::{Frame, Seen, Setup, frame, on_both_sides, text};

#[test]
fn control_frames_of_up_to_125_bytes_pass() {
    // RFC 6455 §5.5: "All control frames MUST have a payload length of 125 bytes or less".
    on_both_sides(|end| {
        let payload = vec![b'x'; 125];
        assert_eq!(end.hears_frame(0x89, &payload), [Seen::Ping(payload.clone())]);
        assert_eq!(end.hears_frame(0x8a, &payload), [Seen::Pong(payload.clone())]);
        assert_eq!(end.sends_frames(), [Frame::new(0x8a, payload)]);
    });
}

#[test]
fn control_frames_over_125_bytes_fail_at_the_length() {
    // RFC 6455 §5.5.
    for (first, opcode) in [(0x88, Opcode::Close), (0x89, Opcode::Ping), (0x8a, Opcode::Pong)] {
        for short in [126, 127] {
            on_both_sides(|end| {
                let masked = if end.role() == Role::Server { 0x80 } else { 0 };
                let error = FrameError::ControlTooLong { opcode };
                end.fails([first, masked | short], &[], error, 1002);
            });
        }
    }
}

#[test]
fn control_frames_must_not_be_fragmented() {
    // RFC 6455 §5.5: "and MUST NOT be fragmented".
    for (first, opcode) in [(0x08, Opcode::Close), (0x09, Opcode::Ping), (0x0a, Opcode::Pong)] {
        on_both_sides(|end| {
            let input = frame(end.role().peer(), first, "part");
            end.fails(input, &[], FrameError::ControlFragmented { opcode }, 1002);
        });
    }
}

#[test]
fn control_frames_may_stand_between_fragments() {
    // RFC 6455 §5.4: "Control frames (see Section 5.5) MAY be injected in the middle of a
    // fragmented message."
    on_both_sides(|end| {
        let seen = end.hears_frames(&[
            (0x01, b"Hel"),
            (0x89, b"1"),
            (0x00, b""),
            (0x8a, b"2"),
            (0x89, b""),
            (0x80, b"lo"),
        ]);
        let (ping, pong, empty) =
            (Seen::Ping(b"1".into()), Seen::Pong(b"2".into()), Seen::Ping(vec![]));
        assert_eq!(seen, [ping, pong, empty, text("Hello")]);
        assert_eq!(end.sends_frames(), [Frame::new(0x8a, "1"), Frame::new(0x8a, "")]);
    });
}

#[test]
fn each_ping_is_answered_with_its_own_payload_in_order() {
    // RFC 6455 §5.5.3: "must have identical "Application data" as found in the message body of the
    // Ping frame being replied to".
    on_both_sides(|end| {
        end.hears_frames(&[(0x89, b"a"), (0x89, b"\0\xff"), (0x89, b"")]);
        let pongs = [Frame::new(0x8a, "a"), Frame::new(0x8a, b"\0\xff"), Frame::new(0x8a, "")];
        assert_eq!(end.sends_frames(), pongs);
    });
}

#[test]
fn a_pong_that_nobody_asked_for_needs_no_answer() {
    // RFC 6455 §5.5.3: "A response to an unsolicited Pong frame is not expected."
    on_both_sides(|end| {
        assert_eq!(end.hears_frame(0x8a, "beat"), [Seen::Pong(b"beat".into())]);
        assert_eq!(end.sends(), b"");
    });
}

#[test]
fn pings_behind_a_long_queue_are_answered_once_for_the_last() {
    // RFC 6455 §5.5.3: "the endpoint MAY elect to send a Pong frame for only the most recently
    // processed Ping frame".
    on_both_sides(|end| {
        let waiting = vec![0; 64 << 10];
        let options = SendOptions::default();
        end.connection.send(waiting.clone().into(), options, &mut end.scratch).expect("open");
        let before = end.connection.queued_bytes();
        for ping in 0..100_u8 {
            assert_eq!(end.hears_frame(0x89, [ping]), [Seen::Ping(vec![ping])]);
        }
        assert!(
            end.connection.queued_bytes() - before <= 1024,
            "{}",
            end.connection.queued_bytes()
        );
        let sent = end.sends_frames();
        assert!(sent.contains(&Frame::new(0x82, waiting)));
        let last = sent.iter().rfind(|frame| frame.first == 0x8a);
        assert_eq!(last, Some(&Frame::new(0x8a, [99])));
    });
}

#[test]
fn a_flood_of_pings_cannot_grow_the_queue() {
    // RFC 6455 §5.5.3, with a peer that sends pings and reads nothing.
    let mut end = Setup::new(Role::Server).build();
    let ping = frame(Role::Client, 0x89, [b'x'; 125]);
    for _ in 0..20_000 {
        end.hears(&ping);
        assert!(end.connection.queued_bytes() <= 33 << 10);
    }
    end.hears(frame(Role::Client, 0x89, "the last"));
    let sent = end.sends_frames();
    assert!(sent.len() < 300);
    assert!(sent.contains(&Frame::new(0x8a, "the last")));
}

#[test]
fn pings_and_pongs_are_sent_with_payloads_of_up_to_125_bytes() {
    // RFC 6455 §5.5.
    on_both_sides(|end| {
        let (fits, long) = ([b'p'; 125], [b'p'; 126]);
        let support::Endpoint { connection, scratch, .. } = end;
        assert_eq!(connection.ping_with(&fits, scratch), Ok(()));
        assert_eq!(connection.pong(&fits, scratch), Ok(()));
        assert_eq!(connection.ping_with(&long, scratch), Err(ControlError::TooLong { len: 126 }));
        assert_eq!(connection.pong(&long, scratch), Err(ControlError::TooLong { len: 126 }));
        assert_eq!(end.sends_frames(), [Frame::new(0x89, fits), Frame::new(0x8a, fits)]);
    });
}

#[test]
fn no_control_frame_leaves_once_closing() {
    // RFC 6455 §5.5.1.
    on_both_sides(|end| {
        let support::Endpoint { connection, scratch, .. } = end;
        assert!(connection.close(None, scratch));
        assert_eq!(connection.ping_with(b"late", scratch), Err(ControlError::Closed));
        assert_eq!(connection.ping(support::after(0), scratch), Err(ControlError::Closed));
        assert_eq!(connection.pong(b"late", scratch), Err(ControlError::Closed));
        assert_eq!(end.sends_frames(), [Frame::new(0x88, "")]);
    });
}
