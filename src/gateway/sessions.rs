//! Every session: opened, found by its owner alone, ended, and bounded.
//!
//! An id is random and names a session to its owner only; to anybody else it is as unknown as one
//! that never was. An owner who opens too many loses its own least recently used, never another's.
//!
//! SPEC: TR-31, TR-32, SE-04, T-031, T-034, T-035, T-199.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::session::{Opening, Owner, Session};
use crate::tasks::Stop;

/// How long a session lives that nobody uses.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a session lives at all.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Sessions that one owner may have.
const PER_OWNER: usize = 64;
/// Sessions in all.
const MOST: usize = 10_000;
/// How often those whose time is over are ended.
const SWEEP: Duration = Duration::from_secs(60);

/// Every session.
#[derive(Default)]
pub(crate) struct Sessions {
    table: RwLock<Table>,
    /// Told of each that ends.
    leaves: Option<Leaves>,
}

/// What is done when a session ends.
type Leaves = Box<dyn Fn(&Session) + Send + Sync>;

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<Arc<str>, Arc<Session>>,
    by_owner: HashMap<Owner, Vec<Arc<Session>>>,
}

impl Sessions {
    /// None yet; of each that ends `leaves` is told.
    pub(super) fn new(leaves: impl Fn(&Session) + Send + Sync + 'static) -> Self {
        Self { table: RwLock::default(), leaves: Some(Box::new(leaves)) }
    }

    /// Opens a session under an id made of `random`. Nothing where there is room for no more.
    pub(super) fn open(&self, owner: Owner, opening: Opening, random: [u8; 24], now: Instant) -> Option<Arc<Session>> {
        let id: Arc<str> = URL_SAFE_NO_PAD.encode(random).into();
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut ended = Vec::new();
        let own = table.by_owner.get(&owner).map_or(0, Vec::len);
        if own >= PER_OWNER || (table.by_id.len() >= MOST && own > 0) {
            ended.extend(table.evict(&owner));
        } else if table.by_id.len() >= MOST {
            ended = table.sweep(now);
            if table.by_id.len() >= MOST {
                return None;
            }
        }
        let session = Arc::new(Session::new(id.clone(), owner.clone(), opening, now));
        table.by_id.insert(id, Arc::clone(&session));
        table.by_owner.entry(owner).or_default().push(Arc::clone(&session));
        drop(table);
        self.over(&ended);
        Some(session)
    }

