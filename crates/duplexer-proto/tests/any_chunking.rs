//! However bytes are cut on their way, the same comes of them: the same events once the adjacent
//! chunks of a message are joined, the same fault, the same bytes in answer and the same end. For
//! conversations of two ends, for frames that break rules, and for noise.

mod support;

use duplexer_proto::extension::{Boundary, Extension};
use duplexer_proto::{
    CloseCode, CloseInfo, CloseReason, Delivery, MessageKind, Oversize, Prepared, Role,
    SendOptions, State,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use support::{
    Chunking, Endpoint, Pair, Seen, Setup, close_body, frame, join, no_extension, shared_deflate,
    takeover_deflate,
};

/// Everything that came of some bytes.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// While the first delivery held.
    seen: Vec<Seen>,
    /// After a change to chunks.
    then: Vec<Seen>,
    sent: Vec<u8>,
    state: State,
    info: Option<CloseInfo>,
    inside_message: bool,
}

fn outcome(setup: &Setup, chunking: Chunking, input: &[u8]) -> Outcome {
    let mut end = setup.build();
    // All at once is compared with pieces: only the pieces, and only in some of their cuts, take the short way.
    end.singles = matches!(chunking, Chunking::Sizes(_));
    end.direct = end.singles;
    end.chunking = chunking;
    let seen = without_failed_message(end.hears(input));
    let mut sent = end.sends();
    end.delivery = Delivery::Chunks;
    let then = without_failed_message(end.asks_again());
    sent.extend(end.sends());
    support::frames(end.role(), &sent);
    Outcome {
        seen,
        then,
        sent,
        state: end.connection.state(),
        info: end.connection.close_info().cloned(),
        inside_message: end.connection.is_inside_message(),
    }
}

/// How much of a message is handed out before it fails depends on how its bytes arrived.
fn without_failed_message(mut seen: Vec<Seen>) -> Vec<Seen> {
    if let [.., Seen::Chunk { last: false, .. }, Seen::Fault(_)] = seen[..] {
        let fault = seen.pop();
        seen.pop();
        seen.extend(fault);
    }
    seen
}

fn setups() -> impl Strategy<Value = Setup> {
    let roles = select(vec![Role::Client, Role::Server]);
    let deliveries = prop_oneof![
        3 => Just(Delivery::Whole),
        3 => Just(Delivery::Chunks),
        1 => (0..40_usize).prop_map(|bytes_max| Delivery::Hold { bytes_max }),
        1 => (40..1000_usize).prop_map(|bytes_max| Delivery::Hold { bytes_max }),
        1 => Just(Delivery::Discard),
    ];
    let oversize = select(vec![Oversize::Close, Oversize::Skip]);
    (roles, deliveries, extensions(), any::<bool>(), oversize).prop_map(
        |(role, delivery, extensions, small, oversize)| {
            Setup::new(role).delivery(delivery).extensions(extensions).limits(|limits| {
                limits.oversize = oversize;
                if small {
                    limits.message_bytes_max = 200;
                    limits.stream_bytes_max = 300;
                    limits.frame_bytes_max = 150;
                }
            })
        },
    )
}

fn extensions() -> impl Strategy<Value = fn(Role) -> Vec<Box<dyn Extension>>> {
    select(vec![
        no_extension as fn(Role) -> Vec<Box<dyn Extension>>,
        shared_deflate,
        takeover_deflate,
    ])
}

fn chunkings() -> impl Strategy<Value = Chunking> {
    prop_oneof![
        Just(Chunking::OneByte),
        vec(1..12_usize, 1..6).prop_map(Chunking::Sizes),
        vec(1..3000_usize, 1..6).prop_map(Chunking::Sizes),
        vec(1..60_000_usize, 1..6).prop_map(Chunking::Sizes),
        (0..300_usize).prop_map(Chunking::SplitAt),
    ]
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-zé€𝄞]{0,12}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..20),
        1 => (100..400_usize).prop_map(|len| vec![b'x'; len]),
        // Long enough to be received without a detour.
        1 => (60_000..150_000_usize).prop_map(|len| content(len).into_bytes()),
        1 => (1..4000_usize).prop_map(compressed),
        // Blocks that say nothing: empty stored ones, and final ones.
        1 => (1..600_usize).prop_map(|blocks| [&b"\0\0\0\xff\xff".repeat(blocks)[..], b"\0"].concat()),
        1 => (1..1200_usize).prop_map(|blocks| b"\x03\x00".repeat(blocks)),
        1 => select(vec![
            b"\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec(),
            b"\xf2\x00\x11\x00\x00".to_vec(),
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00".to_vec(),
            b"\x00".to_vec(),
            vec![],
        ]),
        1 => (select(vec![1000_u16, 1001, 1005, 4999, 5000]), "[a-z]{0,4}")
            .prop_map(|(code, reason)| close_body(code, &reason)),
    ]
}

