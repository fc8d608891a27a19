//! How much of what attacks the detectors find, and how often they find it in what is ordinary.
//!
//! `cargo test --test integration detect:: -- --nocapture` prints the table. What is ordinary are
//! arguments as coding agents send them (`tests/fixtures/detect/ordinary`), every file of this
//! repository as one argument, and every line of these as one: a line is short enough to be taken for
//! a value. What attacks stands in `tests/fixtures/detect/attacks`.

mod corpus;
mod properties;

use std::collections::BTreeMap;

use corpus::Item;
use portcullis::detect::{Detector, Detectors};

/// Of what attacks, at least this is found.
const FOUND: f64 = 0.95;
/// Of ordinary arguments, at most this is taken for an attack, by each detector.
const ITEMS: f64 = 0.01;
/// Of ordinary files.
const FILES: f64 = 0.01;
/// Of ordinary lines.
const LINES: f64 = 0.000_5;

fn count(items: &[Item], of: Detector) -> (usize, Vec<&Item>) {
    let found: Vec<&Item> = items.iter().filter(|item| item.found().contains(of)).collect();
    (found.len(), found)
}

#[expect(clippy::cast_precision_loss, reason = "a rate of a few thousand")]
fn rate(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[test]
fn sm24_sm37_attacks_are_found_and_what_is_ordinary_is_not() {
    let (items, files, lines) = (corpus::ordinary(), corpus::files(), corpus::lines());
    assert!(items.len() > 350 && files.len() > 300 && lines.len() > 20_000);
    println!(
        "{:<20} {:>16} {:>16} {:>16} {:>16}",
        "",
        "attacks found",
        format!("of {} items", items.len()),
        format!("of {} files", files.len()),
        format!("of {} lines", lines.len())
    );
    let (mut wrong, mut notes) = (Vec::new(), Vec::new());
    for detector in Detector::ALL {
        let attacks = corpus::attacks(detector);
        assert!(attacks.len() >= 40, "{detector}: only {} attacks", attacks.len());
        let (found, _) = count(&attacks, detector);
        let mut row = format!(
            "{detector:<20} {:>8} = {:>4.0} %",
            format!("{found}/{}", attacks.len()),
            rate(found, attacks.len()) * 100.0
        );
        for item in attacks.iter().filter(|item| !item.found().contains(detector)) {
            notes.push(format!("{detector} misses {}", item.shown()));
        }
        if rate(found, attacks.len()) < FOUND {
            wrong.push(format!("{detector} finds too little"));
        }
        for (ordinary, bound) in [(&items, ITEMS), (&files, FILES), (&lines, LINES)] {
            let (count, which) = count(ordinary, detector);
            row += &format!("{:>7} = {:>5.2} %", count, rate(count, ordinary.len()) * 100.0);
            notes.extend(which.iter().take(40).map(|item| format!("{detector} is wrong about {}", item.shown())));
            if rate(count, ordinary.len()) > bound {
                wrong.push(format!("{detector} finds too much"));
            }
        }
        println!("{row}");
    }
    println!("{}", notes.join("\n"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sm25_heads_and_targets_of_real_clients_are_let_in() {
    let mut wrong = BTreeMap::new();
    for item in corpus::heads().into_iter().chain(corpus::targets()) {
        let found = item.found();
        if !found.is_empty() {
            wrong.insert(item.shown(), found.iter().map(Detector::word).collect::<Vec<_>>());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn detectors_that_are_off_find_nothing() {
    for detector in Detector::ALL {
        for item in corpus::attacks(detector) {
            let others = Detectors::ALL.without(Detectors::one(detector));
            assert!(!item.found_by(others).contains(detector), "{item:?}");
            assert_eq!(item.found_by(Detectors::NONE), Detectors::NONE, "{item:?}");
        }
    }
}
