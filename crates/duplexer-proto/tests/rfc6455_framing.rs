//! The base framing protocol (RFC 6455 §5.1–§5.3, §5.7, §5.8): a test for each rule, in both roles
//! where it holds for both.

mod support;

use duplexer_proto::frame::{FrameError, Opcode, Rsv};
use duplexer_proto::{Message, Role, SendOptions};
use support::{Frame, Seen, binary, client, frame, frames, on_both_sides, server, text};

#[test]
fn single_frame_unmasked_text_message() {
    // RFC 6455 §5.7: "0x81 0x05 0x48 0x65 0x6c 0x6c 0x6f (contains "Hello")".
    client(|end| assert_eq!(end.hears(b"\x81\x05\x48\x65\x6c\x6c\x6f"), [text("Hello")]));
}

#[test]
fn single_frame_masked_text_message() {
    // RFC 6455 §5.7: "0x81 0x85 0x37 0xfa 0x21 0x3d 0x7f 0x9f 0x4d 0x51 0x58 (contains "Hello")".
    server(|end| {
        assert_eq!(end.hears(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), [text("Hello")]);
    });
}

#[test]
fn fragmented_unmasked_text_message() {
    // RFC 6455 §5.7: "0x01 0x03 … (contains "Hel")", "0x80 0x02 … (contains "lo")".
    client(|end| {
        assert_eq!(end.hears(b"\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f"), [text("Hello")]);
    });
}

