//! Connections in numbers that say nothing, little or too slowly: bounded, closed, and nobody waits for them.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use super::{served, yaml};
use crate::support::running::Running;

/// The most that a process with so many connections may have, in MiB, over what it began with.
const MOST: u64 = 160;

/// How many connections that the system lets us have, of `wanted`.
fn many(wanted: usize) -> usize {
    let rustix::process::Rlimit { current, maximum } = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: maximum, maximum };
    let allowed = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).map_or(current, |()| maximum);
    let room = allowed.map_or(usize::MAX, |allowed| usize::try_from(allowed).unwrap() - 200);
    if room < wanted {
        crate::support::skipped(&format!("{} of {wanted} connections", wanted - room), "the process may not open more");
    }
    room.min(wanted)
}

/// How many were asked for: `PORTCULLIS_TEST_CONNECTIONS`, else `usual`.
fn count(usual: usize) -> usize {
    many(std::env::var("PORTCULLIS_TEST_CONNECTIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(usual))
}

fn closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut rest = [0; 512];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// Descriptors of a process.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn t195_connections_that_say_nothing_keep_nobody_out() {
    let count = count(2_000);
    // Fewer places than there are callers.
    let gateway = Running::start(&yaml(&format!("limits: {{connections: {}, idle: 3s}}", count / 2)));
    let token = gateway.token("tag:clock", &[]);
    served(&gateway, &token);
    let (memory, before) = (gateway.peak_memory(), descriptors(gateway.pid()));
    let mut silent = Vec::new();
    let mut slowest = Duration::ZERO;
    for nth in 0..count {
        let mut stream = TcpStream::connect(gateway.address()).unwrap();
        match nth % 4 {
            0 => {}
            // Half a header section, half of what begins HTTP/2, half of a TLS hello.
            1 => _ = stream.write_all(b"POST /mcp HTTP/1.1\r\nX-"),
            2 => _ = stream.write_all(b"PRI * HTTP/2.0\r\n"),
            _ => _ = stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00"),
        }
        silent.push(stream);
        if nth % 500 == 499 {
            slowest = slowest.max(served(&gateway, &token));
        }
    }
    slowest = slowest.max(served(&gateway, &token));
    let over = gateway.peak_memory() - memory;
    println!("{count} connections: the middle call took {slowest:?} at most, {over} MiB more at the peak");
    assert!(over < MOST, "{over} MiB");
    // All of them are closed in time, and nothing of them stays.
    for stream in &mut silent {
        assert!(closed(stream));
    }
    let begun = Instant::now();
    while descriptors(gateway.pid()) > before + 8 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{before} and then {}", descriptors(gateway.pid()));
        std::thread::yield_now();
    }
    served(&gateway, &token);
}

#[test]
fn t195_slow_headers_slow_bodies_and_a_full_house() {
    let gateway = Running::start(&yaml("limits: {connections: 64, idle: 3s, request: 20s}"));
    let token = gateway.token("tag:clock", &[]);
    let address = gateway.address();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
    );
    // Every place is held by a body that does not come: the longest of them goes for the next caller.
    let mut slow: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(b"{").unwrap();
            stream
        })
        .collect();
    served(&gateway, &token);
    // A header section that trickles never counts as a request.
    let begun = Instant::now();
    let mut trickle = TcpStream::connect(address).unwrap();
    trickle.write_all(format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\n").as_bytes()).unwrap();
    trickle.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut byte = [0];
    loop {
        assert!(begun.elapsed() < Duration::from_secs(15), "a header section may trickle for ever");
        if trickle.write_all(b"X: y\r\n").is_err() {
            break;
        }
        match trickle.read(&mut byte) {
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            _ => break,
        }
    }
    assert!(begun.elapsed() > Duration::from_secs(1), "it was cut off at once");
    assert!(slow.iter_mut().take(1).all(closed), "who waited longest is gone");
}
