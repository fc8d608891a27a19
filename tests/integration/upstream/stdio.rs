//! Children over pipes: what they may be, and what they cannot do to us.

use std::{process::Command, time::Instant};

use portcullis::{
    mcp::Kind,
    upstream::{Health, Side, Told, Trouble},
};

use super::*;
use crate::support::{hostile_upstream, is_there, lives, until};

fn hostile(mode: &str) -> Upstreams {
    build(&stdio(&[&hostile_upstream(), mode], &[]), options())
}

fn trouble(answer: Result<Value, UpstreamError>) -> Trouble {
    answer.unwrap_err().why
}

#[tokio::test]
async fn a_demo_server_is_started_asked_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_portcullis");
    let upstreams =
        build(&stdio(&[binary, "demo-server", "notes", "--dir", dir.path().to_str().unwrap()], &[]), options());
    let notes = evil(&upstreams);
    assert_eq!(notes.health(), Health::Unused);
    upstreams.start();
    assert!(notes.about().await.unwrap().server_info.as_ref().unwrap().contains("portcullis-demo-notes"));
    assert_eq!(notes.list(Kind::Tools).await.unwrap().entries().len(), 5);
    assert!(notes.list(Kind::Prompts).await.unwrap().get("summarize_note").is_some());
    assert!(notes.list(Kind::Resources).await.unwrap().entries().is_empty());
    assert!(notes.list(Kind::Templates).await.unwrap().get("notes://{name}").is_some());
    let write = outgoing("write_note", &json!({"name": "a", "text": "one"}), LONG);
    assert_eq!(ask(&upstreams, write).await.unwrap()["isError"], false);
    assert!(notes.list(Kind::Resources).await.unwrap().get("notes://a").is_some(), "the change was noticed");
    let (side, mut heard) = Side::open(16);
    let params = json!({"name": "search_notes", "arguments": {"query": "O"}});
    let search = Outgoing {
        params: Bytes::from(params.to_string()),
        side: Some(side),
        ..outgoing("search_notes", &json!({}), LONG)
    };
    assert_eq!(ask(&upstreams, search).await.unwrap()["structuredContent"], json!({"matches": ["a:1: one"]}));
    let Told::Progress(params) = heard.recv().await.unwrap() else { panic!("no progress") };
    assert!(params.ends_with(br#""progress":1,"total":1}"#));
    assert!(heard.recv().await.is_none());
    assert_eq!(notes.health(), Health::Up);
    upstreams.shutdown().await;
    assert_eq!(notes.health(), Health::Stopped);
    assert_eq!(trouble(call(&upstreams, "list_notes").await), Trouble::Stopped);
}

#[tokio::test]
async fn t026_px07_a_hundred_callers_each_get_their_own_answer() {
    let upstreams = hostile("plain");
    let calls = (0..100).map(|n| {
        let upstreams = &upstreams;
        async move {
            let mark = json!({"mark": n});
            assert_eq!(ask(upstreams, outgoing("echo", &mark, LONG)).await.unwrap(), mark);
        }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(call(&upstreams, "strangers").await.unwrap(), json!({"n": "yours"}));
    assert_eq!(call(&upstreams, "double").await.unwrap(), json!({"n": 1}));
    assert_eq!(call(&upstreams, "unknown").await.unwrap()["error"]["code"], -32602);
    upstreams.shutdown().await;
}

#[tokio::test]
async fn cl01_t167_garbage_is_ignored_and_wrong_shapes_fail_their_own_call_alone() {
    let upstreams = hostile("plain");
    assert_eq!(call(&upstreams, "garbage").await.unwrap(), json!({"after": "garbage"}));
    assert_eq!(trouble(call(&upstreams, "array").await), Trouble::Garbage);
    assert_eq!(trouble(call(&upstreams, "both").await), Trouble::Garbage);
    assert_eq!(call(&upstreams, "echo").await.unwrap(), json!({}));
    upstreams.shutdown().await;
}

#[tokio::test]
async fn cl04_t175_a_crash_fails_its_call_at_once_and_the_next_one_works() {
    let upstreams = hostile("plain");
    let begun = Instant::now();
    assert_eq!(trouble(call(&upstreams, "crash").await), Trouble::Crashed);
    assert!(begun.elapsed() < LONG);
    assert_eq!(call(&upstreams, "echo").await.unwrap(), json!({}));
    assert_eq!(call(&upstreams, "last_words").await.unwrap(), json!({"last": true}));
    upstreams.shutdown().await;
}

#[tokio::test]
async fn t174_a_line_without_end_ends_the_child_and_it_comes_back() {
    let upstreams = hostile("plain");
    let before = call(&upstreams, "about").await.unwrap()["pid"].as_u64().unwrap();
    assert_eq!(trouble(call(&upstreams, "huge_line").await), Trouble::TooLarge);
    assert_eq!(call(&upstreams, "empty_lines").await.unwrap(), json!({}));
    until("the old child is reaped", || !is_there(before)).await;
    let half = outgoing("half", &json!({}), Duration::from_millis(200));
    assert!(matches!(trouble(ask(&upstreams, half).await), Trouble::TimedOut(_)));
    upstreams.shutdown().await;
}

#[tokio::test]
async fn t175_a_flood_of_error_output_blocks_nothing() {
    let upstreams = hostile("plain");
    assert_eq!(call(&upstreams, "stderr").await.unwrap(), json!({}));
    upstreams.shutdown().await;
}

#[tokio::test]
async fn cl15_who_goes_away_or_times_out_is_cancelled_upstream() {
    let upstreams = hostile("plain");
    // Up before the clock runs: what is cancelled must have been sent.
    call(&upstreams, "about").await.unwrap();
    let hang = outgoing("hang", &json!({}), Duration::from_millis(50));
    assert_eq!(trouble(ask(&upstreams, hang).await), Trouble::TimedOut(Duration::from_millis(50)));
    let dropped = ask(&upstreams, outgoing("hang", &json!({}), LONG));
    assert!(tokio::time::timeout(Duration::from_millis(50), dropped).await.is_err());
    let seen = call(&upstreams, "seen").await.unwrap();
    let seen: Vec<_> = seen["seen"].as_array().unwrap().iter().map(|told| &told["method"]).collect();
    assert_eq!(seen, ["notifications/initialized", "notifications/cancelled", "notifications/cancelled"]);
    upstreams.shutdown().await;
}

#[tokio::test]
async fn px18_requests_of_an_upstream_are_refused_but_for_ping() {
    let upstreams = hostile("plain");
    call(&upstreams, "ask").await.unwrap();
    let mut answers = Value::Null;
    while answers.as_array().is_none_or(|answers| answers.len() < 4) {
        answers = call(&upstreams, "seen").await.unwrap()["answers"].take();
    }
    assert_eq!(answers[0]["result"], json!({}));
    for refused in &answers.as_array().unwrap()[1..] {
        assert_eq!(refused["error"]["code"], -32601);
    }
    upstreams.shutdown().await;
}

#[tokio::test]
async fn px08_a_flood_of_progress_reaches_only_its_own_listener_and_blocks_nothing() {
    let upstreams = hostile("plain");
    let (side, mut heard) = Side::open(4);
    let params = json!({"name": "progress"}).to_string();
    let flood = Outgoing { params: Bytes::from(params), side: Some(side), ..outgoing("progress", &json!({}), LONG) };
    assert_eq!(ask(&upstreams, flood).await.unwrap(), json!({}));
    let mut count = 0;
    while let Some(Told::Progress(params)) = heard.recv().await {
        let params: Value = serde_json::from_slice(&params).unwrap();
        assert_ne!(params["progressToken"], 999_999_999);
        count += 1;
    }
    assert_eq!(count, 4, "what has no room is dropped");
    upstreams.shutdown().await;
}

#[tokio::test]
async fn az27_t171_t172_t176_a_child_gets_its_three_pipes_and_its_own_variables_alone() {
    let upstreams = build(&stdio(&[&hostile_upstream(), "plain"], &[("MINE", "1")]), options());
    let about = call(&upstreams, "about").await.unwrap();
    let variables: Vec<_> = about["env"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(variables, ["MINE", "PATH"]);
    let mut descriptors: Vec<_> = about["fds"].as_array().unwrap().clone();
    descriptors.sort_by_key(|fd| fd.as_str().map(str::to_owned));
    assert_eq!(descriptors, ["0", "1", "2"]);
    assert!(about["status"].as_str().unwrap().contains("NoNewPrivs:\t1"));
    upstreams.shutdown().await;
}

#[tokio::test]
async fn cl03_t175_a_child_that_ignores_everything_is_killed_with_its_group() {
    let trap = format!("trap '' TERM; exec {} stubborn", hostile_upstream());
    let upstreams = build(&stdio(&["sh", "-c", &trap], &[]), options());
    let family = call(&upstreams, "grandchild").await.unwrap();
    let (child, grandchild) = (family["parent"].as_u64().unwrap(), family["pid"].as_u64().unwrap());
    assert!(lives(child) && lives(grandchild));
    let begun = Instant::now();
    upstreams.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(!is_there(child), "reaped, no zombie");
    until("the grandchild is gone", || !lives(grandchild)).await;
}

#[tokio::test]
async fn t177_grandchildren_end_with_a_crash_and_with_a_polite_end() {
    let upstreams = hostile("plain");
    let first = call(&upstreams, "grandchild").await.unwrap()["pid"].as_u64().unwrap();
    assert_eq!(trouble(call(&upstreams, "crash").await), Trouble::Crashed);
    until("the first grandchild is gone", || !lives(first)).await;
    let second = call(&upstreams, "grandchild").await.unwrap()["pid"].as_u64().unwrap();
    upstreams.shutdown().await;
    until("the second grandchild is gone", || !lives(second)).await;
}

#[tokio::test]
async fn t177_a_child_dies_with_a_gateway_that_is_killed() {
    let script = format!("{} __child $$ sleep 1000 & echo $!; wait", env!("CARGO_BIN_EXE_portcullis"));
    let mut gateway = Command::new("sh").args(["-c", &script]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(gateway.stdout.take().unwrap()), &mut line).unwrap();
    let child: u64 = line.trim().parse().unwrap();
    let became = || std::fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim() == "sleep");
    until("the child became its command", became).await;
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    until("the child is gone", || !lives(child)).await;
}

#[test]
fn t177_a_child_whose_parent_is_gone_becomes_nothing() {
    let child = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_portcullis")).arg("__child").args(arguments).output().unwrap()
    };
    let orphan = child(&["999999999", "echo", "ran"]);
    assert_eq!((orphan.status.code(), orphan.stdout.as_slice()), (Some(127), &b""[..]));
    let us = std::process::id().to_string();
    let missing = child(&[&us, "/nowhere/command"]);
    assert_eq!(missing.status.code(), Some(127));
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(said.starts_with("portcullis: cannot run `/nowhere/command`: ") && said.lines().count() == 1, "{said}");
    assert_eq!(child(&[]).status.code(), Some(127));
}

#[tokio::test]
async fn t175_t204_a_server_that_does_not_come_up_fails_fast_and_clearly() {
    for (mode, why) in [("exit", Trouble::NotStarted), ("refuse", Trouble::Uninitialized), ("future", Trouble::Version)]
    {
        let upstreams = hostile(mode);
        let error = call(&upstreams, "echo").await.unwrap_err();
        assert_eq!(error.why, why, "{mode}");
        assert!(error.to_string().starts_with("server `evil` "));
        upstreams.shutdown().await;
    }
    let missing = build(&stdio(&["/nowhere/command"], &[]), options());
    assert_eq!(trouble(call(&missing, "echo").await), Trouble::NotStarted);
    missing.shutdown().await;
    let silent = hostile("silent");
    let wait = outgoing("echo", &json!({}), Duration::from_millis(100));
    assert!(matches!(trouble(ask(&silent, wait).await), Trouble::TimedOut(_)));
    silent.shutdown().await;
}

#[tokio::test]
async fn t168_t182_lists_are_drained_within_bounds_and_odd_names_left_out() {
    let pages = hostile("pages");
    let list = evil(&pages).list(Kind::Tools).await.unwrap();
    assert_eq!(list.entries().iter().map(|tool| tool.key()).collect::<Vec<_>>(), ["t0", "t1", "v0"]);
    assert!(evil(&pages).list(Kind::Prompts).await.unwrap().entries().is_empty(), "nobody asked");
    pages.shutdown().await;
    for (mode, why) in
        [("looping", Trouble::EndlessList), ("endless", Trouble::EndlessList), ("nolist", Trouble::Garbage)]
    {
        let upstreams = hostile(mode);
        assert_eq!(evil(&upstreams).list(Kind::Tools).await.unwrap_err().why, why, "{mode}");
        upstreams.shutdown().await;
    }
    let names = hostile("names");
    let list = evil(&names).list(Kind::Tools).await.unwrap();
    assert_eq!(list.entries().iter().map(|tool| tool.key()).collect::<Vec<_>>(), ["send", "Send"]);
    names.shutdown().await;
}

#[tokio::test]
async fn a_list_is_fetched_once_for_all_and_again_after_a_change() {
    let upstreams = hostile("plain");
    let lists = futures_util::future::join_all((0..100).map(|_| evil(&upstreams).list(Kind::Tools))).await;
    assert!(lists.iter().all(|list| list.as_ref().unwrap().get("v0").is_some()));
    call(&upstreams, "change").await.unwrap();
    assert!(evil(&upstreams).known(Kind::Tools).is_none());
    assert!(evil(&upstreams).list(Kind::Tools).await.unwrap().get("v1").is_some());
    let seen = call(&upstreams, "seen").await.unwrap();
    let listed = seen["seen"].as_array().unwrap().iter().filter(|seen| seen.get("listed").is_some()).count();
    assert_eq!(listed, 2);
    assert_eq!(trouble(call(&upstreams, "crash").await), Trouble::Crashed);
    assert!(evil(&upstreams).known(Kind::Tools).is_some(), "what is down still has its last list");
    call(&upstreams, "echo").await.unwrap();
    assert!(evil(&upstreams).list(Kind::Tools).await.unwrap().get("v0").is_some(), "a new life, a new list");
    upstreams.shutdown().await;
}

#[tokio::test]
async fn a_rebuild_keeps_what_is_spoken_to_as_before_and_ends_the_rest() {
    let configured = stdio(&[&hostile_upstream(), "plain"], &[("MINE", "1")]);
    let pid = async |upstreams: &Upstreams| call(upstreams, "about").await.unwrap()["pid"].as_u64().unwrap();
    let secrets = |_: &SecretRef| Ok(Secret::new(String::new()));
    let first = build(&configured, options());
    let before = pid(&first).await;
    let same = first.rebuild([(&name(), &configured)], &secrets, options()).unwrap();
    drop(first);
    assert_eq!(pid(&same).await, before);
    let changed = stdio(&[&hostile_upstream(), "plain"], &[("MINE", "2")]);
    let other = same.rebuild([(&name(), &changed)], &secrets, options()).unwrap();
    drop(same);
    assert_ne!(pid(&other).await, before);
    until("the old child is gone", || !is_there(before)).await;
    other.shutdown().await;
}
