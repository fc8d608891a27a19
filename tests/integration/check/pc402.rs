//! PC402 `weak-signing-key`.

use super::{silent, trips};

#[test]
fn keys_are_long_and_random() {
    let zeros = "A".repeat(43);
    let hex = "0123456789abcdeffedcba9876543210".repeat(2);
    let random = "hex:3b1f0c5d9e8a7b6c4d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c";
    for (text, at) in [
        ("encryption: {key: changeme}", "changeme"),
        ("encryption: {key: short-but-odd}", "short-but-odd"),
        ("encryption: {key: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("encryption: {key: \"base64:AAECAwQFBgc=\"}", "\"base64:AAECAwQFBgc=\""),
        (&format!("encryption: {{key: \"base64:{zeros}\"}}"), &format!("\"base64:{zeros}\"")),
        (&format!("encryption: {{key: \"hex:{hex}\"}}"), &format!("\"hex:{hex}\"")),
        ("oauth: {signing_key: b7Gq-x!0kWm2Zt9Lp}", "b7Gq-x!0kWm2Zt9Lp"),
        ("oauth: {keys: [secretsecretsecretsecretsecretsecret]}", "secretsecretsecretsecretsecretsecret"),
        ("oauth: {clients: {app: {secret: changeme}}}", "changeme"),
        ("audit: {seal: {key: changeme}}", "changeme"),
    ] {
        trips("PC402", &[(text, at)]);
    }
    for text in [
        "encryption: {key: {env: KEY}}",
        "encryption: {key: b7Gq-x!0kWm2Zt9Lp}",
        &format!("encryption: {{key: \"{random}\"}}"),
        "encryption: {key: {file: changeme}}",
        "oauth: {clients: {app: {secret: {env: APP_SECRET}}}}",
        "encryption: {}",
    ] {
        silent("PC402", &[text]);
    }
}
