//! Documents from a site that does as it is told, and from addresses that must not be reached.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;

const ID: &str = "https://app.example.com/client.json";

fn url(id: &str) -> DocumentUrl {
    DocumentUrl::read(&id.parse().unwrap(), &["127.0.0.1:8443".into()]).unwrap()
}

fn document(redirect: &str) -> String {
    format!(r#"{{"client_id": "{ID}", "client_name": "App", "redirect_uris": ["{redirect}"]}}"#)
}

fn answer(cache_control: &str, body: &str) -> Answer {
    Answer {
        status: StatusCode::OK,
        content: Content::Json,
        cache_control: cache_control.into(),
        body: Bytes::from(body.to_owned()),
    }
}

/// A site that answers so, and how often it was asked.
fn site(answers: impl Fn(usize) -> Answer + Send + Sync + 'static) -> (Fetcher, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let fetcher = Fetcher::by(move |_, reach| {
        assert_eq!(reach, Reach::Public);
        let answer = answers(count.fetch_add(1, Ordering::SeqCst));
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(answer)
        })
    });
    (fetcher, asked)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

async fn get(fetcher: &Fetcher, seconds: i64) -> Result<Arc<Client>, FetchError> {
    fetcher.client(&url(ID), &Documents::default(), false, at(seconds)).await
}

#[tokio::test]
async fn oa116_as21_a_good_document_is_kept_as_its_headers_say_within_a_minute_and_a_day() {
    for (cache_control, kept) in [
        ("", Some(60)),
        ("max-age=0", Some(60)),
        ("max-age=300", Some(300)),
        ("public, MAX-AGE=\"300\"", Some(300)),
        ("max-age=99999999", Some(86_400)),
        ("max-age=-5", Some(60)),
        ("max-age=x", Some(60)),
        ("no-store", None),
        ("max-age=300, no-cache", None),
    ] {
        let (fetcher, asked) = site(move |_| answer(cache_control, &document("https://app.example.com/cb")));
        get(&fetcher, 0).await.unwrap();
        get(&fetcher, kept.unwrap_or(0) - 1).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), if kept.is_some() { 1 } else { 2 }, "{cache_control}");
        let before = asked.load(Ordering::SeqCst);
        get(&fetcher, kept.unwrap_or(0)).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), before + 1, "{cache_control}");
    }
}

#[tokio::test]
async fn oa116_a_redirect_that_left_the_document_is_gone_once_it_expired() {
    let (fetcher, _) = site(|asked| {
        answer("", &document(if asked == 0 { "https://app.example.com/old" } else { "https://app.example.com/new" }))
    });
    assert!(get(&fetcher, 0).await.unwrap().redirect_uris[0].fits("https://app.example.com/old"));
    assert!(!get(&fetcher, 60).await.unwrap().redirect_uris[0].fits("https://app.example.com/old"));
}

#[tokio::test]
async fn oa116_of_a_hundred_at_once_one_fetches_whether_it_is_good_or_not() {
    for body in [document("https://app.example.com/cb"), "no".into()] {
        let (fetcher, asked) = site(move |_| answer("no-store", &body));
        let all = futures_util::future::join_all((0..100).map(|_| get(&fetcher, 0))).await;
        assert!(all.iter().all(|one| one.is_ok() == all[0].is_ok()));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn as22_t093_t111_only_200_with_json_counts_and_failures_are_not_kept() {
    let moved = |status| Answer { status, ..answer("max-age=86400", &document("https://app.example.com/cb")) };
    for bad in [
        moved(StatusCode::FOUND),
        moved(StatusCode::PERMANENT_REDIRECT),
        moved(StatusCode::CREATED),
        moved(StatusCode::NOT_FOUND),
        moved(StatusCode::INTERNAL_SERVER_ERROR),
        Answer { content: Content::Other, ..moved(StatusCode::OK) },
        answer("max-age=86400", "{}"),
    ] {
        let good = answer("", &document("https://app.example.com/cb"));
        let (fetcher, _) = site(move |asked| if asked == 0 { bad.clone() } else { good.clone() });
        assert!(get(&fetcher, 0).await.is_err());
        assert!(get(&fetcher, 0).await.is_ok(), "asked again at once");
    }
}

#[tokio::test]
async fn oa113_as23_t107_t110_no_document_is_got_from_inside() {
    for addresses in [
        &["127.0.0.1"][..],
        &["10.0.0.1"],
        &["169.254.169.254"],
        &["100.64.0.1"],
        &["0.0.0.0"],
        &["::1"],
        &["fc00::1"],
        &["fe80::1"],
        &["::ffff:127.0.0.1"],
        &["::ffff:10.0.0.1", "127.0.0.1"],
    ] {
        let resolve = Resolve::by(move |_, port| {
            Box::pin(async move { Ok(addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect()) })
        });
        let fetcher = Fetcher::new(resolve);
        let refused = fetcher.client(&url(ID), &Documents::default(), false, at(0)).await;
        assert_eq!(refused.unwrap_err(), FetchError::Unavailable, "{addresses:?}");
    }
}

#[test]
fn oa113_only_what_is_listed_to_the_port_may_lie_inside() {
    let uri = |text: &str| text.parse::<Uri>().unwrap();
    assert_eq!(inside(&uri("https://127.0.0.1:8443/x")), Reach::Address("127.0.0.1".parse().unwrap()));
    assert_eq!(inside(&uri("https://localhost:8443/x")), Reach::Loopback);
    assert_eq!(inside(&uri("https://app.corp.example/x")), Reach::Private);
}
