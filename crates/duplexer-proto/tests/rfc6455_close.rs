//! Close frames and the closing handshake (RFC 6455 §5.5.1, §7, and the IANA registry of close
//! codes).

mod support;

use duplexer_proto::frame::FrameError;
use duplexer_proto::{
    CloseBodyError, CloseCode, CloseReason, Delivery, End, Role, SendError, SendOptions, State,
};
use support::{
    Endpoint, Frame, Pair, Seen, Setup, close_body, frame, in_every_chunking, on_both_sides, text,
};

/// Every code of the registry that may travel, and the edges of its ranges.
const VALID: &[u16] = &[
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3003, 3008,
    3999, 4000, 4999,
];

/// Codes that must not travel: reserved, unassigned and out of range.
const INVALID: &[u16] =
    &[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65_535];

fn close(end: &mut Endpoint, code: u16, reason: &str) -> bool {
    let reason = CloseReason::new(CloseCode::from(code), reason).expect("may travel");
    end.connection.close(Some(&reason), &mut end.scratch)
}

/// Code, who began, and whether both ends have sent a Close.
fn info(end: &Endpoint) -> (u16, End, bool) {
    let info = end.close_info();
    (info.reason.code().as_u16(), info.initiator, info.clean)
}

#[test]
fn every_code_that_may_travel_is_answered_with_itself() {
    // RFC 6455 §5.5.1: "the endpoint typically echos the status code it received", and IANA's
    // registry.
    for code in VALID {
        on_both_sides(|end| {
            let seen = end.hears_frame(0x88, close_body(*code, "why"));
            assert_eq!(seen, [Seen::Close(*code, "why".into())]);
            assert_eq!(end.connection.state(), State::Answering);
            assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(*code, ""))]);
            assert_eq!(end.connection.state(), State::Closed);
            assert_eq!(info(end), (*code, End::Remote, true));
            assert_eq!(end.close_info().reason.text(), "why");
        });
    }
}

#[test]
fn codes_that_may_not_travel_fail() {
    // RFC 6455 §7.4.1, §7.4.2.
    for code in INVALID {
        on_both_sides(|end| {
            let input = frame(end.role().peer(), 0x88, close_body(*code, ""));
            end.fails(input, &[], CloseBodyError::CodeNotForWire { code: (*code).into() }, 1002);
        });
    }
}

#[test]
fn codes_that_may_not_travel_are_not_sent() {
    // RFC 6455 §7.4.1: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control
    // frame by an endpoint".
    for code in INVALID {
        assert!(CloseReason::new(CloseCode::from(*code), "").is_err(), "{code}");
        on_both_sides(|end| {
            end.connection.fail(CloseCode::from(*code), "", &mut end.scratch);
            assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(1011, ""))]);
        });
    }
}

#[test]
fn a_close_without_a_body_is_1005_and_answered_without_a_body() {
    // RFC 6455 §7.1.5: "If this Close control frame contains no status code, _The WebSocket
    // Connection Close Code_ is considered to be 1005."
    on_both_sides(|end| {
        assert_eq!(end.hears_frame(0x88, ""), [Seen::Close(1005, String::new())]);
        assert_eq!(end.sends_frames(), [Frame::new(0x88, "")]);
        assert_eq!(info(end), (1005, End::Remote, true));
    });
}

#[test]
fn a_close_body_of_one_byte_fails() {
    // RFC 6455 §5.5.1: "the first two bytes of the body MUST be a 2-byte unsigned integer".
    on_both_sides(|end| {
        end.fails(frame(end.role().peer(), 0x88, "\x03"), &[], CloseBodyError::OneByte, 1002);
    });
}

#[test]
fn a_close_reason_that_is_not_utf8_fails() {
    // RFC 6455 §5.5.1: "Following the 2-byte integer, the body MAY contain UTF-8-encoded data";
    // §8.1.
    for reason in [&b"\xff"[..], b"ok\xc3", b"\xed\xa0\x80"] {
        on_both_sides(|end| {
            let input = frame(end.role().peer(), 0x88, [b"\x03\xe8", reason].concat());
            end.fails(input, &[], CloseBodyError::ReasonNotUtf8, 1007);
        });
    }
}

