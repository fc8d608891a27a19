//! Persons: accounts, sign-ins, what is used once, and how often somebody failed.

use jiff::{SignedDuration, Timestamp};

use super::revoke;
use crate::{
    name::UserId,
    store::{
        AccountRow, Cause, CounterRow, Event, Opaque, Reach, SKEW, SignInRow, Store, StoreError,
        rows::{Mac, Op, Read, Rows},
    },
};

/// A mark that something was used: a page, a link, a `jti`, a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// What kind of thing, so that the ids of two kinds cannot meet.
    pub name: &'static str,
    /// Which; a digest of it where it is a credential.
    pub id: Vec<u8>,
    /// When the thing itself is over.
    pub until: Timestamp,
}

impl Once {
    /// Until when the mark is kept: for a process whose clock is behind, the thing is not over yet.
    pub(super) fn kept_until(&self) -> Timestamp {
        self.until.saturating_add(SKEW).unwrap_or(self.until)
    }
}

/// Somebody who signs in.
#[derive(Debug, Clone)]
pub struct OpenSignIn {
    /// The digest of what the browser gets.
    pub mac: [u8; 32],
    /// What is kept of it.
    pub row: SignInRow,
    /// The digest of what the browser had before, which is good for nothing from then on (OA-100).
    pub replaces: Option<[u8; 32]>,
    /// The link that was used to sign in, where one was.
    pub once: Option<Once>,
    /// The present.
    pub now: Timestamp,
}

/// What came of signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedIn {
    /// The sign-in is open.
    Done,
    /// The link was used before; nothing was changed.
    Used,
}

/// What came of adding an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddAccount {
    /// It is there.
    Done,
    /// There was one by that name; nothing was changed.
    Before,
}

/// Something that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What is counted: `password`, `secret`, `register`.
    pub name: &'static str,
    /// By what: an account, a client, an address.
    pub key: Vec<u8>,
    /// How often it may happen in a window.
    pub limit: u32,
    /// How long a window is.
    pub window: SignedDuration,
}

/// What the count says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It may happen; this is how often it may still happen in this window.
    Within {
        /// How often still.
        left: u32,
    },
    /// It may not happen before then.
    Over {
        /// When the window ends.
        until: Timestamp,
    },
}

impl Store {
    /// Marks something as used: whether this was the first use. Of many who race, one is the first.
    ///
    /// # Errors
    /// When nothing was marked; it is to count as used then.
    pub async fn consume_once(&self, once: Once, now: Timestamp) -> Result<bool, StoreError> {
        self.write(Consume { once, now }).await
    }

    /// Opens a sign-in, in place of the one that the browser had. All of it, or nothing where the
    /// link was used before.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn open_sign_in(&self, ask: OpenSignIn) -> Result<SignedIn, StoreError> {
        self.write(ask).await
    }

    /// The sign-in of a browser, unless it is over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn sign_in(&self, mac: &[u8; 32], now: Timestamp) -> Result<Option<SignInRow>, StoreError> {
        self.read(FindSignIn { mac: *mac, now }).await
    }

    /// Notes that a browser was seen: its sign-in stays until then, and never beyond its end. Whether
    /// it was open.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn see_sign_in(&self, mac: &[u8; 32], idle_until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        self.write(SeeSignIn { mac: *mac, idle_until, now }).await
    }

    /// Ends the sign-in of a browser. Whether there was one.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn end_sign_in(&self, mac: &[u8; 32]) -> Result<bool, StoreError> {
        self.write(EndSignIn { mac: *mac }).await
    }

    /// Adds an account, and leaves an event.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn add_account(&self, account: AccountRow) -> Result<AddAccount, StoreError> {
        self.write(Add { account }).await
    }

    /// The account of a person, disabled ones too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn account(&self, user: &UserId) -> Result<Option<AccountRow>, StoreError> {
        self.read(FindAccount { user: user.clone() }).await
    }

    /// Every account, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        self.read(ListAccounts).await
    }

    /// Sets a password anew, leaves an event of it, and revokes all of the person (OA-61). Whether there is such an account.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn set_password(
        &self,
        user: &UserId,
        password: Opaque<String>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(SetPassword { user: user.clone(), password, now }).await
    }

    /// Disables an account and revokes all of the person, or lets it in again; a change leaves an event.
    /// Whether there is such an account.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn disable_account(&self, user: &UserId, disabled: bool, now: Timestamp) -> Result<bool, StoreError> {
        self.write(Disable { user: user.clone(), disabled, now }).await
    }

    /// Counts an attempt, unless there were as many as there may be: exact over all processes.
    ///
    /// # Errors
    /// When nothing was counted; it is to count as over the limit then.
    pub async fn count(&self, attempt: Attempt, now: Timestamp) -> Result<Counted, StoreError> {
        self.write(Count { attempt, now }).await
    }

    /// What the count says, without counting.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn counted(&self, attempt: Attempt, now: Timestamp) -> Result<Counted, StoreError> {
        self.read(Look { attempt, now }).await
    }

    /// Forgets what was counted: somebody got it right.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn forget_count(&self, name: &'static str, key: Vec<u8>) -> Result<(), StoreError> {
        self.write(Forget { name, key }).await
    }
}

