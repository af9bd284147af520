//! What leaves, and in which order (RFC 6455 §5.4, §5.5): control frames ahead of data that has not
//! begun, never inside a frame, wherever the transport stopped taking bytes.

mod support;

use std::io::IoSlice;

use duplexer_proto::{CloseCode, Message, Role, SendOptions};
use support::{Endpoint, Frame, Setup, close_body, frame, frames, in_every_chunking};

const ROLES: [Role; 2] = [Role::Client, Role::Server];

fn send(end: &mut Endpoint, message: impl Into<Message>) {
    let options = SendOptions::default();
    end.connection.send(message.into(), options, &mut end.scratch).expect("open");
}

fn ping(end: &mut Endpoint, payload: &[u8]) {
    end.connection.ping_with(payload, &mut end.scratch).expect("open");
}

/// Payloads on both sides of the sizes at which the queue does something else.
fn mixed() -> Vec<Vec<u8>> {
    let sizes = [10, 5000, 0, 126, 20_000, 3, 4095, 4096, 70_000, 1];
    (0..).zip(sizes).map(|(content, len)| vec![content; len]).collect()
}

/// They are held in different ways: every second one is a vector, the others are copied from a slice.
fn end_with_mixed(role: Role) -> Endpoint {
    let mut end = Setup::new(role).build();
    for (at, payload) in mixed().into_iter().enumerate() {
        if at % 2 == 0 { send(&mut end, &payload[..]) } else { send(&mut end, payload) }
    }
    end
}

/// Where each of the frames of `mixed` ends on the wire.
fn frame_ends(role: Role) -> Vec<usize> {
    let mut at = 0;
    let lens = mixed().into_iter().map(|payload| frame(role, 0x82, payload).len());
    lens.map(|len| {
        at += len;
        at
    })
    .collect()
}

/// The byte positions around every frame's start and end, and some inside.
fn stops(role: Role) -> Vec<usize> {
    let ends = frame_ends(role);
    let last = *ends.last().expect("there are frames");
    let around = ends.iter().flat_map(|end| end.saturating_sub(8)..end + 16);
    let mut stops: Vec<usize> = (0..40).chain(around).chain((0..last).step_by(4999)).collect();
    stops.retain(|stop| *stop < last);
    stops.sort_unstable();
    stops.dedup();
    stops
}

#[test]
fn messages_leave_whole_and_in_order() {
    for role in ROLES {
        let sent = end_with_mixed(role).sends_frames();
        let expected: Vec<Frame> =
            mixed().into_iter().map(|bytes| Frame::new(0x82, bytes)).collect();
        assert_eq!(sent, expected);
    }
}

#[test]
fn queued_bytes_counts_what_waits_after_every_write() {
    for role in ROLES {
        let mut end = end_with_mixed(role);
        let mut waiting = end.connection.queued_bytes();
        assert_eq!(waiting, *frame_ends(role).last().expect("there are frames"));
        for max in [1, 2, 3, 5000, 1, 20_000, 7, 1000].into_iter().cycle() {
            let took = end.sends_at_most(max).len();
            waiting -= took;
            assert_eq!(end.connection.queued_bytes(), waiting);
            if waiting == 0 {
                break;
            }
        }
    }
}

#[test]
fn one_slice_several_slices_and_partial_writes_give_the_same_bytes() {
    for role in ROLES {
        let all_at_once = end_with_mixed(role).sends();
        for step in [1, 7, 4096, 10_000] {
            let mut end = end_with_mixed(role);
            let mut sent = Vec::new();
            while end.connection.queued_bytes() > 0 {
                if let Some(single) = end.connection.single_slice() {
                    let mut slices = [IoSlice::new(&[]); 4];
                    let filled = end.connection.slices(&mut slices);
                    assert_eq!(filled, 1);
                    assert_eq!(single, &slices[0][..]);
                    assert_eq!(single.len(), end.connection.queued_bytes());
                }
                let took = end.sends_at_most(step);
                assert!(!took.is_empty());
                sent.extend(took);
            }
            assert!(sent == all_at_once, "{role:?} in steps of {step}");
        }
    }
}

#[test]
fn an_empty_queue_shows_nothing() {
    for role in ROLES {
        let end = Setup::new(role).build();
        assert_eq!(end.connection.slices(&mut [IoSlice::new(&[]); 4]), 0);
        assert_eq!(end.connection.single_slice(), Some(&b""[..]));
        assert_eq!(end.connection.queued_bytes(), 0);
    }
}

