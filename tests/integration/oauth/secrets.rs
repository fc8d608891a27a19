//! Nothing that is a secret is ever written down: every one that was issued or shown is looked for, plain,
//! URL-encoded and in base64, in the log, the trail, the store's files and what children are started with.

use std::path::{Path, PathBuf};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use portcullis::store::Risk;
use serde_json::json;

use super::{ASK, FORM, SECRET, post, yaml};
use crate::support::{
    consenting::{Consenting, Given, Tokens, VERIFIER, lists, redeem, refresh},
    running::Running,
};

/// The ways in which a text may have been written. Base64 has three, by where in a longer text it began; of each
/// that part which does not depend on its neighbours.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let percent = |upper: bool| {
        let one = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        };
        secret.bytes().map(one).collect::<String>()
    };
    let mut all = vec![secret.to_owned(), percent(true), percent(false)];
    for lead in 0..3 {
        let padded = [vec![0; lead], secret.as_bytes().to_vec()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            let (begin, end) = ((lead * 8).div_ceil(6), padded.len() / 3 * 4);
            all.push(text[begin..end].to_owned());
        }
    }
    all.into_iter().map(String::into_bytes).collect()
}

/// Every file below a folder.
fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, all) } else { all.push(path) }
    }
}

/// The processes that a process started, and those that they did.
fn children(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
        if parent == Some(pid) {
            found.push(child);
            found.extend(children(child));
        }
    }
    found
}

