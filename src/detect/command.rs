//! `command-injection`: a value that goes on as a command of a shell.
//!
//! A shell command is no injection, and tools are asked to run them all day: `cd build && make` is a
//! command from its first word on. An injection begins as something else, an address, a name of a file,
//! the end of a quoted text or nothing at all, and behind a separator comes a command that somebody
//! runs who wants to get in. A few things are past doubt wherever they stand.
//!
//! SPEC: CWE-77, CWE-78, CWE-88; T-160.

use memchr::{memchr, memchr_iter, memmem};

use super::{
    cursor::{Cursor, holds, is_one_of},
    seen,
};

/// Longer texts are scripts or prose.
const LONGEST: usize = 2048;
/// How many separators of one value are looked behind.
const MOST: usize = 16;

/// Whether a value goes on as a command.
pub(super) fn continues(text: &[u8], kinds: u16) -> bool {
    if is_option(text) || text.starts_with(b"ext::sh") || beyond_doubt(text, kinds) {
        return true;
    }
    kinds & (seen::SEPARATOR | seen::DOLLAR | seen::BREAK) != 0 && text.len() <= LONGEST && behind_separators(text)
}

/// What needs nothing around it.
fn beyond_doubt(text: &[u8], kinds: u16) -> bool {
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
fn is_option(text: &[u8]) -> bool {
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

/// What stands before a separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, or what ends a quoted text.
    Open,
    /// An address, a number, a file: nothing that is run.
    Value,
    /// One word.
    Word,
}

fn behind_separators(text: &[u8]) -> bool {
    let blanks = text.iter().take_while(|byte| **byte == b' ').count();
    let text = text.get(blanks..).unwrap_or_default();
    let Some((first, joint)) = separator(text) else { return false };
    let Some(before) = before(text.get(..first).unwrap_or_default(), joint) else { return false };
    // A table of markdown.
    if text.starts_with(b"| ") && memchr_iter(b'|', text).count() > 1 {
        return false;
    }
    let behind = text.get(first + joint.len()..).unwrap_or_default();
    if runs(Cursor::new(behind), before, joint) {
        // Between back quotes that are all there is stands code, in prose.
        return joint != Joint::Quote
            || before != Before::Open
            || memchr(b'`', behind).is_some_and(|end| behind.len() - end <= 2);
    }
    if first == 0 && matches!(joint, Joint::Pipe | Joint::Both) || before == Before::Word || joint.is_within() {
        return false;
    }
    let mut rest = behind;
    for _ in 0..MOST {
        let Some((at, joint)) = separator(rest).filter(|(at, joint)| *at < 512 && !joint.is_within()) else {
            return false;
        };
        rest = rest.get(at + joint.len()..).unwrap_or_default();
        if runs(Cursor::new(rest), before, joint) {
            return true;
        }
    }
    false
}

/// What joins one command to another, or puts it within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// `;`
    Then,
    /// `|`
    Pipe,
    /// `&`
    Beside,
    /// `&&` and `||`
    Both,
    /// A line break.
    Line,
    /// A back quote.
    Quote,
    /// `$(`, `<(` and `>(`
    Bracket,
}

impl Joint {
    const fn len(self) -> usize {
        match self {
            Self::Then | Self::Pipe | Self::Beside | Self::Line | Self::Quote => 1,
            Self::Both | Self::Bracket => 2,
        }
    }

    const fn is_within(self) -> bool {
        matches!(self, Self::Quote | Self::Bracket)
    }
}

/// Where the next one stands.
fn separator(text: &[u8]) -> Option<(usize, Joint)> {
    text.iter().enumerate().find_map(|(at, byte)| {
        let next = text.get(at + 1);
        let joint = match (byte, next) {
            (b'&', Some(b'&')) | (b'|', Some(b'|')) => Joint::Both,
            (b'$' | b'<' | b'>', Some(b'(')) => Joint::Bracket,
            (b';', _) => Joint::Then,
            (b'|', _) => Joint::Pipe,
            (b'&', _) => Joint::Beside,
            (b'`', _) => Joint::Quote,
            (b'\n' | b'\r', _) => Joint::Line,
            _ => return None,
        };
        Some((at, joint))
    })
}

