//! Messages that are encoded once and sent to many: the same bytes as `send`, and the same memory
//! for every server.

mod support;

use std::io::IoSlice;

use duplexer_proto::extension::Extension;
use duplexer_proto::{Prepared, Role, SendError, SendOptions};
use support::{
    Endpoint, Frame, Setup, default_deflate, frames, no_extension, on_both_sides, shared_deflate,
    takeover_deflate,
};

const KINDS: [Extensions; 3] = [no_extension, shared_deflate, takeover_deflate];

fn send_prepared(end: &mut Endpoint, prepared: &Prepared) {
    let Endpoint { connection, scratch, .. } = end;
    connection.send_prepared(prepared, SendOptions::default(), scratch).expect("open");
}

fn send_many(end: &mut Endpoint, prepared: &[Prepared]) {
    let Endpoint { connection, scratch, .. } = end;
    assert_eq!(connection.send_prepared_many(prepared, scratch), Ok(prepared.len()));
}

/// Where the bytes that wait are in memory.
fn places(end: &Endpoint) -> Vec<*const u8> {
    let mut slices = [IoSlice::new(&[]); 4];
    let filled = end.connection.slices(&mut slices);
    slices[..filled].iter().map(|slice| slice.as_ptr()).collect()
}

/// Does not shrink under compression to less than what is held by reference.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(len)
    .collect()
}

/// What both ends have agreed on.
type Extensions = fn(Role) -> Vec<Box<dyn Extension>>;

#[test]
fn a_prepared_message_is_the_same_on_the_wire_as_a_sent_one() {
    for role in [Role::Client, Role::Server] {
        for extensions in KINDS {
            for len in [0, 5, 125, 126, 4096, 70_000] {
                let prepared = Prepared::new(noise(len));
                let setup = Setup::new(role).extensions(extensions);
                let (mut one, mut other) = (setup.build(), setup.build());
                // Twice, so that a context that is taken over shows.
                for _ in 0..2 {
                    send_prepared(&mut one, &prepared);
                    let message = prepared.message().clone();
                    let Endpoint { connection, scratch, .. } = &mut other;
                    connection.send(message, SendOptions::default(), scratch).expect("open");
                    assert!(one.sends() == other.sends(), "{role:?}, {len} bytes");
                }
            }
        }
    }
}

#[test]
fn several_are_the_same_on_the_wire_as_one_by_one() {
    let prepared = [0, 5, 126, 5_000, 5, 70_000].map(|len| Prepared::new(noise(len)));
    for role in [Role::Client, Role::Server] {
        for extensions in KINDS {
            let setup = Setup::new(role).extensions(extensions);
            let (mut one, mut other) = (setup.build(), setup.build());
            send_many(&mut one, &prepared);
            prepared.iter().for_each(|prepared| send_prepared(&mut other, prepared));
            assert!(one.sends() == other.sends(), "{role:?}");
        }
    }
}

#[test]
fn several_are_the_same_to_whomever_and_with_whichever_they_are_sent() {
    let [one, two, three, other, huge] =
        [5, 0, 126, 7, 70_000].map(|len| Prepared::new(noise(len)));
    let all = [one.clone(), two.clone(), three.clone()];
    let large = [huge, one.clone()];
    let orders = [
        &all[..],
        &all,
        &all,
        &all[..2],
        &[one.clone(), three.clone(), two.clone()],
        &[one.clone(), two.clone(), other],
        &[one.clone(), one.clone()],
        &[two, one],
        &all,
        &large,
        &large,
        &large,
    ];
    for prepared in orders {
        for (role, extensions) in [
            (Role::Server, no_extension as Extensions),
            (Role::Server, shared_deflate),
            (Role::Server, default_deflate),
            (Role::Client, no_extension),
        ] {
            let setup = Setup::new(role).extensions(extensions);
            let (mut end, mut expected) = (setup.build(), setup.build());
            send_many(&mut end, prepared);
            prepared.iter().for_each(|prepared| send_prepared(&mut expected, prepared));
            assert!(end.sends() == expected.sends());
        }
    }
}