    /// The session that `id` names to this owner.
    pub(super) fn find(&self, id: &str, owner: &Owner, now: Instant) -> Option<Arc<Session>> {
        let session = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(table.by_id.get(id).filter(|session| session.owner() == owner)?)
        };
        if session.is_over(now, IDLE, LIFETIME) {
            self.end(&session);
            return None;
        }
        session.touch(now);
        Some(session)
    }

    /// Ends a session.
    pub(super) fn end(&self, session: &Session) {
        let removed = self.table.write().unwrap_or_else(PoisonError::into_inner).remove(session);
        self.over(removed.as_slice());
    }

    fn over(&self, ended: &[Arc<Session>]) {
        for session in ended {
            session.end();
            if let Some(leaves) = &self.leaves {
                leaves(session);
            }
        }
    }

    /// Ends those whose time is over, until told to stop.
    pub(crate) async fn keep(self: Arc<Self>, mut stop: Stop) {
        let mut every = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                tick = every.tick() => {
                    let now = tick.into_std();
                    let ended = self.table.write().unwrap_or_else(PoisonError::into_inner).sweep(now);
                    self.over(&ended);
                }
                () = stop.stopped() => return,
            }
        }
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Table {
    fn remove(&mut self, session: &Session) -> Option<Arc<Session>> {
        if let Some(own) = self.by_owner.get_mut(session.owner()) {
            own.retain(|other| other.id() != session.id());
            if own.is_empty() {
                self.by_owner.remove(session.owner());
            }
        }
        self.by_id.remove(session.id())
    }

    /// Takes out the one of an owner that was not used for longest.
    fn evict(&mut self, owner: &Owner) -> Option<Arc<Session>> {
        let oldest = self.by_owner.get(owner)?.iter().min_by_key(|session| session.used()).cloned()?;
        self.remove(&oldest)
    }

    /// Takes out those whose time is over.
    fn sweep(&mut self, now: Instant) -> Vec<Arc<Session>> {
        let over = |session: &&Arc<Session>| session.is_over(now, IDLE, LIFETIME);
        let over: Vec<_> = self.by_id.values().filter(over).cloned().collect();
        for session in &over {
            self.remove(session);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mcp::{Id, Method, Version},
        principal::Principal,
        upstream::{Ask, Reply},
    };

    fn owner(name: &str) -> Owner {
        Owner { principal: Principal::User(name.parse().unwrap()), client: None, resource: "http://gw/mcp".into() }
    }

    fn opening() -> Opening {
        Opening { version: Version::V2025_11_25, capabilities: "{}".into(), client_info: "".into() }
    }

    fn open(sessions: &Sessions, name: &str, now: Instant) -> Arc<Session> {
        sessions.open(owner(name), opening(), crate::chance::bytes().unwrap(), now).unwrap()
    }

    #[test]
    fn tr32_t031_a_session_is_known_to_its_owner_alone() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let session = open(&sessions, "local/ana", now);
        let other_client = Owner { client: Some("app".parse().unwrap()), ..owner("local/ana") };
        let other_place = Owner { resource: "http://gw/mcp/x".into(), ..owner("local/ana") };
        assert!(sessions.find(session.id(), &owner("local/ana"), now).is_some());
        for stranger in [owner("local/bob"), other_client, other_place] {
            assert!(sessions.find(session.id(), &stranger, now).is_none(), "{stranger}");
        }
        sessions.end(&session);
        assert!(sessions.find(session.id(), &owner("local/ana"), now).is_none());
    }

    #[test]
    fn tr31_t199_sessions_end_by_age_idleness_and_number_and_only_their_owners() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let bobs = open(&sessions, "local/bob", now);
        let own: Vec<_> = (0..PER_OWNER).map(|_| open(&sessions, "local/ana", now)).collect();
        own[0].touch(now + Duration::from_secs(1));
        drop(open(&sessions, "local/ana", now + Duration::from_secs(2)));
        let lives = |session: &Session, now| sessions.find(session.id(), session.owner(), now).is_some();
        let soon = now + Duration::from_secs(3);
        assert!(lives(&own[0], soon) && lives(&bobs, soon));
        assert_eq!(own.iter().filter(|session| !lives(session, soon)).count(), 1);
        // Idle, unless its stream is read; and in the end in any case.
        let stream = bobs.listen().unwrap();
        assert!(!lives(&own[0], soon + IDLE));
        assert!(lives(&bobs, soon + IDLE));
        assert!(bobs.listen().is_err());
        assert!(!lives(&bobs, now + LIFETIME));
        assert!(bobs.listen().is_err());
        drop(stream);
    }

    #[test]
    fn tr31_whatever_ends_a_session_it_leaves_once() {
        let left = Arc::new(std::sync::Mutex::new(Vec::new()));
        let leaves = Arc::clone(&left);
        let sessions = Sessions::new(move |session| leaves.lock().unwrap().push(session.upstream().clone()));
        let now = Instant::now();
        let (ended, idle) = (open(&sessions, "local/ana", now), open(&sessions, "local/ana", now));
        sessions.end(&ended);
        sessions.end(&ended);
        assert!(sessions.find(idle.id(), idle.owner(), now + IDLE).is_none());
        let many: Vec<_> = (0..=PER_OWNER).map(|_| open(&sessions, "local/bob", now)).collect();
        let left = left.lock().unwrap();
        assert_eq!(left[..2], [ended.upstream().clone(), idle.upstream().clone()]);
        assert_eq!(left.len(), 3);
        assert!(many.iter().any(|session| session.upstream() == &left[2]));
    }

    #[test]
    fn t034_se04_ids_are_random_visible_ascii() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let mut ids: Vec<Arc<str>> = (0..1000).map(|_| open(&sessions, "local/ana", now).id().clone()).collect();
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_graphic())));
        let mut nibbles = [0_u32; 64];
        for byte in ids.iter().flat_map(|id| id.bytes()) {
            let place = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            nibbles[place.iter().position(|other| *other == byte).unwrap()] += 1;
        }
        // 500 of each are expected; six standard deviations are 133.
        assert!(nibbles.iter().all(|count| (367..=633).contains(count)), "{nibbles:?}");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 1000);
    }

    #[test]
    fn t025_an_answer_reaches_a_question_of_its_own_session_alone() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let (mine, other) = (open(&sessions, "local/ana", now), open(&sessions, "local/ana", now));
        let (ask, mut answered) = Ask::new(Method::RootsList, "".into());
        let (number, request) = mine.ask(ask).unwrap();
        assert_eq!(
            String::from_utf8(request).unwrap(),
            format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"roots/list"}}"#)
        );
        let id = Id::Number(number.into());
        for (session, id) in
            [(&other, id.clone()), (&mine, Id::Text(number.to_string().into())), (&mine, Id::Number(-1))]
        {
            session.answered(&id, Reply::Result("{}".into()), None);
            assert!(answered.try_recv().is_err());
        }
        mine.answered(&id, Reply::Result("{}".into()), None);
        assert_eq!(answered.try_recv().unwrap(), Reply::Result("{}".into()));
        // What is asked of a session that ends is refused.
        let (ask, mut answered) = Ask::new(Method::RootsList, "".into());
        assert!(mine.ask(ask).is_some());
        mine.end();
        assert!(matches!(answered.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Closed)));
    }

    #[test]
    fn t032_a_session_has_one_stream_and_another_once_that_is_gone() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let session = open(&sessions, "local/ana", now);
        let (writer, reader) = session.listen().unwrap();
        assert!(session.listen().is_err());
        drop(reader);
        let (_, reader) = session.listen().unwrap();
        drop((reader, writer));
        assert!(session.listen().is_ok());
        session.end();
        assert!(session.listen().is_err());
        let mut over = Box::pin(session.over());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(over.as_mut().poll(&mut context).is_ready());
    }
}