#[test]
fn unmasked_ping_request_and_masked_ping_response() {
    // RFC 6455 §5.7: "0x89 0x05 …" and "0x8a 0x85 0x37 0xfa 0x21 0x3d 0x7f 0x9f 0x4d 0x51 0x58".
    client(|end| {
        assert_eq!(end.hears(b"\x89\x05\x48\x65\x6c\x6c\x6f"), [Seen::Ping(b"Hello".into())]);
        assert_eq!(end.sends(), b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    });
}

#[test]
fn binary_message_of_256_bytes_in_a_single_unmasked_frame() {
    // RFC 6455 §5.7: "0x82 0x7E 0x0100 [256 bytes of binary data]".
    client(|end| {
        let payload: Vec<u8> = (0..=255).collect();
        let input = [b"\x82\x7e\x01\x00", payload.as_slice()].concat();
        assert_eq!(end.hears(input), [binary(payload)]);
    });
}

#[test]
fn binary_message_of_64_kib_in_a_single_unmasked_frame() {
    // RFC 6455 §5.7: "0x82 0x7F 0x0000000000010000 [65536 bytes of binary data]".
    client(|end| {
        let payload: Vec<u8> = (0..65_536_u32).map(|at| (at % 251) as u8).collect();
        let input = [b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", payload.as_slice()].concat();
        assert_eq!(end.hears(input), [binary(payload)]);
    });
}

#[test]
fn client_masks_every_frame_and_server_none() {
    // RFC 6455 §5.1.
    client(|end| {
        end.connection
            .send("Hello".into(), SendOptions::default(), &mut end.scratch)
            .expect("open");
        assert_eq!(end.sends(), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    });
    server(|end| {
        end.connection
            .send("Hello".into(), SendOptions::default(), &mut end.scratch)
            .expect("open");
        assert_eq!(end.sends(), b"\x81\x05Hello");
    });
}

#[test]
fn a_fresh_key_masks_each_frame() {
    // RFC 6455 §5.3: "The masking key needs to be unpredictable"; ours come from the caller, one
    // for each frame.
    let mut end = support::Setup::new(Role::Client).build();
    let mut next = 0;
    end.scratch = duplexer_proto::Scratch::new(move || {
        next += 1;
        [next; 4]
    });
    for _ in 0..2 {
        end.connection.send("a".into(), SendOptions::default(), &mut end.scratch).expect("open");
        end.connection.ping_with(b"a", &mut end.scratch).expect("open");
    }
    let (one, two) = (b"\x81\x81\x01\x01\x01\x01\x60", b"\x89\x81\x02\x02\x02\x02\x63");
    let (three, four) = (b"\x81\x81\x03\x03\x03\x03\x62", b"\x89\x81\x04\x04\x04\x04\x65");
    assert_eq!(end.sends(), [*one, *two, *three, *four].concat());
}

#[test]
fn server_fails_unmasked_frame() {
    // RFC 6455 §5.1: "The server MUST close the connection upon receiving a frame that is not
    // masked."
    server(|end| end.fails(b"\x81\x05Hello", &[], FrameError::NotMasked, 1002));
    server(|end| end.fails(b"\x81\x00", &[], FrameError::NotMasked, 1002));
    server(|end| end.fails(b"\x89\x00", &[], FrameError::NotMasked, 1002));
    server(|end| {
        let good = frame(Role::Client, 0x81, "good");
        end.fails([&good[..], b"\x82\x01x"].concat(), &[text("good")], FrameError::NotMasked, 1002);
    });
}

#[test]
fn client_fails_masked_frame() {
    // RFC 6455 §5.1: "A client MUST close a connection if it detects a masked frame."
    client(|end| end.fails(frame(Role::Client, 0x81, "Hello"), &[], FrameError::Masked, 1002));
    client(|end| end.fails(b"\x8a\x80\0\0\0\0", &[], FrameError::Masked, 1002));
}

#[test]
fn a_masking_key_of_zeros_is_a_key() {
    // RFC 6455 §5.3.
    server(|end| assert_eq!(end.hears(b"\x81\x85\0\0\0\0Hello"), [text("Hello")]));
}

#[test]
fn reserved_bits_without_an_extension_fail() {
    // RFC 6455 §5.2: "If a nonzero value is received and none of the negotiated extensions defines
    // the meaning of such a nonzero value, the receiving endpoint MUST _Fail the WebSocket
    // Connection_."
    let bits = [
        (0x40, Rsv::RSV1),
        (0x20, Rsv::RSV2),
        (0x10, Rsv::RSV3),
        (0x70, Rsv::RSV1.union(Rsv::RSV2).union(Rsv::RSV3)),
    ];
    let opcodes = [
        (0x81, Opcode::Text),
        (0x82, Opcode::Binary),
        (0x01, Opcode::Text),
        (0x88, Opcode::Close),
        (0x89, Opcode::Ping),
        (0x8a, Opcode::Pong),
    ];
    for (bit, rsv) in bits {
        for (first, opcode) in opcodes {
            on_both_sides(|end| {
                let input = frame(end.role().peer(), first | bit, "");
                end.fails(input, &[], FrameError::ReservedBits { rsv, opcode }, 1002);
            });
        }
    }
}

#[test]
fn a_fault_of_rsv1_names_permessage_deflate() {
    // RFC 7692 §6: whoever sees this bit has a peer that compresses without having agreed on it.
    let told = |rsv| FrameError::ReservedBits { rsv, opcode: Opcode::Text }.to_string();
    for rsv in [Rsv::RSV1, Rsv::RSV1.union(Rsv::RSV3)] {
        let told = told(rsv);
        assert!(told.contains("RSV1") && told.contains("permessage-deflate"), "{told}");
    }
    assert!(!told(Rsv::RSV2).contains("permessage-deflate"), "{}", told(Rsv::RSV2));
}

#[test]
fn reserved_bits_on_a_continuation_fail() {
    // RFC 6455 §5.2.
    on_both_sides(|end| {
        assert_eq!(end.hears_frame(0x01, "a"), []);
        let error = FrameError::ReservedBits { rsv: Rsv::RSV1, opcode: Opcode::Continuation };
        end.fails(frame(end.role().peer(), 0xc0, "b"), &[], error, 1002);
    });
}

#[test]
fn unknown_opcodes_fail_at_the_first_byte() {
    // RFC 6455 §5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the
    // WebSocket Connection_."
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        on_both_sides(|end| {
            end.fails([0x80 | opcode], &[], FrameError::OpcodeUnknown { opcode }, 1002)
        });
        on_both_sides(|end| end.fails([opcode], &[], FrameError::OpcodeUnknown { opcode }, 1002));
    }
}

#[test]
fn huge_frame_of_an_unknown_opcode_is_not_awaited() {
    // RFC 6455 §5.2.
    server(|end| {
        let input = b"\x83\xff\x3f\xff\xff\xff\xff\xff\xff\xff";
        end.fails(input, &[], FrameError::OpcodeUnknown { opcode: 3 }, 1002);
    });
}

#[test]
fn lengths_that_are_not_minimal_fail() {
    // RFC 6455 §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length".
    for len in [0, 1, 125] {
        server(|end| {
            let error = FrameError::LengthNotMinimal { len: u64::from(len) };
            end.fails([0x82, 0xfe, 0, len], &[], error, 1002);
        });
        client(|end| {
            let error = FrameError::LengthNotMinimal { len: u64::from(len) };
            end.fails([0x82, 0x7e, 0, len], &[], error, 1002);
        });
    }
    for len in [0_u64, 125, 126, 65_535] {
        on_both_sides(|end| {
            let second = if end.role() == Role::Server { 0xff } else { 0x7f };
            let input = [&[0x82, second], &len.to_be_bytes()[..]].concat();
            end.fails(input, &[], FrameError::LengthNotMinimal { len }, 1002);
        });
    }
}

#[test]
fn lengths_with_the_top_bit_set_fail() {
    // RFC 6455 §5.2: "the most significant bit MUST be 0".
    for len in [1 << 63, u64::MAX, 1 << 63 | 5] {
        on_both_sides(|end| {
            let second = if end.role() == Role::Server { 0xff } else { 0x7f };
            let input = [&[0x82, second], &len.to_be_bytes()[..]].concat();
            end.fails(input, &[], FrameError::LengthTooLarge { len }, 1002);
        });
    }
}

#[test]
fn lengths_at_the_edges_of_each_form_are_read_and_written() {
    // RFC 6455 §5.2: 7, 7+16 and 7+64 bits.
    for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let payload = vec![b'x'; len];
        on_both_sides(|end| {
            assert_eq!(end.hears_frame(0x82, &payload), [binary(payload.clone())]);
            let message = Message::from(payload.clone());
            end.connection.send(message, SendOptions::default(), &mut end.scratch).expect("open");
            // The reader of frames refuses lengths that are not minimal.
            let sent = end.sends();
            assert_eq!(frames(end.role(), &sent), [Frame::new(0x82, payload.clone())]);
            assert_eq!(sent, frame(end.role(), 0x82, &payload));
        });
    }
}

#[test]
fn several_frames_in_one_read_are_all_found() {
    // RFC 6455 §5.2: a frame says where it ends; nothing else separates them.
    on_both_sides(|end| {
        let seen = end.hears_frames(&[
            (0x81, b"one"),
            (0x82, b""),
            (0x89, b"p"),
            (0x8a, b"q"),
            (0x81, "zw\u{f6}lf".as_bytes()),
        ]);
        let expected = [
            text("one"),
            binary(""),
            Seen::Ping(b"p".into()),
            Seen::Pong(b"q".into()),
            text("zwölf"),
        ];
        assert_eq!(seen, expected);
    });
}

#[test]
fn an_incomplete_header_or_control_frame_is_left_to_the_caller() {
    // At most 139 bytes: a header and a control frame's payload, less the last byte.
    let mut end = support::Setup::new(Role::Server).build();
    let ping = frame(Role::Client, 0x89, [b'p'; 125]);
    for len in 0..ping.len() {
        assert_eq!(end.hears(&ping[end.untaken()..len]), []);
        assert_eq!(end.untaken(), len);
    }
    assert_eq!(end.hears(&ping[ping.len() - 1..]), [Seen::Ping(vec![b'p'; 125])]);
    assert_eq!(end.untaken(), 0);
}
