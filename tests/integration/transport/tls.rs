//! TLS that ends here: a handshake, a new certificate, and what does not start.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::CertificateDer,
    version::{TLS12, TLS13},
};
use serde_json::json;

use super::yaml;
use crate::{
    cli::run,
    support::running::{Answer, Running, parse},
};

/// A certificate of our own for this machine, written where the configuration looks for it.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let put = |name: &str, text: String| {
        let draft = folder.join(format!("{name}.new"));
        std::fs::write(&draft, text).unwrap();
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::rename(draft, folder.join(name)).unwrap();
    };
    put("cert.pem", made.cert.pem());
    put("key.pem", made.signing_key.serialize_pem());
    made.cert.der().clone()
}

const FILES: &str = "tls: {certificate: cert.pem, private_key: key.pem}";

fn start(more: &str) -> (Running, CertificateDer<'static>) {
    let mut gateway = Running::prepare(&yaml(&format!("{FILES}{more}")));
    let trusted = certificate(&gateway.path(""));
    let mut command = gateway.command(&["serve"]);
    gateway.launch_by(command.stdin(Stdio::null()));
    (gateway, trusted)
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn connect(
    gateway: &Running,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    alpn: &[&str],
) -> Result<Stream, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let tcp = TcpStream::connect(gateway.address())?;
    tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

fn send(mut stream: Stream, text: &str) -> Answer {
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer);
    parse(&answer)
}

fn call(gateway: &Running, token: &str) -> String {
    let (fields, body) = super::call("time__now");
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {token}\r\n{fields}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        gateway.address().port(),
        body.len()
    )
}

#[test]
fn sm21_sm30_az24_tls_12_and_13_with_both_protocols() {
    let (gateway, trusted) = start("");
    let token = gateway.token("tag:clock", &[]);
    for (version, spoken) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let stream = connect(&gateway, &trusted, version, &["http/1.1"]).unwrap();
        assert_eq!(stream.conn.protocol_version(), Some(spoken));
        assert_eq!(stream.conn.alpn_protocol(), Some(b"http/1.1".as_slice()));
        let answer = send(stream, &call(&gateway, &token));
        assert!(answer.status == 200 && answer.json()["result"].is_object(), "{answer:?}");
        let stream = connect(&gateway, &trusted, version, &["h2", "http/1.1"]).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(b"h2".as_slice()));
    }
    // SM-21: whoever comes by TLS is told to go on so, refused or not.
    for path in ["/healthz", "/nowhere", "/mcp"] {
        let stream = connect(&gateway, &trusted, &TLS13, &[]).unwrap();
        let port = gateway.address().port();
        let text = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
        let answer = send(stream, &text);
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000; includeSubDomains"), "{path}");
    }
    // The identifiers are `https`, and what speaks no TLS gets no answer of HTTP.
    let stream = connect(&gateway, &trusted, &TLS13, &[]).unwrap();
    let path = "GET /.well-known/oauth-protected-resource/mcp HTTP/1.1";
    let metadata =
        send(stream, &format!("{path}\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", gateway.address().port()));
    assert_eq!(metadata.json()["resource"], format!("https://{}/mcp", gateway.address()));
    assert_eq!(gateway.send("GET", "/healthz", &[], "").status, 0);
}

#[test]
fn sm21_rules_see_tls() {
    let rule = "\nrules:\n  - {id: tls-only, forbid: {servers: [time]}, unless: context.tls}\n";
    let mut gateway = Running::prepare(&format!("{}{rule}", yaml(FILES)));
    let trusted = certificate(&gateway.path(""));
    let mut command = gateway.command(&["serve"]);
    gateway.launch_by(command.stdin(Stdio::null()));
    let token = gateway.token("tag:clock", &[]);
    let stream = connect(&gateway, &trusted, &TLS13, &[]).unwrap();
    assert!(send(stream, &call(&gateway, &token)).json()["result"].is_object());
    // The same rule, where nothing is TLS.
    let plain = Running::start(&format!("{}{rule}", crate::gateway::DEMO));
    let token = plain.token("tag:clock", &[]);
    assert_ne!(plain.call("/mcp", Some(&token), "time__now", json!({})).code(), 0);
}

