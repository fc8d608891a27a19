//! Many servers as one: completions, pages, capabilities, and what a server that does not answer costs.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    fake_http::{Answer, Fake, Seen, answer, json as answer_json},
    running::Running,
};

/// What a server of the legacy era behind the gateway is.
#[derive(Clone, Default)]
pub(super) struct Server {
    pub(super) capabilities: Value,
    pub(super) instructions: &'static str,
    pub(super) tools: Vec<String>,
    pub(super) prompts: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) templates: Vec<String>,
    /// How long it takes to list its tools.
    pub(super) delay: Duration,
}

impl Server {
    pub(super) fn with_tools(names: impl IntoIterator<Item = String>) -> Self {
        Self { capabilities: json!({"tools": {}}), tools: names.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn answer(&self, seen: &Seen) -> Answer {
        let (id, params) = (seen.body["id"].clone(), &seen.body["params"]);
        let entries = |names: &[String], key: &str| -> Value {
            names.iter().map(|name| json!({key: name, "name": name, "inputSchema": {"type": "object"}})).collect()
        };
        let result = match seen.rpc() {
            "initialize" => json!({
                "protocolVersion": "2025-11-25",
                "capabilities": self.capabilities,
                "serverInfo": {"name": "fake", "version": "1"},
                "instructions": self.instructions,
            }),
            "tools/list" => json!({"tools": entries(&self.tools, "name")}),
            "prompts/list" => json!({"prompts": entries(&self.prompts, "name")}),
            "resources/list" => json!({"resources": entries(&self.resources, "uri")}),
            "resources/templates/list" => json!({"resourceTemplates": entries(&self.templates, "uriTemplate")}),
            "completion/complete" => {
                json!({"completion": {"values": [params["argument"]["value"]]}, "seen": params["ref"]})
            }
            "resources/read" => json!({"contents": [{"uri": params["uri"], "text": "x"}]}),
            "" => return answer("202 Accepted", "", ""),
            method if method.starts_with("notifications/") => return answer("202 Accepted", "", ""),
            _ => {
                let error = json!({"code": -32601, "message": "no such method"});
                return answer_json(&json!({"jsonrpc": "2.0", "id": id, "error": error}));
            }
        };
        let whole = json!({"jsonrpc": "2.0", "id": id, "result": result});
        if seen.rpc() == "tools/list" && !self.delay.is_zero() {
            let body = whole.to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
            return Answer::Later(self.delay, (head + &body).into());
        }
        answer_json(&whole)
    }

    pub(super) async fn start(self) -> Fake {
        Fake::start(move |seen| self.answer(seen)).await
    }
}

/// A configuration over these servers, each `public` with OAuth on.
pub(super) fn yaml<'f>(servers: impl IntoIterator<Item = (&'f str, &'f str, &'f str)>) -> String {
    let mut yaml = "version: 1\nlisten: {address: '{address}'}\ntags: {a: A, b: B}\ngrants:\n  - {to: {user: '*'}, scopes: ['tag:a', 'tag:b']}\nservers:\n".to_owned();
    for (name, url, more) in servers {
        yaml.push_str(&format!("  {name}:\n    tags: [a]\n    http: {{url: '{url}'}}\n{more}"));
    }
    yaml
}

#[tokio::test(flavor = "multi_thread")]
async fn px27_cg04_a_completion_is_decided_on_what_it_is_for_and_passed_on_unadvertised() {
    let server = Server {
        capabilities: json!({"prompts": {}, "resources": {}}),
        prompts: vec!["greet".into(), "secret".into()],
        templates: vec!["x://{id}".into(), "private://{id}".into()],
        ..Server::default()
    };
    let fake = server.start().await;
    let gateway = Running::start(&yaml([(
        "s",
        &*fake.url,
        "    prompts: {secret: deny}\n    resources: {'private://*': deny}\n",
    )]));
    let token = gateway.token("tag:a", &[]);
    let complete = |path: &str, reference: Value| {
        let params =
            json!({"ref": reference, "argument": {"name": "id", "value": "v"}, "context": {"arguments": {"a": "b"}}});
        gateway.modern(path, Some(&token), "completion/complete", params)
    };
    for (path, prompt) in [("/mcp", "s__greet"), ("/mcp/s", "greet")] {
        let own = gateway.token("tag:a", &["--resource", &format!("http://{}{path}", gateway.address())]);
        let params = json!({"ref": {"type": "ref/prompt", "name": prompt}, "argument": {"name": "id", "value": "v"}});
        let said = gateway.modern(path, Some(&own), "completion/complete", params.clone()).json();
        assert_eq!(said["result"]["completion"]["values"], json!(["v"]), "{said}");
        assert_eq!(said["result"]["seen"], json!({"type": "ref/prompt", "name": "greet"}));
        assert_eq!(said["result"]["resultType"], "complete");
        // The other era.
        let said =
            gateway.post(path, Some(&own), &crate::support::running::request("completion/complete", params)).json();
        assert_eq!(said["result"]["completion"]["values"], json!(["v"]), "{said}");
        assert_eq!(said["result"].get("resultType"), None);
    }
    let said = complete("/mcp", json!({"type": "ref/resource", "uri": "x://{id}"})).json();
    assert_eq!(said["result"]["seen"]["uri"], "x://{id}", "{said}");
    // What is forbidden looks as what is not there.
    for (reference, because) in [
        (json!({"type": "ref/prompt", "name": "s__secret"}), "explicit-forbid"),
        (json!({"type": "ref/prompt", "name": "s__none"}), "unknown-tool"),
        (json!({"type": "ref/resource", "uri": "private://{id}"}), "explicit-forbid"),
    ] {
        let answer = complete("/mcp", reference.clone());
        assert_eq!((answer.status, answer.code()), (200, -32602), "{reference} {answer:?}");
        let decision = gateway.last_decision();
        assert_eq!(decision["decision"]["because"], because, "{decision}");
        assert_eq!(decision["request"]["method"], "completion/complete");
    }
    for bad in
        [json!({"type": "ref/tool", "name": "x"}), json!({"type": "ref/prompt", "name": "s__greet", "x": 1}), json!(7)]
    {
        assert_eq!(complete("/mcp", bad).code(), -32602);
    }
    let asked = fake.seen().iter().filter(|seen| seen.rpc() == "completion/complete").count();
    assert_eq!(asked, 5, "what is refused reaches no server");
}

