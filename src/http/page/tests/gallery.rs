//! Every page in every state that looks different, by name.

use std::time::Duration;

use super::super::{
    Back, Client, Consent, Destination, Done, Effect, Failed, Frame, Grant, Grants, Html, KnownBy, Lifetime, Link,
    Offer, Opens, Owner, Password, Problem, Renewal, Shown, SignedIn, Tool, consent, done, grants, link, owner,
    password, problem,
};
use crate::secret::Secret;

const DAY: u64 = 86_400;

/// What others may write into a page.
pub(super) struct Foreign<'a> {
    /// In the place of every name, description and title.
    pub(super) text: &'a str,
    /// In the place of every URI and host.
    pub(super) uri: &'a str,
}

fn secret() -> Secret<String> {
    Secret::new("b7Gq-x0kWm2Zt9Lp".into())
}

fn handle() -> Secret<String> {
    Secret::new("v1.k0.MTIzNDU2Nzg5MA.c2VhbGVk".into())
}

fn site() -> Shown {
    Shown::host("gateway.example.com")
}

fn signed_in<T>(name: &str, page: impl FnOnce(&Frame<'_>) -> T) -> T {
    let csrf = secret();
    page(&Frame { site: site(), person: Some(SignedIn { name: Shown::name(name), csrf: &csrf }) })
}

fn nobody() -> Frame<'static> {
    Frame { site: site(), person: None }
}

fn client(name: &str, known_by: KnownBy) -> Client {
    Client { name: Shown::name(name), known_by }
}

fn tool(name: &str, effect: Effect) -> Tool {
    Tool { name: name.parse().unwrap(), title: None, effect, besides: [].into(), forbidden: false }
}

fn titled(name: &str, title: &str, effect: Effect) -> Tool {
    Tool { title: Some(Shown::line(title)), ..tool(name, effect) }
}

fn opens(server: &str, tools: Vec<Tool>) -> Opens {
    Opens { server: server.parse().unwrap(), tools: Some(tools), prompts: 0, resources: 0 }
}

fn offer(scope: &str, description: &str, opens: Vec<Opens>) -> Offer {
    let description = Some(Shown::line(description)).filter(|text| !text.as_str().is_empty());
    Offer { scope: scope.parse().unwrap(), description, sensitive: false, asked: true, new: false, opens }
}

fn life() -> Lifetime {
    let days = |days| Duration::from_secs(days * DAY);
    Lifetime { access: Duration::from_secs(600), renews: Some(Renewal { idle: days(14), most: days(90) }) }
}

/// The offers of a small gateway.
fn offers() -> Vec<Offer> {
    let web = vec![titled("fetch", "Fetch a page", Effect::Reads), titled("search", "Search the web", Effect::Reads)];
    let read = vec![tool("read_file", Effect::Reads), tool("list_directory", Effect::Reads)];
    let files_write = || -> crate::name::ScopeName { "tag:files-write".parse().unwrap() };
    let write = vec![
        Tool { besides: [files_write()].into(), ..tool("write_file", Effect::Changes) },
        Tool { besides: [files_write()].into(), ..tool("move_file", Effect::Destroys) },
        Tool { forbidden: true, ..tool("delete_file", Effect::Destroys) },
    ];
    let needs_files = |tool: Tool| Tool { besides: ["tag:files".parse().unwrap()].into(), ..tool };
    let written = vec![
        needs_files(tool("write_file", Effect::Changes)),
        needs_files(titled("move_file", "Move or rename a file", Effect::Destroys)),
    ];
    vec![
        offer("tag:web", "Search and fetch public pages", vec![opens("docs", web)]),
        Offer {
            opens: vec![Opens { prompts: 2, resources: 1, ..opens("files", [read, write].concat()) }],
            ..offer("tag:files", "Read the project's files", Vec::new())
        },
        Offer {
            sensitive: true,
            new: true,
            ..offer("tag:files-write", "Change the project's files", vec![opens("files", written)])
        },
    ]
}

fn asked(client: Client, destination: Destination, offers: Vec<Offer>, lifetime: Lifetime) -> Html {
    consent_with(client, destination, offers, lifetime, &[])
}

fn consent_with(
    client: Client,
    destination: Destination,
    offers: Vec<Offer>,
    lifetime: Lifetime,
    beyond: &[&str],
) -> Html {
    let (csrf, handle) = (secret(), handle());
    let resource = Shown::uri("https://gateway.example.com/mcp");
    let beyond = beyond.iter().map(|scope| scope.parse().unwrap()).collect();
    let drift = crate::config::ScopeDrift::Reconsent;
    let view = Consent { csrf: &csrf, handle: &handle, client, destination, resource, offers, beyond, lifetime, drift };
    signed_in("local/ana", |frame| consent(frame, &view))
}

fn to(uri: &str) -> Destination {
    Destination::of(uri).unwrap()
}

fn document() -> Client {
    client("Example Desk", KnownBy::Document(Shown::host("desk.example.com")))
}

