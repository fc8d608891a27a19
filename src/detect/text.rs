//! One string of a body, by every detector that runs.

use super::{Detector, Detectors, command, field, letter, path, percent::decoded, pollution, seen, sql};

/// Bytes above which a string is more than anybody means to send in one.
const LONGEST: usize = 1 << 20;
/// Longer texts are not read again without their percent signs.
const LONGEST_ENCODED: usize = 2048;

/// What `wanted` find in a string of a body.
#[must_use]
pub fn argument(text: &str, wanted: Detectors) -> Detectors {
    let text = text.as_bytes();
    let kinds = seen::kinds_in(text);
    let mut found = Detectors::NONE;
    // A word, a number, a sentence without a point: there are more of them than of all else.
    if kinds & !seen::SPACE == 0 && text.len() < 6 {
        return found;
    }
    let mut note = |detector, holds: &dyn Fn() -> bool| found.note(detector, wanted.contains(detector) && holds());
    note(Detector::Bidirectional, &|| letter::reverses(text, kinds));
    note(Detector::ControlCharacters, &|| letter::unseen(text, kinds));
    note(Detector::NullByte, &|| kinds & seen::NULL != 0);
    note(Detector::Oversized, &|| text.len() > LONGEST);
    note(Detector::CommandInjection, &|| command::continues(text, kinds));
    note(Detector::HeaderInjection, &|| field::continues(text, kinds));
    note(Detector::PathTraversal, &|| path::in_argument(text, kinds));
    note(Detector::PrototypePollution, &|| pollution::is_path(text, kinds));
    note(Detector::SqlInjection, &|| sql::continues(text, kinds));
    if kinds & seen::PERCENT != 0 && kinds & seen::BREAK == 0 && text.len() <= LONGEST_ENCODED {
        let plain = decoded(text);
        if plain.as_ref() != text {
            found = found.with(behind_percent(&plain, wanted.without(found)));
            found = found.with(behind_percent(&decoded(&plain), wanted.without(found)));
        }
    }
    found
}

/// What is found in a value once its percent signs are undone.
fn behind_percent(text: &[u8], wanted: Detectors) -> Detectors {
    let kinds = seen::kinds_in(text);
    let mut found = Detectors::NONE;
    let mut note = |detector, holds: &dyn Fn() -> bool| found.note(detector, wanted.contains(detector) && holds());
    note(Detector::CommandInjection, &|| command::continues(text, kinds));
    note(Detector::NullByte, &|| kinds & seen::NULL != 0);
    note(Detector::PrototypePollution, &|| pollution::is_path(text, kinds));
    note(Detector::SqlInjection, &|| sql::continues(text, kinds));
    found
}