/// What a text is before its first separator; nothing where it is a command, or prose.
fn before(text: &[u8], joint: Joint) -> Option<Before> {
    let spaced = text.last().is_some_and(u8::is_ascii_whitespace);
    let text = text.trim_ascii_end();
    if text.is_empty() {
        return Some(Before::Open);
    }
    // A substitution stands beside what it belongs to.
    if spaced && joint.is_within() {
        return None;
    }
    let closed = text.iter().rposition(|byte| *byte != b')').and_then(|at| text.get(..=at)).unwrap_or_default();
    let Some(end) = closed.last() else { return Some(Before::Open) };
    if matches!(end, b'\'' | b'"') && memchr_iter(*end, closed).count() == 1 && text.len() <= 128 {
        // What begins something stands behind an operator, a bracket or a space.
        let value = closed
            .iter()
            .rev()
            .nth(1)
            .is_none_or(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        return value.then_some(Before::Open);
    }
    // `a);id` closes what was opened outside.
    if closed.len() < text.len() && memchr(b'(', text).is_none() && closed.iter().all(u8::is_ascii_alphanumeric) {
        return Some(Before::Open);
    }
    let plain = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'-' | b'@' | b':' | b'/' | b'+' | b'%' | b'\\' | b'?' | b'=' | b',')
            || *byte >= 0x80
    };
    if !text.iter().all(plain) {
        return None;
    }
    let address = text.starts_with(b"http://") || text.starts_with(b"https://") || text.starts_with(b"ftp://");
    let asked = memchr::memchr2(b'?', b'=', text).is_some();
    if matches!(joint, Joint::Beside) && asked && !spaced {
        return None;
    }
    if address || memchr::memchr(b'@', text).is_some() && memchr::memchr(b'/', text).is_none() {
        return Some(Before::Value);
    }
    let ending = memchr::memrchr(b'.', text).and_then(|dot| text.get(dot + 1..)).unwrap_or_default();
    if is_one_of(ending, &DOCUMENTS) {
        return Some(Before::Value);
    }
    // What has a slash is run, or what is assigned is used.
    if memchr::memchr3(b'/', b'=', b'\\', text).is_some() {
        return None;
    }
    if text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':' | b'/' | b',')) {
        return Some(Before::Value);
    }
    if let Some(dot) = memchr::memrchr(b'.', text) {
        let ending = text.get(dot + 1..).unwrap_or_default();
        let file = (1..=5).contains(&ending.len())
            && dot > 0
            && !is_one_of(
                ending,
                &["bat", "bin", "cmd", "exe", "js", "mjs", "php", "pl", "ps1", "py", "rb", "sh", "ts"],
            );
        return file.then_some(Before::Value);
    }
    (text.len() <= 40 && !is_one_of(text, &PROGRAMS)).then_some(Before::Word)
}

/// Whether a command comes here that does not belong behind what stands before.
fn runs(mut at: Cursor<'_>, before: Before, joint: Joint) -> bool {
    at.take(|byte| byte.is_ascii_whitespace() || byte == b'(' || byte == b'{' || byte == b'!');
    let mut name = [0; 24];
    let mut length = 0;
    let start = at;
    for byte in at.take(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'\\' | b'\'' | b'"' | b'?' | b'*' | b'[' | b']')
    }) {
        match byte {
            // `c'a't` and `w\hoami` are run as `cat` and `whoami`; `/bin/cat` is.
            b'\'' | b'"' | b'\\' => {}
            b'/' => length = 0,
            byte => {
                let Some(slot) = name.get_mut(length) else { return false };
                (*slot, length) = (*byte, length + 1);
            }
        }
    }
    let name = name.get(..length).unwrap_or_default();
    if name.eq_ignore_ascii_case(b"sudo") || name.eq_ignore_ascii_case(b"exec") || name.eq_ignore_ascii_case(b"eval") {
        return runs(at, before, joint);
    }
    // `/???/c?t`
    if name.contains(&b'?') && start.rest().starts_with(b"/") {
        return before != Before::Word;
    }
    let ends = match at.peek() {
        None => true,
        Some(byte) => {
            byte.is_ascii_whitespace()
                || matches!(byte, b';' | b'|' | b'&' | b'<' | b'>' | b')' | b'`' | b'#' | b'$' | b'%' | b'}' | b',')
        }
    };
    if name.is_empty() || !ends {
        return false;
    }
    let quoted_around = start.rest().iter().take(length).any(|byte| matches!(byte, b'\'' | b'"'));
    let line = at.rest().split(|byte| matches!(byte, b'\n' | b';' | b'|' | b'&' | b'`')).next().unwrap_or_default();
    let strong = is_strong(name, line);
    if quoted_around && is_one_of(name, &STRONG) {
        return true;
    }
    match (before, joint) {
        (Before::Word, Joint::Beside | Joint::Line) => false,
        (Before::Word, _) | (_, Joint::Line | Joint::Quote | Joint::Bracket) => strong,
        (Before::Open | Before::Value, Joint::Then | Joint::Beside) => strong || is_one_of(name, &COMMANDS),
        (Before::Value, Joint::Pipe | Joint::Both) => strong || is_one_of(name, &COMMANDS),
        // A line of a script that goes on begins like this, too.
        (Before::Open, Joint::Pipe | Joint::Both) => strong,
    }
}

