//! `path-traversal`: a path that climbs out of where it starts.
//!
//! In an argument the *value* must be such a path: imports of a source file and links of a document
//! climb all the time. Inside longer texts only a long climb to a well-known place counts, and steps
//! that are written so as not to be seen (percent signs, overlong UTF-8): nobody does that in earnest.
//!
//! SPEC: CWE-22, CWE-23, CWE-36; T-123, T-160.

use memchr::{memchr_iter, memmem};

use super::{
    percent::{decoded, undisguised},
    seen,
};

/// Longer texts are no paths.
const LONGEST: usize = 4096;
/// Steps upwards that a text may show on the way to a well-known place.
const MANY: usize = 3;
/// Where climbers go, in lower case.
const GOALS: [&[u8]; 16] = [
    b"etc/",
    b"etc\\",
    b"proc/self",
    b"windows",
    b"winnt",
    b"boot.ini",
    b"win.ini",
    b".ssh/",
    b".aws/",
    b"root/",
    b"var/log",
    b"var/run",
    b"program files",
    b"web-inf",
    b"users/",
    b".env",
];

/// Whether an argument is such a path, or holds one that is past doubt.
pub(super) fn in_argument(text: &[u8], kinds: u16) -> bool {
    let (dots, percent) = (kinds & seen::DOT != 0, kinds & seen::PERCENT != 0);
    let wide = kinds & (seen::WIDE | seen::PUNCTUATION) != 0;
    if !dots && !percent && !wide {
        return false;
    }
    if text.len() <= LONGEST && kinds & seen::BREAK == 0 {
        let way = Way::of(text);
        if dots && (way.leaves(kinds) || kinds & seen::SPACE != 0 && climbs_far(text)) {
            return true;
        }
        return (percent || wide) && !way.steps && steps_in_disguise(text);
    }
    dots && climbs_far(text) || percent && disguised(text)
}

/// Whether any segment of what HTTP was given is a step upwards, however it is written.
pub(super) fn in_target(text: &[u8]) -> bool {
    Way::of(text).steps || steps_in_disguise(text)
}

/// What a path does.
#[derive(Debug, Default)]
struct Way {
    /// It has a step upwards.
    steps: bool,
    /// It has one below a root.
    below_root: bool,
    /// How far it climbs out of where it starts.
    climbed: usize,
}

impl Way {
    fn of(text: &[u8]) -> Self {
        let mut way = Self::default();
        if memmem::find(text, b"..").is_none() {
            return way;
        }
        let (mut depth, mut absolute, mut fresh, mut rest) = (0_usize, false, true, text.trim_ascii());
        loop {
            let end = rest.iter().position(|byte| is_separator(*byte));
            let (segment, behind) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, &[]));
            let separator = behind.first().copied();
            let behind = behind.get(1..).unwrap_or_default();
            // `c:` and `file:` begin a path of their own.
            let segment = if fresh { segment.rsplit(|byte| *byte == b':').next().unwrap_or_default() } else { segment };
            match segment {
                b"" if fresh => absolute = separator.is_some_and(is_slash),
                b"" | b"." => {}
                // `..;` is a step to some servers, and `....//` to who removes `../` once.
                b".." | b"..;" => {
                    way.steps = true;
                    way.below_root |= absolute;
                    if depth == 0 { way.climbed += 1 } else { depth -= 1 }
                }
                b"...." if behind.first().is_some_and(|byte| is_slash(*byte)) => {
                    (way.steps, way.below_root) = (true, true);
                    way.climbed += 1;
                }
                _ => depth += 1,
            }
            fresh = false;
            match separator {
                None => return way,
                Some(b'=' | b'?' | b'&' | b'#') => (depth, absolute, fresh) = (0, false, true),
                Some(_) => {}
            }
            rest = behind;
        }
    }

    /// Whether it leaves where it starts. A text with spaces may be a command that only begins with a
    /// path.
    fn leaves(&self, kinds: u16) -> bool {
        if kinds & (seen::SPACE | seen::BLANK) != 0 {
            self.climbed >= MANY
        } else {
            self.climbed > 0 || self.below_root
        }
    }
}

const fn is_slash(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

const fn is_separator(byte: u8) -> bool {
    is_slash(byte) || matches!(byte, b'=' | b'?' | b'&' | b'#')
}

/// Whether there are steps once percent signs, once and twice, and other letters are undone.
fn steps_in_disguise(text: &[u8]) -> bool {
    let once = decoded(text);
    let twice = decoded(&once);
    [text, &once, &twice].into_iter().any(|text| Way::of(&undisguised(text)).steps)
}

/// Whether somewhere in a text a long climb ends at a well-known place.
fn climbs_far(text: &[u8]) -> bool {
    [b"../../".as_slice(), b"..\\..\\"].into_iter().any(|needle| {
        let mut done = 0;
        memmem::find_iter(text, needle).any(|at| {
            if at < done {
                return false;
            }
            let run = text.get(at..).unwrap_or_default();
            let steps = run.chunks_exact(3).take_while(|step| matches!(step, [b'.', b'.', b'/' | b'\\'])).count();
            done = at + steps * 3;
            let goal = text.get(done..).unwrap_or_default();
            let goal = goal.get(..24).unwrap_or(goal);
            let begins = |with: &&[u8]| goal.get(..with.len()).is_some_and(|goal| goal.eq_ignore_ascii_case(with));
            steps >= MANY && GOALS.iter().any(begins)
        })
    })
}

/// Whether steps in a long text are written with percent signs.
fn disguised(text: &[u8]) -> bool {
    const DOTS: [&[u8]; 5] = [b"%2e%2e%2f", b"%2e%2e/", b"%2e%2e%5c", b"%252e%252e", b"%c0%ae%c0%ae"];
    const SLASHES: [&[u8]; 6] = [b"%2f", b"%5c", b"%252f", b"%255c", b"%c0%af", b"%c1%9c"];
    memchr_iter(b'%', text).any(|at| {
        let here = text.get(at..).unwrap_or_default();
        let begins = |with: &&[u8]| here.get(..with.len()).is_some_and(|here| here.eq_ignore_ascii_case(with));
        let after_dots = text.get(..at).is_some_and(|before| before.ends_with(b".."));
        DOTS.iter().any(begins) || after_dots && SLASHES.iter().any(begins)
    })
}
