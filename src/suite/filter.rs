//! Which tests to run: `suite=…;principal=ci;tool=delete*`, globs joined by `;`.

use std::str::FromStr;

use crate::name::Pattern;

/// What a test must look like to be run. Each part that is named must fit.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    suite: Option<Pattern>,
    test: Option<Pattern>,
    principal: Option<Pattern>,
    request: Option<Pattern>,
    server: Option<Pattern>,
    tool: Option<Pattern>,
}

/// What one case is about, as a filter sees it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) suite: &'a str,
    pub(super) test: &'a str,
    pub(super) principal: Option<&'a str>,
    pub(super) request: Option<&'a str>,
    pub(super) server: Option<&'a str>,
    pub(super) tool: Option<&'a str>,
}

impl Filter {
    /// Whether a case is to be run. What the case does not have fits no pattern.
    pub(super) fn fits(&self, about: About<'_>) -> bool {
        let Self { suite, test, principal, request, server, tool } = self;
        let fits = |pattern: &Option<Pattern>, name: Option<&str>| {
            pattern.as_ref().is_none_or(|pattern| name.is_some_and(|name| pattern.matches(name)))
        };
        fits(suite, Some(about.suite))
            && fits(test, Some(about.test))
            && fits(principal, about.principal)
            && fits(request, about.request)
            && fits(server, about.server)
            && fits(tool, about.tool)
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut filter = Self::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let Some((key, glob)) = part.split_once('=') else {
                return Err(format!("`{part}` must be KEY=GLOB, as in `principal=ci;tool=delete*`"));
            };
            let slot = match key.trim() {
                "suite" => &mut filter.suite,
                "test" => &mut filter.test,
                "principal" => &mut filter.principal,
                "request" => &mut filter.request,
                "server" => &mut filter.server,
                "tool" => &mut filter.tool,
                other => {
                    return Err(format!(
                        "no key `{other}`; the keys are `suite`, `test`, `principal`, `request`, `server` and `tool`"
                    ));
                }
            };
            if slot.is_some() {
                return Err(format!("`{}` is given twice", key.trim()));
            }
            *slot = Some(Pattern::glob(glob.trim()));
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_is_named_must_fit() {
        let about = About { suite: "notes", test: "only writers write", principal: Some("ci"), ..About::default() };
        for (filter, fits) in [
            ("", true),
            ("suite=notes", true),
            ("suite=n*;principal=c*", true),
            ("test=only writers*", true),
            ("suite=notes;principal=x", false),
            ("tool=delete*", false),
        ] {
            assert_eq!(filter.parse::<Filter>().unwrap().fits(about), fits, "{filter}");
        }
        for (bad, words) in [("tool", "KEY=GLOB"), ("x=y", "no key `x`"), ("tool=a;tool=b", "twice")] {
            assert!(bad.parse::<Filter>().unwrap_err().contains(words), "{bad}");
        }
    }
}
