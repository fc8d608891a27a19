//! Every kind of server over every transport, each asked for everything: lists, progress, log lines,
//! questions to the caller, changes.

use portcullis::{
    mcp::{Era, Kind, LogLevel},
    name::ResourceUri,
    upstream::{Change, Owner, Side, Told},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::*;
use crate::support::fixture_upstream;

/// The fixture over HTTP, until this is dropped.
pub(crate) struct Served {
    pub(crate) url: String,
    _child: Child,
}

impl Served {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(fixture_upstream())
            .args(["--http", "0"])
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).await.unwrap();
        Self { url: url.trim().to_owned(), _child: child }
    }
}

/// One server of an era, over a transport.
struct Cell {
    upstreams: Upstreams,
    era: Era,
    name: String,
    _served: Option<Served>,
}

async fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (spoken, era) in [("legacy", Era::Legacy), ("modern", Era::Modern), ("dual", Era::Modern)] {
        let over_stdio = build(&stdio(&[&fixture_upstream(), "--era", spoken], &[]), options());
        cells.push(Cell { upstreams: over_stdio, era, name: format!("{spoken} over stdio"), _served: None });
        let served = Served::start(&["--era", spoken]).await;
        let upstreams = build(&over_http(&served.url), options());
        cells.push(Cell { upstreams, era, name: format!("{spoken} over HTTP"), _served: Some(served) });
    }
    cells
}

fn manner(capabilities: &'static str, log_level: Option<LogLevel>) -> Manner {
    Manner {
        capabilities: Bytes::from_static(capabilities.as_bytes()),
        log_level,
        owner: Some(Owner("session".into())),
        ..Manner::default()
    }
}

#[tokio::test]
async fn cl05_cl06_px08_every_cell_lists_and_tells_of_progress() {
    for Cell { upstreams, era, name, _served } in cells().await {
        let server = evil(&upstreams);
        assert_eq!(server.about().await.unwrap().era, era, "{name}");
        for (kind, key) in [
            (Kind::Tools, "test_simple_text"),
            (Kind::Prompts, "test_simple_prompt"),
            (Kind::Resources, "test://static-text"),
            (Kind::Templates, "test://template/{id}/data"),
        ] {
            let list = server.list(kind).await.unwrap();
            assert!(list.get(key).is_some(), "{name}: {key}");
            assert_eq!(list.ttl_ms().is_some() && list.public(), era == Era::Modern, "{name}: hints");
        }
        let headers = server.list(Kind::Tools).await.unwrap();
        assert_eq!(headers.param_headers("test_custom_header").len(), 2, "{name}");
        let (side, mut heard) = Side::open(16);
        let call = outgoing("test_tool_with_progress", &json!({}), LONG);
        ask(&upstreams, Outgoing { side: Some(side), ..call }).await.unwrap();
        let mut count = 0;
        while let Some(told) = heard.recv().await {
            assert!(matches!(told, Told::Progress(_)), "{name}");
            count += 1;
        }
        assert!(count >= 3, "{name}: {count}");
        let custom = outgoing("test_custom_header", &json!({"region": "Zürich", "level": 7}), LONG);
        assert!(ask(&upstreams, custom).await.unwrap().get("error").is_none(), "{name}: its fields are checked");
        upstreams.shutdown().await;
    }
}