#[test]
fn sm30_a_new_certificate_is_taken_and_a_bad_one_is_not() {
    let (gateway, old) = start("");
    // Kept open over the change.
    let mut kept = connect(&gateway, &old, &TLS13, &["http/1.1"]).unwrap();
    let event = |what: &str| {
        let begun = Instant::now();
        loop {
            let found = gateway.audit().into_iter().find(|record| record["what"] == what);
            if let Some(found) = found {
                return found;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "no `{what}`: {}", gateway.log());
            std::thread::yield_now();
        }
    };
    let new = certificate(&gateway.path(""));
    event("certificate-reloaded");
    assert!(connect(&gateway, &new, &TLS13, &[]).is_ok());
    assert!(connect(&gateway, &old, &TLS13, &[]).is_err());
    let line =
        format!("GET /healthz HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", gateway.address().port());
    kept.write_all(line.as_bytes()).unwrap();
    let mut answer = Vec::new();
    _ = kept.read_to_end(&mut answer);
    assert_eq!(parse(&answer).status, 200);
    std::fs::write(gateway.path("cert.pem"), "-----BEGIN CERTIFICATE-----\nnot one\n").unwrap();
    let refused = event("certificate-refused");
    assert!(refused.to_string().contains("cert.pem"), "{refused}");
    assert!(connect(&gateway, &new, &TLS13, &[]).is_ok(), "the one before it stays in force");
}

#[test]
fn t195_a_handshake_that_never_ends_is_cut_off() {
    let (gateway, trusted) = start(", limits: {idle: 1s}");
    let mut silent = TcpStream::connect(gateway.address()).unwrap();
    let mut half = TcpStream::connect(gateway.address()).unwrap();
    half.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
    assert!(connect(&gateway, &trusted, &TLS13, &[]).is_ok());
    for stream in [&mut silent, &mut half] {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn sm30_files_that_cannot_be_used_start_nothing() {
    let place = Running::prepare(&yaml(FILES));
    let fails = |words: &str| {
        let said = run(&place, &["serve"]);
        assert!(said.status == 2 && said.err.contains(words), "{words}: {said:?}");
        assert!(!place.path(".portcullis").exists(), "something was made");
    };
    fails("error: `listen.tls.certificate`: the file `cert.pem`: No such file or directory");
    certificate(&place.path(""));
    let key = std::fs::read_to_string(place.path("key.pem")).unwrap();
    std::fs::set_permissions(place.path("key.pem"), std::fs::Permissions::from_mode(0o640)).unwrap();
    fails("`listen.tls.private_key`: the file `key.pem`: is open to others than its owner");
    std::fs::set_permissions(place.path("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(place.path("key.pem"), "secret-that-is-no-key").unwrap();
    fails("`listen.tls.private_key`: the file `key.pem`: holds no private key that can be read");
    assert!(!run(&place, &["serve"]).err.contains("secret-that-is-no-key"));
    certificate(&place.path(""));
    std::fs::write(place.path("key.pem"), key).unwrap();
    fails("`key.pem`: does not go with the certificate");
    std::fs::write(place.path("cert.pem"), "").unwrap();
    fails("`cert.pem`: holds no certificate");
}

#[test]
fn az24_nothing_is_public_without_tls() {
    let public = |more: &str| {
        let yaml = yaml(more).replace("'{address}'", "'0.0.0.0:0'");
        run(&Running::prepare(&yaml), &["serve"])
    };
    let said = public("public_url: 'https://mcp.example'");
    assert!(said.status == 1 && said.err.contains("[PC202]") && said.err.contains("listen.tls"), "{said:?}");
    // Nobody can answer for it.
    let ignore = "oauth: {login: users}\nlint: {ignore: [{rule: PC202, path: listen, reason: we know}]}\n";
    let yaml = format!("{}{ignore}", yaml("public_url: 'https://mcp.example'")).replace("'{address}'", "'0.0.0.0:0'");
    let said = run(&Running::prepare(&yaml), &["serve"]);
    assert!(said.status == 2 && said.err.contains("error: other machines reach 0.0.0.0:"), "{said:?}");
    let said = public("tls_proxy: true, public_url: 'http://localhost:3050'");
    assert!(said.status == 1 && said.err.contains("must be `https`"), "{said:?}");
}
