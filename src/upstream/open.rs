//! Opening a conversation over a line: which era the server speaks, and what it says of itself.
//!
//! `server/discover` comes first; whatever is not the modern era's own answer leads to `initialize`
//! on the same line. A server that says nothing is started anew, so that its late answer cannot bind
//! the line to the wrong era. What a server showed itself to be is remembered and tried first the
//! next time; when it fails, the other is tried too.
//!
//! SPEC: MCP 2026-07-28, transports, "stdio", "Backward Compatibility"; sheet `mcp` §2.4, CL-05, CL-07.

use super::{
    About, Deadline, Reply, Trouble,
    about::{Probed, discover, initialize},
    session::Session,
    setting::{Purpose, Setting},
};
use crate::mcp::{Era, Method};

/// Why a conversation was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unopened {
    Because(Trouble),
    /// The server did not answer the probe: a new line is to be opened, with `initialize`.
    Silent,
}

impl From<Trouble> for Unopened {
    fn from(why: Trouble) -> Self {
        Self::Because(why)
    }
}

/// Opens the conversation.
pub(super) async fn open(
    setting: &Setting,
    session: &Session,
    purpose: &Purpose,
    deadline: Deadline,
) -> Result<About, Unopened> {
    let taken = setting.era();
    if taken != Some(Era::Legacy) {
        let patience = deadline.at_most(setting.options.probe_timeout);
        match session.request(&discover(patience), patience).await.map(|reply| Probed::read(&reply)) {
            Ok(Probed::Modern(about)) => return Ok(modern(setting, session, *about)),
            Ok(Probed::Foreign(why)) => return Err(why.into()),
            Ok(Probed::Legacy) if setting.is_sure() => return Err(Trouble::Version.into()),
            Ok(Probed::Legacy) => {}
            Err(Trouble::TimedOut(_)) if !setting.is_sure() => {
                setting.learn(Some(Era::Legacy));
                return Err(Unopened::Silent);
            }
            // A line that it answers with garbage may still be one that it can talk over.
            Err(Trouble::Garbage) if !setting.is_sure() => {}
            Err(why) => return Err(why.into()),
        }
    }
    match session.request(&initialize(purpose, deadline), deadline).await {
        Ok(reply @ Reply::Result(_)) => {
            let about = About::read(&reply)?;
            setting.learn(Some(Era::Legacy));
            session.notify(Method::Initialized).await?;
            Ok(about)
        }
        Ok(Reply::Error(_) | Reply::InputRequired(_)) if !setting.is_sure() => {
            // It was taken for legacy wrongly, or is bound to the other era already.
            match session.request(&discover(deadline), deadline).await.map(|reply| Probed::read(&reply))? {
                Probed::Modern(about) => Ok(modern(setting, session, *about)),
                Probed::Foreign(why) => Err(why.into()),
                Probed::Legacy => Err(Trouble::Uninitialized.into()),
            }
        }
        Ok(Reply::Error(_) | Reply::InputRequired(_)) => Err(Trouble::Uninitialized.into()),
        Err(why) => {
            setting.learn(None);
            Err(why.into())
        }
    }
}

fn modern(setting: &Setting, session: &Session, about: About) -> About {
    setting.learn(Some(Era::Modern));
    session.speak_modern();
    about
}
