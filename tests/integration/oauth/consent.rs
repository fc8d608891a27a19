//! What a person is shown, what need not be asked again, and what is added to what stands.

use super::{
    event,
    flow::{Client, allow, answer, parameter, place, signed_in, ticked},
};
use crate::{
    gateway::DEMO,
    support::{
        browsing::hidden,
        running::{Answer, Running},
    },
};

const SECRET: &str = "wB3xTq9LmZ0vKe7RyUc5NhJd2sGa8PfQ";

fn yaml(more: &str) -> String {
    format!(
        "{DEMO}oauth:
  failure_delay: 0
  {more}
  clients:
    desk: {{redirect_uris: ['http://127.0.0.1/cb'], auth: none}}
    web: {{redirect_uris: ['https://web.example.com/cb', 'http://127.0.0.1/cb'], secret: {{file: web.secret}}, auth: client_secret_post, name: Web}}
rates:
  roomy: {{limit: 10000, window: 1m, by: address, on: [oauth]}}
"
    )
}

fn start(more: &str) -> Running {
    Running::start_with(&yaml(more), &[("web.secret", SECRET)])
}

const SITE: (&str, &str) = ("redirect_uri", "https://web.example.com/cb");

/// Whether a scope is marked as new.
fn is_new(page: &Answer, scope: &str) -> bool {
    let (_, rest) = page.body.split_once(&format!("value=\"{scope}\"")).unwrap_or_else(|| panic!("{}", page.body));
    rest.split("</label>").next().unwrap().contains("mark new")
}

#[test]
fn oa95_as24_as33_a_person_sees_what_each_scope_opens_now_and_what_it_does() {
    let gateway = start("");
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let page = browser.get(&desk.path(&[("scope", "tag:notes tag:write tag:secret")]));
    assert_eq!(ticked(&page), ["tag:notes", "tag:write"]);
    assert!(page.body.contains("registered by the operator"));
    // Above the ceiling of who is asked.
    assert!(page.body.contains("It also asks for what you may not allow: <code>tag:secret</code>"), "{}", page.body);
    let notes = page.body.split("id=\"scope-1\"").nth(1).unwrap().split("id=\"scope-2\"").next().unwrap();
    let write = page.body.split("id=\"scope-2\"").nth(1).unwrap();
    assert!(notes.contains("<code>read_note</code>") && notes.contains("reads</span>"), "{notes}");
    // Needs both, so it stands under both.
    assert!(notes.contains("Only together with <code>tag:write</code>"), "{notes}");
    assert!(write.contains("<code>write_note</code>") && write.contains("Only together with <code>tag:notes</code>"));
    assert!(notes.contains("<code>delete_note</code>") && notes.contains("forbidden to you"), "{notes}");
    assert!(!page.body.contains("time__") && !page.body.contains("<code>convert</code>"), "not asked for");
    let one = format!("http://{}/mcp/time", gateway.address());
    let page = browser.get(&desk.path(&[("resource", &one), ("scope", "tag:notes tag:clock")]));
    assert!(page.body.contains("<code>convert</code>") && !page.body.contains("read_note"), "at one server");
    let nowhere = browser.get(&desk.path(&[("resource", &one.replace("time", "nope"))]));
    assert_eq!(parameter(place(&nowhere), "error").as_deref(), Some("invalid_target"));
}

#[test]
fn as36_as37_who_names_no_scopes_is_offered_the_baseline_or_everything_unticked() {
    let gateway = start("baseline: ['tag:clock']");
    let browser = signed_in(&gateway);
    let page = browser.get(&Client::known("desk").path(&[("scope", "")]));
    assert_eq!(ticked(&page), ["tag:clock"]);
    let gateway = start("");
    let browser = signed_in(&gateway);
    let page = browser.get(&Client::known("desk").path(&[("scope", "")]));
    assert!(ticked(&page).is_empty() && page.body.contains("It does not say what it needs"));
    for scope in ["tag:clock", "tag:notes", "tag:write"] {
        assert!(page.body.contains(&format!("value=\"{scope}\"")), "{scope}");
    }
    assert!(!page.body.contains("tag:secret"));
    let sent = answer(&browser, &page, "allow", &["tag:notes"]);
    assert!(place(&sent).contains("code="));
}

#[test]
fn az15_what_is_asked_for_later_is_added_to_what_stands_and_marked() {
    let gateway = start("");
    let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
    let page = browser.get(&desk.path(&[("scope", "tag:clock")]));
    assert!(!is_new(&page, "tag:clock"), "nothing stands yet");
    assert!(place(&allow(&browser, &page)).contains("code="));
    let page = browser.get(&desk.path(&[("scope", "tag:notes")]));
    assert_eq!(ticked(&page), ["tag:clock", "tag:notes"], "one answer is about both");
    assert!(is_new(&page, "tag:notes") && !is_new(&page, "tag:clock"));
    let code = parameter(place(&allow(&browser, &page)), "code").unwrap();
    assert_eq!(desk.redeem(&gateway, &code).json()["scope"], "tag:clock tag:notes");
    // Who asks for no more than it has is asked about no more.
    let page = browser.get(&desk.path(&[("scope", "tag:notes")]));
    assert_eq!(ticked(&page), ["tag:notes"]);
}

