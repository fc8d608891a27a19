//! The socket: bound by us, or passed by systemd, and room for as many connections as it may have.

use std::{io, net::SocketAddr};

use listenfd::ListenFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the system may keep for us until they are accepted.
const BACKLOG: u32 = 4096;
/// Descriptors that are not connections: files, children's pipes, connections to upstreams.
const OTHERS: u64 = 256;

/// The socket that systemd passes, if it does (`LISTEN_FDS`, `LISTEN_PID`). Takes the variables out of
/// the environment, so that no child takes them for its own: for before there are threads.
///
/// # Errors
/// When what is passed is no listening TCP socket, or more than one.
pub(crate) fn inherited() -> io::Result<Option<std::net::TcpListener>> {
    let mut passed = ListenFd::from_env();
    match passed.len() {
        0 => Ok(None),
        1 => passed.take_tcp_listener(0).map_err(|error| {
            io::Error::new(error.kind(), format!("systemd passes a socket that cannot be used: {error}"))
        }),
        count => {
            let words = format!("systemd passes {count} sockets, and there is one listener: write one `ListenStream=`");
            Err(io::Error::other(words))
        }
    }
}

/// Takes a socket that is bound already.
pub(super) fn adopt(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Binds the address, so that a taken port is a plain error before anything else starts.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // What ended a moment ago does not keep the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many of `wanted` connections the process has descriptors for, once it may have as many as the
/// system lets it.
pub(super) fn room(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let raised = current.map(|current| current.max(maximum.map_or(needed, |maximum| needed.min(maximum))));
    let allowed = match setrlimit(Resource::Nofile, Rlimit { current: raised, maximum }) {
        Ok(()) => raised,
        Err(_) => current,
    };
    let room = allowed.map_or(u64::MAX, |allowed| allowed.saturating_sub(OTHERS).max(allowed / 2));
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(wanted);
    if room < wanted {
        tracing::warn!(
            room,
            wanted,
            "fewer connections than `listen.limits.connections`: the process may not open more files"
        );
    }
    room
}