#[tokio::test]
async fn px09_px13_px18_every_cell_asks_the_caller_of_the_call_in_the_way_of_its_era() {
    for Cell { upstreams, era, name, _served } in cells().await {
        let server = evil(&upstreams);
        let mut call = outgoing("test_elicitation", &json!({"message": "Who?"}), LONG);
        let arguments = call.params.clone();
        call.manner = manner(r#"{"elicitation":{}}"#, None);
        let (side, mut heard) = Side::open(4);
        call.side = Some(side);
        let answers = json!({"action": "accept", "content": {"username": "ana", "email": "a@b.c"}});
        let answered = async {
            if let Some(Told::Ask(question)) = heard.recv().await {
                assert_eq!(question.method, Method::ElicitationCreate);
                assert!(std::str::from_utf8(&question.params).unwrap().contains("Who?"));
                question.answer(Reply::Result(answers.to_string().into()));
                true
            } else {
                false
            }
        };
        let (reply, was_asked) = tokio::join!(testing::request(server, call), answered);
        assert_eq!(was_asked, era == Era::Legacy, "{name}");
        let done = match reply.unwrap() {
            Reply::InputRequired(asked) => {
                let asked: Value = serde_json::from_slice(&asked).unwrap();
                assert_eq!(asked["inputRequests"]["answer"]["method"], "elicitation/create", "{name}");
                let mut params: Value = serde_json::from_slice(&arguments).unwrap();
                params["inputResponses"] = json!({"answer": answers});
                let mut retry = outgoing("x", &json!({}), LONG);
                retry.params = params.to_string().into();
                retry.manner = manner(r#"{"elicitation":{}}"#, None);
                ask(&upstreams, retry).await.unwrap()
            }
            Reply::Result(done) => serde_json::from_slice(&done).unwrap(),
            Reply::Error(error) => panic!("{name}: {error:?}"),
        };
        assert!(done["content"][0]["text"].as_str().unwrap().contains("ana"), "{name}: {done}");
        // Who declares nothing is asked nothing.
        let (side, mut heard) = Side::open(4);
        let mut call = outgoing("test_elicitation", &json!({"message": "Who?"}), LONG);
        call.manner = manner("", None);
        call.side = Some(side);
        let refused = ask(&upstreams, call).await.unwrap();
        assert!(refused.get("error").is_some() || refused["isError"] == true, "{name}: {refused}");
        assert!(heard.recv().await.is_none(), "{name}");
        upstreams.shutdown().await;
    }
}

#[tokio::test]
async fn px22_every_cell_logs_to_the_caller_of_the_call_and_only_what_he_wants() {
    for Cell { upstreams, era, name, _served } in cells().await {
        let tool = if era == Era::Legacy { "test_tool_with_logging" } else { "test_logging_tool" };
        let log = async |level| {
            let (side, mut heard) = Side::open(32);
            let call = Outgoing { manner: manner("", level), side: Some(side), ..outgoing(tool, &json!({}), LONG) };
            ask(&upstreams, call).await.unwrap();
            let mut count = 0;
            while let Some(told) = heard.recv().await {
                count += usize::from(matches!(told, Told::Log(_)));
            }
            count
        };
        assert!(log(Some(LogLevel::Debug)).await >= 1, "{name}");
        assert_eq!(log(None).await, 0, "{name}");
        assert_eq!(log(Some(LogLevel::Emergency)).await, 0, "{name}");
        assert!(log(Some(LogLevel::Info)).await >= 1, "{name}: the level is set again");
        upstreams.shutdown().await;
    }
}

/// Does something again and again until a change is told that fits.
async fn told(
    name: &str,
    upstreams: &Upstreams,
    trigger: &str,
    watch: &mut tokio::sync::broadcast::Receiver<Change>,
    wanted: &Change,
) {
    let waiting = async {
        loop {
            call(upstreams, trigger).await.unwrap();
            while let Ok(change) = tokio::time::timeout(Duration::from_millis(100), watch.recv()).await {
                if change.unwrap() == *wanted {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("{name}: {wanted:?} was not told"));
}

#[tokio::test]
async fn su07_ca07_every_cell_tells_of_changes_to_who_watches() {
    for Cell { upstreams, era: _, name, _served } in cells().await {
        let server = evil(&upstreams);
        let before = server.list(Kind::Tools).await.unwrap();
        let mut watch = server.watch();
        told(&name, &upstreams, "test_trigger_tool_change", &mut watch, &Change::List(Kind::Tools)).await;
        let after = server.list(Kind::Tools).await.unwrap();
        assert!(!std::sync::Arc::ptr_eq(&before, &after), "{name}: fetched again");
        let uri: ResourceUri = "test://watched-resource".parse().unwrap();
        let (one, other) =
            (testing::subscribe(server, &uri).await.unwrap(), testing::subscribe(server, &uri).await.unwrap());
        let updated = Change::Resource(one.uri().clone());
        drop(one);
        told(&name, &upstreams, "test_trigger_resource_update", &mut watch, &updated).await;
        drop(other);
        upstreams.shutdown().await;
    }
}
