mod gallery;
mod html;

use std::collections::BTreeSet;

use gallery::{Foreign, gallery, hostile};
use html::{Element, elements, read};

use super::{ASSETS, field, path};

fn page(name: &str) -> String {
    gallery().into_iter().find(|(other, _)| *other == name).map(|(_, html)| html.0).unwrap()
}

/// The elements of one kind on a page.
fn all(page: &str, name: &str) -> Vec<Element> {
    elements(page).into_iter().filter(|element| element.name == name).collect()
}

fn has_class(element: &Element, class: &str) -> bool {
    element.get("class").is_some_and(|classes| classes.split(' ').any(|other| other == class))
}

#[test]
fn pages_are_as_they_were_looked_at() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots/page"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, html) in gallery() {
        let [style, icon] = &*ASSETS;
        // The paths change with every change of the files behind them.
        let text = html.0.replace(&style.path, "/assets/page.css").replace(&icon.path, "/assets/mark.svg");
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// SE-07
#[test]
fn oa95_t067_what_others_write_is_text_and_nothing_more() {
    let harmless = hostile(&Foreign { text: "harmless", uri: "https://harmless.example/" });
    for payload in PAYLOADS {
        for ((name, html), (_, plain)) in hostile(&Foreign { text: payload, uri: payload }).iter().zip(&harmless) {
            let shape = |page: &str| -> Vec<(String, Vec<String>)> {
                // A note about look-alikes is ours.
                let ours = |element: &Element| !element.text.starts_with("Mind the name");
                let names = |element: Element| element.attributes.into_iter().map(|(name, _)| name).collect();
                elements(page).into_iter().filter(ours).map(|element| (element.name.clone(), names(element))).collect()
            };
            assert_eq!(shape(&html.0), shape(&plain.0), "{name}: {payload:?}");
            let links = |page: &str| -> Vec<String> {
                let link =
                    |element: Element| ["href", "src", "action"].map(|name| element.get(name).map(str::to_owned));
                elements(page).into_iter().flat_map(link).flatten().collect()
            };
            assert_eq!(links(&html.0), links(&plain.0), "{name}: {payload:?}");
        }
    }
}

#[test]
fn oa95_what_others_write_is_still_read() {
    for (name, html) in hostile(&Foreign { text: "<b>Bold & \"brash\"</b>", uri: "https://a.example/<i>" }) {
        assert!(read(&html.0).contains("<b>Bold & \"brash\"</b>"), "{name}");
    }
}

#[test]
fn oa97_no_page_holds_a_character_that_is_not_seen() {
    let unseen = "A\u{202e}B\u{2066}C\u{200b}D\u{7}E\u{feff}F\u{e0041}G\u{3164}H\u{2028}I";
    for (name, html) in hostile(&Foreign { text: unseen, uri: unseen }) {
        // What is sent back as it came is made here.
        let shown = elements(&html.0).into_iter().filter(|element| element.get("type") != Some("hidden"));
        let shown: String = shown.map(|element| format!("{}{:?}", element.text, element.attributes)).collect();
        assert!(shown.contains("ABCDEFGH"), "{name}");
        let unseen = |c: &char| (c.is_control() && *c != '\n') || crate::config::look_alike::is_unseen(*c);
        assert_eq!(shown.chars().find(unseen), None, "{name}");
    }
}

#[test]
fn oa97_a_long_name_makes_no_long_page() {
    let long = "W".repeat(10_000);
    let usual = hostile(&Foreign { text: "W", uri: "W" });
    for ((name, html), (_, usual)) in hostile(&Foreign { text: &long, uri: &long }).iter().zip(usual) {
        let visible = |page: &str| read(page).len();
        assert!(visible(&html.0) < visible(&usual.0) + 4_000, "{name}");
    }
}

#[test]
fn oa97_the_page_says_how_a_client_is_known() {
    for (name, says) in [
        ("consent", "published by desk.example.com"),
        ("consent-unverified", "self-registered, unverified"),
        ("consent-without-scope", "registered by the operator"),
        ("consent-look-alike", "U+0430"),
        ("sign-in-password", "self-registered, unverified"),
        ("grants", "self-registered, unverified"),
    ] {
        assert!(read(&page(name)).contains(says), "{name}");
    }
    for honest in ["consent", "consent-without-scope"] {
        assert!(!read(&page(honest)).contains("unverified"), "{honest}");
    }
}