#[tokio::test(flavor = "multi_thread")]
async fn pg01_px06_ca03_long_lists_come_in_pages_that_only_their_reader_can_turn() {
    let names = |server: usize| (0..900).map(move |n| format!("t{server}-{n}"));
    let (one, two) = (Server::with_tools(names(1)).start().await, Server::with_tools(names(2)).start().await);
    let three = Server::with_tools(names(3)).start().await;
    let gateway = Running::start(&yaml([("one", &*one.url, ""), ("two", &*two.url, ""), ("three", &*three.url, "")]));
    let token = gateway.token("tag:a", &["--user", "ana"]);
    let page = |token: &str, cursor: Option<&str>| {
        let params = cursor.map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
        gateway.modern("/mcp", Some(token), "tools/list", params)
    };
    let (mut all, mut cursors, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let result = page(&token, cursor.as_deref()).json()["result"].clone();
        let tools = result["tools"].as_array().unwrap_or_else(|| panic!("{result}")).clone();
        assert!(tools.len() <= 1000);
        assert_eq!((&result["cacheScope"], &result["ttlMs"]), (&json!("private"), &json!(0)));
        all.extend(tools.into_iter().map(|tool| tool["name"].as_str().unwrap().to_owned()));
        let Some(next) = result["nextCursor"].as_str() else { break };
        cursors.push(next.to_owned());
        cursor = Some(next.to_owned());
    }
    assert_eq!((all.len(), cursors.len()), (2700, 2));
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 2700, "nothing twice");
    let first = cursors[0].as_str();
    let bob = gateway.token("tag:a", &["--user", "bob"]);
    let mut turned = first.to_owned().into_bytes();
    let middle = turned.len() / 2;
    turned[middle] = if turned[middle] == b'A' { b'B' } else { b'A' };
    let turned = String::from_utf8(turned).unwrap();
    for (token, cursor) in [(&bob, first), (&token, &*turned), (&token, ""), (&token, "1000")] {
        let answer = page(token, Some(cursor));
        assert_eq!((answer.code(), &answer.json()["result"]), (-32602, &Value::Null), "{cursor}");
    }
    // Of another filter.
    assert_eq!(gateway.modern("/mcp?tags=a", Some(&token), "tools/list", json!({"cursor": first})).code(), -32602);
    // The other era turns the same pages.
    let legacy = crate::support::running::request("tools/list", json!({"cursor": first}));
    assert_eq!(gateway.post("/mcp", Some(&token), &legacy).json()["result"]["tools"].as_array().unwrap().len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn px03_the_order_of_a_merged_list_does_not_depend_on_who_answers_first() {
    let mut lists = BTreeSet::new();
    for delays in [[0, 60, 120], [120, 0, 60], [60, 120, 0]] {
        let mut fakes = Vec::new();
        for (n, delay) in delays.into_iter().enumerate() {
            let tools = Server::with_tools((0..5).map(|tool| format!("t{n}-{tool}")));
            fakes.push(Server { delay: Duration::from_millis(delay), ..tools }.start().await);
        }
        let gateway =
            Running::start(&yaml([("c", &*fakes[0].url, ""), ("a", &*fakes[1].url, ""), ("b", &*fakes[2].url, "")]));
        let token = gateway.token("tag:a", &[]);
        for _ in 0..3 {
            lists.insert(gateway.modern("/mcp", Some(&token), "tools/list", json!({})).body);
        }
    }
    assert_eq!(lists.len(), 1, "{lists:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn px05_di01_az26_px30_the_reachable_servers_capabilities_are_one_and_honoured() {
    let tools = Server { instructions: "Use it well.", ..Server::with_tools(["t".into()]) }.start().await;
    let prompts = Server {
        capabilities: json!({"prompts": {}, "completions": {}, "tasks": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}),
        prompts: vec!["p".into()],
        instructions: "# Ask first",
        ..Server::default()
    };
    let prompts = prompts.start().await;
    let resources = Server {
        capabilities: json!({"resources": {"subscribe": true}, "logging": {}}),
        resources: vec!["x://1".into()],
        ..Server::default()
    };
    let resources = resources.start().await;
    let mut text = yaml([("one", &*tools.url, ""), ("two", &*prompts.url, "")]);
    text.push_str(&format!("  three:\n    tags: [b]\n    http: {{url: '{}'}}\n", resources.url));
    let gateway = Running::start(&text);
    let some = gateway.token("tag:a", &[]);
    let discovered = gateway.modern("/mcp", Some(&some), "server/discover", json!({})).json()["result"].clone();
    let told = json!({"listChanged": true});
    assert_eq!(discovered["capabilities"], json!({"tools": told, "prompts": told, "completions": {}}));
    assert_eq!(discovered["instructions"], "## one\n\nUse it well.\n\n## two\n\n# Ask first");
    assert_eq!((&discovered["cacheScope"], &discovered["ttlMs"]), (&json!("private"), &json!(0)));
    assert_eq!(discovered["supportedVersions"], json!(["2026-07-28"]));
    // What is not named is not there, and what is named is.
    assert_eq!(gateway.modern("/mcp", Some(&some), "prompts/list", json!({})).code(), 0);
    let undeclared = gateway.modern("/mcp", Some(&some), "resources/list", json!({}));
    assert_eq!((undeclared.status, undeclared.code()), (404, -32601));
    let all = gateway.token("tag:a,tag:b", &[]);
    let opened = gateway.post(
        "/mcp",
        Some(&all),
        &crate::support::running::request(
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}),
        ),
    );
    assert_eq!(
        opened.json()["result"]["capabilities"],
        json!({
            "tools": told, "prompts": told, "resources": {"listChanged": true, "subscribe": true},
            "completions": {}, "logging": {},
        })
    );
    assert_eq!(gateway.modern("/mcp", Some(&all), "resources/list", json!({})).code(), 0);
    let read = gateway.modern("/mcp", Some(&all), "resources/read", json!({"uri": "x://1"})).json()["result"].clone();
    assert_eq!((&read["cacheScope"], &read["ttlMs"]), (&json!("private"), &json!(0)), "CA-01: {read}");
    assert_eq!(read["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "portcullis", "TR-36");
}

#[tokio::test(flavor = "multi_thread")]
async fn px05_of_a_hundred_servers_the_dead_and_the_slow_are_left_out_in_time_and_named() {
    let mut fakes = Vec::new();
    for n in 0..95 {
        fakes.push(Server::with_tools((0..3).map(|tool| format!("t{n}-{tool}"))).start().await);
    }
    let slow = Fake::start(|_| Answer::Never).await;
    let dead: Vec<String> = (0..3).map(|_| format!("http://{}/mcp", crate::support::running::free_address())).collect();
    let names: Vec<String> = (0..95).map(|n| format!("s{n}")).collect();
    let good = names.iter().zip(&fakes).map(|(name, fake)| (&**name, &*fake.url, ""));
    let bad = [
        ("dead0", &*dead[0], ""),
        ("dead1", &*dead[1], ""),
        ("dead2", &*dead[2], ""),
        ("slow0", &*slow.url, ""),
        ("slow1", &*slow.url, ""),
    ];
    let gateway = Running::start(&yaml(good.chain(bad)));
    let token = gateway.token("tag:a", &[]);
    let begun = Instant::now();
    let answer = gateway.modern("/mcp", Some(&token), "tools/list", json!({}));
    let took = begun.elapsed();
    assert_eq!(answer.json()["result"]["tools"].as_array().map(Vec::len), Some(95 * 3), "{answer:?}");
    assert!(took < Duration::from_secs(8), "the budget for one server is 5 s, and it took {took:?}");
    assert_eq!(answer.json()["result"]["ttlMs"], 0);
    let missing = json!(["dead0", "dead1", "dead2", "slow0", "slow1"]);
    let access = gateway.audit().into_iter().rfind(|record| record["type"] == "access").unwrap();
    assert_eq!(access["partial"], missing, "{access}");
    let log = gateway.log();
    for server in missing.as_array().unwrap() {
        let server = server.as_str().unwrap();
        assert!(
            log.lines().any(|line| line.contains("left out of a merged list") && line.contains(server)),
            "{server}"
        );
    }
    // A second one waits for nobody who has just failed, and memory stays in bounds.
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim();
    let kilobytes: u64 = resident.trim_end_matches(" kB").trim().parse().unwrap();
    assert!(kilobytes < 400 * 1024, "{resident}");
}