/// Zeros, compressed.
fn compressed(len: usize) -> Vec<u8> {
    let mut end = Setup::new(Role::Server).extensions(shared_deflate).build();
    let Endpoint { connection, scratch, .. } = &mut end;
    connection.send(vec![0; len].into(), SendOptions::default(), scratch).expect("open");
    end.sends_frames().remove(0).payload
}

/// First bytes of frames, mostly such as belong together.
fn firsts() -> impl Strategy<Value = u8> {
    prop_oneof![
        8 => select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x00, 0x80]),
        4 => select(vec![0xc1_u8, 0xc2, 0x41, 0x42]),
        4 => select(vec![0x89_u8, 0x8a]),
        1 => select(vec![0x88_u8, 0x83, 0x09, 0xc0, 0xa1, 0xc9]),
    ]
}

/// What a peer of this role might send: frames, now and then spoiled.
fn input(from: Role) -> impl Strategy<Value = Vec<u8>> {
    let frames = || {
        (firsts(), payloads()).prop_map(move |(first, payload)| {
            let fits = if first & 0x08 == 0 { payload.len() } else { payload.len().min(125) };
            frame(from, first, &payload[..fits])
        })
    };
    let spoiled =
        (frames(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut frame, at, byte)| {
            let at = at.index(frame.len());
            frame[at] = byte;
            frame
        });
    let part = prop_oneof![30 => frames(), 1 => spoiled, 1 => vec(any::<u8>(), 0..6)];
    vec(part, 0..10).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_give_the_same_in_any_chunking(
        (setup, input) in setups().prop_flat_map(|setup| {
            let from = setup.role.peer();
            (Just(setup), input(from))
        }),
        chunking in chunkings(),
    ) {
        let whole = outcome(&setup, Chunking::Whole, &input);
        prop_assert_eq!(outcome(&setup, chunking, &input), whole);
    }

    #[test]
    fn noise_gives_the_same_in_any_chunking(
        setup in setups(),
        input in vec(any::<u8>(), 0..300),
        chunking in chunkings(),
    ) {
        let whole = outcome(&setup, Chunking::Whole, &input);
        prop_assert_eq!(outcome(&setup, chunking, &input), whole);
    }
}

/// Something that an end does, or that both wait for.
#[derive(Clone, Debug)]
enum Deed {
    Send { by: Role, kind: MessageKind, len: usize, compress: bool, prepared: bool },
    Write { by: Role, len: usize, boundary: Boundary },
    Ping { by: Role, len: usize },
    Pong { by: Role, len: usize },
    Close { by: Role, code: u16 },
    Fail { by: Role },
    DiscardRest { by: Role },
    Deliver { by: Role, delivery: Delivery },
    Settle,
}

fn deeds() -> impl Strategy<Value = Deed> {
    let role = || select(vec![Role::Client, Role::Server]);
    let kind = select(vec![MessageKind::Text, MessageKind::Binary]);
    let len = || prop_oneof![0..10_usize, 100..200_usize, 3000..9000_usize, 60_000..150_000_usize];
    let boundary = select(vec![Boundary::Within, Boundary::Flush, Boundary::End]);
    let delivery = select(vec![
        Delivery::Whole,
        Delivery::Chunks,
        Delivery::Chunks,
        Delivery::Discard,
        Delivery::Hold { bytes_max: 150 },
    ]);
    prop_oneof![
        6 => (role(), kind, len(), any::<bool>(), any::<bool>()).prop_map(
            |(by, kind, len, compress, prepared)| Deed::Send { by, kind, len, compress, prepared }
        ),
        6 => (role(), len(), boundary).prop_map(|(by, len, boundary)| Deed::Write { by, len, boundary }),
        3 => (role(), 0..126_usize).prop_map(|(by, len)| Deed::Ping { by, len }),
        1 => (role(), 0..126_usize).prop_map(|(by, len)| Deed::Pong { by, len }),
        1 => (role(), select(vec![1000_u16, 1001, 4000])).prop_map(|(by, code)| Deed::Close { by, code }),
        1 => role().prop_map(|by| Deed::Fail { by }),
        1 => role().prop_map(|by| Deed::DiscardRest { by }),
        2 => (role(), delivery).prop_map(|(by, delivery)| Deed::Deliver { by, delivery }),
        4 => Just(Deed::Settle),
    ]
}

