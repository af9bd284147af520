//! Pings, pongs and deadlines of two ends on a virtual clock (RFC 6455 §5.5.2, §7.1.1).

mod support;

use std::time::Duration;

use duplexer_proto::{CloseCode, CloseReason, Delivery, End, Keepalive, Role, State, Timeout};
use support::{Chunking, Frame, Pair, Seen, Setup, after, frame};

const SECOND: Duration = Duration::from_secs(1);

fn without_keepalive(role: Role) -> Setup {
    let mut setup = Setup::new(role);
    setup.keepalive.interval = None;
    setup
}

#[test]
fn an_idle_pair_lives_on_pings() {
    let mut pair = Pair::plain();
    pair.pass(SECOND * 3600);
    assert_eq!(pair.client.connection.state(), State::Open);
    assert_eq!(pair.server.connection.state(), State::Open);
    assert_eq!(pair.client.connection.answered(), 180);
    assert_eq!((pair.client_timeouts.len(), pair.server_timeouts.len()), (0, 0));
}

#[test]
fn the_round_trip_is_twice_the_way() {
    for millis in [1, 40, 9_000] {
        let mut pair = Pair::plain();
        pair.delay = Duration::from_millis(millis);
        let Pair { client, now, .. } = &mut pair;
        assert_eq!(client.connection.ping(*now, &mut client.scratch), Ok(1));
        pair.pass(SECOND * 19);
        assert_eq!(pair.client.connection.rtt(), Some(Duration::from_millis(2 * millis)));
        assert_eq!(pair.client.connection.answered(), 1);
    }
}

#[test]
fn a_silent_peer_is_lost_20_seconds_after_the_ping() {
    let mut pair = Pair::plain();
    pair.settle();
    pair.silence_server();
    pair.pass(SECOND * 60);
    assert_eq!(pair.client_timeouts, [(after(40_000), Timeout::PeerLost)]);
    let info = pair.client.close_info();
    assert_eq!((info.reason.code(), info.initiator), (CloseCode::ABNORMAL, End::Remote));
    assert!(!info.clean);
    assert_eq!(pair.client.connection.queued_bytes(), 0);
}

#[test]
fn data_counts_as_a_sign_of_life_when_pongs_are_lost() {
    // A peer that is too busy to answer but sends is not dead.
    let mut pair = Pair::new(without_keepalive, Chunking::Whole);
    pair.client = Setup::new(Role::Client).build();
    pair.silence_client();
    for _ in 0..30 {
        pair.pass(SECOND * 5);
        let options = duplexer_proto::SendOptions::default();
        let server = &mut pair.server;
        server.connection.send("busy".into(), options, &mut server.scratch).expect("open");
    }
    assert_eq!(pair.client.connection.state(), State::Open);
    assert_eq!(pair.client.connection.answered(), 0);
}

#[test]
fn bytes_that_wait_untaken_are_no_sign_of_life() {
    // Nobody takes the message, and looking at it again proves nothing about who sent it.
    let mut end = Setup::new(Role::Server).delivery(Delivery::Hold { bytes_max: 0 }).build();
    end.connection.next_timeout(after(0));
    assert_eq!(end.connection.handle_timeout(after(20_000), &mut end.scratch), None);
    assert_eq!(end.hears(frame(Role::Client, 0x82, "Hello")), []);
    assert_eq!(end.connection.handle_timeout(after(40_000), &mut end.scratch), None, "heard");
    assert_eq!((end.asks_again(), end.untaken()), (vec![], 5));
    let timeout = end.connection.handle_timeout(after(60_000), &mut end.scratch);
    assert_eq!(timeout, Some(Timeout::PeerLost));
}

#[test]
fn what_has_arrived_is_read_before_the_deadline_is_judged() {
    // A caller that was busy elsewhere for a minute does not take a living peer for dead.
    let mut end = Setup::new(Role::Client).build();
    end.connection.next_timeout(after(0));
    assert_eq!(end.connection.handle_timeout(after(20_000), &mut end.scratch), None);
    assert_eq!(end.sends_frames(), [Frame::new(0x89, 1_u64.to_be_bytes())]);
    end.hears(frame(Role::Server, 0x8a, 1_u64.to_be_bytes()));
    assert_eq!(end.connection.handle_timeout(after(80_000), &mut end.scratch), None);
    assert_eq!(end.connection.state(), State::Open);
}

#[test]
fn without_keepalive_there_is_no_deadline() {
    let mut pair = Pair::new(without_keepalive, Chunking::Whole);
    assert_eq!(pair.client.connection.next_timeout(pair.now), None);
    pair.silence_server();
    pair.silence_client();
    pair.pass(SECOND * 100_000);
    assert_eq!(pair.client.connection.state(), State::Open);
}

#[test]
fn an_interval_of_zero_is_none() {
    let mut setup = Setup::new(Role::Client);
    setup.keepalive.interval = Some(Duration::ZERO);
    let mut end = setup.build();
    assert_eq!(end.connection.keepalive().interval, None);
    assert_eq!(end.connection.next_timeout(after(0)), None);
    assert_eq!(end.connection.handle_timeout(after(100_000), &mut end.scratch), None);
    assert_eq!(end.sends(), b"");
}

