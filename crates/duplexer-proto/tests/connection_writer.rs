//! Messages that are written piece by piece without knowing their length (RFC 6455 §5.4:
//! fragmentation is there "to allow sending a message that is of unknown size").

mod support;

use std::io::IoSlice;

use bytes::Bytes;
use duplexer_proto::extension::Boundary;
use duplexer_proto::extension::Boundary::{End, Flush, Within};
use duplexer_proto::{CloseCode, MessageKind, Piece, Prepared, Role, SendError, SendOptions};
use support::{Endpoint, Frame, Setup, close_body, on_both_sides};

fn start(end: &mut Endpoint, kind: MessageKind) -> Result<(), SendError> {
    end.connection.start_message(kind, SendOptions::default())
}

fn write(end: &mut Endpoint, bytes: &str, boundary: Boundary) -> Result<(), SendError> {
    end.connection.write_message(bytes.as_bytes(), boundary, &mut end.scratch)
}

fn send(end: &mut Endpoint, text: &str) -> Result<(), SendError> {
    end.connection.send(text.into(), SendOptions::default(), &mut end.scratch)
}

#[test]
fn each_piece_is_a_frame_and_the_last_has_fin() {
    // RFC 6455 §5.4.
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        for (piece, boundary) in [("Hel", Within), ("lo", Flush), ("!", End)] {
            assert!(end.connection.is_writing());
            write(end, piece, boundary).expect("begun");
        }
        assert!(!end.connection.is_writing());
        let expected = [Frame::new(0x01, "Hel"), Frame::new(0x00, "lo"), Frame::new(0x80, "!")];
        assert_eq!(end.sends_frames(), expected);
    });
}

#[test]
fn a_message_of_one_piece_is_one_frame() {
    on_both_sides(|end| {
        start(end, MessageKind::Binary).expect("open");
        write(end, "all", End).expect("begun");
        start(end, MessageKind::Text).expect("open");
        write(end, "", End).expect("begun");
        assert_eq!(end.sends_frames(), [Frame::new(0x82, "all"), Frame::new(0x81, "")]);
    });
}

#[test]
fn an_empty_piece_is_no_frame_unless_it_ends_the_message() {
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        for (piece, boundary) in [("", Within), ("a", Within), ("", Flush), ("", Within), ("", End)]
        {
            write(end, piece, boundary).expect("begun");
        }
        assert_eq!(end.sends_frames(), [Frame::new(0x01, "a"), Frame::new(0x80, "")]);
    });
}

#[test]
fn pieces_are_the_same_frames_whatever_they_are_made_from() {
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        let large = "x".repeat(5_000);
        let held = Bytes::from(large.clone());
        let (string, vector) = (String::from("string"), b"vector".to_vec());
        let pieces: [Piece<'_>; 9] = [
            "text".into(),
            (&string).into(),
            b"array".into(),
            b"slice"[..].into(),
            (&vector).into(),
            b"owned".to_vec().into(),
            String::from("owned string").into(),
            (&held).into(),
            large.as_bytes().into(),
        ];
        let expected: Vec<Frame> = pieces
            .iter()
            .enumerate()
            .map(|(at, piece)| Frame::new(if at == 0 { 0x01 } else { 0x00 }, &piece[..]))
            .collect();
        let Endpoint { connection, scratch, .. } = &mut *end;
        for piece in pieces {
            connection.write_message(piece, Within, scratch).expect("begun");
        }
        assert_eq!(end.sends_frames(), expected);
        assert_eq!(held, large, "a client masks a copy of what others hold");
    });
}

#[test]
fn a_large_piece_that_may_be_held_is_sent_from_where_it_lies() {
    // A server's: nothing is masked.
    let mut end = Setup::new(Role::Server).build();
    start(&mut end, MessageKind::Binary).expect("open");
    let held = Bytes::from(vec![7; 5_000]);
    let borrowed = vec![8; 5_000];
    let Endpoint { connection, scratch, .. } = &mut end;
    connection.write_message(&held, Within, scratch).expect("begun");
    connection.write_message(&borrowed, Within, scratch).expect("begun");
    let mut slices = [IoSlice::new(&[]); 8];
    let filled = connection.slices(&mut slices);
    let places: Vec<_> = slices[..filled].iter().map(|slice| slice.as_ptr()).collect();
    assert!(places.contains(&held.as_ptr()));
    let apart =
        slices[..filled].iter().all(|slice| !slice.as_ptr_range().contains(&borrowed.as_ptr()));
    assert!(apart, "what is only lent is copied");
}