/// Whether somebody who gets in somewhere would begin with this.
fn is_strong(name: &[u8], rest: &[u8]) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    let rest = rest.trim_ascii();
    let rest = rest.get(..rest.len().min(160)).unwrap_or(rest);
    let has = |needle: &str| holds(rest, needle.as_bytes());
    if is("id") || is("whoami") {
        let end = rest.iter().take_while(|byte| !matches!(byte, b')' | b'#' | b'>' | b'<' | b'"' | b'\'')).count();
        return end == 0 || rest.starts_with(b"-");
    }
    if is("cat")
        || is("head")
        || is("tail")
        || is("more")
        || is("less")
        || is("tac")
        || is("nl")
        || is("type")
        || is("cp")
        || is("base64")
        || is("ls")
        || is("dir")
        || is("grep")
    {
        return ["/etc/", "/proc/", "/root", "/.ssh", "id_rsa", ".aws/", "c:\\", "win.ini", "$ifs", "/flag"]
            .iter()
            .any(|goal| has(goal))
            || rest.starts_with(b"-la /")
            || is("ls") && rest == b"/";
    }
    if is("curl") || is("wget") {
        return has("http") || has("ftp:") || has("$(") || has("`") || has("@/etc") || has("|");
    }
    if is("rm") {
        return rest.starts_with(b"-") && (has(" /") || has(" ~") || has(" *"));
    }
    if is("bash") || is("sh") || is("zsh") || is("dash") || is("ksh") {
        return rest.starts_with(b"-i") || rest.starts_with(b"-c") || has("/dev/tcp");
    }
    if is("python") || is("python3") || is("perl") || is("ruby") || is("php") || is("node") {
        return rest.starts_with(b"-c") || rest.starts_with(b"-e") || rest.starts_with(b"-r");
    }
    if is("nc") || is("ncat") || is("netcat") || is("telnet") {
        return !rest.is_empty();
    }
    if is("sleep") || is("timeout") {
        return rest.first().is_some_and(u8::is_ascii_digit) || rest.starts_with(b"/t");
    }
    if is("ping") {
        return rest.starts_with(b"-c") || rest.starts_with(b"-n") || rest.starts_with(b"-i") || has(".");
    }
    if is("uname") {
        return rest.starts_with(b"-a") || rest.is_empty();
    }
    if is("net") {
        return rest.starts_with(b"user") || rest.starts_with(b"localgroup") || rest.starts_with(b"view");
    }
    if is("cmd") || is("cmd.exe") {
        return rest.starts_with(b"/c");
    }
    if is("powershell") || is("powershell.exe") || is("pwsh") {
        return rest.starts_with(b"-");
    }
    if is("echo") || is("printf") {
        return has(">") || has("$(") || has("`");
    }
    if is("touch") || is("mkfifo") || is("chmod") {
        return has("/tmp/") || has("/etc/") || has("+s");
    }
    is_one_of(name, &STRONG)
}

/// Commands that are strong whatever follows.
const STRONG: [&str; 24] = [
    "bitsadmin",
    "cat",
    "certutil",
    "crontab",
    "curl",
    "dig",
    "halt",
    "id",
    "ifconfig",
    "ipconfig",
    "ls",
    "netstat",
    "nslookup",
    "passwd",
    "poweroff",
    "printenv",
    "reboot",
    "shutdown",
    "systeminfo",
    "tasklist",
    "useradd",
    "wget",
    "whoami",
    "wmic",
];

/// Commands that have no business behind an address or the name of a file.
const COMMANDS: [&str; 49] = [
    "awk", "base64", "bash", "cat", "chmod", "chown", "cp", "curl", "dig", "dir", "echo", "env", "find", "grep",
    "head", "hostname", "id", "ifconfig", "kill", "ls", "mail", "mv", "nc", "netstat", "nslookup", "passwd", "perl",
    "php", "ping", "printenv", "printf", "ps", "pwd", "python", "python3", "rm", "ruby", "scp", "sed", "sh", "sleep",
    "ssh", "tail", "tee", "touch", "uname", "wget", "whoami", "xxd",
];

