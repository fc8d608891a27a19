//! What is an attack wherever it stands: nobody writes it in earnest, not even into a script.

use memchr::memmem;

use super::super::{
    cursor::{Cursor, is_one_of},
    seen,
};

/// Whether there is any of it.
pub(super) fn beyond_doubt(text: &[u8], kinds: u16) -> bool {
    if kinds & seen::DOLLAR != 0 && (field_separator(text) || looks_up(text)) {
        return true;
    }
    if kinds & seen::SEPARATOR != 0
        && (memmem::find(text, b"() { :").is_some()
            || memmem::find(text, b"(){ :").is_some()
            || memmem::find(text, b":(){:").is_some())
    {
        return true;
    }
    kinds & seen::SLASH != 0
        && (erases_all(text)
            || memmem::find(text, b"/dev/tcp/").is_some_and(|at| {
                let before = text.get(at.saturating_sub(12)..at).unwrap_or_default();
                memmem::find(before, b">&").is_some() || memmem::find(before, b"<>").is_some()
            })
            || memmem::find_iter(text, b" -e ").any(|at| {
                let before = text.get(at.saturating_sub(48)..at).unwrap_or_default();
                let behind = text.get(at + 4..).unwrap_or_default();
                [b"/bin/sh".as_slice(), b"/bin/bash", b"cmd.exe", b"sh ", b"bash "]
                    .iter()
                    .any(|shell| behind.starts_with(shell))
                    && before
                        .split(|byte| !byte.is_ascii_alphanumeric())
                        .any(|word| is_one_of(word, &["nc", "ncat", "netcat"]))
            }))
}

/// `${jndi:…}`, for loggers that look things up; nested, it hides its name.
fn looks_up(text: &[u8]) -> bool {
    memmem::find(text, b"${jndi:").is_some()
        || memmem::find(text, b"${${").is_some()
            && memmem::find(text, b":/").is_some()
            && memmem::find(text, b"di:").is_some()
}

/// `cat${IFS}/etc/passwd`: the separator of fields where a space would be seen.
fn field_separator(text: &[u8]) -> bool {
    memmem::find_iter(text, b"IFS").any(|at| {
        let before = text.get(..at).unwrap_or_default();
        let behind = text.get(at + 3..).unwrap_or_default();
        let (before, behind) = match (before.strip_suffix(b"${"), before.strip_suffix(b"$")) {
            (Some(before), _) => match behind {
                [b'}', behind @ ..] => (before, behind),
                // `${IFS%??}`, `${IFS:0:1}`
                [b'%' | b':', ..] => return true,
                _ => return false,
            },
            (None, Some(before)) => {
                (before, behind.strip_prefix(b"$9").or(behind.strip_prefix(b"$1")).unwrap_or_default())
            }
            (None, None) => return false,
        };
        before.last().is_some_and(u8::is_ascii_alphanumeric)
            && behind
                .first()
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'$'))
    })
}

/// `rm -rf /`, and not `rm -rf /tmp/x`.
fn erases_all(text: &[u8]) -> bool {
    memmem::find_iter(text, b"rm -").any(|at| {
        let mut next = Cursor::new(text.get(at + 3..).unwrap_or_default());
        let mut flags = 0;
        while next.peek() == Some(b'-') {
            flags += next.take(|byte| !byte.is_ascii_whitespace()).len();
            next.take(|byte| byte == b' ');
        }
        (2..40).contains(&flags)
            && next.eat(b"/")
            && (next.is_end()
                || next.eat(b"*")
                || !next.take(|byte| matches!(byte, b' ' | b';' | b'&' | b'|' | b'"' | b'\'')).is_empty())
    })
}

/// Options with which programs run other programs, handed over as a value.
pub(super) fn is_option(text: &[u8]) -> bool {
    const OPTIONS: [&[u8]; 8] = [
        b"--upload-pack=",
        b"--receive-pack=",
        b"-oproxycommand=",
        b"-o proxycommand=",
        b"--use-askpass=",
        b"--checkpoint-action=exec",
        b"--to-command=",
        b"--config=core.sshcommand",
    ];
    OPTIONS.iter().any(|option| text.get(..option.len()).is_some_and(|text| text.eq_ignore_ascii_case(option)))
}
