//! Where a page of a list ends, and the cursor by which the next one is asked for.
//!
//! A cursor is sealed to who asks, the endpoint, the kind of list and the request's filter, and says
//! where to go on, in exactly which list, and until when: one that is another's, made up or outdated is
//! refused (PG-01, PX-06, PX-31). Nothing of it is kept by us.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::{Inquiry, Refusal};
use crate::{mcp::Kind, name::ScopeName, seal::Handles};

/// The most entries of a page.
pub(crate) const LONGEST: usize = 1000;
/// How long a cursor is good.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(10);
const PURPOSE: &str = "cursor";

/// A page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Its entries, of those that the caller sees.
    pub(crate) range: Range<usize>,
    /// What the next one is asked for by, if there is one.
    pub(crate) next: Option<String>,
}

/// The page of a list of `total` entries that a cursor asks for; `digest` tells the list from others.
pub(crate) fn page(
    handles: &Handles,
    inquiry: &Inquiry<'_>,
    kind: Kind,
    cursor: Option<&str>,
    total: usize,
    digest: impl FnOnce() -> [u8; 32],
) -> Result<Page, Refusal> {
    if cursor.is_none() && total <= LONGEST {
        return Ok(Page { range: 0..total, next: None });
    }
    let (bound, digest) = (Bound::of(inquiry, kind), digest());
    let from = match cursor {
        None => 0,
        Some(cursor) => bound.open(handles, cursor, inquiry.moment.now, &digest, total).ok_or_else(|| {
            Refusal::BadParams("`params.cursor` is no cursor of this list as it is now; begin anew".into())
        })?,
    };
    let to = from.saturating_add(LONGEST).min(total);
    let next = if to < total { Some(bound.seal(handles, to, inquiry.moment.now, &digest)?) } else { None };
    Ok(Page { range: from..to, next })
}

/// What a cursor is sealed to.
struct Bound {
    parts: Vec<Vec<u8>>,
}

impl Bound {
    fn of(inquiry: &Inquiry<'_>, kind: Kind) -> Self {
        let standing = inquiry.ready.asker.standing();
        let endpoint = inquiry.endpoint.to_string();
        let named = standing.named.as_ref().map_or_else(
            || "-".to_owned(),
            |named| format!("+{}", named.iter().map(ScopeName::as_str).collect::<Vec<_>>().join(" ")),
        );
        let client = standing.client.as_ref().map(ToString::to_string).unwrap_or_default();
        let parts = [standing.principal.to_string(), client, endpoint, kind.field().to_owned(), named];
        Self { parts: parts.into_iter().map(String::into_bytes).collect() }
    }

    fn seal(&self, handles: &Handles, at: usize, now: Timestamp, digest: &[u8; 32]) -> Result<String, Refusal> {
        let until = now.saturating_add(GOOD_FOR).map_or(i64::MAX, Timestamp::as_millisecond);
        let content = [&(at as u64).to_be_bytes()[..], &until.to_be_bytes(), digest].concat();
        handles.seal(PURPOSE, &self.bytes(), &content).map_err(|error| {
            tracing::error!(%error, "no randomness for a cursor");
            Refusal::Internal
        })
    }

    /// Where a cursor goes on, if it is one of this list.
    fn open(&self, handles: &Handles, cursor: &str, now: Timestamp, digest: &[u8; 32], total: usize) -> Option<usize> {
        let content = handles.open(PURPOSE, &self.bytes(), cursor)?;
        let (at, rest) = content.split_first_chunk::<8>()?;
        let (until, list) = rest.split_first_chunk::<8>()?;
        let at = usize::try_from(u64::from_be_bytes(*at)).ok()?;
        let good = now.as_millisecond() < i64::from_be_bytes(*until) && list == digest && at < total;
        good.then_some(at)
    }

    fn bytes(&self) -> Vec<&[u8]> {
        self.parts.iter().map(Vec::as_slice).collect()
    }
}

/// Tells one list from another by its entries, names included.
pub(crate) fn digest<'e>(entries: impl IntoIterator<Item = (Option<&'e str>, &'e str)>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (name, json) in entries {
        for part in [name.unwrap_or_default(), json] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn bound(parts: &[&str]) -> Bound {
        Bound { parts: parts.iter().map(|part| part.as_bytes().to_vec()).collect() }
    }

    #[test]
    fn pg01_px06_a_cursor_opens_for_its_holder_its_list_and_its_time_alone() {
        let handles = Handles::new(&Secret::new([7; 32]));
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (mine, list) = (bound(&["user local/ana", "", "", "tools", "-"]), digest([(None, "{}")]));
        let cursor = mine.seal(&handles, 1000, now, &list).unwrap();
        let open =
            |bound: &Bound, cursor: &str, now, list: &[u8; 32], total| bound.open(&handles, cursor, now, list, total);
        assert_eq!(open(&mine, &cursor, now, &list, 1001), Some(1000));
        for other in [
            bound(&["user local/bob", "", "", "tools", "-"]),
            bound(&["user local/ana", "app", "", "tools", "-"]),
            bound(&["user local/ana", "", "files", "tools", "-"]),
            bound(&["user local/ana", "", "", "prompts", "-"]),
            bound(&["user local/ana", "", "", "tools", "+tag:a"]),
        ] {
            assert_eq!(open(&other, &cursor, now, &list, 1001), None);
        }
        assert_eq!(open(&mine, &cursor, now + GOOD_FOR, &list, 1001), None, "outdated");
        assert_eq!(open(&mine, &cursor, now, &digest([(None, "[]")]), 1001), None, "another list");
        assert_eq!(open(&mine, &cursor, now, &list, 1000), None, "past its end");
        for made_up in ["", "0", cursor.get(1..).unwrap(), &format!("{cursor}A")] {
            assert_eq!(open(&mine, made_up, now, &list, 1001), None, "{made_up}");
        }
        assert_ne!(digest([(Some("a"), "b")]), digest([(Some("ab"), "")]));
    }
}