/// Neither all alike nor noise, and the same for the same length.
fn content(len: usize) -> String {
    (0..len).map(|at| char::from(b"abcdefghijklmnopqrstuvwxyz"[at * at % 26])).collect()
}

fn act(end: &mut Endpoint, deed: &Deed) {
    let Endpoint { connection, scratch, delivery, .. } = end;
    let options = SendOptions::default();
    // Refusals are part of the conversation; they are the same every time.
    match deed {
        Deed::Send { kind, len, compress, prepared, .. } => {
            let message = match kind {
                MessageKind::Text => content(*len).into(),
                MessageKind::Binary => duplexer_proto::Message::from(content(*len).into_bytes()),
            };
            let options = options.compress(*compress);
            let _ = if *prepared {
                connection.send_prepared(&Prepared::new(message), options, scratch)
            } else {
                connection.send(message, options, scratch)
            };
        }
        Deed::Write { len, boundary, .. } => {
            if !connection.is_writing() {
                let _ = connection.start_message(MessageKind::Text, options);
            }
            let _ = connection.write_message(content(*len).as_bytes(), *boundary, scratch);
        }
        Deed::Ping { len, .. } => {
            let _ = connection.ping_with(&vec![b'?'; *len], scratch);
        }
        Deed::Pong { len, .. } => {
            let _ = connection.pong(&vec![b'!'; *len], scratch);
        }
        Deed::Close { code, .. } => {
            let reason = CloseReason::new(CloseCode::from(*code), "over").expect("may travel");
            connection.close(Some(&reason), scratch);
        }
        Deed::Fail { .. } => connection.fail(CloseCode::POLICY_VIOLATION, "enough", scratch),
        Deed::DiscardRest { .. } => connection.discard_rest(),
        Deed::Deliver { delivery: next, .. } => *delivery = *next,
        Deed::Settle => {}
    }
}

/// What both ends saw between two settlements, and how they ended.
type Conversation = (Vec<(Vec<Seen>, Vec<Seen>)>, Vec<(State, Option<CloseInfo>)>);

fn converse(setup: &Setup, chunking: Chunking, deeds: &[Deed]) -> Conversation {
    let direct = matches!(chunking, Chunking::Sizes(_));
    let mut pair = Pair::new(|role| Setup { role, ..setup.clone() }, chunking);
    (pair.client.direct, pair.server.direct) = (direct, direct);
    let mut seen = Vec::new();
    for deed in deeds.iter().chain([&Deed::Settle]) {
        match deed {
            Deed::Settle => {
                pair.settle();
                seen.push(pair.saw());
            }
            Deed::Send { by, .. }
            | Deed::Write { by, .. }
            | Deed::Ping { by, .. }
            | Deed::Pong { by, .. }
            | Deed::Close { by, .. }
            | Deed::Fail { by }
            | Deed::DiscardRest { by }
            | Deed::Deliver { by, .. } => match by {
                Role::Client => act(&mut pair.client, deed),
                Role::Server => act(&mut pair.server, deed),
            },
        }
    }
    let ends = [&pair.client, &pair.server];
    let ended = ends.map(|end| (end.connection.state(), end.connection.close_info().cloned()));
    (seen, ended.into())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn conversations_are_the_same_in_any_chunking(
        extensions in extensions(),
        deeds in vec(deeds(), 0..24),
        chunking in chunkings(),
    ) {
        let setup = Setup::new(Role::Client).extensions(extensions);
        let whole = converse(&setup, Chunking::Whole, &deeds);
        let faults = |seen: &[Seen]| seen.iter().any(|seen| matches!(seen, Seen::Fault(_)));
        prop_assert!(!whole.0.iter().any(|(client, server)| faults(client) || faults(server)));
        prop_assert!(converse(&setup, chunking, &deeds) == whole);
    }

    #[test]
    fn everything_sent_arrives_in_order(
        extensions in extensions(),
        lens in vec((0..5000_usize, any::<bool>(), any::<bool>()), 0..12),
        chunking in chunkings(),
    ) {
        let setup = |role| Setup::new(role).extensions(extensions);
        let mut pair = Pair::new(setup, chunking);
        for (len, compress, settle) in &lens {
            let deed = Deed::Send {
                by: Role::Client,
                kind: MessageKind::Text,
                len: *len,
                compress: *compress,
                prepared: false,
            };
            act(&mut pair.client, &deed);
            if *settle {
                pair.settle();
            }
        }
        pair.settle();
        let expected: Vec<Seen> = lens.iter().map(|(len, ..)| support::text(&content(*len))).collect();
        prop_assert_eq!(join(pair.saw().1), expected);
    }
}