#[test]
fn a_reason_of_123_bytes_fits() {
    // RFC 6455 §5.5: 125 bytes less the code.
    let reason = "x".repeat(123);
    on_both_sides(|end| {
        assert!(close(end, 4000, &reason));
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(4000, &reason))]);
    });
    on_both_sides(|end| {
        let seen = end.hears_frame(0x88, close_body(4000, &reason));
        assert_eq!(seen, [Seen::Close(4000, reason.clone())]);
    });
}

#[test]
fn a_reason_made_here_is_cut_between_characters() {
    // RFC 6455 §5.5 and §8.1.
    on_both_sides(|end| {
        end.connection.fail(CloseCode::POLICY_VIOLATION, &"é".repeat(100), &mut end.scratch);
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(1008, &"é".repeat(61)))]);
    });
}

#[test]
fn either_side_may_start_the_closing_handshake() {
    // RFC 6455 §7.1.2.
    for starter in [Role::Client, Role::Server] {
        let mut pair = Pair::plain();
        let (first, second) = match starter {
            Role::Client => (&mut pair.client, &pair.server),
            Role::Server => (&mut pair.server, &pair.client),
        };
        assert!(close(first, 4001, "bye"));
        assert_eq!(
            (first.connection.state(), second.connection.state()),
            (State::Closing, State::Open)
        );
        pair.settle();
        let (first, second) = match starter {
            Role::Client => (&pair.client, &pair.server),
            Role::Server => (&pair.server, &pair.client),
        };
        assert_eq!(info(first), (4001, End::Local, true));
        assert_eq!(info(second), (4001, End::Remote, true));
        assert_eq!(
            (first.connection.state(), second.connection.state()),
            (State::Closed, State::Closed)
        );
    }
}

#[test]
fn both_sides_may_close_at_the_same_time() {
    // RFC 6455 §7.1.3, §7.1.5: the code of the connection is that of the first Close received.
    let mut pair = Pair::plain();
    assert!(close(&mut pair.client, 4001, "client"));
    assert!(close(&mut pair.server, 4002, "server"));
    pair.settle();
    assert_eq!(info(&pair.client), (4002, End::Local, true));
    assert_eq!(info(&pair.server), (4001, End::Local, true));
    assert_eq!(pair.client.close_info().reason.text(), "server");
    let (client, server) = pair.saw();
    assert_eq!(client, [Seen::Close(4002, "server".into())]);
    assert_eq!(server, [Seen::Close(4001, "client".into())]);
}

#[test]
fn a_close_is_sent_once() {
    // RFC 6455 §5.5.1: "The application MUST NOT send any more data frames after sending a Close
    // frame."
    on_both_sides(|end| {
        assert!(close(end, 1000, "first"));
        assert!(!close(end, 1001, "second"));
        end.connection.fail(CloseCode::INTERNAL_ERROR, "third", &mut end.scratch);
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(1000, "first"))]);
        assert_eq!(end.hears_frame(0x88, ""), []);
    });
    on_both_sides(|end| {
        end.hears_frame(0x88, close_body(1001, ""));
        assert!(!close(end, 1000, ""));
        end.connection.fail(CloseCode::INTERNAL_ERROR, "", &mut end.scratch);
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(1001, ""))]);
    });
}

#[test]
fn nothing_is_sent_after_a_close() {
    // RFC 6455 §5.5.1.
    on_both_sides(|end| {
        assert!(close(end, 1000, ""));
        let options = SendOptions::default();
        let Endpoint { connection, scratch, .. } = end;
        assert_eq!(connection.send("late".into(), options, scratch), Err(SendError::Closed));
        let kind = duplexer_proto::MessageKind::Text;
        assert_eq!(connection.start_message(kind, options), Err(SendError::Closed));
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(1000, ""))]);
    });
}

