//! The command line of Portcullis.

use std::{ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.split_first() {
        #[cfg(feature = "serve")]
        Some((command, rest)) if command == "__child" => portcullis::cli::child::run(rest),
        Some((command, rest)) if command == "demo-server" => portcullis::cli::demo_server::run(rest),
        Some(_) | None => ExitCode::from(2),
    }
}
