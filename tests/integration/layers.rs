//! A module uses only modules declared above it in `lib.rs`.

use std::path::{Path, PathBuf};

use crate::support::root;

/// The modules of `lib.rs`, in its order.
fn declared() -> Vec<String> {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let module = |line: &str| {
        let line = line.trim();
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')).map(str::to_owned)
    };
    lib.lines().filter_map(module).collect()
}

/// Every source file under a path.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut entries: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
        .iter()
        .filter(|path| path.is_dir() || path.extension().is_some_and(|ext| ext == "rs"))
        .flat_map(|path| sources(path))
        .collect()
}

/// The modules that a text names after `crate::`, one by one or in a braced list.
fn used(text: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut modules = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        if text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            modules.push(word(rest));
            continue;
        };
        // Only the outermost level of the list names modules.
        let (mut depth, mut fresh) = (0, true);
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if depth == 0 && fresh && c.is_ascii_lowercase() => {
                    modules.push(word(&list[at..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    modules
}

#[test]
fn a_module_uses_only_modules_declared_above_it() {
    let order = declared();
    assert!(order.len() > 20, "lib.rs was not read: {order:?}");
    let place = |module: &str| order.iter().position(|name| name == module);
    let mut wrong = Vec::new();
    for (nth, module) in order.iter().enumerate() {
        let folder = root().join("src").join(module);
        let path = if folder.is_dir() { folder } else { folder.with_extension("rs") };
        for file in sources(&path) {
            for used in used(&std::fs::read_to_string(&file).unwrap()) {
                if place(&used).is_some_and(|place| place > nth) {
                    wrong.push(format!(
                        "{}: `{used}` is declared below `{module}`",
                        file.strip_prefix(root()).unwrap().display()
                    ));
                }
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lists_and_single_uses_are_both_read() {
    let text = "use crate::{\n    a::{x, y},\n    b,\n    c::Thing,\n};\nuse crate::d::e;\nlet f = not_crate::g::h;";
    assert_eq!(used(text), ["a", "b", "c", "d"]);
}
