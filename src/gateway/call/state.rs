//! The state that a modern caller carries from one round of a call to the next: sealed by us.
//!
//! To an upstream every caller is the gateway, so its own state alone would be good in anybody's
//! hands. Sealed, it opens for the same caller, server and request within its time, and for nothing
//! else; whatever does not open is one and the same refusal.
//!
//! SPEC: PX-14, PX-31; MCP 2026-07-28, "requestState".

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::super::{Owner, Refusal};
use crate::{mcp::Method, policy::Target, seal::Handles};

/// How long a caller may take from one round to the next.
pub(super) const GOOD_FOR: SignedDuration = SignedDuration::from_mins(10);
/// The longest state of an upstream that is carried; sealed, it is a third longer.
const LONGEST: usize = 32 * 1024;
const PURPOSE: &str = "request-state";

/// The request that a state belongs to.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) owner: Owner,
    pub(super) target: Target,
    pub(super) method: Method,
    pub(super) arguments: Bytes,
}

/// What a state holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// The upstream's own.
    Upstream(String),
    /// The name of a call that waits here.
    Parked([u8; 16]),
}

impl Bound {
    /// Seals a state.
    pub(super) fn seal(&self, handles: &Handles, state: &State, now: Timestamp) -> Result<String, Refusal> {
        let (kind, content) = match state {
            State::Upstream(state) if state.len() > LONGEST => {
                return Err(Refusal::Upstream("the server gives a state that is larger than the gateway takes".into()));
            }
            State::Upstream(state) => (b'u', state.as_bytes()),
            State::Parked(name) => (b'p', &name[..]),
        };
        let until = now.saturating_add(GOOD_FOR).map_or(i64::MIN, Timestamp::as_millisecond);
        let mut plain = vec![kind];
        plain.extend_from_slice(&until.to_be_bytes());
        plain.extend_from_slice(content);
        self.bound(|bound| handles.seal(PURPOSE, bound, &plain)).map_err(|error| {
            tracing::error!(%error, "no randomness to seal a state with");
            Refusal::Internal
        })
    }

    /// Opens a state that a caller brought back.
    pub(super) fn open(&self, handles: &Handles, sealed: &str, now: Timestamp) -> Result<State, Refusal> {
        let opened = || {
            let plain = self.bound(|bound| handles.open(PURPOSE, bound, sealed))?;
            let (kind, rest) = plain.split_first()?;
            let (until, content) = rest.split_first_chunk::<8>()?;
            if now.as_millisecond() >= i64::from_be_bytes(*until) {
                return None;
            }
            match kind {
                b'u' => Some(State::Upstream(String::from_utf8(content.to_vec()).ok()?)),
                b'p' => Some(State::Parked(content.try_into().ok()?)),
                _ => None,
            }
        };
        opened().ok_or_else(|| Refusal::BadParams("`params.requestState` is not good for this request any more".into()))
    }

    fn bound<T>(&self, with: impl FnOnce(&[&[u8]]) -> T) -> T {
        let owner = self.owner.to_string();
        let arguments = digest(&self.arguments);
        with(&[
            owner.as_bytes(),
            self.target.server().as_str().as_bytes(),
            self.method.as_str().as_bytes(),
            self.target.name().as_bytes(),
            &arguments,
        ])
    }
}

/// Arguments as a value: a caller may write the same ones otherwise the next time.
fn digest(arguments: &[u8]) -> [u8; 32] {
    match serde_json::from_slice::<serde_json::Value>(arguments) {
        Ok(mut value) => {
            value.sort_all_objects();
            Sha256::digest(value.to_string()).into()
        }
        // None at all.
        Err(_) => Sha256::digest(b"").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{principal::Principal, secret::Secret};

    fn bound() -> Bound {
        let owner = Owner {
            principal: Principal::User("local/ana".parse().unwrap()),
            client: Some("app".parse().unwrap()),
            resource: "http://gw/mcp".into(),
        };
        let target = Target::Tool("wiki".parse().unwrap(), "edit".parse().unwrap());
        Bound { owner, target, method: Method::ToolsCall, arguments: r#"{"a":1,"b":[2]}"#.into() }
    }

    #[test]
    fn px14_px31_a_state_is_good_for_its_caller_request_and_time_alone() {
        let handles = Handles::new(&Secret::new([7; 32]));
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let state = State::Upstream("step 1".into());
        let sealed = bound().seal(&handles, &state, now).unwrap();
        assert!(!sealed.contains("step"));
        let open = |bound: &Bound, later: i64| {
            bound.open(&handles, &sealed, now.saturating_add(SignedDuration::from_secs(later)).unwrap())
        };
        assert_eq!(open(&bound(), 599), Ok(state.clone()));
        // Written otherwise, and the same.
        assert_eq!(open(&Bound { arguments: r#"{ "b" : [2], "a" : 1 }"#.into(), ..bound() }, 0), Ok(state));
        let other = |change: fn(&mut Bound)| {
            let mut bound = bound();
            change(&mut bound);
            bound
        };
        for (what, stranger) in [
            ("principal", other(|bound| bound.owner.principal = Principal::User("local/bob".parse().unwrap()))),
            ("client", other(|bound| bound.owner.client = None)),
            ("resource", other(|bound| bound.owner.resource = "http://gw/mcp/wiki".into())),
            ("server", other(|bound| bound.target = Target::Tool("wild".parse().unwrap(), "edit".parse().unwrap()))),
            ("tool", other(|bound| bound.target = Target::Tool("wiki".parse().unwrap(), "delete".parse().unwrap()))),
            ("method", other(|bound| bound.method = Method::PromptsGet)),
            ("arguments", other(|bound| bound.arguments = r#"{"a":2,"b":[2]}"#.into())),
        ] {
            assert!(matches!(open(&stranger, 0), Err(Refusal::BadParams(_))), "{what}");
        }
        assert!(open(&bound(), 600).is_err(), "its time is over");
        assert!(bound().open(&handles, "made up", now).is_err());
        let name = State::Parked([3; 16]);
        let sealed = bound().seal(&handles, &name, now).unwrap();
        assert_eq!(bound().open(&handles, &sealed, now), Ok(name));
    }
}
