//! The gateway from outside: who may see and do what, how refusals look, what is written down, and
//! how it ends.

/// Hostile requests at the door.
mod door;
/// What differs from what is pinned.
mod drift;
/// Upstreams that misbehave behind the gateway.
mod hostile;
/// How it starts and ends.
mod life;
/// Who may see and do what.
mod access;
/// Servers that ask their callers.
mod asks;
/// Legacy sessions, and whose they are.
mod session;
/// What changes, and who is told.
mod changes;
/// Many servers as one.
mod merged;
/// What passes through, from the caller to the server and back.
mod through;
/// Regressions of the field, by their ids.
mod threats;
/// Configurations read anew.
mod reload;
/// What is refused for its arguments.
mod argument;
/// What is said back, and what it tells.
mod output;
/// What is in force, and for whom.
mod live;
/// OAuth off.
mod local;
/// What is answered at all.
mod surface;
/// Configured filters with an endpoint of their own.
mod views;
/// Rows of the protocol, by their ids.
mod rows;
/// What servers prove themselves with, and which processes are started.
mod credentials;

/// Two servers of the demonstration kind, as in the quickstart.
pub(crate) const DEMO: &str = "version: 1
listen: {address: '{address}'}
tags: {clock: Tell the time, notes: Read the notes, write: Write the notes, secret: Nobody has it}
servers:
  time:
    tags: [clock]
    stdio: {command: [portcullis, demo-server, time]}
  notes:
    tags: [notes]
    stdio: {command: [portcullis, demo-server, notes, --dir, ./notes]}
    tools:
      write_note: {tags: [write]}
      delete_note: deny
    resources:
      'notes://private*': deny
  hidden:
    tags: [secret]
    stdio: {command: [portcullis, demo-server, text]}
grants:
  - {to: {user: owner}, scopes: ['tag:clock', 'tag:notes', 'tag:write']}
  - {to: {client: robot}, scopes: ['tag:clock']}
  - {to: {user: boss}, scopes: ['tag:secret']}
";
