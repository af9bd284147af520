//! What a peer can make an endpoint hold, counted at the allocator: nothing for a declared length,
//! no more than arrived for a message, nothing while idle, and a constant for a stream of any
//! length.

#[path = "support/allocations.rs"]
mod allocations;
mod support;

use std::sync::Arc;

use allocations::{Counting, freed_max_of, live, peak_of};
use duplexer_proto::extension::{Boundary, Extension};
use duplexer_proto::{
    Connection, Delivery, Event, Keepalive, Limits, MessageError, MessageKind, Oversize, Role,
    SendOptions, State, Time,
};
use support::{Endpoint, Seen, Setup, fixed_mask_scratch, frame, header};

#[global_allocator]
static COUNTING: Counting = Counting;

const KIB: isize = 1 << 10;
const MIB: isize = 1 << 20;

fn send(end: &mut Endpoint, payload: Vec<u8>) {
    let options = SendOptions::default();
    end.connection.send(payload.into(), options, &mut end.scratch).expect("open");
}

#[test]
fn a_declared_length_allocates_nothing() {
    // CVE-2022-35922 in another implementation.
    for delivery in [Delivery::Whole, Delivery::Chunks, Delivery::Discard] {
        for extensions in [support::no_extension, support::shared_deflate] {
            let setup = Setup::new(Role::Server)
                .delivery(delivery)
                .extensions(extensions)
                .limits(|limits| limits.message_bytes_max = u64::MAX);
            let mut end = setup.build();
            let mut input = header(Role::Client, 0x82, 1 << 62);
            let Endpoint { connection, scratch, .. } = &mut end;
            let (peak, consumed) = peak_of(|| {
                connection.receive(&mut input, delivery, scratch).expect("no fault").consumed
            });
            assert_eq!(consumed, 14);
            assert!(peak < KIB, "{peak} bytes");
        }
    }
}

#[test]
fn a_message_holds_no_more_than_twice_what_arrived() {
    let setup = Setup::new(Role::Server).limits(|limits| limits.message_bytes_max = u64::MAX);
    let mut end = setup.build();
    let mut input = header(Role::Client, 0x82, 1 << 62);
    input.extend(vec![0; 1 << 20]);
    let Endpoint { connection, scratch, .. } = &mut end;
    let (peak, consumed) = peak_of(|| {
        connection.receive(&mut input, Delivery::Whole, scratch).expect("no fault").consumed
    });
    assert_eq!(consumed, 14 + (1 << 20));
    // And half a page in front of it.
    assert!(peak < 2 * MIB + 3 * KIB, "{peak} bytes");
}

#[test]
fn endless_tiny_fragments_hold_little() {
    let mut end = Setup::new(Role::Server).build();
    end.hears(frame(Role::Client, 0x02, "x"));
    let thousand = frame(Role::Client, 0x00, "x").repeat(1000);
    let (peak, ()) = peak_of(|| {
        while end.connection.state() == State::Open {
            end.hears(&thousand);
        }
    });
    assert!(peak < MIB, "{peak} bytes");
}

#[test]
fn a_flood_of_pings_holds_little() {
    let mut end = Setup::new(Role::Server).build();
    send(&mut end, vec![0; 1 << 20]);
    let ping = frame(Role::Client, 0x89, [0; 125]).repeat(100);
    let (peak, ()) = peak_of(|| (0..100).for_each(|_| drop(end.hears(&ping))));
    assert!(peak < 128 * KIB, "{peak} bytes");
}

