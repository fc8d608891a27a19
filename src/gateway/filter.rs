//! `?tags=a,b`: what a request names, which can only narrow what its token opens.
//!
//! Nothing here is lenient: an empty, repeated or malformed value, a wildcard, or any other parameter
//! is refused, for what cannot be read must not fall back to everything (T-001, T-003).
//!
//! SPEC: design §2 "Filters".

use std::collections::BTreeSet;

use super::refusal::Refusal;
use crate::name::{ScopeName, TagName};

/// The most tags that a request may name.
const MOST: usize = 50;

/// The scopes of the tags that the query names, or nothing where there is no query.
pub(crate) fn parse(query: Option<&str>) -> Result<Option<BTreeSet<ScopeName>>, Refusal> {
    let Some(query) = query else { return Ok(None) };
    let refused = |problem: &str| Refusal::BadQuery(format!("{problem}: the only query is `?tags=NAME,NAME`"));
    let Some(value) = query.strip_prefix("tags=") else { return Err(refused("unknown query parameter")) };
    if value.contains(['&', ';', '=']) {
        return Err(refused("`tags` must be given once, alone"));
    }
    // A comma may come as itself or encoded; a tag needs no encoding.
    let value = value.replace("%2C", ",").replace("%2c", ",");
    let mut named = BTreeSet::new();
    for name in value.split(',') {
        let tag: TagName = name.parse().map_err(|_| refused("a tag is 1 to 64 of `A-Z a-z 0-9 _ -`"))?;
        if !named.insert(tag.scope()) {
            return Err(refused("a tag is named twice"));
        }
    }
    if named.len() > MOST {
        return Err(refused("too many tags, at most 50"));
    }
    Ok(Some(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm14_tags_are_named_once_each_and_exactly() {
        let named = parse(Some("tags=web,files")).unwrap().unwrap();
        assert_eq!(named.iter().map(ScopeName::as_str).collect::<Vec<_>>(), ["tag:files", "tag:web"]);
        assert_eq!(parse(None).unwrap(), None);
        assert_eq!(parse(Some("tags=a%2Cb")).unwrap().unwrap().len(), 2);
    }

    #[test]
    fn t001_t003_what_cannot_be_read_is_refused_and_never_means_everything() {
        let many: Vec<String> = (0..51).map(|n| format!("t{n}")).collect();
        for query in [
            "",
            "tags",
            "tags=",
            "tags=*",
            "tags=a,",
            "tags=,a",
            "tags=a,a",
            "tags=a&tags=b",
            "tags=!a",
            "tags=not%20a",
            "tags=-a b",
            "tags=a+",
            "tags=((a",
            "tags=a%00",
            "x=1",
            "tags=a&x=1",
            "Tags=a",
            "access_token=x",
            &format!("tags={}", many.join(",")),
            &format!("tags={}", "(".repeat(10_000)),
        ] {
            assert!(matches!(parse(Some(query)), Err(Refusal::BadQuery(_))), "{query}");
        }
    }
}