#[test]
fn the_shortest_interval_is_a_millisecond() {
    let mut setup = Setup::new(Role::Client);
    setup.keepalive.interval = Some(Duration::from_nanos(1));
    let mut end = setup.build();
    assert_eq!(end.connection.keepalive().interval, Some(Duration::from_millis(1)));
    assert_eq!(end.connection.next_timeout(after(0)), Some(after(1)));
    assert_eq!(end.connection.handle_timeout(after(1), &mut end.scratch), None);
    assert_eq!(end.sends_frames(), [Frame::new(0x89, 1_u64.to_be_bytes())]);
    assert_eq!(end.connection.next_timeout(after(1)), Some(after(2)));
}

#[test]
fn pings_by_hand_are_numbered_without_keepalive_too() {
    let mut pair = Pair::new(without_keepalive, Chunking::Whole);
    let Pair { server, now, .. } = &mut pair;
    assert_eq!(server.connection.ping(*now, &mut server.scratch), Ok(1));
    assert_eq!(server.connection.ping(*now, &mut server.scratch), Ok(2));
    pair.settle();
    assert_eq!(pair.server.connection.answered(), 2);
    let pong = |number: u64| Seen::Pong(number.to_be_bytes().into());
    assert_eq!(pair.saw().1, [pong(1), pong(2)]);
}

#[test]
fn a_pong_that_nobody_asked_for_answers_nothing() {
    // RFC 6455 §5.5.3.
    let mut end = Setup::new(Role::Server).build();
    assert_eq!(end.connection.pong_arrived(&1_u64.to_be_bytes(), after(1)), None);
    assert_eq!(end.connection.pong_arrived(b"", after(1)), None);
    assert_eq!(end.connection.rtt(), None);
}

#[test]
fn an_unanswered_close_is_overdue_after_5_seconds() {
    let mut pair = Pair::plain();
    pair.pass(SECOND * 7);
    pair.silence_server();
    assert!(pair.client.connection.close(None, &mut pair.client.scratch));
    assert!(pair.client.connection.timer_is_stale());
    pair.pass(SECOND * 20);
    assert_eq!(pair.client_timeouts, [(after(12_000), Timeout::CloseOverdue)]);
    assert_eq!(pair.client.close_info().reason.code(), CloseCode::ABNORMAL);
    assert_eq!(pair.client.connection.state(), State::Closed);
}

#[test]
fn a_peer_that_talks_on_cannot_put_off_the_close_deadline() {
    let mut pair = Pair::plain();
    pair.silence_client();
    assert!(pair.client.connection.close(None, &mut pair.client.scratch));
    for _ in 0..20 {
        let options = duplexer_proto::SendOptions::default();
        let server = &mut pair.server;
        server.connection.send("on and on".into(), options, &mut server.scratch).expect("open");
        pair.pass(SECOND);
    }
    assert_eq!(pair.client_timeouts, [(after(5_000), Timeout::CloseOverdue)]);
}

#[test]
fn the_transport_has_5_seconds_to_end_after_a_clean_close() {
    // RFC 6455 §7.1.1; the result stays what the handshake made it.
    let mut pair = Pair::plain();
    let reason = CloseReason::new(CloseCode::from(4000), "").expect("may travel");
    assert!(pair.client.connection.close(Some(&reason), &mut pair.client.scratch));
    pair.settle();
    pair.pass(SECOND * 6);
    assert_eq!(pair.client_timeouts, [(after(5_000), Timeout::CloseOverdue)]);
    let info = pair.client.close_info();
    assert_eq!((info.reason.code().as_u16(), info.clean), (4000, true));
}

#[test]
fn the_close_timeout_can_be_set() {
    let setup = |role| Setup::new(role).limits(|limits| limits.close_timeout = SECOND * 60);
    let mut pair = Pair::new(setup, Chunking::Whole);
    pair.silence_server();
    assert!(pair.client.connection.close(None, &mut pair.client.scratch));
    pair.pass(SECOND * 59);
    assert_eq!(pair.client.connection.state(), State::Closing);
    pair.pass(SECOND);
    assert_eq!(pair.client_timeouts, [(after(60_000), Timeout::CloseOverdue)]);
}

#[test]
fn the_keepalive_can_be_set() {
    let keepalive = Keepalive::new(Some(SECOND), SECOND * 3);
    let setup = |role| {
        let mut setup = Setup::new(role);
        setup.keepalive = keepalive;
        setup
    };
    let mut pair = Pair::new(setup, Chunking::OneByte);
    pair.delay = Duration::from_millis(1200);
    pair.pass(SECOND * 60);
    assert_eq!(pair.client.connection.state(), State::Open);
    pair.silence_server();
    pair.pass(SECOND * 10);
    let [(at, Timeout::PeerLost)] = pair.client_timeouts[..] else { panic!("one timeout") };
    assert!((62_000..=66_000).contains(&at.elapsed().as_millis()), "{at:?}");
}

#[test]
fn pings_and_their_answers_pass_a_long_delay() {
    // Ten seconds each way: several pings are under way at once, and none is taken for lost.
    let mut pair = Pair::plain();
    pair.delay = Duration::from_millis(9_900);
    pair.pass(SECOND * 600);
    assert_eq!(pair.client.connection.state(), State::Open);
    assert!(pair.client.connection.answered() >= 28);
}

#[test]
fn a_cut_is_1006_on_both_ends() {
    let mut pair = Pair::plain();
    pair.pass(SECOND);
    pair.cut();
    pair.settle();
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.close_info().reason.code(), CloseCode::ABNORMAL);
        assert_eq!(end.connection.state(), State::Closed);
    }
}
