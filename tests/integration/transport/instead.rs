//! What flags and variables say instead of the file: read, checked and recorded like it.

use std::process::Stdio;

use crate::{
    cli::{CONFIG, Said, at, run, run_with, says},
    support::running::{Running, free_address},
};

fn serve(yaml: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let place = at(yaml);
    let arguments: Vec<&str> = ["serve"].into_iter().chain(arguments.iter().copied()).collect();
    run_with(&place, &arguments, variables)
}

#[test]
fn sm23_findings_stand_at_the_flag_or_the_variable() {
    says("instead_listen_flag", &serve(CONFIG, &["--listen", "nowhere"], &[]));
    says("instead_listen_variable", &serve(CONFIG, &[], &[("PORTCULLIS_LISTEN", "nowhere")]));
    says("instead_public_url", &serve(CONFIG, &["--public-url", "http://mcp.example/path"], &[]));
    // Linted: the same rules, and what cannot be mended in a file is not offered to be.
    says("instead_public", &serve(CONFIG, &["--listen", "0.0.0.0:0", "--public-url", "https://mcp.example"], &[]));
    let tier = "rates: {all: {limit: 1000, window: 1m, by: address, on: [oauth, mcp]}}\n";
    let off = format!("{CONFIG}oauth: {{enabled: false}}\n{tier}");
    let said = serve(&off, &[], &[("PORTCULLIS_LISTEN", "0.0.0.0:0"), ("PORTCULLIS_PUBLIC_URL", "http://localhost:1")]);
    assert!(
        said.status == 1 && said.err.contains("[PC201]") && said.err.contains("--> PORTCULLIS_LISTEN:1:1"),
        "{said:?}"
    );
    assert!(!said.err.contains("--fix"), "{said:?}");
}

#[test]
fn sm23_a_key_on_the_command_line_is_refused_and_never_shown() {
    let key = "a-long-and-winding-passphrase";
    let said = serve(CONFIG, &["--token-encryption-key", key], &[]);
    assert!(said.status == 1 && said.err.contains("[PC401]") && !said.err.contains(key), "{said:?}");
    let said = serve(CONFIG, &["--token-encryption-key", "env:NO_SUCH_KEY"], &[]);
    assert_eq!(
        (said.status, said.err.as_str()),
        (2, "error: `encryption.key`: the variable `NO_SUCH_KEY` is not set\n")
    );
    // Too weak, wherever it is said.
    let said = serve(CONFIG, &[], &[("PORTCULLIS_TOKEN_ENCRYPTION_KEY", "too short")]);
    assert!(said.status == 2 && said.err.contains("fewer than 16 characters"), "{said:?}");
    assert!(!said.err.contains("too short"), "{said:?}");
}

#[test]
fn a_flag_wins_over_its_variable_and_both_over_the_file() {
    let mut place = Running::prepare(CONFIG);
    let (file, other) = (place.address(), free_address());
    let mut command = place.command(&["serve", "--listen", &file.to_string()]);
    command
        .env("PORTCULLIS_LISTEN", other.to_string())
        .env("PORTCULLIS_PUBLIC_URL", "https://gate.example.com")
        .env("PORTCULLIS_TOKEN_ENCRYPTION_KEY", "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    place.launch_by(command.stdin(Stdio::null()));
    let metadata = place.send("GET", "/.well-known/oauth-protected-resource/mcp", &[], "");
    assert_eq!(metadata.json()["resource"], "https://gate.example.com/mcp");
    // Recorded, by name and never by value.
    let event = place.audit().into_iter().find(|record| record["what"] == "config-loaded").unwrap();
    let text = event.to_string();
    assert!(
        text.contains("--listen PORTCULLIS_PUBLIC_URL PORTCULLIS_TOKEN_ENCRYPTION_KEY") && !text.contains("000102"),
        "{text}"
    );
    // Whoever makes tokens for it has the same variables; without the key there are none.
    assert_eq!(run(&place, &["token", "issue", "--scopes", "tag:clock"]).status, 2);
    let variables = [
        ("PORTCULLIS_PUBLIC_URL", "https://gate.example.com"),
        ("PORTCULLIS_TOKEN_ENCRYPTION_KEY", "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
    ];
    let said = run_with(&place, &["token", "issue", "--scopes", "tag:clock"], &variables);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(place.tools("/mcp", Some(said.out.trim())).contains(&"time__now".to_owned()));
    // The revision is another than that of the file alone.
    let revision = |event: &serde_json::Value| event["facts"]["config_revision"].as_str().unwrap().to_owned();
    let first = revision(&event);
    assert!(place.stop().success());
    let mut command = place.command(&["serve"]);
    command.env("PORTCULLIS_ENCRYPTION_KEY", variables[1].1);
    place.launch_by(command.stdin(Stdio::null()));
    // Whoever is answered is answered after that was written.
    assert_eq!(place.send("GET", "/healthz", &[], "").status, 200);
    let events = place.audit();
    let last = events.iter().rfind(|record| record["what"] == "config-loaded").unwrap();
    assert_ne!(revision(last), first);
}