struct Consume {
    once: Once,
    now: Timestamp,
}

impl Op for Consume {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        rows.add_once(self.once.name, &self.once.id, self.once.kept_until(), self.now).await
    }
}

impl Op for OpenSignIn {
    type Answer = SignedIn;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<SignedIn> {
        if let Some(once) = &self.once
            && !rows.add_once(once.name, &once.id, once.kept_until(), self.now).await?
        {
            return Ok(SignedIn::Used);
        }
        if let Some(before) = &self.replaces {
            rows.remove_sign_in(before).await?;
        }
        rows.put_sign_in(&self.mac, &self.row).await?;
        Ok(SignedIn::Done)
    }
}

struct FindSignIn {
    mac: Mac,
    now: Timestamp,
}

impl Op for FindSignIn {
    type Answer = Option<SignInRow>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        Ok(rows.sign_in(&self.mac).await?.filter(|row| self.now < row.idle_expires_at && self.now < row.expires_at))
    }
}

struct SeeSignIn {
    mac: Mac,
    idle_until: Timestamp,
    now: Timestamp,
}

impl Op for SeeSignIn {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        let open = FindSignIn { mac: self.mac, now: self.now }.run(rows).await?;
        let Some(mut row) = open else { return Ok(false) };
        row.idle_expires_at = self.idle_until.min(row.expires_at);
        rows.put_sign_in(&self.mac, &row).await?;
        Ok(true)
    }
}

struct EndSignIn {
    mac: Mac,
}

impl Op for EndSignIn {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        rows.remove_sign_in(&self.mac).await
    }
}

struct Add {
    account: AccountRow,
}

impl Op for Add {
    type Answer = AddAccount;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<AddAccount> {
        if rows.account(&self.account.user).await?.is_some() {
            return Ok(AddAccount::Before);
        }
        rows.put_account(&self.account).await?;
        rows.leave(self.account.created_at, &Event::AccountAdded { user: self.account.user.clone() }).await?;
        Ok(AddAccount::Done)
    }
}

struct FindAccount {
    user: UserId,
}

impl Op for FindAccount {
    type Answer = Option<AccountRow>;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.account(&self.user).await
    }
}

struct ListAccounts;

impl Op for ListAccounts {
    type Answer = Vec<AccountRow>;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Self::Answer> {
        rows.accounts().await
    }
}

struct SetPassword {
    user: UserId,
    password: Opaque<String>,
    now: Timestamp,
}

impl Op for SetPassword {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        let Some(mut account) = rows.account(&self.user).await? else { return Ok(false) };
        account.password = self.password.clone();
        account.changed_at = self.now;
        rows.put_account(&account).await?;
        rows.leave(self.now, &Event::PasswordSet { user: self.user.clone() }).await?;
        revoke::all(rows, &Reach::User(self.user.clone()), Cause::PasswordChanged, self.now).await?;
        Ok(true)
    }
}

struct Disable {
    user: UserId,
    disabled: bool,
    now: Timestamp,
}

impl Op for Disable {
    type Answer = bool;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<bool> {
        let Some(mut account) = rows.account(&self.user).await? else { return Ok(false) };
        if self.disabled != account.disabled_at.is_some() {
            account.disabled_at = self.disabled.then_some(self.now);
            rows.put_account(&account).await?;
            let user = self.user.clone();
            let event = if self.disabled { Event::AccountDisabled { user } } else { Event::AccountEnabled { user } };
            rows.leave(self.now, &event).await?;
        }
        if self.disabled {
            revoke::all(rows, &Reach::User(self.user.clone()), Cause::AccountDisabled, self.now).await?;
        }
        Ok(true)
    }
}

struct Count {
    attempt: Attempt,
    now: Timestamp,
}

impl Op for Count {
    type Answer = Counted;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Counted> {
        let Attempt { name, key, limit, window } = &self.attempt;
        let standing = rows.counter(name, key).await?.filter(|counter| self.now < counter.until);
        let mut counter = standing.unwrap_or(CounterRow {
            count: 0,
            since: self.now,
            until: self.now.saturating_add(*window).unwrap_or(Timestamp::MAX),
        });
        if counter.count >= *limit {
            return Ok(Counted::Over { until: counter.until });
        }
        counter.count += 1;
        rows.put_counter(name, key, &counter).await?;
        Ok(Counted::Within { left: limit - counter.count })
    }
}

struct Look {
    attempt: Attempt,
    now: Timestamp,
}

impl Op for Look {
    type Answer = Counted;
    const FINDS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<Counted> {
        let Attempt { name, key, limit, window: _ } = &self.attempt;
        let standing = rows.counter(name, key).await?.filter(|counter| self.now < counter.until);
        Ok(match standing {
            Some(counter) if counter.count >= *limit => Counted::Over { until: counter.until },
            Some(counter) => Counted::Within { left: limit - counter.count },
            None => Counted::Within { left: *limit },
        })
    }
}

struct Forget {
    name: &'static str,
    key: Vec<u8>,
}

impl Op for Forget {
    type Answer = ();

    async fn run<R: Rows>(&self, rows: &mut R) -> Read<()> {
        rows.remove_counter(self.name, &self.key).await
    }
}