#[test]
fn a_ping_leaves_ahead_of_all_data_that_has_not_begun() {
    // RFC 6455 §5.5.2; wherever the transport stopped.
    for role in ROLES {
        for stop in stops(role) {
            let mut end = end_with_mixed(role);
            let mut sent = Vec::new();
            while sent.len() < stop {
                sent.extend(end.sends_at_most(stop - sent.len()));
            }
            let waiting = end.connection.queued_bytes();
            ping(&mut end, b"now");
            sent.extend(end.sends());
            let found = frames(role, &sent);
            let place = found.iter().position(Frame::is_control).expect("the ping was sent");
            let data: Vec<Frame> = found.into_iter().filter(|frame| !frame.is_control()).collect();
            assert!(
                data == mixed()
                    .into_iter()
                    .map(|bytes| Frame::new(0x82, bytes))
                    .collect::<Vec<_>>()
            );
            // Less than 16 KiB leaves soon anyway.
            if waiting >= 16 << 10 {
                let begun = if stop == 0 {
                    0
                } else {
                    frame_ends(role).partition_point(|end| *end < stop) + 1
                };
                assert_eq!(place, begun, "{role:?} stopped after {stop}");
            }
        }
    }
}

#[test]
fn pings_put_ahead_keep_their_order() {
    for role in ROLES {
        let mut end = end_with_mixed(role);
        let mut sent = end.sends_at_most(3);
        ping(&mut end, b"1");
        ping(&mut end, b"2");
        let to_the_ping = frame(role, 0x82, [0; 10]).len() - sent.len();
        sent.extend(end.sends_at_most(to_the_ping + 1));
        ping(&mut end, b"3");
        sent.extend(end.sends());
        let found = frames(role, &sent);
        assert_eq!(
            found[1..4],
            [Frame::new(0x89, "1"), Frame::new(0x89, "2"), Frame::new(0x89, "3")]
        );
    }
}

#[test]
fn a_failure_leaves_behind_what_was_queued_before_it() {
    // RFC 6455 §7.1.7: answers to what came before the fault are not lost with it.
    for role in ROLES {
        let mut end = end_with_mixed(role);
        end.sends_at_most(6000);
        let before = end.connection.queued_bytes();
        end.connection.fail(CloseCode::INTERNAL_ERROR, "no", &mut end.scratch);
        let close = frame(role, 0x88, close_body(1011, "no"));
        assert_eq!(end.connection.queued_bytes(), before + close.len());
        assert!(end.sends().ends_with(&close));
    }
}

#[test]
fn a_close_leaves_behind_all_data() {
    // RFC 6455 §7.1.2.
    for role in ROLES {
        let mut end = end_with_mixed(role);
        end.sends_at_most(6000);
        let before = end.connection.queued_bytes();
        assert!(end.connection.close(None, &mut end.scratch));
        let close = frame(role, 0x88, "").len();
        assert_eq!(end.connection.queued_bytes(), before + close);
        assert!(end.sends().ends_with(&frame(role, 0x88, "")));
    }
}

#[test]
fn pongs_answer_between_messages_never_inside_a_frame() {
    // RFC 6455 §5.4, §5.5.3.
    for role in ROLES {
        in_every_chunking(&Setup::new(role), |end| {
            send(end, vec![1; 9000]);
            let mut sent = end.sends_at_most(5);
            end.hears_frame(0x89, "?");
            send(end, "after");
            sent.extend(end.sends());
            let expected =
                [Frame::new(0x82, vec![1; 9000]), Frame::new(0x8a, "?"), Frame::new(0x81, "after")];
            assert_eq!(frames(role, &sent), expected);
        });
    }
}

#[test]
fn a_lost_transport_empties_the_queue() {
    for role in ROLES {
        let mut end = end_with_mixed(role);
        end.connection.transport_ended(duplexer_proto::End::Remote);
        assert_eq!(end.connection.queued_bytes(), 0);
        assert_eq!(end.sends(), b"");
    }
}

#[test]
fn a_large_message_that_nobody_else_holds_is_masked_where_it_lies() {
    // No copy of 1 MiB; a shared one is copied and left as it is.
    let payload = vec![7_u8; 1 << 20];
    let mut end = Setup::new(Role::Client).build();
    let place = payload.as_ptr();
    send(&mut end, payload);
    assert!(slice_starts(&end).contains(&place));

    let shared = bytes::Bytes::from(vec![7_u8; 1 << 20]);
    let mut end = Setup::new(Role::Client).build();
    send(&mut end, shared.clone());
    assert!(!slice_starts(&end).contains(&shared.as_ptr()));
    assert!(shared.iter().all(|byte| *byte == 7));
    assert_eq!(end.sends_frames(), [Frame::new(0x82, shared)]);
}

#[test]
fn a_server_sends_a_large_message_from_where_it_lies() {
    let shared = bytes::Bytes::from(vec![7_u8; 4096]);
    let mut end = Setup::new(Role::Server).build();
    send(&mut end, shared.clone());
    assert!(slice_starts(&end).contains(&shared.as_ptr()));
}

fn slice_starts(end: &Endpoint) -> Vec<*const u8> {
    let mut slices = [IoSlice::new(&[]); 8];
    let filled = end.connection.slices(&mut slices);
    slices[..filled].iter().map(|slice| slice.as_ptr()).collect()
}
