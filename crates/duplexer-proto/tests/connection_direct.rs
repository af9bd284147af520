//! Large messages that the caller's transport writes straight into: the same messages, faults and order as through the input,
//! whatever is wanted of them afterwards, and memory that is used again.

#[path = "support/allocations.rs"]
mod allocations;
mod support;

use allocations::{Counting, peak_of};
use bytes::BufMut as _;
use duplexer_proto::{
    CloseCode, Delivery, Event, Fault, MessageError, MessageKind, Role, SendOptions,
};
use support::{Chunking, Endpoint, Seen, Setup, binary, frame, header};

#[global_allocator]
static COUNTING: Counting = Counting;

const LEN: usize = 300_000;

fn payload(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

fn direct(role: Role) -> Endpoint {
    let mut end = Setup::new(role).build();
    end.direct = true;
    end
}

/// An endpoint that has heard the beginning of a frame through its input, and the bytes that are to come.
fn inside(role: Role, first: u8, payload: &[u8]) -> (Endpoint, Vec<u8>) {
    let mut end = direct(role);
    let mut bytes = frame(role.peer(), first, payload);
    let rest = bytes.split_off(40_000);
    assert_eq!(end.hears(bytes), []);
    (end, rest)
}

#[test]
fn messages_arrive_as_through_the_input_whatever_the_sizes_of_the_reads() {
    let message = payload(LEN);
    for role in [Role::Client, Role::Server] {
        for sizes in [vec![1448], vec![40_001], vec![65_536, 3], vec![1, 262_144]] {
            let mut end = direct(role);
            end.chunking = Chunking::Sizes(sizes);
            let mut bytes = frame(role.peer(), 0x82, &message);
            bytes.extend(frame(role.peer(), 0x02, &message[..100_000]));
            bytes.extend(frame(role.peer(), 0x89, "?"));
            bytes.extend(frame(role.peer(), 0x80, &message[100_000..]));
            let whole = binary(message.clone());
            assert_eq!(end.hears(bytes), [whole.clone(), Seen::Ping(b"?".into()), whole]);
        }
    }
}

#[test]
fn there_is_room_only_inside_a_large_frame_of_a_message_that_is_gathered() {
    let mut end = direct(Role::Server);
    assert!(end.connection.room(&end.scratch).is_none(), "between messages");
    end.hears(&frame(Role::Client, 0x02, payload(60_000))[..50_000]);
    assert!(end.connection.room(&end.scratch).is_none(), "little is to come");
    end.hears(&frame(Role::Client, 0x02, payload(60_000))[50_000..]);
    assert!(end.connection.room(&end.scratch).is_none(), "between frames");

    let (mut end, _) = inside(Role::Server, 0x82, &payload(LEN));
    assert!(end.connection.room(&end.scratch).is_some());
    end.connection.discard_rest();
    assert!(end.connection.room(&end.scratch).is_none(), "nobody wants it");

    let mut end = Setup::new(Role::Server).extensions(support::shared_deflate).build();
    let mut begun = header(Role::Client, 0xc2, 1 << 20);
    begun.extend(vec![0x37; 40_000]);
    let Endpoint { connection, scratch, .. } = &mut end;
    // What its bytes mean does not matter: they may not be written anywhere.
    let _ = connection.receive(&mut begun, Delivery::Whole, scratch);
    assert!(connection.room(scratch).is_none(), "an extension decodes it");
}

#[test]
fn room_ends_where_the_frame_ends() {
    let (mut end, rest) = inside(Role::Client, 0x02, &payload(100_000));
    let room = end.connection.room(&end.scratch).expect("inside a frame");
    assert!(room.remaining_mut() <= rest.len(), "{}", room.remaining_mut());
}

#[test]
fn a_text_that_is_not_utf8_fails_where_it_was_written_directly() {
    let mut text = vec![b'a'; LEN];
    text[200_000] = 0xff;
    let (mut end, rest) = inside(Role::Server, 0x81, &text);
    let error = Fault::from(MessageError::NotUtf8);
    assert_eq!(error.close_code(), CloseCode::INVALID_PAYLOAD);
    end.fails(rest, &[], error, 1007);
}

#[test]
fn a_character_may_lie_across_the_places_where_bytes_went() {
    let text = "€".repeat(LEN / 3);
    for cut in 65_530..65_540 {
        let mut end = direct(Role::Client);
        end.chunking = Chunking::SplitAt(cut);
        let seen = end.hears(frame(Role::Server, 0x81, &text));
        assert_eq!(seen, [Seen::Message(text.as_str().into())]);
    }
}

#[test]
fn what_was_written_directly_is_not_lost_when_the_rest_is_wanted_otherwise() {
    let message = payload(LEN);
    for ends in [false, true] {
        for delivery in [Delivery::Chunks, Delivery::Hold { bytes_max: 10 }, Delivery::Discard] {
            let (mut end, rest) = inside(Role::Server, 0x82, &message);
            let mut at = 0;
            let stop = if ends { rest.len() } else { rest.len() - 40_000 };
            while at < stop {
                at += end.hears_direct(&rest[at..stop]).expect("there is room");
                if at < stop {
                    assert_eq!(end.asks_again(), []);
                }
            }
            // Nobody has asked since the last bytes were written.
            end.delivery = delivery;
            let seen = end.hears(&rest[at..]);
            let chunk = |bytes: &[u8], first, last| Seen::Chunk {
                kind: MessageKind::Binary,
                bytes: bytes.into(),
                first,
                last,
            };
            let expected = match delivery {
                Delivery::Chunks => vec![chunk(&message, true, true)],
                Delivery::Hold { .. } if ends => vec![binary(message.clone())],
                Delivery::Hold { .. } | Delivery::Discard | Delivery::Whole => vec![],
            };
            assert_eq!(seen, expected, "{delivery:?}, whole: {ends}");
            end.delivery = Delivery::Whole;
            let behind = frame(Role::Client, 0x81, "behind");
            let held = matches!(delivery, Delivery::Hold { .. }) && !ends;
            let expected = if held { vec![binary(message.clone())] } else { vec![] };
            let expected: Vec<Seen> =
                expected.into_iter().chain([support::text("behind")]).collect();
            assert_eq!(end.hears(behind), expected);
        }
    }
}

/// Writes `bytes` to their place, and asks for what comes of them but for the last ones.
fn writes_and_asks_of_all_but_the_last(end: &mut Endpoint, bytes: &[u8]) {
    let mut at = 0;
    loop {
        at += end.hears_direct(&bytes[at..]).expect("there is room");
        if at == bytes.len() {
            return;
        }
        assert_eq!(end.asks_again(), []);
    }
}

#[test]
fn a_rest_that_nobody_wants_begins_in_front_of_what_was_written_directly() {
    let text = "€".repeat(LEN / 3);
    for left in [0, 40_000] {
        let (mut end, rest) = inside(Role::Server, 0x81, text.as_bytes());
        let (written, behind) = rest.split_at(rest.len() - left);
        writes_and_asks_of_all_but_the_last(&mut end, written);
        end.connection.discard_rest();
        assert_eq!(end.hears(behind), [], "{left} bytes left");
        assert_eq!(end.connection.held_bytes(), 0);
        assert_eq!(end.hears(frame(Role::Client, 0x81, "behind")), [support::text("behind")]);
    }
}

#[test]
fn what_was_written_directly_is_held_to_the_limit_of_who_takes_it() {
    let mut end =
        Setup::new(Role::Server).limits(|limits| limits.stream_bytes_max = 100_000).build();
    end.direct = true;
    let bytes = frame(Role::Client, 0x82, payload(120_000));
    assert_eq!(end.hears(&bytes[..40_000]), []);
    writes_and_asks_of_all_but_the_last(&mut end, &bytes[40_000..]);
    end.delivery = Delivery::Chunks;
    let error = MessageError::TooBig { max: 100_000, setting: "stream_bytes_max" };
    assert_eq!(end.asks_again(), [support::fault(error)]);
}

#[test]
fn a_buffer_that_was_used_before_is_charged_by_what_came() {
    let mut end = direct(Role::Server);
    drop(end.hears(frame(Role::Client, 0x82, payload(2 << 20))));
    let begun = header(Role::Client, 0x82, 2 << 20);
    assert_eq!(end.hears([begun, vec![0; 50_000]].concat()), []);
    let held = end.connection.held_bytes();
    assert!((50_000..200_000).contains(&held), "{held} bytes");
}

#[test]
fn a_message_that_is_gathered_where_another_was_is_made_of_its_own_bytes() {
    let mut end = direct(Role::Server);
    let mut message = payload(LEN);
    message.reverse();
    let bytes = frame(Role::Client, 0x82, &message);
    for sizes in [vec![1448], vec![100, 40_000], vec![262_144]] {
        end.chunking = Chunking::Sizes(sizes);
        drop(end.hears(frame(Role::Client, 0x82, payload(1 << 20))));
        assert!(end.hears(&bytes) == [binary(message.clone())]);
        assert_eq!(end.hears(&bytes[..200_000]), []);
        end.delivery = Delivery::Chunks;
        let (kind, bytes) = (MessageKind::Binary, message.clone());
        let chunk = Seen::Chunk { kind, bytes, first: true, last: true };
        assert!(end.hears(&frame(Role::Client, 0x82, &message)[200_000..]) == [chunk]);
        end.delivery = Delivery::Whole;
    }
}

#[test]
fn the_next_large_message_is_gathered_where_the_last_one_was() {
    let bytes = frame(Role::Client, 0x82, payload(1 << 20));
    let mut end = direct(Role::Server);
    end.chunking = Chunking::Sizes(vec![200_000]);
    drop(end.hears(&bytes));
    let mut pieces = bytes.chunks(200_000);
    let Endpoint { connection, scratch, .. } = &mut end;
    let (peak, message) = peak_of(|| {
        let mut first = pieces.next().expect("it has pieces").to_vec();
        let before = connection.receive(&mut first, Delivery::Whole, scratch).expect("no fault");
        assert!(before.event.is_none());
        drop(first);
        for piece in pieces {
            {
                let mut room = connection.room(scratch).expect("inside the frame");
                assert!(room.remaining_mut() >= piece.len(), "as large as the last message");
                room.put_slice(piece);
            }
            let received = connection.receive(&mut [], Delivery::Whole, scratch).expect("no fault");
            if let Some(Event::Message(message)) = received.event {
                return message;
            }
        }
        panic!("the message ends with its frame");
    });
    // The copy of the first piece, and what says whose the message's buffer is.
    assert!(peak < 201_000, "{peak} bytes");
    connection.send(message, SendOptions::default(), scratch).expect("open");
}
