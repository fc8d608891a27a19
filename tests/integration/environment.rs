//! Environments: one file laid over another, every value at its own place.

use std::{collections::BTreeMap, path::Path};

use portcullis::{
    check,
    cli::report::{Report, Style},
    config::{self, Environments, Loaded, Wanted},
    name::{EnvironmentName, TagName},
};

use crate::{
    cli::{CONFIG, at, run, run_with, says},
    support::{golden, lines, no_env, told},
};

fn files(base: &str, overlays: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.yaml"), base).unwrap();
    for (name, text) in overlays {
        std::fs::write(folder.path().join(format!("portcullis.{name}.yaml")), text).unwrap();
    }
    folder
}

/// The base with `over` laid over it.
fn laid(base: &str, over: &str) -> Loaded {
    let folder = files(base, &[("production", over)]);
    load(folder.path(), "production")
}

fn load(folder: &Path, name: &str) -> Loaded {
    config::load_wanted(&Wanted::with(&folder.join("portcullis.yaml"), name.parse().unwrap()), &no_env)
}

fn found(loaded: &Loaded) -> Vec<String> {
    lines(&loaded.findings)
}

const BASE: &str = "version: 1
listen: {address: 127.0.0.1:4000, limits: {body: 1MiB, connections: 5}}
tags: {web: Pages, files: {description: Files, sensitive: true}}
servers:
  docs:
    tags: [web]
    http: {url: \"https://docs.example.com/mcp\", headers: {X-A: a}}
    tools: {write: deny}
grants:
  - {to: {user: '*'}, scopes: ['tag:web']}
oauth: {enabled: true}
";

#[test]
fn maps_merge_and_everything_else_is_replaced() {
    for (over, same_as) in [
        // A value of a map within a map; its neighbours stay.
        ("listen: {limits: {body: 2MiB}}", ("body: 1MiB", "body: 2MiB")),
        // A list, never appended to.
        (
            "grants: [{to: {group: staff}, scopes: ['tag:files']}]",
            (
                "grants:\n  - {to: {user: '*'}, scopes: ['tag:web']}",
                "grants: [{to: {group: staff}, scopes: ['tag:files']}]",
            ),
        ),
        ("servers: {docs: {tags: [files]}}", ("tags: [web]", "tags: [files]")),
        // A new key beside others.
        ("servers: {docs: {http: {headers: {X-B: b}}}}", ("{X-A: a}", "{X-A: a, X-B: b}")),
        ("tags: {mail: Letters}", ("tags: {", "tags: {mail: Letters, ")),
        // A new section.
        ("audit: {file: /var/log/a}", ("oauth:", "audit: {file: /var/log/a}\noauth:")),
        // A map for a single value, and the other way round.
        ("tags: {web: {sensitive: true}}", ("web: Pages", "web: {sensitive: true}")),
        ("tags: {files: Plain}", ("files: {description: Files, sensitive: true}", "files: Plain")),
        ("servers: {docs: {tools: {write: {tags: [files]}}}}", ("write: deny", "write: {tags: [files]}")),
        // An empty map adds nothing; an empty list is a list.
        ("listen: {}", ("", "")),
        ("grants: []", ("grants:\n  - {to: {user: '*'}, scopes: ['tag:web']}", "grants: []")),
        // The version may be said again.
        ("version: 1\noauth: {enabled: false}", ("enabled: true", "enabled: false")),
    ] {
        let merged = laid(BASE, over);
        let written = BASE.replacen(same_as.0, same_as.1, 1);
        let folder = files(&written, &[]);
        let whole = config::load(&folder.path().join("portcullis.yaml"), &no_env);
        assert_eq!((found(&merged), found(&whole)), (Vec::new(), Vec::new()), "{over}");
        assert_eq!(meaning(&merged), meaning(&whole), "{over}");
    }
}

/// What compiles of it and what it says of its listener, without places, digest and directories.
fn meaning(loaded: &Loaded) -> String {
    let config = loaded.config.as_ref().unwrap();
    let tags: BTreeMap<&TagName, _> =
        config.tags.iter().map(|(name, tag)| (name, (&tag.description, tag.sensitive))).collect();
    let servers: Vec<String> = config.servers.values().map(|server| format!("{:?}", server.transport)).collect();
    let servers = places_out(&servers.join("\n"));
    let bundle = portcullis::compile::bundle(config, None).unwrap();
    let (listen, digest) = (&config.listen, bundle.digest());
    let audit = config.audit.file.file_name();
    format!("{tags:?} {:?} {:?} {audit:?} {servers} {digest}", listen.address.value, listen.limits)
}

fn places_out(text: &str) -> String {
    let mut parts = text.split("Place {");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('}').map_or("", |(_, rest)| rest))
}

