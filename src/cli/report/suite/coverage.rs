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
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Coverage by portcullis test</title>\n<style>body{font-family:sans-serif;max-width:60em;margin:2em auto}td,th{padding:.2em 1em;text-align:left}</style>\n<h1>Coverage</h1>\n",
    );
    for one in coverage {
        _ = writeln!(
            page,
            "<h2>{}</h2>\n<table>\n<tr><th>part</th><th>covered</th><th>of</th><th>%</th></tr>",
            xml::text(&one.config)
        );
        for (name, part) in one.parts() {
            _ = writeln!(
                page,
                "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                part.covered,
                part.total,
                part.percent()
            );
        }
        page.push_str("</table>\n");
        for (name, part) in one.parts().into_iter().filter(|(_, part)| !part.uncovered.is_empty()) {
            _ = writeln!(page, "<h3>{name} not covered</h3>\n<ul>");
            for name in &part.uncovered {
                _ = writeln!(page, "<li><code>{}</code></li>", xml::text(name));
            }
            page.push_str("</ul>\n");
        }
    }
    page.push_str("</html>\n");
    page
}
