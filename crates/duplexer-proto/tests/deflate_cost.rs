//! What a compressed message may cost before it says anything (RFC 7692 §8.1 leaves it to the receiver): bytes on the
//! wire in proportion to the message's limit, and new streams behind final blocks in proportion to what comes out.

mod support;

use duplexer_proto::extension::Boundary;
use duplexer_proto::extension::DecodeError;
use duplexer_proto::{Delivery, MessageError, MessageKind, Role, SendOptions};
use support::{
    Endpoint, Seen, Setup, binary, frame, header, in_every_chunking, shared_deflate,
    takeover_deflate,
};

/// An empty stored block.
const NOTHING: &[u8] = b"\x00\x00\x00\xff\xff";
/// An empty final block with fixed codes.
const FINAL: &[u8] = b"\x03\x00";

/// Both roles, with a limit for messages.
fn ends(message_bytes_max: u64) -> [Setup; 2] {
    [Role::Client, Role::Server].map(|role| {
        Setup::new(role)
            .extensions(shared_deflate)
            .limits(|limits| limits.message_bytes_max = message_bytes_max)
    })
}

fn too_big(max: u64) -> MessageError {
    MessageError::TooBig { max, setting: "message_bytes_max" }
}

/// Bytes that DEFLATE cannot shorten.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// A message that is flushed after so many bytes, in one compressed stream.
fn flushed_every(len: usize, message: &[u8]) -> Vec<u8> {
    let mut end = Setup::new(Role::Server).extensions(shared_deflate).build();
    let Endpoint { connection, scratch, .. } = &mut end;
    connection.start_message(MessageKind::Binary, SendOptions::default()).expect("open");
    for piece in message.chunks(len) {
        connection.write_message(piece, Boundary::Flush, scratch).expect("begun");
    }
    connection.write_message(b"", Boundary::End, scratch).expect("begun");
    end.sends_frames().into_iter().flat_map(|frame| frame.payload).collect()
}

#[test]
fn a_declared_length_far_over_the_limit_fails_at_the_header() {
    for role in [Role::Client, Role::Server] {
        in_every_chunking(&Setup::new(role).extensions(shared_deflate), |end| {
            end.fails(header(role.peer(), 0xc2, 64 << 30), &[], too_big(16 << 20), 1009);
        });
    }
}

#[test]
fn twice_the_limit_and_a_kibibyte_may_come_before_inflation() {
    for setup in ends(1000) {
        let role = setup.role;
        in_every_chunking(&setup, |end| {
            assert_eq!(
                end.hears_frame(0xc2, [&NOTHING.repeat(604)[..], b"\0"].concat()),
                [binary("")]
            );
            assert_eq!(end.hears(header(role.peer(), 0xc2, 2 * 1000 + 1024)), []);
        });
        in_every_chunking(&setup, |end| {
            end.fails(header(role.peer(), 0xc2, 2 * 1000 + 1025), &[], too_big(1000), 1009);
        });
    }
}

#[test]
fn the_frames_of_a_compressed_message_are_counted_together_on_the_wire() {
    for setup in ends(10_000) {
        let role = setup.role;
        let blocks = NOTHING.repeat(2000);
        in_every_chunking(&setup, |end| {
            assert_eq!(end.hears_frames(&[(0x42, &blocks), (0x00, &blocks)]), []);
            assert_eq!(
                end.hears_frame(0x80, [&NOTHING.repeat(204)[..], b"\0"].concat()),
                [binary("")]
            );
        });
        in_every_chunking(&setup, |end| {
            assert_eq!(end.hears_frames(&[(0x42, &blocks), (0x00, &blocks)]), []);
            end.fails(header(role.peer(), 0x80, 1025), &[], too_big(10_000), 1009);
        });
    }
}

#[test]
fn a_stream_has_a_wire_limit_of_its_own() {
    let setup = Setup::new(Role::Server).extensions(shared_deflate).delivery(Delivery::Chunks);
    let limited = setup.clone().limits(|limits| limits.stream_bytes_max = 1000);
    in_every_chunking(&limited, |end| {
        let error = MessageError::TooBig { max: 1000, setting: "stream_bytes_max" };
        end.fails(header(Role::Client, 0xc2, 3025), &[], error, 1009);
    });
    let mut end = setup.build();
    assert_eq!(end.hears(header(Role::Client, 0xc2, i64::MAX as u64)), [], "none by default");
}

#[test]
fn noise_of_just_the_limit_passes() {
    let message = noise(100_000);
    for flush in [8, 64, 1000, 100_000] {
        let payload = flushed_every(flush, &message);
        assert!(payload.len() > message.len());
        for setup in ends(100_000) {
            let mut end = setup.build();
            assert!(end.hears_frame(0xc2, &payload) == [binary(message.clone())], "{flush}");
        }
    }
}

#[test]
fn noise_in_fragments_that_are_each_flushed_passes() {
    // Each fragment counts 64 bytes, which is more than a flush adds to it.
    let message = noise(1000);
    for setup in ends(64_000) {
        let (mut sender, mut end) = (Setup::new(setup.role.peer()), setup.build());
        sender.extensions = shared_deflate;
        let mut sender = sender.build();
        let Endpoint { connection, scratch, .. } = &mut sender;
        connection.start_message(MessageKind::Binary, SendOptions::default()).expect("open");
        for byte in &message[..999] {
            connection.write_message(&[*byte], Boundary::Flush, scratch).expect("begun");
        }
        connection.write_message(&message[999..], Boundary::End, scratch).expect("begun");
        assert_eq!(end.hears(sender.sends()), [binary(message.clone())]);
    }
}

#[test]
fn a_message_may_have_1024_final_blocks_that_say_nothing() {
    for role in [Role::Client, Role::Server] {
        for extensions in [shared_deflate, takeover_deflate] {
            let mut end = Setup::new(role).extensions(extensions).build();
            // Each message anew. With takeover, one that follows a final block begins with a new stream.
            for blocks in [1025, 1024, 1024] {
                assert_eq!(end.hears_frame(0xc2, FINAL.repeat(blocks)), [binary("")]);
            }
            in_every_chunking(&Setup::new(role).extensions(extensions), |end| {
                let input = frame(role.peer(), 0xc2, FINAL.repeat(1026));
                let fault = "too many final blocks with too little between them";
                let error = DecodeError { extension: "permessage-deflate", fault };
                end.fails(input, &[], MessageError::Decode(error), 1007);
            });
        }
    }
}

#[test]
fn each_64_bytes_that_come_out_earn_another_final_block() {
    // 64 bytes in a final stored block, over and over.
    let block = [&b"\x01\x40\x00\xbf\xff"[..], &[b'x'; 64]].concat();
    for setup in ends(64 * 5000) {
        let mut end = setup.build();
        let seen = end.hears_frame(0xc2, block.repeat(5000));
        assert!(seen == [binary(vec![b'x'; 64 * 5000])]);
        let spent = [&block.repeat(100)[..], &FINAL.repeat(1024)].concat();
        assert_eq!(
            end.hears_frame(0xc2, [&spent[..], FINAL].concat()).len(),
            1,
            "earned by the first"
        );
        let over = [&spent[..], &FINAL.repeat(3)].concat();
        assert!(matches!(end.hears_frame(0xc2, over)[..], [Seen::Fault(_)]));
    }
}