#[test]
fn oa98_as24_the_host_of_the_redirect_is_shown_and_a_local_one_marked() {
    for (name, host, note) in [
        ("consent", "desk.example.com", None),
        ("consent-unverified", "127.0.0.1:33418", Some("Any program on this computer")),
        ("consent-app", "com.example.pocket", Some("Whichever app on this device")),
    ] {
        let page = page(name);
        let shown: Vec<String> =
            all(&page, "strong").into_iter().filter(|element| has_class(element, "host")).map(|e| e.text).collect();
        assert!(matches!(shown.as_slice(), [only] if only.trim() == host), "{name}: {shown:?}");
        let notes = ["Any program on this computer", "Whichever app on this device"];
        let said: Vec<&str> = notes.into_iter().filter(|note| read(&page).contains(note)).collect();
        assert_eq!(said, note.into_iter().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn sm12_every_scope_is_a_tick_box_and_only_what_is_asked_for_is_ticked() {
    let ticks = |name: &str| -> Vec<(String, bool)> {
        let boxes = all(&page(name), "input").into_iter().filter(|input| input.get("type") == Some("checkbox"));
        boxes
            .map(|input| {
                assert_eq!(input.get("name"), Some(field::SCOPE));
                (input.get("value").unwrap().to_owned(), input.get("checked").is_some())
            })
            .collect()
    };
    let scopes = ["tag:web", "tag:files", "tag:files-write"];
    assert_eq!(ticks("consent"), scopes.map(|scope| (scope.to_owned(), true)));
    assert_eq!(ticks("consent-without-scope"), scopes.map(|scope| (scope.to_owned(), false)));
    assert_eq!(ticks("consent-many").len(), 50);
    assert_eq!(ticks("consent-nothing"), []);
}

#[test]
fn sm12_what_a_scope_opens_is_said_with_its_worst() {
    let page = page("consent");
    let said: Vec<String> = all(&page, "summary").into_iter().map(|summary| summary.text.trim().to_owned()).collect();
    assert_eq!(
        said,
        [
            "Opens docs: 2 tools (2 read)",
            "Opens files: 5 tools (1 can destroy, 1 changes, 2 read, 1 forbidden to you)",
            "Opens files: 2 tools (1 can destroy, 1 changes)",
        ]
    );
    let text = read(&page);
    for part in ["Only together with", "besides: 2 prompts, 1 resource", "sensitive", "Move or rename a file"] {
        assert!(text.contains(part), "{part}");
    }
    let crowded = read(&self::page("consent-crowded"));
    for part in [
        "Opens big and down: 120 tools (120 read), and tools that are not known now",
        "and 70 tools more: 70 read",
        "Opens nothing at present",
        "Opens down, whose tools are not known now",
    ] {
        assert!(crowded.contains(part), "{part}");
    }
}

#[test]
fn sm12_how_long_it_lasts_is_said() {
    for (name, says) in [
        (
            "consent",
            "Until you revoke it, at most 90 days. It renews itself without asking you, and ends after 14 days",
        ),
        ("consent-without-scope", "10 minutes. After that it has to ask you again."),
    ] {
        assert!(read(&page(name)).contains(says), "{name}");
    }
}

#[test]
fn deny_is_as_prominent_as_allow_and_comes_first() {
    for (name, _) in gallery().iter().filter(|(name, _)| name.contains("consent")) {
        let buttons: Vec<Element> = all(&page(name), "button");
        let decisions: Vec<&str> = buttons
            .iter()
            .filter(|button| button.get("name") == Some(field::DECISION))
            .map(|button| button.get("value").unwrap())
            .collect();
        let expected: &[&str] = if *name == "consent-nothing" { &["deny"] } else { &["deny", "allow"] };
        assert_eq!(decisions, expected, "{name}");
    }
    let [style, _] = &*ASSETS;
    let rules = style.body.lines().filter(|line| line.contains(".allow") || line.contains(".deny"));
    // One line tells them apart, and by colour alone.
    let rules: Vec<&str> = rules.collect();
    assert_eq!(rules, [".choice .deny, .all .deny { background: var(--plain); color: var(--on-plain); }"]);
}

#[test]
fn t065_as33_every_form_is_posted_here_with_its_secret() {
    let ours = [path::CONSENT, path::REVOKE, path::LOGIN, path::LINK, path::SIGN_OUT];
    for (name, html) in gallery() {
        let mut secrets = Vec::new();
        for element in elements(&html.0) {
            match element.name.as_str() {
                "form" => {
                    assert_eq!(element.get("method"), Some("post"), "{name}");
                    assert!(ours.contains(&element.get("action").unwrap()), "{name}");
                    secrets.push(0);
                }
                "input" if element.get("name") == Some(field::CSRF) => {
                    assert!(element.is_in("form"), "{name}");
                    *secrets.last_mut().unwrap() += 1;
                }
                "input" | "button" => assert!(element.is_in("form"), "{name}: {element:?}"),
                _ => {}
            }
        }
        assert!(secrets.iter().all(|count| *count == 1), "{name}: {secrets:?}");
    }
}

#[test]
fn every_field_has_a_label_and_every_id_is_one() {
    for (name, html) in gallery() {
        let elements = elements(&html.0);
        let ids: Vec<&str> = elements.iter().filter_map(|element| element.get("id")).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{name}");
        let labels: BTreeSet<&str> = elements.iter().filter_map(|element| element.get("for")).collect();
        for element in &elements {
            if element.name == "input" && element.get("type") != Some("hidden") {
                assert!(labels.contains(element.get("id").unwrap()), "{name}: {element:?}");
            }
            for described in element.get("aria-describedby").into_iter().flat_map(|ids| ids.split(' ')) {
                assert!(unique.contains(described), "{name}: {described}");
            }
        }
    }
}

#[test]
fn headings_are_in_order() {
    for (name, html) in gallery() {
        let levels: Vec<u8> = elements(&html.0)
            .iter()
            .filter_map(|element| element.name.strip_prefix('h').and_then(|level| level.parse().ok()))
            .collect();
        assert_eq!(levels.first(), Some(&1), "{name}");
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{name}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{name}: {levels:?}");
    }
}

#[test]
fn t066_t073_pages_have_no_script_no_style_of_their_own_and_nothing_of_others() {
    const NOT: [&str; 11] =
        ["script", "style", "img", "iframe", "object", "embed", "base", "frame", "video", "audio", "source"];
    let loaded: Vec<&str> = ASSETS.iter().map(|asset| asset.path.as_str()).collect();
    for (name, html) in gallery() {
        for element in elements(&html.0) {
            assert!(!NOT.contains(&element.name.as_str()), "{name}: {element:?}");
            for (attribute, value) in &element.attributes {
                assert!(!attribute.starts_with("on") && attribute != "style", "{name}: {element:?}");
                assert!(
                    attribute != "src" && attribute != "srcset" && attribute != "http-equiv",
                    "{name}: {element:?}"
                );
                if element.name == "link" && attribute == "href" {
                    assert!(loaded.contains(&value.as_str()), "{name}: {element:?}");
                }
            }
        }
    }
    for asset in &*ASSETS {
        let names_another = ["url(", "@import", "href=", "<script"].iter().any(|word| asset.body.contains(word));
        assert!(!names_another, "{}", asset.path);
        assert!(asset.body.len() < 10_000, "{} is of {} bytes", asset.path, asset.body.len());
    }
}

#[test]
fn oa34_links_lead_here_but_for_the_way_back_to_a_denied_client() {
    let ours = [path::GRANTS, path::LOGIN];
    for (name, html) in gallery() {
        let links = all(&html.0, "a");
        let foreign: Vec<&Element> = links.iter().filter(|link| !ours.contains(&link.get("href").unwrap())).collect();
        match name {
            "done-denied" | "hostile-denied" | "hostile-error" => {
                assert!(matches!(foreign.as_slice(), [back] if back.get("rel") == Some("noreferrer")), "{foreign:?}");
            }
            _ => assert_eq!(foreign, Vec::<&Element>::new(), "{name}"),
        }
    }
    let page = page("done-denied");
    let links = all(&page, "a");
    let back = links.iter().find_map(|link| link.get("href").filter(|href| href.starts_with("http"))).unwrap();
    assert!(back.contains("error=access_denied&state=x&iss="), "the parser gives it back unescaped: {back}");
}

#[test]
fn t214_what_was_wrong_with_a_sign_in_does_not_show() {
    let text = read(&page("sign-in-password-wrong"));
    assert!(text.contains("The name or the password is wrong."));
    assert!(read(&page("sign-in-password-limited")).contains("Wait 15 minutes, then try again."));
    for name in ["sign-in-password-wrong", "sign-in-password-limited", "hostile-sign-in"] {
        let password = all(&page(name), "input").into_iter().find(|input| input.get("name") == Some(field::PASSWORD));
        assert_eq!(password.unwrap().get("value"), None, "{name}");
    }
}

#[test]
fn t225_a_link_is_taken_by_a_button() {
    let page = page("sign-in-link");
    let forms = all(&page, "form");
    assert!(matches!(forms.as_slice(), [form] if form.get("action") == Some(path::LINK)));
    let link = all(&page, "input").into_iter().find(|input| input.get("name") == Some(field::LINK)).unwrap();
    assert_eq!(link.get("value"), Some("pc_link_0123456789"));
    assert!(all(&page, "a").iter().all(|link| !link.get("href").unwrap().contains("pc_link")));
}

#[test]
fn oa82_servers_that_joined_since_are_named_where_they_stay_closed() {
    let text = read(&page("grants"));
    assert!(text.contains("closed to this client until it asks you again"));
    assert!(text.contains("mail") && text.contains("search"));
}

/// What has broken pages: markup, attributes, other contexts, templates, encodings.
const PAYLOADS: [&str; 32] = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">",
    "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<body onload=alert(1)>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{display:none}</style>",
    "<form action=//evil.example><input name=csrf>",
    "</title><script>alert(1)</script>",
    "</bdi></h1></main><h1>Denied</h1>",
    "</form><form action=//evil.example method=post>",
    "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)",
    "\"><input name=decision value=allow>",
    "` onclick=alert(1) `",
    "x\" autofocus onfocus=alert(1) x=\"",
    "<!-- ",
    "--><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "{{ 7*7 }}{% include \"/etc/passwd\" %}${7*7}<%= 7*7 %>",
    "&lt;script&gt;alert(1)&lt;/script&gt;&#60;b&#62;",
    "\u{ff1c}script\u{ff1e}alert(1)\u{ff1c}/script\u{ff1e}",
    "<scr\0ipt>alert(1)</scr\0ipt>",
    "<\u{200b}script>\u{202e}alert(1)\u{202c}</script>",
    "javascript:alert(1)",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
];