#[test]
fn an_idle_connection_holds_nothing() {
    for role in [Role::Client, Role::Server] {
        for extensions in [support::no_extension, support::shared_deflate] {
            let limits = Arc::new(Limits::default());
            let extensions = extensions(role);
            let compresses = !extensions.is_empty();
            let made_max = if compresses { 32 } else { 0 };
            let before = live();
            let mut connection = Connection::new(role, limits, Keepalive::default(), extensions);
            let made = live() - before;
            assert!(made <= made_max, "{made} bytes when new");
            converse(&mut connection);
            if compresses {
                hear_compressed(&mut connection);
            }
            assert_eq!(live() - before, made, "{role:?}");
            assert_eq!(connection.queued_bytes(), 0);
        }
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_connection_itself_is_small() {
    // What few connections have is behind pointers.
    assert!(size_of::<Connection>() <= 160, "{} bytes", size_of::<Connection>());
}

#[test]
fn the_buffer_of_a_large_message_is_freed_when_no_other_has_needed_it_for_a_while() {
    let mut end = Setup::new(Role::Server).build();
    end.chunking = support::Chunking::Sizes(vec![100_000]);
    end.hears_frame(0x82, "");
    let before = live();
    drop(end.hears_frame(0x82, vec![0; 1 << 20]));
    let heard = live() - before;
    assert!(heard > MIB, "the buffer waits for the next one: {heard} bytes");
    let first = end.connection.next_timeout(Time::ORIGIN).expect("keepalive is on");
    assert_eq!(end.connection.handle_timeout(first, &mut end.scratch), None);
    assert!(live() - before >= heard, "it was needed since the last look");
    end.hears_frame(0x8a, "");
    let second = end.connection.next_timeout(first).expect("keepalive is on");
    assert_eq!(end.connection.handle_timeout(second, &mut end.scratch), None);
    assert!(live() - before < heard - MIB + KIB, "{} of {heard} bytes", live() - before);
}

#[test]
fn large_memory_is_shrunk_before_it_is_freed() {
    // From a piece of this length on that is freed as it is, glibc takes the next of its length from the heap, where it leaves a hole.
    const MMAP_BYTES_MIN: usize = 128 << 10;
    let noise = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 24) as u8
    };
    // Of bytes of few values some are said before, so that a compressor finds matches, too.
    for (extensions, values) in [
        (support::no_extension as fn(Role) -> _, 255),
        (support::shared_deflate, 255),
        (support::shared_deflate, 3),
    ] {
        let mut state = 1;
        let message: Vec<u8> = (0..1 << 20).map(|_| noise(&mut state) & values).collect();
        let [mut client, mut server] = [Role::Client, Role::Server]
            .map(|role| Setup::new(role).extensions(extensions).build());
        let mut pieces = Vec::new();
        for _ in 0..16 {
            send(&mut client, message.clone());
            pieces.extend(client.sends().chunks(100_000).map(<[u8]>::to_vec));
        }
        let (mut heard, mut now) = (0, Time::ORIGIN);
        let freed = freed_max_of(|| {
            let Endpoint { connection, scratch, .. } = &mut server;
            for piece in &mut pieces {
                let mut at = 0;
                while at < piece.len() {
                    let received = connection.receive(&mut piece[at..], Delivery::Whole, scratch);
                    let received = received.expect("no fault");
                    at += received.consumed;
                    let Some(Event::Message(message)) = received.event else { continue };
                    heard += 1;
                    connection.send(message, SendOptions::default(), scratch).expect("open");
                    connection.wrote(connection.queued_bytes(), scratch);
                }
            }
            for _ in 0..3 {
                now = connection.next_timeout(now).expect("keepalive is on");
                connection.handle_timeout(now, scratch);
                connection.heard();
            }
        });
        assert_eq!(heard, 16);
        assert!(freed < MMAP_BYTES_MIN, "{freed} bytes");
    }
}

#[test]
fn contexts_are_freed_when_no_message_has_wanted_one_for_a_while() {
    let mut end = Setup::new(Role::Server).extensions(support::shared_deflate).build();
    let before = live();
    let converse = |end: &mut Endpoint| {
        end.hears_frame(0xc2, support::deflated(false));
        send(end, vec![0; 1000]);
        end.sends();
    };
    converse(&mut end);
    let used = live() - before;
    assert!(used > 128 * KIB, "a context for each direction: {used} bytes");
    let mut now = Time::ORIGIN;
    let mut rest = |end: &mut Endpoint| {
        now = end.connection.next_timeout(now).expect("keepalive is on");
        assert_eq!(end.connection.handle_timeout(now, &mut end.scratch), None);
        end.hears_frame(0x8a, "");
        end.sends();
        live() - before
    };
    assert!(rest(&mut end) > 128 * KIB, "they were wanted since the last look");
    let rested = rest(&mut end);
    assert!(rested < 8 * KIB, "{rested} bytes");
    converse(&mut end);
    assert!(rest(&mut end) > 128 * KIB, "they are back");
}

