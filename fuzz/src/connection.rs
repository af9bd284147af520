//! A connection of either role under any sequence of operations and bytes.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use duplexer_proto::extension::Boundary;
use duplexer_proto::{
    CloseCode, CloseReason, End, Message, MessageKind, Prepared, SendError, SendOptions, State,
    Time,
};

use crate::driver::{Driver, Setup, delivery, peers_bytes};
use crate::wire;

/// Nothing panics, the states follow each other as drawn, memory is bounded, and what leaves is
/// what this role may send: whole frames, one message at a time, one Close and nothing behind it.
pub fn connection(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(setup) = Setup::arbitrary(&mut input) else { return };
    let mut run = Run { driver: setup.build(), now: Time::ORIGIN, cut: false };
    for _ in 0..200 {
        let before = run.driver.connection.state();
        if input.is_empty() || run.step(&mut input).is_err() {
            break;
        }
        let after = run.driver.connection.state();
        assert!(rank(before) <= rank(after), "{before:?} before {after:?}");
        assert_eq!(run.driver.connection.close_info().is_some(), after != State::Open);
    }
    run.driver.flush();
    run.ask();
    let compresses = setup.compresses();
    wire::check_sent(setup.role, &run.driver.sent, compresses, run.cut);
}

/// How far from open a state is; a connection never comes nearer.
const fn rank(state: State) -> u8 {
    match state {
        State::Open => 0,
        State::Closing | State::Answering | State::Failing => 1,
        State::Closed => 2,
    }
}

struct Run {
    driver: Driver,
    now: Time,
    /// The transport ended, perhaps inside a frame.
    cut: bool,
}

impl Run {
    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let Self { driver, now, cut } = self;
        let options = SendOptions::default();
        match input.int_in_range(0..=17_u8)? {
            0..=3 => {
                let bytes = peers_bytes(input, driver.connection.role().peer())?;
                driver.hear(&bytes);
            }
            4 => driver.delivery = delivery(input)?,
            5 => driver.write(input.int_in_range(0..=70_000)?),
            6 => driver.flush(),
            7 => {
                let sent = driver.connection.send(message(input)?, options, &mut driver.scratch);
                self.judge(sent);
            }
            8 => {
                let prepared = Prepared::new(message(input)?);
                let options = options.compress(input.arbitrary()?);
                let sent = driver.connection.send_prepared(&prepared, options, &mut driver.scratch);
                self.judge(sent);
            }
            9 => {
                let kind = if input.arbitrary()? { MessageKind::Text } else { MessageKind::Binary };
                let started = driver.connection.start_message(kind, options);
                self.judge(started);
            }
            10 | 11 => {
                let boundary = match input.int_in_range(0..=2)? {
                    0 => Boundary::Within,
                    1 => Boundary::Flush,
                    _ => Boundary::End,
                };
                let bytes = message(input)?.into_bytes();
                let _ = driver.connection.write_message(&bytes, boundary, &mut driver.scratch);
            }
            12 => {
                let payload = vec![b'?'; input.int_in_range(0..=130)?];
                let _ = driver.connection.ping_with(&payload, &mut driver.scratch);
                let _ = driver.connection.pong(&payload, &mut driver.scratch);
            }
            13 => {
                let _ = driver.connection.ping(*now, &mut driver.scratch);
                driver.connection.pong_arrived(input.bytes(8.min(input.len()))?, *now);
            }
            14 => {
                *now = *now + Duration::from_secs(input.int_in_range(0..=30)?);
                driver.connection.next_timeout(*now);
                *cut |= driver.connection.handle_timeout(*now, &mut driver.scratch).is_some();
            }
            15 => {
                let reason = CloseReason::new(CloseCode::from(input.arbitrary::<u16>()?), "over");
                driver.connection.close(reason.ok().as_ref(), &mut driver.scratch);
            }
            16 => match input.int_in_range(0..=5)? {
                0 => {
                    let code = CloseCode::from(input.arbitrary::<u16>()?);
                    driver.connection.fail(code, &"é".repeat(100), &mut driver.scratch);
                }
                1 => {
                    driver.connection.transport_ended(End::Remote);
                    *cut = true;
                }
                2 => large(driver, input)?,
                _ => {}
            },
            _ => driver.connection.discard_rest(),
        }
        Ok(())
    }

    /// Whatever has happened, who asks gets an answer that fits the others.
    fn ask(&mut self) {
        let Self { driver, now, .. } = self;
        let connection = &mut driver.connection;
        assert!(connection.answered() <= connection.pinged());
        assert!(connection.rtt().is_none() || connection.answered() > 0);
        let keepalive = connection.keepalive();
        assert!(keepalive.interval.is_none_or(|interval| !interval.is_zero()));
        connection.heard();
        connection.next_timeout(*now);
        let _ = (connection.timer_is_stale(), connection.held_bytes(), connection.limits());
        assert!(!format!("{connection:?}").is_empty());
    }

    fn judge(&self, sent: std::result::Result<(), SendError>) {
        let is_open = self.driver.connection.state() == State::Open;
        match sent {
            Ok(()) => assert!(is_open),
            Err(SendError::Busy) => assert!(is_open && self.driver.connection.is_writing()),
            Err(error) => assert!(!is_open, "{error}"),
        }
    }
}

/// A large message comes: its beginning as input, the rest straight to its place as far as there is room, and what is wanted of it
/// may change before anybody asks.
fn large(driver: &mut Driver, input: &mut Unstructured<'_>) -> Result<()> {
    let first = if input.arbitrary()? { 0x81 } else { 0x02 };
    let bytes = wire::frame(driver.connection.role().peer(), first, &[b'x'; 100_000]);
    let (begun, mut rest) = bytes.split_at(input.int_in_range(1..=60_000)?);
    driver.hear(begun);
    while !rest.is_empty() {
        let piece = input.int_in_range(1_000..=60_000)?.min(rest.len());
        let taken = driver.hear_direct(&rest[..piece]);
        match input.int_in_range(0..=9_u8)? {
            0 => driver.connection.discard_rest(),
            1 => driver.delivery = delivery(input)?,
            _ => {}
        }
        // Where there was no room, or less, they are input.
        driver.hear(&rest[taken..piece]);
        rest = &rest[piece..];
    }
    Ok(())
}

fn message(input: &mut Unstructured<'_>) -> Result<Message> {
    let len = match input.int_in_range(0..=7)? {
        0 => input.int_in_range(3000..=5000)?,
        1 => input.int_in_range(60_000..=70_000)?,
        _ => input.int_in_range(0..=200)?,
    };
    let text: String = (0..len).map(|at: usize| char::from(LETTERS[at * at % 26])).collect();
    Ok(if input.arbitrary()? { text.into() } else { text.into_bytes().into() })
}

const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