#[test]
fn oa119_as32_t068_consent_is_remembered_for_a_client_that_is_proven_at_its_own_site_and_never_for_this_machine() {
    let gateway = start("");
    let (desk, web, browser) = (Client::known("desk"), Client::known("web"), signed_in(&gateway));
    for _ in 0..2 {
        let page = browser.get(&desk.path(&[]));
        assert!(place(&allow(&browser, &page)).contains("code="), "anybody on this machine could be it");
    }
    browser.sign_in();
    let page = browser.get(&web.path(&[SITE, ("scope", "tag:clock tag:notes")]));
    assert!(place(&allow(&browser, &page)).starts_with("https://web.example.com/cb?code="));
    let again = browser.get(&web.path(&[SITE, ("scope", "tag:clock")]));
    assert!(place(&again).starts_with("https://web.example.com/cb?code="), "{again:?}");
    assert_eq!(event(&gateway, "consent-remembered")["facts"]["scopes"], "tag:clock");
    for (what, changes) in [
        ("more", &[SITE, ("scope", "tag:clock tag:write")][..]),
        ("another place", &[("scope", "tag:clock")]),
        ("no scopes named", &[SITE, ("scope", "")]),
    ] {
        let page = browser.get(&web.path(changes));
        assert_eq!(page.status, 200, "{what}: {page:?}");
        assert!(page.body.contains("Allow <bdi>Web</bdi>"), "{what}");
    }
    // Once it was approved for another place, it is asked again.
    let page = browser.get(&web.path(&[("scope", "tag:clock")]));
    assert!(place(&allow(&browser, &page)).contains("code="));
    let page = browser.get(&web.path(&[SITE, ("scope", "tag:clock")]));
    assert_eq!(page.status, 200);
    // And once it was taken back.
    assert!(place(&allow(&browser, &page)).contains("code="));
    assert_eq!(browser.get(&web.path(&[SITE, ("scope", "tag:clock")])).status, 303);
    let csrf = hidden(&browser.get("/grants"), "csrf").unwrap();
    assert_eq!(browser.post("/grants/revoke", &[("csrf", &csrf), ("all", "yes")]).status, 303);
    assert_eq!(browser.get(&web.path(&[SITE, ("scope", "tag:clock")])).status, 200);
}

#[test]
fn oa82_as33_a_page_that_would_open_more_by_now_is_shown_again_and_nothing_is_remembered_for_it() {
    let gateway = start("");
    let (desk, web, browser) = (Client::known("desk"), Client::known("web"), signed_in(&gateway));
    let remembered = [SITE, ("scope", "tag:clock")];
    assert!(place(&allow(&browser, &browser.get(&web.path(&remembered)))).contains("code="));
    assert!(place(&browser.get(&web.path(&remembered))).contains("code="));
    browser.sign_in();
    let page = browser.get(&desk.path(&[("scope", "tag:clock tag:notes")]));
    assert!(!page.body.contains("<code>upper</code>") && !page.body.contains("<code>hidden</code>"));
    gateway.reload(&yaml("").replace("tags: [secret]", "tags: [clock]"));
    let loaded = || gateway.audit().into_iter().filter(|record| record["what"] == "config-loaded").count() == 2;
    gateway.until("the new configuration", loaded);
    let again = allow(&browser, &page);
    assert_eq!(again.status, 200, "{again:?}");
    assert!(again.body.contains("<code>hidden</code>"), "the server that joined: {}", again.body);
    // What did not join is decided by the page that was open.
    let notes = answer(&browser, &page, "allow", &["tag:notes"]);
    assert_eq!(notes.status, 200, "a page is one decision");
    assert!(place(&allow(&browser, &again)).contains("code="));
    assert_eq!(browser.get(&web.path(&remembered)).status, 200, "it opens more than was approved");
}

/// What a server of many tools says of itself, pinned.
fn pinned(servers: usize, tools: usize) -> String {
    use portcullis::lock::{Inventory, Part, Said, write};
    let inventory = |server: usize| {
        let tools = (0..tools).map(|tool| {
            let name = format!("tool_{tool}");
            let reads = (server + tool).is_multiple_of(2);
            let said = serde_json::json!({ "name": name, "inputSchema": { "type": "object" },
                                           "annotations": { "readOnlyHint": reads, "destructiveHint": false } });
            ((Part::Tool, name), Said::of(said))
        });
        Inventory { instructions: None, entries: tools.collect() }
    };
    let all = (0..servers).map(|server| (format!("s{server}").parse().unwrap(), inventory(server)));
    write::text(&all.collect(), None)
}

#[test]
fn as33_a_page_about_a_thousand_tools_is_there_at_once_and_lists_what_can_be_read() {
    for (servers, tools, told) in
        [(1, 1000, "1000 tools (500 change, 500 read)"), (200, 5, "and 198 more servers: 1000 tools")]
    {
        let mut yaml =
            "version: 1\nlisten: {address: '{address}'}\ntags: {all: Everything, more: More}\nservers:\n".to_owned();
        for server in 0..servers {
            yaml += &format!(
                "  s{server}: {{tags: [all], tools: {{tool_4: {{tags: [more]}}}}, http: {{url: 'http://127.0.0.1:9/'}}}}\n"
            );
        }
        yaml += "grants: [{to: {user: '*'}, scopes: ['tag:all', 'tag:more']}]\noauth: {clients: {desk: {redirect_uris: ['http://127.0.0.1/cb'], auth: none}}}\n";
        let gateway = Running::start_with(&yaml, &[("portcullis.lock", &pinned(servers, tools))]);
        let (desk, browser) = (Client::known("desk"), signed_in(&gateway));
        let begun = std::time::Instant::now();
        let page = browser.get(&desk.path(&[("scope", "tag:all tag:more")]));
        let took = begun.elapsed();
        assert!(page.body.contains(told), "{}", page.body);
        assert!(servers > 1 || page.body.contains("and 950 tools more"), "a list has an end");
        assert!(took < std::time::Duration::from_secs(20), "{took:?}, without optimization");
        assert!(place(&allow(&browser, &page)).contains("code="));
    }
}