#[test]
fn contexts_that_are_taken_over_are_made_on_first_use() {
    for role in [Role::Client, Role::Server] {
        let before = live();
        let mut end = Setup::new(role).extensions(support::takeover_deflate).build();
        let made = live() - before;
        assert!(made < 2 * KIB, "{made} bytes when new");
        end.hears_frame(0xc2, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        send(&mut end, vec![0; 1000]);
        assert!(live() - before - made > 64 * KIB, "a window for each direction");
    }
}

/// Messages of many sizes both ways, whole and in parts, pings, pongs and a message written in
/// pieces.
fn converse(connection: &mut Connection) {
    let mut scratch = fixed_mask_scratch();
    let peer = connection.role().peer();
    for len in [0, 5, 300, 5000, 100_000, 1 << 20] {
        let payload = vec![b'x'; len];
        let (front, back) = payload.split_at(len / 3);
        let mut input = frame(peer, 0x81, &payload);
        input.extend(frame(peer, 0x01, front));
        input.extend(frame(peer, 0x89, "?"));
        input.extend(frame(peer, 0x80, back));
        input.extend(frame(peer, 0x8a, "!"));
        let mut at = 0;
        loop {
            let received = connection
                .receive(&mut input[at..], Delivery::Whole, &mut scratch)
                .expect("no fault");
            at += received.consumed;
            match received.event {
                Some(Event::Message(message)) => {
                    connection.send(message, SendOptions::default(), &mut scratch).expect("open");
                }
                Some(_) => {}
                None => break,
            }
        }
        assert_eq!(at, input.len());
        connection.start_message(MessageKind::Binary, SendOptions::default()).expect("open");
        for boundary in [Boundary::Within, Boundary::Flush, Boundary::End] {
            connection.write_message(&payload, boundary, &mut scratch).expect("begun");
            connection.ping_with(b"?", &mut scratch).expect("open");
        }
        while connection.queued_bytes() > 0 {
            let mut slices = [std::io::IoSlice::new(&[]); 4];
            let filled = connection.slices(&mut slices);
            let len = slices[..filled].iter().map(|slice| slice.len()).sum();
            connection.wrote(len, &mut scratch);
        }
    }
}

/// A message of 1 MiB that comes compressed.
fn hear_compressed(connection: &mut Connection) {
    let mut scratch = fixed_mask_scratch();
    let mut input = frame(connection.role().peer(), 0xc2, compressed_zeros(1 << 20));
    let received = connection.receive(&mut input, Delivery::Whole, &mut scratch).expect("no fault");
    let Some(Event::Message(message)) = received.event else { panic!("a whole message") };
    assert_eq!(message.len(), 1 << 20);
}

#[test]
fn an_inflate_bomb_fails_at_the_limit() {
    // CVE-2018-1000518, CVE-2026-1526 in other implementations: the cap applies while inflating.
    let bomb = compressed_zeros(1 << 28);
    assert!(bomb.len() < 300_000);
    for (first, extensions) in [
        (0xc2, support::shared_deflate as fn(Role) -> Vec<Box<dyn Extension>>),
        (0xc1, support::takeover_deflate),
    ] {
        let mut end = Setup::new(Role::Server).extensions(extensions).build();
        let input = frame(Role::Client, first, &bomb);
        let (peak, seen) = peak_of(|| end.hears(&input));
        let error = MessageError::TooBig { max: 16 << 20, setting: "message_bytes_max" };
        assert_eq!(seen, [support::fault(error.clone())]);
        end.has_failed(1009, &error.to_string());
        assert!(peak < 35 * MIB, "{peak} bytes");
    }
}

#[test]
fn a_message_of_256_mib_is_skipped_in_constant_memory() {
    // Beside what was gathered up to its limit: CVE-2026-1526 is as little use against a message that nobody wants.
    let bomb = compressed_zeros(1 << 28);
    for (first, extensions) in [
        (0xc2, support::shared_deflate as fn(Role) -> Vec<Box<dyn Extension>>),
        (0xc2, support::takeover_deflate),
        (0x82, support::no_extension),
    ] {
        let setup = Setup::new(Role::Server).extensions(extensions).limits(|limits| {
            limits.message_bytes_max = 100 << 10;
            limits.oversize = Oversize::Skip;
        });
        let mut end = setup.build();
        let (input, more) = match first {
            0x82 => (header(Role::Client, first, 1 << 28), 1 << 28),
            _ => (frame(Role::Client, first, &bomb), 0),
        };
        let zeros = vec![0; 1 << 16];
        let (peak, seen) = peak_of(|| {
            let seen: Vec<Seen> =
                input.chunks(1 << 16).flat_map(|piece| end.hears(piece)).collect();
            (0..more >> 16).for_each(|_| assert_eq!(end.hears(&zeros), []));
            seen
        });
        let kind = MessageKind::Binary;
        assert_eq!(seen, [Seen::Skipped { kind, bytes_max: 100 << 10 }]);
        assert!(!end.connection.is_inside_message());
        assert!(peak < MIB, "{peak} bytes");
    }
}

#[test]
fn a_compressed_stream_of_256_mib_passes_both_ways_in_constant_memory() {
    for (sender, extensions) in [
        (Role::Client, support::shared_deflate as fn(Role) -> Vec<Box<dyn Extension>>),
        (Role::Server, support::takeover_deflate),
    ] {
        let setup = |role| Setup::new(role).extensions(extensions).delivery(Delivery::Chunks);
        let (peak, received) =
            peak_of(|| stream(&mut setup(sender).build(), &mut setup(sender.peer()).build(), 256));
        assert_eq!(received, 256 << 20);
        assert!(peak < 2 * MIB, "{peak} bytes");
    }
}

/// Streams so many MiB of zeros in one message, and counts what arrives.
fn stream(from: &mut Endpoint, to: &mut Endpoint, mib: usize) -> usize {
    let piece = vec![0; 256 << 10];
    let options = SendOptions::default();
    from.connection.start_message(MessageKind::Binary, options).expect("open");
    let mut received = 0;
    for at in 1..=mib * 4 {
        let boundary = if at == mib * 4 { Boundary::End } else { Boundary::Within };
        from.connection.write_message(&piece, boundary, &mut from.scratch).expect("begun");
        let mut sent = from.sends();
        let mut taken = 0;
        loop {
            let Endpoint { connection, scratch, .. } = &mut *to;
            let got = connection
                .receive(&mut sent[taken..], Delivery::Chunks, scratch)
                .expect("no fault");
            taken += got.consumed;
            match got.event {
                Some(Event::Chunk(chunk)) => {
                    received += chunk.bytes.len();
                    assert_eq!(chunk.last, received == mib << 20);
                }
                None => break,
                Some(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(taken, sent.len());
    }
    received
}

/// So many zeros in one compressed message.
fn compressed_zeros(len: usize) -> Vec<u8> {
    let mut end = Setup::new(Role::Server).extensions(support::shared_deflate).build();
    let Endpoint { connection, scratch, .. } = &mut end;
    connection.start_message(MessageKind::Binary, SendOptions::default()).expect("open");
    for _ in 0..len >> 20 {
        connection.write_message(&[0; 1 << 20], Boundary::Within, scratch).expect("begun");
    }
    connection.write_message(b"", Boundary::End, scratch).expect("begun");
    end.sends_frames().into_iter().flat_map(|frame| frame.payload).collect()
}

#[test]
fn a_deflate_stream_without_output_holds_little() {
    // Empty stored blocks say nothing at any length.
    let setup = Setup::new(Role::Server).extensions(support::shared_deflate);
    let mut end = setup.delivery(Delivery::Chunks).build();
    end.hears(header(Role::Client, 0xc2, 1 << 40));
    let blocks = masked_blocks();
    let (peak, ()) = peak_of(|| {
        for _ in 0..100 {
            let seen: Vec<Seen> = end.hears(&blocks);
            assert_eq!(seen, []);
        }
    });
    assert!(peak < 512 * KIB, "{peak} bytes");
}

/// `00 00 00 ff ff` over and over, masked from the beginning of a frame's payload.
fn masked_blocks() -> Vec<u8> {
    let blocks = b"\x00\x00\x00\xff\xff".repeat(4000);
    let whole = frame(Role::Client, 0x82, &blocks);
    whole[whole.len() - blocks.len()..].into()
}
