//! Command lines, taken apart into a program and its arguments: here there is no shell.
//!
//! A line that needs a shell (pipes, variables, patterns) stays with its shell, and `check` says what
//! is wrong with that.

/// What a line starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Program and arguments.
    pub(super) parts: Vec<String>,
    /// Variables that the line sets for it.
    pub(super) env: Vec<(String, String)>,
    /// Where the line goes first.
    pub(super) cwd: Option<String>,
}

const SHELLS: &[&str] = &["ash", "bash", "dash", "ksh", "sh", "zsh"];

/// A command that is one text: `npx -y package`.
pub(super) fn one_text(command: &str) -> Option<Line> {
    let plain = command.contains(char::is_whitespace) && !command.contains('\\');
    let parts = if plain { shlex::split(command)? } else { return None };
    (parts.len() > 1).then_some(Line { parts, env: Vec::new(), cwd: None })
}

/// What a shell is asked to start, where it can be started without one.
pub(super) fn through_shell(command: &[String]) -> Option<Line> {
    let (program, arguments) = command.split_first()?;
    let program = program.rsplit(['/', '\\']).next().unwrap_or(program).to_ascii_lowercase();
    if matches!(program.as_str(), "cmd" | "cmd.exe") {
        let (flag, rest) = arguments.split_first()?;
        return match rest {
            _ if !flag.eq_ignore_ascii_case("/c") => None,
            [] => None,
            [whole] => line(whole),
            parts => parts.iter().all(|part| !needs_a_shell(part)).then(|| Line {
                parts: parts.to_vec(),
                env: Vec::new(),
                cwd: None,
            }),
        };
    }
    match arguments {
        [flag, whole] if SHELLS.contains(&program.as_str()) && matches!(flag.as_str(), "-c" | "-lc" | "-ic") => {
            line(whole)
        }
        _ => None,
    }
}

/// `cd DIR && NAME=VALUE exec PROGRAM ARGUMENT…`, the most that is understood.
fn line(text: &str) -> Option<Line> {
    let mut cwd = None;
    let mut text = text.trim();
    if let Some((first, rest)) = text.split_once("&&")
        && let Some(folder) = first.trim().strip_prefix("cd ")
    {
        let [folder] = <[String; 1]>::try_from(shlex::split(folder)?).ok()?;
        cwd = Some(folder);
        text = rest.trim();
    }
    if needs_a_shell(text) || cwd.as_deref().is_some_and(needs_a_shell) {
        return None;
    }
    let mut env = Vec::new();
    let mut parts = Vec::new();
    for word in shlex::split(text)? {
        match word.split_once('=') {
            Some((name, value))
                if parts.is_empty() && crate::config::is_variable(name) && !crate::config::secrecy::is_marked(name) =>
            {
                env.push((name.to_owned(), value.to_owned()));
            }
            _ if parts.is_empty() && word == "exec" => {}
            _ => parts.push(word),
        }
    }
    (!parts.is_empty()).then_some(Line { parts, env, cwd })
}

fn needs_a_shell(text: &str) -> bool {
    text.contains(['|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '~', '#', '!', '%', '\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(command: &[&str]) -> Option<Vec<String>> {
        let command: Vec<String> = command.iter().map(|part| (*part).to_owned()).collect();
        through_shell(&command).map(|line| line.parts)
    }

    #[test]
    fn pc303_lines_that_need_no_shell_go_without() {
        let words = |text: &str| Some(text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parts(&["bash", "-c", "npx -y 'a b'"]), Some(vec!["npx".into(), "-y".into(), "a b".into()]));
        assert_eq!(parts(&["/bin/sh", "-lc", "exec node server.js"]), words("node server.js"));
        assert_eq!(parts(&["cmd", "/c", "npx", "-y", "x@1"]), words("npx -y x@1"));
        assert_eq!(parts(&["cmd.exe", "/C", "npx -y x@1"]), words("npx -y x@1"));
        for needed in ["a | b", "a && b", "a $B", "a > b", "a *.js", "`a`", "'"] {
            assert_eq!(parts(&["sh", "-c", needed]), None, "{needed}");
        }
        assert_eq!(parts(&["node", "-c", "a b"]), None);
        let line = through_shell(&["sh".into(), "-c".into(), "cd /srv/a && LANG=C node x.js".into()]).unwrap();
        assert_eq!((line.cwd.as_deref(), line.env), (Some("/srv/a"), vec![("LANG".into(), "C".into())]));
        assert_eq!(line.parts, ["node", "x.js"]);
    }
}