#[test]
fn oa34_oa130_oa131_t172_t212_az23_sm10_sm23_no_secret_is_written_anywhere() {
    let mut gateway = Running::prepare(&yaml().replace("lifetime: 5s", "lifetime: 10m"));
    std::fs::write(gateway.path("robot.secret"), SECRET).unwrap();
    gateway.launch_with(&["--log", "trace"]);
    let store = Consenting::at(&gateway, &format!("http://{}", gateway.address()));
    let mut secrets = vec![SECRET.to_owned(), VERIFIER.to_owned()];

    // A client's own token, introspected and given back.
    let robot = Tokens::of(&post(&gateway, "/oauth/token", ASK)).access;
    let own = format!("client_id=robot&client_secret={SECRET}&token={robot}");
    assert_eq!(lists(&gateway, &robot), 200);
    assert_eq!(post(&gateway, "/oauth/introspect", &own).json()["active"], true);
    assert_eq!(post(&gateway, "/oauth/revoke", &own).status, 200);
    secrets.push(robot);
    // A person's tokens, by a code: redeemed, refreshed, used, used twice.
    let opened = [("tag:clock", "time", Risk::Destructive)];
    let given = Given { endpoint: "/mcp", scopes: &["tag:clock"], opened: &opened };
    let code = store.approve(&given);
    let first = Tokens::of(&redeem(&gateway, &code));
    let second = Tokens::of(&refresh(&gateway, &first.refresh, ""));
    let third = Tokens::of(&refresh(&gateway, &second.refresh, ""));
    assert_eq!(gateway.call("/mcp", Some(&third.access), "time__now", json!({})).status, 200);
    assert_eq!(refresh(&gateway, &first.refresh, "").status, 400);
    assert_eq!(redeem(&gateway, &code).status, 400);
    secrets.push(code);
    for Tokens { access, refresh } in [first, second, third] {
        secrets.extend([access, refresh]);
    }
    // A client that registers itself, with a secret.
    let body = r#"{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "client_secret_basic"}"#;
    let made = gateway.send("POST", "/oauth/register", &[("Content-Type", "application/json")], body).json();
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap().to_owned());
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let shown =
        |body: &str| gateway.send("POST", "/oauth/token", &[("Content-Type", FORM), ("Authorization", &basic)], body);
    assert_eq!(shown("grant_type=refresh_token&refresh_token=pc_rt_nothing-of-ours-at-all").status, 400);
    secrets.push(secret);
    // Ones that are wrong, and such as stand where they should not.
    let mistaken = "hunter2/+ is wrong & shown:everywhere";
    let encoded = "hunter2%2F%2B%20is%20wrong%20%26%20shown%3Aeverywhere";
    let wrong = STANDARD.encode(format!("robot:{encoded}"));
    let wrong = [("Content-Type", FORM), ("Authorization", &*format!("Basic {wrong}"))];
    assert_eq!(gateway.send("POST", "/oauth/token", &wrong, "grant_type=client_credentials").status, 401);
    for path in [
        format!("/oauth/token?client_secret={encoded}"),
        format!("/mcp?access_token={encoded}"),
        format!("/oauth/nothing?code={encoded}"),
    ] {
        assert!(gateway.send("POST", &path, &[("Content-Type", FORM)], ASK).status >= 400, "{path}");
    }
    for field in ["code", "refresh_token", "token", "code_verifier", "scope", "resource", "client_id"] {
        let body = format!("grant_type=authorization_code&client_id=desk&{field}={encoded}");
        assert!(post(&gateway, "/oauth/token", &body).status >= 400, "{field}");
    }
    assert_eq!(lists(&gateway, "pc_at_0mistaken-and-yet-a-token-of-somebody"), 401);
    secrets.extend([mistaken.to_owned(), encoded.to_owned(), "mistaken-and-yet-a-token-of-somebody".into()]);
    // One that a command printed.
    let printed = gateway.token("tag:clock", &[]);
    assert_eq!(lists(&gateway, &printed), 200);
    secrets.push(printed);

    let pids = children(gateway.pid());
    assert!(!pids.is_empty(), "a server runs as a child");
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    for pid in pids.iter().chain([&gateway.pid()]) {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{file}");
            places.push((path.clone(), std::fs::read(&path).unwrap_or_default()));
        }
    }
    // The store is looked at with its log, and once more when all is in its file.
    let look = |places: &mut Vec<(String, Vec<u8>)>| {
        let mut all = Vec::new();
        files(&gateway.path(""), &mut all);
        let given = ["robot.secret", "portcullis.yaml"];
        for path in all.into_iter().filter(|path| !given.iter().any(|name| path.ends_with(name))) {
            places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    };
    look(&mut places);
    for name in ["stderr.log", "audit.ndjson", "portcullis.db"] {
        let seen = places.iter().any(|(path, bytes)| path.ends_with(name) && bytes.len() > 500);
        let sizes: Vec<_> = places.iter().map(|(path, bytes)| (path, bytes.len())).collect();
        assert!(seen, "there is something to look at in {name}: {sizes:?}");
    }
    assert!(secrets.len() >= 14);
    for secret in &secrets {
        for spelling in spellings(secret) {
            for (place, bytes) in &places {
                let holds = bytes.windows(spelling.len()).any(|window| window == spelling);
                assert!(!holds, "{place} holds a secret, written `{}`", String::from_utf8_lossy(&spelling));
            }
        }
    }
    drop(store);
    assert!(gateway.stop().success());
    let mut places = Vec::new();
    let mut all = Vec::new();
    files(&gateway.path(".portcullis"), &mut all);
    for path in all {
        places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    for secret in &secrets {
        for spelling in spellings(secret) {
            for (place, bytes) in &places {
                assert!(!bytes.windows(spelling.len()).any(|window| window == spelling), "{place}");
            }
        }
    }
}

#[test]
fn a_secret_is_found_in_each_of_its_spellings() {
    let secret = "a secret/+ of some length";
    let encoded = STANDARD.encode(format!("robot:{secret} and more"));
    let shifted = STANDARD.encode(format!("x{secret}yz"));
    for text in [secret.to_owned(), "a%20secret%2F%2B%20of%20some%20length".into(), encoded, shifted] {
        assert!(
            spellings(secret).iter().any(|one| text.as_bytes().windows(one.len()).any(|part| part == one)),
            "{text}"
        );
    }
}
