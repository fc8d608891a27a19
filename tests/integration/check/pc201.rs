//! PC201 `public-bind-no-auth`.

use super::{silent, trips};
use crate::support::load;

#[test]
fn what_others_reach_without_tokens() {
    let off = "oauth: {enabled: false}";
    let address = format!("listen: {{address: \"0.0.0.0:3050\", public_url: \"http://localhost:3050\"}}\n{off}");
    assert!(load(&format!("version: 1\n{address}\n")).config.is_none());
    trips(
        "PC201",
        &[
            (&address, "\"0.0.0.0:3050\""),
            (&format!("listen: {{public_url: \"https://mcp.example.com\"}}\n{off}"), "\"https://mcp.example.com\""),
        ],
    );
    silent(
        "PC201",
        &[
            off,
            &format!("listen: {{address: \"[::1]:80\"}}\n{off}"),
            "listen: {address: \"0.0.0.0:3050\", public_url: \"https://mcp.example.com\"}",
        ],
    );
}
