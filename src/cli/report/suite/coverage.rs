//! What tests cover, for people: as text, and as one page.

use std::fmt::Write as _;

use crate::{cli::report::xml, suite::Coverage};

/// The most names that are listed of what is not covered.
const MOST_LISTED: usize = 20;

/// A table for each configuration, then what is not covered.
pub(in crate::cli) fn coverage(coverage: &[Coverage]) -> String {
    let mut text = String::new();
    for one in coverage {
        // Writing to a string does not fail.
        _ = writeln!(text, "coverage of {}", one.config);
        for (name, part) in one.parts() {
            if part.total == 0 {
                _ = writeln!(text, "  {name:9} none to cover");
                continue;
            }
            _ = writeln!(text, "  {name:9} {}/{} ({} %)", part.covered, part.total, part.percent());
            for name in part.uncovered.iter().take(MOST_LISTED) {
                _ = writeln!(text, "            not {name}");
            }
            if let Some(more) = part.uncovered.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
                _ = writeln!(text, "            and {more} more");
            }
        }
    }
    text
}

/// The same as a page that needs nothing else.
pub(in crate::cli) fn coverage_page(coverage: &[Coverage]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>Coverage by portcullis test</title>\n<style>\n{STYLE}</style>\n<h1>Coverage by portcullis test</h1>\n"
    );
    for one in coverage {
        _ = writeln!(page, "<h2><code>{}</code></h2>\n<table>", xml::text(&one.config));
        page.push_str("<tr><th>part<th class=\"n\">covered<th class=\"n\">of<th class=\"n\">%<th>\n");
        for (name, part) in one.parts() {
            if part.total == 0 {
                _ = writeln!(page, "<tr><td>{name}<td colspan=\"4\">none to cover");
                continue;
            }
            let (covered, total, percent) = (part.covered, part.total, part.percent());
            _ = writeln!(
                page,
                "<tr><td>{name}<td class=\"n\">{covered}<td class=\"n\">{total}<td class=\"n\">{percent}<td><progress max=\"{total}\" value=\"{covered}\" aria-label=\"{name}\"></progress>"
            );
        }
        page.push_str("</table>\n");
        for (name, part) in one.parts().into_iter().filter(|(_, part)| !part.uncovered.is_empty()) {
            let count = part.uncovered.len();
            _ = writeln!(page, "<details open>\n<summary>{name} not covered: {count}</summary>\n<ul>");
            for name in &part.uncovered {
                _ = writeln!(page, "<li><code>{}</code>", xml::text(name));
            }
            page.push_str("</ul>\n</details>\n");
        }
    }
    page.push_str("</html>\n");
    page
}

/// Readable on a telephone, and in the colours that the reader's system is set to.
const STYLE: &str = "\
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem }
h2 { font-size: 1.1rem; margin-top: 2rem }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { padding: .3rem .6rem .3rem 0; text-align: left; border-bottom: 1px solid color-mix(in srgb, currentcolor 20%, transparent) }
.n { text-align: right; font-variant-numeric: tabular-nums }
progress { width: 100%; min-width: 3rem; accent-color: #2e8b57; vertical-align: middle }
details { margin-top: 1rem }
summary { font-weight: 600; cursor: pointer }
ul { margin: .3rem 0; padding-left: 1.4rem }
";