#[test]
fn several_are_queued_as_long_as_the_queue_is_below_its_bound() {
    for extensions in [no_extension, shared_deflate] {
        let news = [(); 5].map(|()| Prepared::new(noise(98)));
        let setup = Setup::new(Role::Server).limits(|limits| limits.queue_bytes_max = 250);
        let setup = setup.extensions(extensions);
        // The third time as the first.
        for _ in 0..3 {
            let mut end = setup.build();
            let Endpoint { connection, scratch, .. } = &mut end;
            assert_eq!(connection.send_prepared_many(&news[..2], scratch), Ok(2));
            assert_eq!(connection.send_prepared_many(&news, scratch), Ok(1));
            assert_eq!(connection.send_prepared_many(&news, scratch), Ok(0));
            assert_eq!(end.sends_frames().len(), 3);
            let Endpoint { connection, scratch, .. } = &mut end;
            assert_eq!(connection.send_prepared_many(&news[2..], scratch), Ok(3));
            assert_eq!(end.sends_frames().len(), 3);
        }
    }
}

#[test]
fn several_fit_where_the_queue_is_below_its_bound_before_the_last() {
    let news = [(); 5].map(|()| Prepared::new(noise(98)));
    // The third time as the first.
    for _ in 0..3 {
        for (queue_bytes_max, sent) in [(399, 4), (400, 4), (401, 5)] {
            let setup = Setup::new(Role::Server);
            let mut end = setup.limits(|limits| limits.queue_bytes_max = queue_bytes_max).build();
            let Endpoint { connection, scratch, .. } = &mut end;
            assert_eq!(connection.send_prepared_many(&news, scratch), Ok(sent));
        }
    }
}

#[test]
fn servers_share_what_was_sent_together_before_up_to_64_kib_and_1024_messages() {
    // RFC 7692 §6: below the threshold a message is plain where compression was agreed on, too.
    for (count, len, last, shared) in [
        (10, 1_000, 1_000, true),
        (64, 1_024, 1_024, true),
        (64, 1_024, 1_025, false),
        (1_024, 40, 40, true),
        (1_025, 40, 40, false),
    ] {
        let mut news: Vec<_> = (1..count).map(|_| Prepared::new(noise(len))).collect();
        news.push(Prepared::new(noise(last)));
        let plain: Extensions = no_extension;
        let agreed = if len < 128 { default_deflate } else { plain };
        let sent = [plain, plain, plain, agreed].map(|extensions| {
            let mut end = Setup::new(Role::Server).extensions(extensions).build();
            send_many(&mut end, &news);
            end
        });
        assert_eq!(places(&sent[1]) == places(&sent[2]), shared, "{count} of {len} bytes");
        assert_eq!(places(&sent[2]) == places(&sent[3]), shared, "{count} of {len} bytes");
        for mut end in sent {
            assert_eq!(end.sends_frames().len(), count);
        }
    }
}

#[test]
fn the_rest_of_what_was_sent_together_is_not_kept_a_second_time() {
    let news = [(); 10].map(|()| Prepared::new(noise(1_000)));
    let sent = [&news[..], &news, &news[1..], &news[1..], &news[1..]].map(|some| {
        let mut end = Setup::new(Role::Server).build();
        send_many(&mut end, some);
        end
    });
    assert_ne!(places(&sent[3]), places(&sent[4]));
    for (mut end, count) in sent.into_iter().zip([10, 10, 9, 9, 9]) {
        assert_eq!(end.sends_frames().len(), count);
    }
}

