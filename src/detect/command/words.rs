//! The words of shells: which are run by whom.

use super::super::cursor::holds;

/// Whether somebody who gets in somewhere would begin with this.
pub(super) fn is_strong(name: &[u8], rest: &[u8]) -> bool {
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
    is_listed(name, STRONG)
}

/// Whether somebody who gets in somewhere would run it to look around, whatever follows.
pub(super) fn looks_around(name: &[u8]) -> bool {
    is_listed(name, STRONG)
}

/// Whether it has no business behind an address or the name of a file.
pub(super) fn is_command(name: &[u8]) -> bool {
    is_listed(name, COMMANDS)
}

/// Whether people run it alone, with something else behind.
pub(super) fn is_program(name: &[u8]) -> bool {
    is_listed(name, PROGRAMS)
}

/// Whether it ends the name of a file that nobody runs.
pub(super) fn is_document(ending: &[u8]) -> bool {
    is_listed(ending, DOCUMENTS)
}

/// Without regard to case.
fn is_listed(word: &[u8], list: &str) -> bool {
    !word.is_empty() && list.split_ascii_whitespace().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
}

/// Commands that are strong whatever follows.
const STRONG: &str = "\
    bitsadmin cat certutil crontab curl dig halt id ifconfig ipconfig ls netstat nslookup passwd poweroff \
    printenv reboot shutdown systeminfo tasklist useradd wget whoami wmic";

/// Commands that have no business behind an address or the name of a file.
const COMMANDS: &str = "\
    awk base64 bash cat chmod chown cp curl dig dir echo env find grep head hostname id ifconfig kill ls mail mv \
    nc netstat nslookup passwd perl php ping printenv printf ps pwd python python3 rm ruby scp sed sh sleep ssh \
    tail tee touch uname wget whoami xxd";

/// Programs that people run alone, with something else behind.
const PROGRAMS: &str = "\
    ansible apk apt ar as awk bash bat brew bun bundle bzip2 cabal cal cargo cat cd chezmoi chmod chown clang \
    clear clippy cmake code composer conda cp crontab curl cut date dd deno df dig dir direnv dmesg dnf docker \
    doctest dotnet du echo elixir emacs env esbuild eslint exit export false fd fg file find fish flake8 flutter \
    fmt fold free gcc gcloud gdb gem gh ghc git go gofmt gradle grep groups gunzip gzip head helm helmfile \
    history hostname htop http id ifconfig install iostat jest jobs journalctl jq just kill kotlinc kubectl lein \
    less ln locale ls lsof make man mdbook meson micro minikube mix mkdir mocha mongo more mount mv mvn mypy \
    mysql nano nc netstat next nginx nice nim ninja nix node nodemon npm npx nslookup nvim nvm ocaml ollama open \
    openssl pacman patch perl php ping pip pip3 pipenv pipx pkill playwright pnpm podman poetry popd prettier \
    printenv printf prisma ps psql pulumi pushd pwd pyright pytest python python3 r rails rake rbenv readelf \
    reboot redis-cli rg rm rmdir rspec rsync ruby ruff rustc rustfmt rustup sbt scala scp screen sed set sh \
    shellcheck sleep snap sort source sqlite3 ss ssh stack stat strace strings su sudo svn swift systemctl tail \
    tar task tee telnet terraform test time timeout tmux top touch tox tr traceroute tree true tsc tsx turbo \
    type ulimit umount uname uniq unset unzip uptime uv uvicorn vagrant vim vite vitest wait watch wc webpack \
    wget which who whoami xargs xz yarn yes zip zsh";

/// Endings of files that nobody runs.
const DOCUMENTS: &str = "\
    csv doc docx gif htm html jpeg jpg json log md pdf png svg txt xls xml";