#[test]
fn what_was_queued_leaves_before_the_close() {
    // RFC 6455 §7.1.2: a Close ends what this end had to say; it does not cancel it.
    on_both_sides(|end| {
        let Endpoint { connection, scratch, .. } = &mut *end;
        connection.send("first".into(), SendOptions::default(), scratch).expect("open");
        assert!(close(end, 1000, ""));
        let sent = [Frame::new(0x81, "first"), Frame::new(0x88, close_body(1000, ""))];
        assert_eq!(end.sends_frames(), sent);
    });
}

#[test]
fn data_behind_the_peers_close_is_dropped() {
    // RFC 6455 §5.5.1: after a Close "the remote endpoint MUST NOT send any more data"; §1.4: "any
    // further data received is discarded".
    on_both_sides(|end| {
        let seen =
            end.hears_frames(&[(0x88, b"\x03\xe8"), (0x81, b"late"), (0x89, b"late"), (0x88, b"")]);
        assert_eq!(seen, [Seen::Close(1000, String::new())]);
        assert_eq!(end.hears(b"\xff\xff\xff and noise"), []);
        assert_eq!(end.untaken(), 0);
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(1000, ""))]);
    });
}

#[test]
fn messages_that_come_before_the_answer_to_a_close_are_dropped() {
    // RFC 6455 §1.4: the peer may have sent them before it heard of the Close.
    on_both_sides(|end| {
        assert!(close(end, 1000, ""));
        let seen = end.hears_frames(&[
            (0x81, b"on its way"),
            (0x02, b"in"),
            (0x80, b"parts"),
            (0x88, b"\x03\xe8"),
        ]);
        assert_eq!(seen, [Seen::Close(1000, String::new())]);
        assert_eq!(info(end), (1000, End::Local, true));
    });
}

#[test]
fn a_ping_behind_our_close_is_told_and_not_answered() {
    // RFC 6455 §5.5.2: a Pong is due "unless it already received a Close frame". Ours is the last that we
    // send all the same: the peer may drop what follows it (§1.4).
    on_both_sides(|end| {
        assert!(close(end, 1000, ""));
        assert_eq!(end.hears_frame(0x89, "there?"), [Seen::Ping(b"there?".into())]);
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(1000, ""))]);
    });
}

#[test]
fn a_close_may_stand_between_fragments() {
    // RFC 6455 §5.4, §5.5.
    on_both_sides(|end| {
        let seen = end.hears_frames(&[(0x01, b"never"), (0x88, b"\x03\xe9gone"), (0x80, b"ended")]);
        assert_eq!(seen, [Seen::Close(1001, "gone".into())]);
        assert!(!end.connection.is_inside_message());
    });
}

#[test]
fn a_violation_while_closing_ends_the_connection_without_a_second_close() {
    // RFC 6455 §5.5.1, §7.1.7; §7.1.5: no Close was received, so the code is 1006.
    on_both_sides(|end| {
        assert!(close(end, 1000, ""));
        let seen = end.hears(frame(end.role().peer(), 0x83, "x"));
        assert_eq!(seen, [support::fault(FrameError::OpcodeUnknown { opcode: 3 })]);
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(1000, ""))]);
        assert_eq!(end.connection.state(), State::Closed);
        assert_eq!(info(end), (1006, End::Local, false));
        assert!(end.connection.lingers());
    });
    on_both_sides(|end| {
        assert!(close(end, 1000, "done"));
        end.connection.fail(CloseCode::INTERNAL_ERROR, "", &mut end.scratch);
        assert_eq!(info(end), (1006, End::Local, false));
        assert_eq!(end.close_info().reason.text(), "");
    });
}

#[test]
fn the_loss_of_the_transport_is_1006() {
    // RFC 6455 §7.1.5: "If _The WebSocket Connection is Closed_ and no Close control frame was
    // received … 1006."
    for blame in [End::Local, End::Remote] {
        on_both_sides(|end| {
            end.connection.transport_ended(blame);
            assert_eq!(end.connection.state(), State::Closed);
            assert_eq!(info(end), (1006, blame, false));
        });
    }
}