fn consents() -> Vec<(&'static str, Html)> {
    let site = || to("https://desk.example.com/callback");
    let local = || to("http://127.0.0.1:33418/callback");
    let unnamed = offers().into_iter().map(|offer| Offer { asked: false, new: false, ..offer }).collect();
    let many = (1..=50).map(|n| {
        let effect = [Effect::Reads, Effect::Changes, Effect::Destroys][n % 3];
        let tools = (0..n % 7).map(|tool| self::tool(&format!("tool_{tool}"), effect)).collect();
        let servers = (0..n % 5).map(|server| opens(&format!("server-{n}-{server}"), Vec::clone(&tools))).collect();
        let sensitive = n % 9 == 0;
        Offer { sensitive, ..offer(&format!("tag:area-{n}"), &format!("Work in area {n}"), servers) }
    });
    let crowded = vec![
        offer(
            "tag:all-of-it",
            "",
            vec![
                opens("big", (0..120).map(|n| tool(&format!("tool_{n:03}"), Effect::Reads)).collect()),
                Opens { tools: None, ..opens("down", Vec::new()) },
            ],
        ),
        offer("tag:nobody", "Opened by nothing", Vec::new()),
        offer("tag:down", "A server that does not answer", vec![Opens { tools: None, ..opens("down", Vec::new()) }]),
    ];
    let once = Lifetime { renews: None, ..life() };
    let app = client("Pocket Helper", KnownBy::Itself);
    vec![
        ("consent", asked(document(), site(), offers(), life())),
        ("consent-unverified", asked(client("Claude", KnownBy::Itself), local(), offers(), life())),
        ("consent-look-alike", asked(client("Cl\u{430}ude", KnownBy::Itself), local(), offers(), life())),
        ("consent-without-scope", asked(client("ci desk", KnownBy::Configuration), site(), unnamed, once)),
        ("consent-app", consent_with(app, to("com.example.pocket:/done"), offers(), once, &["tag:mail", "tag:money"])),
        ("consent-many", asked(document(), site(), many.collect(), life())),
        ("consent-crowded", asked(document(), site(), crowded, life())),
        ("consent-nothing", consent_with(document(), site(), Vec::new(), life(), &["tag:mail"])),
    ]
}

fn sign_ins() -> Vec<(&'static str, Html)> {
    let (csrf, token) = (secret(), Secret::new("pc_link_0123456789".to_owned()));
    let frame = nobody();
    let good_for = Duration::from_secs(60);
    let asking = || Some(client("Claude", KnownBy::Itself));
    let ask = |client, name: Option<&str>, failed| {
        password(&frame, &Password { csrf: &csrf, client, waiting: None, name: name.map(Shown::name), failed })
    };
    let wait = Duration::from_secs(14 * 60 + 12);
    vec![
        ("sign-in-owner", owner(&frame, &Owner { client: asking(), fresh: false, good_for })),
        ("sign-in-owner-alone", owner(&frame, &Owner { client: None, fresh: false, good_for })),
        (
            "sign-in-owner-fresh",
            signed_in("owner", |frame| owner(frame, &Owner { client: asking(), fresh: true, good_for })),
        ),
        ("sign-in-link", link(&frame, &Link { csrf: &csrf, link: &token, client: asking(), waiting: None })),
        ("sign-in-password", ask(asking(), None, None)),
        ("sign-in-password-wrong", ask(None, Some("ana"), Some(Failed::Wrong))),
        ("sign-in-password-limited", ask(None, Some("ana"), Some(Failed::TooMany { wait }))),
        ("sign-in-password-expired", ask(None, None, Some(Failed::Expired))),
    ]
}

fn given(id: &str, client: Client, destination: Destination) -> Grant {
    let at = |text: &str| text.parse().unwrap();
    Grant {
        id: id.into(),
        client,
        destination: Some(destination),
        resource: Shown::uri("https://gateway.example.com/mcp"),
        scopes: vec![
            ("tag:web".parse().unwrap(), Some(Shown::line("Search and fetch public pages")), false),
            ("tag:files-write".parse().unwrap(), Some(Shown::line("Change the project's files")), true),
            ("tag:plain".parse().unwrap(), None, false),
        ],
        joined: Vec::new(),
        given: at("2026-11-05T09:07:03Z"),
        used: Some(at("2026-11-26T13:59:00Z")),
        ends: at("2027-02-03T09:07:03Z"),
    }
}

fn granted(grants: Vec<Grant>, revoked: Option<usize>) -> Html {
    let csrf = secret();
    signed_in("local/ana", |frame| self::grants(frame, &Grants { csrf: &csrf, grants, revoked }))
}

fn grant_pages() -> Vec<(&'static str, Html)> {
    let desk = given("g1", document(), to("https://desk.example.com/callback"));
    let claude = Grant {
        used: None,
        joined: vec!["mail".parse().unwrap(), "search".parse().unwrap()],
        ..given("g2", client("Claude", KnownBy::Itself), to("http://127.0.0.1:33418/callback"))
    };
    vec![
        ("grants", granted(vec![desk.clone(), claude], None)),
        ("grants-revoked-one", granted(vec![desk], Some(1))),
        ("grants-none", granted(Vec::new(), Some(2))),
    ]
}

