//! Randomness: the one place that asks the system.
//!
//! Everything else takes random bytes as an argument, so that tests choose them.

/// Random bytes, fit for keys.
///
/// # Errors
/// When the system has none; nothing may be issued then.
pub fn bytes<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