#[test]
fn a_ping_leaves_between_messages_that_were_sent_together() {
    // RFC 6455 §5.4: control frames go between fragments and messages, not into frames.
    let news = [(); 50].map(|()| Prepared::new(noise(1_000)));
    for _ in 0..2 {
        send_many(&mut Setup::new(Role::Server).build(), &news);
    }
    for stop in [0, 1, 1_003, 1_004, 1_005, 20_000, 33_000] {
        let mut end = Setup::new(Role::Server).build();
        send_many(&mut end, &news);
        let mut sent = end.sends_at_most(stop);
        end.connection.ping_with(b"now", &mut end.scratch).expect("open");
        sent.extend(end.sends());
        let found = frames(Role::Server, &sent);
        assert_eq!(found.len(), 51);
        assert_eq!(found.iter().position(Frame::is_control), Some(stop.div_ceil(1_004)), "{stop}");
    }
}

#[test]
fn servers_share_the_memory_of_a_large_prepared_message() {
    for extensions in [no_extension, shared_deflate] {
        let prepared = Prepared::new(noise(10_000));
        let setup = Setup::new(Role::Server).extensions(extensions);
        let (mut one, mut other) = (setup.build(), setup.build());
        send_prepared(&mut one, &prepared);
        send_prepared(&mut other, &prepared.clone());
        assert_eq!(places(&one), places(&other));
        assert_eq!(one.sends(), other.sends());
    }
}

#[test]
fn connections_that_compress_differently_do_not_share() {
    let prepared = Prepared::new(noise(10_000));
    let mut places_seen = Vec::new();
    for extensions in KINDS {
        let mut end = Setup::new(Role::Server).extensions(extensions).build();
        send_prepared(&mut end, &prepared);
        places_seen.push(places(&end));
    }
    let [plain, shared, takeover] = &places_seen[..] else { unreachable!("three kinds") };
    assert!(plain != shared && shared != takeover && plain != takeover);
}

#[test]
fn a_context_that_is_taken_over_encodes_for_itself() {
    // RFC 7692 §7.1.1: the second time refers to the first.
    let prepared = Prepared::new("Hello");
    let mut end = Setup::new(Role::Server).extensions(takeover_deflate).build();
    send_prepared(&mut end, &prepared);
    send_prepared(&mut end, &prepared);
    let expected =
        [Frame::new(0xc1, support::deflated(false)), Frame::new(0xc1, support::deflated(true))];
    assert_eq!(end.sends_frames(), expected);
}

#[test]
fn a_client_masks_a_prepared_message_and_leaves_it_as_it_is() {
    // RFC 6455 §5.3.
    let prepared = Prepared::new(vec![7; 10_000]);
    let mut end = Setup::new(Role::Client).build();
    send_prepared(&mut end, &prepared);
    send_prepared(&mut end, &prepared);
    let frame = Frame::new(0x82, vec![7; 10_000]);
    assert_eq!(end.sends_frames(), [frame.clone(), frame]);
    assert!(prepared.message().as_bytes().iter().all(|byte| *byte == 7));
}

#[test]
fn a_prepared_message_may_be_sent_uncompressed() {
    // RFC 7692 §6: "an endpoint MAY" send any message without compression.
    let prepared = Prepared::new("Hello");
    let mut end = Setup::new(Role::Server).extensions(shared_deflate).build();
    let Endpoint { connection, scratch, .. } = &mut end;
    let plain = SendOptions::default().compress(false);
    connection.send_prepared(&prepared, plain, scratch).expect("open");
    connection.send_prepared(&prepared, SendOptions::default(), scratch).expect("open");
    let expected = [Frame::new(0x81, "Hello"), Frame::new(0xc1, support::deflated(false))];
    assert_eq!(end.sends_frames(), expected);
}

#[test]
fn a_prepared_message_is_refused_once_closing() {
    // RFC 6455 §5.5.1.
    on_both_sides(|end| {
        let Endpoint { connection, scratch, .. } = end;
        assert!(connection.close(None, scratch));
        let refused =
            connection.send_prepared(&Prepared::new("x"), SendOptions::default(), scratch);
        assert_eq!(refused, Err(SendError::Closed));
        let refused = connection.send_prepared_many(&[Prepared::new("x")], scratch);
        assert_eq!(refused, Err(SendError::Closed));
    });
}