fn others() -> Vec<(&'static str, Html)> {
    let back =
        Back::new("http://127.0.0.1:33418/callback?error=access_denied&state=x&iss=https%3A%2F%2Fgateway.example.com");
    let bad_redirect = Problem {
        title: "This client cannot be answered",
        message: Shown::line("The address that the answer is to go to is not one that this client has registered."),
        help: Shown::line(
            "Nothing was sent there. Close this page; if you have started the client yourself, start it again, and tell its makers if this page comes back.",
        ),
        code: Shown::uri("invalid_request"),
        request: Some(Shown::uri("01JDK3V9Q0Z4")),
        back: None,
    };
    vec![
        ("error", problem(&nobody(), &bad_redirect)),
        (
            "done-denied",
            signed_in("local/ana", |frame| {
                done(frame, &Done::Denied { client: client("Claude", KnownBy::Itself), back })
            }),
        ),
        (
            "done-denied-no-way-back",
            signed_in("local/ana", |frame| {
                done(frame, &Done::Denied { client: document(), back: Back::new("javascript:alert(1)") })
            }),
        ),
        ("done-signed-in", signed_in("owner", |frame| done(frame, &Done::SignedIn))),
        ("done-signed-out", done(&nobody(), &Done::SignedOut)),
    ]
}

/// Every page, by the name of its golden file.
pub(super) fn gallery() -> Vec<(&'static str, Html)> {
    let evil = Foreign { text: HOSTILE, uri: HOSTILE };
    let long = "Supercalifragilisticexpialidocious".repeat(300);
    let long = Foreign { text: &long, uri: &format!("https://{}.example/cb", "a".repeat(500)) };
    let turned = "שלום \u{202e}evil\u{202c} مرحبا \u{2067}abc";
    let turned = Foreign { text: turned, uri: "https://\u{5d0}\u{5d1}.example/" };
    let mut pages = [consents(), sign_ins(), grant_pages(), others()].concat();
    pages.extend(hostile(&evil).into_iter().map(|(name, html)| (named("hostile", name), html)));
    pages.extend(hostile(&long).into_iter().take(1).map(|(name, html)| (named("long", name), html)));
    pages.extend(hostile(&turned).into_iter().take(1).map(|(name, html)| (named("turned", name), html)));
    pages
}

/// What a client that means harm calls itself.
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' {{ 7*7 }} &lt;b&gt;";

fn named(kind: &str, page: &str) -> &'static str {
    match (kind, page) {
        ("hostile", "consent") => "hostile-consent",
        ("hostile", "sign-in") => "hostile-sign-in",
        ("hostile", "grants") => "hostile-grants",
        ("hostile", "error") => "hostile-error",
        ("hostile", "denied") => "hostile-denied",
        ("long", _) => "long-consent",
        _ => "turned-consent",
    }
}

/// Every page that shows what others write, with one text in all those places.
pub(super) fn hostile(foreign: &Foreign<'_>) -> Vec<(&'static str, Html)> {
    let Foreign { text, uri } = *foreign;
    // What is sent back as it came is made here, of visible characters.
    let hidden: String = text.chars().filter(|c| !c.is_control()).collect();
    let (csrf, handle) = (Secret::new(hidden.clone()), Secret::new(hidden.clone()));
    let host = || Shown::host(uri);
    let bad = || client(text, KnownBy::Document(host()));
    let tools = vec![titled("read", text, Effect::Reads), titled("drop", text, Effect::Destroys)];
    let offers = vec![offer("tag:web", text, vec![opens("docs", tools)])];
    let view = Consent {
        csrf: &csrf,
        handle: &handle,
        client: bad(),
        destination: Destination::Site(host()),
        resource: Shown::uri(uri),
        offers,
        beyond: Vec::new(),
        lifetime: life(),
        drift: crate::config::ScopeDrift::Reconsent,
    };
    let grant = Grant {
        id: hidden,
        resource: Shown::uri(uri),
        scopes: vec![("tag:web".parse().unwrap(), Some(Shown::line(text)), true)],
        ..given("", bad(), Destination::App(host()))
    };
    let grants = Grants { csrf: &csrf, grants: vec![grant], revoked: None };
    let frame = Frame { site: host(), person: Some(SignedIn { name: Shown::name(text), csrf: &csrf }) };
    let name = Some(Shown::name(text));
    let sign_in = Password { csrf: &csrf, client: Some(bad()), waiting: None, name, failed: Some(Failed::Wrong) };
    let wrong = Problem {
        title: "This client cannot be answered",
        message: Shown::line(text),
        help: Shown::line(text),
        code: Shown::uri(uri),
        request: Some(Shown::uri(uri)),
        back: Back::new("https://desk.example.com/cb?state=%22%3E%3Cscript%3E&a='&b=1"),
    };
    let back = Back::new("https://desk.example.com/cb?state=%22%3E%3Cscript%3E&a='&b=1");
    vec![
        ("consent", consent(&frame, &view)),
        ("sign-in", password(&frame, &sign_in)),
        ("grants", self::grants(&frame, &grants)),
        ("error", problem(&frame, &wrong)),
        ("denied", done(&frame, &Done::Denied { client: bad(), back })),
    ]
}
