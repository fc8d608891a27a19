//! Connections that one call at a time has for itself: whose they are, how many, and how they end.

use portcullis::{
    mcp::Method,
    upstream::{Owner, Side, Told, Trouble},
};

use super::*;
use crate::support::{hostile_upstream, is_there, until};

fn of(owner: &str, tool: &str, capabilities: &'static str, timeout: Duration) -> Outgoing {
    let manner = Manner {
        owner: Some(Owner(owner.into())),
        capabilities: Bytes::from_static(capabilities.as_bytes()),
        ..Manner::default()
    };
    Outgoing { manner, ..outgoing(tool, &json!({}), timeout) }
}

fn hostile(options: Options) -> Upstreams {
    build(&stdio(&[&hostile_upstream(), "plain"], &[]), options)
}

async fn pid(upstreams: &Upstreams, owner: &str, capabilities: &'static str) -> u64 {
    ask(upstreams, of(owner, "about", capabilities, LONG)).await.unwrap()["pid"].as_u64().unwrap()
}

#[tokio::test]
async fn px18_a_connection_is_its_owners_and_kept_for_him() {
    let upstreams = hostile(options());
    let shared = call(&upstreams, "about").await.unwrap()["pid"].as_u64().unwrap();
    let ana = pid(&upstreams, "ana", "").await;
    let bob = pid(&upstreams, "bob", "").await;
    assert!(shared != ana && shared != bob && ana != bob);
    assert_eq!(pid(&upstreams, "ana", "").await, ana, "kept");
    let able = pid(&upstreams, "ana", r#"{"roots":{}}"#).await;
    assert_ne!(able, ana, "other capabilities, another connection");
    // Who will not come back leaves nothing behind.
    upstreams.forget(&Owner("ana".into()));
    until("ana's are gone", || !is_there(ana) && !is_there(able)).await;
    assert!(is_there(bob));
    upstreams.shutdown().await;
    assert!(!is_there(bob) && !is_there(shared), "none is left");
}

#[tokio::test]
async fn px20_only_what_was_declared_is_asked() {
    let upstreams = hostile(options());
    let (side, mut heard) = Side::open(8);
    let roots = Outgoing { side: Some(side), ..of("ana", "ask", r#"{"roots":{}}"#, LONG) };
    ask(&upstreams, roots).await.unwrap();
    let Some(Told::Ask(question)) = heard.recv().await else { panic!("nothing was asked") };
    assert_eq!(question.method, Method::RootsList);
    question.answer(Reply::Result(Bytes::from_static(br#"{"roots":[]}"#)));
    assert!(heard.recv().await.is_none(), "sampling and the unknown are refused");
    let mut answers = Value::Null;
    while answers.as_array().is_none_or(|answers| answers.len() < 4) {
        let seen = of("ana", "seen", r#"{"roots":{}}"#, LONG);
        answers = ask(&upstreams, seen).await.unwrap()["answers"].take();
    }
    let of_id = |id: &str| answers.as_array().unwrap().iter().find(|answer| answer["id"] == id).unwrap().clone();
    assert_eq!(of_id("q0")["result"], json!({}));
    assert_eq!(of_id("q1")["error"]["code"], -32601);
    assert_eq!(of_id("q2")["result"], json!({"roots": []}));
    assert_eq!(of_id("q3")["error"]["code"], -32601);
    upstreams.shutdown().await;
}

#[tokio::test]
async fn a_call_without_an_answer_takes_its_connection_with_it() {
    let upstreams = hostile(options());
    let first = pid(&upstreams, "ana", "").await;
    let hang = of("ana", "hang", "", Duration::from_millis(100));
    assert!(matches!(ask(&upstreams, hang).await.unwrap_err().why, Trouble::TimedOut(_)));
    until("it is gone", || !is_there(first)).await;
    assert_ne!(pid(&upstreams, "ana", "").await, first);
    assert_eq!(ask(&upstreams, of("ana", "crash", "", LONG)).await.unwrap_err().why, Trouble::Crashed);
    pid(&upstreams, "ana", "").await;
    upstreams.shutdown().await;
}

#[tokio::test]
async fn they_are_bounded_in_number_and_in_time() {
    let mut few = options();
    (few.most_private, few.most_of_one, few.private_idle) = (3, 2, Duration::from_millis(300));
    let upstreams = hostile(few);
    // More calls than connections: those that find none wait.
    let calls = (0..8).map(|n| pid(&upstreams, if n % 2 == 0 { "ana" } else { "bob" }, ""));
    let mut pids = futures_util::future::join_all(calls).await;
    pids.sort_unstable();
    pids.dedup();
    assert!(pids.iter().filter(|pid| is_there(**pid)).count() <= 3, "{pids:?}");
    let hang = |ms| ask(&upstreams, of("ana", "hang", "", Duration::from_millis(ms)));
    let (one, two, none) = tokio::join!(hang(2000), hang(2000), hang(500));
    assert!(
        matches!(one.unwrap_err().why, Trouble::TimedOut(_)) && matches!(two.unwrap_err().why, Trouble::TimedOut(_))
    );
    assert_eq!(none.unwrap_err().why, Trouble::Busy);
    let last = pid(&upstreams, "bob", "").await;
    until("who is idle is ended", || !is_there(last)).await;
    upstreams.shutdown().await;
}

#[tokio::test]
async fn whoever_came_first_is_served_first() {
    let mut one = options();
    one.most_of_one = 1;
    let upstreams = std::sync::Arc::new(hostile(one));
    pid(&upstreams, "ana", "").await;
    // Callers that ask again at once leave their turn to whoever came before.
    let (done, rounds) = (std::cell::Cell::new(0), 40);
    let greedy = async {
        for _ in 0..rounds {
            pid(&upstreams, "ana", "").await;
            done.set(done.get() + 1);
        }
    };
    let waits = async {
        // Asked for second, and served second.
        pid(&upstreams, "ana", "").await;
        done.get()
    };
    let ((), seen) = tokio::join!(greedy, waits);
    assert!(seen <= 1, "served after {seen} others");
    upstreams.shutdown().await;
}

#[tokio::test]
async fn who_is_lent_out_ends_with_the_gateway() {
    let mut one = options();
    one.most_of_one = 1;
    let upstreams = std::sync::Arc::new(hostile(one));
    let kept = pid(&upstreams, "ana", "").await;
    let lent = {
        let upstreams = upstreams.clone();
        tokio::task::spawn(async move { ask(&upstreams, of("ana", "hang", "", LONG)).await })
    };
    // Once it is lent out, nobody else of the same owner gets one.
    let busy = async || {
        let asked = ask(&upstreams, of("ana", "about", "", Duration::from_millis(200))).await;
        asked.is_err_and(|error| error.why == Trouble::Busy)
    };
    while !busy().await {}
    upstreams.shutdown().await;
    assert!(matches!(lent.await.unwrap().unwrap_err().why, Trouble::Stopped | Trouble::Crashed));
    assert!(!is_there(kept));
}