#[test]
fn every_value_stands_in_its_own_file() {
    let loaded = laid(
        BASE,
        "# production\nlisten:\n  address: 127.0.0.1:5000\nservers:\n  more: {tags: [web], stdio: {command: [cat]}}\n",
    );
    let config = loaded.config.unwrap();
    let file = |place: &portcullis::diagnostic::Place| {
        (Path::new(&*place.file).file_name().unwrap().to_str().unwrap().to_owned(), place.line)
    };
    assert_eq!(file(&config.listen.address.place), ("portcullis.production.yaml".into(), 3));
    assert_eq!(file(&config.servers[&"docs".parse().unwrap()].place), ("portcullis.yaml".into(), 5));
    assert_eq!(file(&config.servers[&"more".parse().unwrap()].place), ("portcullis.production.yaml".into(), 5));
    assert_eq!(loaded.environment, Some("production".parse::<EnvironmentName>().unwrap()));
    assert_eq!(loaded.sources.files().count(), 2);
}

#[test]
fn the_digest_covers_both_files_and_the_name() {
    let folder = files(BASE, &[("a", "oauth: {enabled: true}\n"), ("b", "oauth: {enabled: true}\n"), ("c", "{}\n")]);
    let digest = |name| load(folder.path(), name).config.unwrap().digest;
    let alone = config::load(&folder.path().join("portcullis.yaml"), &no_env).config.unwrap().digest;
    let all = [alone, digest("a"), digest("b"), digest("c")];
    assert!(all.iter().all(|one| one.len() == 64 && all.iter().filter(|other| *other == one).count() == 1), "{all:?}");
    assert_eq!(digest("a"), digest("a"));
}

#[test]
fn what_is_wrong_in_an_environment_is_found_in_its_file() {
    for (over, finding) in [
        ("listne: {}", "1:1 PC004 unknown key `listne`"),
        ("servers: {docs: {tag: [web]}}", "1:18 PC004 unknown key `tag` in `servers.docs`"),
        ("tags: {a: A}\ntags: {b: B}", "2:1 PC002 the key `tags` is written twice"),
        ("tags: {Web: Pages}", "1:8 PC003 the keys `web` and `Web` differ only in their case"),
        ("servers: {docs: ~}", "1:17 PC005 `servers.docs` has no value, and an environment removes nothing"),
        (
            "listen: {limits: {body: }}",
            "1:23 PC005 `listen.limits.body` has no value, and an environment removes nothing",
        ),
        (
            "servers: {new: {tags: [web], stdio: {command: [a], cwd: null}}}",
            "1:57 PC005 `servers.new.stdio.cwd` has no value, and an environment removes nothing",
        ),
        ("version: 2", "1:10 PC008 `version` is the number `2` here and the number `1` in the base"),
        ("version: '1'", "1:10 PC008 `version` is the text `1` here and the number `1` in the base"),
        ("[a]", "1:1 PC005 an environment must be a map, not a list"),
        ("# nothing", "1:1 PC001 the configuration is empty"),
        ("tags: {a: *b}", "1:11 PC001 the alias `*b` is not allowed"),
        ("tags: {a: 0b11}", "1:11 PC001 two YAML readers read this value differently"),
        ("servers: {docs: {<<: {public: true}}}", "1:18 PC007 merge keys are not allowed"),
        (
            "oauth: {enabled: \"${OAUTH:-true}\"}",
            "1:18 PC009 variables are not substituted here: the same file is the same policy",
        ),
        ("servers: {docs: {stdio: {command: [cat]}}}", "5:3 PC005 `servers.docs` has both `http` and `stdio`"),
    ] {
        let loaded = laid(BASE, over);
        assert_eq!(found(&loaded), [finding], "{over}");
    }
    // The base's values stand where the environment gives nothing.
    let loaded = laid(BASE, "servers: {docs: ~}\ntags: ~\n");
    assert_eq!(loaded.findings.len(), 2, "{:?}", found(&loaded));
}

#[test]
fn the_version_is_the_bases() {
    let loaded = laid("tags: {a: A}\n", "version: 1\n");
    assert_eq!(found(&loaded), ["1:1 PC008 the key `version` is missing"]);
}

#[test]
fn an_environment_that_is_not_there_says_which_are() {
    let folder =
        files(BASE, &[("staging", "{}"), ("production", "{}"), ("test", "suite: x"), ("all", "{}"), ("Odd", "{}")]);
    let path = folder.path().join("portcullis.yaml");
    let names: Vec<String> = config::environments(&path).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["production", "staging"]);
    let loaded = load(folder.path(), "prod");
    assert!(!loaded.readable && loaded.config.is_none());
    let (finding, folder) = (&loaded.findings[0], folder.path().display().to_string());
    let said = format!("{finding}").replace(&folder, "DIR");
    assert_eq!(
        said,
        "DIR/portcullis.prod.yaml:1:1: error[PC001]: cannot read `DIR/portcullis.prod.yaml`, the environment `prod`: there is no such file (help: `DIR/portcullis.yaml` has `production`, `staging`)"
    );
}

/// What `check` prints of a folder's configuration.
fn checked(folder: &Path, environments: Environments) -> String {
    let wanted = Wanted { environments, ..Wanted::of(&folder.join("portcullis.yaml")) };
    let loaded = config::load_wanted(&wanted, &no_env);
    let examined = check::examine(&loaded);
    let report = Report::of(&loaded, examined.bundle.as_deref(), &examined.findings, &[]);
    told(&report, Style::Human).replace(&format!("{}/", folder.display()), "")
}