#[test]
fn nothing_leaves_before_the_first_piece() {
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        assert_eq!(end.connection.queued_bytes(), 0);
    });
}

#[test]
fn other_messages_are_refused_while_one_is_unfinished() {
    // RFC 6455 §5.4: fragments of different messages must not be interleaved.
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        write(end, "a", Within).expect("begun");
        assert_eq!(send(end, "b"), Err(SendError::Busy));
        assert_eq!(start(end, MessageKind::Text), Err(SendError::Busy));
        let prepared = Prepared::new("b");
        let Endpoint { connection, scratch, .. } = &mut *end;
        let refused = connection.send_prepared(&prepared, SendOptions::default(), scratch);
        assert_eq!(refused, Err(SendError::Busy));
        write(end, "c", End).expect("begun");
        assert_eq!(send(end, "b"), Ok(()));
        let expected = [Frame::new(0x01, "a"), Frame::new(0x80, "c"), Frame::new(0x81, "b")];
        assert_eq!(end.sends_frames(), expected);
    });
}

#[test]
fn a_piece_of_nothing_is_refused() {
    on_both_sides(|end| {
        assert_eq!(write(end, "a", Within), Err(SendError::NotStarted));
        start(end, MessageKind::Text).expect("open");
        write(end, "", End).expect("begun");
        assert_eq!(write(end, "a", End), Err(SendError::NotStarted));
    });
}

#[test]
fn control_frames_pass_between_the_pieces() {
    // RFC 6455 §5.4.
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        write(end, "a", Within).expect("begun");
        end.hears_frame(0x89, "?");
        end.connection.ping_with(b"!", &mut end.scratch).expect("open");
        write(end, "b", End).expect("begun");
        let expected = [
            Frame::new(0x01, "a"),
            Frame::new(0x8a, "?"),
            Frame::new(0x89, "!"),
            Frame::new(0x80, "b"),
        ];
        assert_eq!(end.sends_frames(), expected);
    });
}

#[test]
fn a_close_ends_a_message_that_is_being_written() {
    // RFC 6455 §7.1.2; the peer sees a message that never ended, not one that looks whole.
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        write(end, "a", Within).expect("begun");
        assert!(end.connection.close(None, &mut end.scratch));
        assert!(!end.connection.is_writing());
        assert_eq!(write(end, "b", End), Err(SendError::Closed));
        assert_eq!(end.sends_frames(), [Frame::new(0x01, "a"), Frame::new(0x88, "")]);
    });
}

#[test]
fn the_peers_close_ends_a_message_that_is_being_written() {
    // RFC 6455 §5.5.1.
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        write(end, "a", Within).expect("begun");
        end.hears_frame(0x88, close_body(1001, ""));
        assert_eq!(write(end, "b", End), Err(SendError::Closed));
        let expected = [Frame::new(0x01, "a"), Frame::new(0x88, close_body(1001, ""))];
        assert_eq!(end.sends_frames(), expected);
    });
}

#[test]
fn a_failure_ends_a_message_that_is_being_written() {
    // RFC 6455 §7.1.7: what was queued before still leaves; the message never looks whole.
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        write(end, "a", Within).expect("begun");
        end.connection.fail(CloseCode::POLICY_VIOLATION, "", &mut end.scratch);
        assert_eq!(write(end, "b", End), Err(SendError::Closed));
        let expected = [Frame::new(0x01, "a"), Frame::new(0x88, close_body(1008, ""))];
        assert_eq!(end.sends_frames(), expected);
    });
}

#[test]
fn the_loss_of_the_transport_ends_a_message_that_is_being_written() {
    on_both_sides(|end| {
        start(end, MessageKind::Text).expect("open");
        end.connection.transport_ended(duplexer_proto::End::Remote);
        assert!(!end.connection.is_writing());
        assert_eq!(write(end, "b", End), Err(SendError::Closed));
        assert_eq!(start(end, MessageKind::Text), Err(SendError::Closed));
    });
}

#[test]
fn a_message_of_any_length_waits_in_the_queue_only_as_far_as_it_was_not_taken() {
    let mut end = Setup::new(Role::Server).build();
    start(&mut end, MessageKind::Binary).expect("open");
    let piece = "x".repeat(10_000);
    for _ in 0..1000 {
        write(&mut end, &piece, Within).expect("begun");
        assert!(end.connection.queued_bytes() < 10_010);
        end.sends();
    }
    write(&mut end, "", End).expect("begun");
    assert_eq!(end.sends(), b"\x80\x00");
}