/// Endings of files that nobody runs.
const DOCUMENTS: [&str; 17] = [
    "csv", "doc", "docx", "gif", "htm", "html", "jpeg", "jpg", "json", "log", "md", "pdf", "png", "svg", "txt", "xls",
    "xml",
];

/// Programs that people run alone, with something else behind.
const PROGRAMS: [&str; 255] = [
    "ansible",
    "apk",
    "apt",
    "ar",
    "as",
    "awk",
    "bash",
    "bat",
    "brew",
    "bun",
    "bundle",
    "bzip2",
    "cabal",
    "cal",
    "cargo",
    "cat",
    "cd",
    "chezmoi",
    "chmod",
    "chown",
    "clang",
    "clear",
    "clippy",
    "cmake",
    "code",
    "composer",
    "conda",
    "cp",
    "crontab",
    "curl",
    "cut",
    "date",
    "dd",
    "deno",
    "df",
    "dig",
    "dir",
    "direnv",
    "dmesg",
    "dnf",
    "docker",
    "doctest",
    "dotnet",
    "du",
    "echo",
    "elixir",
    "emacs",
    "env",
    "esbuild",
    "eslint",
    "exit",
    "export",
    "false",
    "fd",
    "fg",
    "file",
    "find",
    "fish",
    "flake8",
    "flutter",
    "fmt",
    "fold",
    "free",
    "gcc",
    "gcloud",
    "gdb",
    "gem",
    "gh",
    "ghc",
    "git",
    "go",
    "gofmt",
    "gradle",
    "grep",
    "groups",
    "gunzip",
    "gzip",
    "head",
    "helm",
    "helmfile",
    "history",
    "hostname",
    "htop",
    "http",
    "id",
    "ifconfig",
    "install",
    "iostat",
    "jest",
    "jobs",
    "journalctl",
    "jq",
    "just",
    "kill",
    "kotlinc",
    "kubectl",
    "lein",
    "less",
    "ln",
    "locale",
    "ls",
    "lsof",
    "make",
    "man",
    "mdbook",
    "meson",
    "micro",
    "minikube",
    "mix",
    "mkdir",
    "mocha",
    "mongo",
    "more",
    "mount",
    "mv",
    "mvn",
    "mypy",
    "mysql",
    "nano",
    "nc",
    "netstat",
    "next",
    "nginx",
    "nice",
    "nim",
    "ninja",
    "nix",
    "node",
    "nodemon",
    "npm",
    "npx",
    "nslookup",
    "nvim",
    "nvm",
    "ocaml",
    "ollama",
    "open",
    "openssl",
    "pacman",
    "patch",
    "perl",
    "php",
    "ping",
    "pip",
    "pip3",
    "pipenv",
    "pipx",
    "pkill",
    "playwright",
    "pnpm",
    "podman",
    "poetry",
    "popd",
    "prettier",
    "printenv",
    "printf",
    "prisma",
    "ps",
    "psql",
    "pulumi",
    "pushd",
    "pwd",
    "pyright",
    "pytest",
    "python",
    "python3",
    "r",
    "rails",
    "rake",
    "rbenv",
    "readelf",
    "reboot",
    "redis-cli",
    "rg",
    "rm",
    "rmdir",
    "rspec",
    "rsync",
    "ruby",
    "ruff",
    "rustc",
    "rustfmt",
    "rustup",
    "sbt",
    "scala",
    "scp",
    "screen",
    "sed",
    "set",
    "sh",
    "shellcheck",
    "sleep",
    "snap",
    "sort",
    "source",
    "sqlite3",
    "ss",
    "ssh",
    "stack",
    "stat",
    "strace",
    "strings",
    "su",
    "sudo",
    "svn",
    "swift",
    "systemctl",
    "tail",
    "tar",
    "task",
    "tee",
    "telnet",
    "terraform",
    "test",
    "time",
    "timeout",
    "tmux",
    "top",
    "touch",
    "tox",
    "tr",
    "traceroute",
    "tree",
    "true",
    "tsc",
    "tsx",
    "turbo",
    "type",
    "ulimit",
    "umount",
    "uname",
    "uniq",
    "unset",
    "unzip",
    "uptime",
    "uv",
    "uvicorn",
    "vagrant",
    "vim",
    "vite",
    "vitest",
    "wait",
    "watch",
    "wc",
    "webpack",
    "wget",
    "which",
    "who",
    "whoami",
    "xargs",
    "xz",
    "yarn",
    "yes",
    "zip",
    "zsh",
];