#[test]
fn a_transport_that_ends_instead_of_an_answer_is_1006() {
    // RFC 6455 §7.1.5: what this end sent is not what the connection was closed with.
    on_both_sides(|end| {
        assert!(close(end, 4000, ""));
        end.sends();
        end.connection.transport_ended(End::Remote);
        assert_eq!(info(end), (1006, End::Local, false));
    });
}

#[test]
fn a_transport_that_ends_after_the_handshake_changes_nothing() {
    // RFC 6455 §7.1.4.
    on_both_sides(|end| {
        end.hears_frame(0x88, close_body(4000, "done"));
        end.sends();
        end.connection.transport_ended(End::Remote);
        assert_eq!(info(end), (4000, End::Remote, true));
    });
}

#[test]
fn a_close_that_arrived_counts_though_the_answer_never_leaves() {
    // RFC 6455 §7.1.4: a peer that ends the transport right behind its Close has closed on purpose.
    on_both_sides(|end| {
        end.hears_frame(0x88, close_body(4000, "done"));
        assert_eq!(info(end), (4000, End::Remote, true));
        end.connection.transport_ended(End::Remote);
        assert_eq!(end.sends(), b"");
        assert_eq!(info(end), (4000, End::Remote, true));
    });
    on_both_sides(|end| {
        assert!(close(end, 4000, "ours"));
        end.hears_frame(0x88, close_body(4001, "theirs"));
        assert_eq!((end.connection.state(), info(end)), (State::Closed, (4001, End::Local, true)));
        assert_eq!(end.sends_frames(), [Frame::new(0x88, close_body(4000, "ours"))]);
    });
}

#[test]
fn a_client_waits_for_the_server_to_end_the_transport() {
    // RFC 6455 §7.1.1: "the client SHOULD wait for the server to close the connection".
    let mut pair = Pair::plain();
    assert!(close(&mut pair.client, 1000, ""));
    pair.settle();
    assert!(pair.client.connection.lingers());
    assert!(!pair.server.connection.lingers());
}

#[test]
fn a_server_that_failed_the_connection_lingers_until_it_was_heard() {
    // RFC 6455 §7.1.1: a reset could destroy the Close before the peer reads it.
    let mut end = Setup::new(Role::Server).build();
    end.hears(b"\x81\x00");
    assert!(end.connection.lingers());
}

#[test]
fn an_unfinished_message_is_forgotten_at_the_close() {
    // Whatever the delivery, a Close ends the message that stands open.
    for delivery in
        [Delivery::Whole, Delivery::Chunks, Delivery::Hold { bytes_max: 100 }, Delivery::Discard]
    {
        for role in [Role::Client, Role::Server] {
            in_every_chunking(&Setup::new(role).delivery(delivery), |end| {
                let seen = end.hears_frames(&[(0x01, b"abc"), (0x88, b"")]);
                assert_eq!(seen.last(), Some(&Seen::Close(1005, String::new())));
                assert!(!end.connection.is_inside_message());
            });
        }
    }
}

#[test]
fn an_empty_and_a_long_conversation_end_alike() {
    let mut pair = Pair::plain();
    let options = SendOptions::default();
    for _ in 0..3 {
        let Endpoint { connection, scratch, .. } = &mut pair.client;
        connection.send("question".into(), options, scratch).expect("open");
        pair.settle();
        let Endpoint { connection, scratch, .. } = &mut pair.server;
        connection.send("answer".into(), options, scratch).expect("open");
        pair.settle();
    }
    assert!(close(&mut pair.server, 1001, ""));
    pair.settle();
    let (client, server) = pair.saw();
    let heard = [text("answer"), text("answer"), text("answer"), Seen::Close(1001, String::new())];
    assert_eq!(client, heard);
    assert_eq!(server.last(), Some(&Seen::Close(1001, String::new())));
}
