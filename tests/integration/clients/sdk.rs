//! The Rust SDK, `rmcp`: both eras, and the choice between them left to it.

use std::sync::{Arc, Mutex};

use rmcp::{
    ClientHandler, ServiceError,
    model::{
        CallToolRequestParams, GetPromptRequestParams, ProgressNotificationParam, ProtocolVersion,
        ReadResourceRequestParams,
    },
    service::{
        ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, NotificationContext, RoleClient,
        RunningService,
    },
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::until;

/// How much of how much was done, each time that it was told.
type Heard = Vec<(f64, Option<f64>)>;

/// Keeps the progress that it is told.
#[derive(Debug, Clone, Default)]
struct Listener(Arc<Mutex<Heard>>);

impl ClientHandler for Listener {
    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.lock().unwrap().push((params.progress, params.total));
    }
}

type Client = RunningService<RoleClient, Listener>;

/// Runs every case in every way of connecting.
pub(super) async fn cases(plan: &Value) {
    let modern = || vec![ProtocolVersion::V_2026_07_28];
    let ways = [
        (ClientLifecycleMode::Initialize, ProtocolVersion::V_2025_11_25),
        (ClientLifecycleMode::Discover { preferred_versions: modern() }, ProtocolVersion::V_2026_07_28),
        (
            ClientLifecycleMode::Auto { preferred_versions: modern(), legacy_version: None },
            ProtocolVersion::V_2026_07_28,
        ),
    ];
    for (mode, version) in ways {
        for case in plan["sessions"].as_array().unwrap() {
            session(plan["url"].as_str().unwrap(), &mode, &version, case).await;
        }
        for case in plan["turned_away"].as_array().unwrap() {
            let error = open(plan["url"].as_str().unwrap(), &mode, case).await.err().unwrap();
            // A 400 has no challenge.
            assert_eq!(error.auth_challenge(), case["challenge"].as_str(), "{mode:?}, {case}: {error:?}");
        }
    }
}

async fn open(url: &str, mode: &ClientLifecycleMode, case: &Value) -> Result<Client, ClientInitializeError> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(format!("{url}{}", case["path"].as_str().unwrap()));
    if let Some(bearer) = case["bearer"].as_str() {
        config = config.auth_header(bearer);
    }
    let transport = StreamableHttpClientTransport::from_config(config);
    Listener::default().serve_with_lifecycle(transport, mode.clone()).await
}

async fn session(url: &str, mode: &ClientLifecycleMode, version: &ProtocolVersion, case: &Value) {
    let client = open(url, mode, case).await.unwrap_or_else(|error| panic!("{mode:?}, {case}: {error:?}"));
    assert_eq!(client.peer().peer_info().map(|peer| peer.protocol_version.clone()).as_ref(), Some(version));
    let tools = client.list_all_tools().await.unwrap();
    same(tools.iter().map(|tool| tool.name.as_ref()), &case["tools"]);
    let declared = wire(&client.peer().peer_info().unwrap().capabilities);
    for kind in ["prompts", "resources"] {
        assert!(case[kind].is_null() || declared[kind].is_object(), "{kind}: {declared}");
    }
    for kind in each(case, "undeclared") {
        assert_eq!(declared[kind.as_str().unwrap()], Value::Null, "{declared}");
    }
    if case["prompts"].is_array() {
        let prompts = client.list_all_prompts().await.unwrap();
        same(prompts.iter().map(|prompt| prompt.name.as_str()), &case["prompts"]);
    }
    if case["resources"].is_array() {
        let resources = client.list_all_resources().await.unwrap();
        same(resources.iter().map(|resource| resource.uri.as_str()), &case["resources"]);
    }
    for expected in each(case, "calls") {
        call(&client, expected).await;
    }
    for name in each(case, "hidden") {
        let error = client.call_tool(tool(name, &json!({}))).await.unwrap_err();
        assert_eq!(code(&error), Some(-32602), "{name}: {error:?}");
    }
    for short in each(case, "short") {
        let error = client.call_tool(tool(&short["tool"], &json!({}))).await.unwrap_err();
        let scopes: Vec<&str> =
            short["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
        let begins =
            format!("Bearer error=\"insufficient_scope\", scope=\"{}\", resource_metadata=\"", scopes.join(" "));
        assert!(error.auth_challenge().is_some_and(|challenge| challenge.starts_with(&begins)), "{short}: {error:?}");
    }
    for read in each(case, "reads") {
        let result = client.read_resource(ReadResourceRequestParams::new(read["uri"].as_str().unwrap())).await.unwrap();
        assert_eq!(wire(&result)["contents"][0]["text"], read["text"]);
    }
    for uri in each(case, "unreadable") {
        let error = client.read_resource(ReadResourceRequestParams::new(uri.as_str().unwrap())).await.unwrap_err();
        assert!(matches!(code(&error), Some(-32602 | -32002)), "{uri}: {error:?}");
    }
    for get in each(case, "gets") {
        let params = GetPromptRequestParams::new(get["prompt"].as_str().unwrap());
        let params = params.with_arguments(get["arguments"].as_object().unwrap().clone());
        let result = client.get_prompt(params).await.unwrap();
        assert_eq!(wire(&result)["messages"][0]["content"]["text"], get["text"]);
    }
    client.cancel().await.unwrap();
}

async fn call(client: &Client, expected: &Value) {
    let heard = &client.service().0;
    heard.lock().unwrap().clear();
    let result = wire(&client.call_tool(tool(&expected["tool"], &expected["arguments"])).await.unwrap());
    assert_eq!(result["content"][0]["text"], expected["text"], "{expected}");
    assert_ne!(result["isError"], true, "{expected}");
    if let Some(progress) = expected["progress"].as_array() {
        // The SDK hands progress on in a task of its own.
        until("all progress to be heard", || heard.lock().unwrap().len() >= progress.len()).await;
        let wanted: Heard = progress.iter().map(|pair| (pair[0].as_f64().unwrap(), pair[1].as_f64())).collect();
        assert_eq!(*heard.lock().unwrap(), wanted, "{expected}");
    }
}

fn tool(name: &Value, arguments: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(name.as_str().unwrap().to_owned()).with_arguments(arguments.as_object().unwrap().clone())
}

fn code(error: &ServiceError) -> Option<i32> {
    match error {
        ServiceError::McpError(error) => Some(error.code.0),
        _ => None,
    }
}

fn each<'v>(case: &'v Value, what: &str) -> impl Iterator<Item = &'v Value> {
    case[what].as_array().into_iter().flatten()
}

fn same<'n>(found: impl Iterator<Item = &'n str>, expected: &Value) {
    let mut found: Vec<&str> = found.collect();
    found.sort_unstable();
    let mut expected: Vec<&str> = expected.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

fn wire(result: &impl Serialize) -> Value {
    serde_json::to_value(result).unwrap()
}