#[test]
fn findings_show_the_lines_of_both_files() {
    let over = "servers:\n  docs:\n    tags: [wbe]\ntags: {Files: Other}\n";
    let folder = files(BASE, &[("production", over)]);
    golden(
        "check",
        "environment_both_files",
        &checked(folder.path(), Environments::One("production".parse().unwrap())),
    );
}

#[test]
fn all_environments_are_checked_and_a_finding_is_told_once() {
    let base = BASE.replace("[web]\n    http: {url: \"https://docs", "[web]\n    http: {url: \"http://docs");
    let folder = files(
        &base,
        &[
            ("production", "servers: {docs: {http: {url: \"https://docs.example.com/mcp\"}}}\n"),
            ("staging", "servers: {docs: {tags: [files]}}\n"),
            ("eu", "listen: {adress: x}\n"),
        ],
    );
    golden("check", "environment_all", &checked(folder.path(), Environments::All));
}

#[test]
fn every_command_takes_an_environment() {
    let place = at(CONFIG);
    std::fs::write(place.path("portcullis.strict.yaml"), "servers: {time: {tags: [notes-write]}}\n").unwrap();
    let question = ["explain", "--scopes", "tag:clock", "--call", "time/now"];
    assert_eq!(run(&place, &question).status, 0);
    assert_eq!(run(&place, &[&question[..], &["--env", "strict"]].concat()).status, 1);
    assert_eq!(run_with(&place, &question, &[("PORTCULLIS_ENV", "strict")]).status, 1);
    assert_eq!(run_with(&place, &question, &[("PORTCULLIS_ENV", "")]).status, 0);
    let cedar = run(&place, &["compile", "--env", "strict"]);
    assert!(cedar.out.contains("context.scopes.containsAll([\"tag:notes-write\"])"), "{cedar:?}");
    says("environment_none_such", &run(&place, &["check", "--env", "production"]));
    says("environment_all", &run(&place, &["check", "--env", "all"]));
    for command in
        [&["explain", "--scopes", "tag:clock", "--call", "time/now"][..], &["compile"], &["serve"], &["token", "list"]]
    {
        for (name, said) in
            [("all", "`--env all` is for `check`"), ("../x", "environment `../x` must be"), ("none", "cannot read")]
        {
            let out = run(&place, &[command, &["--env", name]].concat());
            assert!(out.status == 2 && out.err.contains(said), "{command:?} {out:?}");
        }
    }
}

#[test]
fn pc009_a_missing_variable_may_be_a_warning_and_what_is_around_it_is_checked() {
    let text = "version: 1
listen: {address: \"${ADDRESS}\", public_url: \"${URL}\", limits: {connections: \"${N}\", request: \"${WAIT}\"}}
tags: {web: Pages}
servers:
  a: {tags: [web], http: {url: \"http://${HOST}:${PORT}/mcp\"}}
  b: {tags: [web], stdio: {command: [cat, \"--token=${TOKEN}\"]}}
grants: [{to: {user: '*'}, scopes: ['tag:web']}]
rules: [{forbid: {servers: [b]}, when: \"${WHEN}\"}]
";
    let place = at(text);
    let refused = run(&place, &["check"]);
    assert!(
        refused.status == 1 && refused.out.contains("error[PC009]: the environment variable `HOST` is not set"),
        "{refused:?}"
    );
    let warned = run(&place, &["check", "--allow-missing-env"]);
    let lines: Vec<&str> = warned.out.lines().filter(|line| line.contains("[PC")).collect();
    assert_eq!(warned.status, 1);
    assert_eq!(
        lines,
        [
            "warning[PC009]: the environment variable `ADDRESS` is not set",
            "warning[PC009]: the environment variable `URL` is not set",
            "warning[PC009]: the environment variable `N` is not set",
            "warning[PC009]: the environment variable `WAIT` is not set",
            "warning[PC009]: the environment variable `HOST` is not set",
            "warning[PC009]: the environment variable `TOKEN` is not set",
            "error[PC009]: variables are not substituted here: the same file is the same policy",
        ]
    );
    let good = text.replace("rules: [{forbid: {servers: [b]}, when: \"${WHEN}\"}]\n", "");
    let good = good.replace("address: \"${ADDRESS}\", ", "").replace(", request: \"${WAIT}\"", "");
    let warned = run(&at(&good), &["check", "--allow-missing-env"]);
    assert!(warned.status == 0 && !warned.out.contains("further checks wait"), "{warned:?}");
    let unreached = run(&at(&good.replace("a: {tags: [web], ", "a: {")), &["check", "--allow-missing-env"]);
    assert!(unreached.status == 1 && unreached.out.contains("error[PC110]"), "{unreached:?}");
    // What serves takes no such thing.
    assert_eq!(run(&place, &["serve", "--allow-missing-env"]).status, 2);
}
